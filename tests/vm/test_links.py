#!/usr/bin/python3
"""Links that break in each state: enrollment goes on."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, QUICK, A, Guest, expect, main, member, node  # noqa: E402

MOMENTS = {"FMBBF": "connected", "FMBBG": "mtu", "FMBBH": "discovery", "FMBBJ": "subscribe", "FMBBK": "start",
           "FMBBL": "anonce", "FMBBM": "open"}


def test_link_lost_in_each_state_of_a_direct_enrollment():
    with Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate(MOMENTS)]) as g:
        for serial, moment in MOMENTS.items():
            g.order("lose", serial, moment)
        g.add(*MOMENTS)
        direct = {n["serial"] for n in g.wait_joined(*MOMENTS) if n["method"] == "direct"}
        broken = [line.split()[0] for line in g.log_text("radio").splitlines() if " breaks " in line]
        expect(len(broken) == len(set(broken)), "each link broke once: %r" % broken)
        expect(direct <= set(broken), "who came without its plan? %r %r" % (direct, broken))
        g.check_ids()


def test_link_lost_in_each_state_of_attaching():
    with Guest([member(GATEWAY, 480, 1), node(A)], networks=()) as g:
        g.order("rssi", GATEWAY, A, -60)
        g.order("lose", GATEWAY, *MOMENTS.values())
        g.add_network(480)
        g.add(A, options=QUICK)
        g.wait_log("breaks", len(MOMENTS), "radio")
        g.wait_joined(A)


main(globals())
