"""The control socket of enrolld, byte by byte: Varlink calls, and what is none."""
import json
import socket


class Control:
    def __init__(self, lab):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(lab.path("control.sock"))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send_raw(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was cut off in the middle; ended() tells

    def ended(self):
        """The daemon has closed the connection without a word."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def receive(self):
        """The next message, None at the end of the connection."""
        while b"\0" not in self.rest:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def try_call(self, method, **parameters):
        if "." not in method:
            method = "org.enrolld.control." + method
        self.send_raw(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        return self.receive()

    def call(self, method, **parameters):
        reply = self.try_call(method, **parameters)
        assert reply is not None, "enrolld closed the connection"
        return reply
