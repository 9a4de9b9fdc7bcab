#!/usr/bin/python3
"""The adapter is switched off, or unplugged, and comes back, at each step of an enrollment over the mesh; and it leaves
the kernel stopping a discovery for ever."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, A, Guest, expect, faults, main, node  # noqa: E402


def switch(g):
    g.set_powered(False)
    g.set_powered(True)


def unplug(g):
    before = g.log_text("enrolld").count("adapter gone")
    g.order("adapter", "out")
    g.wait_log("adapter gone", before + 1)
    g.order("adapter", "in")


def test_adapter_powered_off():
    faults(switch)


def test_adapter_unplugged():
    faults(unplug)


def test_discovery_that_hangs():
    """The answer to the end of a scan is lost: from then on nobody is heard, until enrolld uses the power switch."""
    with Guest([node(A, NEAR)]) as g:
        g.order("stop", "unanswered")
        g.wait_log("discovery hangs, switching the adapter off and on")
        expect("located" not in g.log_text("enrolld"), "it was not heard of before")
        g.wait_log("adapter ready", 2)
        g.add(A)
        g.wait_direct(A)


main(globals())
