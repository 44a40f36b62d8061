"""A bad network between two ports (programs/relay), and namespaces to put its TAP devices into."""
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path

import o7s

CLONE_NEWNET = 0x40000000


def words(values):
    return ["%s=%s" % pair for pair in values.items()]


def address(text):
    """("127.0.0.1", 7000) of "127.0.0.1:7000"."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Relay:
    """A relay between the ports @a and @b; @ab, @ba and @both are what it does from the start: Relay(build, a, b, ab={"loss": 5}).

    Further @options are those of the program, such as "--at", "2 ab loss=0". It ends with the test, even if that is killed.
    """

    def __init__(self, build, a, b, *options, ab=(), ba=(), both=(), pass_fds=()):
        line = [str(build.program("relay")), "--a", a, "--b", b, "--commands"]
        for direction, values in (("ab", ab), ("ba", ba), ("both", both)):
            for word in words(dict(values)):
                line += ["--" + direction, word]
        self.process = subprocess.Popen(line + [str(option) for option in options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, pass_fds=pass_fds, env=build.environment())
        self.last = None
        ready = self._line()
        self.a, self.b = ready["a"], ready["b"]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.end()
        else:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _line(self):
        line = self.process.stdout.readline()
        assert line, "the relay has ended with %d" % self.process.wait()
        return json.loads(line)

    def _command(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self._line()

    def set(self, direction, **values):
        """From now on; returns when that is so."""
        assert self._command(" ".join([direction] + words(values)))["done"], values

    def counters(self):
        """{"seconds": since its start, "ab": {...}, "ba": {...}, "strangers": ...}; what was recorded is in its file."""
        return self._command("counters")

    def counters_by_signal(self):
        self.process.send_signal(signal.SIGUSR1)
        return self._line()

    def wait_came(self, n, direction="ab"):
        """Until so many packets have come. Returns the counters of that direction."""
        def came():
            found = self.counters()[direction]
            return found if found["came"] >= n else None
        return o7s.eventually(came, what="packet number %d" % n)

    def wait_idle(self):
        """Until none is held any more. Returns the counters."""
        def idle():
            found = self.counters()
            return found if found["ab"]["held"] == found["ba"]["held"] == 0 else None
        return o7s.eventually(idle, what="an empty relay")

    def end(self):
        """In order, if it has not ended of itself. Returns the last counters."""
        if self.last is None:
            self.process.terminate()
            self.last = self._line()
            assert self.process.wait(10 * o7s.PATIENCE) == 0
        return self.last


def recorded(path):
    """(link type, [(time in ns, packet), ...]) of what --record wrote."""
    data = Path(path).read_bytes()
    magic, major, minor, _, _, _, link_type = struct.unpack_from("=IHHIIII", data)
    assert (magic, major, minor) == (0xa1b23c4d, 2, 4)
    packets, at = [], 24
    while at < len(data):
        seconds, ns, kept, length = struct.unpack_from("=IIII", data, at)
        assert kept == length
        packets.append((seconds * 10**9 + ns, data[at + 16:at + 16 + kept]))
        at += 16 + kept
    assert at == len(data)
    return link_type, packets


def ip(*args):
    return subprocess.run(["ip", *map(str, args)], check=True, capture_output=True, text=True, timeout=30).stdout


class Namespace:
    """A network namespace of its own for a host of a test, in which nothing speaks that the test did not start."""

    count = 0

    def __init__(self):
        Namespace.count += 1
        self.name = "o7s-%d-%d" % (os.getpid(), Namespace.count)
        ip("netns", "add", self.name)
        for family in ("all", "default"):
            self.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6" % family)
        self.ip("link", "set", "lo", "up")

    def destroy(self):
        ip("netns", "del", self.name)

    def ip(self, *args):
        return ip("-n", self.name, *args)

    def run(self, *command):
        return subprocess.run(["ip", "netns", "exec", self.name, *command], check=True, capture_output=True, text=True,
                              timeout=30).stdout

    def inside(self, call):
        """call() by a thread that has entered the namespace: sockets that it makes stay there. Returns its value."""
        result = []

        def enter():
            with open("/run/netns/" + self.name, encoding="ascii") as f:
                assert ctypes.CDLL(None).setns(f.fileno(), CLONE_NEWNET) == 0
            result.append(call())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return result[0]

    def frames(self, device, ether_type):
        """A socket for whole frames of that type."""
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ether_type))
            s.bind((device, ether_type))
            return s
        return self.inside(make)
