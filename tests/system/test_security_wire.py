"""A layer that means ill: it alters, strips, cuts, swaps and repeats what the two ends say to each other. Whatever it
does, there is never a flow that is weaker than the policy; the worst that it can do is that there is none.
"""
import errno
import struct
import time

import pytest

import o7s
import wire
from puppet import EAUTH, ECRYPT
from security import REMOTE, Scene

X25519 = REMOTE + "suite = x25519\n"  # quick, and small

CODES = (EAUTH, ECRYPT, errno.ETIME)


@pytest.fixture
def mutual(tapped):
    return tapped.usual(X25519).start()


@pytest.fixture
def anonymous(tapped):
    """Encrypted, and nobody authenticates."""
    tapped.tree.policy(X25519)
    return tapped.start()


def codes_of(scene, alterations, way):
    """What the application gets for each alteration of the request or response; 0: a flow."""
    serving = scene.server.begin("serve", 1000000)
    codes = []
    for alter in alterations:
        setattr(scene.wire, way, alter)
        reply = scene.client.ask("alloc", "service")
        codes.append(-min(reply["r"], 0))
        if reply["r"] >= 0:
            scene.client.dealloc(reply["r"])
    assert not serving.done(), "the server's loop has ended"
    return codes


def bits_of(message):
    """All of the header, and some of what follows."""
    return [*range(8 * wire.HDR), *range(8 * wire.HDR, 8 * len(message), 61), 8 * len(message) - 1]


def flips(message):
    # Signatures are not all of the same length.
    return [lambda oap, bit=bit: wire.flip(oap, min(bit, 8 * len(oap) - 1)) for bit in bits_of(message)]


def lengths_of(message):
    return [*range(0, wire.HDR + 6), *range(wire.HDR + 6, len(message), 23), len(message) - 1]


def cuts(message):
    return [lambda oap, n=n: oap[:min(n, len(oap) - 1)] for n in lengths_of(message)] + [lambda oap: oap + b"\0"]


def sample(scene, way):
    """A message as it is when nobody meddles."""
    scene.works()
    return (scene.wire.requests if way == "request" else scene.wire.responses)[0]


# -- alterations


@pytest.mark.parametrize("who", ["mutual", "anonymous"])
@pytest.mark.parametrize("way", ["request", "response"])
def test_flipped_bits_C32(request, who, way):
    """C32: of either message; the engine's own test flips every one."""
    scene = request.getfixturevalue(who)
    codes = codes_of(scene, flips(sample(scene, way)), way)
    assert set(codes) <= set(CODES), [i for i, code in enumerate(codes) if code not in CODES]


@pytest.mark.parametrize("way", ["request", "response"])
def test_lengths(mutual, way):
    """Cut at many lengths, and with a byte more."""
    codes = codes_of(mutual, cuts(sample(mutual, way)), way)
    assert set(codes) <= {EAUTH, ECRYPT}


@pytest.mark.parametrize("way, end", [("request", "server"), ("response", "client")])
def test_oversized(mutual, way, end):
    setattr(mutual.wire, way, lambda oap: oap + bytes(65001 - len(oap)))
    assert mutual.verdict() == (end, "malformed", EAUTH)


def test_fields_that_are_unknown_C33(mutual):
    """C33: no other version, and nothing is ignored."""
    fields = [(0, 0), (0, 2), (wire.TYPE, 0), (wire.TYPE, 2), (wire.SUITE, 5), (wire.SUITE, 255), (wire.FLAGS, 3),
              (wire.KEX_LEN, 1), (wire.RESERVED, 1), (wire.RESERVED + 1, 1)]
    verdicts = {}
    for at, value in fields:
        mutual.wire.request = lambda oap: wire.replace(oap, at, bytes([value]))
        verdicts[at, value] = mutual.verdict()
    assert verdicts == dict.fromkeys(fields, ("server", "malformed", EAUTH))


def test_certificate_taken_from_the_request_C29(mutual):
    """C29: the server demands one."""
    mutual.wire.request = wire.without_auth
    assert mutual.verdict() == ("server", "no-certificate", EAUTH)


def test_certificate_taken_from_the_request_where_it_is_optional_C29(tapped):
    """C29: the server would do without, but the client knows what it said."""
    tapped.usual(X25519 + "authentication = optional\n").start()
    tapped.wire.request = wire.without_auth
    assert tapped.verdict() == ("client", "bad-tag", ECRYPT)


def test_certificate_taken_from_the_response_C29(mutual):
    """The body is sealed: all that can be taken is the flag."""
    mutual.wire.response = lambda oap: wire.replace(oap, wire.FLAGS, b"\0")
    assert mutual.verdict() == ("client", "no-certificate", EAUTH)


