"""A building full of simulated nodes around a Lab: what the integration tests of the mesh have in common."""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from lab import Lab, LabError, wait_until  # noqa: E402

LINK = os.environ.get("MESH_LINK", "bluez")
# Over the socket enrolld's mesh knows the simulated time alone: whoever waits, waits so much less.
SPEED = {"bluez": 10, "socket": 40}[LINK]
HASTE = {"bluez": 5, "socket": 1}[LINK]  # over the bus it waits by a quicker clock
FAR = -127  # dBm to the gateway's radio: not heard
NEAR = -55
OVER = ("joined", "removed", "unconfirmed", "failed", "expired", "cancelled")


def over(link):
    """A test that makes sense over that link alone."""
    def mark(fn):
        fn.link = link
        return fn
    return mark


def expect(condition, what):
    if not condition:
        raise LabError(what)


def node_key(serial):
    return "".join("%02x" % (ord(serial[-1]) * (i + 3) % 251 + 1) for i in range(16))


def network_keys(network):
    return {k: ("%02x" % ((network + i) % 200 + 20)) * 16
            for i, k in enumerate(("network_key", "user_base_key", "organization_key"))}


def node(serial, rssi=FAR, pos=(2, 2), **more):
    """A line of the node file."""
    line = "serial=%s nodekey=%s rssi=%d pos=%d,%d" % (serial, node_key(serial), rssi, *pos)
    return line + "".join(" %s=%s" % (k.replace("_", "-"), v) for k, v in more.items())


def member(serial, network, node_id, rssi=NEAR, **more):
    """A node that is in the network from the start."""
    keys = network_keys(network)
    return node(serial, rssi, network=network, id=node_id, netkey=keys["network_key"],
                userkey=keys["user_base_key"], orgkey=keys["organization_key"], **more)


def label(serial, key=None, **more):
    text = "qt=1&v=1&mf=024D&s=%s&nk=%s" % (serial, (key or node_key(serial)).upper())
    return text + "".join("&%s=%s" % kv for kv in more.items())


class Events:
    """What `enrollctl watch` tells, kept; one may wait for an event or act on it."""

    def __init__(self, lab):
        self.seen = []
        self.more = threading.Condition()
        self.limit = lab.LIMIT
        self.process = lab.spawn("watch", [lab.program("enrollctl"), "--socket", lab.path("control.sock"), "--json",
                                           "watch", "--object", "node"], stdout=subprocess.PIPE)
        first = self.process.stdout.readline()
        expect(b"watching" in first, "watch began with %r" % first)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.more:
                self.seen.append(json.loads(line))
                self.more.notify_all()

    def states(self, serial):
        with self.more:
            return [e["state"] for e in self.seen if e["id"] == serial]

    def find(self, serial, states):
        return next((e for e in self.seen if e["id"] == serial and e["state"] in states), None)

    def wait(self, serial, *states):
        """Until it has been in one of these states; the first such event."""
        end = time.monotonic() + self.limit
        with self.more:
            while not self.find(serial, states):
                left = end - time.monotonic()
                if left <= 0:
                    raise LabError("%s was never %s: %r" % (serial, " or ".join(states), [
                        (e["state"], e.get("reason")) for e in self.seen if e["id"] == serial]))
                self.more.wait(left)
            return self.find(serial, states)


