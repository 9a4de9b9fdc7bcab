#!/usr/bin/python3
"""The enrollee program against the real enrolld, over CoAP on loopback; some of it through a proxy that loses,
forges and compares datagrams."""
import base64
import hashlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from control_raw import Control  # noqa: E402
from lab import Lab, wait_until  # noqa: E402

USAGE, DATA, NO_INPUT, UNREACHABLE, STATE, TEMPORARY, PERMISSION = 64, 65, 66, 69, 73, 75, 77
SILENCE = "--timeout", "10"  # of a service that is there, and tells so by its ACK at least: as long as that may take


class Proxy(threading.Thread):
    """Sits between enrollee and enrolld. forward(datagram, to_service) returns the list of what goes on."""

    def __init__(self, service_port):
        super().__init__(daemon=True)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.service_port = service_port
        self.peers = {}
        self.seen = []  # payloads of POSTs
        self.lose_answers = 0
        self.forge = []  # payloads of forged answers, each sent before a real one
        self.running = True
        self.start()

    def stop(self):
        self.running = False
        self.join()
        for s in [self.front, *self.peers]:
            s.close()

    def run(self):
        while self.running:
            for s in select.select([self.front, *self.peers], [], [], 0.05)[0]:
                data, addr = s.recvfrom(2048)
                if s is self.front:
                    self.request(data, addr)
                else:
                    self.response(data, self.peers[s])

    def request(self, data, addr):
        back = next((s for s, a in self.peers.items() if a == addr), None)
        if back is None:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect(("127.0.0.1", self.service_port))
            self.peers[back] = addr
        if data[1] == 2:
            self.seen.append(payload(data))
        back.send(data)

    def response(self, data, addr):
        if data[1] != 0:
            if self.lose_answers > 0:
                self.lose_answers -= 1
                return
            head = data[:payload_at(data)]
            while self.forge:
                self.front.sendto(head + self.forge.pop(0), addr)
        self.front.sendto(data, addr)


def payload_at(datagram):
    """Where the payload begins. The marker is looked for behind the token, which may contain its byte; no option
    that is used here does."""
    return datagram.find(b"\xff", 4 + (datagram[0] & 15)) + 1 or len(datagram)


def payload(datagram):
    return datagram[payload_at(datagram):]


def service(proxied=False):
    lab = Lab()
    if proxied:
        lab.proxy = Proxy(lab.port)
        lab.conf["coap"]["port"] = str(lab.proxy.port)
    lab.init()
    lab.start()
    return lab


def announced(lab, name, **kw):
    """Makes a device, issues a bundle and announces it: the bundle's text."""
    key = lab.enrollee(name, "init").stdout.splitlines()[0]
    bundle = lab.json("bundle", "issue")["bundles"][0]
    lab.ctl("enrollee", "announce", key, "--bundle", bundle["id"], "--name", name)
    return bundle["text"]


def enroll(lab, name, *args):
    text = announced(lab, name)
    return lab.enrollee(name, "enroll", "--bundle", "-", *args, input=text + "\n")


def status(lab, name):
    return json.loads(lab.enrollee(name, "status", "--json").stdout)


def compare_with_service(lab, name):
    mine = status(lab, name)
    theirs = lab.json("enrollee", "show", mine["device_id"])["enrollee"]
    assert mine["stage"] == "enrolled" and theirs["state"] == "enrolled", (mine, theirs)
    assert (mine["device_id"], mine["enrollee_id"], mine["enrolled_at"]) == \
        (theirs["device_id"], theirs["id"], theirs["enrolled_at"]), (mine, theirs)


def exit_code(lab, name, *args, **kw):
    return lab.enrollee(name, *args, check=False, **kw).returncode


def test_enrolls_pings_and_is_pinged():
    with service() as lab:
        r = enroll(lab, "device")
        compare_with_service(lab, "device")
        mine = status(lab, "device")
        assert r.stdout == "enrolled %s\n" % mine["device_id"]
        assert lab.enrollee("device", "id").stdout == mine["device_id"][:20] + "\n"
        pongs = lab.enrollee("device", "ping", "--count", "3").stdout.splitlines()
        assert [p.split()[1] for p in pongs] == ["1", "2", "3"] and all("pong" in p for p in pongs)
        assert exit_code(lab, "device", "poll", *SILENCE) == TEMPORARY
        with Control(lab) as events:
            events.send_raw(b'{"method":"org.enrolld.control.Watch","more":true}\0')
            assert events.receive()["parameters"]["event"] == "watching"
            lab.ctl("enrollee", "ping", mine["device_id"])
            assert lab.enrollee("device", "poll").stdout.startswith("answered a ping")
            while events.receive()["parameters"]["event"] != "device_pong":
                pass
        assert exit_code(lab, "device", "poll", *SILENCE) == TEMPORARY  # it is not handed over twice
        assert status(lab, "device")["channel"]["sent"] == 3 + 3 + 1


