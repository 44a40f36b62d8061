"""The Wireshark dissector (share/wireshark): what tshark says of packets that hosts have exchanged, and of nonsense."""
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

import o7s
import shim
from net import KINDS

pytest_plugins = ["net_fixtures"]
pytestmark = pytest.mark.bare  # what is tested is no program of ours

SOURCE = Path(__file__).resolve().parents[2]
DISSECTOR = SOURCE / "share/wireshark/ouroboros.lua"
VECTORS = SOURCE / "tests/vectors/record.json"
WORDS = [b"Nobody is to read this without the keys. %d" % i for i in range(3)]
FAULTS = ["o7s.malformed", "o7s.short", "_ws.malformed", "o7s_record.refused", "o7s.unknown_flow"]
FIELDS = """o7s.type o7s.hash o7s.index o7s.count o7s.message o7s.code o7s.qos.in_order o7s.qos.loss
    o7s_oap.id o7s_oap.suite o7s_oap.certs_len o7s_oap.signature o7s_oap.sealed x509sat.uTF8String
    o7s.flow o7s.flow.oap_id o7s.flow.in_order o7s.crc.good data.data
    o7s_record.opened o7s_record.epoch o7s_record.counter o7s_record.content
    o7s_frct.flags o7s_frct.seq o7s_frct.payload""".split()


