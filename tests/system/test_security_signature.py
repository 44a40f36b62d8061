"""C14: what a client signs is what the specification says, by the scheme of its certificate's key: openssl verifies it.

Rebuilt here from doc/protocols/oap.md alone, of a request that was caught on its way.
"""
import hashlib
import struct
import subprocess

import pytest

import pki as certificates
import wire
from security import REMOTE

QOS_RAW = struct.pack(">IQBIIBII", 0xffffffff, 0, 0, 1, 1, 0, 0xffffffff, 120000)
DIGEST = ["dgst", "-sha384"]
PSS = [*DIGEST, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:48", "-sigopt", "rsa_mgf1_md:sha384"]


def sha384(*parts):
    return hashlib.sha384(b"".join(parts)).digest()


def parts_of(request):
    """(everything but the signature, the leaf in DER, the signature)"""
    kex_len, = struct.unpack_from(">H", request, wire.KEX_LEN)
    body = wire.HDR + kex_len
    certs_len, data_len, leaf_len = struct.unpack_from(">HHH", request, body)
    leaf = request[body + 6:body + 6 + leaf_len]
    signature = body + 4 + certs_len + data_len
    return request[:signature], leaf, request[signature:]


def signed_text(name, unsigned):
    context = sha384(bytes([len(name)]), name, QOS_RAW)
    return b"Ouroboros OAP v1 client\0" + context + sha384(unsigned)


def openssl(folder, *words):
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=20)


def verify(folder, scheme, text, leaf, signature):
    (folder / "text").write_bytes(text)
    (folder / "leaf.der").write_bytes(leaf)
    (folder / "signature").write_bytes(signature)
    public = openssl(folder, "x509", "-inform", "DER", "-in", "leaf.der", "-pubkey", "-noout")
    (folder / "public.pem").write_text(public.stdout)
    if scheme is None:
        return openssl(folder, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-in", "text",
                       "-sigfile", "signature")
    return openssl(folder, *scheme, "-verify", "public.pem", "-signature", "signature", "text")


@pytest.mark.parametrize("kind, scheme", [("p256", DIGEST), ("p384", DIGEST), ("p521", DIGEST), ("rsa2048", PSS),
                                          ("ed25519", None), ("ed448", None)])
def test_openssl_verifies_a_clients_signature_C14(tapped, tmp_path, kind, scheme):
    tapped.usual(REMOTE)
    tapped.tree.client(tapped.pki.root.issue("alice", key=certificates.key_of(kind)))
    tapped.start().works()
    unsigned, leaf, signature = parts_of(tapped.wire.requests[0])
    text = signed_text(b"service", unsigned)
    good = verify(tmp_path, scheme, text, leaf, signature)
    assert good.returncode == 0, good.stdout + good.stderr
    assert verify(tmp_path, scheme, text[:-1] + bytes([text[-1] ^ 1]), leaf, signature).returncode != 0
