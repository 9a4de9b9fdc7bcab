"""CoAP (RFC 7252) packets made by hand, also wrong ones, and what comes back to them. Standard library only."""
import select
import socket
import struct
import time

CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE = 1, 2, 3, 4
CHANGED = 0x44
URI_PATH, CONTENT_FORMAT, BLOCK1 = 11, 12, 27
OCTET_STREAM = b"\x2a"
PORTION = 32  # requests that surely fit the receiver's socket buffer


def option(delta, value):
    assert delta < 13 and len(value) < 13
    return bytes([delta << 4 | len(value)]) + value


def options(*pairs):
    """(number, value) in ascending order; deltas of 13 and more take their extra byte."""
    out, last = b"", 0
    for number, value in pairs:
        delta = number - last
        if delta < 13:
            out += option(delta, value)
        else:
            out += bytes([13 << 4 | len(value), delta - 13]) + value
        last = number
    return out


def packet(mid, token, payload=b"", kind=CON, code=POST, path="enroll", content_format=OCTET_STREAM, extra=()):
    pairs = [(URI_PATH, path.encode())]
    if content_format is not None:
        pairs.append((CONTENT_FORMAT, content_format))
    head = struct.pack(">BBH", 0x40 | kind << 4 | len(token), code, mid) + token
    return head + options(*pairs, *extra) + (b"\xff" + payload if payload else b"")


class Answer:
    def __init__(self, datagram):
        first, self.code, self.mid = struct.unpack_from(">BBH", datagram)
        if first >> 6 != 1 or first & 15 > 8:
            raise ValueError("not CoAP: " + datagram.hex())
        self.kind = first >> 4 & 3
        self.token = datagram[4:4 + (first & 15)]
        rest = datagram[4 + len(self.token):]
        self.payload = rest[rest.index(b"\xff") + 1:] if b"\xff" in rest else b""
        self.datagram = datagram


class Peer:
    """One UDP socket. source: an address of 127.0.0.0/8, each has a token bucket of its own."""

    def __init__(self, port, source="127.0.0.1"):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", port))
        self.mid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, payload=b"", **kw):
        """Returns the message id; the token is made of it."""
        self.mid += 1
        self.sock.send(packet(self.mid, self.token(self.mid), payload, **kw))
        return self.mid

    @staticmethod
    def token(mid):
        return struct.pack(">H", mid)

    def receive(self, until, timeout=10.0):
        """Answers until until(answer) is true for one; that one is the last."""
        got, end = [], time.monotonic() + timeout
        while not got or not until(got[-1]):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no answer; so far %r" % [a.datagram.hex() for a in got])
            got.append(Answer(self.sock.recv(2048)))
        return got

    def exchange(self, witness, *requests):
        """Sends the requests, each a dict for send(), then a message whose answer is certain. Requests are
        answered in their order, so with the witness' answer the silence to the others is proven.
        Returns {index of the request: [answers with a code]}, {index: empty ACK or RST or None}."""
        mids, got = [], []
        for at in range(0, len(requests), PORTION):
            mids += [self.send(**r) for r in requests[at:at + PORTION]]
            token = self.token(self.send(witness))
            got += self.receive(lambda a: a.code != 0 and a.token == token)
        said = {i: [a for a in got if a.code != 0 and a.token == self.token(mid)] for i, mid in enumerate(mids)}
        empty = {i: next((a for a in got if a.code == 0 and a.mid == mid), None) for i, mid in enumerate(mids)}
        return said, empty
