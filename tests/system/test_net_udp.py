"""UDP: addresses and ports, peers that are asked for names, paths that change, and names in DNS."""
import errno
import os
import time

import pytest

import dns_server
import o7s
import shim
from net import Two, talk
from puppet import ENAME, PATIENCE

pytest_plugins = ["net_fixtures"]
pytestmark = pytest.mark.bare  # what a sanitizer could find here is looked for in the unit tests and test_net_hostile

UDP = ["udp4", "udp6"]


def written(kind, address, port):
    return "[%s]:%d" % (address, port) if kind == "udp6" else "%s:%d" % (address, port)


# -- addresses and ports


@pytest.mark.parametrize("kind", UDP)
def test_other_ports(net, kind):
    """Each side has one of its own, and knows that of the other."""
    two = Two(net, kind)
    ports = {two.a: 4000, two.b: 4001}
    for host, other in ((two.a, two.b), (two.b, two.a)):
        host.start()
        peer = written(kind, other.ports["eth0"].address(kind), ports[other])
        host.join(kind, peers=[peer], port=ports[host])
    two.client, two.server = two.a.puppet(), two.b.serve()
    two.works()
    two.connect()
    assert two.a.flow()["address"] == written(kind, two.b.ports["eth0"].address(kind), 4001)


@pytest.mark.parametrize("kind", UDP)
def test_server_needs_to_know_no_peers(net, kind):
    two = Two(net, kind)
    two.a.start().join(kind)
    two.b.start().join(kind, peers=[])
    two.client, two.server = two.a.puppet(), two.b.serve()
    two.works()


@pytest.mark.parametrize("kind", UDP)
def test_peers_that_are_not_there_cost_nothing(net, kind):
    """All are asked at once, and the first that has the name counts."""
    two = Two(net, kind)
    port = two.b.ports["eth0"]
    silent = [port.address(kind)[:-1] + str(i) for i in range(6, 9)]
    two.a.start().join(kind, peers=silent[:2] + [port.address(kind)] + silent[2:])
    two.b.start().join(kind)
    two.client, two.server = two.a.puppet(), two.b.serve()
    start = time.monotonic()
    two.works()
    assert time.monotonic() - start < 1 * PATIENCE


@pytest.mark.parametrize("kind", UDP)
def test_two_layers_by_two_ports(net, kind):
    two = Two(net, kind)
    for host in (two.a, two.b):
        host.start()
        other = (two.b if host is two.a else two.a).ports["eth0"].address(kind)
        host.join(kind, layer="one")
        host.join(kind, layer="two", peers=[written(kind, other, 3436)], port=3436)
    two.client, two.server = two.a.puppet(), two.b.serve(layers=["two"])
    fd, peer_fd = two.connect()
    assert two.client.ask("info", fd)["layer"] == "two"
    two.talk(fd, peer_fd)


@pytest.mark.parametrize("kind", UDP)
def test_address_that_the_host_does_not_have(net, kind):
    host = net.host()
    with pytest.raises(o7s.Refused) as refused:
        host.irm("ipcp", "bootstrap", "name", "net", "type", kind, "layer", "net", "ip",
                 "192.0.2.1" if kind == "udp4" else "2001:db8::1")
    assert refused.value.status == 1 and refused.value.sentence
    assert host.ipcps() == []


def test_port_that_is_taken(net):
    two = Two(net, "udp4")
    two.a.start()
    with two.a.socket("udp4", two.a.ports["eth0"].udp4, shim.PORT):
        with pytest.raises(o7s.Refused) as refused:
            two.a.join("udp4")
    assert refused.value.status == 1 and refused.value.sentence
    two.a.join("udp4")


def test_bad_options_are_refused(net):
    host = net.host()
    for options in ("ip 10.0.0.256", "ip fd79::1", "ip 127.0.0.1 port 65536", "ip 127.0.0.1 port 0",
                    "ip 127.0.0.1 peer nowhere", ""):
        with pytest.raises(o7s.Refused) as refused:
            host.irm("ipcp", "bootstrap", "name", "net", "type", "udp4", "layer", "net", *options.split())
        assert refused.value.status in (1, 2) and refused.value.sentence
        assert host.ipcps() == []