def test_downgrade_to_plain_C32(mutual):
    """C32: the suite and the key share are taken from the request."""
    def plain(oap):
        kex_len, = struct.unpack_from(">H", oap, wire.KEX_LEN)
        head = wire.replace(wire.replace(oap[:wire.HDR], wire.SUITE, b"\0"), wire.KEX_LEN, b"\0\0")
        return head + oap[wire.HDR + kex_len:]

    mutual.wire.request = plain
    assert mutual.verdict() == ("server", "plain", ECRYPT)


def test_downgrade_of_the_response_C32(mutual):
    """C32: a plain response, as an honest server that may not encrypt would give it."""
    def plain(oap):
        head = wire.replace(wire.replace(oap[:wire.HDR], wire.SUITE, b"\0"), wire.KEX_LEN, b"\0\0")
        return wire.replace(head, wire.FLAGS, b"\0") + bytes(4)

    mutual.wire.response = plain
    assert mutual.verdict() == ("client", "plain", ECRYPT)


def test_key_of_the_one_in_the_middle(anonymous):
    """Its own value in place of the client's: neither end has a flow with it. (Both: that is what certificates are for.)"""
    anonymous.wire.request = lambda oap: wire.replace(oap, wire.HDR, bytes([9]) + bytes(31))
    assert anonymous.verdict() == ("client", "bad-tag", ECRYPT)


def test_value_that_gives_zero(anonymous):
    """An X25519 result of zeros is refused."""
    anonymous.wire.request = lambda oap: wire.replace(oap, wire.HDR, bytes(32))
    assert anonymous.verdict() == ("server", "bad-key-exchange", EAUTH)


# -- messages that belong elsewhere


def test_response_to_another_request(mutual):
    sample(mutual, "response")
    mutual.wire.response = lambda oap: mutual.wire.responses[0]
    assert mutual.verdict() == ("client", "not-my-request", EAUTH)


def test_response_to_another_request_under_the_right_number(mutual):
    def renamed(oap):
        return wire.replace(mutual.wire.responses[0], wire.ID, oap[wire.ID:wire.ID + 16])

    sample(mutual, "response")
    mutual.wire.response = renamed
    assert mutual.verdict() == ("client", "bad-tag", ECRYPT)


def test_request_sent_back_as_the_response(mutual):
    mutual.wire.response = lambda oap: mutual.wire.requests[-1]
    assert mutual.verdict() == ("client", "malformed", EAUTH)


def test_request_sent_back_as_the_response_under_another_type(mutual):
    mutual.wire.response = lambda oap: wire.replace(mutual.wire.requests[-1], wire.TYPE, b"\2")
    end, _, code = mutual.verdict()
    assert (end, code) == ("client", ECRYPT)


def test_response_of_the_anonymous(anonymous):
    """To an honest request by someone else."""
    anonymous.works()
    anonymous.wire.request = lambda oap: anonymous.wire.requests[0]
    assert anonymous.verdict() == ("client", "not-my-request", EAUTH)


def test_request_for_another_name(mutual):
    """What a client has signed for one service opens no other of the same host: the name is in what it signs."""
    mutual.tree.server(mutual.pki.root.issue("other"), "other")
    mutual.reload()
    mutual.irmd.service("other", mutual.server)
    mutual.works()
    held = mutual.wire.requests[0]
    mutual.wire.request = lambda oap: held
    assert mutual.verdict("other") == ("server", "bad-signature", EAUTH)


def test_response_that_is_lost(mutual):
    """The client gives up at its time, and does not ask again."""
    mutual.wire.response = lambda oap: None
    mutual.accept()
    assert mutual.client.ask("alloc", "service", None, 500)["r"] == -errno.ETIMEDOUT
    assert len(mutual.wire.requests) == 1


# -- replays


def test_replayed_request_C24(mutual):
    """C24: refused each time, and its first data is not delivered again."""
    accepting = mutual.server.begin("accept_data", "none", 100)
    mutual.client.alloc_data("service", b"pay".hex(), 0)
    assert bytes.fromhex(accepting.reply()["data"]) == b"pay"
    mutual.wire.request = lambda oap: mutual.wire.requests[0]
    for _ in range(3):
        assert mutual.verdict() == ("server", "replay", EAUTH)
    assert not mutual.accepting.done()
    mutual.wire.request = wire.unchanged
    mutual.works()


