"""Certificates for the tests, made on the spot: authorities, and what they issue, right or wrong in one respect.

What python3-cryptography cannot make (keys that are for RSA-PSS only) the openssl command makes.
"""
import datetime
import functools
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)

CURVES = {"p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
          "secp256k1": ec.SECP256K1, "brainpool256": ec.BrainpoolP256R1}
USAGES = {"server": [ExtendedKeyUsageOID.SERVER_AUTH], "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
          "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
          "code": [ExtendedKeyUsageOID.CODE_SIGNING]}
ALT_NAMES = {"dns": x509.DNSName, "email": x509.RFC822Name, "uri": x509.UniformResourceIdentifier}


def new_key(kind):
    """A private key: rsa2048, p256, ed25519, ..."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


@functools.lru_cache(maxsize=None)
def key_of(kind):
    """The one key of that kind of this run, for tests that need no other: RSA keys take long to make."""
    return new_key(kind)


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def name_of(cn=None, subject=None):
    """@subject: pairs of an attribute ("CN", "O") and its value, as they come in the certificate."""
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}
    pairs = subject if subject is not None else [("CN", cn)] if cn is not None else []
    return x509.Name([x509.NameAttribute(oids[which], value) for which, value in pairs])


def alt_name(text):
    """"dns:a.example" as an alternative name. NUL and the like are for the asking."""
    kind, _, value = text.partition(":")
    return ALT_NAMES[kind](value)


class Credential:
    """A certificate with what stands above it, and its key."""

    def __init__(self, certificate, key, above=(), key_text=None):
        self.certificate = certificate
        self.key = key
        self.chain = [certificate, *above]
        self.key_text = key_text or key_pem(key)

    @property
    def cert_text(self):
        return pem(*self.chain)

    @property
    def serial(self):
        """As irmd writes it."""
        text = "%X" % self.certificate.serial_number
        return text if len(text) % 2 == 0 else "0" + text


class Authority(Credential):
    """A CA: the root of a chain, or an intermediate of @issuer."""

    def __init__(self, cn, issuer=None, kind="p256", valid=(-365, 365), path_length=None, digest=None):
        key = new_key(kind) if not kind.startswith("rsa") else key_of(kind)
        builder = self.builder(name_of(cn), issuer.certificate.subject if issuer else name_of(cn), key.public_key(), valid)
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        signer = issuer.key if issuer else key
        super().__init__(builder.sign(signer, digest_for(signer, digest)), key)
        self.issuer = issuer

    @staticmethod
    def builder(subject, issuer, public_key, valid):
        return x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key,
                                       serial_number=x509.random_serial_number(),
                                       not_valid_before=NOW + DAY * valid[0], not_valid_after=NOW + DAY * valid[1])

    def intermediates(self):
        """From this one upwards, without the root."""
        return [] if self.issuer is None else [self.certificate, *self.issuer.intermediates()]

    def issue(self, cn=None, names=(), subject=None, usage="both", kind="p256", key=None, valid=(-30, 30), digest=None,
              signing=True, ca=False):
        """A leaf for a server or a client. Without @names it has no alternative names; @usage None: no extendedKeyUsage."""
        key = key or new_key(kind)
        builder = self.builder(name_of(cn, subject), self.certificate.subject, key.public_key(), valid)
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        builder = builder.add_extension(key_usage(digital_signature=signing, key_agreement=not signing), critical=True)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(USAGES[usage]), critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([alt_name(n) for n in names])
            builder = builder.add_extension(alternatives, critical=False)
        return Credential(builder.sign(self.key, digest_for(self.key, digest)), key, self.intermediates())

    def issue_pss(self, cn, bits=2048):
        """A leaf whose key is for RSA-PSS only."""
        with tempfile.TemporaryDirectory() as where:
            path = Path(where)
            (path / "ca").write_bytes(self.cert_text)
            (path / "ca.key").write_bytes(self.key_text)
            (path / "ext").write_text("basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
                                      "extendedKeyUsage=serverAuth,clientAuth\n")
            openssl(path, "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:%d" % bits, "-out", "key")
            openssl(path, "req", "-new", "-key", "key", "-subj", "/CN=" + cn, "-out", "csr")
            openssl(path, "x509", "-req", "-in", "csr", "-CA", "ca", "-CAkey", "ca.key", "-extfile", "ext", "-days", "30",
                    "-set_serial", "0x%x" % x509.random_serial_number(), "-out", "cert")
            leaf = x509.load_pem_x509_certificate((path / "cert").read_bytes())
            return Credential(leaf, None, self.intermediates(), (path / "key").read_bytes())


def self_signed(cn, kind="p256"):
    """A leaf that nobody else vouches for."""
    key = new_key(kind)
    builder = Authority.builder(name_of(cn), name_of(cn), key.public_key(), (-30, 30))
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(key_usage(digital_signature=True), critical=True)
    return Credential(builder.sign(key, digest_for(key, None)), key)


def digest_for(key, digest):
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return None
    return digest or hashes.SHA256()


def key_usage(**bits):
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{**dict.fromkeys(every, False), **bits})


def openssl(where, *words):
    subprocess.run(["openssl", *words], cwd=where, check=True, capture_output=True, timeout=60)


class Pki:
    """What most tests need, made once."""

    def __init__(self):
        self.root = Authority("Test Root")
        self.middle = Authority("Test Intermediate", self.root)
        self.other = Authority("Other Root")
        self.server = self.root.issue("service", usage="server")
        self.client = self.root.issue("alice", names=["email:alice@Example.ORG"], usage="client")


def same_serial(authority, credential):
    """A certificate of that authority with the serial number of another one, and a key of its own."""
    key = new_key("p256")
    builder = x509.CertificateBuilder(subject_name=name_of("other"), issuer_name=authority.certificate.subject,
                                      public_key=key.public_key(), serial_number=credential.certificate.serial_number,
                                      not_valid_before=NOW - DAY, not_valid_after=NOW + DAY)
    return Credential(builder.sign(authority.key, hashes.SHA256()), key)
