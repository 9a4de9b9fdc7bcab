#!/usr/bin/python3
"""enrolld as its service manager and its packager see it: command line, readiness, watchdog, a passed socket that
outlives a restart, shipped units, make install and uninstall."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from lab import ROOT, Lab, LabError, wait_until  # noqa: E402


MANAGER = "manager.sock"


def expect(condition, what):
    if not condition:
        raise LabError(what)


def run(lab, *args):
    return subprocess.run([lab.program("enrolld"), *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_command_line():
    with Lab() as lab:
        r = run(lab, "--help")
        expect(r.returncode == 0 and "usage: enrolld" in r.stdout, "help goes to standard output, status 0")
        expect(re.match(r"enrolld \d+\.\d+\.\d+\n$", run(lab, "--version").stdout), "version")
        expect(run(lab, "--nonsense").returncode == 64, "an unknown option is wrong usage")
        expect(run(lab, "extra").returncode == 64, "an argument is wrong usage")
        r = run(lab, "-c", lab.path("none.conf"))
        expect(r.returncode == 78 and "none.conf" in r.stderr, "a missing file is named")


def test_check_config_prints_what_it_would_read():
    with Lab() as lab:
        conf = lab.write_conf()
        first = run(lab, "--check-config", "-c", conf)
        expect(first.returncode == 0, first.stderr)
        with open(lab.path("again.conf"), "w") as f:
            f.write(first.stdout)
        expect(run(lab, "--check-config", "-c", lab.path("again.conf")).stdout == first.stdout, "it reads its own print")
        r = run(lab, "--check-config", "-c", os.path.join(ROOT, "etc", "enrolld.conf"))
        expect(r.returncode == 0, "the shipped configuration is good: " + r.stderr)
        os.mkdir(lab.path("conf.d"))
        with open(lab.path("conf.d", "10-x.conf"), "w") as f:
            f.write("[coap]\nport = 9\n")
        expect("port = 9\n" in run(lab, "--check-config", "-c", conf).stdout, "conf.d comes last")
        with open(lab.path("conf.d", "20-y.conf"), "w") as f:
            f.write("[coap]\nprot = 9\n")
        r = run(lab, "--check-config", "-c", conf)
        expect(r.returncode == 78 and "20-y.conf:2: [coap] has no key 'prot'" in r.stderr, r.stderr)


def test_init_makes_once_and_keeps():
    with Lab() as lab:
        conf = lab.write_conf()
        r = run(lab, "-c", conf)
        expect(r.returncode == 78 and "enrolld --init" in r.stderr, "a start without a key says what to do")
        expect(run(lab, "--init", "-c", conf).returncode == 0, "init")
        expect(os.stat(lab.path("enrolld.key")).st_mode & 0o777 == 0o600, "the key is ours alone")
        expect(os.stat(lab.path("enrolld.db")).st_mode & 0o777 == 0o600, "the database is ours alone")
        expect(run(lab, "--init", "-c", conf).returncode == 73, "init refuses to destroy")
        with open(lab.path("enrolld.key"), "rb") as f:
            key = f.read()
        expect(run(lab, "--init", "--if-needed", "-c", conf).returncode == 0, "if-needed is content")
        with open(lab.path("enrolld.key"), "rb") as f:
            expect(f.read() == key, "and keeps the key")


def test_credential_comes_before_the_key_file():
    with Lab() as lab:
        conf = lab.write_conf()
        os.mkdir(lab.path("cred"))
        with open(lab.path("cred", "enrolld.key"), "wb") as f:
            f.write(bytes(range(32)))
        os.chmod(lab.path("cred", "enrolld.key"), 0o440)
        env = {**os.environ, "CREDENTIALS_DIRECTORY": lab.path("cred")}
        subprocess.run([lab.program("enrolld"), "--init", "-c", conf], check=True, env=env, stderr=subprocess.DEVNULL)
        expect(not os.path.exists(lab.path("enrolld.key")), "no second key is made")
        lab.start(env={"CREDENTIALS_DIRECTORY": lab.path("cred")})
        lab.ctl("status")


@contextlib.contextmanager
def managed(watchdog_us):
    """(lab, the socket of a service manager, enrolld as it starts it)."""
    with Lab() as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        lab.init()
        s.bind(lab.path(MANAGER))
        yield lab, s, lab.spawn("enrolld", [lab.program("enrolld"), "-c", lab.write_conf()],
                                env={"NOTIFY_SOCKET": lab.path(MANAGER), "WATCHDOG_USEC": str(watchdog_us)})


def test_tells_the_service_manager():
    with managed(2000000) as (lab, s, p):
        def until(text):
            end = time.monotonic() + 20
            while time.monotonic() < end:
                if select.select([s], [], [], 0.2)[0] and text in s.recv(4096):
                    return
            raise LabError("never told " + text.decode())

        until(b"READY=1")
        lab.ctl("status")
        until(b"WATCHDOG=1")
        p.send_signal(signal.SIGTERM)
        until(b"STOPPING=1")
        expect(p.wait(20) == 0, "SIGTERM ends it well")


def fill(path):
    """Until the socket's queue is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                s.sendto(b"X=1", path)


