"""Ethernet: the interface goes and comes, frames of every size, what is not for this layer, and the rights that it takes."""
import errno
import os
import subprocess
import time

import pytest

import o7s
import shim
from net import Two, talk
from puppet import ENAME

pytest_plugins = ["net_fixtures"]
pytestmark = pytest.mark.bare  # what a sanitizer could find here is looked for in the unit tests and test_net_hostile

ETH = ["eth-dix", "eth-llc"]
CAP_NET_RAW = 1 << 13


# -- sizes


@pytest.mark.parametrize("mtu", [576, 1280, 9000])
@pytest.mark.parametrize("kind", ETH)
def test_mtu(make_two, kind, mtu):
    """The length field of 802.3 ends at 1500, whatever the interface takes."""
    two = make_two(kind, mtu=mtu)
    fd, peer_fd = two.connect("raw")
    largest = two.client.ask("info", fd)["max_message"]
    assert largest == shim.packet_max(kind, mtu)
    for writer, out, reader, into in ((two.client, fd, two.server, peer_fd), (two.server, peer_fd, two.client, fd)):
        message = os.urandom(largest)
        writer.write(out, message)
        assert reader.begin_read(into).data(5) == message
        assert writer.ask("write_zeros", out, largest + 1)["r"] == -errno.EMSGSIZE
    assert two.a.flow()["mtu"] == largest


@pytest.mark.parametrize("kind", ETH)
def test_hosts_with_different_mtus(net, kind):
    """What the larger one sends the smaller one cannot take; no flow may hang on it."""
    two = Two(net, kind, mtu=1500)
    two.a.space.ip("link", "set", "eth0", "mtu", 9000)
    two.start()
    two.talk(*two.connect("data"))


@pytest.mark.parametrize("kind", ETH)
def test_padding_is_no_part_of_a_message(make_two, kind):
    two = make_two(kind)
    fd, peer_fd = two.connect("raw")
    with two.capture() as wire:
        for size in (1, 2, 10, 41, 42, 43, 44):
            two.client.write_zeros(fd, size)
            assert two.server.read(peer_fd, 100) == bytes(size)
    assert len(wire.packets(kind)) == 7
    assert all(len(packet.body) == size for packet, size in zip(wire.packets(kind), (1, 2, 10, 41, 42, 43, 44)))


# -- the interface goes and comes


@pytest.mark.parametrize("side, qos", [("a", "data"), ("b", "raw")])
@pytest.mark.parametrize("kind", ETH)
def test_flow_survives_an_interface_that_is_down_for_a_while(make_two, kind, side, qos):
    two = make_two(kind)
    host = getattr(two, side)
    fd, peer_fd = two.connect(qos)
    two.talk(fd, peer_fd)
    host.link("down")
    if qos == "data":
        two.client.write(fd, b"meanwhile")
    assert two.client.ask("alloc", "service", "raw", 1000)["r"] < 0
    host.link("up")
    if qos == "data":
        assert two.server.begin_read(peer_fd).data(15) == b"meanwhile"
    two.talk(fd, peer_fd)
    two.works()


@pytest.mark.parametrize("kind", ETH)
def test_interface_that_is_down_from_the_start(net, kind):
    """The layer can be made, and serves when the interface comes up."""
    two = Two(net, kind)
    two.a.link("down")
    two.start()
    assert two.client.ask("alloc", "service", "raw", 3000)["r"] < 0
    two.a.link("up")
    two.works()


@pytest.mark.parametrize("kind", ETH)
def test_interface_that_is_taken_away_and_comes_back(make_two, kind):
    """It may be another one of the same name. Meanwhile allocations fail with a code, and nothing spins."""
    two = make_two(kind)
    fd, peer_fd = two.connect("data")
    two.talk(fd, peer_fd)
    pids = [host.ipcp()["pid"] for host in (two.a, two.b)]
    two.a.space.ip("link", "del", "eth0")  # the other end goes with it
    assert two.client.ask("alloc", "service", "raw", 4000)["r"] < 0
    before = [o7s.cpu_ticks(pid) for pid in pids]
    time.sleep(0.5)
    assert all(o7s.cpu_ticks(pid) - ticks < 10 for pid, ticks in zip(pids, before))
    two.net.cable(two.a, two.b, wire=two.wire)
    o7s.eventually(lambda: two.client.ask("alloc", "ghost", "raw", 3000)["r"] == -ENAME)
    two.works()
    two.talk(fd, peer_fd)
    assert [host.ipcp()["pid"] for host in (two.a, two.b)] == pids


@pytest.mark.parametrize("kind", ETH)
def test_interface_that_is_not_there(net, kind):
    host = net.host()
    with pytest.raises(o7s.Refused) as refused:
        host.irm("ipcp", "bootstrap", "name", "net", "type", kind, "layer", "net", "dev", "eth7")
    assert refused.value.status == 1 and refused.value.sentence
    assert host.ipcps() == []


@pytest.mark.parametrize("dev", ["lo", ""])
def test_interface_that_is_no_ethernet(net, dev):
    host = net.host()
    with pytest.raises(o7s.Refused) as refused:
        host.irm("ipcp", "bootstrap", "name", "net", "type", "eth-dix", "layer", "net", "dev", dev)
    assert refused.value.status in (1, 2) and refused.value.sentence


# -- whose frames


