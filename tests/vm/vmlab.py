"""A Building in the guest (tests/vm/guest, session): the installed enrolld as its service's user, the system bus with
the shipped policy, a real bluetoothd, and an adapter of this kernel in the midst of simulated nodes (radio.c)."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import harness  # noqa: E402
from lab import Lab, LabError, _die_with_parent, wait_until  # noqa: E402
from meshlab import FAR, NEAR, OVER, Building, Events, expect, label, member, node  # noqa: E402, F401

STATE = "/var/lib/enrolld"
CONTROL = "/run/enrolld/control.sock"
CONF = "/etc/enrolld/enrolld.conf"
BLUETOOTHD = ("/usr/libexec/bluetooth/bluetoothd", "/usr/lib/bluetooth/bluetoothd")
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
        shutil.rmtree(STATE, ignore_errors=True)
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
        program = next(p for p in BLUETOOTHD if os.path.exists(p))
        self.spawn("bluetoothd", [program, "-n"])

    def start_world(self):
        self.start_bluetoothd()
        self.start_radio()

    def bluez(self, path, method, *args, check=True):
        """A call to bluetoothd, as root."""
        r = subprocess.run(["dbus-send", "--system", "--print-reply", "--reply-timeout=60000", "--dest=org.bluez", path, method,
                            *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and r.returncode != 0:
            raise LabError("%s: %s" % (method, r.stdout))
        return r.stdout

    def set_powered(self, on, adapter="/org/bluez/hci0"):
        self.bluez(adapter, "org.freedesktop.DBus.Properties.Set", "string:org.bluez.Adapter1", "string:Powered",
                   "variant:boolean:%s" % ("true" if on else "false"))

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
        import json
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


def main(namespace):
    if not os.environ.get("ENROLLD_VM"):
        sys.exit("only inside tests/vm/guest")
    harness.main(namespace)
