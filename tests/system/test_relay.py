"""The relay itself, by real traffic: each effect is there, as large as it was asked for, and nothing else happens.

Chance has a fixed seed, so what a test counts is the same in every run. What it measures in time has bounds that hold on a
machine that is busy: nothing ever comes too early, and some of it comes on time.
"""
import os
import select
import shutil
import socket
import statistics
import struct
import subprocess
import time

import pytest

import o7s
from relay import Namespace, Relay, address, recorded

pytestmark = pytest.mark.bare  # it counts and measures the relay, which is a tool of these tests

CHUNK = 100  # packets that every buffer on the way has room for
MS = 0.001
SO_TIMESTAMPNS = 35


class Ends:
    """A UDP socket at each end of a relay."""

    def __init__(self, build, *options, host="127.0.0.1", **effects):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.a, self.b = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        for s in (self.a, self.b):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.bind((host, 0))
        self.b.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        shown = "[%s]" % host if ":" in host else host
        ports = ["udp:%s:0,%s:%d" % (shown, shown, s.getsockname()[1]) for s in (self.a, self.b)]
        self.relay = Relay(build, *ports, *options, **effects)
        self.a.connect(address(self.relay.a))
        self.b.connect(address(self.relay.b))
        self.sent, self.came = [], []  # of A to B: (time, packet); of what came, the kernel says when

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.relay.__exit__(*why)
        self.a.close()
        self.b.close()

    def send(self, packet):
        self.sent.append((time.time(), packet))
        self.a.send(packet)

    def drain(self, timeout=0.0):
        """What is there, or comes within that time."""
        while self.drain_until(timeout):
            pass

    def send_many(self, count, size=64):
        """Numbered packets, without a loss on the way to the relay."""
        for i in range(count):
            self.send(numbered(len(self.sent), size))
            if i % CHUNK == CHUNK - 1:
                self.relay.wait_came(len(self.sent))
                self.drain()
        return self

    def send_paced(self, count, period, size=64):
        """One each @period seconds, or as near as it gets; what comes meanwhile is taken at once."""
        start = time.monotonic()
        for i in range(count):
            while (left := start + i * period - time.monotonic()) > 0:
                self.drain_until(left)
            self.send(numbered(len(self.sent), size))
        return self

    def drain_until(self, seconds):
        """The next that comes within that time; whether one did."""
        if not select.select([self.b], [], [], seconds)[0]:
            return False
        packet, extra, _, _ = self.b.recvmsg(1 << 16, 64)
        self.came.append((sum(part * unit for part, unit in zip(struct.unpack("ll", extra[0][2]), (1, 1e-9))), packet))
        return True

    def finish(self):
        """When all has come that will. Returns the counters of A to B."""
        self.relay.wait_came(len(self.sent))
        while self.relay.counters()["ab"]["held"] > 0:
            self.drain(0.01)
        counters = self.relay.counters()["ab"]
        while len(self.came) < counters["passed"]:
            assert self.drain_until(5 * o7s.PATIENCE), "a packet was lost between the relay and here"
        self.drain()
        return counters

    def order(self):
        """The numbers of what came."""
        return [number_of(packet) for _, packet in self.came]

    def delays(self):
        return [when - self.sent[number_of(packet)][0] for when, packet in self.came]


def numbered(i, size):
    """Of every other byte it is seen whether it is right."""
    return struct.pack(">I", i) + bytes((i + k) % 251 for k in range(size - 4))


def number_of(packet):
    return struct.unpack_from(">I", packet)[0]


@pytest.fixture
def ends(build):
    made = []

    def make(*options, **effects):
        made.append(Ends(build, *options, **effects))
        return made[-1]

    yield make
    for each in made:
        each.__exit__(None)


def ascends(numbers):
    return all(x < y for x, y in zip(numbers, numbers[1:]))


# -- nothing happens to it


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_passes_everything_as_it_is(ends, host):
    e = ends(host=host).send_many(2000, 1400)
    counters = e.finish()
    assert [packet for _, packet in e.came] == [packet for _, packet in e.sent]
    assert (counters["passed"], counters["passed_bytes"]) == (2000, 2000 * 1400)
    assert {name for name, value in counters.items() if value} == {"came", "came_bytes", "passed", "passed_bytes"}


