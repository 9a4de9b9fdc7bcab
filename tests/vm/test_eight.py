#!/usr/bin/python3
"""Eight nodes, one after the other and together."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, Guest, main, node  # noqa: E402

EIGHT = ("FMBBF", "FMBBG", "FMBBH", "FMBBJ", "FMBBK", "FMBBL", "FMBBM", "FMBBN")


def eight():
    return Guest([node(s, NEAR, pos=(2, i)) for i, s in enumerate(EIGHT)])


def test_eight_nodes_one_after_the_other():
    with eight() as g:
        for serial in EIGHT:
            g.add(serial)
            g.wait_joined(serial)
        g.check_ids()


def test_eight_nodes_together():
    with eight() as g:
        g.add(*EIGHT)
        g.wait_joined(*EIGHT)
        g.check_ids()


main(globals())
