"""The DNS directory of a UDP layer, through programs/dnstool.c: with a real server, and with one that means harm."""
import hashlib
import os
import pwd
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import dns_server
import o7s
from puppet import EAUTH

pytestmark = pytest.mark.bare  # what a sanitizer could find here is looked for in the unit tests and test_net_hostile

EPERM, EIO, EINVAL, ENOTSUP, EPROTO, EHOSTUNREACH = 1, 5, 22, 95, 71, 113
SOON = 5 * o7s.PATIENCE  # a busy machine may need that long for nothing
OWN = {4: "192.0.2.7", 6: "2001:db8::7"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
HASHES = [hashlib.sha3_256(name.encode()).digest() for name in ("one", "two", "three")]

needs_server = pytest.mark.skipif(not dns_server.installed(), reason="needs Knot DNS (knotd, kdig)")


class Outcome:
    def __init__(self, done, took):
        self.lines = done.stdout.splitlines()
        self.log = done.stderr
        self.status = done.returncode
        self.took = took

    def found(self, ask):
        """The addresses that the command number @ask found."""
        [words] = [line.split() for line in self.lines if line.startswith("found %d" % ask)]
        return words[2:]

    def published(self, ask):
        [words] = [line.split() for line in self.lines if line.startswith("published %d " % ask)]
        return -int(words[2])


@pytest.fixture
def dnstool(build):
    program = build.program("dnstool")

    def run(address, port, *commands, own=OWN[4], zone=dns_server.ZONE, key="-"):
        begun = time.monotonic()
        done = subprocess.run([program, address, str(port), own, zone, str(key), *commands], text=True,
                              timeout=30 * o7s.PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert not o7s.SANITIZER_REPORT.search(done.stderr.encode()), done.stderr
        return Outcome(done, time.monotonic() - begun)

    return run


def find(name_hash):
    return "find:" + name_hash.hex()


def publish(name_hash):
    return "publish:" + name_hash.hex()


def unpublish(name_hash):
    return "unpublish:" + name_hash.hex()


# -- a real server ----------------------------------------------------------------


@pytest.fixture
def make_server(tmp_path):
    servers = []

    def make(*args, **how):
        servers.append(dns_server.DnsServer(tmp_path / str(len(servers)), *args, **how))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@needs_server
@pytest.mark.parametrize("transport", [4, 6])
@pytest.mark.parametrize("family", [4, 6])
def test_publish_and_find(make_server, dnstool, family, transport):
    server = make_server(LOOPBACK[transport])
    first, second = OWN[family], OWN[family].replace("7", "8")
    name = dns_server.name_of(HASHES[0])

    def ask(own, *commands):
        return dnstool(server.address, server.port, *commands, own=own)

    done = ask(first, find(HASHES[0]), "wait", publish(HASHES[0]), "wait", find(HASHES[0]))
    assert (done.found(0), done.published(2), done.found(4)) == ([], 0, [first])
    assert server.addresses(name) == [first]
    done = ask(second, publish(HASHES[0]), "wait", find(HASHES[0]), find(HASHES[1]))
    assert sorted(done.found(2)) == [first, second]
    assert done.found(3) == []
    done = ask(first, unpublish(HASHES[0]), "wait", unpublish(HASHES[0]), "wait", find(HASHES[0]))
    assert (done.published(0), done.published(2), done.found(4)) == (0, 0, [second])
    assert server.addresses(name) == [second]


@needs_server
def test_only_the_own_family_is_found(make_server, dnstool):
    server = make_server()
    for own in OWN.values():
        assert dnstool(server.address, server.port, publish(HASHES[0]), own=own).published(0) == 0
    for own in OWN.values():
        assert dnstool(server.address, server.port, find(HASHES[0]), own=own).found(0) == [own]


@needs_server
@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_with_a_key(make_server, dnstool, tmp_path, bits):
    key = dns_server.new_key(algorithm="hmac-sha%d" % bits, size=bits // 8)
    server = make_server(key=key)
    path = dns_server.write_key(tmp_path / "key", key)
    done = dnstool(server.address, server.port, publish(HASHES[0]), "wait", find(HASHES[0]), "wait",
                   unpublish(HASHES[0]), key=path)
    assert (done.published(0), done.found(2), done.published(4)) == (0, [OWN[4]], 0)
    assert server.addresses(dns_server.name_of(HASHES[0])) == []
    assert key.split(":")[2] not in done.log


@needs_server
def test_refusals(make_server, dnstool, tmp_path):
    """Each has its code and one line that says why."""
    key = dns_server.new_key()
    server = make_server(key=key)
    other_secret = dns_server.write_key(tmp_path / "secret", dns_server.new_key())
    other_name = dns_server.write_key(tmp_path / "name", dns_server.new_key(name="nobodys"))
    right = dns_server.write_key(tmp_path / "right", key)
    for how, code, reason in (
            ({}, EPERM, "REFUSED|NOTAUTH"),
            ({"key": other_secret}, EAUTH, "BADSIG"),
            ({"key": other_name}, EAUTH, "BADKEY"),
            ({"key": right, "zone": "elsewhere.example"}, EAUTH, "NOTAUTH")):
        done = dnstool(server.address, server.port, publish(HASHES[0]), **how)
        assert done.published(0) in (code, EAUTH), done.log
        lines = re.findall(r"warning: name \w+: cannot be registered .*", done.log)
        assert len(lines) == 1 and re.search(reason, lines[0]), done.log
    assert server.addresses(dns_server.name_of(HASHES[0])) == []


@needs_server
def test_a_server_that_takes_no_updates(make_server, dnstool):
    server = make_server(updates=False)
    done = dnstool(server.address, server.port, publish(HASHES[0]))
    assert done.published(0) in (EPERM, EAUTH)
    assert "cannot be registered" in done.log


@needs_server
def test_many_hosts(make_server, dnstool):
    """More than fit a datagram: they come over TCP, and 16 of them."""
    server = make_server()
    owns = ["2001:db8::%x" % i for i in range(1, 25)]
    for own in owns:
        assert dnstool(server.address, server.port, publish(HASHES[0]), own=own).published(0) == 0
    hosts = dnstool(server.address, server.port, find(HASHES[0]), own=owns[0]).found(0)
    assert len(set(hosts)) == 16 and set(hosts) <= set(owns)


@needs_server
def test_many_names(make_server, dnstool):
    """More than are under way at once; those of one name come one after the other."""
    server = make_server()
    hashes = [hashlib.sha3_256(b"%d" % i).digest() for i in range(100)]
    changes = [publish(HASHES[0]), unpublish(HASHES[0])] * 10 + [publish(HASHES[0])]
    done = dnstool(server.address, server.port, *[publish(h) for h in hashes], *changes, "wait",
                   *[find(h) for h in hashes])
    n = len(hashes) + len(changes)
    assert all(done.published(i) == 0 for i in range(n)), done.log
    assert all(done.found(n + 1 + i) == [OWN[4]] for i in range(len(hashes)))
    assert server.addresses(dns_server.name_of(HASHES[0])) == [OWN[4]]


@needs_server
def test_server_comes_back(make_server, dnstool):
    """A server that starts while it is asked is heard."""
    server = make_server()
    server.stop()
    starter = threading.Timer(0.4, server.start)
    starter.start()
    done = dnstool(server.address, server.port, find(HASHES[0]), "wait", publish(HASHES[0]))
    starter.join()
    assert done.published(2) == 0, done.log


# -- servers that mean harm -------------------------------------------------------


class FakeServer:
    """Gives each datagram to answer(message), which says what to send back: a list of messages. The same over TCP."""

    def __init__(self, answer, stream=None):
        self.questions = []  # (when, from, message)
        self.answer = answer
        self.stream = stream
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = dns_server.free_port("127.0.0.1")
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp.bind(("127.0.0.1", self.port))
        self.tcp.listen()
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self):
        while True:
            message, source = self.udp.recvfrom(4096)
            if not message:
                return
            self.questions.append((time.monotonic(), source, message))
            for reply in self.answer(message):
                self.udp.sendto(reply, source)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                if self.stream:
                    self.stream(connection)

    def close(self):
        self.udp.sendto(b"", ("127.0.0.1", self.port))
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()


@pytest.fixture
def fake():
    servers = []

    def make(*args):
        servers.append(FakeServer(*args))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


CUT = 0x0200


def header(message, flags=0, answers=0, ident=None):
    """Of the answer to @message, with its question; @flags: besides QR, its kind and AA."""
    end = message.index(b"\0", 12) + 5
    own, kind = struct.unpack(">HH", message[:4])
    own = own if ident is None else ident
    return struct.pack(">HHHHHH", own, 0x8400 | kind & 0x7800 | flags, 1, answers, 0, 0) + message[12:end]


def host(address):
    return b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)


def read_message(connection):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        data += connection.recv(4096)
    return data[2:]


def framed(message):
    return struct.pack(">H", len(message)) + message


def ask(dnstool, server, *commands, **how):
    return dnstool("127.0.0.1", server.port, *commands, **how)


def test_silence(fake, dnstool):
    server = fake(lambda message: [])
    done = ask(dnstool, server, find(HASHES[0]), publish(HASHES[1]), "wait", find(HASHES[2]))
    assert done.found(0) == [] and done.published(1) == EHOSTUNREACH
    assert done.log.count("does not answer\n") == 2  # the server once, the name that it costs once
    name = dns_server.name_of(HASHES[0])[:52].encode()
    questions = [(when, source) for when, source, message in server.questions if name in message]
    assert len(questions) == 4 and len({source for _, source in questions}) == 1
    for (when, _), due in zip(questions, (0, 0.3, 0.6, 1.2)):
        assert due - 0.1 < when - questions[0][0] < due + o7s.PATIENCE
    assert 4 <= done.took < 4 + SOON


def test_each_question_has_id_and_port_of_its_own(fake, dnstool):
    server = fake(lambda message: [header(message)])
    hashes = [hashlib.sha3_256(b"%d" % i).digest() for i in range(40)]
    ask(dnstool, server, *[find(h) for h in hashes])
    assert len({source for _, source, _ in server.questions}) == 40
    ids = [struct.unpack(">H", message[:2])[0] for _, _, message in server.questions]
    assert len(set(ids)) >= 38
    assert len({b - a for a, b in zip(ids, ids[1:])}) > 30  # drawn, not counted


def test_what_does_not_fit_is_not_heard(fake, dnstool):
    """The right answer comes last, after many that look like it."""
    def answer(message):
        ident = struct.unpack(">H", message[:2])[0]
        good = header(message, answers=1) + host("192.0.2.1")
        other = bytes(a ^ (0x01 if i == 13 else 0) for i, a in enumerate(good))
        bad = header(message, answers=1, ident=ident ^ 1) + host("192.0.2.66")
        none = good[:2] + b"\0\0" + good[4:]
        return [b"", b"\0", good[:11], bad, other, none, b"\0" * 600, good + b"\0" * 2000, good]

    done = ask(dnstool, fake(answer), find(HASHES[0]))
    assert done.found(0) == ["192.0.2.1"]


def test_another_address_is_not_heard(fake, dnstool):
    """Even with the right id and question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))

        def answer(message):
            good = header(message, answers=1) + host("192.0.2.66")
            elsewhere.sendto(good, server.questions[-1][1])
            return []

        server = fake(answer)
        assert ask(dnstool, server, find(HASHES[0])).found(0) == []


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 9, 15])
def test_errors_are_nobody(fake, dnstool, code):
    server = fake(lambda message: [header(message, flags=code, answers=1) + host("192.0.2.1")])
    done = ask(dnstool, server, find(HASHES[0]))
    assert done.found(0) == []
    assert "does not answer" not in done.log


def test_malformed_is_nobody(fake, dnstool):
    server = fake(lambda message: [header(message, answers=9) + host("192.0.2.1")[:-1]])
    assert ask(dnstool, server, find(HASHES[0])).found(0) == []


def cut(message):
    return [header(message, flags=CUT)]


@pytest.mark.parametrize("chunk", [1, 1000])
def test_tcp(fake, dnstool, chunk):
    """An answer that was cut is asked for over TCP, and may come in pieces."""
    def stream(connection):
        message = read_message(connection)
        reply = framed(header(message, answers=3) + host("192.0.2.1") + host("192.0.2.2") + host("192.0.2.3"))
        for i in range(0, len(reply), chunk):
            connection.sendall(reply[i:i + chunk])
            time.sleep(0.001)

    done = ask(dnstool, fake(cut, stream), find(HASHES[0]))
    assert done.found(0) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


@pytest.mark.parametrize("reply", [
    lambda m: b"",
    lambda m: b"\0",
    lambda m: framed(b""),
    lambda m: framed(header(m, answers=1) + host("192.0.2.1"))[:-1],
    lambda m: framed(header(m, answers=1, ident=1) + host("192.0.2.1")),
    lambda m: framed(cut(m)[0]),
    lambda m: b"\xff\xff" + os.urandom(70000),
], ids=["nothing", "byte", "empty", "short", "id", "cut", "long"])
def test_tcp_that_means_harm(fake, dnstool, reply):
    def stream(connection):
        connection.sendall(reply(read_message(connection)))

    done = ask(dnstool, fake(cut, stream), find(HASHES[0]), publish(HASHES[1]))
    assert done.found(0) == []
    assert done.published(1) in (EHOSTUNREACH, EPROTO)
    assert done.status == 0
    assert done.took < SOON


def test_tcp_that_says_nothing(fake, dnstool):
    """It has the rest of the two seconds."""
    done = ask(dnstool, fake(cut, lambda connection: time.sleep(3)), find(HASHES[0]))
    assert done.found(0) == []
    assert 1.9 <= done.took < 2 + SOON


@pytest.mark.parametrize("code, result", [
    (0, 0), (1, EPROTO), (2, EIO), (3, EPROTO), (4, ENOTSUP), (5, EPERM), (9, EAUTH), (10, EINVAL)])
def test_codes_of_an_update(fake, dnstool, code, result):
    server = fake(lambda message: [header(message, flags=code)])
    done = ask(dnstool, server, publish(HASHES[0]))
    assert done.published(0) == result
    assert done.log.count("cannot be registered") == (result != 0)


def test_unsigned_answers_are_not_believed(fake, dnstool, tmp_path):
    key = dns_server.write_key(tmp_path / "key", dns_server.new_key())
    server = fake(lambda message: [header(message)])
    done = ask(dnstool, server, publish(HASHES[0]), key=key)
    assert done.published(0) == EAUTH
    assert "its answer is not signed with our key" in done.log
    assert len(server.questions) == 4 and done.took >= 2


def test_closing_ends_questions(fake, dnstool):
    """Without an outcome, whatever is under way."""
    held = dns_server.name_of(HASHES[1])[:52].encode()
    server = fake(lambda message: [] if held in message else cut(message), lambda connection: time.sleep(1))
    done = ask(dnstool, server, find(HASHES[0]), publish(HASHES[1]), publish(HASHES[1]), "close")
    assert (done.status, done.lines) == (0, [])


# -- keys and configurations ------------------------------------------------------


def test_key_file_of_others(dnstool, tmp_path):
    key = dns_server.new_key()
    for mode in (0o604, 0o602, 0o620):
        done = dnstool("127.0.0.1", 1, key=dns_server.write_key(tmp_path / "key", key, mode))
        assert (done.status, done.lines) == (1, ["open -%d" % EPERM])
        assert re.search(r"error: DNS: the key file \S+ can be (read|written)", done.log)
        assert key.split(":")[2] not in done.log
    if os.getuid() == 0:
        path = dns_server.write_key(tmp_path / "key", key)
        os.chown(path, pwd.getpwnam("daemon").pw_uid, 0)
        assert dnstool("127.0.0.1", 1, key=path).lines == ["open -%d" % EPERM]


def test_configurations(dnstool, tmp_path):
    assert dnstool("127.0.0.1", 1).lines == []
    assert dnstool("127.0.0.1", 1, key=tmp_path / "none").lines == ["open -2"]
    for zone in ("", ".", "a..b", "x" * 64, "x." * 80):
        assert dnstool("127.0.0.1", 1, zone=zone).lines == ["open -%d" % EINVAL], zone
    for own in ("0.0.0.0", "::"):
        assert dnstool("127.0.0.1", 1, own=own).lines == ["open -%d" % EINVAL], own
    assert dnstool("0.0.0.0", 1).lines == ["open -%d" % EINVAL]
