#!/usr/bin/python3
"""bluetoothd dies or is stopped, at each step of an enrollment over the mesh; a node reboots whose attributes it knows."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import NEAR, QUICK, A, B, Guest, expect, faults, main, node  # noqa: E402


def test_bluetoothd_killed():
    faults(lambda g: g.kill_bluetoothd())


def test_bluetoothd_stopped():
    faults(lambda g: g.kill_bluetoothd(signal.SIGTERM))


def test_node_reboots_and_its_attributes_are_remembered():
    """Enrolled by our own radio, the node is the gateway's node from then on: bluetoothd has seen its attributes."""
    with Guest([node(A, NEAR), node(B)]) as g:
        g.order("rssi", A, B, -60)
        g.add(A)
        g.wait_joined(A)
        attached = "attached network=480"
        g.wait_log(attached)
        shown = "%s shows its characteristics" % A
        attachments = g.log_text("enrolld").count(attached)
        views = g.log_text("radio").count(shown)
        g.order("node", A, "off")
        g.order("node", A, "on")
        g.wait_log(attached, attachments + 1)
        expect(g.log_text("radio").count(shown) == views > 0, "they are known already")
        g.add(B, options=QUICK)
        g.wait_joined(B)


main(globals())
