"""Which host and which layer a flow goes to, when there are several, and when they come and go."""
import time

import pytest

import o7s
from net import KINDS, ONE_OF_EACH, talk
from puppet import ENAME, PATIENCE

pytest_plugins = ["net_fixtures"]
pytestmark = pytest.mark.bare  # what a sanitizer could find here is looked for in the unit tests and test_net_hostile


class Three:
    """Hosts A, B and C on a bridge. A has a client; B has a server of "service", and C can have one."""

    def __init__(self, net, kind):
        self.net, self.kind = net, kind
        self.a, self.b, self.c = self.hosts = [net.host() for _ in range(3)]
        self.wire = net.bridge(*self.hosts)
        for host in self.hosts:
            host.join(kind)
        self.client, self.server = self.a.puppet(), self.b.serve()

    def reaches(self, server, seconds=5):
        """A new flow comes to this server within that time."""
        accepting = server.begin("accept")
        start = time.monotonic()
        fd = self.client.alloc("service", "raw")
        assert time.monotonic() - start < seconds * PATIENCE
        peer_fd = accepting.result()
        talk(self.client, fd, server, peer_fd)
        self.client.dealloc(fd)
        server.dealloc(peer_fd)


@pytest.fixture
def make_three(net):
    return lambda kind: Three(net, kind)


# -- a service that moves


@pytest.mark.parametrize("kind", KINDS)
def test_service_that_has_moved_in_order_is_found(make_three, kind):
    """Where it was says that it is there no more; where it is answers the next query."""
    three = make_three(kind)
    three.reaches(three.server)
    three.b.unregister()
    three.reaches(three.c.serve(), 2)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_service_whose_host_has_gone_is_found_elsewhere(make_three, kind):
    """Nobody says anything: what was known about it is forgotten when its host does not answer."""
    three = make_three(kind)
    three.reaches(three.server)
    three.wire.switch.ip("link", "set", "port2", "down")
    three.reaches(three.c.serve(), 5)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_service_whose_daemon_has_gone_is_found_elsewhere(make_three, kind):
    three = make_three(kind)
    three.reaches(three.server)
    three.b.stop()
    three.reaches(three.c.serve(), 5)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_service_that_is_gone_everywhere(make_three, kind):
    three = make_three(kind)
    three.reaches(three.server)
    three.b.unregister()
    start = time.monotonic()
    assert three.client.ask("alloc", "service", "raw")["r"] == -ENAME
    assert time.monotonic() - start < 3.5 * PATIENCE


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_service_of_two_hosts_survives_one(make_three, kind):
    three = make_three(kind)
    other = three.c.serve()
    accepting = {server: server.begin("accept") for server in (three.server, other)}
    three.client.alloc("service", "raw")
    o7s.eventually(lambda: any(call.done() for call in accepting.values()))
    first = next(server for server, call in accepting.items() if call.done())
    lost, left = (three.b, other) if first is three.server else (three.c, three.server)
    lost.stop()
    fd = three.client.alloc("service", "raw")
    talk(three.client, fd, left, accepting[left].result())


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_names_do_not_mix(make_three, kind):
    """Each name leads to the host that has it."""
    three = make_three(kind)
    other = three.c.serve("other")
    for name, server in (("service", three.server), ("other", other)) * 3:
        accepting = server.begin("accept")
        fd = three.client.alloc(name, "raw")
        talk(three.client, fd, server, accepting.result())


# -- two ways to one service

LAYERS = {"cable": "eth-dix", "net": "udp4"}


