#!/usr/bin/python3
"""kill -9 of enrolld at every write to its database, in an enrollment of each kind.

For k = 1, 2, 3, ... the daemon dies just before its k-th write (tests/support/killshim.c), is started again without
the shim, and the enrollment must end correctly without help. A flow is swept when a run has come to its end alive:
all the writes that the flow has were then hit. Prints how many.
"""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from lab import SHIM, Lab, LabError, wait_until  # noqa: E402

NETWORK = 480
GATEWAY = "FMBBC"
NODE = "FMBBD"
KEYS = {"network_key": "5a" * 16, "user_base_key": "6b" * 16, "organization_key": "7c" * 16}
NODE_KEYS = {GATEWAY: "21" * 16, NODE: "42" * 16}
WORKERS = 10
PATIENCE_S = 120
HASTE = 5  # a node's reboot and the waits for it are most of a run


class Sweep:
    """One daemon that is to die at write k; restarted once, by a thread that watches it."""

    def __init__(self, lab, k):
        self.lab, self.k = lab, k
        self.was_killed = False
        self.count_file = lab.path("count")
        self.process = lab.start(wait=False, env={"LD_PRELOAD": SHIM, "KILL_AT": str(k), "KILL_COUNT": self.count_file})
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def restart_if_dead(self):
        if self.process.poll() is not None and not self.was_killed:
            self.was_killed = self.process.returncode == -signal.SIGKILL
            self.process = self.lab.start(wait=False)

    def watch(self):
        while not self.over.is_set() and not self.was_killed:
            self.restart_if_dead()
            time.sleep(0.01)

    def end(self):
        """Stops watching; returns (was killed, writes counted)."""
        self.over.set()
        self.thread.join()
        self.restart_if_dead()
        with open(self.count_file) as f:
            return self.was_killed, int(f.read())


def retry(what, call):
    """A client whose daemon died under it asks again, as a person would."""
    def attempt():
        try:
            return call() or True
        except LabError:
            return False
    return wait_until(what, attempt, PATIENCE_S, 0.05)


def check_books(lab):
    """The audit log is whole, and the database too."""
    lab.ctl("audit", "verify")
    lab.stop("enrolld")
    r = subprocess.run(["sqlite3", lab.path("enrolld.db"), "PRAGMA integrity_check; PRAGMA foreign_key_check"],
                       stdout=subprocess.PIPE, text=True, check=True)
    if r.stdout.strip() != "ok":
        raise LabError("the database is damaged: " + r.stdout)


# --- a device over CoAP -----------------------------------------------------------------------


def device_flow(k):
    with Lab() as lab:
        lab.init()
        lab.enrollee("dev", "init")
        sweep = Sweep(lab, k)
        key = lab.enrollee("dev", "id").stdout.split()[0]
        bundle = {}

        def issue():
            bundle.update(lab.json("bundle", "issue")["bundles"][0])

        retry("a bundle", issue)
        retry("the announcement", lambda: lab.ctl("enrollee", "announce", key, "--bundle", bundle["id"]))
        lab.enrollee("dev", "enroll", "--bundle", "-", "--timeout", PATIENCE_S, input=bundle["text"] + "\n")
        lab.enrollee("dev", "ping", "--timeout", PATIENCE_S)
        result = sweep.end()
        mine = json.loads(lab.enrollee("dev", "status", "--json").stdout)
        devices = lab.json("enrollee", "list")["enrollees"]
        if [d["device_id"] for d in devices if d["state"] == "enrolled"] != [mine["device_id"]]:
            raise LabError("k=%d: %r is not just %s" % (k, devices, mine["device_id"]))
        check_books(lab)
        return result


# --- mesh nodes ---------------------------------------------------------------------------------


def node_line(serial, rest):
    return "serial=%s nodekey=%s %s" % (serial, NODE_KEYS[serial], rest)


def node_state(lab, serial):
    try:
        return lab.json("node", "show", serial)["node"]
    except LabError:
        return {"state": "?"}


def node_flow(k, nodes):
    """Adds NODE, waits until it has joined, compares its own flash with the books."""
    with Lab() as lab:
        lab.start_bus()
        lab.start_air(nodes, speed=10, seed=k)
        lab.hurry(HASTE)
        lab.init()
        sweep = Sweep(lab, k)
        keys = "".join("%s %s\n" % kv for kv in KEYS.items())

        def add_network():
            r = lab.ctl("network", "add", NETWORK, "--key-file", "-", input=keys, check=False)
            return r.returncode == 0 or lab.json("network", "show", NETWORK)

        def add_node():
            r = lab.ctl("node", "add", NODE, "--key-file", "-", input=NODE_KEYS[NODE] + "\n", check=False)
            return r.returncode == 0 or lab.json("node", "show", NODE)

        retry("the network", add_network)
        retry("the node", add_node)
        wait_until("the node to join", lambda: node_state(lab, NODE)["state"] == "joined", PATIENCE_S, 0.1)
        result = sweep.end()
        n = retry("the daemon", lambda: lab.json("node", "show", NODE)["node"])
        lab.stop("fakebluez")
        own = json.loads(subprocess.run([lab.program("fakebluez"), "--dump", lab.path("flash", NODE + ".flash"),
                                         "--full-keys"], check=True, stdout=subprocess.PIPE, text=True).stdout)
        want = {"enrolled": True, "network_id": NETWORK, "node_id": n["node_id"], **KEYS}
        if any(own[key] != value for key, value in want.items()):
            raise LabError("k=%d: the node holds %r, the books say %r" % (k, own, want))
        check_books(lab)
        return result


def direct_flow(k):
    return node_flow(k, [node_line(NODE, "rssi=-50")])


def mesh_flow(k):
    gateway = "rssi=-50 pos=0,0 network=%d id=1 netkey=%s userkey=%s orgkey=%s" % (NETWORK, *KEYS.values())
    return node_flow(k, [node_line(GATEWAY, gateway), node_line(NODE, "rssi=-127 pos=2,0")])


# --- the sweep --------------------------------------------------------------------------------


def sweep(name, flow):
    """Runs k = 1, 2, ... on a few workers until one run is not killed any more: it had less than k writes. (Some runs
    have a few more, when a moment of theirs made another try worth storing.)"""
    hit, shortest = set(), None
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        running, k = {}, 0
        while shortest is None or running:
            while shortest is None and len(running) < WORKERS:
                k += 1
                running[pool.submit(flow, k)] = k
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for f in done:
                at = running.pop(f)
                killed, writes = f.result()
                if killed:
                    hit.add(at)
                elif writes >= at:
                    raise LabError("%s: write %d came and did not kill" % (name, at))
                else:
                    shortest = min(writes, shortest or writes)
    print("%s: killed at %d writes, the flow has %d" % (name, len(hit), shortest), flush=True)
    if not hit.issuperset(range(1, shortest + 1)) or shortest < 1:
        raise LabError("%s: not every write was hit: %r of %d" % (name, sorted(hit), shortest))


def test_device_over_coap():
    sweep("device over CoAP", device_flow)


def test_node_directly():
    sweep("node directly", direct_flow)


def test_node_over_the_mesh():
    sweep("node over the mesh", mesh_flow)


harness.main(globals())
