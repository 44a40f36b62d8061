"""How a flow is allocated over a wire: in one round trip, over a wire that loses, with certificates of many packets; and
what the client is told when there is no flow.
"""
import errno
import time

import pytest

import o7s
import shim
from net import KINDS, ONE_OF_EACH, POLICIES
from puppet import EAUTH, ECRYPT, EFLOWDOWN, ENAME, ENOTALLOC, PATIENCE

pytest_plugins = ["net_fixtures"]

ONE_WAY_MS = 50
ROUND_TRIP = 2 * ONE_WAY_MS / 1000
WORK = 0.09  # of four daemons and two programs on a machine that is busy


def took(call, *args):
    start = time.monotonic()
    value = call(*args)
    return time.monotonic() - start, value


# -- one round trip


@pytest.fixture
def far(make_two):
    def make(kind, level="plain", **how):
        return make_two(kind, level, wire="relay", both={"delay_ms": ONE_WAY_MS}, **how)
    return make


def types(packets):
    return [packet.control.type for packet in packets]


@pytest.mark.bare
@pytest.mark.parametrize("level", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_allocation_takes_one_round_trip_C26(far, kind, level):
    """C26: one packet there and one back, with key exchange, certificates and both signatures; nothing before them."""
    two = far(kind, level)
    two.works()  # from now on the client's layer knows where the name is
    time.sleep(4 * ROUND_TRIP)  # its last words are over
    with two.capture() as wire:
        seconds, (fd, peer_fd) = took(two.connect)
        two.talk(fd, peer_fd)
    assert ROUND_TRIP <= seconds < ROUND_TRIP + WORK
    exchange = wire.controls(kind, shim.REQUEST)[0].control.id
    controls = [packet for packet in wire.controls(kind)
                if packet.control.id == exchange or packet.control.type < shim.DEALLOC]
    assert types(packet for packet in controls if packet.out)[:1] == [shim.REQUEST]
    assert types(packet for packet in controls if not packet.out) == [shim.REPLY]
    assert set(types(controls)[2:]) <= {shim.DONE} and types(controls).count(shim.DONE) <= 1
    first = next(packet for packet in wire.packets(kind) if packet.control is None)
    assert first.when - controls[0].when >= ROUND_TRIP


@pytest.mark.bare
@pytest.mark.parametrize("kind", KINDS)
def test_allocation_to_a_name_that_is_not_known_yet(far, kind):
    """One round trip more: where is it? (The question is repeated after 100 ms, which is just when the answer is due.)"""
    two = far(kind)
    with two.capture() as wire:
        seconds, _ = took(two.connect)
    assert 2 * ROUND_TRIP <= seconds < 2 * ROUND_TRIP + WORK
    assert list(dict.fromkeys(types(wire.controls(kind))))[:4] == [shim.QUERY, shim.HERE, shim.REQUEST, shim.REPLY]


@pytest.mark.bare
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_first_data_needs_no_round_trip_of_its_own(far, kind):
    """C25: the request is with the server after half a round trip, its answer with the client after one."""
    two = far(kind, "encrypted")
    two.works()
    accepting = two.server.begin("accept_data", b"response".hex(), 100)
    seconds, alloc = took(two.client.ask, "alloc_data", "service", b"request".hex(), 100)
    assert ROUND_TRIP <= seconds < ROUND_TRIP + WORK
    assert bytes.fromhex(alloc["data"]) == b"response"
    assert bytes.fromhex(accepting.reply()["data"]) == b"request"


@pytest.mark.bare
def test_slow_server_is_not_asked_again_and_again(make_two):
    """While the server makes up its mind there is a word now and then, and one acceptance in the end."""
    two = make_two("udp4")
    two.works()
    with two.capture() as wire:
        asking = two.client.begin("alloc", "service", "raw")
        time.sleep(4)
        accepting = two.server.begin("accept")
        two.talk(asking.result(), accepting.result())
    assert 2 <= types(wire.controls("udp4")).count(shim.REQUEST) <= 6
    assert two.server.ask("accept", 300)["r"] == -errno.ETIMEDOUT


# -- a wire that loses

BAD = {"delay_ms": 2, "loss": 20, "dup": 20, "reorder": 20, "reorder_ms": 20}
CLEAR = {-ENAME, -errno.EHOSTUNREACH, -errno.ETIMEDOUT, -ENOTALLOC}


def allocate_many(two, count):
    """@count at once, each with its number as first data. Returns (replies, {number: fd} of the server, how many)."""
    accepting = [two.server.begin("accept_data", "none", 8) for _ in range(2 * count)]
    asking = [two.client.begin("alloc_data", "service", (b"%08d" % i).hex(), 0)
              for i in range(count)]
    replies = [asked.reply(40) for asked in asking]
    o7s.eventually(lambda: settled(two, replies), 20, "an end of all handshakes")
    accepted = [call.reply() for call in accepting if call.done()]
    return replies, {int(bytes.fromhex(reply["data"])): reply["r"] for reply in accepted}, len(accepted)


def settled(two, replies):
    """At the client there are flows only, and none is being made at the server."""
    flows = sum(reply["r"] >= 0 for reply in replies)
    return two.a.status()["flows"] == flows and all(flow["state"] != "waiting" for flow in two.b.flows())


@pytest.mark.parametrize("level", ["plain", "encrypted"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_allocation_ends_in_a_flow_or_an_error(make_two, kind, level):
    """20 % of all frames lost, as many twice, as many late: and yet never two acceptances for one allocation."""
    two = make_two(kind, level, wire="relay", both=BAD)
    replies, accepted, count = allocate_many(two, 30)
    assert len(accepted) == count
    flows = {i for i, reply in enumerate(replies) if reply["r"] >= 0}
    assert flows <= set(accepted)
    assert len(flows) >= 25
    assert {reply["r"] for reply in replies if reply["r"] < 0} <= CLEAR
    two.wire.relay.set("both", loss=0, dup=0, reorder=0)
    for i in set(accepted) - flows:  # the client has been told that there is none
        assert two.server.begin_read(accepted[i]).reply(10)["r"] in (0, -EFLOWDOWN)
    for i in flows:
        two.client.dealloc(replies[i]["r"])
    two.a.wait_no_flows(15)
    assert two.client.ask("alloc", "service", "raw")["r"] >= 0  # one of the calls of before accepts it


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_end_of_a_flow_gets_through(make_two, kind):
    """Over a wire that loses the peer still hears of it."""
    two = make_two(kind, wire="relay")
    flows = [two.connect() for _ in range(10)]
    two.wire.relay.set("both", loss=30)
    for fd, _ in flows:
        two.client.dealloc(fd)
    reading = [two.server.begin_read(peer_fd) for _, peer_fd in flows]
    assert {call.reply(10)["r"] for call in reading} <= {0, -EFLOWDOWN}


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_client_that_gives_up_leaves_nothing_behind(make_two, kind):
    two = make_two(kind)
    seconds, reply = took(two.client.ask, "alloc", "service", "raw", 500)
    assert reply["r"] == -errno.ETIMEDOUT and 0.5 <= seconds < 0.5 + PATIENCE
    for host in (two.a, two.b):
        host.wait_no_flows()
    assert two.server.ask("accept", 200)["r"] == -errno.ETIMEDOUT
    two.works()


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_client_that_dies_while_it_asks_leaves_nothing_behind(make_two, kind):
    two = make_two(kind)
    asking = two.a.puppet()
    asking.begin("alloc", "service", "raw")
    o7s.eventually(two.b.flows, what="a flow that waits")
    asking.process.kill()
    for host in (two.a, two.b):
        host.wait_no_flows()
    two.works()


# -- certificates of many packets


@pytest.mark.parametrize("kind, level", zip(KINDS, ["authenticated", "encrypted"] * 2))
def test_certificates_of_20_kilobytes(large, kind, level):
    """In pieces, each in a frame of its own: none is larger than the wire takes."""
    two = large(kind, level)
    with two.capture() as wire:
        fd, peer_fd = two.connect()
        two.talk(fd, peer_fd)
    assert two.client.ask("peer", fd)["authenticated"] == two.server.ask("peer", peer_fd)["authenticated"] == 1
    pieces = wire.controls(kind, shim.REQUEST, shim.REPLY)
    assert max(len(frame) for _, _, frame in wire.frames) <= 1514
    for kind_of, out in ((shim.REQUEST, True), (shim.REPLY, False)):
        mine = [p for p in pieces if p.control.type == kind_of and p.out == out]
        assert sum(len(p.control.piece) for p in {p.control.index: p for p in mine}.values()) > 18000
        assert {p.control.index for p in mine} == set(range(mine[0].control.count))
        assert len(mine) < 2 * mine[0].control.count


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_certificates_of_20_kilobytes_over_a_bad_wire(large, kind):
    two = large(kind, wire="relay", both={"delay_ms": 2, "loss": 10, "dup": 10, "reorder": 10, "reorder_ms": 10})
    replies, accepted, count = allocate_many(two, 5)
    assert len(accepted) == count == 5 and all(reply["r"] >= 0 for reply in replies)


def test_certificates_of_20_kilobytes_over_a_narrow_wire(large):
    two = large("udp6", mtu=1280)
    two.works()


# -- no flow


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_name(make_two, kind):
    two = make_two(kind)
    seconds, reply = took(two.client.ask, "alloc", "ghost", "raw")
    assert (reply["r"], reply["errno"]) == (-ENAME, errno.ENOENT)
    assert seconds < 3 * PATIENCE


@pytest.mark.parametrize("kind", KINDS)
def test_alone_on_the_wire(make_two, kind):
    two = make_two(kind)
    two.b.stop()
    seconds, reply = took(two.client.ask, "alloc", "service", "raw")
    assert reply["r"] == -ENAME and seconds < 3.5 * PATIENCE


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_name_that_is_registered_later(make_two, kind):
    """That it was not there is not remembered for long."""
    two = make_two(kind)
    assert two.client.ask("alloc", "later", "raw")["r"] == -ENAME
    two.b.serve("later", server=two.server)
    two.server.begin("accept")
    assert two.client.ask("alloc", "later", "raw")["r"] >= 0


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_nobody_serves_the_name(make_two, kind):
    """The other daemon says so, at once."""
    two = make_two(kind)
    two.server.process.kill()
    two.server.process.wait()
    o7s.eventually(lambda: two.b.bound_pids("service") == [])
    seconds, reply = took(two.client.ask, "alloc", "service", "raw")
    assert reply["r"] in (-ENOTALLOC, -ENAME) and seconds < PATIENCE


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_server_without_certificate_is_refused(make_two, pki, kind):
    two = make_two(kind, "encrypted", start=False)
    two.b.directory.joinpath("etc/security/server/service/cert").unlink()
    two.b.directory.joinpath("etc/security/server/service/key").unlink()
    two.start()
    two.server.begin("accept")
    seconds, reply = took(two.client.ask, "alloc", "service", "raw")
    assert reply["r"] == -EAUTH and seconds < PATIENCE


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_plain_client_of_a_server_that_encrypts_is_refused(make_two, pki, kind):
    two = make_two(kind, start=False)
    two.b.secure("encrypted", pki, "server")
    two.start()
    two.server.begin("accept")
    seconds, reply = took(two.client.ask, "alloc", "service", "raw")
    assert reply["r"] in (-ECRYPT, -EAUTH) and seconds < PATIENCE


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_client_of_another_authority_is_refused(make_two, pki, kind):
    two = make_two(kind, "encrypted", credentials=(pki.other.issue("mallory"), None))
    two.server.begin("accept")
    seconds, reply = took(two.client.ask, "alloc", "service", "raw")
    assert reply["r"] == -EAUTH and seconds < PATIENCE