@pytest.mark.parametrize("how", ["stop", "kill", "horizon deleted", "horizon garbled"])
def test_replay_after_a_restart_of_the_daemon_C24(mutual, how):
    """C24: it has forgotten the request, but not the time before which it takes none."""
    mutual.works()
    old = mutual.wire.requests[0]
    horizon = mutual.irmd.directory / "state" / "horizon"
    assert horizon.exists()
    if how == "kill":
        mutual.irmd.kill()
    else:
        mutual.irmd.stop()
    if how == "horizon deleted":
        horizon.unlink()
    elif how == "horizon garbled":
        horizon.write_bytes(b"9" * 7)
    mutual.start()
    mutual.accepting = None
    mutual.wire.request = lambda oap: old
    assert mutual.verdict() == ("server", "clock", errno.ETIME)


def test_fresh_requests_after_an_orderly_restart(mutual):
    """At once: the horizon keeps out only what is old."""
    mutual.works()
    mutual.irmd.stop()
    mutual.start()
    mutual.accepting = None
    mutual.works()


@pytest.mark.parametrize("policy, delivered", [("", b"pay"), ("first-data = confirmed\n", b"")])
def test_replay_to_a_replica_C24(make_instance, pki, policy, delivered):
    """C24: another host that serves the name has not seen the request; `first-data = confirmed` is for that."""
    hosts = [Scene(make_instance(start=False), pki) for _ in range(2)]
    for host in hosts:
        host.wire = wire.Wire(host.irmd)
        host.usual(X25519 + policy).start()
    first, replica = hosts
    accepting = first.server.begin("accept")
    first.client.alloc_data("service", b"pay".hex(), 0)
    assert first.server.read(accepting.result()) == b"pay"
    replica.wire.request = lambda oap: first.wire.requests[0]
    accepting = replica.server.begin("accept_data", "none", 100)
    assert -replica.client.ask("alloc", "service")["r"] == EAUTH
    accept = accepting.reply()
    assert bytes.fromhex(accept["data"]) == delivered
    assert replica.server.ask("read", accept["r"], 100)["r"] <= 0
    assert replica.server.ask("peer", accept["r"])["confirmed"] == 0


# -- time


def test_request_that_comes_late(tapped):
    """`clock-skew`: a code of its own to the client, and both clocks in the log."""
    def late(oap):
        time.sleep(1.3)
        return oap

    tapped.usual(X25519 + "clock-skew = 1\n").start()
    tapped.wire.request = late
    tapped.accept()
    reply = tapped.client.ask("alloc", "service")
    assert (reply["r"], reply["errno"]) == (-errno.ETIME, errno.ETIME)
    line = tapped.audit.wait(event="refused", end="server", reason="clock", code=-errno.ETIME)
    theirs, ours = (int(word) for word in o7s.re.findall(r"(\d{19})", line["detail"])[:2])
    assert 1_300_000_000 <= ours - theirs < 60_000_000_000


def test_clock_of_the_client_does_not_matter_when_it_does_not_sign(anonymous):
    """There is nothing to replay; but what it said of the time is bound to the keys all the same."""
    def shifted(oap):
        then, = struct.unpack_from(">Q", oap, wire.TIME)
        return wire.replace(oap, wire.TIME, struct.pack(">Q", then - 3600 * 10**9))

    anonymous.wire.request = shifted
    assert anonymous.verdict() == ("client", "bad-tag", ECRYPT)


# -- what one sees who only listens


def test_nothing_repeats_C22(mutual):
    """C22: numbers, key shares and sealed bodies of many handshakes between the same two are all different."""
    count = 1000
    serving = mutual.server.begin("serve", count)
    assert mutual.client.ask("cycle", "service", count, timeout=50)["r"] == count
    assert serving.result() == count
    requests, responses = mutual.wire.requests, mutual.wire.responses
    for what, messages in ((slice(wire.ID, wire.ID + 16), requests), (slice(wire.HDR, wire.HDR + 32), requests),
                           (slice(wire.HDR, wire.HDR + 32), responses), (slice(wire.HDR + 32, wire.HDR + 48), responses),
                           (slice(-16, None), responses)):
        assert len({message[what] for message in messages}) == count


def test_what_is_visible_and_what_is_not_C21(tapped):
    """C21: the client's certificate and first data can be read on the way, the server's cannot."""
    tapped.usual(X25519).start()
    accepting = tapped.server.begin("accept_data", b"this is the answer".hex(), 0)
    tapped.client.alloc_data("service", b"this is the question".hex(), 0)
    accepting.result()
    request, response = tapped.wire.requests[0], tapped.wire.responses[0]
    assert b"this is the question" in request and b"alice@Example.ORG" in request
    assert b"this is the answer" not in response and b"Test Root" not in response
