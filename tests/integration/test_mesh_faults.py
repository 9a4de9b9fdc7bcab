#!/usr/bin/python3
"""Link, bluetoothd's stand-in, adapter, node, gateway node and daemon go away at each step of an enrollment: it always
ends in the right state, and no node id is given twice."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from meshlab import NEAR, Building, expect, main, member, node, over, wait_until  # noqa: E402

GATEWAY, A, B, C = "FMBBC", "FMBBF", "FMBBG", "FMBBH"
# A node that no survey has found is never located: a broadcast finds it.
MOMENTS = {A: ("located", "sent"), B: ("sent",), C: ("saved",)}


def faults(b, break_it, mend_it=None):
    """Each of three nodes over the mesh, with the fault at another step of its way; all join, no id twice."""
    for serial, moment in MOMENTS.items():
        b.add(serial)
        b.events.wait(serial, *moment)
        break_it(b, serial)
        if mend_it:
            mend_it(b, serial)
        b.wait_joined(serial)
    b.check_ids()


def house():
    return Building([member(GATEWAY, 480, 1), node(A), node(B), node(C)])


def test_link_lost_at_every_step():
    with house() as b:
        faults(b, lambda b, s: b.order("lose", GATEWAY))
        expect(b.log_text("enrolld").count("attached network=480") >= 4, "attached anew each time")


def test_bluetoothd_dies_at_every_step():
    """Or the process behind the radio socket."""
    with house() as b:
        faults(b, lambda b, s: b.radio("die"), lambda b, s: b.radio("revive"))


@over("bluez")
def test_adapter_goes_and_comes_at_every_step():
    with house() as b:
        faults(b, lambda b, s: b.order("adapter", "off"), lambda b, s: b.order("adapter", "on"))


def test_node_reboots_at_every_step():
    with house() as b:
        faults(b, lambda b, s: b.order("node", s, "off"), lambda b, s: b.order("node", s, "on"))


def test_gateway_node_reboots_at_every_step():
    with house() as b:
        faults(b, lambda b, s: b.order("node", GATEWAY, "off"), lambda b, s: b.order("node", GATEWAY, "on"))


def test_daemon_is_killed_at_every_step():
    with house() as b:
        faults(b, lambda b, s: b.kill_daemon())


@over("bluez")
def test_subscription_that_is_lost_with_its_link():
    """bluetoothd then refuses every other one, and dies when the device is removed to cure that: all is well afterwards."""
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.order("fault", A, "nocccd")
        b.add(A)
        wait_until("the cure", lambda: "removing device to cure it" in b.log_text("enrolld"), 60)
        wait_until("the end of bluetoothd", lambda: "bluetoothd has gone" in b.log_text("enrolld"), 30)
        b.order("fault", A, "none")
        b.add(B)
        b.wait_joined(A, B)


main(globals())
