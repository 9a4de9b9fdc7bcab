#!/usr/bin/python3
"""bluetoothd, the adapter and the node itself go away and come back, at each step of an enrollment over the mesh."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, Guest, expect, main, member, node  # noqa: E402

GATEWAY, A, B, C = "FMBBC", "FMBBF", "FMBBG", "FMBBH"
QUICK = ("--attempt", "8s")
MOMENTS = {A: "located", B: "sent", C: "saved"}


def house():
    return Guest([member(GATEWAY, 480, 1), node(A), node(B), node(C)])


def faults(g, break_it):
    """Each of three nodes over the mesh, with the fault at another step of its way; all join, no id twice."""
    for serial, moment in MOMENTS.items():
        g.add(serial, options=QUICK)
        g.events.wait(serial, moment)
        break_it()
        g.wait_joined(serial, timeout=120)
    g.check_ids()
    expect(g.log_text("enrolld").count("attached network=480") >= 4, "attached anew each time")


def test_bluetoothd_killed():
    with house() as g:
        faults(g, g.kill_bluetoothd)


def test_bluetoothd_stopped():
    with house() as g:
        faults(g, lambda: g.kill_bluetoothd(signal.SIGTERM))


def test_adapter_powered_off():
    with house() as g:
        def switch():
            g.set_powered(False)
            g.set_powered(True)
        faults(g, switch)


def test_adapter_unplugged():
    with house() as g:
        def unplug():
            before = g.log_text("enrolld").count("adapter gone")
            g.order("adapter", "out")
            g.wait_log("adapter gone", before + 1)
            g.order("adapter", "in")
        faults(g, unplug)


def test_node_reboots_and_its_attributes_are_remembered():
    """Enrolled by our own radio, the node is the gateway's node from then on: bluetoothd has seen its attributes."""
    with Guest([node(A, NEAR), node(B)]) as g:
        g.order("rssi", A, B, -60)
        g.add(A)
        g.wait_joined(A)
        g.wait_log("attached network=480", 1)
        g.order("node", A, "off")
        g.order("node", A, "on")
        g.wait_log("attached network=480", 2)
        g.add(B, options=QUICK)
        g.wait_joined(B)


main(globals())