@pytest.mark.parametrize("size", [0, 1, 9000, 65507])
def test_packets_of_every_size(ends, size):
    e = ends()
    for s, other in ((e.a, e.b), (e.b, e.a)):
        data = os.urandom(size)
        s.send(data)
        assert other.recv(1 << 17) == data


def test_directions_are_set_apart(ends):
    e = ends(ab={"loss": 100})
    e.a.send(b"lost")
    e.b.send(b"passed")
    assert e.a.recv(100) == b"passed"
    counters = e.relay.wait_idle()
    assert (counters["ab"]["lost_loss"], counters["ba"]["passed"]) == (1, 1)


def test_learns_its_peer_and_takes_nothing_from_others(build):
    with socket.socket(type=socket.SOCK_DGRAM) as a, socket.socket(type=socket.SOCK_DGRAM) as b, \
            socket.socket(type=socket.SOCK_DGRAM) as stranger:
        b.bind(("127.0.0.1", 0))
        with Relay(build, "udp:127.0.0.1:0", "udp:127.0.0.1:0,127.0.0.1:%d" % b.getsockname()[1]) as relay:
            b.sendto(b"nobody there yet", address(relay.b))
            relay.wait_came(1, "ba")
            a.sendto(b"first", address(relay.a))
            assert b.recv(100) == b"first"
            stranger.sendto(b"second", address(relay.a))
            stranger.sendto(b"third", address(relay.b))
            b.sendto(b"answer", address(relay.b))
            assert a.recv(100) == b"answer"
            o7s.eventually(lambda: relay.counters()["strangers"] == 2)
            last = relay.end()
    assert (last["ab"]["came"], last["ba"]["came"], last["ba"]["lost_send"]) == (1, 2, 1)


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_inherited_sockets(build, kind):
    a, a_end = socket.socketpair(socket.AF_UNIX, kind)
    b, b_end = socket.socketpair(socket.AF_UNIX, kind)
    fds = a_end.fileno(), b_end.fileno()
    with a, b, Relay(build, "unix:%d" % fds[0], "unix:%d" % fds[1], both={"delay_ms": 5}, pass_fds=fds):
        a_end.close()
        b_end.close()
        for s, other in ((a, b), (b, a)):
            start = time.monotonic()
            s.send(b"word")
            assert other.recv(100) == b"word"
            assert time.monotonic() - start >= 5 * MS


# -- losses


def lost_of(e):
    return set(range(len(e.sent))) - set(e.order())


def test_loss(ends):
    e = ends(ab={"loss": 10}).send_many(10000)
    counters = e.finish()
    assert 850 < counters["lost_loss"] < 1150  # 5 standard deviations
    assert len(lost_of(e)) == counters["lost_loss"] == 10000 - counters["passed"]


def test_same_seed_strikes_the_same_packets(ends):
    effects = {"loss": 10, "dup": 5, "burst_p": 1, "burst_r": 30}
    first, again, other = (ends("--seed", seed, ab=effects).send_many(2000) for seed in (7, 7, 8))
    for e in (first, again, other):
        e.finish()
    assert first.order() == again.order() != other.order()


def test_chances_do_not_disturb_each_other(ends):
    first, more = ends(ab={"loss": 10}).send_many(2000), ends(ab={"loss": 10, "dup": 20, "corrupt": 0}).send_many(2000)
    first.finish()
    more.finish()
    assert lost_of(first) == lost_of(more)


def test_bursts_of_losses(ends):
    """Of 1 % that begin one and 25 % that end it, one in 26 is lost, four at a time."""
    e = ends(ab={"burst_p": 1, "burst_r": 25}).send_many(20000)
    counters = e.finish()
    lost = lost_of(e)
    bursts = [i for i in lost if i - 1 not in lost]
    assert len(lost) == counters["lost_burst"]
    assert 0.028 < len(lost) / 20000 < 0.049
    assert 3 < len(lost) / len(bursts) < 5


