"""A laboratory: a private D-Bus, a simulated radio, enrolld and its clients, in one temporary folder.

Used by the demo and by the integration tests. Everything that it starts dies with it, also when the test is
killed (PR_SET_PDEATHSIG). Nothing is shared with the machine but the loopback interface.
"""
import concurrent.futures
import ctypes
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build/rel"))
SHIM = os.path.join(BUILD, "tests", "killshim.so")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <servicedir>%s</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="*"/><allow eavesdrop="true"/>
    <allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class LabError(Exception):
    pass


# PR_SET_PDEATHSIG means the thread that forked, so long-lived children are all made by one thread that stays.
_spawner = concurrent.futures.ThreadPoolExecutor(1)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def steady_ports():
    """Those that the kernel gives to nobody who did not ask for one."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first, last = map(int, f.read().split())
    return [p for p in range(10000, 65536) if not first <= p <= last] or range(10000, 65536)


def reserve_port():
    """(UDP port, lock): no other laboratory takes the port while the lock is open, whether or not somebody is bound to
    it, as a daemon that is killed and started again is not for a while."""
    ports = steady_ports()
    for _ in range(1000):
        port = random.choice(ports)
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind("\0enrolld-lab-port-%d" % port)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
                s.bind(("::", port))
            return port, lock
        except OSError:
            lock.close()
    raise LabError("no free port")


def wait_until(what, test, timeout=30.0, every=0.02):
    """Polls test() until it is true; an absolute deadline, no fixed sleeps."""
    end = time.monotonic() + timeout
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError("gave up waiting for " + what)
        time.sleep(every)


class Lab:
    def __init__(self, build=BUILD, keep=False):
        self.build = build
        self.keep = keep
        self.port, self.port_lock = reserve_port()
        self.dir = tempfile.mkdtemp(prefix="enrolld-lab-")
        self.processes = {}
        self.bus_address = None
        self.haste = {}
        self.conf = {
            "store": {"database": self.path("enrolld.db"), "key_file": self.path("enrolld.key")},
            "control": {"socket": self.path("control.sock")},
            "coap": {"listen": "127.0.0.1:%d" % self.port, "host": "127.0.0.1", "port": str(self.port)},
            "mesh": {"link": "none"},
        }

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.show_logs()
        self.close()

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def program(self, name):
        return os.path.join(self.build, name)

    # --- processes ---------------------------------------------------------------------------

    def spawn(self, name, argv, env=None, **kw):
        log = open(self.path(name + ".log"), "ab")
        p = _spawner.submit(subprocess.Popen, argv, stdout=kw.pop("stdout", log), stderr=log,
                            preexec_fn=_die_with_parent, env={**os.environ, **(env or {})}, **kw).result()
        log.close()
        self.processes[name] = p
        return p

    def log_text(self, name):
        try:
            with open(self.path(name + ".log"), "rb") as f:
                return f.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def show_logs(self):
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                text = self.log_text(name[:-4])
                sys.stderr.write("--- %s (last lines)\n%s\n" % (name, "\n".join(text.splitlines()[-40:])))

    @staticmethod
    def send(p, sig):
        """To the process, or to the one that it runs (a prefix like strace would leave it behind)."""
        with open("/proc/%d/task/%d/children" % (p.pid, p.pid)) as f:
            children = f.read().split()
        for pid in [int(c) for c in children] or [p.pid]:
            os.kill(pid, sig)

    def stop(self, name, sig=signal.SIGTERM, timeout=20):
        p = self.processes.pop(name, None)
        if p is None:
            return None
        if p.poll() is None:
            self.send(p, sig)
        try:
            return p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise LabError(name + " did not stop")

    def close(self):
        for name in list(self.processes):
            p = self.processes.pop(name)
            if p.poll() is None:
                self.send(p, signal.SIGKILL)
                p.kill()
            p.wait()
        self.port_lock.close()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- the world ---------------------------------------------------------------------------

    def start_bus(self):
        sock = self.path("bus.sock")
        with open(self.path("bus.conf"), "w") as f:
            f.write(BUS_CONFIG % (sock, self.path("services")))
        os.makedirs(self.path("services"))
        self.spawn("dbus", ["dbus-daemon", "--nofork", "--nopidfile", "--config-file=" + self.path("bus.conf")])
        self.bus_address = "unix:path=" + sock
        wait_until("the private D-Bus", lambda: os.path.exists(sock))
        return self.bus_address

    def start_air(self, nodes, speed=5, seed=1, link="bluez", extra=()):
        """nodes: lines of a node file, see firmware/port/host/sim_node.h. link: bluez or socket."""
        with open(self.path("nodes.conf"), "w") as f:
            f.write("\n".join(nodes) + "\n")
        os.makedirs(self.path("flash"), exist_ok=True)
        if link == "bluez":
            self.conf["mesh"].update(link="bluez", bus=self.bus_address or self.start_bus())
            way = ("--bus", self.bus_address)
        else:
            self.conf["mesh"].update(link="socket", link_socket=self.path("air.sock"))
            way = ("--link-socket", self.path("air.sock"))
        self.air_argv = [self.program("fakebluez"), *way, "--nodes", self.path("nodes.conf"),
                         "--state", self.path("flash"), "--speed", str(speed), "--seed", str(seed), *extra]
        return self.spawn("fakebluez", self.air_argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def let_bus_start_air(self):
        """From now on the bus starts org.bluez for whoever asks: the air that start_air has started, on the same flash.
        It takes no orders, and ends with the bus."""
        with open(self.path("services", "org.bluez.service"), "w") as f:
            f.write("[D-BUS Service]\nName=org.bluez\nExec=%s\n" % " ".join(self.air_argv))

    def write_conf(self):
        with open(self.path("enrolld.conf"), "w") as f:
            for section, keys in self.conf.items():
                f.write("[%s]\n" % section)
                f.writelines("%s = %s\n" % kv for kv in keys.items())
        return self.path("enrolld.conf")

    def init(self):
        conf = self.write_conf()
        subprocess.run([self.program("enrolld"), "--init", "-c", conf], check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def hurry(self, times):
        """From now on enrolld's clocks run so many times as fast, and it waits as much shorter."""
        self.haste = {"LD_PRELOAD": SHIM, "SHIM_SPEED": "%d %d" % (times, time.clock_gettime_ns(time.CLOCK_BOOTTIME))}

    def start(self, env=None, wait=True, prefix=()):
        """Starts enrolld and waits for READY=1, which it sends like to systemd."""
        conf = self.write_conf()
        path = self.path("notify.sock")
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            p = self.spawn("enrolld", [*prefix, self.program("enrolld"), "-c", conf],
                           env={"NOTIFY_SOCKET": path, **self.haste, **(env or {})})
            end = time.monotonic() + 30
            while wait:
                if p.poll() is not None:
                    raise LabError("enrolld ended at once: " + self.log_text("enrolld"))
                if select.select([s], [], [], 0.05)[0] and b"READY=1" in s.recv(4096):
                    return p
                if time.monotonic() > end:
                    raise LabError("enrolld is not ready after 30 s")
        return p

    # --- clients -----------------------------------------------------------------------------

    def ctl(self, *args, input=None, check=True, timeout=120, json_output=False):
        argv = [self.program("enrollctl"), "--socket", self.path("control.sock")]
        argv += ["--json"] if json_output else []
        r = subprocess.run(argv + [str(a) for a in args], input=input, text=True, timeout=timeout,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_die_with_parent)
        if check and r.returncode != 0:
            raise LabError("enrollctl %s: exit %d: %s%s" % (" ".join(map(str, args)), r.returncode, r.stdout, r.stderr))
        return r

    def json(self, *args, **kw):
        return json.loads(self.ctl(*args, json_output=True, **kw).stdout)

    def enrollee(self, name, *args, input=None, check=True, timeout=120):
        r = subprocess.run([self.program("enrollee"), "--state", self.path(name), *map(str, args)], input=input,
                           text=True, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           preexec_fn=_die_with_parent)
        if check and r.returncode != 0:
            raise LabError("enrollee %s: exit %d: %s%s" % (" ".join(map(str, args)), r.returncode, r.stdout, r.stderr))
        return r
