"""As much CoAP (RFC 7252) over UDP as enrollment needs: confirmable POSTs, empty ACKs, separate responses, both
ends. Standard library only."""
import os
import select
import socket
import struct
import time

CON, NON, ACK, RST = 0, 1, 2, 3
POST, CHANGED = 0x02, 0x44
URI_PATH, CONTENT_FORMAT = 11, 12
OCTET_STREAM = 42


class Message:
    def __init__(self, kind, code, mid, token=b"", options=(), payload=b""):
        self.kind, self.code, self.mid, self.token = kind, code, mid, token
        self.options, self.payload = list(options), payload

    def path(self):
        return "/".join(value.decode() for number, value in self.options if number == URI_PATH)

    def encode(self):
        out = bytearray(struct.pack("!BBH", 0x40 | self.kind << 4 | len(self.token), self.code, self.mid))
        out += self.token
        last = 0
        for number, value in sorted(self.options, key=lambda o: o[0]):
            delta, length = number - last, len(value)
            assert delta < 13 and length < 13 + 256
            out.append(delta << 4 | min(length, 13))
            if length >= 13:
                out.append(length - 13)
            out += value
            last = number
        if self.payload:
            out += b"\xff" + self.payload
        return bytes(out)

    @classmethod
    def decode(cls, b):
        first, code, mid = struct.unpack_from("!BBH", b)
        if first >> 6 != 1:
            raise ValueError("not CoAP")
        token_len = first & 15
        token, at, number, options = b[4:4 + token_len], 4 + token_len, 0, []

        def extend(nibble, at):
            if nibble == 13:
                return b[at] + 13, at + 1
            if nibble == 14:
                return struct.unpack_from("!H", b, at)[0] + 269, at + 2
            return nibble, at

        while at < len(b) and b[at] != 0xff:
            delta, length = b[at] >> 4, b[at] & 15
            delta, at = extend(delta, at + 1)
            length, at = extend(length, at)
            number += delta
            options.append((number, b[at:at + length]))
            at += length
        return cls(first >> 4 & 3, code, mid, token, options, b[at + 1:])


class Client:
    """One socket, one exchange at a time."""

    def __init__(self, address, source=None):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(address)
        self.mid = struct.unpack("!H", os.urandom(2))[0]
        self.forbidden = set()  # tokens of requests that must meet silence

    def close(self):
        self.sock.close()

    def post(self, path, payload, timeout=30.0, silent=False):
        """The payload of the response, None if there was none in time. Sets self.acknowledged. silent: the ACK is all
        that may come; returns None as soon as it is there, and whoever posts next raises if more has come: requests are
        answered in their order, so the next one's answer is the witness."""
        self.mid = self.mid + 1 & 0xffff
        token = os.urandom(4)
        request = Message(CON, POST, self.mid, token,
                          [(URI_PATH, path.encode()), (CONTENT_FORMAT, bytes([OCTET_STREAM]))], payload)
        self.acknowledged = False
        if silent:
            self.forbidden.add(token)
        self.sock.send(request.encode())
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None
            reply = Message.decode(self.sock.recv(2048))
            if reply.kind == ACK and reply.mid == self.mid:
                self.acknowledged = True
            if reply.code != 0 and reply.token in self.forbidden:
                raise ValueError("what must meet silence was answered: %s" % reply.payload.hex())
            if reply.kind == CON:
                self.sock.send(Message(ACK, 0, reply.mid).encode())
            if silent and self.acknowledged:
                return None
            if reply.code == 0 or reply.token != token:
                continue
            if reply.code != CHANGED:
                raise ValueError("response code %d.%02d" % (reply.code >> 5, reply.code & 31))
            formats = [value for number, value in reply.options if number == CONTENT_FORMAT]
            if formats != [bytes([OCTET_STREAM])]:
                raise ValueError("content format %r" % formats)
            return reply.payload


class Server:
    """Answers POSTs by handler(path, payload) -> list of payloads (none: silence), sent as separate
    non-confirmable responses, or as one piggybacked response when piggyback is set."""

    def __init__(self, handler, piggyback=False):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.handler, self.piggyback = handler, piggyback
        self.port = self.sock.getsockname()[1]
        self.mid = 0

    def close(self):
        self.sock.close()

    def serve_once(self, timeout=0.2):
        if not select.select([self.sock], [], [], timeout)[0]:
            return
        data, peer = self.sock.recvfrom(2048)
        request = Message.decode(data)
        if request.kind in (ACK, RST) or request.code != POST:
            return
        answers = self.handler(request.path(), request.payload)
        if request.kind == CON and self.piggyback and answers:
            self._send(Message(ACK, CHANGED, request.mid, request.token), answers[0], peer)
            return
        if request.kind == CON:
            self.sock.sendto(Message(ACK, 0, request.mid).encode(), peer)
        for payload in answers:
            self.mid = self.mid + 1 & 0xffff
            self._send(Message(NON, CHANGED, self.mid, request.token), payload, peer)

    def _send(self, message, payload, peer):
        message.options = [(CONTENT_FORMAT, bytes([OCTET_STREAM]))]
        message.payload = payload
        self.sock.sendto(message.encode(), peer)
