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

SOURCE = Path(__file__).resolve().parents[2]
DISSECTOR = SOURCE / "share/wireshark/ouroboros.lua"
VECTORS = SOURCE / "tests/vectors/record.json"
WORD = b"Nobody is to read this without the keys. "
FAULTS = ["o7s.malformed", "o7s.short", "_ws.malformed", "o7s_record.refused", "o7s.unknown_flow"]


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

    def fields(self, frames, *names, only="frame", options=()):
        """A dict for each frame that the filter @only lets pass; values are lists of texts."""
        names = ["frame.number", "_ws.lua.error", *names]
        words = [word for name in names for word in ("-e", name)]
        out = self.run(self.pcap(frames), "-Y", only, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;", *words,
                       *options)
        rows = [dict(zip(names, (value.split(";") if value else [] for value in line.split("\t"))))
                for line in out.splitlines()]
        assert not any(row["_ws.lua.error"] for row in rows), rows
        return rows


@pytest.fixture
def shark(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    return Shark(tmp_path)


def frames_of(capture):
    return [frame for _, _, frame in capture.frames]


def only_value(rows, name):
    value, = {text for row in rows for text in row[name]}
    return value


def joined(rows, name):
    return bytes.fromhex("".join(text for row in rows for text in row[name]).replace(":", ""))


def exchange(two, qos, words=3):
    """A flow on which the client says some words, and the server "answer"; and the frames of it."""
    with two.capture() as capture:
        fd, peer_fd = two.connect(qos)
        time.sleep(0.2)  # the listener is as far
        for i in range(words):
            two.client.write(fd, WORD + b"%d" % i)
            assert two.server.begin_read(peer_fd).data(10) == WORD + b"%d" % i
        two.server.write(peer_fd, b"answer")
        assert two.client.begin_read(fd).data(10) == b"answer"
        two.disconnect(fd, peer_fd)
        two.a.wait_no_flows()
        time.sleep(0.2)
    return frames_of(capture)


# -- flows of every kind


@pytest.mark.parametrize("kind", KINDS)
def test_encrypted_flows_are_shown_with_a_key_log_and_only_with_it(make_two, shark, kind):
    two = make_two(kind, "encrypted", start=False)
    log = two.a.directory / "keys"
    two.a.options += ["--key-log", str(log)]
    two.start()
    frames = exchange(two, "data")
    keys = ["-o", "o7s.key_log:%s" % log]
    assert not shark.fields(frames, only=" or ".join(FAULTS), options=keys)

    types = [int(text) for row in shark.fields(frames, "o7s.type") for text in row["o7s.type"]]
    assert {shim.REQUEST, shim.REPLY, shim.DONE, shim.DEALLOC, shim.DEALLOCATED} <= set(types)

    asked = shark.fields(frames, "o7s_oap.id", "o7s.hash", "o7s.qos.in_order", "o7s.qos.loss", "o7s_oap.suite",
                         "x509sat.uTF8String", only="o7s.type == 3 and o7s_oap")
    assert bytes.fromhex(only_value(asked, "o7s.hash").replace(":", "")) == shim.hash_of("service")
    assert (only_value(asked, "o7s.qos.in_order"), only_value(asked, "o7s.qos.loss"),
            only_value(asked, "o7s_oap.suite")) == ("1", "0", "3")
    assert "alice" in asked[0]["x509sat.uTF8String"]

    names = ["o7s_record.opened", "o7s_record.epoch", "o7s_record.counter", "o7s.flow.oap_id", "o7s.flow.in_order",
             "o7s.flow", "o7s_frct.payload", "o7s_frct.flags", "o7s_frct.seq"]
    closed = shark.fields(frames, *names, only="o7s_record")
    opened = shark.fields(frames, *names, only="o7s_record", options=keys)
    assert len(closed) == len(opened) >= 5
    assert only_value(closed, "o7s_record.opened") in ("0", "False") and not joined(closed, "o7s_frct.payload")
    assert only_value(opened, "o7s_record.opened") in ("1", "True")
    assert only_value(opened, "o7s.flow.in_order") in ("1", "True")
    assert only_value(opened, "o7s.flow.oap_id") == only_value(asked, "o7s_oap.id").replace(":", "")
    sent = [row for row in opened if row["o7s.flow"] == ["client to server"]]
    assert joined(sent, "o7s_frct.payload") == b"".join(WORD + b"%d" % i for i in range(3))
    numbers = [int(row["o7s_frct.seq"][0]) for row in sent if row["o7s_frct.seq"]]
    assert numbers == [(numbers[0] + i) % (1 << 32) for i in range(len(numbers))]
    assert joined([row for row in opened if row not in sent], "o7s_frct.payload") == b"answer"
    assert shark.fields(frames, *names, only="o7s_record", options=[*keys, "-2"]) == opened


def test_keys_of_another_flow_open_nothing(make_two, shark):
    two = make_two("eth-dix", "encrypted", start=False)
    log = two.b.directory / "keys"
    two.b.options += ["--key-log", str(log)]
    frames = exchange(two.start(), "raw")
    id, c2s, s2c = log.read_text().split()[1:]
    wrong = shark.directory / "wrong"
    for line in ("O7S1 %s %s %s\n" % (id, s2c, c2s), "O7S1 %s %s\nO7S1\n\0\nnonsense %s" % (c2s, id, s2c)):
        wrong.write_text(line)
        rows = shark.fields(frames, "o7s_record.opened", "o7s_record.content", only="o7s_record",
                            options=["-o", "o7s.key_log:%s" % wrong])
        assert len(rows) >= 4 and only_value(rows, "o7s_record.opened") in ("0", "False")
        assert not joined(rows, "o7s_record.content")
    rows = shark.fields(frames, "o7s_record.content", "o7s_frct.flags", only="o7s.flow == \"client to server\"",
                        options=["-o", "o7s.key_log:%s" % log])
    assert b"".join(WORD + b"%d" % i for i in range(3)) in joined(rows, "o7s_record.content")
    assert not joined(rows, "o7s_frct.flags")


# in order, checksum
PLAIN = {"raw": (False, False), "raw_no_errors": (False, True), "data": (True, True)}


def test_plain_flows(make_two, shark):
    two = make_two("eth-dix")
    for qos, (in_order, summed) in PLAIN.items():
        frames = exchange(two, qos)
        assert not shark.fields(frames, only=" or ".join(FAULTS)), qos
        rows = shark.fields(frames, "o7s.crc.good", "o7s_frct.payload", "data.data", only="o7s.flow == \"client to server\"")
        assert joined(rows, "o7s_frct.payload") == (b"".join(WORD + b"%d" % i for i in range(3)) if in_order else b"")
        assert joined(rows, "data.data") == b"".join(WORD + b"%d" % i for i in range(3))
        assert {text for row in rows for text in row["o7s.crc.good"]} <= ({"1", "True"} if summed else set())
        if summed:
            assert all(row["o7s.crc.good"] for row in rows)
            at = next(i for i, frame in enumerate(frames) if WORD in frame)
            frames[at] = frames[at].replace(WORD[:4], b"some")
            bad = shark.fields(frames, "o7s.crc.good", only="o7s.malformed")
            assert [row["o7s.crc.good"] for row in bad] in ([["0"]], [["False"]])


def test_messages_in_pieces(large, shark):
    two = large("eth-dix")
    with two.capture() as capture:
        two.works()
    frames = frames_of(capture)
    assert not shark.fields(frames, only="o7s.malformed or o7s.short or _ws.malformed")
    pieces = shark.fields(frames, "o7s.index", "o7s.count", only="o7s.type == 3")
    assert len(pieces) > 10 and len({int(row["o7s.index"][0]) for row in pieces}) == int(pieces[0]["o7s.count"][0])
    names = ["o7s.message", "o7s.own_eid", "o7s_oap.certs_len", "o7s_oap.signature", "x509sat.uTF8String"]
    asked = shark.fields(frames, *names, only="o7s.message and o7s.type == 3")
    assert len(asked) == 1 and int(asked[0]["o7s_oap.certs_len"][0]) > 16000 and asked[0]["o7s_oap.signature"]
    assert {"alice", "Lower", "Upper"} <= set(asked[0]["x509sat.uTF8String"])
    answered = shark.fields(frames, "o7s.code", "o7s_oap.sealed", only="o7s.message and o7s.type == 4")
    assert len(answered) == 1 and answered[0]["o7s.code"] == ["0"] and len(joined(answered, "o7s_oap.sealed")) > 16000


# -- other numbers


def test_preferences(shark):
    query = shim.Control(shim.QUERY, 7, bytes([32]) + shim.hash_of("name")).pack()
    macs = "02:00:00:00:00:01", "02:00:00:00:00:02"
    frames = [shim.frame("eth-dix", *macs, 0, query, ether_type=0xB123),
              shim.udp_frame(*macs, ("10.0.0.1", 999), ("10.0.0.2", 4444), 0, query)]
    assert not shark.fields(frames, only="o7s")
    rows = shark.fields(frames, "o7s.hash", only="o7s.type == 1",
                        options=["-o", "o7s.ethertypes:45347", "-o", "o7s.udp_ports:3435,4444"])
    assert len(rows) == 2


# -- nonsense


def wrapped(kind, eid, packet):
    macs = "02:00:00:00:00:01", "02:00:00:00:00:02"
    if kind.startswith("eth"):
        return shim.frame(kind, *macs, eid, packet)
    return shim.udp_frame(*macs, ("10.0.0.1", 3435), ("10.0.0.2", 3435), eid, packet)


def some_oap(source, response):
    suite = source.choice([0, 3])
    kex = source.randbytes(32 if suite == 3 else 0)
    head = struct.pack(">BBBB16sQHH", 1, 1 + response, suite, 0, source.randbytes(16), 1 << 60, len(kex), 0)
    return head + kex + struct.pack(">HH", 0, 5) + b"first" + (bytes(16) if suite and response else b"")


def some_packet(source):
    """A management packet that is right, or nearly, of any type; an exchange may be met again."""
    kind = source.randrange(0, 11)
    qos = struct.pack(">IQBIIBII", 1, 2, 3, source.randrange(2), source.randrange(2), source.randrange(2), 4, 5)
    bodies = {shim.QUERY: bytes([32]) + bytes(32), shim.REQUEST: struct.pack(">IB", 2 * source.randrange(1, 9), 32) + bytes(32)
              + qos + some_oap(source, 0), shim.REPLY: struct.pack(">BI16s", 0, 2 * source.randrange(1, 9), bytes(16))
              + some_oap(source, 1), shim.GOT: struct.pack(">BBQ", 3, 1, 1), shim.PROVE: bytes(16)}
    body, count = bodies.get(kind, b""), source.choice([1, 1, 1, 2, 3])
    if count == 1:
        return shim.Control(kind, source.randrange(20), body).pack()
    size, index = -(-len(body) // count), source.randrange(count)
    return shim.Control(kind, source.randrange(20), body[index * size:(index + 1) * size], index, count, size).pack()


def damaged(source, packet):
    packet = bytearray(packet)
    for _ in range(source.choice([0, 0, 1, 2])):
        if packet:
            packet[source.randrange(len(packet))] = source.choice([0, 1, 255, source.randrange(256)])
    return bytes(packet[:source.choice([len(packet), source.randrange(len(packet) + 1)])])


def nonsense(source):
    kind = source.choice(["eth-dix", "eth-llc", "udp4"])
    management = 0x3C if kind == "eth-llc" else 0
    what = source.randrange(4)
    if what == 0:
        return wrapped(kind, source.choice([management, 2 * source.randrange(1, 9)]), source.randbytes(source.randrange(200)))
    if what == 1:  # FRCT, or nearly: its flows may have been asked for
        header = struct.pack(">BBHI", source.randrange(256), source.randrange(40), source.randrange(2), 7)
        return wrapped(kind, 2 * source.randrange(1, 9), header + source.randbytes(source.randrange(150)))
    frame = wrapped(kind, management, damaged(source, some_packet(source)))
    return frame[:source.randrange(14, len(frame) + 1)] if what == 2 else frame


def test_no_frame_makes_an_error_of_the_dissector(shark):
    source = random.Random(79)
    frames = [nonsense(source) for _ in range(10000)]
    keys = shark.directory / "keys"
    keys.write_text("O7S1 %s %s %s\n" % ("00" * 16, "01" * 48, "02" * 48))
    rows = shark.fields(frames, "o7s.malformed", "o7s.short", "o7s_frct.seq", "o7s.flow", "o7s.message", only="o7s",
                        options=["-o", "o7s.key_log:%s" % keys])
    for name in ("o7s.malformed", "o7s.short", "o7s_frct.seq", "o7s.flow", "o7s.message"):
        assert sum(bool(row[name]) for row in rows) > 50, name
    assert not shark.fields(frames, only="_ws.lua.error")


def test_every_prefix_of_a_request(shark):
    source = random.Random(1)
    body = struct.pack(">IB", 5, 32) + bytes(32) + bytes(30) + some_oap(source, 0)
    packet = shim.Control(shim.REQUEST, 1, body).pack()
    frames = [wrapped("eth-dix", 0, packet[:n]) for n in range(len(packet))]
    assert len(shark.fields(frames, only="o7s.malformed or o7s.short")) == len(frames)
    frames = [wrapped("eth-dix", 0, shim.Control(shim.REQUEST, n, body[:n]).pack()) for n in range(len(body))]
    assert len(shark.fields(frames, only="o7s.malformed or o7s.short")) == len(frames)
    assert not shark.fields([wrapped("eth-dix", 0, packet)], only="o7s.malformed or o7s.short")


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
