"""Flows that are authenticated and encrypted: who is who, by which keys, and that the application had no part in it."""
import errno
import os
import pwd
import shutil
import signal
import threading

import pytest

import o7s
import pki as certificates
import wire
from puppet import EAUTH, EFLOWDOWN
from security import REMOTE

PLAIN, P384, X25519 = 0, 1, 3


def known(peer):
    """(authenticated, encrypted, suite, identity)"""
    return peer["authenticated"], peer["encrypted"], peer["suite"], peer["identity"]


def uid(irmd):
    return "uid:%d" % (irmd.user.pw_uid if irmd.user else os.getuid())


# -- who authenticates


def test_both_authenticate_C29(scene):
    """C8, C10, C29: with credentials and trust anchors both sides prove who they are, and messages are encrypted."""
    at_client, at_server = scene.usual().start().works()
    assert known(at_client) == (1, 1, P384, "dns:service")
    assert known(at_server) == (1, 1, P384, "email:alice@example.org")


def test_fingerprint_is_of_the_peers_certificate(scene):
    at_client, at_server = scene.usual().start().works()
    digest = certificates.hashes.SHA256()
    assert at_client["data"] == scene.pki.server.certificate.fingerprint(digest).hex()
    assert at_server["data"] == scene.pki.client.certificate.fingerprint(digest).hex()


@pytest.mark.parametrize("how", ["anchors", "policy"])
def test_only_the_server_authenticates(scene, how):
    """By the anchors: those for clients are not there. By policy: `authentication = server`."""
    scene.tree.server(scene.pki.server)
    if how == "anchors":
        scene.tree.policy(REMOTE)
        scene.tree.anchors(scene.pki.root, role="server")
    else:
        scene.tree.policy(REMOTE + "authentication = server\n")
        scene.tree.anchors(scene.pki.root)
    at_client, at_server = scene.start().works()
    assert known(at_client) == (1, 1, P384, "dns:service")
    assert known(at_server) == (0, 1, P384, uid(scene.irmd))


@pytest.mark.parametrize("has", ["neither", "client", "server", "both"])
def test_who_can_authenticates_where_it_is_optional(scene, has):
    scene.tree.anchors(scene.pki.root)
    scene.tree.policy(REMOTE + "authentication = optional\n")
    if has in ("client", "both"):
        scene.tree.client(scene.pki.client)
    if has in ("server", "both"):
        scene.tree.server(scene.pki.server)
    at_client, at_server = scene.start().works()
    assert (at_client["authenticated"], at_client["encrypted"]) == (has in ("server", "both"), 1)
    assert (at_server["authenticated"], at_server["encrypted"]) == (has in ("client", "both"), 1)


def test_without_credentials_nobody_authenticates_C9(scene):
    """C9: and both the application and the log are told."""
    at_client, at_server = scene.start().works()
    assert known(at_client) == known(at_server) == (0, 0, PLAIN, uid(scene.irmd))
    for end in ("client", "server"):
        line = scene.audit.wait(event="established", end=end)
        assert (line["authenticated"], line["suite"]) == (False, "plain")
        assert "principal" not in line


def test_credentials_alone_bring_encryption_C10(scene):
    """C10: certificate and key, no policy."""
    scene.tree.server(scene.pki.server)
    scene.tree.client(scene.pki.client)
    scene.tree.anchors(scene.pki.root)
    at_client, at_server = scene.start().works()
    assert known(at_client)[:3] == known(at_server)[:3] == (1, 1, P384)


def test_policy_alone_brings_encryption_C11(scene):
    """C11: the file is there and empty, credentials are not."""
    scene.tree.policy("")
    at_client, at_server = scene.start().works()
    assert known(at_client) == known(at_server) == (0, 1, P384, uid(scene.irmd))


def test_kernel_vouches_for_local_peers(scene):
    """Rule 5: with `local = kernel` nobody need have credentials on this host, though there are anchors."""
    scene.tree.anchors(scene.pki.root)
    at_client, at_server = scene.start().works()
    assert known(at_client)[:3] == known(at_server)[:3] == (0, 1, P384)


