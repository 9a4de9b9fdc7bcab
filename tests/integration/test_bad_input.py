#!/usr/bin/python3
"""Bad input gets a clear error and changes nothing: enrollees over CoAP, bundles, the control socket.

After each refusal all tables of the database are compared with what they were before; the audit log may have
grown by the row that records the refusal, where there is one.
"""
import hashlib
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import coap_raw  # noqa: E402
import harness  # noqa: E402
from coap_raw import Peer  # noqa: E402
from control_raw import Control  # noqa: E402
from ip_service import Service, raw_of, text_of  # noqa: E402
from lab import wait_until  # noqa: E402

USAGE, DATA, NO_INPUT, TEMPORARY = 64, 65, 66, 75
P = 2 ** 255 - 19
LOW_ORDER = [0, 1, P - 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
             39382357235489614581723060781553021112529911719440698176882885853963445705823]
NOT_CANONICAL = [P, P + 1, P + 9, 2 ** 255 - 1, 2 ** 255 + 9, 2 ** 256 - 1]
REJECTED = b"\x01\x01"


def point(n):
    return n.to_bytes(32, "little")


# --- CoAP ---------------------------------------------------------------------------------------


def test_malformed_enrollment_messages_get_no_answer():
    with Service() as lab:
        witness, _ = lab.witness()
        good = lab.device("device")
        before = lab.books.all()
        bad = [good[:n] for n in range(1, 177)] + [good + b"\0", good + good, good * 5, good + bytes(1024 - 177)]
        bad += [bytes([v]) + good[1:] for v in (0, 2, 255)]
        with Peer(lab.port, "127.0.0.2") as peer:
            said, empty = peer.exchange(witness, *[{"payload": p} for p in bad])
        for i, p in enumerate(bad):
            assert not said[i], (len(p), p[0], said[i][0].datagram.hex())
            assert empty[i].kind == coap_raw.ACK and len(empty[i].datagram) == 4, len(p)
        with Peer(lab.port, "127.0.0.3") as peer:  # as CoAP itself these are wrong, whoever sends them
            said, _ = peer.exchange(witness, {"payload": b""}, {"payload": good + bytes(1024 - 176)})
        assert [a.code for a in said[0]] == [0x80] and [a.code for a in said[1]] == [0x8d], said
        lab.books.same(before)
        with Peer(lab.port, "127.0.0.4") as peer:
            said, _ = peer.exchange(witness, {"payload": good})
        assert said[0][0].payload[:2] == b"\x01\x00"


def test_unknown_ids_get_no_answer_and_the_same_acknowledgement():
    with Service() as lab:
        witness, _ = lab.witness()
        good = lab.device("device")
        ids = [hashlib.sha256(b"%d" % i).digest() for i in range(3)]
        stranger = [good[:33] + i + good[65:] for i in ids]
        before = lab.books.all()
        with Peer(lab.port, "127.0.0.2") as peer:
            said, empty = peer.exchange(witness, *[{"payload": s} for s in stranger],
                                        {"payload": stranger[0], "kind": coap_raw.NON})
            assert not any(said.values()) and empty[3] is None
            lab.books.same(before)
            said, known = peer.exchange(witness, {"payload": good})
        for e in [empty[0], empty[1], known[0]]:
            assert e.datagram == b"\x60\x00" + e.mid.to_bytes(2, "big"), e.datagram.hex()
        assert said[0][0].payload[:2] == b"\x01\x00" and said[0][0].kind == coap_raw.NON


def flip(b, at, bit=1):
    return b[:at] + bytes([b[at] ^ bit]) + b[at + 1:]


