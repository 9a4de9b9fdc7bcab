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
OTHER = "FMBBF"
NODE_KEYS = {GATEWAY: "21" * 16, NODE: "42" * 16, OTHER: "63" * 16}
WORKERS = 10
PATIENCE_S = 120
SPEED = 40


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
        """Who died of anything else stays dead, which the flow will notice."""
        if self.process.poll() == -signal.SIGKILL and not self.was_killed:
            self.was_killed = True
            self.process = self.lab.start(wait=False)

    def watch(self):
        while not self.over.is_set() and not self.was_killed:
            self.restart_if_dead()
            time.sleep(0.01)

    def writes(self):
        with open(self.count_file) as f:
            return int(f.read())

    def end(self):
        """Stops watching; returns (was killed, writes counted). The daemon that goes on is ready and will not be
        killed: its next writes are no part of the flow."""
        self.over.set()
        self.thread.join()
        writes = self.writes()
        if writes >= self.k and not self.was_killed:  # it tells the count first
            self.await_death()
        self.restart_if_dead()
        if not self.was_killed:
            self.lab.stop("enrolld")
            self.lab.start()
        retry("the daemon", lambda: self.lab.json("status"))
        return self.was_killed, writes

    def await_death(self):
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise LabError("write %d came and did not kill" % self.k) from None


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


def fake_order(lab, *words):
    p = lab.processes["fakebluez"]
    p.stdin.write((" ".join(words) + "\n").encode())
    p.stdin.flush()
    return json.loads(p.stdout.readline())


def start_world(lab, k, nodes):
    """Over link_socket: most of a run is waiting, which then goes by the simulated time."""
    lab.start_air(nodes, speed=SPEED, seed=k, link="socket")
    lab.processes["fakebluez"].stdout.readline()  # ready
    lab.init()


def add_network(lab, network):
    text = "".join("%s %s\n" % kv for kv in KEYS.items())

    def attempt():
        r = lab.ctl("network", "add", network, "--key-file", "-", input=text, check=False)
        return r.returncode == 0 or lab.json("network", "show", network)
    retry("the network", attempt)


def add_node(lab, serial, *options):
    def attempt():
        r = lab.ctl("node", "add", serial, "--network", NETWORK, "--key-file", "-", *options,
                    input=NODE_KEYS[serial] + "\n", check=False)
        return r.returncode == 0 or lab.json("node", "show", serial)
    retry("the node", attempt)


def wait_node(lab, what, test):
    return wait_until(what, lambda: test(node_state(lab, NODE)), PATIENCE_S, 0.05)


def is_joined(n):
    return n["state"] == "joined"


def check_node(lab, k, **want):
    """What the node itself believes, and the ledger: no id of two nodes, and its own row is right."""
    own = {n["serial"]: n for n in fake_order(lab, "snapshot", "full")}[NODE]
    if any(own[key] != value for key, value in want.items()):
        raise LabError("k=%d: the node holds %r, not %r" % (k, own, want))


def node_flow(k, nodes):
    """Adds NODE, waits until it has joined, compares its own memory with the books."""
    with Lab() as lab:
        start_world(lab, k, nodes)
        sweep = Sweep(lab, k)
        add_network(lab, NETWORK)
        add_node(lab, NODE)
        wait_node(lab, "the node to join", is_joined)
        result = sweep.end()
        n = lab.json("node", "show", NODE)["node"]
        check_node(lab, k, enrolled=True, network_id=NETWORK, node_id=n["node_id"], **KEYS)
        check_books(lab)
        return result


def later_flow(k, nodes, networks, options, order, is_done, check):
    """What is ordered of a node that has joined, in a process that is killed at its k-th write from there on."""
    with Lab() as lab:
        start_world(lab, k, nodes)
        lab.start()
        for network in networks:
            add_network(lab, network)
        add_node(lab, NODE, *options)
        wait_node(lab, "the node to join", is_joined)
        before = node_state(lab, NODE)
        lab.stop("enrolld")
        sweep = Sweep(lab, k)

        def attempt():
            r = lab.ctl(*order, check=False)
            if r.returncode != 0 and not is_done(lab.json("node", "show", NODE)["node"]):
                raise LabError("not yet: " + r.stderr)
        retry("the order", attempt)
        wait_node(lab, "its end", is_done)
        result = sweep.end()
        check(lab, before)
        check_books(lab)
        return result


def remove_flow(k):
    def check(lab, before):
        check_node(lab, k, enrolled=False, network_id=0)
        add_node(lab, OTHER)  # the id of the removed one is given again only when there is no other
        other = lab.json("node", "show", OTHER)["node"]
        if other["node_id"] == before["node_id"]:
            raise LabError("k=%d: the id of %r is given again" % (k, before))
        if sum(a["event"] == "node_removed" for a in audit_rows(lab)) != 1:
            raise LabError("k=%d: one removal in the audit log" % k)
    nodes = [member_line(), node_line(NODE, "rssi=-50 pos=2,0")]
    return later_flow(k, nodes, [NETWORK], (), ("node", "remove", NODE), lambda n: n["state"] == "removed", check)


def move_flow(k):
    def check(lab, before):
        n = lab.json("node", "show", NODE)["node"]
        check_node(lab, k, enrolled=True, network_id=NETWORK + 1)
        if (n["node_id"], n["network_id"]) != (before["node_id"], NETWORK):
            raise LabError("k=%d: %r has become %r" % (k, before, n))
    return later_flow(k, [node_line(NODE, "rssi=-50 type=asset")], [NETWORK, NETWORK + 1], ("--asset",),
                      ("node", "set-network", NODE, NETWORK + 1),
                      lambda n: n["state"] == "joined" and n["preferred_network"] == NETWORK + 1, check)


def audit_rows(lab):
    return [json.loads(row["json"]) for row in lab.json("audit", "list", "--from", 1, "--limit", 1000)["rows"]]


def member_line():
    return node_line(GATEWAY, "rssi=-50 pos=0,0 network=%d id=1 netkey=%s userkey=%s orgkey=%s" % (
        NETWORK, *KEYS.values()))


def direct_flow(k):
    return node_flow(k, [node_line(NODE, "rssi=-50")])


def mesh_flow(k):
    return node_flow(k, [member_line(), node_line(NODE, "rssi=-127 pos=2,0")])


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


def test_removal():
    sweep("removal", remove_flow)


def test_asset_to_another_network():
    sweep("asset to another network", move_flow)


harness.main(globals())
