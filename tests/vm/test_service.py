#!/usr/bin/python3
"""Nodes are enrolled, directly and over the mesh, by the service that is shipped: started by its socket, confined, and
started again when it dies."""
import errno
import os
import select
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vmlab import GATEWAY, NEAR, QUICK, A, Guest, expect, faults, main, member, node, run, state_of  # noqa: E402

STRANGER = "198.51.100.1"  # of no private network (RFC 5737)
PING = b"\x40\0\0\1"  # CoAP: an empty confirmable message, which is answered by a reset (RFC 7252, 4.3)
CONFINED = {"CapBnd": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}


def proc_of(service):
    """/proc/PID of its main process."""
    return "/proc/" + state_of(service, "MainPID")["MainPID"]


def check_process(proc):
    with open(proc + "/status") as f:
        found = dict(line.rstrip("\n").split(":\t", 1) for line in f)
    expect({k: found[k] for k in CONFINED} == CONFINED, found)
    expect("0" not in found["Uid"].split() + found["Gid"].split(), "not root: %r" % found)
    for ns in ("mnt", "ipc", "uts"):
        expect(os.readlink("%s/ns/%s" % (proc, ns)) != os.readlink("/proc/self/ns/" + ns), "the machine's own: " + ns)


def is_writable(folder):
    """To root, who is kept out by nothing but mount options."""
    try:
        os.close(os.open(folder + "/probe", os.O_CREAT | os.O_WRONLY))
    except OSError as e:
        expect(e.errno == errno.EROFS, str(e))
        return False
    os.unlink(folder + "/probe")
    return True


def check_files(root):
    """What is at its /, seen from outside."""
    for folder in ("/", "/etc", "/usr", "/var", "/var/lib", "/etc/enrolld", "/sys/fs/cgroup"):
        expect(not is_writable(root + folder), "it may write to " + folder)
    expect(is_writable(root + "/var/lib/enrolld"), "its own state")
    for folder in ("/home", "/root", "/tmp", "/var/tmp"):
        with tempfile.NamedTemporaryFile(dir=folder) as f:
            expect(not os.path.exists(root + f.name), "it sees what is in " + folder)
    expect(not os.path.exists(root + "/dev/vhci") and os.path.exists("/dev/vhci"), "it sees the machine's devices")


def check_addresses(port):
    """A datagram from elsewhere than private networks does not reach it: what arrives after that is answered."""
    run("busybox", "ip", "address", "add", STRANGER + "/32", "dev", "lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
        stranger.bind((STRANGER, 0))
        friend.settimeout(60)
        for s in (stranger, friend):
            s.sendto(PING, ("127.0.0.1", port))
        friend.recv(16)
        expect(not select.select([stranger], [], [], 0)[0], "a stranger is answered")


def reaches_bluetoothd(user):
    r = subprocess.run(["busctl", "introspect", "org.bluez", "/org/bluez"], user=user, group=user, extra_groups=(), text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(r.returncode == 0 or "Access denied" in r.stdout, r)
    return r.returncode == 0


def check_bus():
    """By the policy that is shipped, and by nothing else: no test in the guest would miss it if anybody were let in."""
    expect(reaches_bluetoothd("enrolld"), "it may not talk to bluetoothd")
    expect(not reaches_bluetoothd("games"), "anybody may talk to bluetoothd: see session")


def test_direct():
    with Guest([node(A, NEAR)]) as g:
        g.add(A)
        n = g.wait_joined(A)[0]
        expect(n["method"] == "direct", "in reach of our own radio: %r" % n)
        g.events.wait(A, "joined")
        expect(g.events.states(A) == ["pending", "located", "sent", "saved", "joined"], g.events.states(A))


def test_over_the_mesh():
    with Guest([member(GATEWAY, 480, 1), node(A)]) as g:
        g.order("rssi", GATEWAY, A, -60)
        g.order("ears", 100)  # or it may have nothing to propose when it is asked
        g.add(A, options=QUICK)
        n = g.wait_joined(A)[0]
        expect((n["method"], n["helper"]) == ("directed", 1), "its helper is known: %r" % n)
        g.check_ids()


def test_started_by_its_socket():
    with Guest([node(A, NEAR)], networks=()) as g:
        expect(g.stop("enrolld") == 0, "it ends well")
        expect(state_of("enrolld", "ActiveState") == {"ActiveState": "inactive"}, "nobody has asked for it")
        g.json("status")
        g.add_network(480)
        g.add(A)
        g.wait_joined(A)


def test_confined():
    with Guest([node(A, NEAR)], networks=()) as g:
        proc = proc_of("enrolld")
        check_process(proc)
        check_files(proc + "/root")
        check_addresses(g.port)
        check_bus()


def test_killed_at_each_step():
    faults(lambda g: g.kill_daemon())


main(globals())
