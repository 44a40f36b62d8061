"""What shims say on the wire, by the specification (doc/protocols/shim.md) and by nothing else."""
import hashlib
import socket
import struct

ETHERTYPE, PORT, LLC_MANAGEMENT = 0xA000, 3435, 0x3C
QUERY, HERE, REQUEST, REPLY, GOT, PROVE, DONE, DEALLOC, DEALLOCATED = range(1, 10)
TOKEN = 1
HEAD = 20
PIECES_MAX = 64

# What of a packet of each kind is not the packet, over IP or Ethernet.
OVERHEAD = {"eth-dix": 4, "eth-llc": 3, "udp4": 20 + 8 + 4, "udp6": 40 + 8 + 4}


def packet_max(kind, mtu):
    """The largest packet of a flow. The length field of 802.3 goes to 1500."""
    return (min(mtu, 1500) if kind == "eth-llc" else mtu) - OVERHEAD[kind]


def hash_of(name):
    return hashlib.sha3_256(name.encode()).digest()


class Control:
    """One management packet."""

    def __init__(self, type, id, piece=b"", index=0, count=1, size=0, token=None, version=1, flags=None, padding=0):
        self.version, self.type, self.id, self.piece = version, type, id, piece
        self.index, self.count, self.size, self.token, self.padding = index, count, size, token, padding
        self.flags = (TOKEN if token is not None else 0) if flags is None else flags

    def pack(self):
        head = struct.pack(">BBBBBBHHHQ", self.version, self.type, self.flags, 0, self.index, self.count, self.size,
                           len(self.piece), 0, self.id)
        return head + (self.token or b"") + self.piece + bytes(self.padding)

    @classmethod
    def unpack(cls, data):
        version, kind, flags, _, index, count, size, length, _, id = struct.unpack_from(">BBBBBBHHHQ", data)
        at = HEAD + (16 if flags & TOKEN else 0)
        token = data[HEAD:at] if flags & TOKEN else None
        assert len(data) >= at + length, "a packet that is shorter than it says"
        return cls(kind, id, data[at:at + length], index, count, size, token, version, flags, len(data) - at - length)


def request(eid, name, qos, oap, id, pad_to=1200, **more):
    """A REQUEST of one piece."""
    digest = hash_of(name)
    message = Control(REQUEST, id, struct.pack(">IB", eid, len(digest)) + digest + qos + oap, **more)
    message.padding = max(0, pad_to - len(message.pack()))
    return message.pack()


class Packet:
    """For an endpoint; .control if that is management. @src and @dst: MACs, or (address, port)."""

    def __init__(self, when, out, src, dst, eid, body, management):
        self.when, self.out, self.src, self.dst, self.eid, self.body = when, out, src, dst, eid, body
        self.control = Control.unpack(body) if management else None


def mac(data):
    return data.hex(":")


def parse(kind, when, out, frame):
    """A Packet of that kind of layer, or None if the frame is none."""
    kinds = {"eth-dix": parse_dix, "eth-llc": parse_llc, "udp4": parse_udp4, "udp6": parse_udp6}
    found = kinds[kind](frame)
    return None if found is None else Packet(when, out, *found)


def parse_dix(frame):
    ether_type, eid, length = struct.unpack_from(">HHH", frame, 12)
    if ether_type != ETHERTYPE:
        return None
    assert len(frame) >= 18 + length, "a frame that is shorter than it says"
    return mac(frame[6:12]), mac(frame[:6]), eid, frame[18:18 + length], eid == 0


def parse_llc(frame):
    length, dsap, _, ui = struct.unpack_from(">HBBB", frame, 12)
    if length >= 0x600 or ui != 3:
        return None
    assert 3 <= length <= 1500 and len(frame) >= 14 + length, "a frame that is shorter than it says"
    return mac(frame[6:12]), mac(frame[:6]), dsap, frame[17:14 + length], dsap == LLC_MANAGEMENT


def parse_udp(family, addresses, udp):
    sport, dport = struct.unpack_from(">HH", udp)
    if PORT not in (sport, dport):
        return None
    src, dst = (socket.inet_ntop(family, address) for address in addresses)
    eid, = struct.unpack_from(">I", udp, 8)
    return (src, sport), (dst, dport), eid, udp[12:], eid == 0


def parse_udp4(frame):
    if frame[12:14] != b"\x08\0" or frame[23] != 17:
        return None
    length, = struct.unpack_from(">H", frame, 16)
    return parse_udp(socket.AF_INET, (frame[26:30], frame[30:34]), frame[34:14 + length])


def parse_udp6(frame):
    if frame[12:14] != b"\x86\xdd" or frame[20] != 17:
        return None
    length, = struct.unpack_from(">H", frame, 18)
    return parse_udp(socket.AF_INET6, (frame[22:38], frame[38:54]), frame[54:54 + length])


# -- frames and datagrams that say what a test wants


def from_mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(kind, src, dst, eid, packet, own=LLC_MANAGEMENT, ether_type=ETHERTYPE):
    """An Ethernet frame for endpoint @eid."""
    head = from_mac(dst) + from_mac(src)
    if kind == "eth-dix":
        return (head + struct.pack(">HHH", ether_type, eid, len(packet)) + packet).ljust(60, b"\0")
    return (head + struct.pack(">HBBB", 3 + len(packet), eid, own, 3) + packet).ljust(60, b"\0")


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp_frame(src_mac, dst_mac, src, dst, eid, packet):
    """An Ethernet frame with an IPv4 datagram; @src and @dst are (address, port). Nothing in it need be true."""
    datagram = struct.pack(">HHHHI", src[1], dst[1], 12 + len(packet), 0, eid) + packet
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, socket.inet_aton(src[0]),
                       socket.inet_aton(dst[0]))
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return from_mac(dst_mac) + from_mac(src_mac) + b"\x08\0" + head + datagram
