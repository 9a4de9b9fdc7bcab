"""A Building in the guest (tests/vm/guest, session): the installed enrolld as its service's user, the system bus with
the shipped policy, a real bluetoothd, and an adapter of this kernel in the midst of simulated nodes (radio.c)."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import harness  # noqa: E402
from lab import LabError, wait_until  # noqa: E402
from meshlab import NEAR, Building, expect, label, member, node  # noqa: E402, F401

STATE = "/var/lib/enrolld"
CONTROL = "/run/enrolld/control.sock"
CONF = "/etc/enrolld/enrolld.conf"
LAB = "/run/lab"
INSTALLED = {"enrolld": "/usr/sbin/enrolld", "enrollctl": "/usr/bin/enrollctl", "enrollee": "/usr/bin/enrollee"}


def control_socket():
    """What systemd does for enrolld.socket: it outlives the service."""
    if os.path.exists(CONTROL):
        os.unlink(CONTROL)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(CONTROL)
    os.chmod(CONTROL, 0o666)
    s.listen(256)
    return s


class Guest(Building):
    AIR = "radio"
    addresses = 0  # each adapter is a new one, of which bluetoothd remembers nothing

    def __init__(self, lines, networks=(480,), first_node_id=None, speed=1, seed=1):
        super().__init__(lines, networks, first_node_id, speed, seed)
        os.chmod(self.dir, 0o755)
        for name in os.listdir(STATE):  # the folder itself stays: it is mounted in the sandbox
            os.unlink(os.path.join(STATE, name))
        os.symlink(CONTROL, self.path("control.sock"))
        self.socket = control_socket()
        self.service = {"pass_fds": (self.socket.fileno(),)}
        self.conf = {"coap": {"listen": "127.0.0.1:%d" % self.port, "port": str(self.port)}, "log": {"level": "debug"}}
        self.forgive = False  # violations are what the test is about

    def program(self, name):
        return INSTALLED.get(name) or super().program(name)

    def write_conf(self):
        """The shipped configuration, and beside it what a test needs."""
        with open("/etc/enrolld/conf.d/test.conf", "w") as f:
            for section, keys in self.conf.items():
                f.write("[%s]\n" % section)
                f.writelines("%s = %s\n" % kv for kv in keys.items())
        return CONF

    def as_service(self):
        return (os.path.join(HERE, "as-service"),)

    def init(self):
        r = subprocess.run([*self.as_service(), self.program("enrolld"), "--init", "-c", self.write_conf()], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        expect(r.returncode == 0, "enrolld --init: exit %d: %s" % (r.returncode, r.stdout))

    def start(self, env=None, wait=True, prefix=None):
        mask = os.umask(0)  # the service's user writes to the notify socket
        try:
            return super().start({"SOCKET": str(self.socket.fileno()), **(env or {})}, wait, prefix or self.as_service())
        finally:
            os.umask(mask)

    # --- radio and bluetoothd ------------------------------------------------------------------

    def start_radio(self):
        with open(self.path("nodes.conf"), "w") as f:
            f.write("\n".join(self.lines) + "\n")
        Guest.addresses += 1
        p = self.spawn("radio", [self.program("radio"), "--nodes", self.path("nodes.conf"), "--state", self.path("flash"),
                                 "--speed", str(self.speed), "--seed", str(self.seed),
                                 "--address", str(os.getpid() % 200 * 256 + Guest.addresses)],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = p.stdout.readline()
        expect(line.startswith(b"ready hci"), "the radio is not ready: %r" % line)

    def start_bluetoothd(self):
        """Through the bus, which does the same for enrolld; it runs the script of tests/vm/session."""
        if os.path.lexists(LAB + "/now"):
            os.unlink(LAB + "/now")
        os.symlink(self.dir, LAB + "/now")
        r = subprocess.run(["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "StartServiceByName", "su",
                            "org.bluez", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect(r.returncode == 0, "bluetoothd does not start: " + r.stdout)

    def kill_bluetoothd(self, sig=signal.SIGKILL):
        """Nobody starts it again but enrolld."""
        with open(LAB + "/bluetoothd.pid") as f:
            pid = int(f.read())
        os.kill(pid, sig)
        wait_until("the end of bluetoothd", lambda: not os.path.exists("/proc/%d" % pid))

    def start_world(self):
        self.start_radio()
        self.start_bluetoothd()

    def busctl(self, verb, path, *args):
        """Something of bluetoothd's, as root."""
        r = subprocess.run(["busctl", "--timeout=60", verb, "org.bluez", path, *map(str, args)], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        expect(r.returncode == 0, "busctl %s %s: %s" % (verb, path, r.stdout))
        return r.stdout

    def wait_object(self, pattern, UUID=None):
        """The path of bluetoothd's that fits, and has this UUID."""
        def find():
            for path in self.busctl("tree", "--list").split():
                if re.search(pattern, path) and (not UUID or UUID in self.busctl(
                        "get-property", path, "org.bluez.GattCharacteristic1", "UUID")):
                    return path
        return wait_until("an object like " + pattern, find, 30, 0.3)

    def set_powered(self, on, adapter="/org/bluez/hci0"):
        self.busctl("set-property", adapter, "org.bluez.Adapter1", "Powered", "b", "true" if on else "false")

    # --- waiting: each look at enrollctl costs a process, and there is one slow processor -----------

    def wait_state(self, serial, *states, timeout=90):
        end = time.monotonic() + timeout
        n = self.show(serial)
        while n["state"] not in states:
            left = end - time.monotonic()
            if left <= 0:
                raise LabError("%s is %s, not %s: %r" % (serial, n["state"], states, n))
            seen = len(self.events.states(serial))
            with self.events.more:
                self.events.more.wait_for(
                    lambda: any(e["id"] == serial and e["state"] in states for e in self.events.seen[seen:]), min(left, 10))
            n = self.show(serial)
        return n

    def wait_log(self, text, count=1, name="enrolld", timeout=60):
        wait_until("%r in the log of %s" % (text, name), lambda: self.log_text(name).count(text) >= count, timeout, 0.1)

    # --- the end -----------------------------------------------------------------------------------

    def violations(self):
        return json.loads(self.order("violations"))

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and not self.forgive:
                found = self.violations()
                expect(not found, "against the rules of a node: %r" % found)
        except LabError:
            self.show_logs()
            raise
        finally:
            super().__exit__(kind, value, trace)

    def close(self):
        super().close()
        self.socket.close()
        with contextlib.suppress(OSError):  # it has died of a test, or never lived
            self.kill_bluetoothd()


# --- faults at each step of an enrollment over the mesh ------------------------------------------

GATEWAY, A, B, C = "FMBBC", "FMBBF", "FMBBG", "FMBBH"
QUICK = ("--attempt", "8s")
MOMENTS = {A: ("located", "sent"), B: ("sent",), C: ("saved",)}


def house():
    return Guest([member(GATEWAY, 480, 1), node(A), node(B), node(C)])


def faults(g, break_it):
    """Each of three nodes over the mesh, with the fault at another step of its way; all join, no id twice."""
    for serial, moment in MOMENTS.items():
        g.add(serial, options=QUICK)
        g.events.wait(serial, *moment)
        break_it()
        g.wait_joined(serial, timeout=120)
    g.check_ids()
    expect(g.log_text("enrolld").count("attached network=480") >= 4, "attached anew each time")


def main(namespace):
    if not os.environ.get("ENROLLD_VM"):
        sys.exit("only inside tests/vm/guest")
    harness.main(namespace)