class Shark:
    """tshark with the dissector."""

    def __init__(self, directory):
        self.directory = directory

    def pcap(self, frames):
        """A file with these frames; returns its path."""
        path = self.directory / "frames.pcap"
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 17, 1))
            for number, frame in enumerate(frames):
                file.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)
        return path

    def run(self, path, *options, script=DISSECTOR):
        done = subprocess.run(["tshark", "-n", "-X", "lua_script:%s" % script, "-r", str(path), *options], check=False,
                              capture_output=True, text=True, timeout=60 * o7s.PATIENCE,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8"})
        assert done.returncode == 0 and "Lua" not in done.stderr, done.stderr
        return done.stdout

    def look(self, frames, *options, keys=None):
        """A Row for each frame. @keys: a key log."""
        names = ["o7s", "_ws.lua.error", *FAULTS, *FIELDS]
        words = [word for name in names for word in ("-e", name)]
        if keys is not None:
            words += ["-o", "o7s.key_log:%s" % keys]
        out = self.run(self.pcap(frames), "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;", *words, *options)
        rows = [Row(zip(names, (value.split(";") if value else [] for value in line.split("\t"))))
                for line in out.splitlines()]
        assert len(rows) == len(frames) and not any(row["_ws.lua.error"] for row in rows)
        return rows


class Row(dict):
    """What was found in a frame: name of a field: texts."""

    def faults(self):
        return [name for name in FAULTS if self[name]]

    def is_control(self, type):
        return self["o7s.type"] == [str(type)]


@pytest.fixture
def shark(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    return Shark(tmp_path)


def faults(rows):
    """What is wrong, by the number of the frame."""
    return {number: row.faults() for number, row in enumerate(rows, 1) if row.faults()}


def only_value(rows, name):
    value, = {text for row in rows for text in row[name]}
    return value


def is_true(rows, name):
    return {"0": False, "False": False, "1": True, "True": True}[only_value(rows, name)]


def joined(rows, name):
    return bytes.fromhex("".join(text for row in rows for text in row[name]).replace(":", ""))


def numbers_in(rows, name):
    return [int(text) for row in rows for text in row[name]]


def directions(rows):
    """The packets with data of the client, of the server."""
    return [[row for row in rows if set(row["o7s.flow"]) == {way}] for way in ("client to server", "server to client")]


def exchange(two, qos):
    """A flow on which the client says the WORDS, and the server "answer"; and the frames of it."""
    with two.capture() as capture:
        fd, peer_fd = two.connect(qos)
        time.sleep(0.1)  # the listener is as far
        for words in WORDS:
            two.client.write(fd, words)
            assert two.server.begin_read(peer_fd).data(10) == words
        two.server.write(peer_fd, b"answer")
        assert two.client.begin_read(fd).data(10) == b"answer"
        two.disconnect(fd, peer_fd)
        o7s.eventually(lambda: capture.controls(two.kind, shim.DEALLOCATED), 10)
    return in_order(two.kind, [frame for _, _, frame in capture.frames])


def in_order(kind, frames):
    """Each host's frames are in the order of their arrival, but the two are listened to in turns: the handshake was first."""
    def comes_later(frame):
        packet = shim.parse(kind, 0, True, frame)
        return packet is None or packet.control is None or packet.control.type > shim.REPLY
    return sorted(frames, key=comes_later)


def put_together(frames):
    """IPv4 datagrams of one direction that follow each other, all as large as the first or the last one smaller, as one."""
    def same(a, b):
        return a[23:24] == b"\x11" and a[26:38] == b[26:38] and a[42:46] == b[42:46]
    out, full, length = [], True, 0
    for frame in frames:
        if out and not full and same(out[-1], frame) and len(frame) <= length:
            data = out[-1][42:] + frame[42:]
            head = bytearray(out[-1][:42])
            struct.pack_into(">H", head, 16, 28 + len(data))
            struct.pack_into(">HH", head, 38, 8 + len(data), 0)
            out[-1], full = bytes(head) + data, len(frame) < length
        else:
            out, full, length = [*out, frame], False, len(frame)
    return out


# -- flows of every kind


def check_request(rows):
    asked = next(row for row in rows if row.is_control(shim.REQUEST))
    assert joined([asked], "o7s.hash") == shim.hash_of("service")
    assert (asked["o7s.qos.in_order"], asked["o7s.qos.loss"], asked["o7s_oap.suite"]) == (["1"], ["0"], ["3"])
    assert "alice" in asked["x509sat.uTF8String"]
    return asked


def check_frct(sent, answered):
    """Packets of FRCT with what exchange() says."""
    assert joined(sent, "o7s_frct.payload") == b"".join(WORDS)
    assert joined(answered, "o7s_frct.payload") == b"answer"
    numbers = numbers_in(sent, "o7s_frct.seq")
    assert numbers == [(numbers[0] + i) % (1 << 32) for i in range(len(numbers))]


@pytest.mark.parametrize("kind", KINDS)
def test_encrypted_flows_are_shown_with_a_key_log_and_only_with_it(make_two, shark, kind):
    two = make_two(kind, "encrypted", start=False)
    log = two.a.directory / "keys"
    two.a.options += ["--key-log", str(log)]
    frames = exchange(two.start(), "data")
    closed, opened = shark.look(frames), shark.look(frames, keys=log)
    assert faults(closed) == faults(opened) == {}
    types = {int(text) for row in closed for text in row["o7s.type"]}
    assert {shim.REQUEST, shim.REPLY, shim.DONE, shim.DEALLOC, shim.DEALLOCATED} <= types
    asked = check_request(closed)

    sent, answered = directions(closed)
    records = sent + answered
    assert len(records) >= 5 and not is_true(records, "o7s_record.opened")
    assert is_true(records, "o7s.flow.in_order") and only_value(records, "o7s_record.epoch") == "0"
    assert only_value(records, "o7s.flow.oap_id") == only_value([asked], "o7s_oap.id").replace(":", "")
    assert not joined(records, "o7s_record.content") and not joined(records, "o7s_frct.flags")
    numbers = numbers_in(sent, "o7s_record.counter")
    assert numbers == list(range(len(numbers)))

    sent, answered = directions(opened)
    assert is_true(sent + answered, "o7s_record.opened") and len(sent + answered) == len(records)
    check_frct(sent, answered)
    if kind == "udp4":
        together = put_together(frames)
        assert len(together) < len(frames)
        rows = shark.look(together, keys=log)
        assert faults(rows) == {}
        check_frct(*directions(rows))
    if kind == "eth-dix":  # looked at twice, and the second time out of what was kept
        assert shark.look(frames, "-2", keys=log) == opened


def test_the_wrong_keys_open_nothing(make_two, shark):
    two = make_two("eth-dix", "encrypted", start=False)
    log = two.b.directory / "keys"
    two.b.options += ["--key-log", str(log)]
    frames = exchange(two.start(), "raw")
    id, c2s, s2c = log.read_text().split()[1:]
    wrong = shark.directory / "wrong"
    wrong.write_text("O7S1 %s %s\nO7S1\n\0\nnonsense %s\nO7S1 %s %s %s\n" % (c2s, id, s2c, id, s2c, c2s))
    rows = sum(directions(shark.look(frames, keys=wrong)), [])
    assert len(rows) >= 4 and not is_true(rows, "o7s_record.opened") and all(row["o7s_record.refused"] for row in rows)
    assert not joined(rows, "o7s_record.content")
    sent, answered = directions(shark.look(frames, keys=log))
    assert joined(sent, "o7s_record.content") == b"".join(WORDS) and joined(answered, "data.data") == b"answer"
    assert not joined(sent + answered, "o7s_frct.flags")


@pytest.mark.parametrize("qos, in_order, summed", [("raw", False, False), ("raw_no_errors", False, True), ("data", True, True)])
def test_plain_flows(make_two, shark, qos, in_order, summed):
    two = make_two("eth-dix")
    frames = exchange(two, qos)
    spoilt = next(frame for frame in frames if WORDS[0] in frame).replace(WORDS[0][:6], b"Anyone")
    rows = shark.look(frames + [spoilt])
    last = rows.pop()
    sent, answered = directions(rows)
    assert faults(rows) == {}
    assert joined(sent, "data.data") == b"".join(WORDS)
    if in_order:
        check_frct(sent, answered)
    else:
        assert not joined(sent + answered, "o7s_frct.flags")
    assert all(bool(row["o7s.crc.good"]) == summed for row in sent + answered)
    if summed:
        assert is_true(sent + answered, "o7s.crc.good") and not is_true([last], "o7s.crc.good") and last["o7s.malformed"]


def test_messages_in_pieces(large, shark):
    two = large("udp4")
    with two.capture() as capture:
        two.works()
    frames = [frame for _, _, frame in capture.frames]
    rows = shark.look(frames)
    assert not any(row["o7s.malformed"] or row["o7s.short"] or row["_ws.malformed"] for row in rows)
    pieces = [row for row in rows if row.is_control(shim.REQUEST)]
    assert len({int(row["o7s.index"][0]) for row in pieces}) == int(only_value(pieces, "o7s.count")) > 10
    asked, = [row for row in pieces if row["o7s.message"]]
    assert int(asked["o7s_oap.certs_len"][0]) > 16000 and asked["o7s_oap.signature"]
    assert {"alice", "Lower", "Upper"} <= set(asked["x509sat.uTF8String"])
    answered, = [row for row in rows if row.is_control(shim.REPLY) and row["o7s.message"]]
    assert answered["o7s.code"] == ["0"] and len(joined([answered], "o7s_oap.sealed")) > 16000
    together = put_together(frames)
    assert len(together) < len(frames)
    again = shark.look(together)
    assert joined(again, "o7s_oap.signature") == joined(rows, "o7s_oap.signature")
    assert sorted(numbers_in(again, "o7s.index")) == sorted(numbers_in(rows, "o7s.index"))


def test_a_reply_may_be_seen_before_its_request(make_two, shark):
    """Where it was captured at two places. And packets of a flow whose request was not captured are nobody's."""
    frames = exchange(make_two("udp4"), "data")
    packets = [shim.parse("udp4", 0, True, frame) for frame in frames]
    types = [packet.control.type if packet and packet.control else None for packet in packets]
    asked, answered = types.index(shim.REQUEST), types.index(shim.REPLY)
    frames[asked], frames[answered] = frames[answered], frames[asked]
    check_frct(*directions(shark.look(frames)))
    del frames[answered]
    rows = shark.look(frames)
    assert not any(sum(directions(rows), [])) and sum(bool(row["o7s.unknown_flow"]) for row in rows) >= 5


# -- other numbers


def test_preferences(shark):
    """Other ethertypes and ports. What others say over 802.2 stays theirs: 0x06 is IP, nobody has asked for that flow."""
    query = shim.Control(shim.QUERY, 7, bytes([32]) + shim.hash_of("name")).pack()
    macs = "02:00:00:00:00:01", "02:00:00:00:00:02"
    frames = [shim.frame("eth-dix", *macs, 0, query, ether_type=0xB123),
              shim.udp_frame(*macs, ("10.0.0.1", 999), ("10.0.0.2", 4444), 0, query)]
    others = [shim.frame("eth-llc", *macs, sap, bytes(40), own=sap) for sap in (6, 8, 0x42)]
    assert not any(row["o7s"] for row in shark.look(frames + others))
    rows = shark.look(frames, "-o", "o7s.ethertypes:45347", "-o", "o7s.udp_ports:3435,4444")
    assert all(row.is_control(shim.QUERY) for row in rows)


# -- nonsense


def wrapped(kind, eid, packet, back=False):
    macs, hosts = ("02:00:00:00:00:01", "02:00:00:00:00:02"), (("10.0.0.1", 3435), ("10.0.0.2", 3435))
    if back:
        macs, hosts = macs[::-1], hosts[::-1]
    return shim.frame(kind, *macs, eid, packet) if kind.startswith("eth") else shim.udp_frame(*macs, *hosts, eid, packet)


def some_oap(source, response):
    suite = source.choice([0, 3])
    kex = source.randbytes(32 if suite == 3 else 0)
    head = struct.pack(">BBBB16sQHH", 1, 1 + response, suite, 0, source.randbytes(16), 1 << 60, len(kex), 0)
    return head + kex + struct.pack(">HH", 0, 5) + b"first" + (bytes(16) if suite and response else b"")


def some_body(source, kind):
    head, qos = bytes([32]) + bytes(32), struct.pack(">IQBIIBII", 1, 2, 3, *(source.randrange(2) for _ in range(3)), 4, 5)
    eid = 2 * source.randrange(1, 9)
    bodies = {shim.QUERY: lambda: head, shim.REQUEST: lambda: struct.pack(">I", eid) + head + qos + some_oap(source, 0),
              shim.REPLY: lambda: struct.pack(">BI16x", 0, eid) + some_oap(source, 1),
              shim.GOT: lambda: struct.pack(">BBQ", 3, 1, 1), shim.PROVE: lambda: bytes(16)}
    return bodies.get(kind, bytes)()


def some_packets(source):
    """A management message that is right, or nearly, of any type; an exchange may be met again."""
    kind, id = source.randrange(0, 11), source.randrange(40)
    body, count = damaged(source, some_body(source, kind)), source.choice([1, 1, 2, 3])
    if count == 1:
        return [damaged(source, shim.Control(kind, id, body).pack())]
    size = max(1, -(-len(body) // count))
    pieces = [shim.Control(kind, id, body[i * size:(i + 1) * size], i, count, size).pack() for i in range(count)]
    source.shuffle(pieces)
    return [piece if source.randrange(9) else damaged(source, piece) for piece in pieces]


def damaged(source, packet):
    packet = bytearray(packet)
    for _ in range(source.choice([0, 0, 0, 1, 2])):
        if packet:
            packet[source.randrange(len(packet))] = source.choice([0, 1, 255, source.randrange(256)])
    return bytes(packet[:source.choice([len(packet), len(packet), source.randrange(len(packet) + 1)])])


def nonsense(source):
    """Some frames of one kind and one direction."""
    kind, back = source.choice(["eth-dix", "eth-llc", "udp4"]), source.choice([False, True])
    management = 0x3C if kind == "eth-llc" else 0
    what = source.randrange(4)
    if what == 0:
        eid = source.choice([management, 2 * source.randrange(1, 9)])
        return [wrapped(kind, eid, source.randbytes(source.randrange(200)), back)]
    if what == 1:  # FRCT, or nearly: its flow may have been asked for
        header = struct.pack(">BBHI", source.randrange(256), source.randrange(40), source.randrange(2), 7)
        return [wrapped(kind, 2 * source.randrange(1, 9), header + source.randbytes(source.randrange(150)), back)]
    frames = [wrapped(kind, management, packet, back) for packet in some_packets(source)]
    return [frame[:source.randrange(14, len(frame) + 1)] if source.randrange(6) == 0 else frame for frame in frames]


def test_no_frame_makes_an_error_of_the_dissector(shark):
    source, frames = random.Random(79), []
    while len(frames) < 10000:
        frames += nonsense(source)
    keys = shark.directory / "keys"
    keys.write_text("O7S1 %s %s %s\n" % ("00" * 16, "01" * 48, "02" * 48))
    rows = shark.look(frames, keys=keys)
    for name in ("o7s.malformed", "o7s.short", "o7s_frct.seq", "o7s.flow", "o7s.message", "o7s_record.opened"):
        assert sum(bool(row[name]) for row in rows) > 50, name


def test_every_prefix_of_a_request(shark):
    source = random.Random(1)
    body = struct.pack(">IB", 5, 32) + bytes(32) + bytes(30) + some_oap(source, 0)
    packet = shim.Control(shim.REQUEST, 1, body).pack()
    packets = [packet[:n] for n in range(len(packet))]
    packets += [shim.Control(shim.REQUEST, n, body[:n]).pack() for n in range(len(body))]
    rows = shark.look([wrapped("eth-dix", 0, some) for some in packets + [packet]])
    assert not rows.pop().faults()
    assert all(row["o7s.malformed"] or row["o7s.short"] for row in rows)


# -- cryptography

CHECK = """
local folder, vectors = %r, %r
local o7s, opened, direction = {}, 0, nil
for _, part in ipairs({"bits", "sha384", "gcm", "keylog"}) do
    assert(loadfile(folder .. "/" .. part .. ".lua"))()(o7s)
end
local function hex(s) return (s:gsub(".", function(c) return ("%%02x"):format(c:byte()) end)) end
local function raw(s) return (s:gsub("..", function(x) return string.char(tonumber(x, 16)) end)) end
print("sha384", hex(o7s.sha384(("a"):rep(111))), hex(o7s.sha384(("a"):rep(112))))
for line in io.lines(vectors) do
    local secret, record = line:match("^(%%x*) (%%x+)$")
    if secret ~= "" then direction = o7s.keylog.direction(secret) end
    local content = o7s.keylog.open(direction, raw(record))
    print("record", content and "=" .. hex(content) or "none")
end
"""


def test_known_answers(shark):
    vectors = json.loads(VECTORS.read_text())
    near = [record for record in vectors["records"] if record["epoch"] <= 64]
    assert len(near) >= 10
    lines = ["%s %s" % (vectors["secret"] if i == 0 else "", record["record"]) for i, record in enumerate(near)]
    wanted = ["=" + record["content"] for record in near]
    for at in (0, 8 * 2, -1):  # type, ciphertext or tag, tag
        record = bytearray.fromhex(near[-1]["record"])
        record[at] ^= 1
        lines.append(" " + record.hex())
        wanted.append("none")
    far = next(record for record in vectors["records"] if record["epoch"] > 128)
    (shark.directory / "vectors").write_text("\n".join(lines + [" " + far["record"]]) + "\n")
    script = shark.directory / "check.lua"
    script.write_text(CHECK % (str(DISSECTOR.parent / "ouroboros"), str(shark.directory / "vectors")))
    out = [line.split() for line in shark.run(shark.pcap([]), script=script).splitlines()]
    assert [words[1] for words in out if words[0] == "record"] == wanted + ["none"]
    assert out[0][1:] == [hashlib.sha384(b"a" * n).hexdigest() for n in (111, 112)]
