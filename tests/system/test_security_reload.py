"""Credentials and policy that change while the daemon runs: new flows follow within a second, open ones go on, and
whatever is half done or wrong on the way makes nobody worse off.
"""
import os
import shutil
import signal
import threading
import time

import pytest

import o7s
from puppet import EAUTH
from security import REMOTE, Scene

SOON = 1  # s


@pytest.fixture
def running(scene):
    scene.usual(REMOTE + "suite = x25519\n").start()
    return scene


@pytest.fixture
def fresh(pki):
    return pki.root.issue("service")


def serial(scene):
    """Of the certificate that the server has for a new flow."""
    scene.works()
    return scene.audit.lines(event="authenticated", end="client")[-1]["serial"]


def follows(scene, credential, timeout=SOON):
    o7s.eventually(lambda: serial(scene) == credential.serial, timeout, "the new certificate")


def in_place(path, data):
    """As cp does: the file is emptied and filled again."""
    path.write_bytes(data)


def by_cp(tree, credential):
    in_place(tree.root / "server/service/cert", credential.cert_text)
    in_place(tree.root / "server/service/key", credential.key_text)


def by_mv(tree, credential):
    tree.server(credential)


def versioned(tree, credential, version):
    """A folder beside the files, as Kubernetes mounts a secret."""
    folder = "server/service/..v%d" % version
    tree.put(folder + "/cert", credential.cert_text)
    tree.put(folder + "/key", credential.key_text, 0o600)
    link = tree.root / "server/service/..tmp"
    link.symlink_to("..v%d" % version)
    os.rename(link, tree.root / "server/service/..data")


def by_symlink(tree, credential):
    versioned(tree, credential, 2)


def by_folder(tree, credential):
    """A whole folder takes the place of the other."""
    tree.server(credential, "../aside")
    os.rename(tree.root / "server/service", tree.root / "old")
    os.rename(tree.root / "aside", tree.root / "server/service")


@pytest.mark.parametrize("replace", [by_cp, by_mv, by_symlink, by_folder])
def test_replaced_credentials_C52_C53(scene, fresh, replace):
    """C52, C53, C54: the same daemon, the same programs; a flow from before goes on."""
    scene.usual(REMOTE + "suite = x25519\n")
    if replace is by_symlink:
        shutil.rmtree(scene.tree.root / "server/service")
        versioned(scene.tree, scene.pki.server, 1)
        for file in ("cert", "key"):
            (scene.tree.root / "server/service" / file).symlink_to("..data/" + file)
    scene.start()
    pid = scene.irmd.pid
    old = scene.connect()
    assert serial(scene) == scene.pki.server.serial
    replace(scene.tree, fresh)
    follows(scene, fresh)
    scene.talk(*old)
    assert scene.irmd.pid == pid and scene.irmd.alive()
    line = scene.audit.wait(event="credentials", note="changed", what="server/service")
    assert fresh.serial in line["text"] and "expires" in line["text"]


def test_rollback_C54(running, fresh):
    """C54: put the files back, and it is as it was."""
    running.tree.server(fresh)
    follows(running, fresh)
    running.tree.server(running.pki.server)
    follows(running, running.pki.server)


def test_torn_pair_keeps_the_last_good_one_C52(running, fresh):
    """C52: a new certificate with the old key never fails a handshake."""
    running.tree.put("server/service/cert", fresh.cert_text)
    running.audit.wait(event="credentials", note="fault", what="server/service")
    assert serial(running) == running.pki.server.serial
    running.tree.put("server/service/key", fresh.key_text, 0o600)
    follows(running, fresh)


@pytest.mark.parametrize("file, data", [("cert", b"garbage"), ("cert", b""), ("key", b"garbage"), ("enc.cfg", b"nonsense\n")])
def test_bad_file_keeps_the_last_good_state_C16(running, file, data):
    """C16: said in the log with its name, and by `irm security show`."""
    running.tree.put("server/service/" + file, data, 0o600)
    line = running.audit.wait(event="credentials", note="fault", what="server/service")
    assert "server/service/" + file in line["text"]
    assert serial(running) == running.pki.server.serial
    assert [e["stale"] for e in running.irmd.irm("security", "show", "service")] == [True]


def test_bad_file_does_not_hold_up_another_identity_C16(running, fresh):
    running.tree.server(running.pki.root.issue("other"), "other")
    running.audit.wait(event="credentials", note="loaded", what="server/other")
    running.tree.put("server/other/cert", b"garbage")
    running.tree.put("client/bad/key", b"garbage", 0o600)
    running.tree.server(fresh)
    follows(running, fresh)


def test_credentials_that_vanish_end_the_authentication(running):
    """The folder is gone: that is a decision, not a fault. The client demands the server's certificate."""
    running.works()
    running.tree.remove("server/service")
    running.audit.wait(event="credentials", note="removed", what="server/service")
    assert running.verdict() == ("client", "no-certificate", EAUTH)


