#!/usr/bin/python3
"""The adapter is switched off, or unplugged, and comes back, at each step of an enrollment over the mesh."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import faults, main  # noqa: E402


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


main(globals())
