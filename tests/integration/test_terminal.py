#!/usr/bin/python3
"""enrollctl terminal: the vendor's lines in, its JSON lines out, byte for byte, with simulated nodes behind them."""
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import BUILD, wait_until  # noqa: E402
from meshlab import NEAR, Building, expect, main, member, network_keys, node, node_key  # noqa: E402

A, B, C = "FMBBF", "FMBBG", "FMBBH"
OK = b'{"type":"error","code":0,"text":"OK"}\r\n'
WRONG = b'{"type":"error","code":2,"text":"Wrong Arguments"}\r\n'


def colons(key):
    return ":".join(key[i:i + 2] for i in range(0, 32, 2)).upper()


def keys(serial, network=480):
    own = network_keys(network)
    return " ".join(colons(k) for k in (own["network_key"], own["user_base_key"], own["organization_key"],
                                        node_key(serial)))


class Terminal:
    def __init__(self, lab, *options):
        self.p = subprocess.Popen([lab.program("enrollctl"), "--socket", lab.path("control.sock"), "terminal", *options],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.p.kill()
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            f.close()
        self.p.wait()

    def send(self, line, end="\r"):
        self.p.stdin.write((line + end).encode())

    def line(self, timeout=60):
        until = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.p.stdout], [], [], max(0, until - time.monotonic()))
            expect(ready, "no line came, only %r" % self.buffer)
            data = self.p.stdout.read(4096)
            expect(data, "terminal has ended")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def expects(self, *wanted):
        for w in wanted:
            got = self.line()
            expect(got == w, "%r is not %r" % (got, w))

    def asks(self, line, *wanted, end="\r"):
        self.send(line, end)
        self.expects(*wanted)

    def close(self):
        self.p.stdin.close()
        return self.p.wait(30)


def test_enrolls_and_removes_byte_for_byte():
    with Building([node(A, NEAR)]) as b, Terminal(b) as t:
        enroll = "action 0 enroll basic %s 77 480 %s 10 1 42" % (A, keys(A))
        answer = b'{"nodeId":77,"type":"enroll_response_serial","module":5,"requestId":42,"serialNumber":"FMBBF","code":0}\r\n'
        t.asks(enroll, OK, answer)
        n = b.wait_joined(A)[0]
        expect(n["node_id"] == 77 and n["network_id"] == 480, n)
        t.asks(enroll, OK, answer)  # the node that has it already answers OK as well
        t.asks("action 0 enroll remove %s 7" % A, OK,
               b'{"nodeId":77,"type":"remove_enroll_response_serial","module":5,"requestId":7,'
               b'"serialNumber":"FMBBF","code":0}\r\n')
        expect(not b.nodes_now()[A]["enrolled"], "it is gone")
        expect(t.close() == 0, "all went well")
        expect(len(b.audit("node_added")) == 1 and b.audit("node_added")[0]["node_id"] == 77, "audited")


def test_a_nodes_refusal_is_printed_with_its_code():
    with Building([member(C, 481, 5)]) as b, Terminal(b) as t:
        t.asks("action 0 enroll basic %s 78 480 %s 10 1 9" % (C, keys(C)), OK,
               b'{"nodeId":78,"type":"enroll_response_serial","module":5,"requestId":9,"serialNumber":"FMBBH","code":16}\r\n')
        b.wait_over(C, "failed")
        expect(t.close() == 0, "an answer is no failure of the terminal")


def test_sets_the_network_of_an_asset():
    with Building([node(A, NEAR, type="asset")], networks=(480, 481)) as b, Terminal(b) as t:
        enroll = "action 0 enroll basic %s 33007 480 %s 10 1 5" % (A, keys(A))
        t.asks(enroll, OK, b'{"nodeId":33007,"type":"enroll_response_serial","module":5,"requestId":5,'
               b'"serialNumber":"FMBBF","code":0}\r\n')
        b.wait_joined(A)
        t.asks("action 33007 enroll set_network 481 9", OK,
               b'{"nodeId":33007,"type":"set_network_response","code":0,"module":5,"requestHandle":9}\r\n')
        expect(b.nodes_now()[A]["network_id"] == 481, "it speaks to the other network")
        expect(b.show(A)["preferred_network"] == 481, "in the books")