class Ways:
    """Hosts A and B on two bridges. By eth0 goes the layer "cable" (eth-dix), by eth1 the layer "net" (udp4)."""

    def __init__(self, net):
        self.a, self.b = net.host(), net.host()
        self.wires = {}
        for dev, (layer, kind) in zip(("eth0", "eth1"), LAYERS.items()):
            self.wires[layer] = net.bridge(self.a, self.b, dev=dev)
            for host in (self.a, self.b):
                host.join(kind, dev, layer)
        self.client = self.a.puppet()
        self.server = self.b.serve(layers=list(LAYERS))

    def layer_of_a_flow(self):
        """A new flow works; by which layer, and how long it took."""
        accepting = self.server.begin("accept")
        start = time.monotonic()
        fd = self.client.alloc("service", "raw")
        seconds = time.monotonic() - start
        talk(self.client, fd, self.server, accepting.result())
        layer = self.client.ask("info", fd)["layer"]
        self.client.dealloc(fd)
        return layer, seconds

    def cut(self, layer, how):
        dev = self.wires[layer].ports[0].dev
        if how == "cable at the client":
            self.a.link("down", dev)
        elif how == "cable at the server":
            self.b.link("down", dev)
        elif how == "silence":
            self.wires[layer].switch.ip("link", "set", "bridge", "down")
        elif how == "layer at the client":
            o7s.kill(self.a.ipcp(layer)["pid"])
        elif how == "layer at the server":
            o7s.kill(self.b.ipcp(layer)["pid"])
        elif how == "registration":
            self.b.unregister(layer=layer)


@pytest.fixture
def ways(net):
    return Ways(net)


@pytest.mark.parametrize("how", ["cable at the client", "cable at the server", "silence", "layer at the client",
                                 "layer at the server", "registration"])
def test_name_on_two_layers_survives_the_loss_of_one(ways, how):
    """New flows take the other, whichever was taken at first, and whatever was remembered of it."""
    first, _ = ways.layer_of_a_flow()
    other, = set(LAYERS) - {first}
    ways.cut(first, how)
    for bound in (6, 6):
        layer, seconds = ways.layer_of_a_flow()
        assert layer == other and seconds < bound * PATIENCE


def test_way_that_has_come_back_is_used_when_the_other_goes(ways):
    first, _ = ways.layer_of_a_flow()
    other, = set(LAYERS) - {first}
    ways.b.link("down", ways.wires[first].ports[1].dev)
    assert ways.layer_of_a_flow()[0] == other
    ways.b.link("up", ways.wires[first].ports[1].dev)
    ways.b.unregister(layer=other)
    assert ways.layer_of_a_flow()[0] == first


def test_name_on_one_of_two_layers(ways):
    """Both are asked at once: the one that does not know it costs no time to speak of."""
    for layer in LAYERS:
        server = ways.b.serve("only-" + layer, layers=[layer])
        accepting = server.begin("accept")
        start = time.monotonic()
        fd = ways.client.alloc("only-" + layer, "raw")
        assert time.monotonic() - start < 1 * PATIENCE
        assert ways.client.ask("info", fd)["layer"] == layer
        talk(ways.client, fd, server, accepting.result())


def test_name_that_no_layer_knows(ways):
    start = time.monotonic()
    assert ways.client.ask("alloc", "ghost", "raw")["r"] == -ENAME
    assert time.monotonic() - start < 3.5 * PATIENCE


@pytest.mark.parametrize("dev, layer", [("eth0", "cable"), ("eth1", "net")])
def test_flow_stays_with_its_layer(ways, dev, layer):
    """The loss of the other is nothing to it."""
    only = ways.b.serve("only", layers=[layer])
    accepting = only.begin("accept")
    fd = ways.client.alloc("only", "data")
    peer_fd = accepting.result()
    ways.a.link("down", "eth1" if dev == "eth0" else "eth0")
    talk(ways.client, fd, only, peer_fd)


def test_local_layer_beside_a_shim(ways):
    """A service on the own host is reached there."""
    ways.a.layer()
    server = ways.a.puppet()
    ways.a.service("here", server, layer="local")
    accepting = server.begin("accept")
    fd = ways.client.alloc("here", "raw")
    assert ways.client.ask("info", fd)["layer"] == "local"
    talk(ways.client, fd, server, accepting.result())
