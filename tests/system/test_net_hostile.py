"""Packets that nobody asked for: random, mutated, repeated, and from somebody who pretends. They reach the sockets of live
IPCPs, while flows go on.

$O7S_SPRAY is how many packets (100000); by hand: O7S_SPRAY=10000000 python3 -m pytest -k spray --timeout 3600
"""
import errno
import json
import os
import struct
import time

import pytest

import o7s
import oap
import shim
from net import IN_TURN, KINDS, Capture, talk
from puppet import PATIENCE

pytest_plugins = ["net_fixtures"]

SPRAY = int(os.environ.get("O7S_SPRAY", "100000"))
RATE = 60000 // PATIENCE
RSS_MAX_KB = 96 << 10  # the quotas of doc/protocols/shim.md, and what a process has anyway
MIB_KB = 1024
QOS_RAW = struct.pack(">IQBIIBII", 0xFFFFFFFF, 0, 0, 1, 1, 0, 0xFFFFFFFF, 120000)


def rss_kb(pid):
    return o7s.status_of(pid, "VmRSS")


# -- noise


def corpus(two, path):
    """What the two say in earnest: queries, allocations, data and ends. Of UDP the payloads, of Ethernet whole frames."""
    with two.capture() as wire:
        for qos in ("raw", "data"):
            fd, peer_fd = two.connect(qos)
            two.talk(fd, peer_fd)
            two.disconnect(fd, peer_fd)
        two.client.ask("alloc", "ghost", "raw", 300)
    with open(path, "wb") as f:
        for when, out, frame in wire.frames:
            packet = shim.parse(two.kind, when, out, frame)
            if packet is None or not out:
                continue
            data = frame if two.kind.startswith("eth") else struct.pack(">I", packet.eid) + packet.body
            f.write(struct.pack(">H", len(data[:1500])) + data[:1500])
    assert os.path.getsize(path) > 200