def test_server_is_live_from_the_start_and_the_client_from_its_first_record(scene):
    """What `confirmed` says; the client's library sends that record of itself."""
    scene.usual().start()
    fd, peer_fd = scene.connect()
    assert scene.client.ask("peer", fd)["confirmed"] == 1
    scene.client.write(fd, b"here")
    scene.server.read(peer_fd)
    assert scene.server.ask("peer", peer_fd)["confirmed"] == 1


# -- suites and keys


@pytest.mark.parametrize("suite, number, size", [("p384", P384, 97), ("x25519", X25519, 32)])
def test_suites_C31(tapped, suite, number, size):
    """C31: the key share is one of that suite and no other."""
    at_client, at_server = tapped.usual(REMOTE + "suite = %s\n" % suite).start().works()
    assert (at_client["suite"], at_server["suite"]) == (number, number)
    for message in (tapped.wire.requests[0], tapped.wire.responses[0]):
        assert (message[0], message[2], int.from_bytes(message[28:30], "big")) == (1, number, size)
    assert tapped.audit.wait(event="established", end="client")["suite"] == suite


def test_server_takes_any_suite_of_its_list(scene):
    scene.usual(REMOTE + "suite = p384, x25519\n")
    scene.tree.client(scene.pki.client, policy="suite = x25519\n")
    assert scene.start().works()[1]["suite"] == X25519


KINDS = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "ed25519", "ed448", "pss2048"]


def issue(authority, kind, name):
    if kind.startswith("pss"):
        return authority.issue_pss(name)
    return authority.issue(name, key=certificates.key_of(kind))


def test_kinds_of_keys_C13(scene):
    """C13, C14: each at both ends."""
    scene.usual()
    for kind in KINDS:
        scene.tree.server(issue(scene.pki.root, kind, kind), kind)
    scene.start()
    for kind in KINDS:
        scene.irmd.service(kind, scene.server)
        scene.tree.client(issue(scene.pki.root, kind, "client-" + kind))
        scene.reload()
        at_client, at_server = scene.works(kind)
        assert (at_client["authenticated"], at_client["identity"]) == (1, "dns:" + kind)
        assert (at_server["authenticated"], at_server["identity"]) == (1, "cn:client-" + kind)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p521", "ed25519"])
def test_kinds_of_authorities_C13(scene, kind):
    authority = certificates.Authority("Root by " + kind, kind=kind)
    scene.usual()
    scene.tree.anchors(authority)
    scene.tree.server(authority.issue("service"))
    scene.tree.client(authority.issue("bob"))
    assert scene.start().works()[1]["authenticated"]


def test_chain_with_intermediates(scene):
    lower = certificates.Authority("Lower", scene.pki.middle)
    scene.usual()
    scene.tree.server(lower.issue("service"))
    scene.tree.client(scene.pki.middle.issue("bob"))
    at_client, at_server = scene.start().works()
    assert (at_client["authenticated"], at_server["identity"]) == (1, "cn:bob")


def test_each_principal_has_its_own_credentials(scene):
    """client/USER before client/default."""
    user = scene.irmd.user.pw_name if scene.irmd.user else pwd.getpwuid(os.getuid()).pw_name
    scene.usual()
    scene.tree.client(scene.pki.root.issue("own"), user)
    assert scene.start().works()[1]["identity"] == "cn:own"
    line = scene.audit.wait(event="established", end="client")
    assert line["principal"] == user


def test_names_of_files_as_others_have_them(scene):
    """crt.pem and key.pem, where cert and key are absent."""
    scene.usual()
    for folder in ("server/service", "client/default"):
        where = scene.tree.root / folder
        (where / "cert").rename(where / "crt.pem")
        (where / "key").rename(where / "key.pem")
    assert scene.start().works()[1]["authenticated"]


IDENTITIES = {
    "dns:host.example.org": ["dns:Host.Example.ORG", "dns:second.example.org"],
    "uri:spiffe://example.org/Alice": ["uri:spiffe://example.org/Alice"],
    "email:Alice@example.org": ["email:Alice@EXAMPLE.org"],
    "cn:alice": [],
}


def test_identity_of_a_client(scene):
    scene.usual().start()
    for identity, names in IDENTITIES.items():
        scene.tree.client(scene.pki.root.issue("alice", names=names))
        scene.reload()
        assert scene.works()[1]["identity"] == identity
        assert scene.audit.lines(event="authenticated", end="server")[-1]["peer"] == identity