class Building(Lab):
    """A Lab with its air, its networks and their members; running when entered."""
    AIR = "fakebluez"  # the program that holds the nodes and takes orders
    LIMIT = 240  # s; who waits longer for nodes waits in vain

    def __init__(self, lines, networks=(480,), first_node_id=None, speed=SPEED, seed=1):
        super().__init__()
        self.lines, self.networks, self.speed, self.seed = lines, networks, speed, seed
        self.first_node_id = first_node_id

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.show_logs()
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.check_end()
        except LabError:
            self.show_logs()
            raise
        finally:
            super().__exit__(kind, value, trace)

    def check_end(self):
        """What no test may bring about."""
        expect("cannot be ended" not in self.log_text("fakebluez"), "a link was ended while another was made")

    def start_world(self):
        """The air, and the way to it; it takes orders afterwards."""
        self.start_air(self.lines, speed=self.speed, seed=self.seed, link=LINK)
        expect(self.processes["fakebluez"].stdout.readline() == b"ready\n", "fakebluez is not ready")
        if HASTE > 1:
            self.hurry(HASTE)

    def begin(self):
        self.start_world()
        self.init()
        self.start()
        for network in self.networks:
            self.add_network(network)
        self.events = Events(self)

    def add_network(self, network, *more):
        keys = "".join("%s %s\n" % kv for kv in network_keys(network).items())
        if self.first_node_id:
            more = (*more, "--first-node-id", self.first_node_id)
        self.ctl("network", "add", network, "--key-file", "-", *more, input=keys)

    def attach_first(self, first, *others):
        """A network of these members, and the gateway node is the first: the others are switched on later."""
        for serial in others:
            self.order("node", serial, "off")
        self.add_network(480)
        self.wait_log("attached network=480 node_id=1")
        for serial in others:
            self.order("node", serial, "on")

    def order(self, *words):
        """One order to the air; its answer."""
        p = self.processes[self.AIR]
        p.stdin.write((" ".join(map(str, words)) + "\n").encode())
        p.stdin.flush()
        answer = p.stdout.readline().decode().strip()
        expect(answer and not answer.startswith("error"), "%s: %s: %s" % (self.AIR, words, answer))
        return answer

    def order_json(self, *words):
        return json.loads(self.order(*words))

    def radio(self, what):
        """The process that has the radio dies, or is there again."""
        self.order(LINK, what)

    def nodes_now(self):
        """serial: what each simulated node itself believes."""
        return {n["serial"]: n for n in self.order_json("snapshot", "full")}

    def flash_of(self, serial):
        """What a node holds by its flash alone."""
        r = subprocess.run([self.program("fakebluez"), "--dump", self.path("flash", serial + ".flash"), "--full-keys"],
                           check=True, stdout=subprocess.PIPE)
        return json.loads(r.stdout)

    def add(self, *serials, options=(), key=None, **more):
        text = "".join(label(s, key, **more) + "\n" for s in serials)
        return self.ctl("node", "add", "--qr-file", "-", *options, input=text)

    def show(self, serial):
        return self.json("node", "show", serial)["node"]

    def wait_state(self, serial, *states):
        last = {}

        def there():
            last.update(self.show(serial))
            return last["state"] in states
        try:
            wait_until(serial, there, self.LIMIT, 0.1)
        except LabError:
            raise LabError("%s is %s, not %s: %r" % (serial, last.get("state"), states, last)) from None
        return last

    def wait_log(self, text, count=1, name="enrolld"):
        """Until it stands in the log of that program so many times."""
        wait_until("%r in the log of %s" % (text, name), lambda: self.log_text(name).count(text) >= count,
                   self.LIMIT, 0.1)

    def wait_joined(self, *serials):
        return [self.check(self.wait_over(s, "joined")) for s in serials]

    def wait_over(self, serial, wanted):
        n = self.wait_state(serial, *OVER)
        expect(n["state"] == wanted, "%s is %s, not %s: %r" % (serial, n["state"], wanted, n))
        return n

    def check(self, n, own=None):
        """What the node itself holds (own, or what the air says of it) is what enrolld says; returns n."""
        own = own or self.nodes_now()[n["serial"]]
        want = {"enrolled": True, "network_id": n["network_id"], "node_id": n["node_id"]}
        network = self.json("network", "show", n["network_id"], "--reveal-keys")["network"]
        want.update((k, network[k]) for k in network_keys(0))
        for k, v in want.items():
            expect(own[k] == v, "%s: %s is %r, not %r" % (n["serial"], k, own[k], v))
        return n

    def check_refusal(self, serial, code):
        """It failed for that code, which is told in words, and what to do next; returns its row."""
        n = self.show(serial)
        expect((n["state"], n["code"]) == ("failed", code), "%s: not 0x%02x: %r" % (serial, code, n))
        text = n["reason_text"]
        expect(text.startswith("0x%02x: " % code) and len(text) > len("0x00: ") + 20, "in words: %r" % n)
        expect(";" in text, "and what to do next: %r" % n)
        expect(text in self.ctl("node", "show", serial).stdout, "node show says it: %s" % text)
        return n

    def check_ids(self):
        """No id twice in a network: by our books, and by what the nodes believe."""
        for what, rows in (("books", [n for n in self.json("node", "list")["nodes"] if n["state"] not in (
                "removed", "failed", "expired", "cancelled")]), ("air", self.nodes_now().values())):
            ids = [(n["network_id"], n["node_id"]) for n in rows if n.get("enrolled", True)]
            expect(len(ids) == len(set(ids)), "an id twice in the %s: %r" % (what, sorted(ids)))

    def audit(self, event):
        rows = self.json("audit", "list", "--from", 1, "--limit", 1000)["rows"]
        return [row for row in map(lambda r: json.loads(r["json"]), rows) if row["event"] == event]

    def kill_daemon(self):
        self.stop("enrolld", signal.SIGKILL)
        self.start()
        self.events = Events(self)


# --- faults at each step of an enrollment over the mesh ------------------------------------------

GATEWAY, A, B, C = "FMBBC", "FMBBF", "FMBBG", "FMBBH"
# A node that no survey has found is never located: a broadcast finds it.
MOMENTS = {A: ("located", "sent"), B: ("sent",), C: ("saved",)}


def house(kind=Building):
    """A gateway node, and three that it alone can reach."""
    return kind([member(GATEWAY, 480, 1), node(A), node(B), node(C)])


def faults(b, break_it, options=()):
    """Each of the three is added; break_it(serial) is called at another step of its way. All join, no id twice."""
    for serial, moment in MOMENTS.items():
        b.add(serial, options=options)
        b.events.wait(serial, *moment)
        break_it(serial)
        b.wait_joined(serial)
    b.check_ids()


def check_attached_anew(b):
    """After as many faults as there are nodes; after the last one it may not have been yet."""
    b.wait_log("attached network=480", len(MOMENTS) + 1)


def main(namespace, jobs=3):
    """As harness.main, but some tests at once, each in a process of its own: they mostly wait for simulated air. Those
    of the link that MESH_LINK names: bluez (org.bluez on a private bus, the default) or socket (link_socket)."""
    if len(sys.argv) > 1:
        harness.main(namespace)
    names = [n for n, fn in namespace.items()
             if n.startswith("test_") and callable(fn) and getattr(fn, "link", LINK) == LINK]

    def run(name):
        r = subprocess.run([sys.executable, sys.argv[0], name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = r.stdout.splitlines()
        print("\n".join(lines[:-1]), "over", LINK, flush=True)
        return "failed" if r.returncode else "skipped" if lines[-1].endswith(" skipped") else "passed"
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        ends = list(pool.map(run, names))
    harness.close(*map(ends.count, ("passed", "failed", "skipped")))
