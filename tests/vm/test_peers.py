#!/usr/bin/python3
"""Peers that behave badly while a link is made: others are enrolled meanwhile, and they themselves once they behave. Each
is in a network of its own: no mesh takes it there when the link is never made. And another program that looks for
devices, too."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, QUICK, A, B, C, Guest, expect, main, node  # noqa: E402

D = "FMBBJ"


def test_peers_that_behave_badly():
    """Links that are lost as soon as they are made, a notification before the answer to the subscription, requests that are
    never answered."""
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate((A, B, C, D))], networks=()) as g:
        for serial, fault in ((A, "brief"), (B, "early"), (C, "deaf")):
            g.order("peer", serial, fault)
        g.add_apart(A, C, first=480)
        for serial in (A, C):
            g.wait_log("%s disconnected" % serial, 1, "radio")
        g.add_apart(B, D, first=482)
        early, good = g.wait_direct(B, D)
        expect("%s notifies early" % B in g.log_text("radio"), "it has")
        expect(early["attempts"] == 1, "an early notification is not even noticed: %r" % early)
        for serial in (A, C):
            g.order("peer", serial, "none")
        g.wait_direct(A, C)


def test_peer_that_never_answers_who_connects():
    with Guest([node(A, NEAR), node(B, NEAR)], networks=()) as g:
        g.order("peer", A, "silent")
        g.add_apart(A, B)
        g.wait_log("%s stays silent" % A, 1, "radio")
        g.wait_direct(B)
        g.order("peer", A, "none")
        g.wait_direct(A)


def test_another_program_looks_for_devices():
    """Its discovery goes on while ours rests for a link, and ends while ours goes on."""
    with Guest([node(A, NEAR), node(B), node(C, NEAR)]) as g:
        other = g.spawn("bluetoothctl", ["bluetoothctl"], stdin=subprocess.PIPE)
        other.stdin.write(b"scan on\n")
        other.stdin.flush()
        g.wait_log("Discovery started", name="bluetoothctl")
        g.order("rssi", A, B, -60)
        g.add(A)
        g.wait_direct(A)
        g.add(B, options=QUICK)
        g.wait_joined(B)
        other.stdin.write(b"scan off\n")
        other.stdin.flush()
        g.wait_log("Discovery stopped", name="bluetoothctl")
        g.add(C)
        g.wait_joined(C)
        expect("discovery hangs" not in g.log_text("enrolld"), "that is no discovery that hangs")


main(globals())
