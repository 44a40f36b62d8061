"""A client of the daemon's control socket that can also say what no honest client would.

Knows nothing but src/lib/pb/irm.proto, which it reads itself, and the frame of src/lib/wire/frame.h.
"""
import array
import re
import socket
import struct
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "src" / "lib" / "pb" / "irm.proto"
MORE = 1


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def length_delimited(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


class Schema:
    """The messages of a .proto file: name -> {field: (number, type, repeated)}. Those of another file stay bytes."""

    def __init__(self, path=PROTO):
        self.messages = {}
        fields = None
        for line in path.read_text().splitlines():
            line = line.split("//")[0].strip()
            if match := re.match(r"message (\w+) \{", line):
                fields = self.messages.setdefault(match[1], {})
            elif match := re.match(r"(repeated )?([\w.]+) (\w+) = (\d+);", line):
                kind = "bytes" if "." in match[2] else match[2]
                fields[match[3]] = (int(match[4]), kind, bool(match[1]))

    def encode(self, message, **values):
        return b"".join(self._field(self.messages[message][name], value) for name, value in values.items())

    def _field(self, field, value):
        number, kind, repeated = field
        if repeated:
            return b"".join(self._field((number, kind, False), item) for item in value)
        if kind in self.messages:
            return length_delimited(number, value if isinstance(value, bytes) else self.encode(kind, **value))
        if kind in ("string", "bytes"):
            return length_delimited(number, value.encode() if isinstance(value, str) else value)
        return varint(number << 3) + varint(int(value))

    def decode(self, message, data):
        fields = {number: (name, kind, rep) for name, (number, kind, rep) in self.messages[message].items()}
        out = {name: [] for name, kind, rep in fields.values() if rep}
        at = 0
        while at < len(data):
            key, at = take_varint(data, at)
            name, kind, repeated = fields[key >> 3]
            value, at = take_varint(data, at)
            if key & 7 == 2:
                start, at = at, at + value
                packed = data[start:at]
                if repeated and kind not in self.messages and kind not in ("string", "bytes"):
                    out[name] += self._packed(packed)
                    continue
                value = self._bytes(kind, packed)
            elif kind == "int32":
                value -= (value >> 63) << 64
            if repeated:
                out[name].append(value)
            else:
                out[name] = value
        return out

    @staticmethod
    def _packed(data):
        at, values = 0, []
        while at < len(data):
            value, at = take_varint(data, at)
            values.append(value)
        return values

    def _bytes(self, kind, data):
        if kind in self.messages:
            return self.decode(kind, data)
        return data.decode() if kind == "string" else data


SCHEMA = Schema()


def request(verb, **values):
    """The body of one request. Values may be bytes where a string is due."""
    message = SCHEMA.messages["Request"][verb][1]
    return SCHEMA.encode("Request", **{verb: SCHEMA.encode(message, **values)})


class Connection:
    """One SEQPACKET connection. Every wait ends after `timeout` seconds with socket.timeout."""

    def __init__(self, path, hello=True, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.last_id = 0
        self.fds = []
        if hello:
            assert self.call("hello", version=1)["result"] == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        for fd in self.fds:
            socket.close(fd)
        self.fds = []

    def send_packet(self, packet, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([packet], rights)

    def send(self, body, flags=0, reserved=0, fds=(), id=None):
        """Sends one frame and returns its id."""
        if id is None:
            self.last_id += 1
            id = self.last_id
        self.send_packet(struct.pack(">II", id, flags << 24 | reserved) + body, fds)
        return id

    def receive(self):
        """The next frame as (id, flags, reply); None at the end of the connection. Descriptors gather in self.fds."""
        try:
            packet, rights, _, _ = self.socket.recvmsg(1 << 17, socket.CMSG_SPACE(16))
        except ConnectionResetError:
            return None
        for _, _, data in rights:
            self.fds += array.array("i", data[:len(data) - len(data) % 4])
        if not packet:
            return None
        id, flags = struct.unpack(">IB", packet[:5])
        return id, flags, SCHEMA.decode("Reply", packet[8:])

    def replies(self, id):
        """All replies to @id, the last one included."""
        while True:
            frame = self.receive()
            assert frame is not None, "the daemon ended the connection"
            if frame[0] == id:
                yield frame[2]
                if not frame[1] & MORE:
                    return

    def call_body(self, body, **frame):
        return next(self.replies(self.send(body, **frame)))

    def call(self, verb, **values):
        """One verb and its (first) reply, with `result` and `reason` always there."""
        return {"result": 0, "reason": "", **self.call_body(request(verb, **values))}

    def ended(self):
        """Waits for the daemon to end the connection; False if it does something else first."""
        return self.receive() is None
