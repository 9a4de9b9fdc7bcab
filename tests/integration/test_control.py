#!/usr/bin/python3
"""The control socket and enrollctl through the real programs: every verb, JSON, roles, secrets."""
import base64
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
import lab  # noqa: E402
from told import alike  # noqa: E402

KEY = "5a" * 16
LABEL = "qt=1&v=1&mf=024D&s=%s&nk=" + KEY.upper()
ROLES = {"enrolld-observer": 64101, "enrolld-enroller": 64102, "enrolld-admin": 64103}


def daemon():
    world = lab.Lab()
    world.init()
    world.start(env={"LD_PRELOAD": os.path.join(lab.BUILD, "tests", "killshim.so"),
                     "SHIM_GROUPS": ",".join("%s:%d" % g for g in ROLES.items())})
    return world


class Varlink:
    """A second client, written from the Varlink specification alone."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, method, parameters=None, **more):
        call = {"method": method, **more}
        if parameters is not None:
            call["parameters"] = parameters
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None):
        self.send("org.enrolld.control." + method, parameters)
        return self.receive()


def as_user(world, uid, groups, *args, input=None):
    """enrollctl as another user, in groups that need not exist anywhere else."""
    argv = [world.program("enrollctl"), "--socket", world.path("control.sock"), *args]
    return subprocess.run(argv, input=input, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          user=uid, group=65534, extra_groups=groups)


def group_ids():
    """The roles' groups, which only the daemon sees (tests/support/killshim.c)."""
    harness.need_root()
    return ROLES


def expect(result, code, *words):
    assert result.returncode == code, (result.args, result.returncode, result.stdout, result.stderr)
    for word in words:
        assert word in result.stdout + result.stderr, (word, result.stdout, result.stderr)


def lasting(text):
    """A bundle without its expires_at, which is service time told on the wall clock: it may be told a second off."""
    frame = base64.urlsafe_b64decode(text[5:] + "=" * (-len(text[5:]) % 4))
    return frame[:5] + frame[13:]


# --- verbs -----------------------------------------------------------------------------------

def test_status_tells_the_role_and_the_counts():
    with daemon() as w:
        s = w.json("status")
        assert s["role"] == "admin" and s["bundles"]["open"] == 0 and s["mesh"]["link_state"] == "off"
        assert s["mesh"]["ignored_messages"] == 0 and "mesh messages ignored" in w.ctl("status").stdout
        w.ctl("bundle", "issue", "--count", 5)
        assert w.json("status")["bundles"]["open"] == 5
        expect(w.ctl("status"), 0, "your role", "bundles open")


def test_bundles_from_issue_to_revocation():
    with daemon() as w:
        r = w.ctl("bundle", "issue", "--count", 3, "--lifetime", "15m")
        texts = r.stdout.split()
        assert len(texts) == 3 and all(t.startswith("enr1:") for t in texts), r.stdout
        rows = w.json("bundle", "list")["bundles"]
        assert len(rows) == 3 and all(abs(b["expires_at"] - b["issued_at"] - 900) <= 2 for b in rows)
        assert all(b["text"] is None for b in rows)
        shown = w.json("bundle", "show", rows[0]["id"][:8])["bundle"]
        assert lasting(shown["text"]) == lasting(texts[0]) and shown["state"] == "open"
        assert w.json("bundle", "revoke", rows[0]["id"])["bundle"]["state"] == "revoked"
        expect(w.ctl("bundle", "revoke", rows[0]["id"], check=False), 65, "revoked already")
        assert [b["id"] for b in w.json("bundle", "list", "--state", "revoked")["bundles"]] == [rows[0]["id"]]
        expect(w.ctl("bundle", "list"), 0, "EXPIRES", "(in 1")  # 15 minutes, or 14 and some seconds


def test_listings_are_read_to_the_last_page():
    with daemon() as w:
        for _ in range(2):
            w.ctl("bundle", "issue", "--count", 500)
        page = w.json("bundle", "list", "--limit", 400)
        assert len(page["bundles"]) == 400 and page["next"]
        rest = w.json("bundle", "list", "--limit", 1000, "--after", page["next"])
        assert len(rest["bundles"]) == 600 and rest["next"] is None
        rows = w.json("bundle", "list")
        assert len({b["id"] for b in rows["bundles"]}) == 1000 and rows["next"] is None