@pytest.mark.parametrize("kind", UDP)
def test_daemon_needs_no_rights(net, ordinary_user, kind):
    """Both instances belong to an ordinary user from the start."""
    two = Two(net, kind)
    hosts = [net.host(user=ordinary_user, drop_to=None) for _ in range(2)]
    net.cable(*hosts, dev="eth1")
    for host in hosts:
        host.join(kind, "eth1")
        assert int(o7s.status_text(host.ipcp()["pid"], "CapEff"), 16) == 0
    two.client, two.server = hosts[0].puppet(), hosts[1].serve()
    two.works()


# -- paths


@pytest.mark.parametrize("mtu", [1280, 9000])
@pytest.mark.parametrize("kind", UDP)
def test_mtu(make_two, kind, mtu):
    two = make_two(kind, mtu=mtu)
    fd, peer_fd = two.connect("raw")
    largest = two.client.ask("info", fd)["max_message"]
    assert largest == shim.packet_max(kind, mtu)
    for writer, out, reader, into in ((two.client, fd, two.server, peer_fd), (two.server, peer_fd, two.client, fd)):
        message = os.urandom(largest)
        writer.write(out, message)
        assert reader.begin_read(into).data(5) == message
        assert writer.ask("write_zeros", out, largest + 1)["r"] == -errno.EMSGSIZE


class Routed:
    """Hosts A and B on wires of their own; between them a router, whose way to B can become narrow."""

    def __init__(self, net, kind):
        self.kind = kind
        self.a, self.b = net.host(), net.host()
        self.router = net.host(start=False)
        net.cable(self.a, self.router, "eth0")
        net.cable(self.b, self.router, "eth1")
        self.router.space.run("sh", "-c", "echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding")
        own = {self.a: self.a.ports["eth0"], self.b: self.b.ports["eth1"]}
        for host, dev, other in ((self.a, "eth0", self.b), (self.b, "eth1", self.a)):
            via = self.router.ports[dev].address(kind)
            host.space.ip("-6" if kind == "udp6" else "-4", "route", "add", "default", "via", via, "dev", dev)
            host.join(kind, dev, peers=[own[other].address(kind)])
        self.client, self.server = self.a.puppet(), self.b.serve()

    def narrow(self, mtu):
        for host in (self.router, self.b):
            host.space.ip("link", "set", "eth1", "mtu", mtu)

    def connect(self, qos):
        accepting = self.server.begin("accept")
        fd = self.client.alloc("service", qos)
        return fd, accepting.result()


@pytest.mark.parametrize("kind", UDP)
def test_through_a_router(net, kind):
    routed = Routed(net, kind)
    fd, peer_fd = routed.connect("data")
    talk(routed.client, fd, routed.server, peer_fd)


@pytest.mark.parametrize("kind", UDP)
def test_path_that_becomes_narrow(net, kind):
    """A flow of before survives; later ones know the new size."""
    routed = Routed(net, kind)
    fd, peer_fd = routed.connect("data")
    routed.narrow(1300)
    receiving = routed.server.begin("receive", peer_fd, 100, 10000, 1)
    assert routed.client.send(fd, 100, 10000, 1) == 100
    assert receiving.result(30) == 100

    def largest():
        fresh, _ = routed.connect("raw")
        return routed.client.ask("info", fresh)["max_message"]

    o7s.eventually(lambda: largest() == shim.packet_max(kind, 1300), 3, "a new flow of the new size")


@pytest.mark.parametrize("kind", UDP)
def test_icmp_errors_end_no_flow(make_two, kind):
    """Port unreachable, when the other layer is restarted or somebody says so, is a hint and no more."""
    two = make_two(kind)
    fd, peer_fd = two.connect("data")
    two.talk(fd, peer_fd)
    pid = two.a.ipcp()["pid"]
    with two.a.socket(kind, two.a.ports["eth0"].address(kind), 5000) as s:
        for _ in range(20):  # to a port where nobody is: the kernel answers
            s.sendto(b"x", (two.b.ports["eth0"].address(kind), 9))
    two.talk(fd, peer_fd)
    assert two.a.ipcp()["pid"] == pid


