"""Peers that are not who they should be: each is refused for its own reason, which only the log of the end that refuses
tells; the application hears a code.
"""
import errno
import os
import warnings

import pytest

import o7s
import pki as certificates
from puppet import EAUTH, ECRYPT
from security import REMOTE


def weak_digest(authority, cn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return authority.issue(cn, digest=certificates.hashes.SHA1())


def of_a_leaf(authority, cn):
    leaf = authority.issue("leaf")
    return certificates.Credential(*issue_under(leaf, cn), above=[leaf.certificate])


def issue_under(leaf, cn):
    """What a holder of a leaf can sign: (certificate, key)"""
    key = certificates.new_key("p256")
    builder = certificates.Authority.builder(certificates.name_of(cn), leaf.certificate.subject, key.public_key(), (-1, 1))
    return builder.sign(leaf.key, certificates.hashes.SHA256()), key


def without_intermediate(pki, cn):
    issued = pki.middle.issue(cn)
    return certificates.Credential(issued.certificate, issued.key)


def with_broken_signature(pki, cn):
    issued = pki.root.issue(cn)
    der = bytearray(issued.certificate.public_bytes(certificates.serialization.Encoding.DER))
    der[-1] ^= 1
    return certificates.Credential(certificates.x509.load_der_x509_certificate(bytes(der)), issued.key)


def too_deep(pki, cn):
    return certificates.Authority("Below", certificates.Authority("Lowest", pki.root, path_length=0)).issue(cn)


# What each does wrong: the reason it is refused for, and how it is made.
FAULTS = {
    "self-signed": ("self-signed", lambda pki, cn: certificates.self_signed(cn)),
    "another authority": ("unknown-ca", lambda pki, cn: pki.other.issue(cn)),
    "intermediate missing": ("unknown-ca", without_intermediate),
    "expired": ("expired", lambda pki, cn: pki.root.issue(cn, valid=(-30, -1))),
    "not yet valid": ("not-yet-valid", lambda pki, cn: pki.root.issue(cn, valid=(1, 30))),
    "expired intermediate": ("expired", lambda pki, cn: certificates.Authority("Old", pki.root, valid=(-9, -1)).issue(cn)),
    "for signing code": ("wrong-purpose", lambda pki, cn: pki.root.issue(cn, usage="code")),
    "not for signatures": ("wrong-purpose", lambda pki, cn: pki.root.issue(cn, signing=False)),
    "SHA-1": ("weak-key", lambda pki, cn: weak_digest(pki.root, cn)),
    "weak intermediate": ("weak-key", lambda pki, cn: certificates.Authority("Weak", pki.root, kind="rsa1024").issue(cn)),
    "issued by a leaf": ("chain", lambda pki, cn: of_a_leaf(pki.root, cn)),
    "too deep": ("chain", too_deep),
    "broken signature": ("chain", with_broken_signature),
}


def test_certificates_of_clients_C36_C37(scene):
    """C2, C30, C36, C37, C38: refused by the server."""
    scene.usual().start()
    faults = {**FAULTS, "for servers": ("wrong-purpose", lambda pki, cn: pki.root.issue(cn, usage="server"))}
    verdicts = {}
    for fault, (_, make) in faults.items():
        scene.tree.client(make(scene.pki, "mallory"))
        scene.reload()
        verdicts[fault] = scene.verdict()
    assert verdicts == {fault: ("server", reason, EAUTH) for fault, (reason, _) in faults.items()}
    scene.tree.client(scene.pki.client)
    scene.reload()
    scene.works()


def test_certificates_of_servers_C36_C37(scene):
    """C30, C36, C37, C38: refused by the client."""
    scene.usual().start()
    faults = {**FAULTS, "for clients": ("wrong-purpose", lambda pki, cn: pki.root.issue(cn, usage="client"))}
    verdicts = {}
    for fault, (_, make) in faults.items():
        scene.tree.server(make(scene.pki, "service"))
        scene.reload()
        verdicts[fault] = scene.verdict()
        scene.server.dealloc(scene.accept().result())  # to the server it looked well; it reads the end at once
        scene.accepting = None
    assert verdicts == {fault: ("client", reason, EAUTH) for fault, (reason, _) in faults.items()}


def test_self_signed_certificate_among_the_anchors_C36(scene):
    """It vouches for nobody, not even for itself."""
    own = certificates.self_signed("mallory")
    scene.usual()
    scene.tree.put("cacert/own.pem", own.cert_text)
    scene.tree.client(own)
    assert scene.start().verdict() == ("server", "self-signed", EAUTH)


# -- names


WRONG_NAMES = {
    "another": dict(cn="other"),
    "longer": dict(cn="service2"),
    "shorter": dict(cn="servic"),
    "longer, alternative": dict(names=["dns:service.example"]),
    "in another attribute": dict(subject=[("O", "service"), ("CN", "mallory")]),
    "O=CN=name": dict(subject=[("O", "CN=service"), ("CN", "mallory")]),
    "CN=CN=name": dict(cn="CN=service"),
    "O=x, CN=name in one value": dict(subject=[("O", "x, CN=service"), ("CN", "x/CN=service")]),
    "two common names": dict(subject=[("CN", "service"), ("CN", "mallory")]),
    "two common names, the other way": dict(subject=[("CN", "mallory"), ("CN", "service")]),
    "overridden by an alternative": dict(cn="service", names=["dns:other"]),
    "overridden by an alternative of another type": dict(cn="service", names=["email:mallory@example.org"]),
    "alternative of another type": dict(names=["uri:service"]),
    "NUL": dict(cn="service\0.example"),
    "NUL in an alternative": dict(names=["dns:service\0.example"]),
    "NUL beside the right one": dict(names=["dns:service", "dns:x\0y"]),
    "wildcard": dict(names=["dns:*"]),
    "wildcard in part": dict(names=["dns:s*"]),
    "capitals": dict(cn="Service"),
    "capitals in an alternative": dict(names=["dns:SERVICE"]),
    "blank after it": dict(cn="service "),
    "dot after it": dict(names=["dns:service."]),
    "no name": dict(subject=[]),
}


def test_names_of_servers_C28(scene):
    """C28: near misses, injections, NULs and wildcards."""
    scene.usual().start()
    verdicts = {}
    for fault, subject in WRONG_NAMES.items():
        scene.tree.server(scene.pki.root.issue(**subject))
        scene.reload()
        verdicts[fault] = scene.verdict()
        scene.server.dealloc(scene.accept().result())
        scene.accepting = None
    assert verdicts == dict.fromkeys(WRONG_NAMES, ("client", "wrong-name", EAUTH))


@pytest.mark.parametrize("name, subject", [
    ("service", dict(names=["dns:first", "email:x@example.org", "dns:service"], cn="other")),
    ("x,CN=service", dict(cn="x,CN=service")),
    ("*", dict(names=["dns:*"])),
    ("Dienst-ä", dict(cn="Dienst-ä")),
])
def test_names_that_are_right_C28(scene, name, subject):
    """Byte for byte, and whole."""
    scene.usual()
    scene.tree.server(scene.pki.root.issue(**subject), name)
    scene.start()
    if name != "service":
        scene.irmd.service(name, scene.server)
    assert scene.works(name)[0]["identity"] == "dns:" + name


def test_clients_without_an_identity(scene):
    """C28: names that cannot be written in one line, and none at all."""
    scene.usual().start()
    faults = {
        "none": dict(subject=[]),
        "only an organisation": dict(subject=[("O", "x")]),
        "two": dict(subject=[("CN", "alice"), ("CN", "bob")]),
        "blank": dict(cn="Alice Smith"),
        "newline": dict(cn="alice\nbob"),
        "NUL": dict(cn="alice\0bob"),
        "not ASCII": dict(cn="Zoë"),
        "NUL in an alternative": dict(names=["dns:alice\0.example"]),
    }
    verdicts = {}
    for fault, subject in faults.items():
        scene.tree.client(scene.pki.root.issue(**subject))
        scene.reload()
        verdicts[fault] = scene.verdict()
    assert verdicts == dict.fromkeys(faults, ("server", "bad-identity", EAUTH))


# -- revoked


def test_revoked_clients_C34(scene):
    """C34: by the certificate itself, its key in another one, and issuer and serial of another key."""
    pki = scene.pki
    again = pki.root.issue("renewed", key=pki.client.key)
    scene.usual().start()
    for credential in (pki.client, again):
        scene.tree.revoke(credential)
        scene.reload()
        assert scene.verdict() == ("server", "revoked", EAUTH)
    scene.tree.revoke(certificates.same_serial(pki.root, pki.client))
    scene.reload()
    assert scene.verdict() == ("server", "revoked", EAUTH)
    scene.tree.remove("untrusted/revoked.pem")
    scene.reload()
    scene.works()


@pytest.mark.parametrize("end", ["client", "server"])
def test_revoked_authority_C34(scene, end):
    """C34: an intermediate, and so all that it issued; by the other side's hand."""
    scene.usual()
    scene.tree.server(scene.pki.middle.issue("service") if end == "client" else scene.pki.server)
    scene.tree.client(scene.pki.middle.issue("alice") if end == "server" else scene.pki.client)
    scene.tree.revoke(scene.pki.middle)
    assert scene.start().verdict() == (end, "revoked-ca", EAUTH)


def test_revoked_server_C34(scene):
    scene.usual()
    scene.tree.revoke(scene.pki.server)
    assert scene.start().verdict() == ("client", "revoked", EAUTH)


def test_revoked_root_C34(scene):
    scene.usual()
    scene.tree.revoke(scene.pki.root)
    assert scene.start().verdict() == ("server", "revoked-ca", EAUTH)


# -- nothing where something is required


def test_client_without_certificate_C29(scene):
    scene.usual()
    scene.tree.remove("client/default")
    assert scene.start().verdict() == ("server", "no-certificate", EAUTH)


def test_server_without_certificate_C29(scene):
    """A client that has trust anchors requires one."""
    scene.usual()
    scene.tree.remove("server/service")
    assert scene.start().verdict() == ("client", "no-certificate", EAUTH)


def test_certificate_without_anchors(scene):
    """Presented, and nothing to verify it with: refused, whatever the policy."""
    scene.tree.policy(REMOTE + "authentication = optional\n")
    scene.tree.server(scene.pki.server)
    assert scene.start().verdict() == ("client", "no-anchors", EAUTH)
    scene.tree.client(scene.pki.client)
    scene.reload()
    assert scene.verdict() == ("server", "no-anchors", EAUTH)


@pytest.mark.parametrize("end, folder", [("client", "client/default"), ("server", "server/service")])
def test_mutual_policy_without_credentials(scene, end, folder):
    """Nothing is sent, and nobody asked."""
    scene.usual()
    scene.tree.remove(folder)
    scene.tree.policy("authentication = mutual\n", folder)
    assert scene.start().verdict() == (end, "no-credentials", EAUTH)


def test_suites_that_do_not_meet_C32(scene):
    """C32: nothing is negotiated."""
    scene.usual()
    scene.tree.policy("suite = x25519\n", "client/default")
    assert scene.start().verdict() == ("server", "suite", ECRYPT)


def test_plain_where_encryption_is_required_C32(scene):
    scene.usual()
    scene.tree.policy("disabled\n", "client/default")
    assert scene.start().verdict() == ("server", "plain", ECRYPT)


def test_encryption_where_it_is_disabled_C32(scene):
    """A server that must not encrypt does not make plain of it either."""
    scene.usual()
    scene.tree.policy("disabled\n", "server/service")
    assert scene.start().verdict() == ("server", "suite", ECRYPT)


def test_refusal_has_an_errno_C3(scene):
    """C3: what perror() prints makes sense."""
    scene.usual()
    scene.tree.remove("client/default")
    scene.start()
    reply = scene.client.ask("alloc", "service")
    assert (reply["r"], reply["errno"]) == (-EAUTH, errno.EACCES)
    assert scene.client.ask("strerror", EAUTH)["text"] != scene.client.ask("strerror", ECRYPT)["text"]


# -- the server's loop


def test_a_thousand_refused_clients_C7(scene):
    """C7: the accept loop sees none of them, and the next good client is served."""
    scene.usual(REMOTE + "suite = x25519\n")
    scene.tree.client(scene.pki.other.issue("mallory"))
    scene.start()
    serving = scene.server.begin("serve", 1000000)
    knocked = scene.client.ask("knock", "service", 1000, timeout=50)
    assert (knocked["r"], knocked["code"]) == (1000, -EAUTH)
    assert not serving.done()
    scene.tree.client(scene.pki.client)
    scene.reload()
    assert scene.client.cycle("service", 5) == 5
    assert len(scene.audit.lines(event="refused", end="server", reason="unknown-ca")) == 1000


def test_refused_client_starts_no_program_D14(scene, build):
    """D14: a program is started for who was verified, and only then."""
    scene.usual().start(layer=False)
    scene.irmd.layer()
    scene.irmd.manage("name_create", name="service")
    scene.irmd.manage("name_reg", name="service", pid=scene.irmd.ipcps()[0]["pid"])
    scene.irmd.manage("bind_program", path=str(build.program("answer")), name="service", auto_start=True)
    scene.tree.client(scene.pki.other.issue("mallory"))
    scene.reload()
    before = o7s.descendants(scene.irmd.pid)
    assert -scene.client.ask("alloc", "service")["r"] == EAUTH
    assert o7s.descendants(scene.irmd.pid) == before
    scene.tree.client(scene.pki.client)
    scene.reload()
    scene.client.alloc("service")
    assert len(o7s.descendants(scene.irmd.pid)) > len(before)


# -- files


def garbage(path, mode=0o644):
    return lambda tree, where: tree.put(where / path, b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END", mode)


def replaced(path, data, mode=0o644):
    return lambda tree, where: tree.put(where / path, data, mode)


def with_mode(path, mode):
    return lambda tree, where: os.chmod(tree.root / where / path, mode)


def dangling(path):
    def make(tree, where):
        tree.remove(where / path)
        (tree.root / where / path).symlink_to("nowhere")
    return make


def missing(path):
    return lambda tree, where: tree.remove(where / path)


def of_another(path):
    return lambda tree, where: tree.put(where / path, certificates.key_pem(certificates.new_key("p256")), 0o600)


def weak(kind):
    def make(tree, where):
        tree.identity(*where.parts, certificates.Authority("Root").issue("x", kind=kind))
    return make


# What is wrong with the folder of an identity: the file that is named, the reason, how it is made.
BAD_FILES = {
    "key-for-others": ("key", "bad-credentials", with_mode("key", 0o604)),
    "key-for-all": ("key", "bad-credentials", with_mode("key", 0o644)),
    "key-unreadable": ("key", "bad-credentials", with_mode("key", 0)),
    "key-of-another": ("key", "bad-credentials", of_another("key")),
    "key-garbage": ("key", "bad-credentials", garbage("key", 0o600)),
    "key-empty": ("key", "bad-credentials", replaced("key", b"", 0o600)),
    "key-missing": ("cert", "bad-credentials", missing("key")),
    "key-dangling": ("key", "bad-credentials", dangling("key")),
    "cert-garbage": ("cert", "bad-credentials", garbage("cert")),
    "cert-empty": ("cert", "bad-credentials", replaced("cert", b"")),
    "cert-missing": ("key", "bad-credentials", missing("cert")),
    "cert-dangling": ("cert", "bad-credentials", dangling("cert")),
    "cert-unreadable": ("cert", "bad-credentials", with_mode("cert", 0)),
    "rsa-1024": ("cert", "bad-credentials", weak("rsa1024")),
    "p-224": ("cert", "bad-credentials", weak("p224")),
    "secp256k1": ("cert", "bad-credentials", weak("secp256k1")),
    "policy-unknown-key": ("enc.cfg:2", "bad-policy", replaced("enc.cfg", "# fine\nencyption = required\n")),
    "policy-bad-value": ("enc.cfg:1", "bad-policy", replaced("enc.cfg", "encryption = none\n")),
    "policy-repeated": ("enc.cfg:3", "bad-policy", replaced("enc.cfg", "suite = p384\n\nsuite = p384\n")),
    "policy-ctr": ("enc.cfg:1", "bad-policy", replaced("enc.cfg", "suite = aes-ctr\n")),
    "policy-empty-value": ("enc.cfg:1", "bad-policy", replaced("enc.cfg", "encryption =\n")),
    "policy-contradiction": ("enc.cfg", "bad-policy", replaced("enc.cfg", "disabled\nencryption = required\n")),
    "policy-root-only": ("enc.cfg:1", "bad-policy", replaced("enc.cfg", "local = kernel\n")),
    "policy-unreadable": ("enc.cfg", "bad-policy", lambda tree, where: tree.put(where / "enc.cfg", "", 0)),
    "policy-dangling": ("enc.cfg", "bad-policy", lambda tree, where: (tree.root / where / "enc.cfg").symlink_to("nowhere")),
}


def test_bad_files_of_servers_C16(scene):
    """C16, C38: each closes its own identity, names its file, and disturbs nobody else."""
    scene.usual()
    for name, (_, _, spoil) in BAD_FILES.items():
        scene.tree.server(scene.pki.root.issue(name), name)
        spoil(scene.tree, o7s.Path("server") / name)
    scene.start()
    verdicts = {}
    for name in BAD_FILES:
        scene.irmd.service(name, scene.server)
        verdicts[name] = scene.verdict(name)
    assert verdicts == {name: ("server", reason, EAUTH) for name, (_, reason, _) in BAD_FILES.items()}
    for name, (file, _, _) in BAD_FILES.items():
        line = scene.audit.lines(event="credentials", note="fault", what="server/" + name)
        assert line and "server/%s/%s" % (name, file) in line[0]["text"], (name, line)
    scene.works()


@pytest.mark.parametrize("fault", ["key-for-others", "cert-garbage", "policy-unknown-key"])
def test_bad_files_of_clients_C16(scene, fault):
    _, reason, spoil = BAD_FILES[fault]
    scene.usual()
    spoil(scene.tree, o7s.Path("client/default"))
    assert scene.start().verdict() == ("client", reason, EAUTH)


def test_bad_policy_of_the_system_C16(scene):
    """Only who has a rule of his own goes on."""
    scene.usual("encyption = required\n")
    scene.tree.server(scene.pki.root.issue("own"), "own", policy="authentication = server\n")
    scene.tree.put("client/default/enc.cfg", "authentication = server\n")
    scene.start()
    scene.irmd.service("own", scene.server)
    assert scene.verdict() == ("server", "bad-policy", EAUTH)
    scene.works("own")
    line = scene.audit.wait(event="credentials", note="fault", what="enc.cfg")
    assert "security/enc.cfg:1" in line["text"]


@pytest.mark.parametrize("how", ["garbage", "unreadable", "dangling", "folder"])
def test_bad_anchors_are_not_no_anchors_C16(scene, how):
    """Rule 4: anchors that cannot be read are never the same as none."""
    scene.usual()
    if how == "garbage":
        scene.tree.put("cacert/ca0.pem", b"nonsense")
    elif how == "unreadable":
        os.chmod(scene.tree.root / "cacert" / "ca0.pem", 0)
    elif how == "dangling":
        scene.tree.remove("cacert/ca0.pem")
        (scene.tree.root / "cacert" / "ca0.pem").symlink_to("nowhere")
    else:
        os.chmod(scene.tree.root / "cacert", 0)
    assert scene.start().verdict() == ("client", "bad-credentials", EAUTH)
    assert scene.audit.lines(event="credentials", note="fault")
    os.chmod(scene.tree.root / "cacert", 0o755)


@pytest.mark.parametrize("file", ["cacert/README", "cacert/.hidden.pem", "server/README", "untrusted/notes.txt"])
def test_stray_files_harm_nothing_C16(scene, file):
    scene.usual()
    scene.tree.put(file, b"this is no certificate")
    scene.start().works()


def test_bad_file_beside_those_that_are_revoked_C16(scene):
    """It is named, and all others count."""
    scene.usual()
    scene.tree.put("untrusted/bad.pem", b"nonsense")
    scene.tree.revoke(scene.pki.client)
    assert scene.start().verdict() == ("server", "revoked", EAUTH)
    assert "untrusted/bad.pem" in scene.audit.lines(event="credentials", note="fault")[0]["text"]


def test_revoked_that_cannot_be_listed_close_C16(scene):
    """Anybody's certificate might be among them."""
    scene.usual()
    folder = scene.tree.revoke(scene.pki.other).parent
    os.chmod(folder, 0)
    assert scene.start().verdict() == ("client", "bad-credentials", EAUTH)
    os.chmod(folder, 0o755)


def test_every_other_user_of_the_machine_gets_the_same_C35(scene, other_user):
    """C35: one store of trust for all users and programs."""
    scene.usual()
    scene.tree.server(scene.pki.other.issue("service"))
    scene.start()
    for client in (scene.client, scene.irmd.puppet(user=other_user)):
        assert scene.refusal(client=client)["reason"] == "unknown-ca"
        scene.server.dealloc(scene.accept().result())
        scene.accepting = None