def test_down_loses_everything_until_it_is_up(ends):
    e = ends()
    for down in (0, 1, 0):
        e.relay.set("ab", down=down)
        e.send_many(500)
    assert e.finish()["lost_down"] == 500
    assert e.order() == [*range(500), *range(1000, 1500)]


def test_blackout_by_the_clock(ends):
    """Nothing is lost before or after, and nothing passes meanwhile."""
    e = ends(ab={"blackout": "0.5..0.9"})
    before = time.time()
    seconds = e.relay.counters()["seconds"]
    started = before - seconds, time.time() - seconds  # between these
    e.send_paced(1200, MS)
    counters = e.finish()
    lost = lost_of(e)
    times = [(when - started[1], when - started[0]) for when, _ in e.sent]
    doubt = 0.1  # between being sent here and taken there
    assert {i for i, (least, most) in enumerate(times) if least > 0.5 and most < 0.9 - doubt} <= lost
    assert not {i for i, (least, most) in enumerate(times) if most < 0.5 - doubt or least > 0.9} & lost
    assert len(lost) == counters["lost_down"] > 0


# -- time


def test_delay(ends):
    e = ends(ab={"delay_ms": 30}).send_paced(300, MS)
    e.finish()
    assert 30 * MS <= min(e.delays()) < 31 * MS
    assert ascends(e.order())


def test_delay_changes_on_the_way(ends):
    e = ends("--at", "0.8 ab delay_ms=40", ab={"delay_ms": 2})
    e.send_paced(50, 2 * MS)
    o7s.eventually(lambda: e.relay.counters()["seconds"] > 0.8)
    e.send_paced(50, 2 * MS)
    e.finish()
    assert min(e.delays()[:50]) < 10 * MS
    assert min(e.delays()[50:]) >= 40 * MS


def test_jitter_overtakes(ends):
    """Delays are spread evenly from the least to the most."""
    e = ends(ab={"delay_ms": 10, "jitter_ms": 200}).send_paced(1000, MS)
    e.finish()
    assert min(e.delays()) >= 10 * MS
    for delay, expected in zip(statistics.quantiles(e.delays()), (60, 110, 160)):
        assert abs(delay - expected * MS) < 15 * MS
    assert len(e.came) == 1000 and not ascends(e.order())


def test_jitter_that_keeps_the_order(ends):
    e = ends(ab={"delay_ms": 10, "jitter_ms": 20, "keep_order": 1}).send_paced(1000, MS)
    e.finish()
    assert min(e.delays()) >= 10 * MS
    assert statistics.pstdev(e.delays()) > 1 * MS
    assert e.order() == list(range(1000))


def test_reordering(ends):
    """Those that are chosen come late, and so after others that were sent later; the others keep their order."""
    e = ends(ab={"delay_ms": 5, "reorder": 5, "reorder_ms": 200, "keep_order": 1})
    e.send_paced(1000, MS)
    counters = e.finish()
    late = [number_of(packet) for (_, packet), delay in zip(e.came, e.delays()) if delay >= 205 * MS]
    assert 20 < counters["reordered"] < 85
    assert len(e.came) == 1000
    assert len(late) >= counters["reordered"]  # more, if the machine stood still
    assert ascends([i for i in e.order() if i not in late])
    assert not ascends(e.order())


# -- rate and queue


def test_rate(ends):
    """As if over a line of 8 Mbit/s: one packet of 1000 bytes each millisecond, however fast they come."""
    e = ends(ab={"rate": "8M"}).send_many(1000, 1000)
    e.finish()
    late = [when - i * MS for i, (when, _) in enumerate(e.came)]
    assert abs(min(late[:100]) - min(late[-100:])) < 0.05
    assert ascends(e.order())


def test_rate_and_delay_add_up(ends):
    e = ends(ab={"rate": "1M", "delay_ms": 20})
    e.send_many(1, 1250)  # 10 ms
    e.finish()
    assert 30 * MS <= e.delays()[0] < 60 * MS


