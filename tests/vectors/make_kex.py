#!/usr/bin/env python3
"""Known answers of the key exchange, computed without any of the code under test.

    make_kex.py > kex.json

P-384 and X25519 are python3-cryptography's, ML-KEM is written out after FIPS 203. Private keys come from SHA-512, so the
output is always the same. A client's key of ML-KEM is its seed (d | z).
"""
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Q = 3329
ROUNDS = 4


def some_bytes(label, length):
    out, i = b"", 0
    while len(out) < length:
        out, i = out + hashlib.sha512(f"{label} {i}".encode()).digest(), i + 1
    return out[:length]


# -- Diffie-Hellman -----------------------------------------------------------


class P384:
    name, length = "p384", 48

    def __init__(self, private):
        self.private = private
        self.key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP384R1())
        self.public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, other):
        return self.key.exchange(ec.ECDH(), other.key.public_key())


class X25519:
    name, length = "x25519", 32

    def __init__(self, private):
        self.private = private
        self.key = x25519.X25519PrivateKey.from_private_bytes(private)
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def agree(self, other):
        return self.key.exchange(other.key.public_key())


# -- ML-KEM -------------------------------------------------------------------

ZETAS = [pow(17, int(f"{i:07b}"[::-1], 2), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * int(f"{i:07b}"[::-1], 2) + 1, Q) for i in range(128)]


def ntt(f):
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = ZETAS[i] * f[j + length]
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
            i += 1
        length //= 2
    return f


def ntt_inverse(f):
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, ZETAS[i] * (f[j + length] - t) % Q
            i -= 1
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f, g):
    out = []
    for i in range(128):
        a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a * c + b * d * GAMMAS[i]) % Q, (a * d + b * c) % Q]
    return out


def add(*polynomials):
    return [sum(c) % Q for c in zip(*polynomials)]


def dot(f, g):
    return add(*map(multiply, f, g))


