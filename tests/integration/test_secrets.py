#!/usr/bin/python3
"""No secret shows: a whole session, then every listing, the log, all processes' arguments and the database searched."""
import base64
import concurrent.futures
import contextlib
import hashlib
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from lab import ROOT, Lab, wait_until  # noqa: E402
from meshlab import Building  # noqa: E402

SERIAL, NETWORK = "FMBBD", 480
KEYS = {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in
        ("network_key", "user_base_key", "organization_key", "node_key")}


class Spy(threading.Thread):
    """Reads the arguments and the environment of all processes of the laboratory, again and again."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.marks = [lab.dir.encode(), ROOT.encode()]
        self.seen, self.over = set(), threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.005):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    argv = open("/proc/%s/cmdline" % pid, "rb").read()
                    if any(m in argv for m in self.marks) and int(pid) != os.getpid():
                        self.seen |= {argv, open("/proc/%s/environ" % pid, "rb").read()}

    def has_seen(self, program, argument):
        """A process of this program, with this argument."""
        return any(argv.startswith(program.encode() + b"\0") and argument in argv for argv in tuple(self.seen))

    def end(self):
        self.over.set()
        self.join()
        return b"\n".join(self.seen)


def shapes(secret):
    """A secret as it might be written: raw, hexadecimal, base64 at each of three alignments."""
    out = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), secret.hex(" ").encode(),
           secret.hex(":").encode()}
    for pad in range(3):
        text = base64.b64encode(bytes(pad) + secret)[4 if pad else 0:]
        out |= {text[:len(text) // 4 * 4 - 4], text[:len(text) // 4 * 4 - 4].translate(bytes.maketrans(b"+/", b"-_"))}
    return out


def secrets_of_state(path):
    """The private halves: the first 32 bytes of a key pair, and what the channel is made of."""
    lines = dict(line.rstrip("\n").split(" ", 1) for line in open(path) if " " in line)
    found = {"device " + k: bytes.fromhex(lines[k])[:32] for k in ("eik", "ik") if lines.get(k)}
    if lines.get("traffic"):
        traffic = bytes.fromhex(lines["traffic"])
        found.update({"traffic a": traffic[:32], "traffic b": traffic[32:64], "h": bytes.fromhex(lines["h"])})
    return found


LISTINGS = [("status",), ("bundle", "list"), ("enrollee", "list", "--state", "all"), ("network", "list"),
            ("network", "show", NETWORK), ("node", "list"), ("node", "show", SERIAL), ("audit", "list")]


# The bundle is held back at the gate, and who waits for it lives until it is open.
HELD_BACK = '{ read -r bundle; read -r _ <"$0"; echo "$bundle"; } | "$@"'


def hand_over(lab, spy):
    """The whole hand-over in one command, whose far half lives until the spy has seen it. Returns what was said."""
    enrollee, gate = lab.program("enrollee"), lab.path("gate")
    os.mkfifo(gate)
    with open(gate, "r+b", 0) as g, concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(lab.ctl, "enroll", "--name", "b", "--", "sh", "-c", HELD_BACK, gate,
                           enrollee, "--state", lab.path("b"), "serve-stdio")
        try:
            wait_until("the far half", lambda: done.done() or spy.has_seen(enrollee, b"serve-stdio"))
        finally:
            g.write(b"go\n")
        said = done.result().stdout
    assert spy.has_seen(enrollee, b"serve-stdio")
    return said


def session(lab, spy):
    """A device, a node and all listings. Returns (secrets, all that was said)."""
    secrets = {name: bytes.fromhex(key) for name, key in KEYS.items()}
    secrets["sealing key"] = open(lab.path("enrolld.key"), "rb").read()
    said = []
    watch = subprocess.Popen([lab.program("enrollctl"), "--socket", lab.path("control.sock"), "--json", "watch"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    keys = "".join("%s %s\n" % (k, v) for k, v in KEYS.items() if k != "node_key")
    said.append(lab.ctl("network", "add", NETWORK, "--key-file", "-", input=keys).stdout)
    said.append(lab.ctl("node", "add", SERIAL, "--key-file", "-", input=KEYS["node_key"] + "\n").stdout)
    key = lab.enrollee("device", "init").stdout.splitlines()[0]
    secrets.update(secrets_of_state(lab.path("device", "state")))
    bundle = lab.json("bundle", "issue")["bundles"][0]
    said.append(lab.ctl("enrollee", "announce", key, "--bundle", bundle["id"], "--name", "attic").stdout)
    r = lab.enrollee("device", "enroll", "--bundle", "-", "--verbose", input=bundle["text"] + "\n")
    said += [r.stdout, r.stderr]
    secrets.update(secrets_of_state(lab.path("device", "state")))
    said += [lab.enrollee("device", v).stdout for v in ("ping", "status", "id")]
    said.append(hand_over(lab, spy))
    secrets.update({"b " + k: v for k, v in secrets_of_state(lab.path("b", "state")).items()})
    wait_until("the node to join", lambda: lab.json("node", "show", SERIAL)["node"]["state"] == "joined",
               Building.LIMIT, 0.2)
    for args in LISTINGS + [("bundle", "show", bundle["id"])]:
        said += [lab.ctl(*args).stdout, lab.ctl(*args, json_output=True).stdout]
    revealed = lab.ctl("network", "show", NETWORK, "--reveal-keys").stdout
    assert KEYS["network_key"] in revealed, "what must be found is found"
    said.append(lab.ctl("audit", "list", "--from", 1, "--limit", 1000, json_output=True).stdout)
    assert len(said[-1].splitlines()) > 0 and "reveal" in said[-1], said[-1]
    watch.terminate()
    said.append(watch.communicate()[0].decode())
    assert "joined" in said[-1]
    arguments = spy.end()
    assert b"PATH=" in arguments
    return secrets, {"listings": "\n".join(said).encode(), "log": lab.log_text("enrolld").encode(),
                     "arguments": arguments}


def test_no_secret_shows():
    with Lab() as lab:
        lab.conf["log"] = {"level": "debug"}
        lab.start_bus()
        lab.start_air(["serial=%s nodekey=%s rssi=-50" % (SERIAL, KEYS["node_key"])], speed=10)
        lab.init()
        lab.start()
        secrets, places = session(lab, Spy(lab))
        for suffix in ("", "-wal", "-shm"):
            places["database" + suffix] = open(lab.path("enrolld.db" + suffix), "rb").read()
        assert len(secrets) >= 13 and b"debug: " in places["log"], sorted(secrets)
        device = bytes.fromhex(lab.json("enrollee", "list")["enrollees"][0]["device_id"])
        for place in ("listings", "database-wal"):  # what is no secret is found by the same search
            assert any(shape in places[place] for shape in shapes(device)), place
        for name, secret in secrets.items():
            assert len(secret) in (16, 32), name
            assert any(s in base64.b64encode(b"before" + secret + b"after") for s in shapes(secret)), name
            for shape in shapes(secret):
                for place, text in places.items():
                    assert len(shape) >= 16 and shape not in text, "%s is in the %s" % (name, place)


if __name__ == "__main__":
    harness.main(globals())
