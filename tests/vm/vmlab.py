"""A Building in the guest (tests/vm/guest, session): the installed enrolld and bluetoothd as the services of a real
systemd, the system bus with the shipped policy, and an adapter of this kernel in the midst of simulated nodes (radio.c)."""
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import harness  # noqa: E402
from lab import LabError, wait_until  # noqa: E402
from meshlab import FAR, GATEWAY, NEAR, A, B, C, Building, Events, check_attached_anew, expect, member, node  # noqa: E402, F401
import meshlab  # noqa: E402

CONTROL = "/run/enrolld/control.sock"
CONF = "/etc/enrolld/enrolld.conf"
NOW = "/run/lab/now"  # where the services log (session)
INSTALLED = {"enrollctl": "/usr/local/bin/enrollctl", "enrollee": "/usr/local/bin/enrollee"}
QUICK = ("--attempt", "8s")


def run(*argv):
    """A command as root; its output."""
    r = subprocess.run(list(map(str, argv)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(r.returncode == 0, "%s: exit %d: %s" % (" ".join(map(str, argv)), r.returncode, r.stdout))
    return r.stdout


def systemctl(*words):
    return run("systemctl", *words)


def state_of(service, *names):
    """Properties of a service's, by name."""
    found = systemctl("show", "-p", ",".join(names), service).splitlines()
    return dict(line.split("=", 1) for line in found)


class Guest(Building):
    AIR = "radio"
    addresses = 0  # each adapter is a new one, of which bluetoothd remembers nothing

    def __init__(self, lines, networks=(480,), first_node_id=None, speed=1, seed=1):
        super().__init__(lines, networks, first_node_id, speed, seed)
        os.chmod(self.dir, 0o755)
        systemctl("clean", "--what=state", "enrolld")
        os.symlink(CONTROL, self.path("control.sock"))
        if os.path.lexists(NOW):
            os.unlink(NOW)
        os.symlink(self.dir, NOW)
        self.conf = {"coap": {"listen": "127.0.0.1:%d" % self.port, "port": str(self.port)}, "log": {"level": "debug"}}
        self.forgive = False  # violations are what the test is about
        self.kills = self.bluetoothd_kills = 0

    def program(self, name):
        return INSTALLED.get(name) or super().program(name)

    def write_conf(self):
        """The shipped configuration, and beside it what a test needs."""
        with open("/etc/enrolld/conf.d/test.conf", "w") as f:
            for section, keys in self.conf.items():
                f.write("[%s]\n" % section)
                f.writelines("%s = %s\n" % kv for kv in keys.items())
        return CONF

    def init(self):
        """The service does that by itself."""
        self.write_conf()

    def start(self):
        """enrolld.service is of Type=notify: this returns when it is ready."""
        systemctl("start", "enrolld.socket", "enrolld")

    def stop(self, name, *how):
        """As Lab.stop(): the exit status of what was started."""
        if name != "enrolld":
            return super().stop(name, *how)
        systemctl("stop", "enrolld")
        return int(state_of("enrolld", "ExecMainStatus")["ExecMainStatus"])

    def kill_daemon(self):
        """systemd starts it again."""
        self.kills += 1
        systemctl("kill", "--signal=KILL", "enrolld")
        wait_until("the end of the watch", lambda: self.processes["watch"].poll() is not None, self.LIMIT)
        wait_until("the next enrolld", lambda: state_of("enrolld", "ActiveState", "NRestarts") == {
            "ActiveState": "active", "NRestarts": str(self.kills)}, self.LIMIT, 0.3)
        self.events = Events(self)

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

    def kill_bluetoothd(self, sig=signal.SIGKILL):
        """Nobody starts it again but enrolld, who calls it by the bus."""
        pid = int(state_of("bluetooth", "MainPID")["MainPID"])
        expect(pid > 0, "bluetoothd is not running")
        self.bluetoothd_kills += 1
        os.kill(pid, sig)
        wait_until("the end of bluetoothd", lambda: not os.path.exists("/proc/%d" % pid), self.LIMIT)

    def start_world(self):
        self.start_radio()
        systemctl("start", "bluetooth")

    def busctl(self, verb, path, *args):
        """Something of bluetoothd's, as root."""
        return run("busctl", "--timeout=60", verb, "org.bluez", path, *args)

    def wait_object(self, pattern, uuid=None):
        """The path of bluetoothd's that fits, and is of this UUID."""
        def find():
            found = json.loads(run("busctl", "--timeout=60", "--json=short", "call", "org.bluez", "/",
                                   "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))["data"][0]
            for path, interfaces in found.items():
                if re.search(pattern, path) and (not uuid or any(
                        p.get("UUID", {}).get("data") == uuid for p in interfaces.values())):
                    return path
        return wait_until("an object like " + pattern, find, self.LIMIT, 0.3)

    def set_powered(self, on, adapter="/org/bluez/hci0"):
        self.busctl("set-property", adapter, "org.bluez.Adapter1", "Powered", "b", "true" if on else "false")

    def add_apart(self, *serials, first=480, **more):
        """Each in a network of its own: no mesh can take it there, nothing but our own radio."""
        for network, serial in enumerate(serials, first):
            self.add_network(network)
            self.add(serial, options=("--network", network), **more)

    def wait_direct(self, *serials):
        found = self.wait_joined(*serials)
        expect(all(n["method"] == "direct" for n in found), "by our own radio: %r" % found)
        return found

    # --- waiting: each look at enrollctl costs a process, and there is one slow processor -----------

    def wait_state(self, serial, *states):
        end = time.monotonic() + self.LIMIT
        seen = 0
        n = self.show(serial)
        while n["state"] not in states:
            left = end - time.monotonic()
            if left <= 0:
                raise LabError("%s is %s, not %s: %r" % (serial, n["state"], states, n))
            with self.events.more:
                self.events.more.wait_for(
                    lambda: any(e["id"] == serial and e["state"] in states for e in self.events.seen[seen:]), min(left, 10))
                seen = len(self.events.seen)
            n = self.show(serial)
        return n

    # --- the end -----------------------------------------------------------------------------------

    def violations(self):
        return json.loads(self.order("violations"))

    def check_services(self):
        """Both would be started again after a crash, enrolld by systemd and bluetoothd by enrolld: nobody would notice."""
        found = state_of("enrolld", "ActiveState", "NRestarts")
        expect(found == {"ActiveState": "active", "NRestarts": str(self.kills)}, "enrolld has died: %r" % found)
        gone = self.log_text("enrolld").count("bluetoothd has gone")
        expect(gone == self.bluetoothd_kills, "bluetoothd has died %d times, %d ordered" % (gone, self.bluetoothd_kills))

    def check_end(self):
        if not self.forgive:
            found = self.violations()
            expect(not found, "against the rules of a node or the kernel: %r" % found)
            self.check_services()

    def show_logs(self):
        super().show_logs()
        print("--- the kernel (last lines about Bluetooth)", *re.findall(".*Bluetooth.*", run("dmesg"))[-20:], sep="\n")

    def close(self):
        systemctl("stop", "enrolld.socket", "enrolld", "bluetooth")
        super().close()


def faults(break_it):
    """meshlab.faults, in the guest; break_it(guest)."""
    with meshlab.house(Guest) as g:
        meshlab.faults(g, lambda _: break_it(g), QUICK)
        check_attached_anew(g)


def main(namespace):
    if not os.environ.get("ENROLLD_VM"):
        sys.exit("only inside tests/vm/guest")
    harness.main(namespace)