def sample_ntt(seed):
    stream, out, i = hashlib.shake_128(seed).digest(2000), [], 0
    while len(out) < 256:
        a, b, c = stream[i:i + 3]
        out += [d for d in (a + 256 * (b % 16), b // 16 + 16 * c) if d < Q]
        i += 3
    return out[:256]


def sample_small(seed, n):
    """The centred binomial distribution with eta = 2."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([n])).digest(128), "little")
    nibbles = [bits >> 4 * i & 15 for i in range(256)]
    return [((x & 1) + (x >> 1 & 1) - (x >> 2 & 1) - (x >> 3)) % Q for x in nibbles]


def encode(f, d):
    return sum(c << d * i for i, c in enumerate(f)).to_bytes(32 * d, "little")


def compress(f, d):
    return [((c << d) + Q // 2) // Q % (1 << d) for c in f]


class MlKem:
    def __init__(self, name, seed, k, du, dv):
        self.name, self.private, self.k, self.du, self.dv = name, seed, k, du, dv
        g = hashlib.sha3_512(seed[:32] + bytes([k])).digest()
        self.rho, sigma = g[:32], g[32:]
        s = [ntt(sample_small(sigma, i)) for i in range(k)]
        e = [ntt(sample_small(sigma, k + i)) for i in range(k)]
        self.t = [add(dot([self.a(i, j) for j in range(k)], s), e[i]) for i in range(k)]
        self.public = b"".join(encode(t, 12) for t in self.t) + self.rho

    def a(self, i, j):
        return sample_ntt(self.rho + bytes([j, i]))

    def encapsulate(self, m):
        """Secret and ciphertext."""
        g = hashlib.sha3_512(m + hashlib.sha3_256(self.public).digest()).digest()
        secret, r, k = g[:32], g[32:], self.k
        y = [ntt(sample_small(r, i)) for i in range(k)]
        u = [add(ntt_inverse(dot([self.a(j, i) for j in range(k)], y)), sample_small(r, k + i)) for i in range(k)]
        mu = [(m[i // 8] >> i % 8 & 1) * ((Q + 1) // 2) for i in range(256)]
        v = add(ntt_inverse(dot(self.t, y)), sample_small(r, 2 * k), mu)
        return secret, b"".join(encode(compress(p, self.du), self.du) for p in u) + encode(compress(v, self.dv), self.dv)


# -- suites -------------------------------------------------------------------


def exchange(suite, n, group, kem):
    client = group(some_bytes(f"{suite} client {n}", group.length))
    server = group(some_bytes(f"{suite} server {n}", group.length))
    out = {"suite": suite, "client": client.private.hex(), "client_public": client.public.hex(),
           "server": server.private.hex(), "server_public": server.public.hex()}
    request, response, z = client.public, server.public, client.agree(server)
    if kem is not None:
        key = MlKem(kem[0], some_bytes(f"{suite} seed {n}", 64), *kem[1:])
        secret, cipher = key.encapsulate(some_bytes(f"{suite} m {n}", 32))
        request, response, z = request + key.public, response + cipher, z + secret
        out.update(kem=key.name, seed=key.private.hex())
    out.update(request=request.hex(), response=response.hex(), z=z.hex())
    return out


# -- values that are none -------------------------------------------------------

P = 2**384 - 2**128 - 2**96 + 2**32 - 1
B = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef
GX = 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7
GY = 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f

# Points with a coordinate so small that p can be added to it.
Y_OF_0 = 0xc306610fb0ae5a159cf45c06069f22a6c5eb3641c602d42dea2c4b4f75550793406d80d2b91ad54f9048bd487af1ade1
X_OF_1 = 0x2261b2bf605c22f2f3aef6338719b2c486388ad5240719a5257315969ef01ba27f0a104c89704773a81fdabee6ab5c78


def on_curve(x, y):
    return (x**3 - 3 * x + B - y**2) % P == 0


def point(x, y, first=4):
    return (bytes([first]) + x.to_bytes(48, "big") + y.to_bytes(48, "big")).hex()


def points():
    """What of P-384 is a point, and what is not."""
    good = (("generator", GX, GY), ("x is 0", 0, Y_OF_0), ("y is 1", X_OF_1, 1), ("negative", GX, P - GY))
    bad = (("x of p", P, Y_OF_0), ("y of p + 1", X_OF_1, P + 1), ("origin", 0, 0), ("x is p, y is p", P, P),
           ("all ones", 2**384 - 1, 2**384 - 1), ("beside the curve", GX, GY + 1), ("swapped", GY, GX),
           ("y is 0", GX, 0), ("x of p, negative", P, P - Y_OF_0))
    for what, x, y in good:
        assert on_curve(x, y)
        yield {"what": what, "value": point(x, y), "ok": True}
    for what, x, y in bad:
        assert not (on_curve(x, y) and x < P and y < P)
        yield {"what": what, "value": point(x, y), "ok": False}
    for first in (0, 1, 2, 3, 5, 6, 7, 0x84, 0xff):
        yield {"what": f"first byte {first}", "value": point(GX, GY, first), "ok": False}


def small_orders():
    """Values of X25519 that give zeros with any key: of order 1, 2, 4 and 8, on the curve and its twist, also unreduced."""
    p = 2**255 - 19
    eight = (325606250916557431795983626356110631294008115727848805560023387167927233504,
             39382357235489614581723060781553021112529911719440698176882885853963445705823)
    for u in (0, 1, *eight, p - 1, p, p + 1):
        for top in (0, 1 << 255):
            yield {"what": f"{u % p}", "value": (u + top).to_bytes(32, "little").hex()}


def main():
    suites = (("p384", P384, None), ("p384-mlkem1024", P384, ("ML-KEM-1024", 4, 11, 5)),
              ("x25519", X25519, None), ("x25519-mlkem768", X25519, ("ML-KEM-768", 3, 10, 4)))
    json.dump({"exchanges": [exchange(s, n, g, k) for s, g, k in suites for n in range(ROUNDS)],
               "p384": list(points()), "x25519_zero": list(small_orders())}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