def test_ethertypes_are_layers_apart(net):
    """Two on one wire; a name of one is not found in the other."""
    two = Two(net, "eth-dix")
    for host in (two.a, two.b):
        host.start()
        host.join("eth-dix", layer="one")
        host.join("eth-dix", layer="two", ethertype="0xA001")
    client, server = two.a.puppet(), two.b.serve(layers=["two"])
    accepting = server.begin("accept")
    with two.capture() as wire:
        fd = client.alloc("service", "raw")
        talk(client, fd, server, accepting.result())
    assert client.ask("info", fd)["layer"] == "two"
    assert {frame[12:14] for _, _, frame in wire.frames if frame[12] == 0xA0} >= {b"\xa0\x01"}
    assert shim.REQUEST not in [packet.control.type for packet in wire.controls("eth-dix")]


def test_dix_and_llc_on_one_interface(net):
    two = Two(net, "eth-dix")
    for host in (two.a, two.b):
        host.start()
        for kind in ETH:
            host.join(kind, layer=kind)
    client = two.a.puppet()
    for kind in ETH:
        server = two.b.serve("by-" + kind, layers=[kind])
        accepting = server.begin("accept")
        fd = client.alloc("by-" + kind, "data")
        talk(client, fd, server, accepting.result())
        assert client.ask("info", fd)["type"] == kind


@pytest.mark.parametrize("kind", ETH)
def test_frames_to_others_are_not_taken(net, kind):
    """Also when the interface listens to all of them: the flow's own id in a frame to another station is nothing."""
    two = Two(net, kind).start()
    two.b.space.ip("link", "set", "eth0", "promisc", "on")
    fd, peer_fd = two.connect("raw")
    with two.capture() as wire:
        two.talk(fd, peer_fd)
    frame = next(f for _, out, f in wire.frames if out and b"question" in f)
    with two.a.space.frames("eth0", shim.ETHERTYPE) as s:
        s.send(b"\x02\0\0\0\0\1" + frame[6:])
        s.send(frame[:6] + b"\x02\0\0\0\0\1" + frame[12:])
        s.send(b"\xff" * 6 + frame[6:12] + b"\x08\x06" + frame[14:])
    two.client.write(fd, b"genuine")
    assert two.server.read(peer_fd) == b"genuine"


@pytest.mark.parametrize("vlan_id", [0x0005, 0x6007])
def test_frames_of_other_vlans_are_not_taken(net, vlan_id):
    """A tagged frame that arrives at the untagged interface belongs to another network."""
    two = Two(net, "eth-dix").start()
    fd, peer_fd = two.connect("raw")
    with two.capture() as wire:
        two.talk(fd, peer_fd)
    frame = next(f for _, out, f in wire.frames if out and b"question" in f)
    with two.a.space.frames("eth0", shim.ETHERTYPE) as s:
        s.send(frame[:12] + b"\x81\x00" + vlan_id.to_bytes(2, "big") + frame[12:])
    two.client.write(fd, b"genuine")
    assert two.server.read(peer_fd) == b"genuine"


@pytest.mark.parametrize("kind", ETH)
def test_vlan_interface(net, kind):
    """The frames are tagged on the wire, and the layer knows nothing of it."""
    two = Two(net, kind)
    for host in (two.a, two.b):
        try:
            host.space.ip("link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", 5)
        except subprocess.CalledProcessError as fault:
            pytest.skip("this kernel has no VLAN interfaces (8021q): " + fault.stderr.strip())
        host.space.ip("link", "set", "eth0.5", "up")
        host.ports["eth0.5"] = host.ports["eth0"]
        host.start()
        host.join(kind, "eth0.5")
    two.client, two.server = two.a.puppet(), two.b.serve()
    fd, peer_fd = two.connect("raw")
    largest = two.client.ask("info", fd)["max_message"]
    message = os.urandom(largest)
    two.client.write(fd, message)
    assert two.server.read(peer_fd) == message
    two.works()


def test_macvlan_interfaces_of_one_host(net):
    """Two stations behind one interface, each with its own address."""
    two = Two(net, "eth-dix")
    for host in (two.a, two.b):
        host.space.ip("link", "add", "link", "eth0", "name", "mac0", "type", "macvlan")
        host.space.ip("link", "set", "mac0", "up")
        host.ports["mac0"] = host.ports["eth0"]
        host.start()
        host.join("eth-dix", "mac0")
    two.client, two.server = two.a.puppet(), two.b.serve()
    two.works()


# -- rights


@pytest.mark.parametrize("kind", ETH)
def test_layer_keeps_no_rights(make_two, kind):
    """CAP_NET_RAW is for opening the socket; when packets come it is gone, and what runs is not root."""
    two = make_two(kind)
    two.works()
    for host in (two.a, two.b):
        pid = host.ipcp()["pid"]
        assert o7s.status_of(pid, "Uid") != 0
        for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(o7s.status_text(pid, which), 16) == 0, which


@pytest.mark.parametrize("kind", ETH)
def test_daemon_without_rights_says_so(net, ordinary_user, kind):
    """An instance of an ordinary user cannot have such a layer, and is told why."""
    host = net.host(user=ordinary_user, drop_to=None)
    other = net.host(start=False)
    net.cable(host, other)
    with pytest.raises(o7s.Refused) as refused:
        host.join(kind)
    assert refused.value.status == 1 and refused.value.sentence
    host.layer()
    assert [entry["layer"] for entry in host.ipcps()] == ["local"]


def test_unknown_name_is_asked_by_broadcast(make_two):
    two = make_two("eth-dix")
    with two.capture() as wire:
        assert two.client.ask("alloc", "ghost", "raw")["r"] == -ENAME
    queries = wire.controls("eth-dix", shim.QUERY)
    assert 2 <= len(queries) <= 10
    assert {query.dst for query in queries} == {"ff:ff:ff:ff:ff:ff"}
    assert wire.controls("eth-dix", shim.HERE) == []
