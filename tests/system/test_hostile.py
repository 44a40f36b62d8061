"""A peer that means ill, and owns one half of a port: it can end its own flow, and nothing else."""
import errno

import pytest

import o7s
import puppet


@pytest.fixture
def scene(irmd):
    """A server with two flows: one to an honest client, one to an attacker. (attacker, its fd at the server, ...)"""
    server, honest, attacker = irmd.puppet(), irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    accepting = server.begin("accept")
    honest.fd, server.honest_fd = honest.alloc("one"), accepting.result()
    accepting = server.begin("accept")
    attacker.fd, server.attacked_fd = attacker.alloc("one"), accepting.result()
    return server, honest, attacker


def honest_flow_works(server, honest, rounds=200):
    for _ in range(rounds // 100):
        honest.write(honest.fd, b"honest")
        assert server.read(server.honest_fd) == b"honest"
        server.write(server.honest_fd, b"server")
        assert honest.read(honest.fd) == b"server"


@pytest.mark.parametrize("seed", range(8))
def test_scribbling_peer_ends_only_its_own_flow(scene, seed):
    """Random bytes all over the shared memory while the server reads and writes."""
    server, honest, attacker = scene
    server.set_timeout(server.attacked_fd, "rcv", 2000)
    server.set_timeout(server.attacked_fd, "snd", 2000)
    calls = [server.begin("send", server.attacked_fd, 100000000, 500, 1), server.begin("echo", server.attacked_fd)]
    assert attacker.ask("scribble", 300, seed)["areas"] == 1
    honest_flow_works(server, honest)
    attacker.process.kill()
    for call in calls:
        call.reply(10)
    assert server.dealloc(server.attacked_fd) == 0
    honest_flow_works(server, honest)


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("doing", ["read", "write", "poll"])
def test_memory_filled_with_one_byte(scene, byte, doing):
    server, honest, attacker = scene
    fd = server.attacked_fd
    server.set_flags(fd, puppet.DEFAULT | puppet.RNOBLOCK | puppet.WNOBLOCK)
    for _ in range(3):
        assert attacker.fill(byte) == 1
        for _ in range(50):
            reply = server.ask("read", fd, 100) if doing == "read" else \
                server.ask("write_zeros", fd, 10000) if doing == "write" else server.ask("poll", fd, 0)
            assert reply["r"] >= 0 or -reply["r"] in (errno.EAGAIN, errno.EPROTO, puppet.EFLOWDOWN)
        server.ask("queued", fd)
        server.ask("stats", fd)
    honest_flow_works(server, honest)
    assert server.dealloc(fd) == 0
    honest_flow_works(server, honest)


def test_broken_ring_is_told_to_a_blocked_reader(scene):
    server, honest, attacker = scene
    reading = server.begin("read", server.attacked_fd, 100)
    o7s.eventually(server.settled)
    attacker.fill(0xFF)
    attacker.ask("write", attacker.fd, "00")
    attacker.process.kill()
    assert reading.reply(1)["r"] <= 0 or reading.reply()["r"] <= 100
    honest_flow_works(server, honest)


def test_full_bell_blocks_nobody(scene, irmd):
    """A peer that rings for ever, or fills every pipe it holds, makes the flow readable and no more."""
    server, honest, attacker = scene
    server.set_flags(server.attacked_fd, puppet.DEFAULT | puppet.RNOBLOCK)
    assert attacker.fill_pipes() > 0
    for _ in range(100):
        server.ask("poll", server.attacked_fd, 0)
        assert server.ask("read", server.attacked_fd, 100)["r"] in (-errno.EAGAIN, -errno.EPROTO)
        server.ask("write", server.attacked_fd, "00")
    honest_flow_works(server, honest)
    assert irmd.alive()


def test_peer_that_never_reads_blocks_only_its_own_flow_D6(scene, irmd):
    server, honest, attacker = scene
    blocked = server.begin("send", server.attacked_fd, 1000000, 16384, 0)
    for size in (1, 64, 500, 4096, 16384):
        receiving = honest.begin("receive", honest.fd, 500, size, 1)
        assert server.send(server.honest_fd, 500, size, 1) == 500
        assert receiving.result() == 500
    assert not blocked.done()
    accepting = server.begin("accept")
    other = irmd.puppet()
    other.alloc("one")
    accepting.result()
    attacker.process.kill()
    assert blocked.reply(1)["r"] == -puppet.EFLOWDOWN


def test_server_that_never_accepts_does_not_disturb_another(irmd):
    client, lazy, eager = irmd.puppet(), irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("lazy", lazy)
    irmd.service("eager", eager)
    waiting = [client.begin("alloc", "lazy", None, 3000) for _ in range(50)]
    serving = eager.begin("serve", 200)
    assert client.cycle("eager", 200) == 200
    assert serving.result() == 200
    for pending in waiting:
        assert pending.reply()["r"] == -errno.ETIMEDOUT


def test_client_that_allocates_and_dies_does_not_disturb_the_accept_loop(irmd):
    """The server's loop gets flows, never errors, whatever clients do."""
    server = irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    serving = server.begin("serve", 1000000)
    for _ in range(30):
        client = irmd.puppet()
        for _ in range(5):
            client.begin("alloc", "one")
        client.process.kill()
    assert not serving.done()
    last = irmd.puppet()
    assert last.cycle("one", 10) == 10
