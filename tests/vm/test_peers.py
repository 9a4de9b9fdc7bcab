#!/usr/bin/python3
"""Peers that behave badly while a link is made hold nobody up, and join once they behave."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, A, B, C, Guest, expect, main, node  # noqa: E402

D = "FMBBJ"


def test_peers_that_behave_badly():
    """Links that are lost as soon as they are made, a notification before the answer to the subscription, requests that are
    never answered: the others are not held up, and each joins once it behaves."""
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate((A, B, C, D))]) as g:
        for serial, fault in ((A, "brief"), (B, "early"), (C, "deaf")):
            g.order("peer", serial, fault)
        g.add(A, C)
        for serial in (A, C):
            g.wait_log("%s disconnected" % serial, 1, "radio")
        g.add(B, D)
        early, good = g.wait_joined(B, D)
        expect(early["attempts"] == 1, "an early notification is not even noticed: %r" % early)
        for serial in (A, C):
            g.order("peer", serial, "none")
        g.wait_joined(A, C)


def test_peer_that_never_answers_who_connects():
    with Guest([node(A, NEAR), node(B, NEAR)]) as g:
        g.order("peer", A, "silent")
        g.add(A, B)
        g.wait_log("%s stays silent" % A, 1, "radio")
        g.wait_joined(B)
        g.order("peer", A, "none")
        g.wait_joined(A)


main(globals())
