"""Another implementation of OAP, on the wire with irmd: what is right is understood both ways, and what is wrong is
refused although its signature is right, which no layer in the middle could have made.
"""
import errno
import os

import pytest
from cryptography.exceptions import InvalidTag

import oap
import pki as certificates
import wire
from control import Connection, request
from puppet import EAUTH, ECRYPT
from security import REMOTE

SUITES = {"p384": oap.P384, "x25519": oap.X25519}
EITHER = REMOTE + "suite = x25519, p384\n"


@pytest.fixture
def scene(tapped):
    tapped.usual(EITHER)
    tapped.tree.client(tapped.pki.client, policy="suite = x25519\n")
    return tapped.start()


def asks(scene, **how):
    """A stranger asks in the place of the client, by that one's certificate unless told otherwise. Returns it."""
    how.setdefault("credential", scene.pki.client)
    stranger = oap.Client("service", learn_qos(scene), **how)
    scene.wire.request = lambda _: stranger.request
    return stranger


def learn_qos(scene):
    """As the client asks for it: it is part of what is signed."""
    if scene.wire.qos is None:
        scene.works()
    return scene.wire.qos


def answers(scene, **how):
    """A stranger answers in the place of the server, by that one's certificate unless told otherwise."""
    how.setdefault("credential", scene.pki.server)
    made = []

    def answer(_):
        made.append(oap.Server("service", scene.wire.qos, scene.wire.requests[-1], **how))
        return made[-1].response

    scene.wire.response = answer
    return made


def refused_by_server(scene, **how):
    asks(scene, **how)
    return scene.verdict()


def refused_by_client(scene, **how):
    answers(scene, **how)
    verdict = scene.verdict()
    scene.server.dealloc(scene.accept().result())  # it did well, and reads the end at once
    scene.accepting = None
    return verdict


# -- what is right


@pytest.mark.parametrize("suite", SUITES)
def test_client_by_the_specification_C21(scene, suite):
    """C14, C21, C31: its request is accepted, and the response opens, verifies and gives the keys that the server has."""
    stranger = asks(scene, suite=SUITES[suite], data=b"question")
    with Connection(scene.irmd.socket_path) as server:
        scene.irmd.manage("unbind_process", pid=scene.server.pid, name="service")
        server.call("flow_accept")
        scene.irmd.manage("bind_process", pid=os.getpid(), name="service")
        waiting = server.send(request("flow_accept", wait=True, data=b"answer"))
        scene.client.ask("alloc", "service")
        up = next(server.replies(waiting))["flow_up"]
        response = stranger.take(scene.wire.responses[-1])
        assert (response.id, response.suite, response.data) == (stranger.request[4:20], SUITES[suite], b"answer")
        assert response.certs == scene.pki.server.chain
        assert (up["data"], up["peer"]) == (b"question", "email:alice@example.org")
        assert (up["recv_secret"], up["send_secret"]) == (stranger.keys.c2s, stranger.keys.s2c)


def test_signatures_of_every_kind_C14(scene):
    """C14: as the key of the certificate says, made and verified by either side."""
    for kind in ("p256", "p384", "p521", "rsa2048", "ed25519", "ed448"):
        key = certificates.key_of(kind)
        scene.tree.server(scene.pki.root.issue("service", key=key))
        scene.reload()
        stranger = asks(scene, credential=scene.pki.root.issue("client-" + kind, key=key))
        accepting = scene.accept()
        scene.client.ask("alloc", "service")  # it cannot read the response: that is to another request
        scene.accepting = None
        assert scene.server.ask("peer", accepting.result())["identity"] == "cn:client-" + kind
        response = stranger.take(scene.wire.responses[-1])
        assert response.flags == oap.AUTH and spki(response.certs[0].public_key()) == spki(key.public_key())


def spki(key):
    return key.public_bytes(certificates.serialization.Encoding.DER,
                            certificates.serialization.PublicFormat.SubjectPublicKeyInfo)


def test_server_by_the_specification_C21(scene):
    """C21: its response is accepted, whatever its clock says."""
    scene.works()
    for when in (None, 0, 1 << 62):
        made = answers(scene, data=b"hello", when=when)
        accepting = scene.accept()
        with Connection(scene.irmd.socket_path) as client:
            up = client.call("flow_alloc", name="service", timeout_ms=5000)["flow_up"]
            assert (up["data"], up["peer"], up["authenticated"]) == (b"hello", "dns:service", 1)
            assert (up["send_secret"], up["recv_secret"]) == (made[-1].keys.c2s, made[-1].keys.s2c)
            accepting.result()
        scene.accepting = None


def test_long_term_keys_open_nothing_C23(scene):
    """C23: a recorded handshake, and later the private keys of both sides: nothing that they give opens the response."""
    alice, service = (certificates.new_key("p384") for _ in range(2))
    scene.tree.server(scene.pki.root.issue("service", key=service))
    scene.reload()
    scene.tree.put("client/default/enc.cfg", "suite = p384\n")
    scene.reload()
    stranger = asks(scene, credential=scene.pki.root.issue("alice", key=alice), suite=oap.P384)
    accepting = scene.accept()
    scene.client.ask("alloc", "service")
    accepting.result()
    response = scene.wire.responses[-1]
    assert stranger.take(response).certs  # who has the ephemeral key can
    m = oap.Message(response)
    shares = [stranger.ephemeral.key.public_key(), point(m.kex), alice.public_key(), service.public_key()]
    for key in (alice, service):
        for share in shares:
            keys = oap.Keys(stranger.ctx, stranger.request, m.head, key.exchange(certificates.ec.ECDH(), share))
            with pytest.raises(InvalidTag):
                keys.open(m.rest)


