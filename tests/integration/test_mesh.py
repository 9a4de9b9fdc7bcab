#!/usr/bin/python3
"""The gateway's rows of the EnrollmentModule, through the real enrolld and enrollctl over org.bluez: nodes are
firmware/core in a simulated air."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import wait_until  # noqa: E402
from meshlab import NEAR, Building, expect, label, main, member, node  # noqa: E402

GATEWAY, SECOND = "FMBBC", "FMBBD"
A, B, C, D = "FMBBF", "FMBBG", "FMBBH", "FMBBJ"


def test_direct_by_node_key():
    with Building([node(A, NEAR)]) as b:
        b.add(A)
        n = b.wait_joined(A)[0]
        expect(n["method"] == "direct" and n["attempts"] == 1, "one direct request: %r" % n)
        b.events.wait(A, "joined")
        expect(b.events.states(A) == ["pending", "located", "sent", "saved", "joined"], b.events.states(A))
        expect(b.audit("node_saved")[0]["method"] == "direct", "audited")


def test_over_the_mesh_directed_and_broadcast():
    with Building([member(GATEWAY, 480, 1), node(A), node(B)]) as b:
        b.order("rssi", GATEWAY, A, -60)
        b.order("rssi", GATEWAY, B, -88)  # too weak for a proposal, good enough for an enrollment
        b.order("rssi", A, B, -127)
        b.order("node", GATEWAY, "off")  # it may have seen them better before: a proposal would name them
        b.order("node", GATEWAY, "on")
        b.order("ears", 100)  # or it may have nothing to propose when it is asked
        b.add(A, B)
        b.events.wait(B, "saved")
        b.order("rssi", GATEWAY, B, -60)  # or it would not find its way into the mesh
        first, second = b.wait_joined(A, B)
        expect((first["method"], first["helper"]) == ("directed", 1), "its helper is known: %r" % first)
        expect(second["method"] == "broadcast", "nobody proposes it: %r" % second)
        b.check_ids()


def test_wrong_key_in_range_is_named():
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.add(A, key="13" * 16)
        b.add(B)
        n = b.wait_over(A, "failed")
        expect(n["reason"] == "key_wrong" and "compare the key" in n["reason_text"], n)
        expect(not b.nodes_now()[A]["enrolled"], "it has not taken it")
        b.wait_joined(B)
        r = b.ctl("node", "add", "--qr-file", "-", "--wait", input=label(A, "14" * 16), check=False)
        expect(r.returncode == 1 and "compare the key" in r.stderr, "--wait says it: %s" % r.stderr)


def test_two_networks_at_once():
    lines = [member(GATEWAY, 480, 1), member(SECOND, 481, 1), node(A), node(B)]
    with Building(lines, networks=(480, 481)) as b:
        b.add(A, options=("--network", 480))
        b.add(B, options=("--network", 481))
        n = b.wait_joined(A, B)
        expect([x["network_id"] for x in n] == [480, 481], "each in its own")
        log = b.log_text("enrolld")
        expect("attached network=480" in log and "attached network=481" in log, "a session for each")


def test_another_gateway_node_takes_over():
    with Building([member(GATEWAY, 480, 1), member(SECOND, 480, 2), node(A)], networks=()) as b:
        b.attach_first(GATEWAY, SECOND)
        b.add(A)
        b.events.wait(A, "located", "sent")
        b.order("node", GATEWAY, "off")
        b.wait_joined(A)
        wait_until("the other one", lambda: b.json("status")["mesh"]["link_node_id"] == 2, b.LIMIT)


main(globals())
