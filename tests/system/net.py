"""Hosts of a test: network namespaces with wires between them, and in each an instance of its own.

    net = Net(build, ordinary_user)
    a, b = net.host(), net.host()
    net.cable(a, b)                  # or net.bridge(a, b, c), or net.relay(a, b, both={"loss": 5})
    a.join("eth-dix"), b.join("eth-dix")

The hosts of a wire are numbered from 1 in the order in which they were made; number N is 10.79.W.N and fd79:W::N on wire
W, with the MAC address 02:6f:37:73:W:N. `Two` is a client and a server that are ready to talk.
"""
import contextlib
import ctypes
import os
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import o7s
import pki as certificates
import security
import shim
from relay import CLONE_NEWNET, Namespace, Relay, ip

KINDS = ["eth-dix", "eth-llc", "udp4", "udp6"]
# Of each two kinds one: where what is tested is not of the link.
ONE_OF_EACH = ["eth-dix", "udp4"]
# The kinds of layers, in turn without and with encryption: where what is tested is of both, but not of each with the other.
IN_TURN = list(zip(KINDS, ["plain", "encrypted", "encrypted", "plain"]))
POLICIES = {"plain": None, "authenticated": "disabled\n", "encrypted": "suite = x25519\n"}
SO_RCVBUFFORCE = 33
IPV6_MTU_MIN = 1280
PACKET_OUTGOING, ETH_P_ALL = 4, 3


def require_namespaces():
    if os.getuid() != 0:
        pytest.skip("needs root to make network namespaces")
    if shutil.which("ip") is None:
        pytest.skip("needs ip (iproute2)")


def require_relay():
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("needs /dev/net/tun")


@contextlib.contextmanager
def entered(space):
    """The calling thread is in that namespace meanwhile; what it starts there stays there."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with open("/proc/thread-self/ns/net", "rb") as home, open("/run/netns/" + space.name, "rb") as there:
        assert setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert setns(home.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


class Space(Namespace):
    """The same as its base in a third of the time: these tests make hundreds."""

    def __init__(self):  # pylint: disable=super-init-not-called
        Namespace.count += 1
        self.name = "o7s-%d-%d" % (os.getpid(), Namespace.count)
        ip("netns", "add", self.name)
        with entered(self):
            for family in ("all", "default"):
                set_ipv6(family + "/disable_ipv6", 1)
        self.ip("link", "set", "lo", "up")


def set_ipv6(knob, value):
    """Of the namespace that the calling thread is in."""
    with open("/proc/sys/net/ipv6/conf/" + knob, "w", encoding="ascii") as file:
        file.write(str(value))


def batch(space, *commands):
    """Commands of ip, by one process: making hosts is half of what these tests do."""
    subprocess.run(["ip", "-n", space.name, "-batch", "-"], input="\n".join(commands) + "\n", check=True,
                   capture_output=True, text=True, timeout=30)


class Port:
    """A host's end of a wire."""

    def __init__(self, wire, number, dev):
        self.wire = wire
        self.number = number
        self.dev = dev
        self.mac = "02:6f:37:73:%02x:%02x" % (wire.number, number)
        self.udp4 = "10.79.%d.%d" % (wire.number, number)
        self.udp6 = "fd79:%x::%x" % (wire.number, number)

    def address(self, kind):
        """As `irm flow show` has it, but for the UDP port."""
        return self.mac if kind.startswith("eth") else getattr(self, kind)


class Wire:
    """What hosts are on together: a cable, a bridge or a relay."""

    def __init__(self, number, mtu):
        self.number = number
        self.mtu = mtu
        self.ports = []
        self.relay = None
        self.switch = None


