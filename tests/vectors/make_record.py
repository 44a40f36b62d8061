#!/usr/bin/env python3
"""Known answers of the record layer, computed without any of the code under test.

    make_record.py > record.json

The key schedule is written out with hmac (RFC 5869) after doc/protocols/oap.md; records are sealed by the AESGCM of
python3-cryptography. Secrets and contents come from SHA-512, so the output is always the same.
"""
import hashlib
import hmac
import json
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

EPOCHS = (0, 1, 2, 3, 63, 64, 65, 128, 1000)
DATA, KEEPALIVE, CLOSE = range(3)

# epoch, counter, type, length of the content
RECORDS = (
    (0, 0, DATA, 0), (0, 0, DATA, 1), (0, 0, KEEPALIVE, 0), (0, 0, CLOSE, 0), (0, 1, DATA, 15), (0, 2, DATA, 16),
    (0, 255, DATA, 17), (0, 256, DATA, 64), (0, 65536, DATA, 100), (1, 0, DATA, 1408), (1, 1, CLOSE, 3), (2, 7, DATA, 33),
    (64, 0, DATA, 5), (64, 4095, DATA, 31), (255, 3, KEEPALIVE, 8), (256, 0, DATA, 200), (1000, 70000, DATA, 12),
)


def expand(prk, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha384).digest()
        out, i = out + block, i + 1
    return out[:length]


def some_bytes(label, length):
    out, i = b"", 0
    while len(out) < length:
        out, i = out + hashlib.sha512(f"{label} {i}".encode()).digest(), i + 1
    return out[:length]


def secret_of(first, epoch):
    secret = first
    for _ in range(epoch):
        secret = expand(secret, b"o7s v1 next", 48)
    return secret


def keys_of(secret):
    both = expand(secret, b"o7s v1 record", 44)
    return both[:32], both[32:]


def schedule(first):
    for epoch in EPOCHS:
        secret = secret_of(first, epoch)
        key, iv = keys_of(secret)
        yield {"epoch": epoch, "secret": secret.hex(), "key": key.hex(), "iv": iv.hex()}


def records(first):
    for epoch, counter, kind, length in RECORDS:
        key, iv = keys_of(secret_of(first, epoch))
        header = struct.pack(">II", kind << 24 | epoch, counter)
        nonce = iv[:4] + bytes(a ^ b for a, b in zip(iv[4:], header))
        content = some_bytes(f"content {epoch} {counter} {kind}", length)
        yield {"epoch": epoch, "counter": counter, "type": kind, "content": content.hex(),
               "record": (header + AESGCM(key).encrypt(nonce, content, header)).hex()}


def main():
    first = some_bytes("secret", 48)
    json.dump({"comment": "made by make_record.py; see doc/protocols/oap.md", "secret": first.hex(),
               "schedule": list(schedule(first)), "records": list(records(first))}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