def test_works_on_when_the_service_manager_does_not_read():
    with managed(100000) as (lab, s, p):
        expect(select.select([s], [], [], 20)[0] and b"READY=1" in s.recv(4096), "told that it is ready")
        fill(lab.path(MANAGER))
        wait_until("the watchdog to be dropped", lambda: "does not read" in lab.log_text("enrolld"))
        lab.ctl("status")
        p.send_signal(signal.SIGTERM)
        expect(p.wait(20) == 0, "SIGTERM ends it well")


def call(s, method):
    s.sendall(json.dumps({"method": method}).encode() + b"\0")
    data = b""
    s.settimeout(20)
    while not data.endswith(b"\0"):
        piece = s.recv(65536)
        expect(piece, "the connection was dropped")
        data += piece
    return json.loads(data[:-1])


def start_activated(lab, listener):
    """As systemd does: the listening socket is descriptor 3, LISTEN_PID is the daemon's."""
    def third():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
    argv = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", lab.program("enrolld"), "-c", lab.write_conf()]
    with open(lab.path("enrolld.log"), "ab") as log:
        p = subprocess.Popen(argv, preexec_fn=third, close_fds=False, stderr=log)
    lab.processes["enrolld"] = p
    return p


def test_a_restart_drops_no_queued_connection():
    with Lab() as lab, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        lab.init()
        listener.bind(lab.path("control.sock"))
        listener.listen(64)
        for _ in range(3):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as early:
                early.connect(lab.path("control.sock"))
                early.sendall(b"")
                start_activated(lab, listener)
                reply = call(early, "org.enrolld.control.Status")
                expect("parameters" in reply and "error" not in reply, "a connection made before the start is served")
            expect(lab.stop("enrolld") == 0, "stopped")
            expect(os.path.exists(lab.path("control.sock")), "the socket is the manager's: it stays")


def test_shipped_units():
    with tempfile.TemporaryDirectory() as d:
        for unit in ("enrolld.service", "enrolld.socket"):
            with open(os.path.join(ROOT, "systemd", unit)) as f, open(os.path.join(d, unit), "w") as out:
                out.write(f.read().replace("@sbindir@/enrolld", "/bin/true"))
        r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                            os.path.join(d, "enrolld.service")], stdout=subprocess.PIPE, text=True)
        score = re.search(r"Overall exposure level for enrolld.service: ([0-9.]+)", r.stdout)
        expect(score and float(score.group(1)) <= 1.5, "exposure is at most 1.5: " + r.stdout[-200:])
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(d, "enrolld.service")],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect("enrolld" not in r.stdout, r.stdout)
        with open(os.path.join(d, "enrolld.service")) as f:
            text = f.read()
        expect("StartLimitIntervalSec=0\n" in text, "what is missing at boot may come later: an address, a disk")
        expect("RestartPreventExitStatus=64 78\n" in text, "what is wrong stays wrong")


def installed(root):
    return sorted(os.path.relpath(os.path.join(d, f), root) for d, _, files in os.walk(root) for f in files)


def test_install_and_uninstall():
    with tempfile.TemporaryDirectory() as d:
        make = ["make", "-s", "-C", ROOT, "DESTDIR=" + d, "prefix=/usr", "sysconfdir=/etc"]
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        subprocess.run([*make, "install"], check=True, env=env, stdout=subprocess.DEVNULL, umask=0o077)
        for folder in ("etc/enrolld", "etc/enrolld/conf.d", "usr/share/varlink"):
            expect(os.stat(os.path.join(d, folder)).st_mode & 0o777 == 0o755, folder + " is for all to read")
        files = installed(d)
        for wanted in ("usr/sbin/enrolld", "usr/bin/enrollctl", "usr/bin/enrollee", "etc/enrolld/enrolld.conf",
                       "usr/lib/systemd/system/enrolld.service", "usr/lib/systemd/system/enrolld.socket",
                       "usr/lib/tmpfiles.d/enrolld.conf", "usr/lib/sysusers.d/enrolld.conf",
                       "usr/share/dbus-1/system.d/enrolld.conf", "usr/share/man/man8/enrolld.8",
                       "usr/share/man/man1/enrollctl.1", "usr/share/man/man1/enrollee.1",
                       "usr/share/man/man5/enrolld.conf.5", "usr/share/man/man7/enrolld-protocol.7",
                       "usr/share/bash-completion/completions/enrollctl",
                       "usr/share/varlink/org.enrolld.control.varlink"):
            expect(wanted in files, wanted + " is not installed")
        with open(os.path.join(d, "usr/lib/systemd/system/enrolld.service")) as f:
            expect("ExecStart=/usr/sbin/enrolld" in f.read(), "the unit starts what was installed")
        with open(os.path.join(d, "etc/enrolld/enrolld.conf"), "a") as f:
            f.write("# mine\n")
        subprocess.run([*make, "install"], check=True, env=env, stdout=subprocess.DEVNULL)
        with open(os.path.join(d, "etc/enrolld/enrolld.conf")) as f:
            expect(f.read().endswith("# mine\n"), "an edited configuration is kept")
        subprocess.run([*make, "uninstall"], check=True, env=env, stdout=subprocess.DEVNULL)
        expect(installed(d) == ["etc/enrolld/enrolld.conf"], "uninstall leaves the configuration only: %r" % installed(d))


harness.main(globals())