class Host(o7s.Instance):
    """An instance in a network namespace. By default root starts it and it becomes an ordinary user."""

    def __init__(self, build, space, number, **how):
        super().__init__(build, **how)
        self.space = space
        self.number = number
        self.ports = {}

    # -- processes, all of which are in the namespace

    def start(self):
        with entered(self.space):
            return super().start()

    def run(self, *words, **how):
        with entered(self.space):
            return super().run(*words, **how)

    def spawn(self, *words, **how):
        with entered(self.space):
            return super().spawn(*words, **how)

    # -- wires

    def attach(self, wire, dev):
        """The interface, which is there, gets its addresses and is up."""
        port = Port(wire, self.number, dev)
        with entered(self.space):
            for knob in ("lo/disable_ipv6", dev + "/accept_dad", dev + "/disable_ipv6"):
                set_ipv6(knob, 0)
        commands = ["link set %s address %s mtu %d up" % (dev, port.mac, wire.mtu), "addr add %s/24 dev %s" % (port.udp4, dev)]
        if wire.mtu >= IPV6_MTU_MIN:
            commands.append("addr add %s/64 dev %s nodad" % (port.udp6, dev))
        batch(self.space, *commands)
        self.ports[dev] = port
        wire.ports.append(port)
        return port

    def know(self, port, dev="eth0"):
        """The MAC address of a neighbour, who need not be asked for it."""
        batch(self.space, *("neigh replace %s lladdr %s dev %s nud permanent" % (address, port.mac, dev)
                            for address in (port.udp4, port.udp6)))

    def link(self, state, dev="eth0"):
        self.space.ip("link", "set", dev, state)
        if state == "up":  # it has lost this address
            self.space.ip("addr", "replace", self.ports[dev].udp6 + "/64", "dev", dev, "nodad")

    def socket(self, kind, *address, connect=None):
        """A UDP socket of that host."""
        def make():
            s = socket.socket(socket.AF_INET6 if kind == "udp6" else socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(5 * o7s.PATIENCE)
            if address:
                s.bind(address)
            if connect:
                s.connect(connect)
            return s
        return self.space.inside(make)

    # -- layers

    def join(self, kind, dev="eth0", layer="net", peers=None, **options):
        """Makes an IPCP of that kind a member of @layer; returns its pid. @peers: texts; None: all others on the wire."""
        port = self.ports[dev]
        words = ["ipcp", "bootstrap", "name", layer, "type", kind, "layer", layer]
        if kind.startswith("eth"):
            words += ["dev", dev]
        else:
            words += ["ip", port.address(kind)]
            others = [p.address(kind) for p in port.wire.ports if p is not port]
            for peer in others if peers is None else peers:
                words += ["peer", peer]
        for key, value in options.items():
            words += [key.replace("_", "-"), value]
        self.irm(*words)
        return self.ipcp(layer)["pid"]

    def ipcp(self, layer="net"):
        return next(entry for entry in self.ipcps() if entry["layer"] == layer)

    def serve(self, name="service", layers=("net",), server=None):
        """A puppet that accepts for @name, which is registered in these layers."""
        server = server or self.puppet()
        self.service(name, server, layer=layers[0])
        for layer in layers[1:]:
            self.manage("name_reg", name=name, pid=self.ipcp(layer)["pid"])
        return server

    def unregister(self, name="service", layer="net"):
        self.manage("name_unreg", name=name, pid=self.ipcp(layer)["pid"])

    def flow(self, fd_name="service"):
        """`irm flow show` of the only flow of that name."""
        row, = [row for row in self.irm("flow", "list") if row["name"] == fd_name]
        return self.irm("flow", "show", row["id"])

    # -- credentials

    def secure(self, level, pki, role, credential=None):
        """Files for a "client" or a "server" at that level of POLICIES."""
        if POLICIES[level] is None:
            return
        tree = security.Tree(self)
        tree.anchors(pki.root)
        tree.policy(POLICIES[level] + "authentication = mutual\n")
        if role == "server":
            tree.server(credential or pki.server)
        else:
            tree.client(credential or pki.client)


class Capture(threading.Thread):
    """All frames from host @a to host @b and back, from the start of `with` to its end: each where it arrives.

    (Where it was sent it cannot be seen: a socket that bypasses the queues of an interface bypasses listeners too.)
    """

    def __init__(self, a, b, dev="eth0"):
        super().__init__(daemon=True)
        self.frames = []  # (time.monotonic() of its arrival, whether it came from @a, bytes)
        self.over = False
        self.sockets = {host.space.frames(dev, ETH_P_ALL): host is b for host in (a, b)}
        for s in self.sockets:
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            s.setblocking(False)

    def run(self):
        while True:
            ready = select.select(self.sockets, [], [], 0.02)[0]
            for s in ready:
                self._take(s)
            if self.over and not ready:
                return

    def _take(self, s):
        try:
            frame, (_, _, direction, *_) = s.recvfrom(1 << 17)
        except OSError:
            return  # the interface is down; it may come up again
        if direction != PACKET_OUTGOING:
            self.frames.append((time.monotonic(), self.sockets[s], frame))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()
        for s in self.sockets:
            s.close()

    def packets(self, kind):
        """Those of that kind of layer, as shim.Packet."""
        return list(filter(None, (shim.parse(kind, *entry) for entry in list(self.frames))))

    def controls(self, kind, *types):
        """The management packets; with @types, these only."""
        found = [packet for packet in self.packets(kind) if packet.control is not None]
        return [packet for packet in found if not types or packet.control.type in types]

    def bytes(self):
        return b"".join(frame for _, _, frame in list(self.frames))


class Net:
    """All that one test makes; destroy() takes it away again."""

    def __init__(self, build, user):
        self.build = build
        self.user = user
        self.spaces, self.hosts, self.wires, self.relays = [], [], [], []

    def _space(self):
        self.spaces.append(Space())
        return self.spaces[-1]

    def host(self, start=True, **how):
        how.setdefault("drop_to", self.user)
        host = Host(self.build, self._space(), len(self.hosts) + 1, **how)
        self.hosts.append(host)
        return host.start() if start else host

    def _wire(self, mtu):
        self.wires.append(Wire(len(self.wires) + 1, mtu))
        return self.wires[-1]

    def cable(self, a, b, dev="eth0", mtu=1500, wire=None):
        """@wire: one whose interfaces have gone; the new ones have the same addresses."""
        wire = wire or self._wire(mtu)
        wire.ports = []
        ip("link", "add", dev, "netns", a.space.name, "type", "veth", "peer", "name", dev, "netns", b.space.name)
        for host in (a, b):
            host.attach(wire, dev)
        return wire

    def bridge(self, *hosts, dev="eth0", mtu=1500):
        """Its end of the cable of host N is "portN", in wire.switch."""
        wire = self._wire(mtu)
        wire.switch = self._space()
        batch(wire.switch, "link add bridge type bridge stp_state 0 forward_delay 0", "link set bridge mtu %d up" % mtu)
        for host in hosts:
            end = "port%d" % host.number
            ip("link", "add", dev, "netns", host.space.name, "type", "veth", "peer", "name", end, "netns", wire.switch.name)
            wire.switch.ip("link", "set", end, "mtu", mtu, "master", "bridge", "up")
            host.attach(wire, dev)
        return wire

    def relay(self, a, b, *options, dev="eth0", mtu=1500, **effects):
        """Frames pass through wire.relay; from A to B is its "ab". Neighbours know each other already."""
        require_relay()
        wire = self._wire(mtu)
        specs = ["tap:%s,%s" % (dev, host.space.name) for host in (a, b)]
        wire.relay = Relay(self.build, *specs, *options, **effects)
        self.relays.append(wire.relay)
        ports = [host.attach(wire, dev) for host in (a, b)]
        a.know(ports[1], dev)
        b.know(ports[0], dev)
        return wire

    def destroy(self):
        """Ends everything, whatever fails, and says what was not as it should be."""
        steps = [host.destroy for host in self.hosts]
        steps += [lambda relay=relay: relay.__exit__(None) for relay in self.relays]
        steps += [lambda space=space: self._remove(space) for space in self.spaces]
        faults = []
        for step in steps:
            try:
                step()
            except Exception as fault:  # pylint: disable=broad-except
                faults.append(str(fault))
        assert not faults, "\n".join(faults)

    @staticmethod
    def _remove(space):
        left = ip("netns", "pids", space.name).split()
        space.destroy()
        assert not left, "left over in %s: %s" % (space.name, ["%s (%s)" % (pid, o7s.cmdline(int(pid))) for pid in left])


class Two:
    """Hosts A and B with a layer between them; a client on A and, on B, a server of the name "service"."""

    def __init__(self, net, kind, pki=None, level="plain", wire="cable", credentials=(None, None), **how):
        self.net = net
        self.kind = kind
        self.a, self.b = net.host(start=False), net.host(start=False)
        self.a.secure(level, pki, "client", credentials[0])
        self.b.secure(level, pki, "server", credentials[1])
        self.wire = getattr(net, wire)(self.a, self.b, **how)
        self.client = self.server = None

    def start(self):
        for host in (self.a, self.b):
            host.start()
            host.join(self.kind)
        self.client, self.server = self.a.puppet(), self.b.serve()
        return self

    def capture(self):
        return Capture(self.a, self.b)

    def connect(self, qos="raw", name="service"):
        """(fd at the client, fd at the server)"""
        accepting = self.server.begin("accept")
        fd = self.client.alloc(name, qos)
        return fd, accepting.result()

    def disconnect(self, fd, peer_fd):
        self.client.dealloc(fd)
        self.server.dealloc(peer_fd)

    def talk(self, fd, peer_fd):
        talk(self.client, fd, self.server, peer_fd)

    def works(self):
        """A fresh flow, with a word each way."""
        ends = self.connect()
        self.talk(*ends)
        self.disconnect(*ends)


def asleep(puppet):
    """Whether every call under way sleeps. As puppet.settled, but the library may have a thread of its own (FRCT)."""
    states = [o7s.state_of(int(thread)) for thread in os.listdir("/proc/%d/task" % puppet.pid)]
    return set(states) == {"S"} and len(states) > len(puppet.waiting)


def talk(client, fd, server, peer_fd):
    client.write(fd, b"question")
    assert server.begin_read(peer_fd).data(10) == b"question"
    server.write(peer_fd, b"answer")
    assert client.begin_read(fd).data(10) == b"answer"


def padded(authority, cn, size, usage):
    """A leaf of about that many bytes, with an RSA-4096 key."""
    key = certificates.key_of("rsa4096")
    builder = authority.builder(certificates.name_of(cn), authority.certificate.subject, key.public_key(), (-30, 30))
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(certificates.key_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(certificates.USAGES[usage]), critical=False)
    filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), os.urandom(size))
    builder = builder.add_extension(filler, critical=False)
    return certificates.Credential(builder.sign(authority.key, hashes.SHA256()), key, authority.intermediates())