def test_enrolls_by_one_command():
    with service() as lab:
        lab.ctl("enroll", "--name", "kitchen", "--", lab.program("enrollee"), "--state", lab.path("kitchen"),
                "serve-stdio")
        compare_with_service(lab, "kitchen")
        assert lab.json("enrollee", "list")["enrollees"][0]["name"] == "kitchen"


def test_says_what_is_wrong_by_its_exit_code():
    with service() as lab:
        bundle = lab.json("bundle", "issue")["bundles"][0]["text"]
        assert exit_code(lab, "a", "id") == NO_INPUT
        assert exit_code(lab, "a", "dance") == USAGE
        assert exit_code(lab, "a") == USAGE
        assert exit_code(lab, "a", "enroll") == USAGE
        assert exit_code(lab, "a", "id", "--count", "3") == USAGE
        assert exit_code(lab, "a", "ping", "--count", "0") == USAGE
        assert exit_code(lab, "a", "ping", "--timeout", "4x") == USAGE
        assert exit_code(lab, "a", "id", "extra") == USAGE
        assert exit_code(lab, "a", "--help") == 0 and exit_code(lab, "a", "--version") == 0
        lab.enrollee("a", "init")
        assert exit_code(lab, "a", "init") == STATE
        assert exit_code(lab, "a", "ping") == STATE
        assert exit_code(lab, "a", "welcome") == STATE
        assert exit_code(lab, "a", "enroll", "--bundle", lab.path("nothing")) == NO_INPUT
        for bad in ["", "enr1:", "enr1:AAAA", "hello", bundle[:-1], bundle + "A", bundle.upper(), "x" * 9999]:
            assert exit_code(lab, "a", "enroll", "--bundle", "-", input=bad) == DATA, bad[:30]
        raw = bytearray(base64.urlsafe_b64decode(bundle[5:] + "=" * (-len(bundle[5:]) % 4)))
        for at in [0, 13, 45, 77, 141, len(raw) - 1]:  # version, IK, SPK, signature, OPK (low order), fingerprint
            forged = bytearray(raw)
            if at == 141:
                forged[141:173] = bytes(32)
            else:
                forged[at] ^= 1
            text = "enr1:" + base64.urlsafe_b64encode(forged).decode().rstrip("=")
            assert exit_code(lab, "a", "enroll", "--bundle", "-", input=text) == DATA, at
        assert exit_code(lab, "a", "enroll", "--bundle", "-", "--pin-service", "00" * 32, input=bundle) == DATA
        assert status(lab, "a")["stage"] == "fresh"
        os.chmod(lab.path("a", "state"), 0o644)
        assert exit_code(lab, "a", "id") == PERMISSION


def test_pins_the_service():
    with service() as lab:
        text = announced(lab, "device")
        raw = base64.urlsafe_b64decode(text[5:] + "=" * (-len(text[5:]) % 4))
        fingerprint = hashlib.sha256(raw[13:45]).hexdigest()[:32]
        assert raw[174:].decode().endswith("#" + fingerprint)
        lab.enrollee("device", "enroll", "--bundle", "-", "--pin-service", fingerprint, input=text)
        compare_with_service(lab, "device")