def test_flow_list_tells_identity_and_suite(scene):
    """`irm flow list --json`, for both ends."""
    scene.usual().start()
    scene.connect()
    ends = {entry["end"]: entry for entry in scene.irmd.irm("flow", "list")}
    assert (ends["server"]["peer"], ends["server"]["authenticated"]) == ("email:alice@example.org", True)
    assert (ends["client"]["peer"], ends["client"]["authenticated"]) == ("dns:service", True)
    assert ends["server"]["suite"] == ends["client"]["suite"] == "p384"
    assert ends["server"]["oap_id"] == ends["client"]["oap_id"]


# -- the application has no part in it


def test_application_cannot_read_the_credentials_C4(scene, other_user):
    """C4, C35: it belongs to another user than the daemon, who alone may enter the tree; all the same it uses them."""
    scene.usual()
    os.chmod(scene.tree.root, 0o700)
    scene.start()
    client = scene.irmd.puppet(user=other_user)
    fd, peer_fd = scene.connect(client)
    assert known(client.ask("peer", fd))[:3] == (1, 1, P384)
    assert scene.server.ask("peer", peer_fd)["identity"] == "email:alice@example.org"


def test_application_opens_no_credentials_and_no_sockets_C4_C5(scene):
    """C4, C5: what the library asks of the kernel: not one file of the tree, no socket but that to irmd."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    scene.usual().start()
    trace = scene.irmd.directory / "state" / "trace"
    client = scene.irmd.puppet(prefix=("strace", "-f", "-qq", "-e", "trace=file,socket", "-o", str(trace)))
    fd, peer_fd = scene.connect(client)
    client.write(fd, b"question")
    assert scene.server.read(peer_fd) == b"question"
    assert client.quit() == 0
    text = trace.read_text()
    sockets = [line for line in text.splitlines() if "socket(" in line]
    assert sockets and all("AF_UNIX" in line for line in sockets)
    assert "/security" not in text


# -- first data


def test_first_data_both_ways_C25(scene):
    """C25: read with the allocation itself, by both sides."""
    scene.usual().start()
    accepting = scene.server.begin("accept_data", b"reply".hex(), 100)
    alloc = scene.client.ask("alloc_data", "service", b"request".hex(), 100)
    accept = accepting.reply()
    assert (bytes.fromhex(alloc["data"]), bytes.fromhex(accept["data"])) == (b"reply", b"request")
    scene.talk(alloc["r"], accept["r"])


def test_first_data_is_what_an_ordinary_read_gives(scene):
    """Who does not know of first data gets it as the first message; so does who has too small a buffer."""
    scene.usual().start()
    accepting = scene.server.begin("accept")
    fd = scene.client.alloc_data("service", b"request".hex(), 0)
    peer_fd = accepting.result()
    scene.client.write(fd, b"second")
    assert [scene.server.read(peer_fd), scene.server.read(peer_fd)] == [b"request", b"second"]
    accepting = scene.server.begin("accept_data", b"reply".hex(), 3)
    fd = scene.client.alloc_data("service", b"request".hex(), 3)
    assert scene.client.read(fd) == b"reply"
    assert scene.server.read(accepting.result()) == b"request"


@pytest.mark.parametrize("size", [1, 16384])
@pytest.mark.parametrize("encrypted", [True, False])
def test_first_data_of_every_size(scene, size, encrypted):
    if encrypted:
        scene.usual()
    scene.start()
    data = os.urandom(size)
    accepting = scene.server.begin("accept_data", data[::-1].hex(), size)
    alloc = scene.client.ask("alloc_data", "service", data.hex(), size)
    assert bytes.fromhex(alloc["data"]) == data[::-1]
    assert bytes.fromhex(accepting.reply()["data"]) == data


def test_too_much_first_data_is_refused(scene):
    scene.usual().start()
    reply = scene.client.ask("alloc_data", "service", bytes(16385).hex(), 0)
    assert -reply["r"] == errno.EMSGSIZE
    scene.works()


def test_first_data_waits_for_proof_where_policy_says_so(tapped):
    """`first-data = confirmed`: with the first record, which the client sends only when it has the response."""
    held = threading.Event()

    def late(response):
        held.wait(10)
        return response

    tapped.usual(REMOTE + "first-data = confirmed\n").start()
    tapped.wire.response = late
    accepting = tapped.server.begin("accept_data", "none", 100)
    allocating = tapped.client.begin("alloc_data", "service", b"pay".hex(), 0)
    accept = accepting.reply()
    assert accept["r"] >= 0 and accept["data"] == ""
    tapped.server.set_timeout(accept["r"], "rcv", 100)
    assert tapped.server.ask("read", accept["r"], 100)["r"] == -errno.ETIMEDOUT
    held.set()
    allocating.result()
    tapped.server.set_timeout(accept["r"], "rcv", None)
    assert tapped.server.read(accept["r"]) == b"pay"


# -- one acceptor and two clients


def waiting(scene, client, count):
    """@client asks, and waits as the last of so many."""
    asking = client.begin("alloc", "service")
    o7s.eventually(lambda: [flow["state"] for flow in scene.irmd.flows()].count("waiting") == count, what="a flow that waits")
    return asking


def has_flow(scene, client, asking, accepting):
    """The flow is there, and the server has not called twice for it."""
    fd, peer_fd = asking.result(5), accepting.result(5)
    client.write(fd, b"question")
    assert scene.server.read(peer_fd) == b"question"


@pytest.fixture
def unknown(tapped):
    """Clients that nobody knows, and so the server's answer to each is made on a thread, not at once."""
    tapped.tree.policy(REMOTE + "suite = x25519\n")
    return tapped.start()


