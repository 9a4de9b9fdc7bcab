#!/usr/bin/python3
"""The independent profile1.py against the vectors, the real enrolld and the real enrollee: fresh random inputs in
both roles; SK, h, T and whole answers compared; one byte changed each time, and the refusal seen.

usage: test_interop.py [test_name ...]; COUNT inputs a role (200), SEED."""
import concurrent.futures
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "support")]

import coap  # noqa: E402
import harness  # noqa: E402
import profile1 as p1  # noqa: E402
from lab import BUILD, Lab, wait_until  # noqa: E402

COUNT = int(os.environ.get("COUNT", "200"))
SEED = int(os.environ.get("SEED", str(int.from_bytes(os.urandom(4), "little"))))
VECTORS = os.environ.get("VECTORS") or os.path.join(ROOT, "tests", "vectors")
PATIENCE_S = "120"  # for an answer that comes
WELCOME = b"mqtts://broker.example:8883\0\xff welcome"


def flip(data, at, bit):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what)))


# --- the library itself ---------------------------------------------------------------------------

def test_library_agrees_with_the_vectors():
    with open(os.path.join(VECTORS, "x3dh.json")) as f:
        cases = json.load(f)["cases"]
    for case in cases:
        c = {k: bytes.fromhex(v) for k, v in case.items() if isinstance(v, str) and k not in ("id", "note")}
        session = p1.Session([c["dh1"], c["dh2"], c["dh3"], c["dh4"]], c["info"])
        expect((session.sk, session.h) == (c["sk"], c["state_hash"]), case["id"], "schedule")
        service = p1.Service("x")
        service.ik, service.spk = p1.KeyPair(c["ik_a_priv"]), p1.KeyPair(c["spk_a_priv"])
        service.addr = c["addr"]
        service.announce(c["eik_b"], p1.KeyPair(c["opk_a_priv"]))
        opened = service.accept(b"\x01" + c["message"], c["info"])
        expect((opened.sk, opened.h, opened.ik_b) == (c["sk"], c["state_hash"], c["ik_b"]), case["id"], "accept")
        expect(p1.verify(c["ik_a"], c["spk_a"], c["spk_signature"]), case["id"], "signature")
    print("vectors: %d cases" % len(cases))
    expect(cases, "no cases")


def test_library_agrees_with_itself():
    rng = random.Random(SEED)
    for _ in range(20):
        service, enrollee = p1.Service("coap://gw/enroll"), p1.Enrollee()
        opk, bundle = service.issue()
        service.announce(enrollee.eik.public, opk)
        parsed = p1.Bundle.parse(bundle.text())
        parsed.check()
        request, a = enrollee.build(parsed)
        b = service.accept(request)
        expect((a.sk, a.h, a.t, a.ik_b) == (b.sk, b.h, b.t, b.ik_b), "sessions differ")
        expect(p1.open_answer(a, p1.seal_answer(b, 7, b"hi")) == (7, b"hi"), "answer")
        try:
            service.accept(flip(request, rng.randrange(len(request)), rng.randrange(8)))
        except p1.Refused:
            continue
        raise AssertionError("a changed request was accepted")


# --- enrollee here, enrolld there -----------------------------------------------------------------

