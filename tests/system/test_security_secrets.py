"""What nobody may see: messages of an encrypted flow, keys of flows, private keys; and what no peer can write in a log."""
import os
import re

import pytest

import o7s
from control import Connection
from security import REMOTE

MARK = b"The quick brown fox jumps over the lazy dog, and nobody is to know of it."


def memory(pid, name=""):
    """What a core file of the process would hold, and more: every mapping of that name that can be read."""
    parts = []
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in o7s.Path("/proc/%d/maps" % pid).read_text().splitlines():
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if "r" not in rights or name not in line or line.endswith(("[vvar]", "[vsyscall]", "[vdso]")):
                continue
            try:
                mem.seek(int(start, 16))
                parts.append(mem.read(int(end, 16) - int(start, 16)))
            except OSError:
                pass
    return b"".join(parts)


def needs_root():
    if os.getuid() != 0:
        pytest.skip("needs root to read the memory of others")


def secret_of(credential):
    """The private number of a P-256 key: as bytes of both orders."""
    number = credential.key.private_numbers().private_value.to_bytes(32, "big")
    return number, number[::-1]


@pytest.mark.parametrize("encrypted", [True, False])
def test_shared_memory_shows_nothing_C42(scene, encrypted):
    """C10, C42: written and read, and yet it was never in the memory that the two ends share. (Without encryption it is.)"""
    if encrypted:
        scene.usual(REMOTE + "suite = x25519\n")
    scene.start()
    fd, peer_fd = scene.connect()
    scene.client.write(fd, MARK)
    before = memory(scene.client.pid, "memfd:")
    assert scene.server.read(peer_fd) == MARK
    after = memory(scene.server.pid, "memfd:")
    assert before and after
    assert (MARK[:16] in before) == (MARK[:16] in after) == (not encrypted)


def test_first_data_of_the_server_is_not_seen_by_the_layer_C42(tapped):
    tapped.usual(REMOTE + "suite = x25519\n").start()
    accepting = tapped.server.begin("accept_data", MARK.hex(), 0)
    fd = tapped.client.alloc("service")
    accepting.result()
    assert tapped.client.read(fd) == MARK
    assert not any(MARK[:16] in message for message in tapped.wire.responses + tapped.wire.requests)


@pytest.fixture
def by_hand(scene):
    """A flow whose client is the test: it knows the secrets, which the library keeps to itself. (scene, FlowUp)"""
    scene.usual(REMOTE + "suite = x25519\n").start()
    connection = Connection(scene.irmd.socket_path)
    accepting = scene.server.begin("accept")
    up = connection.call("flow_alloc", name="service")["flow_up"]
    accepting.result()
    assert len(up["send_secret"]) == len(up["recv_secret"]) == 48
    yield scene, up
    connection.socket.close()
    for fd in connection.fds:
        os.close(fd)


def test_secrets_of_a_flow_are_in_no_log_C42(by_hand):
    scene, up = by_hand
    logs = [scene.irmd.log_path.read_bytes(), scene.audit.text().encode()]
    logs += [process.log_path.read_bytes() for process in scene.irmd.processes]
    for secret in (up["send_secret"], up["recv_secret"], *secret_of(scene.pki.client), *secret_of(scene.pki.server)):
        for log in logs:
            assert secret not in log and secret.hex() not in log.decode(errors="replace").lower()


@pytest.mark.bare
def test_daemon_and_layer_forget_the_secrets_of_a_flow_C42(by_hand):
    """C42: the daemon hands them over and wipes them; the IPCP never had them; nor did it have a private key."""
    needs_root()
    scene, up = by_hand
    daemon, layer = memory(scene.irmd.pid), memory(scene.irmd.ipcps()[0]["pid"])
    assert len(daemon) > 1 << 20
    for secret in (up["send_secret"], up["recv_secret"]):
        for part in (secret, secret[:32], secret[16:]):
            assert part not in daemon
            assert part not in layer
    for secret in (*secret_of(scene.pki.server), *secret_of(scene.pki.client)):
        assert secret not in layer


@pytest.mark.bare
def test_applications_hold_no_private_key_C42(scene):
    needs_root()
    scene.usual(REMOTE + "suite = x25519\n").start().works()
    for program in (scene.client, scene.server):
        text = memory(program.pid)
        for secret in (*secret_of(scene.pki.server), *secret_of(scene.pki.client)):
            assert secret not in text


@pytest.mark.bare
def test_keys_of_a_flow_lie_in_memory_apart(scene):
    """Locked, out of core files, and wiped in a child."""
    scene.usual(REMOTE + "suite = x25519\n").start()
    scene.connect()
    for program in (scene.client, scene.server):
        flags = re.findall(r"^VmFlags: (.*)$", o7s.Path("/proc/%d/smaps" % program.pid).read_text(), re.M)
        assert any({"lo", "dd", "wf"} <= set(line.split()) for line in flags)


@pytest.mark.bare
def test_daemon_cannot_be_looked_into(scene):
    """By nobody but root, its own user included; and it leaves no core file."""
    scene.usual().start().works()
    if scene.irmd.user is None:
        with pytest.raises(PermissionError):
            open("/proc/%d/mem" % scene.irmd.pid, "rb")
        return
    pid = scene.irmd.pid

    def look():
        try:
            open("/proc/%d/mem" % pid, "rb").close()
        except PermissionError:
            return "refused"
        return "opened"

    assert o7s.as_user(scene.irmd.user, look) == "refused"


def test_child_of_an_application_has_no_keys(scene):
    """After fork() the flow is the parent's alone."""
    scene.usual(REMOTE + "suite = x25519\n").start()
    fd, peer_fd = scene.connect()
    child, = scene.client.fork("write %d 00" % fd)
    assert child["r"] < 0
    scene.talk(fd, peer_fd)


# -- what a peer says of itself


@pytest.mark.parametrize("cn", ["a\nb", "a\u2028b", "a\x1b[31mb", 'a", "reason": "b', "a\\", "\u202egnp.exe"])
def test_certificate_forges_no_line_C59(scene, cn):
    """C59: names that nobody should have end in both logs as text, in the line where they belong."""
    scene.usual()
    scene.tree.client(scene.pki.other.issue(cn))
    line = scene.start().refusal()
    assert line["reason"] == "unknown-ca"
    for log in (scene.audit.text(), scene.irmd.log()):
        assert "\x1b" not in log and "\u2028" not in log and "\u202e" not in log
        assert not re.search(r"^b", log, re.M)
    assert scene.audit.lines(event="credentials", what="client/default")


def test_both_ends_log_the_same_number_C58(tapped):
    """C58: whatever became of the flow, and it is the number in the message."""
    tapped.usual(REMOTE + "suite = x25519\n").start().works()
    tapped.tree.client(tapped.pki.other.issue("mallory"))
    tapped.reload()
    tapped.refusal()
    tapped.wire.request = lambda oap: oap[:100]
    tapped.refusal()
    ids = [message[4:20].hex() for message in tapped.wire.requests]
    for end in ("client", "server"):
        assert [line["oap_id"] for line in tapped.audit.lines(event="asked", end=end)] == ids