@pytest.mark.bare
@pytest.mark.timeout(60 + SPRAY // 1000)
@pytest.mark.parametrize("kind, level", IN_TURN)
def test_spray(make_two, tmp_path, kind, level):
    """Random packets and mutated copies of genuine ones, at a server's layer: nothing falls, grows or forgets."""
    two = make_two(kind, level)
    corpus(two, tmp_path / "corpus")
    held = two.connect("data")
    target = two.b.ports["eth0"]
    pid = two.b.ipcp()["pid"]
    before = rss_kb(pid)
    where = ["eth", "eth0", target.mac] if kind.startswith("eth") else ["udp", target.address(kind), shim.PORT]
    done = two.a.run("spray", *where, SPRAY, 1, RATE, tmp_path / "corpus", user=o7s.pwd.getpwuid(0),
                     timeout=60 + SPRAY // 1000)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] > SPRAY // 2
    assert two.b.ipcp()["pid"] == pid and two.b.alive()
    two.talk(*held)
    serves(two)
    assert rss_kb(pid) < max(RSS_MAX_KB, before + 64 * MIB_KB)
    assert len([line for line in two.b.log().splitlines() if " debug: " not in line]) < 2000
    o7s.eventually(lambda: quiet(pid), 10, "an IPCP that sleeps when nothing comes")


def serves(two):
    """A new flow works. (Of mutated requests some ask in earnest, in a plain layer; whoever accepts gets these flows too,
    and keeps them: nobody ends them.)"""
    two.server.begin("echo_all")
    o7s.eventually(lambda: sum(flow["state"] == "waiting" for flow in two.b.flows()) < 10, what="room in the backlog")
    fd = two.client.alloc("service", "data", 5000 * PATIENCE)
    two.client.write(fd, b"question")
    assert two.client.begin_read(fd).data(10) == b"question"


def quiet(pid):
    before = o7s.cpu_ticks(pid)
    time.sleep(0.3)
    return o7s.cpu_ticks(pid) - before <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_little_noise(make_two, tmp_path, kind):
    """The same, so few that a sanitizer can watch."""
    two = make_two(kind)
    corpus(two, tmp_path / "corpus")
    target = two.b.ports["eth0"]
    pid = two.b.ipcp()["pid"]
    where = ["eth", "eth0", target.mac] if kind.startswith("eth") else ["udp", target.address(kind), shim.PORT]
    done = two.a.run("spray", *where, 3000, 2, 5000, tmp_path / "corpus", user=o7s.pwd.getpwuid(0))
    assert done.returncode == 0, done.stderr
    assert two.b.ipcp()["pid"] == pid
    serves(two)


# -- pretenders


class Attacked:
    """A client, a server and, on C, an attacker, who has seen all that the two said, but sends from where he is."""

    def __init__(self, net, kind, level, pki):
        self.kind = kind
        self.a, self.b, self.c = [net.host(start=False) for _ in range(3)]
        self.a.secure(level, pki, "client")
        self.b.secure(level, pki, "server")
        net.bridge(self.a, self.b, self.c)
        for host in (self.a, self.b):
            host.start().join(kind)
        self.client, self.server = self.a.puppet(), self.b.serve()
        if kind.startswith("eth"):
            self.raw = self.c.space.frames("eth0", shim.ETHERTYPE)
        else:
            self.raw = self.c.socket(kind, self.c.ports["eth0"].address(kind), shim.PORT)

    def connect(self, qos):
        with Capture(self.a, self.b) as wire:
            accepting = self.server.begin("accept")
            fd = self.client.alloc("service", qos)
            peer_fd = accepting.result()
            talk(self.client, fd, self.server, peer_fd)
        self.wire = wire
        self.id = wire.controls(self.kind, shim.REQUEST)[0].control.id
        return fd, peer_fd

    def eids(self):
        """By which A receives, and B."""
        data = [packet for packet in self.wire.packets(self.kind) if packet.control is None]
        return next(p.eid for p in data if not p.out), next(p.eid for p in data if p.out)

    def send(self, host, eid, packet, source=None):
        """To that host, from C's own address, or the MAC @source."""
        port = host.ports["eth0"]
        if self.kind.startswith("eth"):
            management = shim.LLC_MANAGEMENT if self.kind == "eth-llc" else 0
            self.raw.send(shim.frame(self.kind, source or self.c.ports["eth0"].mac, port.mac,
                                     management if eid is None else eid, packet))
        else:
            self.raw.sendto(struct.pack(">I", eid or 0) + packet, (port.address(self.kind), shim.PORT))


@pytest.fixture
def attacked(net, pki):
    made = []

    def make(kind, level="plain"):
        made.append(Attacked(net, kind, level, pki))
        return made[-1]

    yield make
    for each in made:
        each.raw.close()


@pytest.mark.parametrize("qos", ["raw", "data"])
@pytest.mark.parametrize("kind, level", IN_TURN)
def test_strangers_do_not_touch_a_flow(attacked, kind, qos, level):
    """Data, deallocations and replies with the right ids, from another address, at both ends."""
    scene = attacked(kind, level)
    fd, peer_fd = scene.connect(qos)
    for host, eid in zip((scene.a, scene.b), scene.eids()):
        for packet in scene.wire.packets(kind):
            if packet.control is None:
                scene.send(host, eid, packet.body)
        scene.send(host, eid, b"forged")
        scene.send(host, eid, b"")
        for kind_of in (shim.DEALLOC, shim.DEALLOCATED, shim.DONE):
            scene.send(host, None, shim.Control(kind_of, scene.id).pack())
        for code in range(8):
            scene.send(host, None, shim.Control(shim.REPLY, scene.id, struct.pack(">BI", code, 0) + bytes(16)).pack())
    talk(scene.client, fd, scene.server, peer_fd)
    for end, own in ((scene.client, fd), (scene.server, peer_fd)):
        end.set_timeout(own, "rcv", 200)
        assert end.ask("read", own, 100)["r"] == -errno.ETIMEDOUT
    talk(scene.client, fd, scene.server, peer_fd)


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_do_not_answer_for_others(attacked, kind):
    """While a request waits, replies to it come from elsewhere: refusals, and a flow."""
    scene = attacked(kind)
    fd, peer_fd = scene.connect("raw")  # from now on it is known where it is
    scene.client.dealloc(fd)
    scene.server.dealloc(peer_fd)
    with Capture(scene.a, scene.b) as wire:
        asking = scene.client.begin("alloc", "service", "raw")
        request = o7s.eventually(lambda: wire.controls(kind, shim.REQUEST))[0].control
        for code in range(8):
            for own in (0, 1, 0x42):
                reply = struct.pack(">BI", code, 0 if code else own) + bytes(16)
                scene.send(scene.a, None, shim.Control(shim.REPLY, request.id, reply).pack())
        scene.send(scene.a, None, shim.Control(shim.PROVE, request.id, bytes(16)).pack())
        scene.send(scene.a, None, shim.Control(shim.DEALLOC, request.id).pack())
        scene.send(scene.b, None, shim.Control(shim.DEALLOC, request.id).pack())
        scene.send(scene.b, None, shim.Control(shim.DONE, request.id).pack())
        time.sleep(0.1)
        assert not asking.done()
    accepting = scene.server.begin("accept")
    talk(scene.client, asking.result(), scene.server, accepting.result())


def test_blind_guesses_from_a_forged_source(attacked):
    """The right address and port of the client, but neither endpoint nor exchange is known."""
    scene = attacked("udp4")
    fd, peer_fd = scene.connect("raw")
    a, b, c = (host.ports["eth0"] for host in (scene.a, scene.b, scene.c))
    with scene.c.space.frames("eth0", 0x0800) as raw:
        for i in range(2000):
            guess = os.urandom(12)
            eid = int.from_bytes(guess[:4], "big") or 1
            packet = b"forged" if i % 2 else shim.Control(shim.DEALLOC, int.from_bytes(guess[4:], "big")).pack()
            raw.send(shim.udp_frame(c.mac, b.mac, (a.udp4, shim.PORT), (b.udp4, shim.PORT), eid if i % 2 else 0, packet))
    talk(scene.client, fd, scene.server, peer_fd)


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_packets_of_the_client_open_nothing(make_two, kind):
    """All that it sent, once more and again: there is one acceptance, and the flow goes on."""
    two = make_two(kind)
    with two.capture() as wire:
        fd, peer_fd = two.connect("data")
        two.talk(fd, peer_fd)
    sent = [frame for when, out, frame in wire.frames
            if out and (packet := shim.parse(kind, when, out, frame)) and (packet.control is None or packet.control.type < 8)]
    assert sent
    for _ in range(2):  # the second time after the end of the flow
        with two.a.space.frames("eth0", shim.ETHERTYPE) as raw:
            for frame in sent * 20:
                raw.send(frame)
        assert two.server.ask("accept", 300)["r"] == -errno.ETIMEDOUT
        if _ == 0:
            two.talk(fd, peer_fd)
            two.disconnect(fd, peer_fd)
            two.b.wait_no_flows()
    two.works()


# -- amplification and floods (udp)


def ask(two, stranger, name="service", id=None, token=None, pad_to=1200):
    """A genuine request from a plain socket; returns its length."""
    client = oap.Client(name, QOS_RAW)
    packet = struct.pack(">I", 0) + shim.request(77, name, QOS_RAW, client.request,
                                                  id or int.from_bytes(os.urandom(8), "big"), pad_to, token=token)
    stranger.send(packet)
    return len(packet)


def answers(stranger, seconds):
    """All datagrams that come within that time."""
    end, came = time.monotonic() + seconds, []
    stranger.settimeout(0.05)
    while time.monotonic() < end:
        try:
            came.append(stranger.recv(1 << 16))
        except TimeoutError:
            pass
        except ConnectionRefusedError:
            pass
    return came


def stranger_of(two):
    return two.a.socket("udp4", two.a.ports["eth0"].udp4, 5001, connect=(two.b.ports["eth0"].udp4, shim.PORT))


def test_unproven_source_gets_no_more_than_three_times_what_it_sent(large):
    """Who may be anybody asks a server with large certificates."""
    two = large("udp4", start=False)
    two.b.directory.joinpath("etc/security/enc.cfg").write_text("suite = x25519\nauthentication = server\n")
    two.start()
    two.server.begin("accept")
    with stranger_of(two) as stranger:
        sent = ask(two, stranger)
        came = answers(stranger, 2)
    assert came, "no answer at all"
    assert sum(map(len, came)) <= 3 * sent
    assert shim.PROVE in [shim.Control.unpack(datagram[4:]).type for datagram in came]


def test_malformed_packets_are_not_answered(make_two):
    """Nothing comes back: neither an error nor anything else."""
    two = make_two("udp4")
    good = shim.request(77, "service", QOS_RAW, oap.Client("service", QOS_RAW).request, 5)
    query = shim.Control(shim.QUERY, 5, b"\x20" + shim.hash_of("service")).pack()
    wrong = [b"", b"\0", good[:10], good[:19], good[:100]]
    for base in (good, query):
        for at, value in ((0, 0), (0, 2), (1, 0), (1, 10), (1, 255), (2, 2), (2, 0x80), (3, 1), (4, 1), (5, 0), (5, 65),
                          (7, 1), (10, 1), (11, 1)):
            wrong.append(base[:at] + bytes([value]) + base[at + 1:])
        wrong.append(base[:8] + b"\xff\xff" + base[10:])
    with stranger_of(two) as stranger:
        for packet in wrong:
            stranger.send(struct.pack(">I", 0) + packet)
            stranger.send(struct.pack(">I", 12345) + packet)
        assert answers(stranger, 0.5) == []
        stranger.send(struct.pack(">I", 0) + query)
        here, = answers(stranger, 0.5)
        assert shim.Control.unpack(here[4:]).type == shim.HERE
    two.works()


@pytest.mark.bare
def test_flood_of_requests_leaves_room_for_the_honest(make_two):
    """Thousands of requests that nobody will finish, from one source: others are served meanwhile, memory is bounded."""
    two = make_two("udp4")
    two.works()
    pid = two.b.ipcp()["pid"]
    before = rss_kb(pid), rss_kb(two.b.pid)
    with stranger_of(two) as stranger:
        for _ in range(3000):
            ask(two, stranger)
        two.works()
    assert rss_kb(pid) - before[0] < 64 * MIB_KB and rss_kb(two.b.pid) - before[1] < 64 * MIB_KB
    assert len(two.b.flows()) < 200


def test_flood_of_first_pieces_is_bounded(make_two):
    """Messages of 64 pieces of which one comes: a source may have few of them."""
    two = make_two("udp4")
    pid = two.b.ipcp()["pid"]
    before = rss_kb(pid)
    with stranger_of(two) as stranger:
        for i in range(5000):
            stranger.send(struct.pack(">I", 0) + shim.Control(shim.REQUEST, i + 1, bytes(1000), i % 64, 64, 1000).pack())
        two.works()
        answers(stranger, 0.1)
    assert rss_kb(pid) - before < 16 * MIB_KB