@pytest.mark.parametrize("kind", UDP)
def test_interface_that_is_down_for_a_while(make_two, kind):
    two = make_two(kind)
    fd, peer_fd = two.connect("data")
    two.a.link("down")
    two.client.write(fd, b"meanwhile")
    assert two.client.ask("alloc", "service", "raw", 2000)["r"] < 0
    two.a.link("up")
    assert two.server.begin_read(peer_fd).data(15) == b"meanwhile"
    two.talk(fd, peer_fd)
    two.works()


@pytest.mark.parametrize("kind", UDP)
def test_unknown_name_without_any_peer(net, kind):
    two = Two(net, kind)
    two.a.start().join(kind, peers=[])
    start = time.monotonic()
    assert two.a.puppet().ask("alloc", "ghost", "raw")["r"] == -ENAME
    assert time.monotonic() - start < 3.5 * PATIENCE


# -- names in DNS


class Named:
    """Hosts A, B and C on a bridge with a DNS server; they know of no peers. A has a client, B a server of "service"."""

    def __init__(self, net, kind, directory, key=None):
        self.kind = kind
        self.a, self.b, self.c = hosts = [net.host() for _ in range(3)]
        self.nameserver = net.host(start=False)
        net.bridge(*hosts, self.nameserver)
        address = self.nameserver.ports["eth0"].address(kind)
        self.dns = dns_server.DnsServer(directory, address, 53, key=key,
                                        wrap=("ip", "netns", "exec", self.nameserver.space.name))
        try:
            for host in hosts:
                host.join(kind, peers=[], dns=address, **self.key_file(host, key))
            self.client, self.server = self.a.puppet(), self.b.serve()
        except BaseException:
            self.dns.stop()
            raise

    @staticmethod
    def key_file(host, key):
        if key is None:
            return {}
        path = dns_server.write_key(host.directory / "etc" / "dns.key", key)
        os.chown(path, host.drop_to.pw_uid, host.drop_to.pw_gid)
        return {"dns_key": path}

    def addresses(self):
        return set(self.dns.addresses(dns_server.name_of(shim.hash_of("service"))))

    def wait_addresses(self, *hosts):
        wanted = {host.ports["eth0"].address(self.kind) for host in hosts}
        o7s.eventually(lambda: self.addresses() == wanted, 5, "the addresses of %d hosts" % len(hosts))

    def reaches(self, server):
        accepting = server.begin("accept")
        fd = self.client.alloc("service", "raw")
        talk(self.client, fd, server, accepting.result())


@pytest.fixture
def named(net, tmp_path):
    if not dns_server.installed():
        pytest.skip("needs knotd and kdig (knot, knot-dnsutils)")
    made = []

    def make(kind, **how):
        made.append(Named(net, kind, tmp_path / "knot", **how))
        return made[-1]

    yield make
    for each in made:
        each.dns.stop()


@pytest.mark.parametrize("kind", UDP)
def test_directory_in_dns(named, kind):
    """A registration is an update, an allocation a query, and the end of a registration takes only its own address."""
    scene = named(kind)
    scene.wait_addresses(scene.b)
    scene.reaches(scene.server)
    other = scene.c.serve()
    scene.wait_addresses(scene.b, scene.c)
    scene.b.unregister()
    scene.wait_addresses(scene.c)
    scene.reaches(other)
    start = time.monotonic()
    assert scene.client.ask("alloc", "ghost", "raw")["r"] == -ENAME
    assert time.monotonic() - start < 3.5 * PATIENCE


def test_directory_in_dns_with_signed_updates(named):
    scene = named("udp4", key=dns_server.new_key())
    scene.wait_addresses(scene.b)
    scene.reaches(scene.server)


def test_directory_that_has_gone(named):
    """Flows go on, allocations and registrations fail with a code and in bounded time, and all is well when it is back."""
    scene = named("udp4")
    scene.reaches(scene.server)
    scene.dns.stop()
    start = time.monotonic()
    assert scene.client.ask("alloc", "ghost", "raw", 10000)["r"] < 0
    assert time.monotonic() - start < 6 * PATIENCE
    scene.dns.start()
    scene.reaches(scene.server)
