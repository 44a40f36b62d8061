"""Waiting for flows: poll, select and epoll on flow descriptors, fset and fqueue, allocation and acceptance in steps."""
import errno

import pytest

import o7s
import puppet
from puppet import FLOW_ALLOC, FLOW_DOWN, FLOW_PKT, ENAME, ENOTALLOC, Failed


@pytest.fixture
def pair(irmd):
    return irmd.pair()


def readable(program, fd, ms=0, how="poll"):
    return program.ask(how, fd, ms)["in"]


# -- flow descriptors are real ones


@pytest.mark.parametrize("how", ["poll", "select"])
def test_readable_means_that_a_read_does_not_block(pair, how):
    client, fd, server, peer_fd = pair
    assert not readable(server, peer_fd, 0, how)
    client.write(fd, b"one")
    client.write(fd, b"two")
    assert readable(server, peer_fd, 1000, how)
    server.read(peer_fd)
    assert readable(server, peer_fd, 0, how)
    server.read(peer_fd)
    assert not readable(server, peer_fd, 0, how)


def test_rest_of_a_message_is_readable(pair):
    client, fd, server, peer_fd = pair
    client.write(fd, b"0123456789")
    server.read(peer_fd, 4)
    assert readable(server, peer_fd)
    server.read(peer_fd, 6)
    assert not readable(server, peer_fd)


def test_poll_wakes_up(pair):
    client, fd, server, peer_fd = pair
    for _ in range(200):
        polling = server.begin("poll", peer_fd, 5000)
        client.write(fd, b"x")
        assert polling.reply(2)["in"]
        server.read(peer_fd)


def test_end_is_readable(pair):
    client, fd, server, peer_fd = pair
    polling = server.begin("poll", peer_fd, 5000)
    client.dealloc(fd)
    assert polling.reply(1)["in"]
    assert server.read(peer_fd) == b""
    assert readable(server, peer_fd)


def test_death_of_the_peer_is_readable(pair):
    client, fd, server, peer_fd = pair
    polling = server.begin("poll", peer_fd, 5000)
    client.process.kill()
    assert polling.reply(1)["in"]
    assert server.ask("read", peer_fd, 10)["r"] <= 0


def test_epoll_is_level_triggered_and_forgets_a_closed_flow(pair):
    client, fd, server, peer_fd = pair
    epoll = server.epoll_create()
    server.epoll_add(epoll, peer_fd)
    client.write(fd, b"x")
    for _ in range(3):
        assert server.ask("epoll_wait", epoll, 1000)["fds"] == [peer_fd]
    client.write(fd, b"y")
    server.dealloc(peer_fd)
    client.dealloc(fd)
    assert server.ask("epoll_wait", epoll, 0)["fds"] == []


def test_reading_by_turns_of_poll_and_sleep(pair):
    """A bell that was rung while the reader slept, spun or polled is neither lost nor left ringing."""
    client, fd, server, peer_fd = pair
    for i in range(300):
        if i % 3 == 0:
            reading = server.begin_read(peer_fd)
            client.write(fd, b"x")
            assert reading.data(2) == b"x"
        else:
            client.write(fd, b"x")
            assert readable(server, peer_fd, 2000) and server.read(peer_fd) == b"x"
        assert not readable(server, peer_fd)


# -- sets and queues


def test_events(pair):
    client, fd, server, peer_fd = pair
    flows = server.set_create()
    server.set_add(flows, peer_fd)
    server.set_add(flows, peer_fd)
    assert server.set_has(flows, peer_fd) == 1
    reply = server.ask("event", flows, 50)
    assert (reply["r"], reply["errno"]) == (-errno.ETIMEDOUT, errno.ETIMEDOUT)
    client.write(fd, b"x")
    for _ in range(2):
        assert server.ask("event", flows, 1000)["events"] == [[peer_fd, FLOW_PKT]]
    server.read(peer_fd)
    assert server.ask("event", flows, 0)["r"] == -errno.ETIMEDOUT
    client.dealloc(fd)
    assert server.ask("event", flows, 1000)["events"] == [[peer_fd, FLOW_DOWN]]
    server.set_destroy(flows)


def test_unread_messages_come_before_the_end(pair):
    client, fd, server, peer_fd = pair
    flows = server.set_create()
    server.set_add(flows, peer_fd)
    client.write(fd, b"x")
    client.dealloc(fd)
    assert server.ask("event", flows, 1000)["events"] == [[peer_fd, FLOW_PKT]]
    server.read(peer_fd)
    assert server.ask("event", flows, 1000)["events"] == [[peer_fd, FLOW_DOWN]]


