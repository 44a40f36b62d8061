"""What flow_alloc, flow_accept, flow_read, flow_write, flow_dealloc and fccntl promise (dev.h, fccntl.h)."""
import errno
import os
import time

import pytest

import o7s
import puppet
import security
from puppet import EFLOWDOWN, EIRMD, ENAME, ENOTALLOC, Failed

# How late a timeout may come on a machine that is busy.
LATE = 1.0 * puppet.PATIENCE


@pytest.fixture(params=["plain", "encrypted"])
def pair(request, make_instance):
    """What the library promises it promises of both kinds of flows."""
    irmd = make_instance(start=False)
    if request.param == "encrypted":
        security.Tree(irmd).policy("suite = x25519\n")
    return irmd.start().pair()


def fails(code, number, call, *args):
    """@call fails with -@code and leaves @number in errno."""
    with pytest.raises(Failed) as failed:
        call(*args)
    assert (failed.value.code, failed.value.errno) == (code, number)


def took(call, *args):
    begun = time.monotonic()
    reply = call(*args)
    return time.monotonic() - begun, reply


# -- messages


def test_messages_go_both_ways(pair):
    client, fd, server, peer_fd = pair
    client.write(fd, b"question")
    assert server.read(peer_fd) == b"question"
    server.write(peer_fd, b"answer")
    assert client.read(fd) == b"answer"


def test_one_write_is_one_message(pair):
    client, fd, server, peer_fd = pair
    for message in (b"one", b"two", b"three"):
        client.write(fd, message)
    assert [server.read(peer_fd) for _ in range(3)] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("size", [1, 7, 8, 4095, 4096, 65535, 65536])
def test_sizes(pair, size):
    client, fd, server, peer_fd = pair
    for _ in range(5):
        assert client.write_zeros(fd, size) == size
        assert server.read(peer_fd, 1 << 17) == bytes(size)


def test_largest_message_is_what_info_says(pair):
    client, fd, _, _ = pair
    largest = client.ask("info", fd)["max_message"]
    assert client.write_zeros(fd, largest) == largest
    fails(errno.EMSGSIZE, errno.EMSGSIZE, client.write_zeros, fd, largest + 1)


def test_short_read_leaves_the_rest_D5(pair):
    """Write 100, read 40: the next read gives the other 60, and only then comes the next message."""
    client, fd, server, peer_fd = pair
    message = bytes(range(100))
    client.write(fd, message)
    client.write(fd, b"next")
    assert server.read(peer_fd, 40) == message[:40]
    assert server.read(peer_fd, 40) == message[40:80]
    assert server.read(peer_fd, 40) == message[80:]
    assert server.read(peer_fd, 40) == b"next"


def test_finished_message_is_not_followed_by_a_zero(pair):
    client, fd, server, peer_fd = pair
    client.write(fd, b"12345678")
    assert server.read(peer_fd, 4) + server.read(peer_fd, 4) == b"12345678"
    server.set_flags(peer_fd, puppet.DEFAULT | puppet.RNOBLOCK)
    fails(errno.EAGAIN, errno.EAGAIN, server.read, peer_fd)


def test_message_that_must_be_read_whole_is_kept(pair):
    client, fd, server, peer_fd = pair
    server.set_flags(peer_fd, puppet.DEFAULT | puppet.RNOPART)
    client.write(fd, b"0123456789")
    fails(errno.EMSGSIZE, errno.EMSGSIZE, server.read, peer_fd, 9)
    assert server.read(peer_fd, 10) == b"0123456789"


def test_nothing_is_sent_by_a_write_of_nothing(pair):
    client, fd, server, peer_fd = pair
    assert client.write_zeros(fd, 0) == 0
    client.write(fd, b"something")
    assert server.ask("read", peer_fd, 0)["r"] == 0
    assert server.read(peer_fd) == b"something"