def test_a_qr_code_on_the_terminal_and_as_an_image():
    with daemon() as w:
        png = w.path("b.png")
        r = w.ctl("bundle", "issue", "--qr", "--png", png)
        assert "\u2580" in r.stdout and "\u2584" in r.stdout
        with open(png, "rb") as f:
            assert f.read(8) == b"\x89PNG\r\n\x1a\n"
        assert os.stat(png).st_mode & 0o777 == 0o600
        expect(w.ctl("bundle", "issue", "--png", png, check=False), 73, "there already")


def test_an_enrollee_from_announcement_to_cancellation():
    with daemon() as w:
        key = w.enrollee("dev", "init").stdout.split()[0]
        bundle = w.json("bundle", "issue")["bundles"][0]["id"]
        e = w.json("enrollee", "announce", key, "--bundle", bundle, "--name", "k\u00fcche")["enrollee"]
        assert e["state"] == "pending" and e["name"] == "k\u00fcche" and e["bundle_id"] == bundle
        for again in [*w.json("enrollee", "list")["enrollees"], w.json("enrollee", "show", e["id"][:8])["enrollee"]]:
            assert alike(again, e), (again, e)
        assert w.json("enrollee", "cancel", e["id"])["enrollee"]["state"] == "cancelled"
        assert w.json("enrollee", "list")["enrollees"] == []
        assert len(w.json("enrollee", "list", "--state", "all")["enrollees"]) == 1
        expect(w.ctl("enrollee", "ping", e["id"], check=False), 65, "not enrolled")


def test_the_whole_hand_over_in_one_command():
    with daemon() as w:
        r = w.ctl("--json", "enroll", "--name", "robot", "--", w.program("enrollee"), "--state", w.path("dev"),
                  "serve-stdio")
        e = json.loads(r.stdout)["enrollee"]
        assert e["state"] == "enrolled" and e["name"] == "robot" and len(e["device_id"]) == 64
        shown = w.json("enrollee", "show", e["device_id"][:10])["enrollee"]
        assert shown["device_id"] == e["device_id"]
        assert w.json("status")["enrollees"] == {"pending": 0, "enrolled": 1, "revoked": 0}
        assert w.json("enrollee", "ping", e["device_id"])["device_id"] == e["device_id"]
        assert w.json("enrollee", "revoke", e["id"])["enrollee"]["state"] == "revoked"
        assert w.json("status")["enrollees"] == {"pending": 0, "enrolled": 0, "revoked": 1}


def test_a_hand_over_that_fails_is_taken_back():
    with daemon() as w:
        expect(w.ctl("enroll", "--", "/bin/false", check=False), 65, "enk1:")
        expect(w.ctl("enroll", "--", "/no/such/command", check=False), 69, "cannot run")
        expect(w.ctl("enroll", check=False), 64, "COMMAND")
        expect(w.ctl("enroll", "--", "sh", "-c", "echo '\033[2Jhi'; echo enk1:rubbish", check=False), 65, "| ?[2Jhi")
        expect(w.ctl("enroll", "--", "sh", "-c", "yes | head -c 100000", check=False), 65, "too")
        key = w.enrollee("dev", "init").stdout.split()[0]
        begun = time.monotonic()
        r = w.ctl("enroll", "--lifetime", "2s", "--", "sh", "-c", "echo %s; exec sleep 60" % key, check=False)
        assert r.returncode in (1, 75) and time.monotonic() - begun < 30, r
        r = w.ctl("enroll", "--", "sh", "-c", "echo %s; read x; echo got $x >&2; exit 3" %
                  w.enrollee("dev2", "init").stdout.split()[0], check=False)
        expect(r, 1, "got enr1:", "is not enrolled")
        assert w.json("enrollee", "list")["enrollees"] == []
        assert w.json("bundle", "list", "--state", "open")["bundles"] == []


