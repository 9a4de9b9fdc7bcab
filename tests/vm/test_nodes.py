#!/usr/bin/python3
"""What a node refuses: a wrong key, a subscription, and a write that is too long: the node's own assertions would tell. And
a gateway node that is lost at each step of an enrollment over it."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, A, B, Guest, LabError, expect, faults, main, node, wait_until  # noqa: E402


def test_wrong_key():
    with Guest([node(A, NEAR), node(B, NEAR)]) as g:
        g.add(A, key="13" * 16)
        g.add(B)
        n = g.wait_over(A, "failed")
        expect(n["reason"] == "key_wrong", n)
        expect(not g.nodes_now()[A]["enrolled"], "it has not taken it")
        g.wait_joined(B)


def write_by_hand(g, length):
    """As any other client of bluetoothd: connects to the one node there is and writes so many bytes to RX. The node hangs
    up on who has said nothing for 5 s: False, it is to be called again."""
    device = g.wait_object("/dev_[0-9A-F_]*$")
    g.busctl("call", device, "org.bluez.Device1", "Connect")
    rx = g.wait_object("/dev_.*/char[0-9a-f]*$", uuid="00000002-acce-423c-93fd-0c07a0051858")
    try:
        g.busctl("call", rx, "org.bluez.GattCharacteristic1", "WriteValue", "aya{sv}", length, *[25] * length,
                 1, "type", "s", "command")
    except LabError as e:
        if "Not connected" in str(e) or "UnknownObject" in str(e):
            return False
        raise
    return True


def test_a_write_of_21_bytes_fails():
    g = Guest([node(A, NEAR)])
    try:
        with g:
            wait_until("a connection of some duration", lambda: write_by_hand(g, 21), g.LIMIT)
            g.wait_log("%s write of more than 20 bytes" % A, 1, "radio")
    except LabError as e:
        expect("against the rules" in str(e) and "%s: write of more than 20 bytes" % A in str(e), str(e))
        return
    raise LabError("a write of 21 bytes went unnoticed")


def test_subscription_refused():
    """A network for each: no mesh takes the one that refuses."""
    with Guest([node(A, NEAR), node(B, NEAR)], networks=()) as g:
        g.order("peer", A, "refuses")
        g.add_apart(A, B)
        g.wait_direct(B)
        g.wait_log("%s subscribes" % A, 2, "radio")
        g.order("peer", A, "none")
        g.wait_direct(A)


def test_gateway_node_lost():
    faults(lambda g: g.order("lose", GATEWAY))


main(globals())