@pytest.mark.parametrize("size", [1, 64, 1500, 16384])
def test_a_stream_arrives_whole_and_in_order(pair, size):
    client, fd, server, peer_fd = pair
    count = min(20000, (16 << 20) // size)
    receiving = server.begin("receive", peer_fd, count, size, 7)
    assert client.send(fd, count, size, 7) == count
    assert receiving.result() == count


def test_both_directions_at_once_by_several_threads(pair):
    client, fd, server, peer_fd = pair
    calls = [client.begin("send", fd, 5000, 700, 1), server.begin("send", peer_fd, 5000, 900, 2),
             server.begin("receive", peer_fd, 5000, 700, 1), client.begin("receive", fd, 5000, 900, 2)]
    assert [call.result() for call in calls] == [5000] * 4


def test_ping_pong(pair):
    client, fd, server, peer_fd = pair
    server.begin("echo", peer_fd)
    assert client.rounds(fd, 5000) == 5000


def test_readers_in_several_threads_share_the_messages(pair):
    client, fd, server, peer_fd = pair
    reading = [server.begin_read(peer_fd) for _ in range(4)]
    for i in range(4):
        client.write(fd, b"%d" % i)
    assert sorted(r.data() for r in reading) == [b"0", b"1", b"2", b"3"]


# -- waiting


def test_read_without_blocking(pair):
    client, fd, server, peer_fd = pair
    server.set_flags(peer_fd, puppet.DEFAULT | puppet.RNOBLOCK)
    fails(errno.EAGAIN, errno.EAGAIN, server.read, peer_fd)
    client.write(fd, b"now")
    assert server.read(peer_fd) == b"now"


def fill(client, fd, size=16384):
    """Writes until the flow is full; returns how many messages went."""
    client.set_flags(fd, puppet.DEFAULT | puppet.WNOBLOCK)
    for count in range(10000):
        if client.ask("write_zeros", fd, size)["r"] < 0:
            return count
    raise AssertionError("a flow without end")


def test_write_without_blocking(pair):
    client, fd, server, peer_fd = pair
    count = fill(client, fd)
    fails(errno.EAGAIN, errno.EAGAIN, client.write_zeros, fd, 16384)
    for _ in range(count):
        server.read(peer_fd)
    assert client.write_zeros(fd, 16384) == 16384


def test_write_waits_for_room(pair):
    client, fd, server, peer_fd = pair
    fill(client, fd)
    client.set_flags(fd, puppet.DEFAULT)
    writing = client.begin("write_zeros", fd, 16384)
    o7s.eventually(client.settled)
    assert not writing.done()
    for _ in range(4):
        server.read(peer_fd)
    assert writing.result(2) == 16384


@pytest.mark.parametrize("ms", [0, 100, 400])
def test_read_timeout(pair, ms):
    client, fd, _, _ = pair
    client.set_timeout(fd, "rcv", ms)
    assert client.ask("get_timeout", fd, "rcv")["ms"] == ms
    seconds, reply = took(client.ask, "read", fd, 10)
    assert reply["r"] in (-errno.ETIMEDOUT, -errno.EAGAIN) and (reply["r"] == -errno.ETIMEDOUT or ms == 0)
    assert ms / 1000 <= seconds < ms / 1000 + LATE


def test_write_timeout(pair):
    client, fd, _, _ = pair
    fill(client, fd)
    client.set_flags(fd, puppet.DEFAULT)
    client.set_timeout(fd, "snd", 200)
    seconds, reply = took(client.ask, "write_zeros", fd, 16384)
    assert reply["r"] == -errno.ETIMEDOUT and 0.2 <= seconds < 0.2 + LATE


def test_timeout_can_be_taken_back(pair):
    client, fd, server, peer_fd = pair
    client.set_timeout(fd, "rcv", 1)
    client.set_timeout(fd, "rcv", None)
    fails(errno.EPERM, errno.EPERM, client.get_timeout, fd, "rcv")
    reading = client.begin_read(fd)
    o7s.eventually(client.settled)
    server.write(peer_fd, b"late")
    assert reading.data() == b"late"


def test_bad_timeouts(pair):
    client, fd, _, _ = pair
    for way in ("rcv", "snd"):
        fails(errno.EINVAL, errno.EINVAL, client.set_timeout, fd, way, "bad")
        fails(errno.EINVAL, errno.EINVAL, client.set_timeout, fd, way, -1000)
    fails(errno.EINVAL, errno.EINVAL, client.alloc, "service", None, "bad")
    fails(errno.EINVAL, errno.EINVAL, client.accept, "bad")


# -- access modes and other facts


def test_read_only_and_write_only(pair):
    client, fd, server, peer_fd = pair
    client.set_flags(fd, puppet.RDONLY)
    fails(errno.EPERM, errno.EPERM, client.write, fd, b"no")
    server.set_flags(peer_fd, puppet.WRONLY)
    fails(errno.EPERM, errno.EPERM, server.read, peer_fd)
    server.write(peer_fd, b"yes")
    assert client.read(fd) == b"yes"


def test_flags_are_what_was_set(pair):
    client, fd, _, _ = pair
    assert client.ask("get_flags", fd)["flags"] == puppet.DEFAULT
    client.set_flags(fd, puppet.RDONLY | puppet.RNOBLOCK | puppet.RNOPART)
    assert client.ask("get_flags", fd)["flags"] == puppet.RDONLY | puppet.RNOBLOCK | puppet.RNOPART


def test_queue_lengths(pair):
    client, fd, server, peer_fd = pair
    server.set_flags(peer_fd, puppet.DEFAULT | puppet.RNOBLOCK)
    fails(errno.EAGAIN, errno.EAGAIN, server.read, peer_fd)  # an encrypted flow begins with a record of the client's
    assert client.ask("queued", fd) | {"id": 0} == {"id": 0, "r": 0, "errno": 0, "rx": 0, "tx": 0}
    client.write_zeros(fd, 1000)
    assert 1000 <= client.ask("queued", fd)["tx"] < 1100
    assert 1000 <= server.ask("queued", peer_fd)["rx"] < 1100
    server.read(peer_fd)
    assert client.ask("queued", fd)["tx"] == server.ask("queued", peer_fd)["rx"] == 0


def test_who_is_there_and_what_carries_the_flow(irmd):
    client, fd, server, peer_fd = irmd.pair()
    info = client.ask("info", fd)
    assert (info["layer"], info["type"]) == ("local", "local")
    assert info["flow_id"] != server.ask("info", peer_fd)["flow_id"]
    uid = irmd.user.pw_uid if irmd.user else os.getuid()
    peer = server.ask("peer", peer_fd)
    assert (peer["authenticated"], peer["encrypted"], peer["identity"]) == (0, 0, "uid:%d" % uid)


def test_statistics(pair):
    client, fd, server, peer_fd = pair
    client.write(fd, b"12345")
    client.write(fd, b"123")
    server.read(peer_fd)
    assert client.ask("stats", fd)["tx"] == [2, 8]
    assert server.ask("stats", peer_fd)["rx"] == [1, 5]


def test_qos_is_granted_and_told_to_the_server(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    accepting = server.begin("accept")
    reply = client.ask("alloc", "one", "raw", None)
    assert reply["r"] >= 0
    assert reply["qos"] == client.ask("get_qos", reply["r"])["qos"] == accepting.reply()["qos"]


@pytest.mark.parametrize("command", [5, 7, 8, 9, 16, 17, 18, 2, 4])
def test_fccntl_refuses_null(pair, command):
    client, fd, _, _ = pair
    fails(errno.EINVAL, errno.EINVAL, client.fccntl_null, fd, command)


def test_fccntl_refuses_what_it_does_not_know(pair):
    client, fd, _, _ = pair
    for command in (0, -1, 99, 1 << 20):
        fails(errno.EINVAL, errno.EINVAL, client.fccntl_null, fd, command)


@pytest.mark.parametrize("fd", [-1, 0, 2, 4096, 10239, 10240, 999999, 2**31 - 1, -2**31])
def test_what_is_no_flow_is_refused_everywhere_D11(pair, fd):
    client = pair[0]
    for verb, *args in (("read", fd, 10), ("write", fd, "00"), ("dealloc", fd), ("get_flags", fd), ("alloc_finish", fd)):
        reply = client.ask(verb, *args)
        assert (reply["r"], reply["errno"]) == (-errno.EBADF, errno.EBADF), verb


# -- the end


def test_end_of_flow(pair):
    """What was written is read, then the end; writes say that the flow is down."""
    client, fd, server, peer_fd = pair
    client.write(fd, b"last words")
    client.dealloc(fd)
    assert server.read(peer_fd) == b"last words"
    assert server.read(peer_fd) == b""
    assert server.read(peer_fd) == b""
    fails(EFLOWDOWN, errno.EPIPE, server.write, peer_fd, b"anyone?")
    assert server.ask("get_flags", peer_fd)["flags"] & puppet.DOWN
    server.dealloc(peer_fd)


def test_end_wakes_a_reader_and_a_writer(pair):
    client, fd, server, peer_fd = pair
    fill(server, peer_fd)
    server.set_flags(peer_fd, puppet.DEFAULT)
    reading, writing = server.begin_read(peer_fd), server.begin("write_zeros", peer_fd, 16384)
    o7s.eventually(server.settled)
    client.dealloc(fd)
    assert reading.data(1) == b""
    assert writing.reply(1)["r"] == -EFLOWDOWN


def test_dealloc_wakes_those_who_wait_on_it(pair):
    client, fd, _, _ = pair
    fill(client, fd)
    client.set_flags(fd, puppet.DEFAULT)
    waiting = [client.begin("read", fd, 10), client.begin("write_zeros", fd, 16384)]
    o7s.eventually(client.settled)
    client.dealloc(fd)
    assert [w.reply(1)["r"] for w in waiting] == [-errno.EBADF] * 2
    fails(errno.EBADF, errno.EBADF, client.dealloc, fd)


def test_descriptor_after_dealloc_is_another_flow(irmd):
    client, fd, server, _ = irmd.pair()
    client.dealloc(fd)
    accepting = server.begin("accept")
    again = client.alloc("service")
    peer_fd = accepting.result()
    client.write(again, b"fresh")
    assert server.read(peer_fd) == b"fresh"


# -- allocation that fails


@pytest.mark.parametrize("name", ["null", "empty", "x" * 256, "a/b", "..", "."])
def test_bad_names(irmd, name):
    fails(errno.EINVAL, errno.EINVAL, irmd.puppet().alloc, name)


def test_longest_name(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("n" * 255, server)
    accepting = server.begin("accept")
    client.alloc("n" * 255)
    accepting.result()


def test_unknown_name(irmd):
    client = irmd.puppet()
    irmd.layer()
    fails(ENAME, errno.ENOENT, client.alloc, "ghost")


def test_without_any_layer(irmd):
    reply = irmd.puppet().ask("alloc", "ghost")
    assert -reply["r"] == puppet.EIPCP and reply["errno"] == errno.ECONNREFUSED


def test_nobody_accepts_D20(irmd):
    """Refused at once and with its own code, not by a timeout (D20)."""
    client = irmd.puppet()
    irmd.layer()
    irmd.service("one")
    seconds, reply = took(client.ask, "alloc", "one")
    assert (-reply["r"], reply["errno"]) == (ENOTALLOC, errno.ECONNREFUSED)
    assert seconds < LATE


def test_allocation_timeout(irmd):
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    seconds, reply = took(client.ask, "alloc", "one", None, 300)
    assert (reply["r"], reply["errno"]) == (-errno.ETIMEDOUT, errno.ETIMEDOUT) and 0.3 <= seconds < 0.3 + LATE
    fails(errno.EAGAIN, errno.EAGAIN, server.accept, 0)
    irmd.wait_no_flows()


def test_default_timeout_is_the_daemons(make_instance):
    irmd = make_instance("--limit", "alloc-timeout-ms=300")
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    seconds, reply = took(client.ask, "alloc", "one")
    assert reply["r"] == -errno.ETIMEDOUT and 0.3 <= seconds < 0.3 + LATE


def test_accept_timeouts(irmd):
    server = irmd.puppet()
    fails(errno.EAGAIN, errno.EAGAIN, server.accept, 0)
    seconds, reply = took(server.ask, "accept", 200)
    assert reply["r"] == -errno.ETIMEDOUT and 0.2 <= seconds < 0.2 + LATE


def test_accept_after_a_timeout_loses_no_flow(irmd):
    """An accept that has given up must not swallow the flow that comes next."""
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    for _ in range(20):
        server.ask("accept", 1)
        allocating = client.begin("alloc", "one")
        peer_fd = server.accept()
        client.write(allocating.result(), b"here")
        assert server.read(peer_fd) == b"here"


def test_several_threads_accept(irmd):
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    accepting = [server.begin("accept") for _ in range(4)]
    for _ in range(4):
        client.alloc("one")
    assert len({a.result() for a in accepting}) == 4


def test_no_daemon_D18():
    """Nothing happens when the library is loaded; the first call that needs the daemon says that it is not there (D18)."""
    build = o7s.Build(o7s.build_dir(), None)
    alone = o7s.Instance(build)
    try:
        program = alone.puppet()
        assert program.ask("strerror", EIRMD)["text"]
        for verb, *args in (("alloc", "one"), ("accept",), ("accept_fd",), ("alloc_start", "one"), ("name_create", "one")):
            reply = program.ask(verb, *args)
            assert (-reply["r"], reply["errno"]) == (EIRMD, errno.ECONNREFUSED), verb
        fails(errno.EBADF, errno.EBADF, program.read, 0)
        assert program.quit() == 0
    finally:
        alone.destroy()


def test_library_finds_a_daemon_that_comes_later(make_instance, irmd):
    program = irmd.puppet()
    assert program.ask("accept", 0)["r"] == -errno.EAGAIN
    irmd.kill()
    assert program.ask("accept", 0)["r"] == -EIRMD
    irmd.start()
    o7s.eventually(lambda: program.ask("accept", 0)["r"] == -errno.EAGAIN, 5)


def test_every_code_has_a_sentence(irmd):
    program = irmd.puppet()
    texts = {program.ask("strerror", sign * code)["text"] for code in range(1000, 1010) for sign in (1, -1)}
    assert len(texts) == 10 and all(texts)
    assert program.ask("strerror", errno.ENOMEM)["text"] == os.strerror(errno.ENOMEM)
    assert program.ask("strerror", 4711)["text"]
