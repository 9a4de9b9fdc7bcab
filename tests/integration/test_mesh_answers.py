#!/usr/bin/python3
"""What nodes answer, through the real programs: every result code in words, answers that are lost, late, relayed or not
for us; and a node that does not answer holds nobody up."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import wait_until  # noqa: E402
from meshlab import NEAR, Building, expect, label, main, member, node, over  # noqa: E402

GATEWAY = "FMBBC"
A, B, C, D, E, F, G, H, J, K, L = ("FMBB" + c for c in "FGHJKLMNPQR")
OTHER = 777  # a network that is not ours
ONLY_IF_UNENROLLED = 0x80  # of byte 80, mesh-protocol §4.2
DIRECT = bytes.fromhex("007d0000")  # from 32000 to 0; in the mesh a request has its helper's addresses


def recorded(b, serial, at_least=1):
    """What the node was told, as it came out of its session: messages in hex."""
    messages = []

    def there():
        messages[:] = [bytes.fromhex(m) for m in b.order_json("recorded", serial)]
        return len(messages) >= at_least
    wait_until("%d messages to %s" % (at_least, serial), there, 60)
    return messages


# --- result codes -----------------------------------------------------------------------------------

CODES = {A: 0x01, B: 0x02, C: 0x03, D: 0x04, E: 0x05, F: 0x06, G: 0x10, H: 0x11, J: 0x12, K: 0x13}
RETRIED = (0x01, 0x04, 0x11)


def test_every_result_code_in_words():
    """0x01, 0x10, 0x11 and 0x13 are the node's own; it has no way to come to the others, so its 0x01 is changed."""
    lines = [node(s, NEAR, fault="flash") for s in (A, B, C, D, E, F, J)]
    lines += [member(G, OTHER, 9), node(H, NEAR, fault="prefail"), node(K, NEAR, type="asset"), node(L, NEAR)]
    with Building(lines) as b:
        for s in (B, C, D, E, F, J):
            b.order("answer", s, CODES[s])
        r = b.ctl("node", "add", "--qr-file", "-", "--wait", "--timeout", "300s", check=False, timeout=320,
                  input="".join(label(s) + "\n" for s in (*CODES, L)))
        expect(r.returncode == 1, "not all have joined: %r" % r)
        table = b.ctl("node", "list").stdout
        for serial, code in CODES.items():
            n = b.check_refusal(serial, code)
            expect(n["attempts"] == (3 if code in RETRIED else 1), n)
            expect(n["reason_text"] in r.stderr + r.stdout, "--wait says %s" % n["reason_text"])
            expect(n["reason_text"][:20] in table, "the list says it: %s" % table)
        n = b.show(L)
        expect((n["state"], n["code"], n["code_text"]) == ("joined", 0, "saved"), n)
        expect(sorted(a["serial"] for a in b.audit("node_failed")) == sorted(CODES), "audited")


def test_a_failed_pre_enrollment_has_lost_its_handle():
    """As the reference answers: 0x11 with handle 0, directly and relayed by a helper."""
    with Building([member(GATEWAY, 480, 1), node(A, NEAR, fault="prefail"), node(B, fault="prewait")]) as b:
        for s in (A, B):
            b.order("answer", s, 0x11, 0)
        b.add(A, B, options=("--attempt", "30s"))
        for s in (A, B):
            b.wait_over(s, "failed")
            b.check_refusal(s, 0x11)
        expect(b.show(A)["method"] == "direct" and b.show(B)["method"] != "direct", "both ways")


def test_answers_to_others_count_for_nothing():
    with Building([node(A, NEAR), node(B, NEAR)]) as b:
        b.order("answer", A, 0x03, 0)  # handle 0 is right for 0x11 alone
        b.add(A)
        e = b.events.wait(A, "waiting")
        expect("connection broke" in e["reason"], "not its answer: %r" % e)
        b.order("answer", A, "own")
        expect(b.wait_joined(A)[0]["code"] == 0, "asked again, it says that it has it")


# --- answers that do not come -----------------------------------------------------------------------


def forced(serial, **more):
    return member(serial, OTHER, 9, **more)


def check_same(messages, force, b, serial):
    first = messages[0]
    n = b.show(serial)
    expect(len(first) == 81 and first[80] & ONLY_IF_UNENROLLED == (0 if force else ONLY_IF_UNENROLLED), first.hex())
    expect(first[6] != 0, "a handle")
    expect(int.from_bytes(first[12:14], "little") == n["node_id"], "the id of the books")
    expect(all(m[5:] == first[5:] for m in messages), "byte by byte: %r" % [m.hex() for m in messages])
    direct = [m for m in messages if m[1:5] == DIRECT]
    expect(all(m == direct[0] for m in direct), "with its header: %r" % [m.hex() for m in direct])