def test_waiting_for_an_enrollee():
    with daemon() as w:
        key = w.enrollee("dev", "init").stdout.split()[0]
        b = w.json("bundle", "issue")["bundles"][0]
        p = w.spawn("wait", [w.program("enrollctl"), "--socket", w.path("control.sock"), "enrollee", "announce", key,
                             "--bundle", b["id"], "--wait"])
        lab.wait_until("the announcement", lambda: w.json("enrollee", "list")["enrollees"])
        assert p.poll() is None
        w.enrollee("dev", "enroll", "--bundle", "-", input=b["text"] + "\n")
        assert p.wait(30) == 0
        key = w.enrollee("dev2", "init").stdout.split()[0]
        b = w.json("bundle", "issue")["bundles"][0]
        r = w.ctl("enrollee", "announce", key, "--bundle", b["id"], "--wait", "--timeout", "1s", check=False)
        expect(r, 75, "out of time")


def test_networks():
    with daemon() as w:
        n = w.json("network", "add", 10, "--name", "ground floor")["network"]
        assert n["id"] == 10 and n["nodes"] == 0 and "network_key" not in n
        shown = w.json("network", "show", 10, "--reveal-keys")["network"]
        assert all(re.fullmatch("[0-9a-f]{32}", shown[k]) for k in ("network_key", "user_base_key", "organization_key"))
        keys = "# keys\nnetwork_key %s\nuser_base_key: %s\norganization_key = %s\n" % (
            "11" * 16, ":".join(["22"] * 16), "33" * 16)
        w.ctl("network", "add", 11, "--key-file", "-", input=keys)
        shown = w.json("network", "show", 11, "--reveal-keys")["network"]
        assert [shown[k][:2] for k in ("network_key", "user_base_key", "organization_key")] == ["11", "22", "33"]
        expect(w.ctl("network", "add", 11, check=False), 65, "there already")
        expect(w.ctl("network", "add", 12, "--key-file", "-", input="network_key 11\n", check=False), 65, "hex")
        expect(w.ctl("network", "add", 12, "--key-file", w.path("none"), check=False), 66)
        expect(w.ctl("network", "add", 12, "--key-file", "-", input="network_key " + "00" * 16, check=False), 65, "00")
        w.ctl("network", "remove", 11)
        assert [n["id"] for n in w.json("network", "list")["networks"]] == [10]
        expect(w.ctl("network", "remove", 11, check=False), 66)


def test_nodes():
    with daemon() as w:
        expect(w.ctl("node", "add", "FMBBC", "--key-file", "-", input=KEY, check=False), 65, "no network yet")
        w.ctl("network", "add", 10)
        n = w.json("node", "add", "FMBBC", "--key-file", "-", "--name", "T\u00fcr", input=KEY)["node"]
        assert n["serial"] == "FMBBC" and n["network_id"] == 10 and n["state"] == "pending" and n["name"] == "T\u00fcr"
        r = w.ctl("node", "add", "--qr-file", "-", check=False,
                  input="\n".join([LABEL % "FMBBD", "# later", "", LABEL % "FMBBF", "rubbish", LABEL % "FMBBC"]))
        expect(r, 65, "FMBBD", "FMBBF", "label 3: ", "FMBBC is under way already", "1 of 4")
        assert [x["serial"] for x in w.json("node", "list")["nodes"]] == ["FMBBC", "FMBBD", "FMBBF"]
        assert w.json("node", "show", "FMBBC")["node"]["node_id"] == n["node_id"]
        assert w.json("node", "cancel", "FMBBD")["node"]["state"] == "cancelled"
        expect(w.ctl("node", "cancel", "FMBBD", check=False), 65)
        assert [x["serial"] for x in w.json("node", "list", "--state", "cancelled")["nodes"]] == ["FMBBD"]
        expect(w.ctl("node", "remove", "FMBBF", "--wait"), 0)
        expect(w.ctl("node", "show", "FMBBZ", check=False), 66)
        expect(w.ctl("node", "add", "FMBBG", "--key-file", "-", "--wait", "--timeout", "1s", input=KEY, check=False), 75)


