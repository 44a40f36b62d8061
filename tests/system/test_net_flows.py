"""Flows between hosts: the same program, unchanged, by every kind of layer; what is written arrives; how flows end."""
import errno
import os
import shutil
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import o7s
import shim
from net import IN_TURN, KINDS, ONE_OF_EACH, POLICIES, asleep, talk
from puppet import EFLOWDOWN, EFLOWPEER, PATIENCE

pytest_plugins = ["net_fixtures"]

MIB = 1 << 20
AT_ONCE = 1.0 * PATIENCE

LEVELS = {"plain": (0, 0), "authenticated": (1, 0), "encrypted": (1, 1)}


def sizes(largest):
    return [1, 2, 7, 45, 46, 47, 64, 512, 1000, largest - 1, largest]


def fails_too_large(puppet, fd, size):
    reply = puppet.ask("write_zeros", fd, size)
    assert (reply["r"], reply["errno"]) == (-errno.EMSGSIZE, errno.EMSGSIZE)


# With a sanitizer the richest of them do: the others run less of the same code.
WITH_LEVELS = [level if level == "encrypted" else pytest.param(level, marks=pytest.mark.bare) for level in POLICIES]


@pytest.mark.parametrize("level", WITH_LEVELS)
@pytest.mark.parametrize("qos", ["raw", "data"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_program_by_every_layer_C5_C19_C20(make_two, kind, qos, level):
    """C5, C19, C20: what the layer is and who proves what the program is not told, and need not know."""
    two = make_two(kind, level)
    fd, peer_fd = two.connect(qos)
    ends = (two.client, fd, two.server, peer_fd), (two.server, peer_fd, two.client, fd)
    for end, own, _, _ in ends:
        peer = end.ask("peer", own)
        assert (peer["authenticated"], peer["encrypted"]) == LEVELS[level]
        assert end.ask("info", own)["type"] == kind
    largest = 100000 if qos == "data" else two.client.ask("info", fd)["max_message"]
    for writer, out, reader, into in ends:
        for size in sizes(largest):
            message = os.urandom(size)
            assert writer.write(out, message) == size
            assert reader.begin_read(into, size + 1).data(20) == message
        if qos == "raw":
            fails_too_large(writer, out, largest + 1)
        else:
            receiving = reader.begin("receive", into, 2, MIB, 1)
            assert (writer.send(out, 2, MIB, 1), receiving.result(30)) == (2, 2)
    if (qos, level) == ("raw", "plain"):
        assert largest == shim.packet_max(kind, 1500)
    ending(two, fd, peer_fd, qos, level)


def ending(two, fd, peer_fd, qos, level):
    """From the client's side, and then another flow from the server's: what was written, the end, no more writes."""
    other = two.connect(qos)
    for ender, end, left, rest in ((two.client, fd, two.server, peer_fd), (two.server, other[1], two.client, other[0])):
        ender.write(end, b"last words")
        ender.dealloc(end)
        assert left.begin_read(rest).data(5) == b"last words"
        last = left.begin_read(rest).reply(5)
        assert last["r"] == 0, "%s, %s: no end of file but %s" % (qos, level, last)
        assert left.ask("write", rest, "00")["r"] == -EFLOWDOWN
        left.dealloc(rest)
    for host in (two.a, two.b):
        host.wait_no_flows()


@pytest.mark.parametrize("kind", KINDS)
def test_every_quality_of_service(make_two, kind):
    two = make_two(kind)
    for qos in ("raw_no_errors", "best_effort", "video", "voice"):
        two.talk(*two.connect(qos))


@pytest.mark.parametrize("kind, level", IN_TURN)
def test_streams_both_ways_at_once(make_two, kind, level):
    two = make_two(kind, level)
    fd, peer_fd = two.connect("data")
    calls = [two.client.begin("send", fd, 3000, 1000, 1), two.server.begin("send", peer_fd, 2000, 1500, 2),
             two.server.begin("receive", peer_fd, 3000, 1000, 1), two.client.begin("receive", fd, 2000, 1500, 2)]
    assert [call.result(30) for call in calls] == [3000, 2000, 3000, 2000]


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_many_flows_keep_apart(make_two, kind):
    """Of sixty flows between the same hosts each has its own messages, and the end of some is none of the others'."""
    two = make_two(kind)
    flows = [two.connect("raw" if i % 2 else "data") for i in range(60)]
    for i, (fd, _) in enumerate(flows):
        two.client.write(fd, b"%d" % i)
    for i, (_, peer_fd) in reversed(list(enumerate(flows))):
        assert two.server.begin_read(peer_fd).data(5) == b"%d" % i
    for fd, peer_fd in flows[::3]:
        two.disconnect(fd, peer_fd)
    for i, (fd, peer_fd) in enumerate(flows):
        if i % 3:
            two.talk(fd, peer_fd)


@pytest.mark.parametrize("kind", KINDS)
def test_flows_of_both_hosts_to_each_other(make_two, kind):
    """Each is client and server at once."""
    two = make_two(kind)
    back = two.a.serve("back")
    fd, peer_fd = two.connect()
    accepting = back.begin("accept")
    other_fd = two.server.alloc("back")
    back_fd = accepting.result()
    two.talk(fd, peer_fd)
    talk(two.server, other_fd, back, back_fd)


@pytest.mark.parametrize("kind", KINDS)
def test_flow_show_tells_how_it_travels(make_two, kind):
    two = make_two(kind)
    two.connect()
    for host, other in ((two.a, two.b), (two.b, two.a)):
        row = host.flow()
        address = other.ports["eth0"].address(kind)
        if kind == "udp4":
            address += ":3435"
        elif kind == "udp6":
            address = "[%s]:3435" % address
        assert (row["transport"], row["address"], row["mtu"]) == (kind, address, shim.packet_max(kind, 1500))


def sockets_of(trace):
    return [line for line in trace.read_text().splitlines() if "socket(" in line]


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_application_opens_no_network_socket_C5(make_two, kind):
    """C5: neither side's program does; it speaks with its daemon, and packets pass through shared memory."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    two = make_two(kind, "encrypted")
    two.server.process.kill()
    traces = [host.directory / "state" / "trace" for host in (two.a, two.b)]
    client, server = (host.puppet(prefix=("strace", "-D", "-f", "-qq", "-e", "trace=socket,socketpair", "-o", str(trace)))
                      for host, trace in zip((two.a, two.b), traces))
    two.b.bind(server, "service")
    accepting = server.begin("accept")
    fd = client.alloc("service", "data")
    talk(client, fd, server, accepting.result())
    assert client.quit() == server.quit() == 0
    for trace in traces:
        assert sockets_of(trace) and all("AF_UNIX" in line for line in sockets_of(trace))


# -- what nobody on the wire sees

MARK = b"The quick brown fox jumps over the lazy dog, and nobody is to know of it."


@pytest.mark.parametrize("level", POLICIES)
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_wire_shows_no_message_and_no_certificate_of_the_server(make_two, pki, kind, level):
    """Of an encrypted flow. (Of the others it does, so the test would see it.)"""
    two = make_two(kind, level)
    with two.capture() as wire:
        fd, peer_fd = two.connect("data")
        two.client.write(fd, MARK)
        assert two.server.read(peer_fd) == MARK
        two.server.write(peer_fd, MARK[::-1])
        assert two.client.read(fd) == MARK[::-1]
        two.disconnect(fd, peer_fd)
    seen = wire.bytes()
    assert (MARK in seen, MARK[::-1] in seen) == (level != "encrypted",) * 2
    certificate = der_of(pki.server)
    assert (certificate in seen) == (level == "authenticated")
    if level == "encrypted":
        assert not any(part in seen for part in parts(MARK, 12))
        in_clear = der_of(pki.client)
        assert not any(part in seen for part in parts(certificate, 24) if part not in in_clear)


def parts(text, length):
    return [text[i:i + length] for i in range(len(text) - length)]


def der_of(credential):
    return credential.certificate.public_bytes(Encoding.DER)


def test_wire_does_not_show_the_name(make_two):
    two = make_two("udp4")
    with two.capture() as wire:
        two.works()
    assert b"service" not in wire.bytes() and shim.hash_of("service") in wire.bytes()


# -- ends that nobody asked for


@pytest.mark.parametrize("qos", ["raw", "data"])
@pytest.mark.parametrize("kind, level", IN_TURN)
def test_death_of_the_server_is_seen_at_once(make_two, kind, qos, level):
    two = make_two(kind, level)
    fd, peer_fd = two.connect(qos)
    two.talk(fd, peer_fd)
    reading = two.client.begin_read(fd)
    o7s.eventually(lambda: asleep(two.client))
    died = time.monotonic()
    two.server.process.kill()
    last = reading.reply(5)
    assert time.monotonic() - died < AT_ONCE
    assert last["r"] == -EFLOWDOWN or (last["r"] == 0 and level == "plain")
    assert two.client.ask("write", fd, "00")["r"] == -EFLOWDOWN
    two.client.dealloc(fd)
    for host in (two.a, two.b):
        host.wait_no_flows()


@pytest.mark.parametrize("qos", ["raw", "data"])
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_death_of_the_client_is_seen_at_once(make_two, kind, qos):
    two = make_two(kind)
    _, peer_fd = two.connect(qos)
    reading = two.server.begin_read(peer_fd)
    two.client.process.kill()
    assert reading.reply(5 * AT_ONCE)["r"] in (0, -EFLOWDOWN)
    two.server.dealloc(peer_fd)
    for host in (two.a, two.b):
        host.wait_no_flows()


@pytest.mark.parametrize("qos", ["raw", "data"])
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_death_of_the_clients_layer(make_two, kind, qos):
    """Its flows end at once; another layer in its place serves, and the daemons and the other host go on."""
    two = make_two(kind)
    fd, _ = two.connect(qos)
    reading = two.client.begin_read(fd)
    o7s.eventually(lambda: asleep(two.client))
    o7s.kill(two.a.ipcp()["pid"])
    assert reading.reply(5)["r"] in (-EFLOWDOWN, -EFLOWPEER)
    two.client.dealloc(fd)
    two.a.wait_no_flows()
    o7s.eventually(lambda: not two.a.ipcps(), what="an end of the IPCP")
    two.a.join(kind)
    two.works()


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_death_of_the_servers_layer(make_two, kind):
    """The server's end is over at once, and with another layer, and the name in it, clients find the way again."""
    two = make_two(kind)
    _, peer_fd = two.connect()
    reading = two.server.begin_read(peer_fd)
    o7s.eventually(lambda: asleep(two.server))
    o7s.kill(two.b.ipcp()["pid"])
    assert reading.reply(5)["r"] in (-EFLOWDOWN, -EFLOWPEER)
    o7s.eventually(lambda: not two.b.ipcps(), what="an end of the IPCP")
    two.b.join(kind)
    two.b.manage("name_reg", name="service", pid=two.b.ipcp()["pid"])
    two.works()


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_death_of_the_servers_daemon(make_two, kind):
    """kill -9 of irmd: allocations there fail with a code, in bounded time; when it is back all is well."""
    two = make_two(kind)
    two.works()
    two.b.kill()
    start = time.monotonic()
    assert two.client.ask("alloc", "service", "raw", 10000)["r"] < 0
    assert time.monotonic() - start < 6 * PATIENCE
    two.b.start()
    o7s.eventually(lambda: not two.b.ipcps(), what="a daemon without IPCPs")
    two.b.join(kind)
    two.server = two.b.serve()
    two.works()


# -- a wire that loses


@pytest.mark.bare
@pytest.mark.parametrize("kind, level", IN_TURN)
def test_reliable_flow_over_a_bad_wire(make_two, kind, level):
    """1 % of the frames is lost, 1 % comes twice, 1 % late: every byte arrives once, in its order, both ways."""
    bad = {"delay_ms": 1, "loss": 1, "dup": 1, "reorder": 1, "reorder_ms": 3}
    two = make_two(kind, level, wire="relay", both=bad)
    fd, peer_fd = two.connect("data")
    calls = [two.client.begin("send", fd, 1000, 1000, 1), two.server.begin("send", peer_fd, 8, 100000, 2),
             two.server.begin("receive", peer_fd, 1000, 1000, 1), two.client.begin("receive", fd, 8, 100000, 2)]
    assert [call.result(40) for call in calls] == [1000, 8, 1000, 8]
    counters = two.wire.relay.counters()
    assert counters["ab"]["lost_loss"] > 0 and counters["ba"]["lost_loss"] > 0


@pytest.mark.bare
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_raw_flow_over_a_bad_wire(make_two, kind):
    """Each message is there as it was, or not at all."""
    two = make_two(kind, wire="relay", ab={"loss": 10, "reorder": 5, "reorder_ms": 3})
    fd, peer_fd = two.connect("raw")
    sent = [b"%04d" % i + os.urandom(100) for i in range(500)]
    for message in sent:
        two.client.write(fd, message)
    two.server.set_timeout(peer_fd, "rcv", 500)
    came = []
    while (reply := two.server.ask("read", peer_fd, 2000))["r"] > 0:
        came.append(bytes.fromhex(reply["data"]))
    assert set(came) <= set(sent) and len(set(came)) == len(came)
    assert 300 < len(came) < 500


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_outage_shorter_than_the_patience_of_a_reliable_flow(make_two, kind):
    two = make_two(kind, "encrypted", wire="relay")
    fd, peer_fd = two.connect("data")
    two.talk(fd, peer_fd)
    two.wire.relay.set("both", down=1)
    for i in range(10):
        two.client.write(fd, b"%d" % i)
    o7s.eventually(lambda: two.wire.relay.counters()["ab"]["lost_down"] > 0)
    two.wire.relay.set("both", down=0)
    assert [two.server.begin_read(peer_fd).data(15) for _ in range(10)] == [b"%d" % i for i in range(10)]
