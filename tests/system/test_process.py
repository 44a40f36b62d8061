"""The library as a guest in a program: fork, exec, descriptors, output, threads."""
import errno
import os
from pathlib import Path

import o7s
from puppet import EIRMD


def test_child_has_no_flows_and_starts_afresh(irmd):
    client, fd, server, peer_fd = irmd.pair()
    server.begin("echo_all")
    replies = client.fork("read %d 10" % fd, "write %d 00" % fd, "dealloc %d" % fd, "alloc service")
    assert [r["r"] for r in replies[:3]] == [-errno.EBADF] * 3
    assert replies[3]["r"] >= 0


def test_childs_new_flow_works_and_the_parents_lives_on(irmd):
    client, fd, server, peer_fd = irmd.pair()
    server.begin("echo_all")
    child, = client.fork("rounds 0 1")
    assert child["r"] == -errno.EBADF
    replies = client.fork("alloc service", "rounds %d 10" % fd)
    new_fd = replies[0]["r"]
    if new_fd != fd:
        replies = client.fork("alloc service", "rounds %d 10" % new_fd)
    assert replies[1]["r"] == 10
    client.write(fd, b"parent")
    assert server.read(peer_fd) == b"parent"
    server.write(peer_fd, b"back")
    assert client.read(fd) == b"back"


def test_child_that_ends_does_not_end_the_parents_flows(irmd):
    client, fd, server, peer_fd = irmd.pair()
    polling = server.begin("poll", peer_fd, 300)
    client.fork("get_flags %d" % fd)
    assert not polling.reply()["in"]
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"


def test_fork_while_threads_wait(irmd):
    """No lock that another thread held at the fork is asked for in the child."""
    client, fd, server, peer_fd = irmd.pair()
    waiting = [client.begin("read", fd, 10), client.begin("accept"), client.begin("accept")]
    server.begin("echo_all")
    for _ in range(20):
        replies = client.fork("alloc service", "accept 0", "dealloc 99")
        assert replies[0]["r"] >= 0 and replies[1]["r"] == -errno.EAGAIN
    assert not any(w.done() for w in waiting)


def test_grandchild(irmd):
    client, _, server, _ = irmd.pair()
    server.begin("echo_all")
    child, = client.fork("fork alloc service")
    assert child["r"] == 0 and child["child"][0]["r"] >= 0


def test_child_accepts_for_a_program_binding(irmd):
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one")
    irmd.irm("bind", "program", irmd.build.program("puppet"), "name", "one")
    server.ask("accept", 0)
    accepting = server.begin("fork", "accept", ",", "write", 4, "00")
    fd = o7s.eventually(lambda: _allocated(client), what="an accepting child")
    client.dealloc(fd)
    assert accepting.reply()["child"][0]["r"] >= 0


def _allocated(client):
    reply = client.ask("alloc", "one", None, 500)
    return reply["r"] if reply["r"] >= 0 else None


def test_nothing_is_inherited_by_another_program(irmd):
    client, fd, server, peer_fd = irmd.pair()
    for program in (client, server):
        program.accept_fd()
        flows = program.set_create()
        program.set_add(flows, fd if program is client else peer_fd)
        fds = program.ask("exec_fds")["fds"]
        assert [n for n in fds if n > 3] == [], "descriptors without close-on-exec"


def test_descriptors_come_back(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    serving = server.begin("serve", 101)
    client.cycle("one", 1)
    before = o7s.fd_count(client.pid), None
    server_before = o7s.fd_count(server.pid)
    client.cycle("one", 100)
    assert serving.result() == 101
    assert o7s.fd_count(client.pid) == before[0]
    assert o7s.fd_count(server.pid) <= server_before


def test_failed_allocations_leave_no_descriptor(irmd):
    client = irmd.puppet()
    irmd.layer()
    irmd.service("one")
    client.ask("alloc", "one")
    before = o7s.fd_count(client.pid)
    for _ in range(100):
        client.ask("alloc", "one")
        client.ask("alloc", "ghost")
        fd = client.ask("alloc_start", "one")["r"]
        client.poll(fd, 1000)
        assert client.ask("alloc_finish", fd)["r"] < 0
    o7s.eventually(lambda: o7s.fd_count(client.pid) <= before + 1, 2)


def test_library_starts_no_thread_and_prints_nothing(irmd):
    client, fd, server, peer_fd = irmd.pair()
    client.write(fd, b"x")
    server.read(peer_fd)
    o7s.eventually(lambda: len(os.listdir("/proc/%d/task" % client.pid)) == 1, 2, "no thread but the program's own")
    client.dealloc(fd)
    client.quit()
    server.process.kill()
    server.process.wait()
    for program in (client, server):
        assert program.process.log_path.read_bytes() == b""


def test_no_handlers_are_installed(irmd):
    client, fd, server, peer_fd = irmd.pair()
    status = Path("/proc/%d/status" % client.pid).read_text()
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    ignored = int(status.split("SigIgn:")[1].split()[0], 16)
    assert ignored & 1 << 12 == 0 or _ignored_by_us(12)
    if not irmd.build.sanitized():
        assert caught & ~0x180000000 == 0


def _ignored_by_us(signal_bit):
    """Python ignores SIGPIPE, and its children inherit that unless subprocess restores it."""
    return int(Path("/proc/self/status").read_text().split("SigIgn:")[1].split()[0], 16) & 1 << signal_bit


def test_descriptor_limit_of_the_process(irmd):
    client, server = irmd.puppet(prefix=["/usr/bin/prlimit", "--nofile=64:64"]), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    server.begin("keep", 1000)
    reply = client.ask("hold", "one", 1000)
    assert 5 < reply["r"] < 64 and reply["error"] == -errno.EMFILE
    assert irmd.alive()
    other = irmd.puppet()
    assert other.ask("alloc", "one")["r"] >= 0


def test_program_ends_while_its_threads_are_inside(irmd):
    client, fd, server, peer_fd = irmd.pair()
    client.begin("read", fd, 10)
    client.begin("accept")
    o7s.eventually(client.settled)
    assert client.quit() == 0
    o7s.eventually(lambda: irmd.status()["processes"] == 2, 2, "only the server and irm itself")
    assert server.ask("read", peer_fd, 10)["r"] <= 0


def test_daemon_goes_while_programs_wait(irmd):
    server = irmd.puppet()
    waiting = [server.begin("accept") for _ in range(3)]
    server.ask("accept", 0)
    irmd.stop()
    assert [w.reply(1)["r"] for w in waiting] == [-EIRMD] * 3
