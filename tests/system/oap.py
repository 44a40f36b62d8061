"""OAP version 1 by the specification (doc/protocols/oap.md) and by nothing else: a client and a server that share no code
with those that they talk to, and do wrong whatever a test wants of them.
"""
import hashlib
import hmac
import os
import struct
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

REQUEST, RESPONSE = 1, 2
PLAIN, P384, X25519 = 0, 1, 3
AUTH = 1


def sha(*parts):
    return hashlib.sha384(b"".join(parts)).digest()


def extract(salt, key):
    return hmac.digest(salt, key, "sha384")


def expand(key, info, length):
    out = block = b""
    for i in range(1, length // 48 + 2):
        block = hmac.digest(key, block + info + bytes([i]), "sha384")
        out += block
    return out[:length]


def context(name, qos):
    name = name.encode()
    return bytes([len(name)]) + name + qos


def sign(key, text):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(hashes.SHA384()))
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return key.sign(text)
    return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())


def verify(key, signature, text):
    """Raises InvalidSignature."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, text, ec.ECDSA(hashes.SHA384()))
    elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        key.verify(signature, text)
    else:
        key.verify(signature, text, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())


class Ephemeral:
    def __init__(self, suite):
        self.suite = suite
        self.key = ec.generate_private_key(ec.SECP384R1()) if suite == P384 else x25519.X25519PrivateKey.generate()

    @property
    def public(self):
        if self.suite == P384:
            return self.key.public_key().public_bytes(serialization.Encoding.X962,
                                                      serialization.PublicFormat.UncompressedPoint)
        return self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def agree(self, other):
        if self.suite == P384:
            return self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), other))
        return self.key.exchange(x25519.X25519PublicKey.from_public_bytes(other))


class Message:
    """One that was taken apart."""

    def __init__(self, data):
        self.version, self.type, self.suite, self.flags = data[:4]
        self.id = data[4:20]
        self.time, kex_len, self.reserved = struct.unpack_from(">QHH", data, 20)
        self.head = data[:32 + kex_len]
        self.kex = data[32:32 + kex_len]
        self.rest = data[32 + kex_len:]

    def take_body(self, body):
        certs_len, data_len = struct.unpack_from(">HH", body)
        self.certs, at = [], 4
        while at < 4 + certs_len:
            length, = struct.unpack_from(">H", body, at)
            self.certs.append(x509.load_der_x509_certificate(body[at + 2:at + 2 + length]))
            at += 2 + length
        self.data = body[at:at + data_len]
        self.sig = body[at + data_len:]
        self.signed = body[:at + data_len]


def header(kind, suite, auth, id, when, kex):
    return struct.pack(">BBBB16sQHH", 1, kind, suite, AUTH if auth else 0, id, when, len(kex), 0) + kex


def body(chain, data):
    certs = b""
    for certificate in chain:
        der = certificate if isinstance(certificate, bytes) else certificate.public_bytes(serialization.Encoding.DER)
        certs += struct.pack(">H", len(der)) + der
    return struct.pack(">HH", len(certs), len(data)) + certs + data


def now_ns():
    return time.time_ns()


class Keys:
    """The schedule of §3, from the agreed value on."""

    def __init__(self, ctx, request, head, z):
        self.th1 = sha(sha(ctx), sha(request), head)
        self.prk = extract(self.th1, z)
        self.reply = expand(self.prk, b"o7s v1 reply", 44)
        self.head = head

    def seal(self, clear):
        return AESGCM(self.reply[:32]).encrypt(self.reply[32:], clear, self.head)

    def open(self, sealed):
        return AESGCM(self.reply[:32]).decrypt(self.reply[32:], sealed, self.head)

    def finish(self, clear):
        master = expand(self.prk, b"o7s v1 master" + sha(self.th1, clear), 48)
        self.c2s, self.s2c = expand(master, b"o7s v1 c2s", 48), expand(master, b"o7s v1 s2c", 48)


class Client:
    """Makes one request at once. @chain, @kex, @label and @signer: what it says in place of what would be right."""

    def __init__(self, name, qos, credential=None, suite=X25519, data=b"", ahead=0, chain=None, kex=None, signer=None,
                 label=b"Ouroboros OAP v1 client"):
        self.ctx = context(name, qos)
        self.ephemeral = Ephemeral(suite)
        head = header(REQUEST, suite, credential is not None, os.urandom(16), now_ns() + int(ahead * 10**9),
                      self.ephemeral.public if kex is None else kex)
        unsigned = head + body([] if credential is None else chain or credential.chain, data)
        self.request = unsigned
        if credential is not None:
            self.request += sign(signer or credential.key, label + b"\0" + sha(self.ctx) + sha(unsigned))

    def take(self, response):
        """The message, opened and with its signature verified; sets .keys."""
        m = Message(response)
        self.keys = Keys(self.ctx, self.request, m.head, self.ephemeral.agree(m.kex))
        clear = self.keys.open(m.rest)
        self.keys.finish(clear)
        m.take_body(clear)
        if m.flags & AUTH:
            text = b"Ouroboros OAP v1 server\0" + sha(self.ctx) + sha(self.request) + sha(m.head, m.signed)
            verify(m.certs[0].public_key(), m.sig, text)
        return m


class Server:
    """Answers one request, whoever it is from. @label, @signer: as with Client; @when: its timestamp."""

    def __init__(self, name, qos, request, credential=None, data=b"", signer=None, label=b"Ouroboros OAP v1 server",
                 when=None, chain=None):
        ctx = context(name, qos)
        asked = Message(request)
        ephemeral = Ephemeral(asked.suite)
        head = header(RESPONSE, asked.suite, credential is not None, asked.id, now_ns() if when is None else when,
                      ephemeral.public)
        clear = body([] if credential is None else chain or credential.chain, data)
        if credential is not None:
            text = label + b"\0" + sha(ctx) + sha(request) + sha(head, clear)
            clear += sign(signer or credential.key, text)
        self.keys = Keys(ctx, request, head, ephemeral.agree(asked.kex))
        self.response = head + self.keys.seal(clear)
        self.keys.finish(clear)