def test_many_labels_at_once():
    letters = "BCDFGHJKLMNPQRSTVWXYZ"
    labels = [LABEL % ("FM" + a + b + "C") for a in letters[:19] for b in letters][:390]
    with daemon() as w:
        w.ctl("network", "add", 10)
        begun = time.monotonic()
        w.ctl("node", "add", "--qr-file", "-", input="\n".join(labels))
        assert time.monotonic() - begun < 30
        assert len(w.json("node", "list")["nodes"]) == len(labels)


def test_watch_tells_what_was_committed():
    with daemon() as w:
        v = Varlink(w.path("control.sock"))
        v.send("org.enrolld.control.Watch", {}, more=True)
        assert v.receive()["parameters"]["event"] == "watching"
        w.ctl("bundle", "issue")
        e = v.receive()
        assert e["continues"] and e["parameters"]["event"] == "bundle_issued"
        assert set(e["parameters"]) == {"event", "at", "id", "state", "reason", "name", "device_id"}
        out = w.ctl("--json", "watch", "--timeout", "1s").stdout.splitlines()
        assert [json.loads(line)["event"] for line in out] == ["watching"]


def test_watch_counts_its_time_from_the_confirmation():
    with daemon() as w:
        enrolld = w.processes["enrolld"]
        enrolld.send_signal(signal.SIGSTOP)
        p = subprocess.Popen([w.program("enrollctl"), "--socket", w.path("control.sock"), "--json", "watch",
                              "--timeout", "1s"], stdout=subprocess.PIPE)
        try:
            p.wait(1.5)
        except subprocess.TimeoutExpired:
            enrolld.send_signal(signal.SIGCONT)
        said = p.communicate(timeout=60)[0].splitlines()
        assert p.returncode == 0 and [json.loads(line)["event"] for line in said] == ["watching"], (p.returncode, said)


def test_the_audit_log_is_listed_and_verified():
    with daemon() as w:
        w.ctl("bundle", "issue", "--count", 700)
        rows = w.json("audit", "list", "--from", 1)["rows"]
        assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 702
        assert all(json.loads(r["json"])["event"] for r in rows)
        v = w.json("audit", "verify")
        assert v["intact"] and v["done"] and v["seq"] == len(rows) and v["hash"] == rows[-1]["hash"]
        mark = "%d:%s" % (rows[9]["seq"], rows[9]["hash"])
        assert w.json("audit", "verify", "--from", mark)["intact"]
        wrong = "%d:%s" % (rows[9]["seq"], "00" * 32)
        expect(w.ctl("audit", "verify", "--from", wrong, check=False), 65, "not intact")
        cut = "%d:%s" % (len(rows) + 10, "00" * 32)
        expect(w.ctl("audit", "verify", "--from", cut, check=False), 65, "not intact")
        expect(w.ctl("audit", "verify", "--from", "rubbish", check=False), 65, "SEQ:HASH")


# --- the protocol ----------------------------------------------------------------------------

def test_json_is_the_reply_unchanged():
    with daemon() as w:
        w.ctl("bundle", "issue", "--count", 3)
        v = Varlink(w.path("control.sock"))
        for method, parameters, args in [("BundleList", None, ["bundle", "list"]), ("NodeList", {}, ["node", "list"]),
                                         ("NetworkList", {}, ["network", "list"]),
                                         ("EnrolleeList", {}, ["enrollee", "list"])]:
            told, shown = v.call(method, parameters)["parameters"], w.json(*args)
            assert alike(told, shown), method


