"""Profile 1 of OP-0006, written from the specification, sharing no code with enrolld: X25519, HKDF, AES-GCM by
python3-cryptography, signatures by python3-xeddsa."""
import base64
import os
import struct

import xeddsa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INFO = b"X3DH_25519_AESGCM_SHA256" + bytes(8)
P = 2 ** 255 - 19
PING, PONG, APPLICATION = 0, 1, 2


class Refused(Exception):
    """A message that must not be accepted; args[0] is the cause."""


def sha256(data):
    h = hashes.Hash(hashes.SHA256())
    h.update(data)
    return h.finalize()


def hkdf(salt, ikm, info, length):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(ikm)


def public_of(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(private, public):
    """Raises Refused on an all-zero result."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as e:
        raise Refused("DH_ZERO") from e


class KeyPair:
    def __init__(self, private=None):
        self.private = private or os.urandom(32)
        self.public = public_of(self.private)


def is_canonical(u):
    return int.from_bytes(u, "little") < P


def sign(private, message, z=None):
    """XEdDSA: an Ed25519 signature under the key with sign bit 0."""
    return xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(private, False), message, z or os.urandom(64))


def verify(public, message, signature):
    return is_canonical(public) and xeddsa.ed25519_verify(
        signature, xeddsa.curve25519_pub_to_ed25519_pub(public, False), message)


# --- key schedule ---------------------------------------------------------------------------------

class Session:
    """What both sides hold: SK (to be compared, then forgotten), h and T."""

    def __init__(self, dhs, info=INFO):
        ikm = b"\xff" * 32 + b"".join(dhs)
        self.sk = hkdf(bytes(32), ikm, info, 32)
        self.h = sha256(info + ikm)
        self.t = hkdf(self.h, self.sk, b"OP-0006 traffic\x01", 64)
        self.ik_b = None


def _aad(header, info, addr, session):
    return header + info + addr + session.h


class Bundle:
    """174 + n bytes."""

    def __init__(self, ik, spk, signature, opk, addr, spk_id=1, expires_at=0):
        self.ik, self.spk, self.signature, self.opk = ik, spk, signature, opk
        self.addr, self.spk_id, self.expires_at = addr, spk_id, expires_at

    def encode(self):
        return (struct.pack("<BIQ", 1, self.spk_id, self.expires_at) + self.ik + self.spk + self.signature + self.opk
                + bytes([len(self.addr)]) + self.addr)

    @classmethod
    def decode(cls, b):
        if len(b) < 175 or b[0] != 1 or len(b) != 174 + b[173]:
            raise Refused("BUNDLE")
        _, spk_id, expires_at = struct.unpack_from("<BIQ", b)
        return cls(b[13:45], b[45:77], b[77:141], b[141:173], b[174:], spk_id, expires_at)

    def text(self):
        return "enr1:" + base64.urlsafe_b64encode(self.encode()).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text):
        return cls.decode(_unbase64(text, "enr1:"))

    def check(self):
        if not all(map(is_canonical, (self.ik, self.spk, self.opk))) or not verify(self.ik, self.spk, self.signature):
            raise Refused("BUNDLE")
        if not self.addr.endswith(b"#" + sha256(self.ik)[:16].hex().encode()):
            raise Refused("BUNDLE")

    def id(self):
        return sha256(self.opk)[:8].hex()


def _unbase64(text, tag):
    if not text.startswith(tag):
        raise Refused("TEXT")
    body = text[len(tag):]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def key_text(eik_public):
    return "enk1:" + base64.urlsafe_b64encode(b"\x01" + eik_public).rstrip(b"=").decode()


def parse_key_text(text):
    b = _unbase64(text, "enk1:")
    if len(b) != 33 or b[0] != 1:
        raise Refused("TEXT")
    return b[1:]


class Enrollee:
    """eik is the one-time key, ik the identity; ek lives for one message."""

    def __init__(self):
        self.eik, self.ik = KeyPair(), KeyPair()

    def build(self, bundle, ek=None, z=None, info=INFO):
        """The 177 bytes of a request, and the session."""
        ek = ek or KeyPair()
        session = Session([dh(self.eik.private, bundle.spk), dh(ek.private, bundle.ik),
                           dh(ek.private, bundle.spk), dh(ek.private, bundle.opk)], info)
        session.ik_b = self.ik.public
        header = ek.public + sha256(self.eik.public)
        plain = self.ik.public + sign(self.ik.private, self.eik.public, z)
        sealed = AESGCM(session.sk).encrypt(ek.public[:12], plain, _aad(header, info, bundle.addr, session))
        return b"\x01" + header + sealed, session


class Service:
    """One identity, one signed prekey, any number of one-time prekeys."""

    def __init__(self, addr):
        self.ik, self.spk = KeyPair(), KeyPair()
        self.addr = addr.encode() + b"#" + sha256(self.ik.public)[:16].hex().encode()
        self.signature = sign(self.ik.private, self.spk.public)
        self.pending = {}

    def issue(self):
        opk = KeyPair()
        return opk, Bundle(self.ik.public, self.spk.public, self.signature, opk.public, self.addr)

    def announce(self, eik_public, opk):
        self.pending[sha256(eik_public)] = (eik_public, opk)

    def accept(self, request, info=INFO):
        """The session, or Refused."""
        if len(request) != 177 or request[0] != 1:
            raise Refused("MALFORMED")
        ek, ident, sealed = request[1:33], request[33:65], request[65:]
        if not is_canonical(ek):
            raise Refused("EK_NONCANONICAL")
        if ident not in self.pending:
            raise Refused("UNKNOWN_ID")
        eik, opk = self.pending[ident]
        session = Session([dh(self.spk.private, eik), dh(self.ik.private, ek),
                           dh(self.spk.private, ek), dh(opk.private, ek)], info)
        try:
            plain = AESGCM(session.sk).decrypt(ek[:12], sealed, _aad(ek + ident, info, self.addr, session))
        except InvalidTag as e:
            raise Refused("DECRYPT") from e
        if not verify(plain[:32], eik, plain[32:]):
            raise Refused("BAD_SIGNATURE")
        session.ik_b = plain[:32]
        return session


# --- answer ---------------------------------------------------------------------------------------

REJECTION = b"\x01\x01"


def seal_answer(session, enrolled_at, welcome=b""):
    head = b"\x01\x00"
    plain = struct.pack("<Q", enrolled_at) + welcome
    return head + AESGCM(session.t[32:]).encrypt(bytes(12), plain, head + session.h)


def open_answer(session, frame):
    """(enrolled_at, welcome), or Refused."""
    if frame == REJECTION:
        raise Refused("REJECTED")
    if len(frame) < 26 or frame[:2] != b"\x01\x00":
        raise Refused("ANSWER")
    try:
        plain = AESGCM(session.t[32:]).decrypt(bytes(12), frame[2:], frame[:2] + session.h)
    except InvalidTag as e:
        raise Refused("ANSWER") from e
    return struct.unpack_from("<Q", plain)[0], plain[8:]


# --- channel --------------------------------------------------------------------------------------

class Channel:
    """One end; seals with its own half of T and opens with the other."""

    def __init__(self, session, is_service):
        self.h, self.t, self.is_service = session.h, session.t, is_service
        self.device = sha256(session.ik_b)[:8]
        self.epoch = self.sent = self.newest = 0

    def _key(self, from_service):
        return AESGCM(self.t[32:] if from_service else self.t[:32])

    def raise_epoch(self):
        self.t = hkdf(self.h, self.t, b"OP-0006 rekey\x01", 64)
        self.epoch += 1
        self.sent = self.newest = 0

    def seal(self, plain):
        self.sent += 1
        head = struct.pack("<BH8sQ", 1, self.epoch, self.device, self.sent)
        nonce = struct.pack("<Q", self.sent) + bytes(4)
        return head + self._key(self.is_service).encrypt(nonce, plain, head + self.h)

    def open(self, frame):
        version, epoch, device, counter = struct.unpack_from("<BH8sQ", frame)
        if version != 1 or device != self.device or counter <= self.newest:
            raise Refused("FRAME")
        if self.is_service and epoch == self.epoch + 1:
            self.raise_epoch()
        if epoch != self.epoch:
            raise Refused("EPOCH")
        try:
            plain = self._key(not self.is_service).decrypt(
                struct.pack("<Q", counter) + bytes(4), frame[19:], frame[:19] + self.h)
        except InvalidTag as e:
            raise Refused("FRAME") from e
        self.newest = counter
        return plain


# --- sealed column (design of the store) ------------------------------------------------------------

def unseal(key, column, rowid, blob):
    if blob[0] != 1:
        raise Refused("SEALED")
    return AESGCM(key).decrypt(blob[5:17], blob[17:], column.encode() + b"\0" + struct.pack("<q", rowid))