def test_one_flipped_byte_is_rejected_and_the_good_message_still_works():
    with Service() as lab:
        witness, _ = lab.witness()
        good = lab.device("device")
        # EK, identity key, signature, tag; the fifth try of the id is the good one
        bad = [flip(good, at) for at in (1 + 16, 65 + 3, 65 + 40, 176)]
        before = lab.books.all()
        with Peer(lab.port, "127.0.0.2") as peer:
            said, _ = peer.exchange(witness, *[{"payload": p} for p in bad], {"payload": flip(good, 40)})
            for i in range(4):
                assert [a.payload for a in said[i]] == [REJECTED], (i, said[i])
                assert said[i][0].code == coap_raw.CHANGED
            assert not said[4]
            rows = lab.books.same(before, audit_rows=4)
            assert [r["event"] for r in rows] == ["enrollee_rejected"] * 4, rows
            assert all(r["cause"] for r in rows), rows
            said, _ = peer.exchange(witness, {"payload": good})
        assert said[0][0].payload[:2] == b"\x01\x00"


def test_bad_points_as_ephemeral_key_are_rejected():
    with Service() as lab:
        witness, _ = lab.witness()
        points = [point(n) for n in LOW_ORDER + NOT_CANONICAL]
        goods = [lab.device("d%d" % i) for i in range(3)]  # an id has five tries at once
        before = lab.books.all()
        with Peer(lab.port, "127.0.0.2") as peer:
            for i, good in enumerate(goods):
                part = points[4 * i:4 * i + 4]
                said, _ = peer.exchange(witness, *[{"payload": good[:1] + p + good[33:]} for p in part])
                assert [a.payload for v in said.values() for a in v] == [REJECTED] * len(part), (i, said)
            after = lab.books.all()
            assert before["tables"] == after["tables"]
            said, _ = peer.exchange(witness, *[{"payload": g} for g in goods])
        assert all(said[i][0].payload[:2] == b"\x01\x00" for i in range(3))


def test_repeats_get_the_identical_answer_and_other_bytes_none():
    with Service() as lab:
        message, answer = lab.witness()
        before = lab.books.all()
        with Peer(lab.port, "127.0.0.2") as peer:
            said, _ = peer.exchange(message, *[{"payload": message}] * 20)
            assert all([a.payload for a in v] == [answer] for v in said.values())
            lab.books.same(before)
            said, _ = peer.exchange(message, {"payload": flip(message, 176)}, {"payload": flip(message, 40)},
                                    {"payload": flip(message, 100)})
            assert not any(said.values()), said
        rows = lab.books.same(before, audit_rows=3)
        assert all(r["cause"] == "EK_SEEN" for r in rows), rows


def test_coap_that_is_wrong_as_such():
    rng = harness.seeded()
    with Service() as lab:
        witness, _ = lab.witness()
        good = lab.device("device")
        before = lab.books.all()
        cases = [
            ({"payload": good, "content_format": b""}, 0x8f),
            ({"payload": good, "content_format": b"\x32"}, 0x8f),
            ({"payload": good, "path": "enrol"}, 0x84),
            ({"payload": good, "path": ""}, 0x84),
            ({"code": coap_raw.GET, "content_format": None}, 0x85),
            ({"payload": good, "code": coap_raw.PUT}, 0x85),
            ({"code": coap_raw.DELETE, "content_format": None}, 0x85),
            ({"payload": good[:64], "extra": [(coap_raw.BLOCK1, b"\x0a")]}, 0x8d),
            ({"payload": good, "extra": [(coap_raw.BLOCK1, b"\x04")]}, 0x8d),
            ({"payload": good, "extra": [(33, b"")]}, 0x82),  # an unknown critical option
        ]
        with Peer(lab.port, "127.0.0.2") as peer:
            for case, code in cases:
                mid = peer.send(**case)
                answer = peer.receive(lambda a: a.code != 0 and a.token == Peer.token(mid))[-1]
                assert answer.code == code, (case, hex(answer.code))
                assert coap_raw.CHANGED != answer.code and REJECTED != answer.payload
            for garbage in [b"", b"\x40",
                            b"\x40\x02\x00", b"\x4f\x02\x00\x01", b"\xc0\x02\x00\x01", b"\x49" + bytes(20),
                            b"\x40\x02\x00\x01\xff", b"\x40\x02\x00\x01\xd0", b"\x40\x02\x00\x01\xf0\xff\xff",
                            rng.randbytes(1400), bytes(1400), b"\xff" * 1400]:
                peer.sock.send(garbage)
        with Peer(lab.port, "127.0.0.3") as peer:
            said, _ = peer.exchange(witness, *[{"payload": p, "path": "channel"} for p in
                                               [b"\0", b"\1", good, rng.randbytes(43), b"\x01" + rng.randbytes(60),
                                                rng.randbytes(1000)]])
            assert not any(said.values())
            lab.books.same(before)
            said, _ = peer.exchange(witness, {"payload": good})
        assert said[0][0].payload[:2] == b"\x01\x00"