def test_proposals_come_as_they_are_heard():
    with Building([member(C, 480, 5), node(A), node(B)]) as b, Terminal(b) as t:
        wait_until("the gateway node", lambda: b.json("status")["mesh"]["link_state"] == "connected")
        t.asks("action 0 enroll request_proposals %s %s" % (A, B), OK)
        expected = {b'{"nodeId":5,"type":"request_proposals_response","serialNumber":"%s","module":5,'
                    b'"requestHandle":0}\r\n' % s.encode() for s in (A, B)}
        expect({t.line(), t.line()} == expected, "one line a serial")


def test_ids_and_keys_are_guarded():
    with Building([]) as b, Terminal(b) as t:
        t.asks("action 0 enroll basic %s 77 480 %s" % (A, keys(A)), OK, end="\r\n")
        t.asks("action 0 enroll basic %s 77 480 %s" % (B, keys(B)), WRONG)  # reserved for another serial
        t.asks("action 0 enroll basic %s 78 480 %s" % (B, keys(B, 481)), WRONG)  # not this network's keys
        t.asks("action 0 enroll basic %s 78 481" % B, WRONG)  # no such network
        t.asks("action 0 enroll basic %s 2000 480" % B, WRONG)
        t.asks("action 0 enroll basic %s 78 480" % B, OK)  # its key is not known: 16 x FF
        t.asks("action 0 enroll basic %s 79 480" % A, WRONG)  # it has another id
        t.asks("action 0 enroll set_network 480", WRONG)  # which asset?
        t.asks("action 0 enroll remove %s" % C, WRONG)
        expect([n["node_id"] for n in b.json("node", "list")["nodes"]] == [77, 78], "two nodes")
        t.asks("action 0 enroll remove %s 1" % A, OK,
               b'{"nodeId":77,"type":"remove_enroll_response_serial","module":5,"requestId":1,'
               b'"serialNumber":"FMBBF","code":0}\r\n')


def test_refused_lines_get_the_vendors_error_lines():
    with Building([]) as b, Terminal(b) as t:
        t.asks("get_plugged_in", b'{"type":"error","code":1,"text":"Command not found: get_plugged_in"}\r\n')
        t.asks("action 0 node reset 5", b'{"type":"error","code":1,"text":"Command not found: action 0 node reset 5"}\r\n')
        t.asks("action 0 enroll basic BBBBB 1", b'{"type":"error","code":4,"text":"Too few arguments"}\r\n')
        t.asks("action 0 enroll remove BBBBB 1 2", b'{"type":"error","code":3,"text":"Too many arguments"}\r\n')
        t.asks("action 0 enroll basic BBBBB 0 480", WRONG)
        secret = colons(node_key(A))
        t.asks("unknown " + secret, b'{"type":"error","code":1,"text":"Command not found: unknown *"}\r\n')
        t.send("x" * 20000)
        expect(b'"code":3' in t.line(), "too long")
        t.asks('a"b\\c', b'{"type":"error","code":1,"text":"Command not found: a?b?c"}\r\n')
        t.asks("a\x1b[2J", WRONG)
        t.asks("action 0 enroll remove FMBBZ", WRONG)
        expect(t.close() == 66, "the first refusal by the service is the exit status")
        expect(b.json("node", "list")["nodes"] == [], "nothing was done")


