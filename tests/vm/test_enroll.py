#!/usr/bin/python3
"""Nodes are discovered, enrolled directly and over the mesh, through a real bluetoothd and a real kernel."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, QUICK, A, Guest, expect, main, member, node  # noqa: E402


def test_direct():
    with Guest([node(A, NEAR)]) as g:
        g.add(A)
        n = g.wait_joined(A)[0]
        expect(n["method"] == "direct", "in reach of our own radio: %r" % n)
        expect(g.events.states(A) == ["pending", "located", "sent", "saved", "joined"], g.events.states(A))


def test_over_the_mesh():
    with Guest([member(GATEWAY, 480, 1), node(A)]) as g:
        g.order("rssi", GATEWAY, A, -60)
        g.add(A, options=QUICK)
        n = g.wait_joined(A)[0]
        expect((n["method"], n["helper"]) == ("directed", 1), "its helper is known: %r" % n)
        g.check_ids()


main(globals())
