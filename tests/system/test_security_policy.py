"""enc.cfg: what it brings about, for whom, and that an application has no say in it."""
import pytest

import o7s
from puppet import EAUTH
from security import REMOTE, Scene

X25519 = REMOTE + "suite = x25519\n"


def test_disabled_with_credentials_C12(scene):
    """C12: both are known, and the flow is plain; everybody is told that its packets bear no proof."""
    at_client, at_server = scene.usual(REMOTE + "disabled\n").start().works()
    for peer, identity in ((at_client, "dns:service"), (at_server, "email:alice@example.org")):
        assert (peer["authenticated"], peer["encrypted"], peer["identity"]) == (1, 0, identity)
    assert scene.audit.wait(event="established", end="server")["suite"] == "plain"
    assert any("plain" in note for note in scene.irmd.irm("security", "check")["notes"])


def test_disabled_without_credentials_C12(scene):
    scene.tree.policy(REMOTE + "disabled\n")
    at_client, at_server = scene.start().works()
    assert (at_client["authenticated"], at_server["encrypted"]) == (0, 0)


@pytest.mark.parametrize("text", ["encryption = disabled\n", "# nothing\n\nencryption=disabled # for now\n"])
def test_encryption_disabled(scene, text):
    assert scene.usual(REMOTE + text).start().works()[0]["encrypted"] == 0


def test_own_rule_rules_alone(scene):
    """Nothing is merged: the identity's file says nothing of the suite, so it is p384, whatever the root's says."""
    scene.usual(X25519)
    scene.tree.policy("", "server/service")
    assert scene.start().verdict()[:2] == ("server", "suite")
    scene.tree.policy("# p384 by default\n", "client/default")
    scene.reload()
    assert scene.works()[0]["suite"] == 1


def test_server_that_does_without_the_clients_certificate(scene):
    """`authentication = server` of that one name; the next one demands it still."""
    scene.usual()
    scene.tree.server(scene.pki.root.issue("public"), "public", policy="authentication = server\n")
    scene.tree.remove("client/default")
    scene.start()
    scene.irmd.service("public", scene.server)
    assert scene.works("public")[0]["identity"] == "dns:public"
    assert scene.verdict() == ("server", "no-certificate", EAUTH)


def test_presented_certificate_is_verified_though_none_is_demanded(scene):
    """Rule 3: whatever the policy."""
    scene.usual(REMOTE + "authentication = optional\n")
    scene.tree.client(scene.pki.other.issue("mallory"))
    assert scene.start().verdict() == ("server", "unknown-ca", EAUTH)


# -- allow and deny

ADMITTED = {
    "allow = email:alice@example.org": True,
    "allow = email:*@example.org": True,
    "allow = email:ALICE@example.org": False,
    "allow = email:alice@EXAMPLE.ORG": True,
    "allow = dns:* , email:*": True,
    "allow = *": True,
    "allow = cn:alice": False,  # a name of the certificate, but not the identity
    "allow = dns:alice@example.org": False,
    "allow = email:alice": False,
    "allow =": False,
    "deny = email:alice@example.org": False,
    "deny = cn:alice": False,  # any name of the certificate
    "deny = email:bob@example.org": True,
    "deny =": True,
    "allow = email:*\ndeny = email:alice@*": False,
    "allow = email:bob@example.org": False,
}


def test_allow_and_deny(scene):
    scene.usual(X25519).start()
    admitted = {}
    for text in ADMITTED:
        scene.tree.policy("suite = x25519\n" + text + "\n", "server/service")
        scene.reload()
        scene.accept()
        fd = scene.client.ask("alloc", "service")["r"]
        admitted[text] = fd >= 0
        if fd >= 0:
            scene.disconnect(fd, scene.accept().result())
            scene.accepting = None
    assert admitted == ADMITTED
    assert {line["reason"] for line in scene.audit.lines(event="refused", end="server")} == {"not-allowed"}


@pytest.mark.parametrize("text", ["allow = *", "deny = dns:nobody"])
def test_lists_refuse_who_does_not_authenticate(scene, text):
    scene.usual()
    scene.tree.policy("authentication = server\n%s\n" % text, "server/service")
    scene.tree.remove("client/default")
    assert scene.start().verdict() == ("server", "no-certificate", EAUTH)


def test_lists_of_local_users(scene, other_user):
    """Rule 5: with `local = kernel` they speak of uid:N."""
    uid = scene.irmd.user.pw_uid
    scene.tree.policy("suite = x25519\n")
    scene.tree.policy("suite = x25519\nallow = uid:%d\n" % uid, "server/service")
    scene.start()
    assert scene.works()[1]["identity"] == "uid:%d" % uid
    assert scene.refusal(client=scene.irmd.puppet(user=other_user))["reason"] == "not-allowed"


def test_written_demand_is_not_satisfied_by_the_kernel(scene):
    """Rule 5: `authentication = mutual` means certificates, on one host too."""
    scene.usual("")
    scene.tree.remove("client/default")
    scene.tree.policy("authentication = mutual\n", "server/service")
    assert scene.start().verdict() == ("server", "no-certificate", EAUTH)


# -- the application has no say


def test_environment_of_the_application_changes_nothing_C30(scene):
    """C30: it may say what it likes about directories and OpenSSL."""
    scene.usual()
    scene.tree.remove("client/default")
    scene.start()
    nowhere = str(scene.irmd.directory / "nowhere")
    client = scene.irmd.puppet(OUROBOROS_CONFIG_DIR=nowhere, OUROBOROS_STATE_DIR=nowhere, SSL_CERT_FILE=nowhere,
                               OPENSSL_CONF=nowhere)
    assert scene.refusal(client=client)["reason"] == "no-certificate"


def test_fresh_installation_C17(irmd, pki):
    """C17: without a word of configuration flows are plain, and `irm` says so."""
    scene = Scene(irmd, pki)
    said = irmd.irm("security", "check")
    assert said["faults"] == [] and any("plain" in note for note in said["notes"])
    scene.tree.server(pki.server)
    entry, = o7s.eventually(lambda: [e for e in irmd.irm("security", "show", "service") if e["serial"]], 2)
    assert (entry["encryption"], entry["suites"], entry["serial"]) == (True, ["p384"], pki.server.serial)
