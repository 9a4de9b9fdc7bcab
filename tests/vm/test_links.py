#!/usr/bin/python3
"""Links that break in each state: enrollment goes on."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, QUICK, A, Guest, expect, main, member, node  # noqa: E402

OF_LINKS = {"FMBBF": "connected", "FMBBG": "mtu", "FMBBH": "discovery", "FMBBJ": "subscribe"}
OF_SESSIONS = {"FMBBF": "start", "FMBBG": "anonce", "FMBBH": "open", "FMBBJ": "request", "FMBBK": "answer"}


def lost_in_each(moments):
    """A node for each, in a network of its own."""
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate(moments)], networks=()) as g:
        for serial, moment in moments.items():
            g.order("lose", serial, moment)
        g.add_apart(*moments)
        g.wait_direct(*moments)
        broken = [line.split()[0] for line in g.log_text("radio").splitlines() if " breaks " in line]
        expect(sorted(broken) == sorted(moments), "each link broke once: %r" % broken)


def test_direct_link_lost_while_it_is_made():
    lost_in_each(OF_LINKS)


def test_direct_link_lost_in_each_state_of_its_session():
    lost_in_each(OF_SESSIONS)


def test_link_lost_in_each_state_of_attaching():
    moments = (*OF_LINKS.values(), *OF_SESSIONS.values())
    with Guest([member(GATEWAY, 480, 1), node(A)], networks=()) as g:
        g.order("rssi", GATEWAY, A, -60)
        g.order("lose", GATEWAY, *moments)
        g.add_network(480)
        g.add(A, options=QUICK)
        g.wait_log("breaks", len(moments), "radio")
        g.wait_joined(A)


main(globals())
