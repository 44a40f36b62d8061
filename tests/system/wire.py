"""A layer on which a test sits: whatever the irmds of the two ends say to each other passes through its hands.

irmd starts programs/wire_ipcp.py as an IPCP of type local. That gives its connection with irmd away, to a socket on
which a thread here waits. From then on this file is the IPCP (doc/protocols/control.md): it brings each request to the
server's end and each response to the client's, as the hooks say.
"""
import os
import shutil
import socket
import struct
import threading
from pathlib import Path

import control

HERE = Path(__file__).resolve().parent
SCHEMA = control.Schema(HERE.parents[1] / "src" / "lib" / "pb" / "ipcp.proto")
IPCP_LOCAL = 0

# doc/protocols/oap.md
HDR, TYPE, SUITE, FLAGS, ID, TIME, KEX_LEN, RESERVED = 32, 1, 2, 3, 4, 20, 28, 30
AUTH = 1


def unchanged(oap):
    return oap


def flip(oap, bit):
    changed = bytearray(oap)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def replace(oap, at, data):
    return oap[:at] + data + oap[at + len(data):]


def without_auth(oap):
    """A request whose certificates and signature were taken away, as if the client had none."""
    kex_len, = struct.unpack_from(">H", oap, KEX_LEN)
    body = HDR + kex_len
    certs_len, data_len = struct.unpack_from(">HH", oap, body)
    data = oap[body + 4 + certs_len:body + 4 + certs_len + data_len]
    head = replace(oap[:body], FLAGS, bytes([oap[FLAGS] & ~AUTH]))
    return head + struct.pack(">HH", 0, data_len) + data


def qos_wire(message):
    """30 bytes (src/lib/wire/qos.h) of a protobuf message."""
    fields = ("delay", "bandwidth", "availability", "loss", "ber", "in_order", "max_gap", "timeout")
    qos = control.SCHEMA.decode("Qos", message)
    return struct.pack(">IQBIIBII", *(qos.get(field, 0) for field in fields))


class Wire(threading.Thread):
    """@request and @response say what becomes of a message on its way: bytes, or None: it is lost."""

    def __init__(self, instance):
        super().__init__(daemon=True)
        self.request = self.response = unchanged
        self.requests, self.responses, self.results = [], [], []
        self.qos = None  # of the last flow, in its wire form
        folder = instance.directory / "wire"
        folder.mkdir()
        os.chmod(folder, 0o755)
        shutil.copy(HERE / "programs" / "wire_ipcp.py", folder / "ipcpd-local")
        instance.ipcp_dir = folder
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(folder / "test.sock"))
        os.chmod(folder / "test.sock", 0o777)
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            held, _ = self.listener.accept()
            _, fds, _, _ = socket.recv_fds(held, 16, 1)
            threading.Thread(target=Ipcp(self, held, socket.socket(fileno=fds[0])).run, daemon=True).start()


class Ipcp:
    """One IPCP process's conversation with irmd."""

    def __init__(self, wire, held, irmd):
        self.wire = wire
        self.held = held  # the process stays as long as this is open
        self.irmd = irmd
        self.last_id = 0
        self.asked = {}  # our question about a flow that has arrived: irmd's about the flow that is to be allocated

    def send(self, id, **message):
        self.irmd.send(struct.pack(">II", id, 0) + SCHEMA.encode("Message", **message))

    def reply(self, id, **values):
        if id != 0:
            self.send(id, reply=values)

    def run(self):
        with self.held, self.irmd:
            self.send(0, request={"ready": {"version": 1, "type": IPCP_LOCAL}})
            try:
                while packet := self.irmd.recv(1 << 17):
                    self.take(struct.unpack(">I", packet[:4])[0], SCHEMA.decode("Message", packet[8:]))
            except OSError:
                pass  # irmd has gone

    def take(self, id, message):
        if "reply" in message:
            self.answered(id, message["reply"])
        elif "flow_alloc" in message["request"]:
            self.alloc(id, message["request"]["flow_alloc"])
        else:
            self.reply(id, result=0)
            if "shutdown" in message["request"]:
                self.irmd.shutdown(socket.SHUT_RDWR)

    def alloc(self, id, asked):
        self.wire.qos = qos_wire(asked.get("qos", b""))
        self.wire.requests.append(asked.get("oap", b""))
        oap = self.wire.request(self.wire.requests[-1])
        if oap is None:
            return
        self.last_id += 1
        self.asked[self.last_id] = id
        arrived = {"hash": asked["hash"], "qos": asked.get("qos", b""), "twin": asked["flow_id"], "oap": oap}
        self.send(self.last_id, request={"flow_arrived": arrived})

    def answered(self, id, reply):
        result, oap = reply.get("result", 0), reply.get("oap", b"")
        self.wire.results.append(result)
        if result == 0:
            self.wire.responses.append(oap)
            oap = self.wire.response(oap)
        if oap is not None:
            self.reply(self.asked.pop(id), result=result, oap=oap)
