#!/usr/bin/python3
"""Labels in and out, and keys for apps: files, a scanner, pictures, EnOcean, roles, the audit log."""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
import lab  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "12345678" * 4
LABEL = "qt=1&v=1&mf=024D&s=%s&nk=" + KEY


def daemon(mesh=False):
    """mesh: with jobs that are worked on, and tell events; the radio is never there."""
    world = lab.Lab()
    if mesh:
        world.conf["mesh"] = {"link": "socket", "link_socket": world.path("air.sock")}
    world.init()
    world.start()
    world.ctl("network", "add", 10)
    return world


def many(n):
    letters = "BCDFGHJKLMNPQRSTVWXYZ"
    return ["FM" + a + b + "C" for a in letters[:19] for b in letters][:n]


def labels_file(w, *lines):
    """lines: serials, or lines of bytes as they are."""
    with open(w.path("labels.txt"), "wb") as f:
        f.writelines((x if isinstance(x, bytes) else (LABEL % x).encode()) + b"\n" for x in lines)
    return w.path("labels.txt")


def adding(w, path, *options, **more):
    """node add in the background; what it says is in its log."""
    return w.spawn("add", [w.program("enrollctl"), "--socket", w.path("control.sock"), "node", "add", "--qr-file", path,
                           *options], **more)


def says(w, *lines):
    for line in lines:
        lab.wait_until(line, lambda: line in w.log_text("add"))


def serials(w):
    return [n["serial"] for n in w.json("node", "list")["nodes"]]


def expect(result, code, *words):
    assert result.returncode == code, (result.args, result.returncode, result.stdout, result.stderr)
    for word in words:
        assert word in result.stdout + result.stderr, (word, result.stdout, result.stderr)


def reveals(w, event):
    return [r for r in map(lambda r: json.loads(r["json"]), w.json("audit", "list")["rows"]) if r["event"] == event]


# --- in --------------------------------------------------------------------------------------

def test_a_file_in_any_order_case_and_with_unknown_fields():
    with daemon() as w:
        path = w.path("labels.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\ufeff# hall 3\r\n\r\n" + LABEL % "FMBBC" + "\r\n"
                    "NK=" + KEY.lower() + "&S=FMBBD&Q-Vendor=%20x&mf=24d&v=1&qt=1&dt=asset&nm=T%c3%bcr\n"
                    "  https://example.org/?" + LABEL % "FMBBF" + "&new=1  \n"
                    "kt=1&k=" + KEY + "&qt=1&v=1&mf=024D&s=FMBBG")
        expect(w.ctl("node", "add", "--qr-file", path), 0, "FMBBC", "FMBBG")
        assert serials(w) == ["FMBBC", "FMBBD", "FMBBF", "FMBBG"]
        n = w.json("node", "show", "FMBBD")["node"]
        assert n["device_type"] == "asset" and n["name"] == "T\u00fcr" and n["node_id"] >= 33000, n


