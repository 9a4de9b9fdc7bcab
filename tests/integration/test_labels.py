#!/usr/bin/python3
"""Labels in and out, and keys for apps: files, a scanner, pictures, EnOcean, roles, the audit log."""
import json
import os
import signal
import subprocess
import sys
import time

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


def scan(p, serial):
    p.stdin.write((LABEL % serial + "\r").encode())
    p.stdin.flush()


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
            assert "FMBBC is under way already" in p.stdout.readline()
            p.stdin.close()
            assert p.wait(20) == 0
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


def test_one_label_that_is_no_text_spoils_no_other():
    """Latin-1 in the middle, a byte order mark at the beginning; a line without an end after good ones."""
    with daemon() as w:
        path = labels_file(w, b"\xef\xbb\xbf" + (LABEL % "FMBBC").encode(),
                           (LABEL % "FMBBD").encode() + b"&nm=T\xfcr", "FMBBF")
        expect(w.ctl("node", "add", "--qr-file", path, check=False), 65, "label 2: ", "UTF-8", "1 of 3 labels")
        assert serials(w) == ["FMBBC", "FMBBF"]
        path = labels_file(w, "FMBBG", b"a" * 100000)
        expect(w.ctl("node", "add", "--qr-file", path, check=False), 65, "added node FMBBG", "longer than a label")


# --- again -----------------------------------------------------------------------------------

def test_the_same_file_a_second_time():
    with daemon() as w:
        path = labels_file(w, "FMBBC", "FMBBD", "FMBBC")
        w.ctl("node", "add", "--qr-file", path)
        n = w.json("node", "show", "FMBBC")["node"]
        r = w.ctl("node", "add", "--qr-file", path)
        lines = ["node %s is under way already: network 10, node id %d" % x for x in (("FMBBC", 1), ("FMBBD", 2))]
        assert r.stdout.splitlines() == [*lines, lines[0]] and not r.stderr, r
        r = w.ctl("node", "add", "--qr-file", path, json_output=True)
        shown = [json.loads(line)["node"] for line in r.stdout.splitlines()]
        assert shown[0] == n and [x["serial"] for x in shown] == ["FMBBC", "FMBBD", "FMBBC"] and not r.stderr, r
        w.ctl("node", "cancel", "FMBBC")
        expect(w.ctl("node", "add", "--qr-file", path), 0, "added node FMBBC", "FMBBD is under way")


def test_what_is_not_the_same_is_refused_by_number_and_serial():
    with daemon() as w:
        w.ctl("network", "add", 11)
        w.ctl("node", "add", "FMBBC", "--network", 10, "--key-file", "-", input=KEY)
        path = labels_file(w, "FMBBD", "FMBBC")
        for options in (("--network", 11), ("--network", 10, "--force")):
            expect(w.ctl("node", "add", "--qr-file", path, *options, check=False), 65, "label 2 (FMBBC): not possible")
        r = w.ctl("node", "add", "FMBBC", "--network", 10, "--key-file", "-", input=KEY, check=False)
        assert r.returncode == 65 and r.stderr == "enrollctl: not possible: this node is being worked on already\n", r


def test_errors_as_json_are_lines_of_json():
    with daemon() as w:
        w.ctl("network", "add", 11)
        w.ctl("node", "add", "FMBBC", "--network", 10, "--key-file", "-", input=KEY)
        path = labels_file(w, "FMBBD", b"rubbish", "FMBBC", (LABEL % "FMBBG").encode() + b"&nm=T\xfcr")
        r = w.ctl("node", "add", "--qr-file", path, "--network", 11, check=False, json_output=True)
        *lines, summary = r.stderr.splitlines()
        said = sorted((json.loads(line) for line in lines), key=lambda e: e["label"])
        assert [(e["label"], e["serial"], e["error"].split(".")[-1]) for e in said] == [
            (2, None, "InvalidArgument"), (3, "FMBBC", "Conflict"), (4, None, "InvalidArgument")], r.stderr
        assert r.returncode == 65 and "3 of 4 labels" in summary, r


# --- waiting ---------------------------------------------------------------------------------

def test_a_second_run_waits_for_what_is_under_way():
    with daemon(mesh=True) as w:
        path = labels_file(w, "FMBBC", "FMBBD")
        w.ctl("node", "add", "--qr-file", path)
        p = adding(w, path, "--wait")
        says(w, "FMBBC is under way already", "FMBBD is under way already")
        assert p.poll() is None
        w.ctl("node", "cancel", "FMBBD")
        says(w, "node FMBBD: cancelled")
        assert p.poll() is None
        w.ctl("node", "cancel", "FMBBC")
        assert p.wait(30) == 1
        end = w.log_text("add").splitlines()[-3:]
        assert end == ["node FMBBC: cancelled", "node FMBBD: cancelled", "enrollctl: 2 of 2 failed"], end


