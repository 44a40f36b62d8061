"""The control socket and what may be thrown at it: each gets an error reply or the end of that one connection, and a line
in the log; the daemon goes on, and its tables are what they were."""
import errno
import os
import random
import socket
import struct
import time

import pytest

import o7s
from control import SCHEMA, Connection, length_delimited, request, varint


@pytest.fixture(autouse=True)
def unharmed(irmd):
    """After each attack another client is served as before, and nothing was registered."""
    before = irmd.status()
    yield
    after = irmd.status()
    same = ("pid", "names", "programs", "ipcps", "flows")
    assert [after[k] for k in same] == [before[k] for k in same]
    assert irmd.alive()


@pytest.fixture
def control(irmd):
    with irmd.control() as connection:
        yield connection


def refused(reply, *codes):
    assert reply["result"] in [-c for c in codes], reply
    assert reply["reason"] and "\n" not in reply["reason"]
    assert all(c.isprintable() for c in reply["reason"])


def lives_on(control):
    assert control.call("cancel", id=4711)["result"] <= 0


# -- frames and messages


def test_no_verb(control):
    refused({"reason": "", **control.call_body(b"")}, errno.EPROTO, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
    lives_on(control)


@pytest.mark.parametrize("number", [7, 15, 35, 1000, 536870911])
def test_unknown_verb(control, number):
    refused({"reason": "", **control.call_body(length_delimited(number, b""))},
            errno.EPROTO, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
    lives_on(control)


MALFORMED = {
    "cut off": request("name_create", name="x" * 50)[:-10],
    "length beyond the end": b"\x12\xff\xff\xff\xff\x0f",
    "endless varint": b"\x0a" + b"\xff" * 20,
    "wire type 7": b"\x17",
    "group": b"\x13\x14",
    "field 0": b"\x02\x00",
    "text": b"hello, daemon",
    "zeros": bytes(100),
    "wrong type for name_create": varint(16 << 3) + b"\x01",
    "not UTF-8": request("name_create", name=b"\xff\xfe\x80"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_message(control, body):
    refused({"reason": "", **control.call_body(body)}, errno.EPROTO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
    lives_on(control)


FRAMES = {
    "empty packet": None,
    "one byte": b"\x01",
    "header cut off": b"\x00\x00\x00\x01\x00\x00\x00",
    "unknown flags": struct.pack(">II", 1, 0xFE << 24) + request("status"),
    "reserved bits": struct.pack(">II", 1, 0x000001) + request("status"),
    "more in a request": struct.pack(">II", 1, 1 << 24) + request("status"),
}


@pytest.mark.parametrize("packet", [f for f in FRAMES.values() if f], ids=[k for k, f in FRAMES.items() if f])
def test_bad_frame(control, packet):
    """An error reply, or the end of this connection."""
    control.send_packet(packet)
    frame = control.receive()
    assert frame is None or frame[2].get("result", 0) < 0 or packet == FRAMES["more in a request"]


@pytest.mark.parametrize("size", [65537, 70000, 150000])
def test_oversized_packet(control, size):
    control.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    control.send_packet(struct.pack(">II", 1, 0) + bytes(size - 8))
    frame = control.receive()
    assert frame is None or frame[2]["result"] in (-errno.EMSGSIZE, -errno.EPROTO)


def test_largest_packet(control):
    body = request("name_create", name="x" * 65000)
    refused(control.call("name_create", name="x" * 65000), errno.EINVAL, errno.ENAMETOOLONG)
    assert len(body) < 65536
    lives_on(control)


# -- the first message


@pytest.mark.parametrize("version", [0, 2, 99, 2**32 - 1])
def test_wrong_version(irmd, version):
    with irmd.control(hello=False) as control:
        refused(control.call("hello", version=version), errno.EPROTO, errno.EPROTONOSUPPORT, errno.EINVAL)


@pytest.mark.parametrize("verb", ["status", "name_list", "flow_accept", "name_create", "cancel"])
def test_no_hello(irmd, verb):
    with irmd.control(hello=False) as control:
        control.send(request(verb, **({"name": "one"} if verb == "name_create" else {})))
        frame = control.receive()
        assert frame is None or frame[2]["result"] < 0


def test_hello_twice(control):
    assert control.call("hello", version=1)["result"] <= 0
    lives_on(control)


def test_reply_that_nobody_asked_for(control):
    """What looks like a reply of the daemon is, to it, a request that is malformed."""
    control.send(SCHEMA.encode("Reply", result=-5, reason="because"), id=12345)
    frame = control.receive()
    assert frame is None or frame[2]["result"] < 0


# -- arguments

BAD_NAMES = {
    "empty": "", "slash": "a/b", "absolute": "/etc/passwd", "dots": "..", "dot": ".", "newline": "a\nb",
    "escape": "a\x1b[2J", "delete": "a\x7f", "256": "x" * 256, "5000": "x" * 5000, "tab": "a\tb",
    "not UTF-8": b"a\xff\xfeb", "only spaces": "\x01",
}
NAMED = ["name_create", "name_destroy", "name_reg", "name_unreg", "bind_program", "bind_process", "flow_alloc", "ipcp_create"]


@pytest.mark.parametrize("verb", NAMED)
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_bad_name(control, verb, name):
    values = {"path": "/bin/true"} if verb == "bind_program" else {"pid": os.getpid()} if verb == "bind_process" else {}
    refused(control.call(verb, name=name, **values), errno.EINVAL, errno.ENAMETOOLONG, errno.EPROTO, 1007)
    lives_on(control)


@pytest.mark.parametrize("path", ["", "true", "../bin/true", "/" + "x" * 5000, "/bin/\n", b"/bin/\xff"])
def test_bad_program(control, path):
    """A path is a rule, which may hold for what is not there yet; but a path it must be."""
    refused(control.call("bind_program", path=path, name="one"), errno.EINVAL, errno.ENAMETOOLONG)


@pytest.mark.parametrize("args", [["x"] * 20000, ["x" * 60000]], ids=["many", "long"])
def test_bad_arguments_of_a_program(control, args):
    refused(control.call("bind_program", path="/bin/true", name="one", auto_start=True, args=args), errno.EINVAL, errno.E2BIG)


@pytest.mark.parametrize("user", ["no-such-user", "../root", "\n", "x" * 300])
def test_bad_user_of_a_program(control, user):
    refused(control.call("bind_program", path="/bin/true", name="one", user=user), errno.EINVAL, errno.ENOENT, errno.EACCES,
            errno.EPERM)


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 1, -2**31])
@pytest.mark.parametrize("verb", ["bind_process", "unbind_process", "ipcp_destroy", "ipcp_bootstrap", "name_reg", "name_unreg"])
def test_unknown_pid(control, verb, pid):
    values = {"name": "one"} if "name" in SCHEMA.messages[SCHEMA.messages["Request"][verb][1]] else {}
    if verb == "ipcp_bootstrap":
        values["config"] = {"layer": "x"}
    refused(control.call(verb, pid=pid, **values), errno.EINVAL, errno.ESRCH, 1003, 1007)


@pytest.mark.parametrize("type", [7, 8, 255, 2**32 - 1])
def test_unknown_type(control, type):
    refused(control.call("ipcp_create", name="x", type=type), errno.EINVAL, 1001)


@pytest.mark.parametrize("balance", [2, 77, 2**32 - 1])
def test_unknown_balance(control, balance):
    refused(control.call("name_create", name="x", pol_lb=balance), errno.EINVAL)


def test_unknown_ids_D22(control):
    for flow_id in (0, 1, 2**32, 2**64 - 1):
        assert control.call("flow_dealloc", flow_id=flow_id)["result"] < 0
    for id in (0, 1, 2**32 - 1):
        assert control.call("cancel", id=id)["result"] <= 0
    lives_on(control)


def test_bootstrap_without_its_parts(irmd, control):
    pid = irmd.layer("one")
    for values in ({}, {"pid": pid}, {"pid": pid, "config": {}}, {"pid": pid, "config": {"layer": "x", "type": 3}},
                   {"pid": pid, "config": {"layer": "x", "dir_hash_algo": 99}}):
        refused(control.call("ipcp_bootstrap", **values), errno.EINVAL, 1001, 1003, 1004)
    irmd.irm("ipcp", "destroy", "name", "one")


def test_refused_verb_is_logged(irmd, control):
    control.call("name_create", name="evil\nname")
    o7s.eventually(lambda: len(irmd.log().splitlines()) > 1)
    assert not any(line.startswith("name") for line in irmd.log().splitlines()), "a name has forged a line of the log"


# -- behaviour


def test_descriptors_that_nobody_asked_for(irmd, control):
    fds = o7s.fd_count(irmd.pid)
    for _ in range(200):
        control.call_body(request("status"), fds=[0])
        control.call_body(request("status"), fds=[0, 0, 0, 0])
    o7s.eventually(lambda: o7s.fd_count(irmd.pid) <= fds + 1, 2, "the descriptors closed")


def test_too_many_descriptors(irmd, control):
    fds = o7s.fd_count(irmd.pid)
    for _ in range(20):
        with irmd.control() as other:
            other.send(request("status"), fds=[0] * 100)
            frame = other.receive()
            assert frame is None or frame[2].get("result", 0) <= 0
    o7s.eventually(lambda: o7s.fd_count(irmd.pid) <= fds + 1, 2, "the descriptors closed")


def test_id_zero_gets_no_reply(control):
    control.send(request("status"), id=0)
    id = control.send(request("status"))
    assert control.receive()[0] == id


def test_id_used_twice(irmd, control):
    """Whatever the second gets, both are answered or refused, and the connection ends cleanly."""
    for _ in range(2):
        control.send(request("flow_accept", wait=True, timeout_ms=100), id=77)
    results = [control.receive()[2]["result"] for _ in range(2)]
    assert all(result < 0 for result in results)
    lives_on(control)


def test_reader_that_does_not_read(irmd, control):
    """Answers that are not read pile up to a bound; others are served meanwhile."""
    for i in range(300):
        assert control.call("name_create", name="n%d" % i + "x" * 200)["result"] == 0
    memory = o7s.status_of(irmd.pid, "VmRSS")
    lazy = irmd.control()
    lazy.socket.setblocking(False)
    body = request("name_list")
    try:
        for _ in range(20000):
            lazy.send(body)
    except OSError:
        pass
    begun = time.monotonic()
    irmd.status()
    assert time.monotonic() - begun < 5
    assert o7s.status_of(irmd.pid, "VmRSS") - memory < 64 << 10
    lazy.close()
    for i in range(300):
        control.call("name_destroy", name="n%d" % i + "x" * 200)


def test_silent_and_half_dead_connections(irmd):
    held = [Connection(irmd.socket_path, hello=False) for _ in range(300)]
    for connection in held[::3]:
        connection.socket.shutdown(socket.SHUT_WR)
    for connection in held[1::3]:
        connection.close()
    irmd.status()
    for connection in held:
        connection.close()
    o7s.eventually(lambda: irmd.status()["processes"] <= 1, 5, "the connections gone")


def test_random_messages(irmd):
    """A thousand packets of valid and mutated requests from a fixed seed."""
    rnd = random.Random(20)
    verbs = sorted(set(SCHEMA.messages["Request"]) - {"bind_program", "name_create", "ipcp_create", "bind_process"})
    connection = irmd.control()
    for _ in range(1000):
        fields = SCHEMA.messages[SCHEMA.messages["Request"][verb := rnd.choice(verbs)][1]]
        values = {name: rnd.choice([0, 1, 2**31 - 1, b"x", b"..", b"\xff" * rnd.randrange(300)])
                  for name, (_, kind, rep) in fields.items() if kind not in SCHEMA.messages}
        values = {n: (v if not fields[n][2] else [v]) for n, v in values.items()
                  if isinstance(v, bytes) == (fields[n][1] in ("string", "bytes"))}
        body = bytearray(request(verb, **values))
        for _ in range(rnd.randrange(3)):
            if body:
                body[rnd.randrange(len(body))] = rnd.randrange(256)
        try:
            connection.send(bytes(body))
            if rnd.randrange(20) == 0:
                raise OSError
        except OSError:
            connection.close()
            connection = irmd.control()
    connection.close()
    irmd.status()


# -- irm


@pytest.mark.parametrize("words", [
    (), ("nonsense",), ("name",), ("name", "nonsense"), ("name", "create"), ("name", "create", "x", "lb"),
    ("name", "create", "x", "lb", "nonsense"), ("bind", "program"), ("bind", "program", "true", "name"),
    ("ipcp", "create", "name", "x"), ("--nonsense",), ("name", "create", "x", "extra"),
], ids=lambda words: " ".join(words) or "nothing")
def test_irm_usage(irmd, words):
    done = irmd.run("irm", *words)
    assert done.returncode == 2 and done.stderr


@pytest.mark.parametrize("options", [
    ("--nonsense",), ("--log-level", "loud"), ("--limit", "nonsense=1"), ("--limit", "backlog"), ("--limit", "backlog=-1"),
    ("--limit", "backlog=x"), ("extra",), ("--runtime-dir",), ("--runtime-dir", "/proc/no"), ("--runtime-dir", "/" + "x" * 120),
], ids=" ".join)
def test_irmd_usage(irmd, options):
    done = irmd.run("irmd", *options)
    assert done.returncode != 0 and done.stderr and done.stdout == ""