def test_bad_calls_are_answered_by_name():
    with daemon() as w:
        v = Varlink(w.path("control.sock"))
        r = v.call("BundleIssue", {"count": 0})
        assert r["error"] == "org.enrolld.control.InvalidArgument" and r["parameters"]["field"] == "count"
        r = v.call("BundleIssue", {"number": 1})
        assert r["error"] == "org.enrolld.control.InvalidArgument" and r["parameters"]["field"] == "number"
        r = v.call("BundleShow", {"id": "xyzxyzxyz"})
        assert r["error"] == "org.enrolld.control.InvalidArgument" and r["parameters"]["field"] == "id"
        assert v.call("BundleShow", {"id": "0123456789"})["error"] == "org.enrolld.control.NotFound"
        assert v.call("NoSuchMethod")["error"] == "org.varlink.service.MethodNotFound"
        assert v.call("Watch")["error"] == "org.varlink.service.ExpectedMore"
        r = v.call("EnrolleeAnnounce", {"key": "enk1:" + "A" * 44, "bundle_id": "0123456789", "name": "a\u001b[2J"})
        assert r["parameters"]["field"] == "name", r
        assert w.json("status")["bundles"]["open"] == 0


def test_introspection():
    with daemon() as w:
        v = Varlink(w.path("control.sock"))
        v.send("org.varlink.service.GetInfo")
        assert "org.enrolld.control" in v.receive()["parameters"]["interfaces"]
        v.send("org.varlink.service.GetInterfaceDescription", {"interface": "org.enrolld.control"})
        with open(os.path.join(lab.ROOT, "src/control/org.enrolld.control.varlink")) as f:
            assert v.receive()["parameters"]["description"] == f.read()


def test_pipelined_calls_are_answered_in_order():
    with daemon() as w:
        v = Varlink(w.path("control.sock"))
        for i in range(300):
            v.send("org.enrolld.control." + ("BundleIssue" if i % 3 else "NetworkList"), {})
        kinds = [list(v.receive()["parameters"])[0] for _ in range(300)]
        assert kinds == ["bundles" if i % 3 else "networks" for i in range(300)]


def test_broken_framing_hurts_nobody_else():
    with daemon() as w:
        for data in [b"\0", b"{}\0", b"x" * 70000, b'{"method":"a.B","method":"a.C"}\0', b"[" * 60000 + b"\0"]:
            v = Varlink(w.path("control.sock"))
            try:
                v.socket.sendall(data)
                assert v.receive() is None, data[:20]
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert w.json("status")["role"] == "admin"


def test_no_daemon_is_told_with_what_to_do():
    with lab.Lab() as w:
        expect(w.ctl("status", check=False), 69, "systemctl start enrolld")


# --- roles -----------------------------------------------------------------------------------

CHANGES = [["bundle", "issue"], ["bundle", "revoke", "0123456789"],
           ["enrollee", "announce", "enk1:" + "A" * 44, "--bundle", "0123456789"],
           ["enrollee", "cancel", "0123456789"], ["enrollee", "revoke", "0123456789"],
           ["enrollee", "ping", "0123456789"], ["network", "add", "12"], ["network", "remove", "12"],
           ["node", "add", "FMBBC", "--key-file", "-"], ["node", "cancel", "FMBBC"], ["node", "remove", "FMBBC"],
           ["network", "show", "10", "--reveal-keys"]]
LOOKS = [["status"], ["bundle", "list"], ["enrollee", "list"], ["network", "list"], ["network", "show", "10"],
         ["node", "list"], ["audit", "list"], ["audit", "verify"], ["watch", "--timeout", "1s"]]


def open_to_others(world):
    """The folder is private; the socket in it is not."""
    os.chmod(world.dir, 0o711)


def test_who_is_in_no_group_gets_permission_denied():
    harness.need_root()
    with daemon() as w:
        open_to_others(w)
        nobody = pwd.getpwnam("nobody").pw_uid
        for args in LOOKS + CHANGES:
            expect(as_user(w, nobody, [], *args, input=KEY), 77, "permission denied", "newgrp enrolld-enroller")
        r = as_user(w, nobody, [], "--json", "status")
        assert r.returncode == 77 and json.loads(r.stderr)["error"] == "org.enrolld.control.PermissionDenied"


def test_an_observer_sees_and_changes_nothing():
    gids = group_ids()
    with daemon() as w:
        open_to_others(w)
        w.ctl("network", "add", 10)
        bundle = w.json("bundle", "issue")["bundles"][0]["id"]
        before = w.json("audit", "list")["rows"]
        for args in LOOKS:
            expect(as_user(w, 12345, [gids["enrolld-observer"]], *args), 0)
        for args in CHANGES:
            expect(as_user(w, 12345, [gids["enrolld-observer"]], *args, input=KEY), 77)
        r = as_user(w, 12345, [gids["enrolld-observer"]], "--json", "bundle", "show", bundle)
        assert json.loads(r.stdout)["bundle"]["text"] is None
        assert w.json("audit", "list")["rows"] == before