def test_rate_that_changes_is_that_of_the_next_packet(ends):
    e = ends(ab={"rate": "8k"})
    e.send_many(50, 1000)  # a second each
    e.relay.set("ab", rate=0)
    start = time.monotonic()
    e.finish()
    assert 0.5 < e.came[0][0] - e.sent[0][0] and time.monotonic() - start < 5
    assert e.order() == list(range(50))


@pytest.mark.parametrize("limit", [{"queue_packets": 20}, {"queue_bytes": 20000}])
def test_queue_drops_its_tail(ends, limit):
    e = ends(ab={"rate": "80k", **limit})  # 100 ms each
    for i in range(100):
        e.send(numbered(i, 1000))
    assert e.relay.wait_came(100)["held"] == 20
    e.relay.set("ab", rate=0)
    counters = e.finish()
    assert e.order()[:20] == list(range(20))
    assert len(e.order()) == 100 - counters["lost_queue"] < 30


def test_packet_that_is_larger_than_the_queue(ends):
    e = ends(ab={"rate": "8M", "queue_bytes": 500})
    for _ in range(3):
        e.send_many(1, 1000)
        e.finish()
    assert e.order() == [0, 1, 2]


def test_small_pool_is_counted(ends):
    e = ends("--pool", 200, ab={"delay_ms": 300})
    counters = e.send_many(200).finish()
    assert counters["lost_pool"] == 200 - (200 - 2 * 64)
    assert e.order() == list(range(72))


# -- copies and errors


def test_duplicates(ends):
    e = ends(ab={"dup": 10}).send_many(5000)
    counters = e.finish()
    assert 390 < counters["duplicated"] < 610
    assert len(e.came) == 5000 + counters["duplicated"]
    assert len(set(e.order())) == 5000
    assert all(packet == e.sent[number_of(packet)][1] for _, packet in e.came)