def point(share):
    return certificates.ec.EllipticCurvePublicKey.from_encoded_point(certificates.ec.SECP384R1(), share)


# -- requests that are wrong


def test_weak_keys_C38(scene):
    """C38: of a client and of a server; irmd would not even load them."""
    for kind in ("rsa1024", "p224", "secp256k1", "brainpool256"):
        weak = scene.pki.root.issue("service", names=["dns:service"], kind=kind)
        assert refused_by_server(scene, credential=weak) == ("server", "weak-key", EAUTH), kind
        scene.wire.request = wire.unchanged
        assert refused_by_client(scene, credential=weak) == ("client", "weak-key", EAUTH), kind
        scene.wire.response = wire.unchanged


def test_clock_out_of_the_window_C37(scene):
    """C37: 30 s either way by default; backwards only to the daemon's start, before which it may have seen everything."""
    moments = (-20, -31, 31, -86400 * 365 * 50, 86400 * 365 * 200)
    verdicts = {seconds: refused_by_server(scene, ahead=seconds) for seconds in moments}
    assert verdicts == dict.fromkeys(moments, ("server", "clock", errno.ETIME))


def test_clock_within_the_window(scene):
    asks(scene, ahead=20)
    accepting = scene.accept()
    scene.client.ask("alloc", "service")
    assert accepting.result() >= 0


def test_signatures_that_are_of_something_else_C32(scene):
    """By another key than the certificate's; as a server's; for another name."""
    bad = ("server", "bad-signature", EAUTH)
    assert refused_by_server(scene, signer=certificates.new_key("p256")) == bad
    assert refused_by_server(scene, label=b"Ouroboros OAP v1 server") == bad
    stranger = oap.Client("other", scene.wire.qos, scene.pki.client)
    scene.wire.request = lambda _: stranger.request
    assert scene.verdict() == bad


P = 2**384 - 2**128 - 2**96 + 2**32 - 1  # of P-384


VALUES = {
    "zero": (oap.X25519, bytes(32)),
    "of small order": (oap.X25519, bytes([1]) + bytes(31)),
    "no point": (oap.P384, bytes(97)),
    "not on the curve": (oap.P384, b"\4" + bytes(96)),
    "nor this": (oap.P384, b"\4" + bytes(95) + b"\1"),
    "coordinate of p": (oap.P384, b"\4" + P.to_bytes(48, "big") + bytes(48)),
    "compressed": (oap.P384, b"\2" + bytes(96)),
    "too large": (oap.P384, b"\4" + b"\xff" * 96),
}


def test_values_of_the_key_exchange_C33(scene):
    """C33: rightly signed, and still refused."""
    verdicts = {what: refused_by_server(scene, suite=suite, kex=kex) for what, (suite, kex) in VALUES.items()}
    assert verdicts == dict.fromkeys(VALUES, ("server", "bad-key-exchange", EAUTH))


def test_certificates_that_are_none(scene):
    der = scene.pki.client.certificate.public_bytes(certificates.serialization.Encoding.DER)
    chains = {"junk after it": [der + b"\0"], "junk": [b"junk"], "cut": [der[:-1]],
              "junk beside it": [der, b"junk"]}
    verdicts = {fault: refused_by_server(scene, chain=chain) for fault, chain in chains.items()}
    assert verdicts == dict.fromkeys(chains, ("server", "certificate-encoding", EAUTH))


def test_too_many_certificates(scene):
    chain = scene.pki.client.chain + [scene.pki.root.certificate] * 8
    assert refused_by_server(scene, chain=chain) == ("server", "malformed", EAUTH)


# -- responses that are wrong


def test_impostors_C28_C29(scene):
    """C28, C29: each has agreed on keys with the client properly, and none is the one it asked for."""
    pki = scene.pki
    impostors = {
        "another service": (dict(credential=pki.root.issue("mallory")), "wrong-name"),
        "another authority": (dict(credential=pki.other.issue("service")), "unknown-ca"),
        "self-signed": (dict(credential=certificates.self_signed("service")), "self-signed"),
        "the client itself": (dict(credential=pki.client), "wrong-purpose"),
        "another key": (dict(signer=certificates.new_key("p256")), "bad-signature"),
        "a client's label": (dict(label=b"Ouroboros OAP v1 client"), "bad-signature"),
        "nobody": (dict(credential=None), "no-certificate"),
    }
    verdicts = {who: refused_by_client(scene, **how) for who, (how, _) in impostors.items()}
    assert verdicts == {who: ("client", reason, EAUTH) for who, (_, reason) in impostors.items()}


def test_context_is_bound_C28(scene):
    """The name and the QoS that the client asked for are in the keys: who was asked otherwise cannot answer."""
    qos = bytearray(learn_qos(scene))
    qos[0] ^= 1
    scene.wire.response = lambda _: oap.Server("service", bytes(qos), scene.wire.requests[-1], scene.pki.server).response
    assert scene.verdict() == ("client", "bad-tag", ECRYPT)
