#!/usr/bin/python3
"""Links that break in each state, and peers that behave badly while a link is made: enrollment goes on."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, Guest, expect, main, member, node  # noqa: E402

GATEWAY = "FMBBC"
A, B, C, D = "FMBBF", "FMBBG", "FMBBH", "FMBBJ"
QUICK = ("--attempt", "8s")
MOMENTS = {"FMBBF": "connected", "FMBBG": "mtu", "FMBBH": "discovery", "FMBBJ": "subscribe", "FMBBK": "start",
           "FMBBL": "anonce", "FMBBM": "open"}


def test_link_lost_in_each_state_of_a_direct_enrollment():
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate(MOMENTS)]) as g:
        for serial, moment in MOMENTS.items():
            g.order("lose", serial, moment)
        g.add(*MOMENTS)
        g.wait_joined(*MOMENTS, timeout=150)
        broken = [line.split()[0] for line in g.log_text("radio").splitlines() if " breaks " in line]
        expect(sorted(broken) == sorted(MOMENTS), "each link broke once: %r" % broken)
        g.check_ids()


def test_link_lost_in_each_state_of_attaching():
    with Guest([member(GATEWAY, 480, 1), node(A)]) as g:
        g.order("rssi", GATEWAY, A, -60)
        for i, moment in enumerate(MOMENTS.values()):
            g.order("lose", GATEWAY, moment)
            if i == 0:
                g.add(A, options=QUICK)
            g.wait_log("breaks", i + 1, "radio")
        g.wait_joined(A)


def test_peers_that_behave_badly():
    """Links that are lost as soon as they are made, a notification before the answer to the subscription, requests that are
    never answered: the others are not held up, and each joins once it behaves."""
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate((A, B, C, D))]) as g:
        for serial, fault in ((A, "brief"), (B, "early"), (C, "deaf")):
            g.order("peer", serial, fault)
        g.add(A, B, C, D)
        early, good = g.wait_joined(B, D)
        expect(early["attempts"] == 1, "an early notification is not even noticed: %r" % early)
        for serial in (A, C):
            g.wait_log("%s disconnected" % serial, 2, "radio")
            g.order("peer", serial, "none")
        g.wait_joined(A, C)


def test_peer_that_never_answers_who_connects():
    with Guest([node(A, NEAR), node(B, NEAR)]) as g:
        g.order("peer", A, "silent")
        g.add(A, B)
        g.wait_log("%s stays silent" % A, 1, "radio")
        g.wait_joined(B)
        g.order("peer", A, "none")
        g.wait_joined(A, timeout=120)


def test_subscription_refused():
    with Guest([node(A, NEAR), node(B, NEAR)]) as g:
        g.order("peer", A, "refuses")
        g.add(A, B)
        g.wait_joined(B, timeout=120)
        g.wait_log("%s subscribes" % A, 2, "radio")
        g.order("peer", A, "none")
        g.wait_joined(A, timeout=120)


main(globals())