def memory(pid):
    """All that the process can write to: heap, stack, data. It lives: a mapping may be gone before it is read."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for row in maps:
            span, rights, _, _, _, *name = row.split()
            if not rights.startswith("rw") or name[:1] == ["[vvar]"]:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            mem.seek(start)
            with contextlib.suppress(OSError):
                yield " ".join(name) or "anonymous", mem.read(end - start)


def places_of(pid, key):
    forms = (key.encode(), key.upper().encode(), colons(key).encode(), bytes.fromhex(key))
    return [where for where, what in memory(pid) if any(form in what for form in forms)]


def goes_from(pid, key):
    """It is wiped after the answer was said, which may be a moment later."""
    wait_until("%s to go from %d" % (key[:4], pid), lambda: not places_of(pid, key))


def test_no_key_stays_in_its_memory():
    own = network_keys(480)
    with Building([]) as b, Terminal(b) as t:
        line = "action 0 enroll basic %s 77 480 %s" % (A, keys(A))
        t.asks(line, OK)
        t.send("acton" + line)
        expect(b"* * * *" in t.line(), "an unknown command, without its keys")
        for key in (own["network_key"], own["user_base_key"], own["organization_key"], node_key(A)):
            goes_from(t.p.pid, key)


def test_of_all_keys_only_the_sessions_own_stays_in_the_service():
    own = network_keys(480)
    with Building([member(C, 480, 1), node(A, NEAR)]) as b, Terminal(b) as t:
        t.asks("action 0 enroll basic %s 77 480 %s 10 1 42" % (A, keys(A)), OK)
        b.wait_joined(A)
        expect(node_key(A).upper() in b.ctl("node", "label", A).stdout, "an administrator may see it")
        expect(own["user_base_key"] in b.ctl("network", "show", "480", "--reveal-keys").stdout, "and these")
        pid = b.processes["enrolld"].pid
        expect(places_of(pid, own["network_key"]), "of the session that is open: a search that finds what is there")
        for key in (own["user_base_key"], own["organization_key"], node_key(A), node_key(C)):
            goes_from(pid, key)


class Service:
    """As much of enrolld as a line for an asset asks for; its list of nodes comes in pages."""

    def __init__(self, pages):
        self.pages, self.moved = pages, []
        self.dir = tempfile.TemporaryDirectory(prefix="enrolld-pages-")
        self.path = os.path.join(self.dir.name, "control.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()
        self.dir.cleanup()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=self.listener.accept()[:1], daemon=True).start()
        except OSError:
            pass

    def serve(self, conn):
        data = b""
        with conn:
            while chunk := conn.recv(65536):
                *calls, data = (data + chunk).split(b"\0")
                for call in map(json.loads, calls):
                    conn.sendall(json.dumps(self.answer(call)).encode() + b"\0")

    def answer(self, call):
        name, p = call["method"].split(".")[-1], call.get("parameters", {})
        if name == "Watch":
            return {"parameters": {"event": "watching"}, "continues": True}
        if name == "NodeSetNetwork":
            self.moved.append(p["serial"])
            return {"parameters": {"node": {"serial": p["serial"], "state": "located"}}}
        at = int(p.get("after", 0))
        more = at + 1 < len(self.pages)
        return {"parameters": {"nodes": self.pages[at], "next": str(at + 1) if more else None}}


def test_a_last_line_that_is_too_long_is_answered():
    too_many = b'{"type":"error","code":3,"text":"Too many arguments"}\r\n'
    with Service([[]]) as s:
        for n in (301, 4094, 4095, 4096, 8190, 20000):  # some fill the buffer to the last byte
            expect(lines_of(s, "x" * n) == too_many, "%d bytes" % n)


def asset(serial, node_id):
    return {"serial": serial, "node_id": node_id, "device_type": "asset", "state": "joined"}


def lines_of(service, line):
    p = subprocess.run([os.path.join(BUILD, "enrollctl"), "--socket", service.path, "terminal", "--timeout", "1s"],
                       input=line.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return p.stdout


def test_an_asset_is_looked_for_among_all_nodes():
    others = [dict(asset("FMBC%s" % c, 1), device_type="static") for c in "BCD"]
    with Service([others, [asset(A, 33000)], others, [asset(B, 33001)], []]) as s:
        expect(lines_of(s, "action 33001 enroll set_network 480\r") == OK, "it is on the fourth page")
        expect(s.moved == [B], s.moved)
        expect(lines_of(s, "action 0 enroll set_network 480\r") == WRONG, "there are two: which one?")
        expect(s.moved == [B], s.moved)


if __name__ == "__main__":
    main(globals())