def test_a_scanner_is_answered_label_by_label():
    with daemon() as w:
        argv = [w.program("enrollctl"), "--socket", w.path("control.sock"), "node", "add", "--qr-file", "-"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as p:
            for serial, end in (("FMBBC", "\r"), ("FMBBD", "\n"), ("FMBBF", "\r\n")):
                p.stdin.write(LABEL % serial + end)
                p.stdin.flush()
                assert serial in p.stdout.readline()  # without the end of input
            p.stdin.write(LABEL % "FMBBC" + "\r")
            p.stdin.flush()
            assert "label 4" in p.stdout.readline()
            p.stdin.close()
            assert p.wait(20) == 65
        assert serials(w) == ["FMBBC", "FMBBD", "FMBBF"]


def test_pictures():
    with daemon() as w:
        expect(w.ctl("node", "add", "--qr-file", os.path.join(HERE, "data", "label.jpg")), 0, "FMBBX")
        with open(os.path.join(HERE, "data", "label.jpg"), "rb") as f:
            jpeg = f.read()
        for broken in (jpeg[:300], jpeg[:3], b"\x89PNG\r\n\x1a\nrubbish"):
            with open(w.path("broken"), "wb") as f:
                f.write(broken)
            expect(w.ctl("node", "add", "--qr-file", w.path("broken"), check=False), 65, "picture")
        with open(w.path("zeros"), "wb") as f:
            f.write(b"\0" * 100)
        expect(w.ctl("node", "add", "--qr-file", w.path("zeros"), check=False), 65, "not a text file")
        expect(w.ctl("node", "add", "--qr-file", w.path("absent"), check=False), 66)
        with open(w.path("long"), "wb") as f:
            f.write(b"a" * 100000)
        expect(w.ctl("node", "add", "--qr-file", w.path("long"), check=False), 65, "longer than a label")
        assert serials(w) == ["FMBBX"]


def test_enocean_labels_are_refused_in_words():
    with daemon() as w:
        r = w.ctl("node", "add", "--qr-file", "-", check=False,
                  input="30S0000FFF01234+1P000B00000050+30PS3221-A230+2PDA01\n" + LABEL % "FMBBC")
        expect(r, 65, "EnOcean", "FMBBC")
        assert serials(w) == ["FMBBC"]


# --- waiting ---------------------------------------------------------------------------------

def test_the_end_names_those_that_failed():
    with daemon(mesh=True) as w:
        p = adding(w, labels_file(w, *many(22)), "--wait")
        says(w, "added node " + many(22)[-1])
        for serial in many(22)[1:]:
            w.ctl("node", "cancel", serial)
        says(w, "node %s: cancelled" % many(22)[-1])
        w.ctl("node", "cancel", many(1)[0])
        assert p.wait(30) == 1
        assert w.log_text("add").splitlines()[-22:] == [
            *("node %s: cancelled" % s for s in many(20)),
            "and 2 more: enrollctl node list --state failed (or expired, cancelled)", "enrollctl: 22 of 22 failed"]


def test_out_of_time_names_those_that_are_not_done():
    with daemon() as w:
        path = labels_file(w, *many(25))
        r = w.ctl("node", "add", "--qr-file", path, "--wait", "--timeout", "1s", check=False)
        expect(r, 75, "25 of 25 are not done", "and 5 more: enrollctl node list", "goes on trying")
        assert [x for x in r.stderr.splitlines() if x.endswith(": pending")] == [
            "node %s: pending" % s for s in many(20)], r.stderr


def test_a_daemon_that_dies_while_nodes_are_waited_for():
    """What happens before the watch is there again is asked for, what happens after it is heard."""
    with daemon(mesh=True) as w:
        p = adding(w, labels_file(w, "FMBBC", "FMBBD"), "--wait")
        says(w, "added node FMBBD")
        w.stop("enrolld", signal.SIGKILL)
        own = w.conf["control"]["socket"]
        w.conf["control"]["socket"] = w.path("other.sock")
        w.start()
        w.ctl("--socket", w.path("other.sock"), "node", "cancel", "FMBBC")
        w.stop("enrolld")
        assert p.poll() is None and "cancelled" not in w.log_text("add")
        w.conf["control"]["socket"] = own
        w.start()
        says(w, "node FMBBC: cancelled")
        w.ctl("node", "cancel", "FMBBD")
        assert p.wait(30) == 1
        assert w.log_text("add").endswith("2 of 2 failed\n"), w.log_text("add")


# --- out -------------------------------------------------------------------------------------

def test_a_printed_label_is_read_by_another_service():
    with daemon() as w, daemon() as other:
        w.ctl("node", "add", "--qr-file", "-", input=LABEL % "FMBBC" + "&nm=T%C3%BCr&dt=ASSET")
        png = w.path("label.png")
        r = w.ctl("node", "label", "FMBBC", "--qr", "--png", png)
        assert "\u2580" in r.stdout and KEY not in r.stdout
        assert os.stat(png).st_mode & 0o777 == 0o600
        expect(w.ctl("node", "label", "FMBBC", "--png", png, check=False), 73, "there already")
        expect(other.ctl("node", "add", "--qr-file", png), 0, "FMBBC")
        text = w.ctl("node", "label", "FMBBC").stdout
        assert text == "qt=1&v=1&mf=024D&s=FMBBC&nk=" + KEY + "&dt=ASSET&nm=T%C3%BCr\n", text
        assert other.ctl("node", "label", "FMBBC").stdout == text
        assert w.json("node", "label", "FMBBC") == {"serial": "FMBBC", "label": text.strip()}
        assert len(reveals(w, "node_label_revealed")) == 4 and reveals(w, "node_label_revealed")[0]["serial"] == "FMBBC"
        expect(w.ctl("node", "label", "FMBBD", check=False), 66)
        assert KEY not in w.ctl("audit", "list").stdout.upper() + w.ctl("node", "show", "FMBBC").stdout


# --- keys for apps ---------------------------------------------------------------------------

def test_keys_for_apps_are_those_of_the_vectors():
    with open(os.path.join(HERE, "..", "vectors", "key-derivation.json"), encoding="utf-8") as f:
        vectors = json.load(f)
    with daemon() as w:
        for i, v in enumerate(vectors["userDerived"]):
            network = 100 + i
            w.ctl("network", "add", network, "--key-file", "-", input="user_base_key " + v["userBaseKey"])
            got = w.json("network", "app-key", network, "--key-id", v["fmKeyId"])
            assert got == {"key_id": v["fmKeyId"], "key": v["derivedKey_Node_GetKey"]}, (v, got)
        assert len(vectors["userDerived"]) > 3
        # mesh-protocol 9.2
        w.ctl("node", "add", "FMBBC", "--network", 10, "--key-file", "-", input="00112233445566778899aabbccddeeff")
        got = w.json("network", "app-key", 10, "--restrained", "FMBBC")
        assert got == {"key_id": 5, "key": "2afc35994c861148584cc6d9eed4a2b6"}, got
        expect(w.ctl("network", "app-key", 100, "--restrained", "FMBBC", check=False), 66, "not in this network")
        assert len(reveals(w, "network_app_key_revealed")) == len(vectors["userDerived"])
        assert len(reveals(w, "node_restrained_key_revealed")) == 1
        for bad in (("--key-id", 9), ("--key-id", 0x80000000), (), ("--key-id", 10, "--restrained", "FMBBC")):
            expect(w.ctl("network", "app-key", 10, *bad, check=False), 65, "key_id")
        expect(w.ctl("network", "app-key", 99, "--key-id", 10, check=False), 66)


if __name__ == "__main__":
    harness.main(globals())