def test_corruption_is_of_one_bit(ends):
    e = ends(ab={"corrupt": 20}).send_many(3000, 100)
    counters = e.finish()
    bits = []
    for (_, packet), (_, was) in zip(e.came, e.sent):
        wrong = int.from_bytes(packet, "big") ^ int.from_bytes(was, "big")
        assert len(packet) == len(was) and bin(wrong).count("1") <= 1
        bits += [wrong.bit_length()] if wrong else []
    assert len(bits) == counters["corrupted"]
    assert 490 < len(bits) < 710
    assert all(abs(sum(1 for b in bits if (b - 1) // 200 == part) / len(bits) - 0.25) < 0.1 for part in range(4))


# -- what it says


def test_script_and_counters(ends, tmp_path):
    script = tmp_path / "script"
    script.write_text("# seconds, direction, values\n\n0 both delay_ms=1 # from the start\n1000 ab loss=100\n")
    e = ends("--script", script)
    e.send_many(10)
    e.finish()
    assert min(e.delays()) >= 1 * MS
    by_signal = e.relay.counters_by_signal()
    assert by_signal["ab"] == e.relay.counters()["ab"]
    assert e.relay.end()["ab"]["passed"] == 10


def test_record_holds_what_passed(ends, tmp_path):
    record = tmp_path / "record"
    e = ends("--record", record, ab={"loss": 30, "corrupt": 5}).send_many(200)
    e.b.send(b"canary")
    e.finish()
    e.relay.wait_came(1, "ba")
    e.relay.counters()
    link_type, packets = recorded(record)
    contents = [packet for _, packet in packets]
    assert link_type == 147
    assert contents.count(b"canary") == 1
    contents.remove(b"canary")
    assert contents == [packet for _, packet in e.came]
    assert all(abs(when - time.time_ns()) < 600 * 10**9 for when, _ in packets)


WRONG = {
    "--ab loss=101": "loss is a number from 0 to 100",
    "--ab loss": "not KEY=VALUE",
    "--ab speed=1": 'there is no "speed"',
    "--ba rate=fast": "rate is a number",
    "--both delay_ms=-1": "delay_ms is a number",
    "--both blackout=2..1": "FROM..TO",
    "--seed x": "--seed",
    "--pool 1": "--pool",
    "--script /nonexistent": "/nonexistent: No such file",
    "--record /nonexistent/x": "/nonexistent/x: No such file",
    "--b udp:somewhere:1": "--b",
    "--b udp:127.0.0.1": "ADDRESS:PORT",
    "--b tap:": "name of a device",
    "--b tap:x,nonexistent-namespace": "nonexistent-namespace: No such file",
    "--b tap:name-that-is-too-long": "name of a device",
    "--b unix:0": "socket",
    "--b serial:1": "udp:, tap: or unix:",
    "--b udp:127.0.0.1:0,[::1]:1": "family",
    "word": "word",
}


@pytest.mark.parametrize("words", WRONG)
def test_arguments_that_are_wrong(build, words):
    line = [str(build.program("relay")), "--a", "udp:127.0.0.1:0", "--b", "udp:127.0.0.1:0", *words.split()]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert WRONG[words] in done.stderr and done.stderr.count("\n") == 1


def test_command_that_is_wrong_changes_nothing(ends, capfd):
    e = ends()
    with pytest.raises(AssertionError):
        e.relay.set("ab", loss=100, rate="fast")
    e.send_many(1)
    assert e.finish()["passed"] == 1
    assert "rate is a number" in capfd.readouterr().err


def test_ends_with_its_commands(build):
    relay = Relay(build, "udp:127.0.0.1:0", "udp:127.0.0.1:0")
    relay.process.stdin.close()
    assert relay.process.wait(10 * o7s.PATIENCE) == 0
    relay.process.stdout.close()


# -- TAP devices


EXPERIMENT = 0x88B5  # an EtherType for local experiments
IPV4, IPV6 = 0x0800, 0x86DD


class Hosts:
    """Two hosts in namespaces of their own, each with a TAP device "tap0" of a relay."""

    def __init__(self, build, *options, **effects):
        self.a, self.b = self.spaces = [Namespace(), Namespace()]
        try:
            self.relay = Relay(build, *["tap:tap0,%s" % space.name for space in self.spaces], *options, **effects)
        except AssertionError:
            self.destroy()
            raise

    def addresses(self):
        for i, space in enumerate(self.spaces):
            space.ip("addr", "add", "10.77.0.%d/24" % (i + 1), "dev", "tap0")

    def frames(self, ether_type):
        return [space.frames("tap0", ether_type) for space in self.spaces]

    def destroy(self):
        for space in self.spaces:
            space.destroy()


@pytest.fixture
def hosts(build):
    if os.getuid() != 0:
        pytest.skip("needs root to make network namespaces and TAP devices")
    if shutil.which("ip") is None or not os.path.exists("/dev/net/tun"):
        pytest.skip("needs ip (iproute2) and /dev/net/tun")
    made = []

    def make(*options, **effects):
        made.append(Hosts(build, *options, **effects))
        return made[-1]

    yield make
    for each in made:
        try:
            each.relay.__exit__(None)
        finally:
            each.destroy()


def frame(ether_type, payload):
    return b"\xff" * 6 + b"\2o7s\0\1" + struct.pack(">H", ether_type) + payload


def receive(s, timeout=5):
    s.settimeout(timeout * o7s.PATIENCE)
    return s.recv(1 << 16)


def test_frames_pass_between_devices(hosts, tmp_path):
    h = hosts("--record", tmp_path / "record")
    a, b = h.frames(EXPERIMENT)
    with a, b:
        for i in range(200):
            here, there = (a, b) if i % 2 else (b, a)
            sent = frame(EXPERIMENT, os.urandom(46 + 7 * i))
            here.send(sent)
            assert receive(there) == sent
    h.relay.counters()
    link_type, packets = recorded(tmp_path / "record")
    assert (link_type, len(packets)) == (1, 200)


def test_hosts_talk_over_devices(hosts):
    """ARP and UDP of the kernel itself, with a delay each way."""
    h = hosts(both={"delay_ms": 10})
    h.addresses()
    a, b = (space.inside(lambda: socket.socket(type=socket.SOCK_DGRAM)) for space in h.spaces)
    with a, b:
        b.bind(("10.77.0.2", 7000))
        start = time.monotonic()
        a.sendto(b"question", ("10.77.0.2", 7000))
        b.settimeout(5 * o7s.PATIENCE)
        question, peer = b.recvfrom(100)
        b.sendto(b"answer", peer)
        assert (question, receive(a)) == (b"question", b"answer")
        assert time.monotonic() - start >= 40 * MS  # ARP's round trip, and its own


def test_device_that_is_there_already(build, hosts):
    h = hosts()
    h.a.ip("tuntap", "add", "tap1", "mode", "tap")
    spec = "tap:tap1,%s" % h.a.name
    with Relay(build, spec, "udp:127.0.0.1:0"):
        busy = subprocess.run([str(build.program("relay")), "--a", spec, "--b", "udp:127.0.0.1:0"], capture_output=True,
                              text=True, timeout=10, check=False)
        assert (busy.returncode, "tap tap1: Device or resource busy" in busy.stderr) == (2, True)
        assert "tap1" in h.a.ip("link", "show", "up")
    assert "tap1" in h.a.ip("link")


def test_ends_when_a_device_is_taken_away(hosts):
    h = hosts()
    h.a.ip("link", "del", "tap0")
    assert h.relay.process.wait(10 * o7s.PATIENCE) == 0


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(ecn, i):
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0x28 | ecn, 20 + 100, i * 7919 & 0xffff, 0, 64, 253, 0, b"\n\0\0\1", b"\n\0\0\2")
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + bytes(100)


def ipv6(ecn, i):
    first = 6 << 28 | 0x28 << 20 | ecn << 20 | 0xabcde
    return struct.pack(">IHBB", first, 100, 253, 64) + struct.pack(">I", i) * 8 + bytes(100)


def ecn_of(packet):
    return (packet[1] if packet[0] >> 4 == 4 else packet[1] >> 4) & 3


def unmarked(packet, ecn):
    """As it was before."""
    if packet[0] >> 4 == 6:
        return packet[:1] + bytes([packet[1] & ~0x30 | ecn << 4]) + packet[2:]
    header = packet[:1] + bytes([packet[1] & ~3 | ecn]) + packet[2:10] + b"\0\0" + packet[12:20]
    return header[:10] + struct.pack(">H", checksum(header)) + packet[12:]


@pytest.mark.parametrize("ether_type, make", [(IPV4, ipv4), (IPV6, ipv6)])
@pytest.mark.parametrize("ecn", [0, 1, 2, 3])
def test_congestion_is_marked(hosts, ether_type, make, ecn):
    """Behind more than 10 packets, in those whose sender knows of it; and nothing else in them changes."""
    h = hosts(ab={"rate": "80k", "ecn_packets": 10})
    a, b = h.frames(ether_type)
    with a, b:
        sent = [make(ecn, i) for i in range(50)]
        for packet in sent:
            a.send(frame(ether_type, packet))
        counters = h.relay.wait_came(50)
        h.relay.set("ab", rate=0)
        came = [receive(b)[14:] for _ in sent]
    marked = [i for i, packet in enumerate(came) if ecn_of(packet) == 3]
    if ecn in (1, 2):
        assert marked == list(range(marked[0], 50)) and 11 <= marked[0] < 20
        assert counters["marked"] == len(marked)
    else:
        assert counters["marked"] == 0 and came == sent
    assert [unmarked(packet, ecn) for packet in came] == sent
    if ether_type == IPV4:
        assert all(checksum(packet[:20]) == 0 for packet in came)


def test_what_is_not_ip_is_not_marked(hosts):
    h = hosts(ab={"rate": "80k", "ecn_bytes": 100})
    a, b = h.frames(EXPERIMENT)
    with a, b:
        sent = [frame(EXPERIMENT, ipv4(1, i)) for i in range(20)]
        for each in sent:
            a.send(each)
        h.relay.wait_came(20)
        h.relay.set("ab", rate=0)
        assert [receive(b) for _ in sent] == sent
    assert h.relay.counters()["ab"]["marked"] == 0