def test_an_enroller_enrolls_but_does_not_administrate():
    gids = group_ids()
    with daemon() as w:
        open_to_others(w)
        w.ctl("network", "add", 10)
        who = (w, 12345, [gids["enrolld-enroller"]])
        expect(as_user(*who, "bundle", "issue"), 0, "enr1:")
        expect(as_user(*who, "node", "add", "FMBBC", "--key-file", "-", input=KEY), 0)
        expect(as_user(*who, "node", "remove", "FMBBC"), 77)
        expect(as_user(*who, "network", "add", "11"), 77)
        expect(as_user(*who, "network", "show", "10", "--reveal-keys"), 77)
        expect(as_user(*who, "network", "app-key", "10", "--key-id", "10"), 77)
        expect(as_user(*who, "node", "label", "FMBBC"), 77)
        rows = w.json("bundle", "list")["bundles"]
        expect(as_user(w, 12346, [gids["enrolld-enroller"]], "bundle", "revoke", rows[0]["id"]), 77)
        expect(as_user(*who, "bundle", "revoke", rows[0]["id"]), 0)


def test_an_admin_by_group_does_everything():
    gids = group_ids()
    with daemon() as w:
        open_to_others(w)
        who = (w, 12345, [gids["enrolld-admin"]])
        expect(as_user(*who, "network", "add", "10"), 0)
        expect(as_user(*who, "network", "show", "10", "--reveal-keys"), 0, "NETWORK KEY")
        assert json.loads(as_user(*who, "--json", "status").stdout)["role"] == "admin"


# --- secrets ---------------------------------------------------------------------------------

def test_secrets_are_in_no_argument_listing_or_log():
    with daemon() as w:
        for args in [["node", "add", "--key", KEY], ["node", "add", LABEL % "FMBBC"], ["node", "add", "FMBBC", KEY],
                     ["network", "add", "10", "--network-key", KEY]]:
            expect(w.ctl(*args, check=False), 64, "every user of this machine")
        keys = "network_key %s\nuser_base_key %s\norganization_key %s\n" % (KEY, KEY, KEY)
        said = [w.ctl("network", "add", 10, "--key-file", "-", input=keys)]
        said.append(w.ctl("node", "add", "--qr-file", "-", input=LABEL % "FMBBC"))
        said.append(w.ctl("node", "add", "--qr-file", "-", input=(LABEL % "FMBBC") + "\n" + LABEL % "99999999", check=False))
        for args in [["network", "list"], ["network", "show", "10"], ["node", "list"], ["node", "show", "FMBBC"],
                     ["audit", "list"], ["status"], ["bundle", "list"]]:
            said.append(w.ctl(*args))
            said.append(w.ctl("--json", *args))
        text = "".join(r.stdout + r.stderr for r in said) + w.log_text("enrolld")
        assert KEY not in text.lower()
        assert KEY in w.ctl("network", "show", 10, "--reveal-keys").stdout
        with open("/proc/%d/cmdline" % w.processes["enrolld"].pid) as f:
            assert KEY not in f.read().lower()


def test_what_came_from_outside_cannot_steer_the_terminal():
    with daemon() as w:
        key = w.enrollee("dev", "init").stdout.split()[0]
        b = w.json("bundle", "issue")["bundles"][0]["id"]
        for name in ["\033[2J", "a\nb", "\u009b31m", "\u202eabc", "x" * 65, ""]:
            r = w.ctl("enrollee", "announce", key, "--bundle", b, "--name", name, check=False)
            expect(r, 65, "name")
            assert "\033" not in r.stderr and "\u009b" not in r.stderr
        assert w.json("enrollee", "list")["enrollees"] == []


if __name__ == "__main__":
    harness.main(globals())