# --- at the same moment -------------------------------------------------------------------------


def test_two_copies_of_one_message_at_once_are_one_acceptance():
    with Service() as lab:
        for turn in range(5):
            message = lab.device("device%d" % turn)
            before = lab.books.all()
            peers = [Peer(lab.port, "127.0.0.%d" % (10 + i)) for i in range(4)]
            for p in peers:
                p.send(message)
            answers = {p.receive(lambda a: a.code != 0)[-1].payload for p in peers}
            for p in peers:
                p.sock.close()
            assert len(answers) == 1 and answers.pop()[:2] == b"\x01\x00"
            after = lab.books.all()
            rows = [json.loads(r[2]) for r in after["audit"][len(before["audit"]):]]
            assert [r["event"] for r in rows] == ["enrollee_accepted"], rows
            assert len(after["tables"]["devices"]) == len(before["tables"]["devices"]) + 1


def test_two_enrollees_for_one_bundle_at_once_one_is_announced():
    with Service() as lab:
        keys = [lab.enrollee("d%d" % i, "init").stdout.splitlines()[0] for i in range(2)]
        for bundle in lab.json("bundle", "issue", "--count", "10")["bundles"]:
            clients = [Control(lab) for _ in keys]
            barrier = threading.Barrier(2)
            said = [None, None]

            def announce(i):
                barrier.wait()
                said[i] = clients[i].call("EnrolleeAnnounce", key=keys[i], bundle_id=bundle["id"])

            threads = [threading.Thread(target=announce, args=(i,)) for i in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            errors = [s["error"] for s in said if "error" in s]
            assert len(errors) == 1 and errors[0].endswith(".Conflict"), said
            winner = next(s["parameters"]["enrollee"] for s in said if "error" not in s)
            lab.ctl("enrollee", "cancel", winner["id"])


# --- bundles ------------------------------------------------------------------------------------


def enroll_refuses(lab, text, says, name="device"):
    state = open(lab.path(name, "state"), "rb").read()
    r = lab.enrollee(name, "enroll", "--bundle", "-", input=text, check=False)
    assert r.returncode == DATA, (text, r.returncode, r.stderr)
    assert r.stderr.startswith("enrollee: ") and says in r.stderr, (says, r.stderr)
    assert open(lab.path(name, "state"), "rb").read() == state


def test_bad_bundles_are_refused_by_the_enrollee():
    with Service() as lab:
        lab.announced("device")
        text = lab.json("bundle", "issue")["bundles"][0]["text"]
        raw = raw_of(text)
        for n in range(0, len(raw), 7):
            enroll_refuses(lab, text_of("enr1:", raw[:n]) + "\n", "not the whole line of a bundle")
        for bad in [raw + b"\0", raw + raw, flip(raw, 0), flip(raw, 13 + 4), flip(raw, 13 + 40), flip(raw, 13 + 70),
                    flip(raw, 173), flip(raw, len(raw) - 1), raw[:141] + point(1) + raw[173:],
                    raw[:141] + point(P + 2) + raw[173:], raw[:13] + point(0) + raw[45:]]:
            enroll_refuses(lab, text_of("enr1:", bad), "bundle")
        for bad in ["", "\n", "enr1:", text.replace("enr1", "enr2"), text[:-3] + "!!!", "\0" * 60, "é" * 40,
                    text + text, text[:20] + "\n" + text[20:], "enk1:" + text[5:]]:
            enroll_refuses(lab, bad, "bundle")


def test_a_foreign_bundle_is_refused():
    with Service() as lab, Service() as other:
        lab.announced("device")
        theirs = other.json("bundle", "issue")["bundles"][0]
        mine = lab.json("bundle", "issue")["bundles"][0]
        a, b = raw_of(mine["text"]), raw_of(theirs["text"])
        # another service's keys under our address, whose fingerprint is of our identity key
        enroll_refuses(lab, text_of("enr1:", a[:13] + b[13:173] + a[173:]), "bundle")
        key = lab.enrollee("second", "init").stdout.splitlines()[0]
        lab.refused(NO_INPUT, "enrollee", "announce", key, "--bundle", theirs["id"], says=("not found", theirs["id"]))
        # a device that is expected here, but holds the other service's bundle
        witness, _ = lab.witness()
        before = lab.books.all()
        message = lab_message(lab, other, "device", theirs["text"])
        with Peer(lab.port, "127.0.0.2") as peer:
            said, _ = peer.exchange(witness, {"payload": message})
        assert [x.payload for x in said[0]] == [REJECTED]
        lab.books.same(before, audit_rows=1)


def lab_message(lab, other, name, text):
    """A device of lab sends to where other's bundle points to."""
    sink, lab.sink = lab.sink, other.sink
    try:
        return lab.message_of(name, text)
    finally:
        lab.sink = sink


def test_closed_bundles_cannot_be_announced_for():
    with Service(bundle_quota=3) as lab:
        key = lab.enrollee("device", "init").stdout.splitlines()[0]
        revoked = lab.json("bundle", "issue")["bundles"][0]
        lab.ctl("bundle", "revoke", revoked["id"])
        lab.witness()
        used = lab.json("bundle", "list", "--state", "used")["bundles"][0]
        pending = lab.announced("other")[1]

        def announce(bundle, status, *says):
            lab.refused(status, "enrollee", "announce", key, "--bundle", bundle["id"], says=says)

        announce(revoked, DATA, "not possible", "it is revoked")
        announce(used, DATA, "not possible", "belongs to another enrollee")
        announce(pending, DATA, "not possible", "belongs to another enrollee")
        announce({"id": "00" * 8}, NO_INPUT, "not found")
        announce({"id": "0000"}, DATA, "bundle_id", "less than 8")
        announce({"id": "zzzzzzzzzz"}, DATA, "bundle")
        open_ones = len(lab.json("bundle", "list", "--state", "open")["bundles"])
        last = lab.json("bundle", "issue", "--count", 3 - open_ones)["bundles"][-1]
        text = lab.refused(TEMPORARY, "bundle", "issue", says=("quota is used up", "3 open bundles", "revoke some"))
        assert "0000" not in text
        # From here on housekeeping may close a bundle's row at any moment: not all rows are compared.
        lab.ctl("bundle", "revoke", last["id"])
        short = Control(lab).call("BundleIssue", lifetime_s=1)["parameters"]["bundles"][0]
        wait_until("the bundle to expire", lambda: lab.json("bundle", "show", short["id"])["bundle"]["state"] ==
                   "expired", 10)
        before = lab.books.all()["tables"]["bundles"]
        r = lab.ctl("enrollee", "announce", key, "--bundle", short["id"], check=False)
        assert r.returncode == DATA and "expired" in r.stderr, r.stderr
        assert [b for b in lab.books.all()["tables"]["bundles"] if b[4] == 1] == [b for b in before if b[4] == 1]
        lab.ctl("bundle", "issue")  # what has expired is not counted


def test_expired_enrollees_are_strangers():
    with Service() as lab:
        witness, _ = lab.witness()
        key, bundle = lab.announced("device", "--lifetime", "1s")
        message = lab.message_of("device", bundle["text"])
        wait_until("the enrollee to expire",
                   lambda: lab.json("bundle", "show", bundle["id"])["bundle"]["state"] == "expired", 10)
        before = lab.books.all()
        with Peer(lab.port, "127.0.0.2") as peer:
            said, empty = peer.exchange(witness, {"payload": message})
        assert not said[0] and len(empty[0].datagram) == 4
        assert lab.books.all()["tables"]["devices"] == before["tables"]["devices"]


# --- the control socket -------------------------------------------------------------------------


def test_bad_pet_names_and_keys_are_refused():
    with Service() as lab:
        bundle = lab.json("bundle", "issue")["bundles"][0]["id"]
        key = lab.enrollee("device", "init").stdout.splitlines()[0]
        announce = ("enrollee", "announce", key, "--bundle", bundle, "--name")
        for bad in ["a\x1b[2J", "a\nb", "a\tb", "\x7f", "a\u0085b", "a\u2028b", "a\u202eb", "a\u2066b"]:
            lab.refused(DATA, *announce, bad, says=("name", "control characters"))
        lab.refused(DATA, *announce, "x" * 65, says=("name", "too long: more than 64 bytes"))
        lab.refused(DATA, *announce, "ü" * 33, says=("name", "too long: more than 64 bytes"))
        for bad in [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\xf4\x90\x80\x80", b"\xc3"]:
            lab.refused(USAGE, *announce, os.fsdecode(bad), says=("--name", "UTF-8"))
        raw = raw_of(key)
        for n in LOW_ORDER + NOT_CANONICAL:
            bad = text_of("enk1:", b"\1" + point(n))
            lab.refused(DATA, "enrollee", "announce", bad, "--bundle", bundle, says=("key", "must not be used"))
        for bad in [text_of("enk1:", b"\2" + raw[1:]), "enr1:" + key[5:], key[:-1] + "!", key.upper()]:
            lab.refused(DATA, "enrollee", "announce", bad, "--bundle", bundle, says=("key", "enrollee id"))
        for bad in [key[:-1], key + "A", "enk1:", ""]:
            lab.refused(DATA, "enrollee", "announce", bad, "--bundle", bundle, says="key")
        lab.ctl("enrollee", "announce", key, "--bundle", bundle, "--name", "ü" * 32)


def test_bad_calls_are_refused():
    with Service() as lab, Control(lab) as c:
        before = lab.books.all()
        for method, parameters, field in [
                ("BundleIssue", {"count": 0}, "count"), ("BundleIssue", {"count": 1001}, "count"),
                ("BundleIssue", {"count": -1}, "count"), ("BundleIssue", {"count": 1.5}, "count"),
                ("BundleIssue", {"count": "1"}, "count"), ("BundleIssue", {"count": True}, "count"),
                ("BundleIssue", {"count": [1]}, "count"), ("BundleIssue", {"lifetime_s": 2592001}, "lifetime_s"),
                ("BundleIssue", {"lifetime": 1}, "lifetime"), ("BundleIssue", {"": 1}, ""),
                ("BundleShow", {}, "id"), ("BundleShow", {"id": 5}, "id"), ("BundleShow", {"id": {}}, "id"),
                ("BundleShow", {"id": "x" * 60000}, "id"),
                ("EnrolleeAnnounce", {"key": "enk1:", "bundle_id": "00" * 8}, "key"),
                ("NetworkAdd", {"id": 10, "network_key": "zz" * 16}, "network_key"),
                ("NetworkAdd", {"id": 10, "network_key": "aa" * 15}, "network_key"),
                ("NetworkAdd", {"id": 10, "network_key": "00" * 16}, "network_key"),
                ("NetworkAdd", {"id": 0}, "id"), ("NetworkAdd", {"id": 65536}, "id"),
                ("NetworkAdd", {"id": 2 ** 63 - 1}, "id"), ("AuditVerify", {"from": "x"}, "from")]:
            reply = c.try_call(method, **parameters)
            assert reply["error"] == "org.enrolld.control.InvalidArgument", (method, parameters, reply)
            assert reply["parameters"]["field"] == field and reply["parameters"]["reason"], (parameters, reply)
        assert c.try_call("Nothing")["error"] == "org.varlink.service.MethodNotFound"
        assert c.try_call("org.example.X.Y")["error"] == "org.varlink.service.InterfaceNotFound"
        assert c.try_call("Watch")["error"] == "org.varlink.service.ExpectedMore"
        lab.books.same(before)


def test_what_is_no_call_ends_the_connection_and_nothing_else():
    with Service() as lab, Control(lab) as bystander:
        before = lab.books.all()
        status = b'{"method":"org.enrolld.control.Status"}'
        issue = b'{"method":"org.enrolld.control.BundleIssue","parameters":%s}'
        for bad in [b"\0", b"\0\0", b"{}\0", b"[]\0", b"hello\0", b"5\0",
                    b"{\0}\0", status[:-1] + b"\0", status + b"x\0",
                    b'{"method":5}\0', b'{"method":null}\0', b'{"method":"a","method":"b"}\0', issue % b"5" + b"\0",
                    issue % b"null" + b"\0", issue % b'{"x":"a\\u0000b"}' + b"\0", b'{"method":"x","more":1}\0',
                    b'{"method":"x","new":true}\0',
                    b'{"method":"\xff"}\0', b'{"method":"a\\u0000b"}\0', b'{"method":"\xed\xa0\x80"}\0',
                    b'{"a":' * 5000 + b"\0", b"[" * 60000 + b"\0", issue % (b'{"count":' + b"9" * 50 + b"}") + b"\0",
                    b"x" * 70000, b"GET / HTTP/1.1\r\n\r\n\0", issue % (b'{"x":"' + b"y" * 65536 + b'"}') + b"\0"]:
            with Control(lab) as c:
                c.send_raw(bad)
                assert c.ended(), bad[:40]
        for half in [b"", b"{", status, issue % b"{}"]:
            with Control(lab) as c:
                c.send_raw(half)  # and goes away
        lab.books.same(before)
        assert "error" not in bystander.call("Status")
        with Control(lab) as c:  # many at once, in one write, are answered in their order
            c.send_raw((status + b"\0" + issue % b'{"count":0}' + b"\0") * 50)
            got = [c.receive() for _ in range(100)]
        assert ["error" in g for g in got] == [False, True] * 50
        lab.books.same(before)


def test_secrets_on_the_command_line_are_refused_with_a_hint():
    with Service() as lab:
        key = "0123456789abcdef" * 2
        lab.ctl("network", "add", 10)
        hint = ("command line", "--key-file")
        lab.refused(USAGE, "network", "add", 11, "--network-key", key, says=hint)
        lab.refused(USAGE, "network", "add", 11, "--key", key, says=hint)
        lab.refused(USAGE, "node", "add", "FMBBD", "--key", key, says=hint)
        lab.refused(USAGE, "node", "add", "FMBBD", "--node-key=" + key, says=hint)
        lab.refused(USAGE, "node", "add", "--qr", "sn=FMBBD&nk=" + key, says=("command line", "--qr-file"))
        lab.refused(USAGE, "node", "add", key, says=hint)
        for text in ["", "xyz\n", key + "00\n", key[:30] + "\n"]:
            said = lab.refused(DATA, "node", "add", "FMBBD", "--key-file", "-", input=text, says="32 hex digits")
            assert key[:30] not in said
        lab.refused(NO_INPUT, "node", "add", "FMBBD", "--key-file", lab.path("missing"), says="missing")
        lab.refused(DATA, "node", "add", "FMBBA0", "--key-file", "-", input=key, says="serial")


if __name__ == "__main__":
    harness.main(globals())