def test_a_scanner_that_waits_hears_what_happens_between_labels():
    """More than the socket of a watch can hold: who does not read it is cut off."""
    with daemon(mesh=True) as w:
        p = adding(w, "-", "--wait", stdin=subprocess.PIPE)
        scan(p, "FMBBC")
        says(w, "added node FMBBC")
        w.ctl("node", "add", "--qr-file", "-", input="\n".join(LABEL % s for s in many(399) if s != "FMBBC"))
        for serial in many(25):
            w.ctl("node", "cancel", serial)
        says(w, "node FMBBC: cancelled")  # the next label is yet to come
        for serial in ("FMBCC", "FMBBC"):
            scan(p, serial)
            lab.wait_until(serial, lambda: w.log_text("add").splitlines()[-1].startswith("added node " + serial))
        p.stdin.close()
        w.ctl("node", "cancel", "FMBCC")
        says(w, "node FMBCC: cancelled")
        assert p.poll() is None  # what is added again is waited for again
        w.ctl("node", "cancel", "FMBBC")
        assert p.wait(30) == 1
        assert "2 of 2 failed" in w.log_text("add")


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


# --- a daemon that is started anew -----------------------------------------------------------

def restart(w, **env):
    """Its writes to the database are counted, and may be its end (tests/support/killshim.c)."""
    w.stop("enrolld")
    return w.start(env={"LD_PRELOAD": lab.SHIM, "KILL_COUNT": w.path("count"), **env})


def writes(w):
    with open(w.path("count"), encoding="ascii") as f:
        return int(f.read())


def test_a_daemon_that_dies_in_the_middle_of_a_file():
    """With calls that are not answered; a second time between two labels."""
    with daemon() as w:
        restart(w)
        enrolld = restart(w, KILL_AT=str(writes(w) + 100))
        wanted = many(390)
        p = adding(w, "-", stdin=subprocess.PIPE)
        p.stdin.write("".join(LABEL % s + "\n" for s in wanted[:-1]).encode())
        p.stdin.flush()
        assert enrolld.wait(30) == -signal.SIGKILL
        assert p.poll() is None
        w.start()
        says(w, wanted[-2])
        w.stop("enrolld")
        w.start()
        p.stdin.write((LABEL % wanted[-1]).encode())
        p.stdin.close()
        assert p.wait(60) == 0, w.log_text("add")
        assert sorted(serials(w)) == sorted(wanted)
        said = w.log_text("add").splitlines()
        assert len(said) == 390 and all(" node id " in line for line in said), said


def test_a_label_whose_answer_was_lost():
    """Dead at the last write that it brings about, the sync: it is in the books, and nobody was told."""
    with daemon() as w:
        restart(w)
        w.ctl("node", "add", "--qr-file", labels_file(w, "FMBBC"))
        last = writes(w)
    with daemon() as w:
        enrolld = restart(w, KILL_AT=str(last))
        p = adding(w, labels_file(w, "FMBBC"))
        assert enrolld.wait(30) == -signal.SIGKILL
        w.start()
        assert p.wait(30) == 0
        assert w.log_text("add") == "node FMBBC is under way already: network 10, node id 1\n", w.log_text("add")


def elsewhere(w, *orders):
    """What happens while nobody hears enrolld where it was: it runs with another socket for so long."""
    own, other = w.conf["control"]["socket"], w.path("other.sock")
    w.stop("enrolld", signal.SIGKILL)
    w.conf["control"]["socket"] = other
    w.start()
    for order in orders:
        w.ctl("--socket", other, *order)
    w.stop("enrolld")
    w.conf["control"]["socket"] = own


def test_a_daemon_that_dies_while_nodes_are_waited_for():
    """What happens before the watch is there again is asked for, what happens after it is heard."""
    with daemon(mesh=True) as w:
        p = adding(w, labels_file(w, "FMBBC", "FMBBD"), "--wait")
        says(w, "added node FMBBD")
        elsewhere(w, ("node", "cancel", "FMBBC"))
        assert p.poll() is None and "cancelled" not in w.log_text("add")
        w.start()
        says(w, "node FMBBC: cancelled")
        w.ctl("node", "cancel", "FMBBD")
        assert p.wait(30) == 1
        assert w.log_text("add").endswith("2 of 2 failed\n"), w.log_text("add")


def test_a_node_that_is_forgotten_meanwhile_is_waited_for_no_more():
    with daemon(mesh=True) as w:
        p = adding(w, labels_file(w, "FMBBC"), "--wait")
        says(w, "added node FMBBC")
        elsewhere(w, ("node", "cancel", "FMBBC"), ("network", "remove", 10))
        w.start()
        assert p.wait(30) == 1
        assert "node FMBBC: gone: enrolld has forgotten it\n" in w.log_text("add"), w.log_text("add")


def test_a_daemon_that_does_not_come_back():
    """By a quicker clock. What is on its way is not lost, and that is said."""
    hurry = {"LD_PRELOAD": lab.SHIM, "SHIM_SPEED": "100 %d" % time.clock_gettime_ns(time.CLOCK_BOOTTIME)}
    with daemon(mesh=True) as w:
        path = labels_file(w, "FMBBC")
        p = adding(w, path, "--wait", env=hurry)
        says(w, "added node FMBBC")
        w.stop("enrolld")
        assert p.wait(30) == 69
        assert "run the same command again" in w.log_text("add")
        p = adding(w, "-", stdin=subprocess.PIPE, env=hurry)
        assert p.wait(30) == 69  # it was not there at all: at once
        w.start()
        p = adding(w, "-", stdin=subprocess.PIPE, env=hurry)
        scan(p, "FMBBD")
        says(w, "added node FMBBD")
        w.stop("enrolld")
        scan(p, "FMBBF")
        assert p.wait(30) == 69
        assert w.log_text("add").count("run the same command again") == 2


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