def test_a_retry_is_byte_identical_also_after_restarts():
    """By force and not; the daemon dies between the first request and the second, and is stopped before the third."""
    with Building([forced(A, fault="mute"), node(B, NEAR, fault="mute")]) as b:
        for s in (A, B):
            b.order("record", s)
        b.add(A, options=("--force",))
        b.add(B)
        for s in (A, B):
            recorded(b, s)
        b.kill_daemon()
        for s in (A, B):
            recorded(b, s, 2)
        b.stop("enrolld")
        b.start()
        for s in (A, B):
            b.order("fault", s, "none")
        b.wait_joined(A, B)
        for s in (A, B):
            messages = recorded(b, s, 3)
            check_same(messages, s == A, b, s)
        expect(b.show(A)["attempts"] >= 3, "counted over restarts")


def test_a_retry_through_the_mesh_is_byte_identical():
    """What reaches the node is the same from the module on: the sender and receiver are its helper's."""
    with Building([member(GATEWAY, 480, 1), forced(A, rssi=-127, fault="mute")]) as b:
        b.order("record", A)
        b.order("record", GATEWAY)
        b.add(A, options=("--force",))
        recorded(b, A)
        b.kill_daemon()
        recorded(b, A, 2)
        b.order("fault", A, "none")
        n = b.wait_joined(A)[0]
        expect(n["method"] != "direct", n)
        for serial in (A, GATEWAY):
            messages = recorded(b, serial, 2)
            check_same(messages, True, b, A)


def test_a_gateway_node_that_says_nothing_is_left():
    """It opens with the network's key, takes what it is told, and not even tells its cluster."""
    with Building([member(GATEWAY, 480, 1, fault="mute"), member(L, 480, 2), node(A)], networks=()) as b:
        b.attach_first(GATEWAY, L)
        b.add(A)
        n = b.wait_joined(A)[0]
        expect(n["helper"] != 1, "not by its help: %r" % n)
        log = b.log_text("enrolld")
        expect("gateway_silent network=480 serial=" + GATEWAY in log, "noticed")
        expect("attached network=480 node_id=2" in log, "the next one takes over")


@over("socket")  # three times 10 s of silence
def test_a_preferred_gateway_node_that_says_nothing_is_passed_over():
    with Building([member(GATEWAY, 480, 1, fault="mute"), member(L, 480, 2), node(A), node(B)], networks=()) as b:
        b.add_network(480, "--gateway", GATEWAY)
        b.add(A)
        b.add(B)
        for n in b.wait_joined(A, B):
            expect(n["helper"] != 1, "not by its help: %r" % n)
        log = b.log_text("enrolld")
        warning = "preferred_gateway_passed_over network=480 serial=%s failures=3" % GATEWAY
        expect(log.count(warning) == 1, "told once")
        expect(log.count("attached network=480 node_id=1 ") == 3, "tried three times")


# --- those who hold others up -----------------------------------------------------------------------


def check_turns(b, bad, good):
    """Until the last of the good ones was saved no bad one had more than one turn more than any good one needed."""
    last = max(i for i, e in enumerate(b.events.seen) if e["state"] == "saved" and e["id"] in good)

    def turns(serial):  # that were over by then, without success
        return sum(e["id"] == serial and e["state"] in ("waiting", "failed") for e in b.events.seen[:last])
    limit = 1 + max(1 + turns(s) for s in good)
    for s in bad:
        expect(turns(s) <= limit, "%s came again before the others: %r" % (s, b.events.states(s)))


def test_bad_nodes_hold_nobody_up_directly():
    bad, good = (A, B, C, D), (E, F, G, H)
    faults = {B: "mute", C: "nocccd", D: "noconnect"}
    with Building([node(s, NEAR, fault=faults.get(s, "none")) for s in (*bad, *good)]) as b:
        b.ctl("node", "add", "--qr-file", "-", input="".join(
            label(s, "13" * 16 if s == A else None) + "\n" for s in (*bad, *good)))
        b.wait_joined(*good)
        check_turns(b, bad, good)
        b.wait_over(A, "failed")
        b.check_ids()


def test_bad_nodes_hold_nobody_up_in_the_mesh():
    """One helper for all, that is busy for the whole attempt with one that does not answer."""
    bad, good = (A, B), (C, D, E)
    with Building([member(GATEWAY, 480, 1), *(node(s, fault="mute" if s == B else "none") for s in (*bad, *good))]) as b:
        b.ctl("node", "add", "--qr-file", "-", input="".join(
            label(s, "13" * 16 if s == A else None) + "\n" for s in (*bad, *good)))
        b.wait_joined(*good)
        check_turns(b, bad, good)
        b.wait_over(A, "failed")
        b.check_ids()


main(globals())
