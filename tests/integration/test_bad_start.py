#!/usr/bin/python3
"""A start that must not succeed, a full disk, and strangers."""
import contextlib
import glob
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from books import Books  # noqa: E402
from control_raw import Control  # noqa: E402
from lab import BUILD, Lab, wait_until  # noqa: E402
from told import alike  # noqa: E402

SHIM = os.path.join(BUILD, "tests", "killshim.so")
UNAVAILABLE, CANT_CREATE, IO, PERMISSION, CONFIG = 69, 73, 74, 77, 78
NOBODY, STRANGER = 65534, 65533
OBSERVER_GID, ENROLLER_GID = 71001, 71002


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def run_daemon(lab, *args, program=None, prefix=()):
    """enrolld with the lab's configuration, which is expected to end at once."""
    argv = [*prefix, program or lab.program("enrolld"), *args, "-c", lab.write_conf()]
    return subprocess.run(argv, text=True, timeout=20, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start_fails(lab, status, *says, args=(), opened=False, **kw):
    """It ends with the status, says what is wrong, and leaves the files as they were. opened: it came as far as
    noting the time in its database, whose other rows are compared."""
    files = [p for p in (lab.path("enrolld.db"), lab.path("enrolld.key")) if os.path.isfile(p)]
    books = Books(files.pop(0)) if opened else None
    rows = books.all() if books else None
    before = [digest(p) for p in files]
    r = run_daemon(lab, *args, **kw)
    assert r.returncode == status, (status, says, r.returncode, r.stderr)
    for word in says:
        assert word in r.stderr, (word, r.stderr)
    assert [digest(p) for p in files] == before, says
    if books:
        books.same(rows)
    assert r.stdout == "" and not os.path.exists(lab.path("control.sock")), (says, r.stdout)
    return r.stderr


@contextlib.contextmanager
def initialized():
    with Lab() as lab:
        lab.init()
        yield lab


# --- configuration ------------------------------------------------------------------------------


def test_bad_configurations_are_named_by_file_line_and_key():
    with initialized() as lab:
        good = {s: dict(k) for s, k in lab.conf.items()}
        for section, key, value, *says in [
                ("store", "databas", "x", "databas"), ("coap", "lissen", "x", "lissen"),
                ("nonsense", "a", "b", "nonsense"),
                ("coap", "port", "0", "port", "between 1 and 65535"), ("coap", "port", "65536", "between"),
                ("coap", "port", "-1", "not a number"), ("coap", "port", "5683x", "not a number"),
                ("enroll", "bundle_lifetime", "1 day", "not a duration", "24h"),
                ("enroll", "bundle_lifetime", "31d", "between"), ("enroll", "bundle_lifetime", "0", "between"),
                ("enroll", "bundle_quota", "99999999999999999999", "bundle_quota"),
                ("mesh", "link", "wifi", "'wifi' is none of none, bluez, socket"),
                ("log", "level", "loud", "'loud' is none of error, warning, info, debug"),
                ("store", "database", "", "must not be empty"), ("store", "database", "/" + "x" * 5000, "enrolld.conf"),
                ("control", "socket", "/nonexistent/control.sock", "/nonexistent/control.sock: cannot listen there"),
                ("control", "socket", "/" + "x" * 200, "cannot listen there")]:
            lab.conf = {s: dict(k) for s, k in good.items()}
            lab.conf.setdefault(section, {})[key] = value
            for args in ([], ["--check-config"]) if key != "socket" else ([],):
                r = run_daemon(lab, *args)
                assert r.returncode in (CONFIG, CANT_CREATE), (key, value, r.returncode, r.stderr)
                for word in says:
                    assert word in r.stderr, (word, r.stderr)
                assert r.stderr.startswith("enrolld: ") or key == "socket", r.stderr
                assert r.returncode == CONFIG or key == "socket", r.stderr
        lab.conf = good
        for text, says in [("database = x\n", "enrolld.conf:1"), ("[store\n", "enrolld.conf:1"),
                           ("[log]\nlevel\n", "enrolld.conf:2"),
                           ("[log]\nlevel = info\nlevel = info\n", "enrolld.conf:3"),
                           ("[log]\nlevel = in\0fo\n", "enrolld.conf:2"), ("\x7fELF\x01\x02\n", "enrolld.conf:1"),
                           ("[log]\nlevel = %s\n" % ("x" * 100000), "enrolld.conf: larger than")]:
            with open(lab.path("enrolld.conf"), "w") as f:
                f.write(text)
            r = subprocess.run([lab.program("enrolld"), "-c", lab.path("enrolld.conf")], text=True, timeout=20,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert r.returncode == CONFIG and says in r.stderr, (text[:40], r.returncode, r.stderr)
        r = subprocess.run([lab.program("enrolld"), "-c", lab.path("missing.conf")], text=True, timeout=20,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert r.returncode == CONFIG and "missing.conf" in r.stderr, r.stderr
        lab.start()


# --- the key file -------------------------------------------------------------------------------


def test_bad_key_files_are_refused():
    with initialized() as lab:
        key = lab.path("enrolld.key")
        raw = open(key, "rb").read()
        assert len(raw) == 32 and os.stat(key).st_mode & 0o777 == 0o600
        for mode in (0o644, 0o640, 0o604, 0o606, 0o666, 0o610):
            os.chmod(key, mode)
            start_fails(lab, CONFIG, key, "open to group or others", "0600")
        os.chmod(key, 0o600)
        for bad in [b"", raw[:31], raw + b"\n", raw * 2]:
            open(key, "wb").write(bad)
            start_fails(lab, CONFIG, key, "not exactly 32 bytes")
        for bad in [bytes(32), b"\xff" * 32]:
            open(key, "wb").write(bad)
            start_fails(lab, CONFIG, key, "holds no key")
        open(key, "wb").write(hashlib.sha256(raw).digest())
        start_fails(lab, CONFIG, "sealing key is not the one this database was made with")
        os.rename(key, key + ".real")
        start_fails(lab, CONFIG, key, "no key there", "--init")
        os.symlink(key + ".real", key)
        open(key + ".real", "wb").write(raw)
        os.chmod(key + ".real", 0o600)
        start_fails(lab, CONFIG, key, "symbolic link")
        os.unlink(key)
        os.mkdir(key)
        start_fails(lab, CONFIG, key)
        os.rmdir(key)
        os.mkfifo(key, 0o600)
        start_fails(lab, CONFIG, key, "not a regular file")
        os.unlink(key)
        os.rename(key + ".real", key)
        if os.geteuid() == 0:
            os.chown(key, NOBODY, NOBODY)
            start_fails(lab, CONFIG, key, "belongs to neither")
            os.chown(key, 0, 0)
        lab.start()


# --- the database -------------------------------------------------------------------------------


def test_bad_databases_are_refused():
    rng = harness.seeded()
    with initialized() as lab:
        path = lab.path("enrolld.db")
        with open(path, "rb") as f:
            good = f.read()

        def set_pragma(text):
            db = sqlite3.connect(path)
            db.execute(text)
            db.close()

        set_pragma("PRAGMA user_version = 99")
        start_fails(lab, CONFIG, path, "schema version 99", "newer enrolld")
        open(path, "wb").write(good)
        set_pragma("PRAGMA application_id = 5")
        start_fails(lab, CONFIG, path, "not a database of enrolld")
        for bad in [b"hello, world" * 500, rng.randbytes(8192), good[:100] + rng.randbytes(4000)]:
            open(path, "wb").write(bad)
            said = start_fails(lab, CONFIG, path) if bad[:16] != good[:16] else run_daemon(lab).stderr
            assert "database" in said, said
        open(path, "wb").write(b"")
        start_fails(lab, CONFIG, path, "no database there", "--init")
        os.unlink(path)
        start_fails(lab, CONFIG, path, "no database there", "--init")
        open(path + ".real", "wb").write(good)
        os.symlink(path + ".real", path)
        start_fails(lab, CONFIG, path, "symbolic link")
        os.unlink(path)
        os.mkdir(path)
        start_fails(lab, IO, path)
        os.rmdir(path)
        os.rename(path + ".real", path)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + suffix)
        start_fails(lab, CANT_CREATE, path, "exists already", args=["--init"])
        lab.start()
        lab.ctl("status")


def test_more_addresses_than_there_may_be():
    with initialized() as lab:
        lab.conf["coap"]["listen"] = " ".join("127.0.0.1:%d" % (40000 + i) for i in range(9))
        start_fails(lab, CONFIG, "more than 8 addresses", opened=True)


def second(**shared):
    """Another daemon's laboratory, with what it shares with the first."""
    other = Lab()
    for section, values in shared.items():
        other.conf[section].update(values)
    return other


def test_two_daemons_do_not_share_a_socket_a_port_or_a_database():
    with initialized() as lab:
        lab.start()
        before = Books(lab.path("enrolld.db")).all()
        with second(control={"socket": lab.path("control.sock")}) as other:
            other.init()
            start_fails(other, CANT_CREATE, lab.path("control.sock"), "another enrolld answers there", opened=True)
        with second(coap={"listen": lab.conf["coap"]["listen"]}) as other:
            other.init()
            said = start_fails(other, UNAVAILABLE, "cannot listen for CoAP", lab.conf["coap"]["listen"], opened=True)
            assert "in use" in said or "bind" in said, said
        with second(store=lab.conf["store"]) as other:
            start_fails(other, IO, lab.path("enrolld.db"), "in use by another process")
        assert "error" not in Control(lab).call("Status")
        Books(lab.path("enrolld.db")).same(before)
        lab.stop("enrolld", sig=signal.SIGKILL)
        assert os.path.exists(lab.path("control.sock"))
        lab.start()  # a dead one's socket is in nobody's way
        lab.ctl("status")


def as_user(uid, *groups):
    """The words before a command that make it another user's; needs root."""
    more = ["--groups=" + ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, *more]


def give(lab, uid):
    """The laboratory belongs to this user from now on, with programs that it may run."""
    for name in ("enrolld", "enrollctl"):
        shutil.copy(lab.program(name), lab.path(name))
        os.chmod(lab.path(name), 0o755)
    for path in [lab.dir, *glob.glob(lab.path("*"))]:
        os.chown(path, uid, uid)
    os.chmod(lab.dir, 0o711)


def test_a_read_only_database_folder():
    with initialized() as lab:
        prefix = []
        if os.geteuid() == 0:
            give(lab, NOBODY)
            prefix = as_user(NOBODY)
        program = lab.path("enrolld") if prefix else None
        lab.write_conf()
        os.chmod(lab.path("enrolld.conf"), 0o644)
        os.chmod(lab.dir, 0o555)
        try:
            said = start_fails(lab, IO, lab.path("enrolld.db"), program=program, prefix=prefix)
            assert "folder cannot be written" in said and said.count(lab.path("enrolld.db")) == 1, said
        finally:
            os.chmod(lab.dir, 0o711)


# --- a full disk --------------------------------------------------------------------------------


def stored(lab):
    """What the daemon itself says of its rows."""
    return [lab.json(*v) for v in (("bundle", "list"), ("enrollee", "list", "--state", "all"), ("network", "list"),
                                   ("node", "list"), ("audit", "list"))]


def test_a_full_disk_refuses_changes_and_recovers():
    with initialized() as lab:
        full = lab.path("disk-is-full")
        lab.start(env={"LD_PRELOAD": SHIM, "FULL_IF": full})
        books = Books(lab.path("enrolld.db"))
        key = lab.enrollee("device", "init").stdout.splitlines()[0]
        open_one, revoke_me = lab.json("bundle", "issue", "--count", "2")["bundles"]
        lab.ctl("enrollee", "announce", key, "--bundle", open_one["id"])
        free = lab.json("bundle", "issue")["bundles"][0]
        lab.ctl("network", "add", 10)
        lab.ctl("node", "add", "FMBBD", "--key-file", "-", input="21" * 16 + "\n")
        other = lab.enrollee("other", "init").stdout.splitlines()[0]
        before, listed = books.all(), stored(lab)
        open(full, "w").close()
        writes = [("bundle", "issue"), ("bundle", "issue", "--count", "100"), ("bundle", "revoke", revoke_me["id"]),
                  ("enrollee", "announce", other, "--bundle", free["id"]),
                  ("enrollee", "cancel", listed[1]["enrollees"][0]["id"]), ("network", "add", 11),
                  ("network", "show", 10, "--reveal-keys"), ("node", "cancel", "FMBBD"),
                  ("node", "add", "FMBBC", "--network", "10", "--key-file", "-")]
        for args in writes:
            r = lab.ctl(*args, check=False, input="21" * 16 + "\n")
            assert r.returncode == IO, (args, r.returncode, r.stdout, r.stderr)
            assert "cannot store it: its disk is full" in r.stderr and r.stdout == "", (args, r.stderr, r.stdout)
        assert Control(lab).call("BundleIssue")["error"] == "org.enrolld.control.StorageFull"
        books.same(before)
        assert alike(stored(lab), listed)
        lab.ctl("audit", "verify")
        r = lab.enrollee("device", "enroll", "--bundle", "-", "--timeout", "10", input=open_one["text"], check=False)
        assert r.returncode == 75, (r.returncode, r.stderr)
        books.same(before)
        assert lab.processes["enrolld"].poll() is None
        os.unlink(full)
        lab.enrollee("device", "enroll", "--bundle", "-", input=open_one["text"])
        lab.enrollee("device", "ping")
        for args in writes[:4] + writes[5:]:
            lab.ctl(*args, input="21" * 16 + "\n")
        lab.ctl("audit", "verify")
        log = lab.log_text("enrolld")
        assert "no space left" in log and log.count("error: ") <= 60, log
        assert lab.stop("enrolld") == 0


def test_a_disk_that_is_full_at_the_start():
    with Lab() as lab:
        full = lab.path("disk-is-full")
        shim = ["env", "LD_PRELOAD=" + SHIM, "FULL_IF=" + full]
        open(full, "w").close()
        said = start_fails(lab, IO, lab.path("enrolld.db"), "no space left", args=["--init"], prefix=shim)
        assert said.count("\n") == 1, said
        os.unlink(full)
        assert run_daemon(lab, "--init", "--if-needed", prefix=shim).returncode == 0
        open(full, "w").close()
        start_fails(lab, IO, "no space left", prefix=shim)
        os.unlink(full)
        lab.start()
        lab.ctl("status")


# --- strangers ----------------------------------------------------------------------------------

VERBS = [("status",), ("bundle", "issue"), ("bundle", "list"), ("bundle", "show", "00" * 8),
         ("bundle", "revoke", "00" * 8), ("enrollee", "list"), ("network", "list"), ("network", "add", "10"),
         ("network", "show", "10", "--reveal-keys"), ("node", "list"), ("node", "cancel", "FMBBD"),
         ("audit", "list"), ("audit", "verify"), ("watch",)]


def methods(lab):
    text = Control(lab).call("org.varlink.service.GetInterfaceDescription",
                             interface="org.enrolld.control")["parameters"]["description"]
    return [line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("method ")]


class Other(Control):
    """A connection of another user: the peer's credentials are those at connect()."""

    def __init__(self, lab, uid, *groups):
        os.setgroups(groups)
        os.setegid(uid)
        os.seteuid(uid)
        try:
            super().__init__(lab)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups([0])


def denied(reply):
    return reply["error"] == "org.enrolld.control.PermissionDenied"


def test_strangers_get_permission_denied():
    harness.need_root()
    for owner in (0, NOBODY):
        with initialized() as lab:
            give(lab, owner)
            lab.start(wait=False, prefix=as_user(owner) if owner else ())
            wait_until("the daemon", lambda: lab.ctl("status", check=False).returncode == 0, 10)
            books = Books(lab.path("enrolld.db"))
            before = books.all()
            ctl = [*as_user(STRANGER), lab.path("enrollctl"), "--socket", lab.path("control.sock")]
            for verb in VERBS:
                r = subprocess.run([*ctl, *verb], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
                assert r.returncode == PERMISSION and r.stdout == "", (verb, r.returncode, r.stdout, r.stderr)
                assert "permission denied" in r.stderr and "enrolld-enroller" in r.stderr, r.stderr
            with Other(lab, STRANGER) as c:
                for m in methods(lab):
                    assert denied(c.call(m, nonsense=5)), m
                assert denied(c.call("org.varlink.service.GetInterfaceDescription", interface="org.enrolld.control"))
                assert "error" not in c.call("org.varlink.service.GetInfo")
            books.same(before)


def test_observers_change_nothing_and_enrollers_only_what_is_theirs():
    harness.need_root()
    with initialized() as lab:
        give(lab, 0)
        lab.start(env={"LD_PRELOAD": SHIM, "SHIM_GROUPS": "enrolld-observer:%d,enrolld-enroller:%d"
                       % (OBSERVER_GID, ENROLLER_GID)})
        lab.ctl("network", "add", 10)
        mine = lab.json("bundle", "issue")["bundles"][0]
        books = Books(lab.path("enrolld.db"))
        before = books.all()
        looks = {"Status", "BundleList", "BundleShow", "EnrolleeList", "EnrolleeShow", "NetworkList", "NetworkShow",
                 "NodeList", "NodeShow", "Watch", "AuditList", "AuditVerify", "MeshProposals", "MeshNodes"}
        with Other(lab, STRANGER, OBSERVER_GID) as c:
            assert c.call("Status")["parameters"]["role"] == "observer"
            for m in methods(lab):
                assert m in looks or denied(c.call(m)), m
            assert denied(c.call("NetworkShow", id=10, reveal_keys=True))
            shown = c.call("BundleShow", id=mine["id"])["parameters"]["bundle"]
            assert shown["text"] is None, shown
            assert "error" not in c.call("NetworkShow", id=10)
        books.same(before)
        with Other(lab, STRANGER, ENROLLER_GID) as c:
            assert c.call("Status")["parameters"]["role"] == "enroller"
            assert denied(c.call("BundleRevoke", id=mine["id"]))
            for m in ("NetworkAdd", "NetworkRemove", "NodeRemove"):
                assert denied(c.call(m)), m
            assert denied(c.call("NetworkShow", id=10, reveal_keys=True))
            books.same(before)
            own = c.call("BundleIssue")["parameters"]["bundles"][0]
            assert "error" not in c.call("BundleRevoke", id=own["id"])


if __name__ == "__main__":
    harness.main(globals())
