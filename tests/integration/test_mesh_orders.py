#!/usr/bin/python3
"""What an operator may order beyond a plain enrollment: by force, without a key, removal, another network for an
asset; and each refusal of a node in words."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import need_root  # noqa: E402
from lab import SHIM, wait_until  # noqa: E402
from meshlab import FAR, NEAR, Building, expect, label, main, member, network_keys, node, node_key  # noqa: E402

GATEWAY, A, B, C = "FMBBC", "FMBBF", "FMBBG", "FMBBH"
OTHER = 777  # a network that is not ours


def test_remove_of_a_node_that_is_gone():
    # the first, since it takes longest: five requests with the patience that a removal needs
    with Building([member(GATEWAY, 480, 1), node(A), node(B)]) as b:
        b.add(A)
        first = b.wait_joined(A)[0]
        b.order("node", A, "off")
        r = b.ctl("node", "remove", A, "--wait", "--timeout", "300s", check=False, timeout=320)
        n = b.show(A)
        expect(n["state"] == "unconfirmed", "a state of its own: %r" % n)
        expect(r.returncode == 1 and "factory" in r.stderr, "what to do next: %s" % r.stderr)
        expect("factory" in n["reason_text"], "what to do next: %r" % n)
        b.add(B)
        expect(b.wait_joined(B)[0]["node_id"] != first["node_id"], "its id stays out of use")


def test_node_of_another_network_only_by_force():
    with Building([member(GATEWAY, 480, 1), member(A, OTHER, 9), member(B, OTHER + 1, 10, rssi=-127)]) as b:
        b.order("rssi", GATEWAY, A, FAR)  # heard by our own radio only
        b.add(A)
        n = b.wait_over(A, "failed")
        expect((n["reason"], n["code"]) == ("other_enrollment", 0x10), n)
        expect("--force" in n["reason_text"], "what to do next: %r" % n)
        expect(b.nodes_now()[A]["network_id"] == OTHER, "left alone")
        b.add(A, B, options=("--force",))
        direct, mesh = b.wait_joined(A, B)
        expect(direct["method"] == "direct" and mesh["method"] != "direct", "either way")
        expect(direct["node_id"] == n["node_id"], "its id was kept for it")
        expect(not direct["only_if_unenrolled"] and not mesh["only_if_unenrolled"], "stored with the job")
        expect([a.get("force") for a in b.audit("node_added")] == [None, 1, 1], "audited")


class WithEnrollers(Building):
    """They are of a group that only the daemon sees (tests/support/killshim.c)."""
    GROUP = 64102

    def start(self):
        super().start(env={"LD_PRELOAD": SHIM, "SHIM_GROUPS": "enrolld-enroller:%d" % self.GROUP})
        os.chmod(self.dir, 0o755)

    def add_as_enroller(self, serial, *options):
        argv = [self.program("enrollctl"), "--socket", self.path("control.sock"), "node", "add", serial, "--key-file", "-"]
        return subprocess.run([*argv, *options], input=node_key(serial) + "\n", text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, user=65534, group=65534, extra_groups=[self.GROUP])


def test_force_is_for_administrators():
    need_root()  # the daemon's own uid is admin: nobody else to ask as
    with WithEnrollers([node(A, NEAR), node(B)]) as b:
        r = b.add_as_enroller(A)
        expect(r.returncode == 0, "an enroller may enroll: %r" % r)
        r = b.add_as_enroller(B, "--force")
        expect(r.returncode == 77, "refused: %r" % r)
        expect(b.ctl("node", "show", B, check=False).returncode == 66, "and nothing was stored")


def test_nearby_opens_only_what_is_unenrolled_and_unsecured():
    lines = [member(GATEWAY, 480, 1), node(A, NEAR, unsecure=1), node(B, NEAR), member(C, OTHER, 9, unsecure=1)]
    with Building(lines) as b:
        for serial in (A, B, C):
            r = b.ctl("node", "add", serial, "--nearby")
            expect("warning: --nearby" in r.stderr, "warned: %s" % r.stderr)
        n = b.wait_joined(A)[0]
        expect(n["nearby"] and n["method"] == "direct" and n["attempts"] == 1, n)
        for serial in (B, C):
            n = b.wait_state(serial, "waiting")
            expect(n["reason"] == "not_open" and n["attempts"] == 0, n)
        expect(not b.nodes_now()[B]["enrolled"] and b.nodes_now()[C]["network_id"] == OTHER, "left alone")
        r = b.ctl("node", "add", "--qr-file", "-", "--nearby", input="qt=1&v=1&mf=024D&s=FMBBJ&nk=" + "12" * 16, check=False)
        expect(r.returncode == 65, "with a key there is no need for it")
        expect([a.get("nearby") for a in b.audit("node_added")] == [1, 1, 1], "audited")


def test_nearby_again_after_a_lost_answer():
    with Building([node(A, NEAR, unsecure=1, fault="mute")]) as b:
        b.ctl("node", "add", A, "--nearby")
        b.events.wait(A, "waiting")
        expect(b.nodes_now()[A]["enrolled"], "it has taken it, and opens to nobody without a key any more")
        b.order("fault", A, "none")
        n = b.wait_joined(A)[0]
        expect(n["attempts"] >= 2, "asked again by the network's key: %r" % n)


def test_member_of_an_enrollment_network():
    keys = network_keys(1)
    lines = [member(GATEWAY, 480, 1), node(A, NEAR, uicr_network=1, uicr_id=5, uicr_netkey=keys["network_key"])]
    with Building(lines, networks=(480, 1)) as b:
        b.ctl("node", "add", A, "--network", 480, "--from-network", 1)
        n = b.wait_over(A, "failed")
        expect(n["reason"] == "other_enrollment", "it is enrolled by default: %r" % n)
        b.ctl("node", "add", A, "--network", 480, "--from-network", 1, "--force")
        n = b.wait_joined(A)[0]
        expect(n["from_network"] == 1 and n["attempts"] == 2, "it is the gateway node of that network itself: %r" % n)


def test_member_of_an_enrollment_network_out_of_range():
    """Told through the mesh that it is in, by its serial; nobody else there does anything."""
    key = network_keys(1)["network_key"]
    lines = [member(GATEWAY, 480, 1), member(B, 1, 2), node(A, uicr_network=1, uicr_id=5, uicr_netkey=key)]
    with Building(lines, networks=(480, 1)) as b:
        b.ctl("node", "add", A, "--network", 480, "--from-network", 1, "--force")
        b.events.wait(A, "sent")
        b.order("lose", B)  # and with it, mostly, the answer: it is asked again, there and where it is to be
        n = b.wait_joined(A)[0]
        expect((n["from_network"], n["method"]) == (1, "broadcast"), n)
        expect(b.nodes_now()[B]["network_id"] == 1, "left alone")


def test_a_joined_node_is_removed_before_it_is_added_again():
    """Also one that was reset by hand: its label alone tells that it has joined, by force it is told what to do."""
    with Building([member(GATEWAY, 480, 1), node(A, NEAR, button=100)]) as b:
        b.add(A)
        b.wait_joined(A)
        b.order("node", A, "press", 12000)
        wait_until("its reset", lambda: not b.nodes_now()[A]["enrolled"])
        r = b.add(A, options=("--wait",))
        expect("FMBBF has joined already: network 480" in r.stdout and not r.stderr, r)
        r = b.ctl("node", "add", "--qr-file", "-", "--force", input=label(A) + "\n", check=False)
        expect(r.returncode == 65 and "node remove" in r.stderr, "what to do next: %r" % r)
        b.ctl("node", "remove", A, "--wait", "--timeout", "120s")
        b.add(A)
        b.wait_joined(A)


def test_ids_of_assets_are_those_of_all_networks():
    lines = [node(A, NEAR, type="asset"), node(B, NEAR, type="asset"), node(C, NEAR)]
    with Building(lines, networks=(480, 481)) as b:
        b.add(A, options=("--network", 480), dt="ASSET")
        b.add(B, options=("--network", 481), dt="ASSET")
        b.add(C, options=("--network", 481))
        first, second, third = b.wait_joined(A, B, C)
        expect(first["node_id"] != second["node_id"], "organisation-wide: %r %r" % (first, second))
        expect(third["node_id"] < 2000, "other nodes have other ids: %r" % third)
        r = b.ctl("terminal", "--timeout", "2s", input="action 0 enroll basic FMBBJ %d 480\r" % second["node_id"], check=False)
        expect('"code":2' in r.stdout, "an asset's id of another network: %r" % r)
        b.check_ids()


def test_remove_through_the_mesh_and_directly():
    lines = [member(GATEWAY, 480, 1), node(A), node(B, NEAR)]
    with Building(lines) as b:
        b.add(A, B)
        ids = [n["node_id"] for n in b.wait_joined(A, B)]
        r = b.ctl("node", "remove", A, "--wait", "--timeout", "60s")
        n = b.show(A)
        expect(n["state"] == "removed" and n["method"] == "directed", "as a member: %r %s" % (n, r.stderr))
        expect(not b.nodes_now()[A]["enrolled"], "it has forgotten us")
        b.order("node", GATEWAY, "off")
        b.order("fault", B, "nojoin")
        b.ctl("node", "remove", "A" + B, "--wait", "--timeout", "60s")  # it may be typed with an A before it
        expect(b.show(B)["state"] == "removed", b.show(B))
        expect(not b.nodes_now()[B]["enrolled"], "it has forgotten us")
        b.order("node", GATEWAY, "on")
        b.add(A)
        n = b.wait_joined(A)[0]
        expect(n["node_id"] not in ids, "an id that was given is given again only when there is no other")


def test_storage_failure_in_words():
    with Building([node(A, NEAR, fault="flash")]) as b:
        b.add(A)
        b.events.wait(A, "waiting")
        n = b.wait_over(A, "failed")
        expect(n["code"] in (1, 2, 3, 4), n)
        expect("0x%02x" % n["code"] in n["reason_text"] and n["code_text"] in n["reason_text"], n)
        shown = b.ctl("node", "show", A).stdout
        expect(n["reason_text"] in shown, shown)
        expect(n["reason_text"][:20] in b.ctl("node", "list").stdout, "also in the list")


def test_set_network_of_an_asset():
    lines = [member(GATEWAY, 480, 1), node(A, NEAR, type="asset"), node(B, NEAR)]
    with Building(lines, networks=(480, 481)) as b:
        b.add(A, options=("--network", 480), dt="ASSET")
        b.add(B, options=("--network", 480))
        n = b.wait_joined(A, B)[0]
        expect(33000 <= n["node_id"] <= 57999, n)
        r = b.ctl("node", "set-network", A, 481, "--wait", "--timeout", "60s")
        n = b.show(A)
        expect((n["state"], n["reason"], n["preferred_network"], n["network_id"]) == ("joined", None, 481, 480), n)
        expect(b.nodes_now()[A]["network_id"] == 481, "it speaks to the other network: %s" % r.stderr)
        expect(b.ctl("node", "set-network", B, 481, check=False).returncode == 65, "not for other nodes")
        expect(b.ctl("node", "set-network", A, 999, check=False).returncode == 66, "not to what we do not know")
        expect(b.audit("node_set_network")[0]["preferred_network"] == 481 and b.audit("node_moved"), "audited")
        b.order("node", A, "off")
        r = b.ctl("node", "set-network", A, 480, "--wait", "--timeout", "1s", check=False)
        expect(r.returncode == 75, "it is away")
        b.ctl("node", "cancel", A)
        expect((b.show(A)["state"], b.show(A)["reason"]) == ("joined", "stopped"), b.show(A))


main(globals())