def test_is_alone_on_its_state():
    with service(proxied=True) as lab:
        lab.enrollee("a", "init")
        bundle = lab.json("bundle", "issue")["bundles"][0]["text"]
        p = subprocess.Popen([lab.program("enrollee"), "--state", lab.path("a"), "enroll", "--bundle", "-"],
                             stdin=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        p.stdin.write(bundle)
        p.stdin.close()
        wait_until("the first request", lambda: lab.proxy.seen)
        assert exit_code(lab, "a", "enroll", "--bundle", "-", input=bundle) == TEMPORARY
        assert status(lab, "a")["stage"] == "trying"  # looking is allowed
        p.kill()
        p.wait()
        lab.proxy.stop()


def test_resends_the_same_bytes_after_a_lost_answer():
    with service(proxied=True) as lab:
        lab.proxy.lose_answers = 1
        enroll(lab, "device")
        compare_with_service(lab, "device")
        assert len(lab.proxy.seen) >= 2 and len(set(lab.proxy.seen)) == 1, len(lab.proxy.seen)
        assert len(lab.proxy.seen[0]) == 177
        assert lab.json("enrollee", "list")["enrollees"][0]["state"] == "enrolled"
        lab.proxy.stop()


def test_resends_the_same_bytes_after_kill():
    with service(proxied=True) as lab:
        text = announced(lab, "device")
        lab.proxy.lose_answers = 1000
        p = subprocess.Popen([lab.program("enrollee"), "--state", lab.path("device"), "enroll", "--bundle", "-"],
                             stdin=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        p.stdin.write(text)
        p.stdin.close()
        wait_until("the first request", lambda: lab.proxy.seen)
        p.kill()
        p.wait()
        lab.proxy.lose_answers = 0
        lab.enrollee("device", "enroll", "--bundle", "-", input=text)
        compare_with_service(lab, "device")
        assert len(set(lab.proxy.seen)) == 1
        before = len(lab.proxy.seen)
        lab.enrollee("device", "enroll", "--bundle", "-", input=text)  # once more: done already, nothing is sent
        assert len(lab.proxy.seen) == before
        lab.proxy.stop()


def test_believes_no_forged_answer():
    with service(proxied=True) as lab:
        lab.proxy.forge = [bytes([1, 1]), bytes([1, 0]) + bytes(24), b"", bytes([1, 0]) + bytes(168), bytes(200)]
        enroll(lab, "device")
        compare_with_service(lab, "device")
        lab.proxy.forge = [bytes(44), bytes([1]) + bytes(43)]
        lab.enrollee("device", "ping")
        lab.proxy.stop()


def test_repeats_a_ping_as_it_is_when_the_pong_is_lost():
    with service(proxied=True) as lab:
        enroll(lab, "device")
        del lab.proxy.seen[:]
        lab.proxy.lose_answers = 1
        lab.enrollee("device", "ping")
        assert len(lab.proxy.seen) >= 2 and len(set(lab.proxy.seen)) == 1
        assert status(lab, "device")["channel"]["sent"] == 1
        lab.proxy.stop()


def coap_post(path, body, mid):
    return struct.pack(">BBH", 0x44, 2, mid) + b"tok%c" % mid + bytes([0xB0 | len(path)]) + path.encode() + \
        b"\x11\x2a\xff" + body


def test_acknowledges_known_and_unknown_alike():
    """Requests are answered in their order: with the last one's answer, the others' silence is proven."""
    with service() as lab:
        announced(lab, "device")
        known = bytes.fromhex(status(lab, "device")["enrollee_id"])
        point = bytes([9]) + bytes(31)
        requests = [coap_post("enroll", b"\x01" + point + hashlib.sha256(b"x").digest() + bytes(112), 1),
                    coap_post("channel", b"\x01" + bytes(10) + b"\x01" + bytes(40), 2),
                    coap_post("enroll", b"\x02" + bytes(176), 3),
                    coap_post("enroll", b"\x01" + point + bytes(31), 4),
                    coap_post("enroll", b"\x01" + point + known + bytes(112), 5)]
        got = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(30)
            s.connect(("127.0.0.1", lab.port))
            for r in requests:
                s.send(r)
            while len([g for g in got if g[1] == 0]) < 5 or len(got) < 6:
                got.append(s.recv(2048))
        acks = [g for g in got if g[1] == 0]
        answers = [g for g in got if g[1] != 0]
        assert sorted(acks) == [struct.pack(">BBH", 0x60, 0, mid) for mid in range(1, 6)], acks
        assert len(answers) == 1 and answers[0][0] == 0x54 and answers[0][1] == 0x44, answers
        assert answers[0][4:8] == b"tok\x05" and payload(answers[0]) == b"\x01\x01", answers


def test_tells_silence_from_absence():
    with service() as lab:
        lab.enrollee("device", "init")
        bundle = lab.json("bundle", "issue")["bundles"][0]["text"]
        enrolling = ["enroll", "--bundle", "-"]
        assert exit_code(lab, "device", *enrolling, *SILENCE, input=bundle) == TEMPORARY
        lab.stop("enrolld")
        assert exit_code(lab, "device", *enrolling, "--timeout", "4", input=bundle) == UNREACHABLE


def test_a_revoked_device_hears_nothing():
    with service() as lab:
        enroll(lab, "device")
        lab.ctl("enrollee", "revoke", status(lab, "device")["device_id"])
        assert exit_code(lab, "device", "ping", *SILENCE) == TEMPORARY


def test_survives_a_service_killed_and_restarted():
    with service() as lab:
        enroll(lab, "device")
        lab.enrollee("device", "ping")
        lab.stop("enrolld", sig=signal.SIGKILL)
        lab.start()
        lab.enrollee("device", "ping")
        compare_with_service(lab, "device")


def test_shows_no_secret():
    with service() as lab:
        enroll(lab, "device", "--verbose")
        lab.enrollee("device", "ping")
        with open(lab.path("device", "state")) as f:
            lines = dict(line.rstrip("\n").split(" ", 1) for line in f if " " in line)
        assert "eik" not in lines
        said = lab.enrollee("device", "status").stdout + lab.enrollee("device", "status", "--json").stdout + \
            lab.log_text("enrolld")
        for key in ["ik", "h", "traffic"]:
            for half in (lines[key][:64], lines[key][64:]):
                assert not half or half not in said


if __name__ == "__main__":
    harness.main(globals())