def test_many_flows_in_a_set(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    flows = server.set_create()
    ends = []
    for _ in range(20):
        accepting = server.begin("accept")
        ends.append((client.alloc("one"), accepting.result()))
        server.set_add(flows, ends[-1][1])
    for i in (3, 7, 11):
        client.write(ends[i][0], b"x")
    events = server.ask("event", flows, 1000)["events"]
    assert sorted(events) == sorted([ends[i][1], FLOW_PKT] for i in (3, 7, 11))
    server.set_del(flows, ends[3][1])
    server.dealloc(ends[7][1])
    assert server.ask("event", flows, 1000)["events"] == [[ends[11][1], FLOW_PKT]]
    server.set_zero(flows)
    assert server.set_has(flows, ends[11][1]) == 0
    assert server.ask("event", flows, 0)["r"] == -errno.ETIMEDOUT


def test_descriptor_of_a_set_can_be_polled(pair):
    client, fd, server, peer_fd = pair
    flows = server.set_create()
    server.set_add(flows, peer_fd)
    set_fd = server.set_fd(flows)
    assert not readable(server, set_fd)
    client.write(fd, b"x")
    assert readable(server, set_fd, 1000)


def test_set_refuses_what_is_no_flow(irmd):
    program = irmd.puppet()
    flows = program.set_create()
    for fd in (-1, 0, 9999):
        with pytest.raises(Failed) as failed:
            program.set_add(flows, fd)
        assert failed.value.code == errno.EBADF
        assert program.set_has(flows, fd) == 0


# -- allocation in two steps


def served(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    return client, server


def test_alloc_in_two_steps(irmd):
    client, server = served(irmd)
    fd = client.alloc_start("one")
    with pytest.raises(Failed) as failed:
        client.alloc_finish(fd)
    assert failed.value.code == errno.EAGAIN
    assert not readable(client, fd)
    peer_fd = server.accept()
    assert readable(client, fd, 1000)
    assert client.alloc_finish(fd) == fd
    assert not readable(client, fd)
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"
    server.write(peer_fd, b"y")
    assert readable(client, fd, 1000) and client.read(fd) == b"y"


def test_data_sent_before_the_client_has_finished(irmd):
    client, server = served(irmd)
    fd = client.alloc_start("one")
    peer_fd = server.accept()
    server.write(peer_fd, b"early")
    assert readable(client, fd, 1000)
    client.alloc_finish(fd)
    assert readable(client, fd, 1000) and client.read(fd) == b"early"


def test_refusal_is_readable(irmd):
    client = irmd.puppet()
    irmd.layer()
    irmd.service("one")
    fd = client.alloc_start("one")
    assert readable(client, fd, 1000)
    with pytest.raises(Failed) as failed:
        client.alloc_finish(fd)
    assert failed.value.code == ENOTALLOC
    assert client.ask("dealloc", fd)["r"] == -errno.EBADF


def test_unknown_name_in_two_steps(irmd):
    client = irmd.puppet()
    irmd.layer()
    reply = client.ask("alloc_start", "ghost")
    if reply["r"] >= 0:
        assert readable(client, reply["r"], 1000)
        reply = client.ask("alloc_finish", reply["r"])
    assert reply["r"] == -ENAME


def test_timeout_in_two_steps(irmd):
    client, _ = served(irmd)
    fd = client.alloc_start("one", None, 200)
    assert readable(client, fd, 2000)
    assert client.ask("alloc_finish", fd)["r"] == -errno.ETIMEDOUT


def test_started_allocation_can_be_given_up(irmd):
    client, server = served(irmd)
    fd = client.alloc_start("one")
    client.dealloc(fd)
    irmd.wait_no_flows()
    assert server.ask("accept", 0)["r"] == -errno.EAGAIN


def test_started_allocations_in_a_set(irmd):
    client, server = served(irmd)
    flows = client.set_create()
    fd = client.alloc_start("one")
    client.set_add(flows, fd)
    assert client.ask("event", flows, 0)["r"] == -errno.ETIMEDOUT
    peer_fd = server.accept()
    assert client.ask("event", flows, 1000)["events"] == [[fd, FLOW_ALLOC]]
    client.alloc_finish(fd)
    server.write(peer_fd, b"x")
    assert client.ask("event", flows, 1000)["events"] == [[fd, FLOW_PKT]]


def test_many_allocations_at_once(irmd):
    client, server = served(irmd)
    started = [client.alloc_start("one") for _ in range(50)]
    accepted = [server.accept() for _ in range(50)]
    assert [readable(client, fd, 1000) and client.alloc_finish(fd) for fd in started] == started
    for fd in started:
        client.write(fd, b"%d" % fd)
    assert sorted(int(server.read(fd)) for fd in accepted) == sorted(started)


# -- a descriptor for acceptance


def test_accept_descriptor(irmd):
    client, server = served(irmd)
    ready = server.accept_fd()
    assert server.accept_fd() == ready
    assert not readable(server, ready)
    started = [client.alloc_start("one") for _ in range(2)]
    assert readable(server, ready, 1000)
    server.accept(0)
    assert readable(server, ready, 1000)
    server.accept(0)
    assert not readable(server, ready)
    assert server.ask("accept", 0)["r"] == -errno.EAGAIN
    for fd in started:
        assert readable(client, fd, 1000)
        client.alloc_finish(fd)


def test_accept_descriptor_of_a_given_up_allocation(irmd):
    client, server = served(irmd)
    ready = server.accept_fd()
    fd = client.alloc_start("one")
    assert readable(server, ready, 1000)
    client.dealloc(fd)
    irmd.wait_no_flows()
    assert server.ask("accept", 0)["r"] == -errno.EAGAIN
    assert not readable(server, ready)


def test_accept_descriptor_tells_of_a_lost_daemon(irmd):
    server = irmd.puppet()
    ready = server.accept_fd()
    irmd.kill()
    assert readable(server, ready, 1000)
    assert server.ask("accept", 0)["r"] == -puppet.EIRMD


def test_program_that_only_polls(irmd):
    """One thread, no blocking call: accept, read and end are all told by poll."""
    client, server = served(irmd)
    ready = server.accept_fd()
    started = client.alloc_start("one")
    assert readable(server, ready, 1000)
    peer_fd = server.accept(0)
    assert readable(client, started, 1000)
    fd = client.alloc_finish(started)
    for end in ((client, fd), (server, peer_fd)):
        end[0].set_flags(end[1], puppet.DEFAULT | puppet.RNOBLOCK | puppet.WNOBLOCK)
    client.write(fd, b"x")
    assert readable(server, peer_fd, 1000) and server.read(peer_fd) == b"x"
    client.dealloc(fd)
    assert readable(server, peer_fd, 1000) and server.read(peer_fd) == b""
    assert o7s.eventually(lambda: len(irmd.flows()) <= 1)