def test_acceptor_of_a_refused_client_serves_the_next(unknown):
    """That it is to be refused is seen only when it has the acceptor: its value gives no key."""
    second = unknown.irmd.puppet()
    unknown.wire.request = lambda oap: wire.replace(oap, wire.HDR, bytes(32))
    refused = waiting(unknown, unknown.client, 1)
    unknown.wire.request = wire.unchanged
    served = waiting(unknown, second, 2)
    accepting = unknown.server.begin("accept")
    assert -refused.reply()["r"] == EAUTH
    assert "answering -> refused" in unknown.irmd.log()
    has_flow(unknown, second, served, accepting)


def test_acceptor_of_a_client_that_has_gone_serves_the_next(unknown):
    """It goes while it is being answered: the daemon finds the call and the end of the client in one turn."""
    second = unknown.irmd.puppet()
    waiting(unknown, unknown.client, 1)
    served = waiting(unknown, second, 2)
    o7s.kill(unknown.irmd.pid, signal.SIGSTOP)
    accepting = unknown.server.begin("accept")
    o7s.eventually(unknown.server.settled)
    o7s.kill(unknown.client.pid)
    unknown.client.process.wait()
    o7s.kill(unknown.irmd.pid, signal.SIGCONT)
    has_flow(unknown, second, served, accepting)
    assert "answering -> closed" in unknown.irmd.log()


# -- the end of an encrypted flow


def test_end_is_told_from_death(scene):
    """Only the peer itself can end a flow in order: what it wrote, then the end. Anything else is no end of file."""
    scene.usual(REMOTE + "suite = x25519\n").start()
    fd, peer_fd = scene.connect()
    scene.client.write(fd, b"last words")
    scene.client.dealloc(fd)
    assert [scene.server.read(peer_fd), scene.server.read(peer_fd)] == [b"last words", b""]
    fd, peer_fd = scene.connect()
    scene.client.write(fd, b"last words")
    scene.client.process.kill()
    assert scene.server.read(peer_fd) == b"last words"
    assert scene.server.ask("read", peer_fd, 100)["r"] == -EFLOWDOWN


@pytest.mark.parametrize("seed", range(3))
def test_scribbling_peer_ends_only_its_own_flow_D6(scene, seed):
    """Random bytes all over the ciphertext: nothing but what was written is ever read."""
    scene.usual(REMOTE + "suite = x25519\n").start()
    attacker = scene.irmd.puppet()
    honest = scene.connect()
    _, attacked = scene.connect(attacker)
    scene.server.set_timeout(attacked, "rcv", 500)
    reading = scene.server.begin_read(attacked)
    assert attacker.ask("scribble", 200, seed)["areas"] == 1
    assert reading.reply(10)["r"] <= 0
    scene.talk(*honest)
    scene.server.dealloc(attacked)
    scene.works()
