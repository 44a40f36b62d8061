#!/usr/bin/env python3
"""Known answers for OAP version 1 (doc/protocols/oap.md): whole messages, and every value on the way to them.

    make_oap.py [--check] [FILE]

Writes FILE (oap.json beside this script), or with --check says whether it is what it would write. Nothing of the implementation
is used: SHA-384, HMAC and the cursor are Python's, curves, AES-GCM and certificates those of python3-cryptography.
Everything is derived from fixed bytes, and all signatures are Ed25519, so the file is the same every time.
"""
import datetime
import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat, PublicFormat)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

REQUEST, RESPONSE = 1, 2
PLAIN, P384, X25519 = 0, 1, 3
SUITES = {PLAIN: "plain", P384: "p384", X25519: "x25519"}
NAME = "time.example"
QOS = bytes(range(30))  # opaque to OAP: what the layers below carry
NOW_NS = 1_800_000_000 * 10**9 + 123_456_789


def fixed(label, n):
    """@n bytes that nobody would take for anything else."""
    return hashlib.shake_256(b"o7s oap vectors: " + label.encode()).digest(n)


def sha(*parts):
    return hashlib.sha384(b"".join(parts)).digest()


def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha384).digest()


def expand(prk, info, n):
    out, block, i = b"", b"", 1
    while len(out) < n:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha384).digest()
        out, i = out + block, i + 1
    return out[:n]


# -- certificates ---------------------------------------------------------------


class Identity:
    def __init__(self, label, subject, names=None, purpose=None, issuer=None):
        self.key = Ed25519PrivateKey.from_private_bytes(fixed("key " + label, 32))
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        by = issuer or self
        builder = (x509.CertificateBuilder().subject_name(self.subject).issuer_name(by.subject)
                   .public_key(self.key.public_key()).serial_number(int.from_bytes(fixed("serial " + label, 8), "big") >> 1)
                   .not_valid_before(datetime.datetime(2026, 1, 1)).not_valid_after(datetime.datetime(2036, 1, 1))
                   .add_extension(x509.BasicConstraints(ca=issuer is None or names is None, path_length=None), True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), False)
                   .add_extension(x509.KeyUsage(names is not None, False, False, False, False, names is None, False, False,
                                                False), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        self.der = builder.sign(by.key, None).public_bytes(Encoding.DER)

    def private(self):
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


ROOT = Identity("root", "Vectors root")
MIDDLE = Identity("middle", "Vectors intermediate", issuer=ROOT)
SERVER = Identity("server", "A server", [x509.DNSName(NAME)], ExtendedKeyUsageOID.SERVER_AUTH, MIDDLE)
CLIENT = Identity("client", "A client", [x509.RFC822Name("alice@example")], ExtendedKeyUsageOID.CLIENT_AUTH, MIDDLE)


# -- key exchange -----------------------------------------------------------------


class Ephemeral:
    def __init__(self, suite, label):
        self.suite = suite
        self.private = fixed(f"ephemeral {SUITES[suite]} {label}", 48 if suite == P384 else 32)
        if suite == P384:
            self.key = ec.derive_private_key(int.from_bytes(self.private, "big") >> 1, ec.SECP384R1())
            self.private = self.key.private_numbers().private_value.to_bytes(48, "big")
            self.public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        elif suite == X25519:
            self.key = X25519PrivateKey.from_private_bytes(self.private)
            self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            self.private = self.public = b""

    def agree(self, public):
        if self.suite == P384:
            return self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), public))
        return self.key.exchange(X25519PublicKey.from_public_bytes(public))


# -- messages ---------------------------------------------------------------------


def header(kind, suite, auth, oap_id, timestamp, kex):
    return struct.pack(">BBBB16sQHH", 1, kind, suite, 1 if auth else 0, oap_id, timestamp, len(kex), 0) + kex


def body(identity, data):
    chain = [identity.der, MIDDLE.der] if identity else []
    certs = b"".join(struct.pack(">H", len(der)) + der for der in chain)
    return struct.pack(">HH", len(certs), len(data)) + certs + data


def case(suite, authentication):
    client = CLIENT if authentication == "mutual" else None
    server = SERVER if authentication != "none" else None
    label = f"{SUITES[suite]} {authentication}"
    oap_id = fixed("id " + label, 16)
    c, s = Ephemeral(suite, "client " + authentication), Ephemeral(suite, "server " + authentication)
    ctx = sha(bytes([len(NAME)]), NAME.encode(), QOS)
    v = {"suite": suite, "authentication": authentication, "id": oap_id, "ctx": ctx,
         "client_ephemeral": c.private, "server_ephemeral": s.private,
         "request_timestamp": NOW_NS, "response_timestamp": NOW_NS + 10**6,
         "request_data": b"GET the time", "response_data": b"It is late"}

    request = header(REQUEST, suite, client, oap_id, v["request_timestamp"], c.public) + body(client, v["request_data"])
    if client:
        v["client_signs"] = b"Ouroboros OAP v1 client\0" + ctx + sha(request)
        request += client.key.sign(v["client_signs"])
    v["request"], v["request_hash"] = request, sha(request)

    head = header(RESPONSE, suite, server, oap_id, v["response_timestamp"], s.public)
    clear = body(server, v["response_data"])
    if server:
        v["server_signs"] = b"Ouroboros OAP v1 server\0" + ctx + sha(request) + sha(head, clear)
        clear += server.key.sign(v["server_signs"])
    v["response_head"], v["response_body"] = head, clear
    v["response"] = head + clear
    if suite != PLAIN:
        z = c.agree(s.public)
        assert z == s.agree(c.public)
        v["z"] = z
        v["th1"] = sha(ctx, sha(request), head)
        v["prk"] = extract(v["th1"], z)
        v["reply"] = expand(v["prk"], b"o7s v1 reply", 44)
        v["th2"] = sha(v["th1"], clear)
        v["master"] = expand(v["prk"], b"o7s v1 master" + v["th2"], 48)
        v["c2s"] = expand(v["master"], b"o7s v1 c2s", 48)
        v["s2c"] = expand(v["master"], b"o7s v1 s2c", 48)
        v["response"] = head + AESGCM(v["reply"][:32]).encrypt(v["reply"][32:], clear, head)
    return v


def everything():
    return {
        "protocol": "OAP version 1", "name": NAME, "qos": QOS,
        "root": ROOT.der, "middle": MIDDLE.der,
        "server": {"cert": SERVER.der, "key": SERVER.private()},
        "client": {"cert": CLIENT.der, "key": CLIENT.private(), "identity": "email:alice@example"},
        "cases": [case(suite, authentication) for suite in SUITES for authentication in ("none", "server", "mutual")],
    }


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    path = Path(args[0]) if args else Path(__file__).parent / "oap.json"
    text = json.dumps(everything(), indent=1, default=bytes.hex) + "\n"
    if "--check" not in sys.argv:
        path.write_text(text)
    elif path.read_text() != text:
        sys.exit(f"{path} is not what it should be")


if __name__ == "__main__":
    main()