def test_credentials_that_come_later(scene, fresh):
    scene.tree.anchors(scene.pki.root)
    scene.tree.policy(REMOTE)
    scene.start()
    assert scene.verdict() == ("client", "no-certificate", EAUTH)
    scene.server.dealloc(scene.accept().result())
    scene.accepting = None
    scene.tree.client(scene.pki.client)
    scene.tree.server(fresh)
    scene.audit.wait(event="credentials", note="loaded", what="server/service")
    scene.audit.wait(event="credentials", note="loaded", what="client/default")
    assert serial(scene) == fresh.serial


def test_whole_tree_that_comes_later(make_instance, pki):
    """The daemon was started before there was a directory at all."""
    scene = Scene(make_instance(start=False), pki)
    shutil.rmtree(scene.tree.root)
    scene.start()
    assert scene.works()[0]["encrypted"] == 0
    scene.usual()
    o7s.eventually(lambda: scene.audit.lines(event="credentials", note="loaded", what="client/default"), 2)
    assert scene.works()[1]["authenticated"] == 1


def test_identity_that_was_bad_from_the_start_is_mended(scene):
    scene.usual()
    scene.tree.put("server/service/key", b"garbage", 0o600)
    scene.start()
    assert scene.verdict() == ("server", "bad-credentials", EAUTH)
    scene.tree.server(scene.pki.server)
    scene.audit.wait(event="credentials", note="loaded", what="server/service")
    scene.works()


# -- authorities and revocation


def test_authorities_that_change_C15(running):
    """C15: one file, and all follow."""
    running.tree.client(running.pki.other.issue("carol"))
    running.reload()
    assert running.verdict() == ("server", "unknown-ca", EAUTH)
    running.tree.put("cacert/other.pem", running.pki.other.cert_text)
    running.audit.wait(event="credentials", note="loaded", what="cacert/other.pem")
    assert running.works()[1]["identity"] == "cn:carol"
    running.tree.remove("cacert/other.pem")
    running.audit.wait(event="credentials", note="removed", what="cacert/other.pem")
    assert running.verdict() == ("server", "unknown-ca", EAUTH)


def test_revocation_takes_effect_though_other_files_are_bad_C34(running):
    """C34: and an open flow is not ended by it."""
    old = running.connect()
    running.tree.put("cacert/bad.pem", b"garbage")
    running.tree.put("server/service/enc.cfg", b"nonsense\n")
    running.tree.put("untrusted/bad.pem", b"garbage")
    running.tree.revoke(running.pki.client)
    began = time.monotonic()
    running.audit.wait(event="credentials", what="untrusted/revoked.pem")
    assert time.monotonic() - began < SOON * o7s.PATIENCE
    assert running.verdict() == ("server", "revoked", EAUTH)
    running.talk(*old)


def test_policy_that_changes_C15(running):
    running.works()
    running.tree.policy("suite = x25519\ndeny = email:*@example.org\n", "server/service")
    running.audit.wait(event="credentials", note="changed", what="server/service")
    assert running.verdict() == ("server", "not-allowed", EAUTH)
    running.tree.remove("server/service/enc.cfg")
    o7s.eventually(lambda: len(running.audit.lines(event="credentials", what="server/service")) >= 3, 2)
    running.works()


# -- at the same time


def test_clients_while_files_change_a_hundred_times_a_second_C55(running, fresh):
    """C52, C55: 32 threads; pairs are torn all the time, and none of them sees it."""
    over = threading.Event()
    changes = []

    def change():
        while not over.wait(0.01):
            running.tree.server(fresh if len(changes) % 2 == 0 else running.pki.server)
            changes.append(1)

    changing = threading.Thread(target=change)
    serving = running.server.begin("serve", 1000000)
    changing.start()
    clients = [running.client.begin("cycle", "service", 15) for _ in range(32)]
    counts = [client.reply(30)["r"] for client in clients]
    over.set()
    changing.join()
    assert counts == [15] * 32
    assert len(changes) > 20 and not serving.done() and running.irmd.alive()
    o7s.eventually(lambda: last_serial(running) == (fresh if len(changes) % 2 else running.pki.server).serial, 2)


def last_serial(scene):
    scene.client.cycle("service", 1)
    return scene.audit.lines(event="authenticated", end="client")[-1]["serial"]


def test_hangup_reads_everything_again_D9(running, fresh):
    """D9: and ends nothing."""
    old = running.connect()
    running.tree.server(fresh)
    os.kill(running.irmd.pid, signal.SIGHUP)
    follows(running, fresh)
    running.talk(*old)


def test_check_reads_everything_again(running, fresh):
    """`irm security check` is answered when what it read is in force."""
    running.tree.server(fresh)
    running.irmd.irm("security", "check")
    assert serial(running) == fresh.serial