class Control:
    """A Varlink client of a few lines."""

    def __init__(self, path):
        import socket
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)

    def call(self, method, **parameters):
        message = {"method": "org.enrolld.control." + method, "parameters": parameters}
        self.sock.sendall(json.dumps(message).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            more = self.sock.recv(65536)
            expect(more, method, "connection closed")
            data += more
        reply = json.loads(data[:-1])
        expect("error" not in reply, method, reply)
        return reply["parameters"]


class Device:
    """One independent enrollee and how it fared."""

    def __init__(self, text, number):
        self.bundle = p1.Bundle.parse(text)
        self.bundle.check()
        self.enrollee = p1.Enrollee()
        self.request, self.session = self.enrollee.build(self.bundle)
        self.number = number
        self.device_id = p1.sha256(self.enrollee.ik.public)
        self.epoch = 0

    def source(self):
        return "127.1.%d.%d" % (self.number // 250, self.number % 250 + 1)


def tamper_request(device, client, rng, seen):
    """One byte of the request changed: silence where no known id is left, the rejection else. The good request
    follows on the same socket."""
    at, bit = rng.randrange(177), rng.randrange(8)
    silent = at == 0 or 33 <= at < 65
    answer = client.post("enroll", flip(device.request, at, bit), silent=silent)
    expect(client.acknowledged, "no ACK", at)
    expect(answer == (None if silent else p1.REJECTION), "byte", at, "bit", bit, "answer", answer)
    seen["silence" if silent else "rejection"] += 1


def enroll_device(device, client, rng):
    """The good request; the whole answer is what we would have sealed; its repeat is identical."""
    answer = client.post("enroll", device.request)
    expect(answer is not None, "no answer")
    enrolled_at, welcome = p1.open_answer(device.session, answer)
    expect(abs(enrolled_at - time.time()) < 120, "enrolled_at", enrolled_at)
    expect(welcome == WELCOME, "welcome", welcome)
    expect(answer == p1.seal_answer(device.session, enrolled_at, WELCOME), "answer differs")
    try:
        p1.open_answer(device.session, flip(answer, rng.randrange(len(answer)), rng.randrange(8)))
    except p1.Refused:
        pass
    else:
        raise AssertionError("a changed answer was believed")
    expect(client.post("enroll", device.request) == answer, "the repeat's answer differs")


def use_channel(device, client, rng):
    """Pings in epoch 0, sometimes in 1 and 2; a changed frame is not answered, a repeated one identically. At most
    five frames: the burst that enrolld allows an id."""
    channel = p1.Channel(device.session, False)
    for epoch in range(1 + device.number % 3):
        if epoch:
            channel.raise_epoch()
        body = rng.randbytes(8)
        frame = channel.seal(bytes([p1.PING]) + body)
        if epoch == 0 and device.number % 10 == 0:
            bad = flip(frame, rng.randrange(len(frame)), rng.randrange(8))
            client.post("channel", bad, silent=True)
            expect(client.acknowledged, "no ACK for a changed frame")
        reply = client.post("channel", frame)
        expect(reply is not None, "no pong in epoch", epoch)
        expect(channel.open(reply) == bytes([p1.PONG]) + body, "pong")
        if epoch == 0:
            expect(client.post("channel", frame) == reply, "the repeat's pong differs")
    device.epoch, device.session.t_now = channel.epoch, channel.t


def run_device(device, seen):
    rng = random.Random(SEED * 1000003 + device.number)
    client = coap.Client(device.address, device.source())
    try:
        tamper_request(device, client, rng, seen)
        enroll_device(device, client, rng)
        use_channel(device, client, rng)
    except Exception as e:
        raise AssertionError("device %d: %s" % (device.number, e)) from e
    finally:
        client.close()


def compare_stored(lab, devices):
    """What enrolld keeps, opened with its key file: h and T of the epoch, byte by byte."""
    with open(lab.path("enrolld.key"), "rb") as f:
        key = f.read()
    db = sqlite3.connect("file:%s?mode=ro" % lab.path("enrolld.db"), uri=True)
    rows = {device_id: row for device_id, *row in db.execute(
        "SELECT d.device_id, c.id, c.epoch, c.keys, d.ik FROM channels c JOIN devices d ON d.id = c.id")}
    db.close()
    expect(len(rows) == len(devices), len(rows), "channels stored")
    for d in devices:
        row, epoch, keys, ik = rows[d.device_id]
        expect(ik == d.enrollee.ik.public and epoch == d.epoch, "device", d.number, "epoch", epoch)
        expect(p1.unseal(key, "channels.keys", row, keys) == d.session.h + d.session.t_now, "h, T", d.number)


def make_devices(lab, control):
    bundles = control.call("BundleIssue", count=COUNT)["bundles"]
    expect(len(bundles) == COUNT, len(bundles), "bundles")
    devices = [Device(b["text"], i) for i, b in enumerate(bundles)]
    for d, b in zip(devices, bundles):
        d.address = ("127.0.0.1", lab.port)
        expect(d.bundle.id() == b["id"] and d.bundle.expires_at == b["expires_at"], "bundle", b)
        shown = control.call("EnrolleeAnnounce", key=p1.key_text(d.enrollee.eik.public), bundle_id=b["id"])
        expect(shown["enrollee"]["id"] == p1.sha256(d.enrollee.eik.public).hex(), "enrollee id", shown)
    return devices


def test_enrollees_here_against_enrolld():
    with Lab() as lab:
        with open(lab.path("welcome"), "wb") as f:
            f.write(WELCOME)
        lab.conf["enroll"] = {"welcome_file": lab.path("welcome"), "bundle_quota": str(COUNT + 10)}
        lab.init()
        lab.start()
        control = Control(lab.path("control.sock"))
        devices = make_devices(lab, control)
        seen = {"silence": 0, "rejection": 0}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(run_device, d, seen) for d in devices]:
                done.result()
        for d in devices:
            shown = control.call("EnrolleeShow", id=d.device_id.hex())["enrollee"]
            expect(shown["state"] == "enrolled" and shown["epoch"] == d.epoch, shown)
        lab.stop("enrolld")
        compare_stored(lab, devices)
        print("enrolld accepted %d of %d, seed %d: %d changed bytes rejected, %d met silence"
              % (len(devices), COUNT, SEED, seen["rejection"], seen["silence"]))


# --- service here, enrollee there -----------------------------------------------------------------

class Gateway:
    """The independent service on a CoAP socket. What each enrollee is told is set by its driver."""

    def __init__(self):
        self.server = coap.Server(self.handle)
        self.service = p1.Service("coap://127.0.0.1:%d/enroll" % self.server.port)
        self.lock = threading.Lock()
        self.by_id, self.by_device, self.faults = {}, {}, []
        self.stopping = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            try:
                self.server.serve_once()
            except Exception as e:  # the drivers' tests fail on it
                self.faults.append(repr(e))

    def close(self):
        self.stopping = True
        self.thread.join()
        self.server.close()

    def handle(self, path, payload):
        with self.lock:
            peer = (self.by_id.get(payload[33:65]) if path == "enroll" else self.by_device.get(payload[3:11]))
            if peer is None:
                self.faults.append("%s: unknown peer" % path)
                return []
            return peer.on_request(payload) if path == "enroll" else peer.on_frame(payload)


class Agent:
    """One real enrollee program in a folder of its own, and the service's memory of it."""

    def __init__(self, gateway, folder, number):
        self.gateway, self.number = gateway, number
        self.state = os.path.join(folder, "device-%d" % number)
        self.rng = random.Random(SEED * 7919 + number)
        self.requests, self.answers, self.pongs = set(), "none", "good"
        self.asked = 0
        self.session = self.channel = None
        self.said = {}  # answers by frame
        self.enrolled_at = 1790000000 + number
        self.welcome = self.rng.randbytes(number % 145)

    # the service's side

    def on_request(self, payload):
        self.asked += 1
        self.requests.add(payload)
        if self.session is None:
            self.session = self.gateway.service.accept(payload)
            self.channel = p1.Channel(self.session, True)
            self.gateway.by_device[self.channel.device] = self
        good = p1.seal_answer(self.session, self.enrolled_at, self.welcome)
        bad = flip(good, self.rng.randrange(len(good)), self.rng.randrange(8))
        return {"none": [], "bad": [bad, p1.REJECTION], "good": [p1.REJECTION, bad, good]}[self.answers]

    def on_frame(self, payload):
        """A repeated frame gets the identical answer, as enrolld gives it."""
        self.asked += 1
        if payload not in self.said:
            self.said[payload] = self.answer_frame(payload)
        return self.said[payload]

    def answer_frame(self, payload):
        plain = self.channel.open(payload)
        pong = self.channel.seal(bytes([p1.PONG]) + plain[1:])
        bad = flip(pong, self.rng.randrange(len(pong)), self.rng.randrange(8))
        expect(plain[0] == p1.PING, "not a ping")
        return {"bad": [bad], "good": [bad, pong]}[self.pongs]

    # the device's side

    def run(self, *args, code=0, **kw):
        r = subprocess.run([PROGRAM, "--state", self.state, *args], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=2 * int(PATIENCE_S), **kw)
        expect(r.returncode == code, "enrollee", *args, "exit", r.returncode, r.stdout, r.stderr)
        return r.stdout

    def disbelieves(self, *args, input=""):
        """What it is told is not what it waits for: it asks again after a while, and is killed then."""
        before = self.asked
        p = subprocess.Popen([PROGRAM, "--state", self.state, *args, "--timeout", PATIENCE_S], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.stdin.write(input)
            p.stdin.close()
            wait_until("it to ask again", lambda: p.poll() is not None or self.asked >= before + 2, int(PATIENCE_S))
        finally:
            p.kill()
            p.wait()
        expect(p.returncode == -signal.SIGKILL, "enrollee", *args, "exit", p.returncode)

    def stored(self):
        with open(os.path.join(self.state, "state")) as f:
            return dict(line.rstrip("\n").split(" ", 1) for line in f if " " in line)


PROGRAM = os.path.join(BUILD, "enrollee")
# Bytes of a bundle whose change an enrollee must see by itself: version, IK_A, SPK_A, its signature, the length of
# Addr and the fingerprint in it. (spk_id and expiry are informative; a changed OPK_A shows at the service.)
SEEN_IN_BUNDLE = [0, *range(13, 141), 173]


def refuse_changed_bundle(agent, bundle):
    frame = bundle.encode()
    at = agent.rng.choice(SEEN_IN_BUNDLE + list(range(len(frame) - 32, len(frame))))
    text = "enr1:" + p1.base64.urlsafe_b64encode(flip(frame, at, agent.rng.randrange(8))).rstrip(b"=").decode()
    agent.run("enroll", "--bundle", "-", "--timeout", "1", input=text + "\n", code=65)
    expect(agent.stored()["stage"] == "fresh" and not agent.requests, "a changed bundle was used, byte", at)


def compare_state(agent):
    kept, session = agent.stored(), agent.session
    expect(kept["stage"] == "enrolled" and "eik" not in kept and "message" not in kept, kept.keys())
    expect(kept["h"] == session.h.hex(), "h")
    expect(kept["traffic"] == session.t.hex(), "T")
    # T is HKDF of SK under h: with both equal SK was the same, or SHA-256 is broken.
    expect(p1.public_of(bytes.fromhex(kept["ik"])) == session.ik_b, "IK_B")
    expect(int(kept["enrolled_at"]) == agent.enrolled_at, "enrolled_at")
    expect(kept.get("welcome", "") == agent.welcome.hex(), "welcome")


def drive(agent):
    service = agent.gateway.service
    agent.run("init")
    eik = p1.parse_key_text(agent.run("id").split()[0])
    with agent.gateway.lock:
        opk, bundle = service.issue()
        service.announce(eik, opk)
        agent.gateway.by_id[p1.sha256(eik)] = agent
    refuse_changed_bundle(agent, bundle)
    line = bundle.text() + "\n"
    agent.answers = "bad"
    agent.disbelieves("enroll", "--bundle", "-", input=line)
    expect(agent.stored()["stage"] == "trying", "stage", agent.stored()["stage"])
    expect("eik" in agent.stored(), "eik was deleted for a changed answer")
    agent.answers = "good"
    agent.run("enroll", "--bundle", "-", "--timeout", PATIENCE_S, input=line)
    expect(len(agent.requests) == 1, "the request changed between attempts")
    compare_state(agent)
    agent.run("ping", "--timeout", PATIENCE_S)
    if agent.number % 10 == 0:
        agent.pongs = "bad"
        agent.disbelieves("ping")


def run_agent(agent):
    try:
        drive(agent)
    except Exception as e:
        raise AssertionError("agent %d: %s" % (agent.number, e)) from e


def test_enrollee_against_the_service_here():
    with Lab() as lab:
        gateway = Gateway()
        try:
            agents = [Agent(gateway, lab.dir, i) for i in range(COUNT)]
            with concurrent.futures.ThreadPoolExecutor(64) as pool:
                for done in [pool.submit(run_agent, a) for a in agents]:
                    done.result()
        finally:
            gateway.close()
        expect(not gateway.faults, gateway.faults[:3])
        print("%d enrollees of %d enrolled here, seed %d: each refused a changed bundle and answer"
              % (len(agents), COUNT, SEED))


if __name__ == "__main__":
    print("seed %d" % SEED, flush=True)
    harness.main(globals())
