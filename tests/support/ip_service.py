"""enrolld for enrollees by IP, with its database in view and the enrollees' messages in hand."""
import base64
import contextlib
import socket
import subprocess

import coap_raw
from books import Books
from coap_raw import Peer
from lab import Lab


def text_of(prefix, raw):
    return prefix + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def raw_of(text):
    text = text.split(":", 1)[1]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Service(Lab):
    """enrolld whose bundles name a socket of ours: what enrollees send to it is kept and goes nowhere."""

    def __init__(self, env=None, **enroll):
        super().__init__()
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.bind(("127.0.0.1", 0))
        self.conf["coap"]["port"] = str(self.sink.getsockname()[1])
        self.conf["enroll"] = {k: str(v) for k, v in enroll.items()}
        self.init()
        self.start(env=env)
        self.books = Books(self.path("enrolld.db"))

    def __exit__(self, kind, value, trace):
        if kind is None:
            assert self.stop("enrolld") == 0, self.log_text("enrolld")  # it has survived all of it
        super().__exit__(kind, value, trace)

    def close(self):
        self.sink.close()
        super().close()

    def announced(self, name, *args):
        """(key, bundle) of a new device that is expected."""
        key = self.enrollee(name, "init").stdout.splitlines()[0]
        bundle = self.json("bundle", "issue")["bundles"][0]
        self.ctl("enrollee", "announce", key, "--bundle", bundle["id"], "--name", name, *args)
        return key, bundle

    def drain(self):
        self.sink.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.sink.recv(2048)

    def message_of(self, name, text):
        """The 177 bytes that the real enrollee sends for this bundle."""
        self.drain()  # the last one may have resent
        p = subprocess.Popen([self.program("enrollee"), "--state", self.path(name), "enroll", "--bundle", "-"],
                             stdin=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        p.stdin.write(text + "\n")
        p.stdin.close()
        self.sink.settimeout(20)
        try:
            message = coap_raw.Answer(self.sink.recv(2048)).payload
        finally:
            p.kill()
            p.wait()
        assert len(message) == 177 and message[0] == 1, message.hex()
        return message

    def device(self, name):
        return self.message_of(name, self.announced(name)[1]["text"])

    def witness(self):
        """An accepted message: its repeat gets an answer always, and costs its id nothing."""
        message = self.device("witness")
        return message, self.accepts(message)

    def accepts(self, message):
        """The answer to an enrollment message that must be accepted."""
        with Peer(self.port, "127.0.0.99") as peer:
            mid = peer.send(message)
            answer = peer.receive(lambda a: a.code != 0 and a.token == Peer.token(mid))[-1]
        assert answer.code == coap_raw.CHANGED and answer.payload[:2] == b"\x01\x00", answer.datagram.hex()
        return answer.payload

    def is_silent_to(self, message, witness):
        with Peer(self.port, "127.0.0.98") as peer:
            said, _ = peer.exchange(witness, {"payload": message})
        return not said[0]

    def refused(self, status, *args, says=(), **kw):
        """enrollctl refuses with this exit status, in words, and the books are the same after it."""
        before = self.books.all()
        r = self.ctl(*args, check=False, **kw)
        assert r.returncode == status, (args, r.returncode, r.stderr)
        assert r.stderr.startswith("enrollctl: ") and r.stderr.replace("\n", "").isprintable(), r.stderr
        for word in [says] if isinstance(says, str) else says:
            assert word in r.stderr, (args, word, r.stderr)
        self.books.same(before, args)
        return r.stderr
