#!/usr/bin/env python3
"""Flows over a network against what sockets make of the same: run by scripts/bench.sh net, as root.

    bench_net.py BUILD [--quick] [--rr] [--only ROW]... [--json FILE] [--pairs N] [--slice-ms N]

Two hosts (network namespaces) with a cable or a relay between them, a daemon and an IPCP in each, and on each an end of
o7s_bench_net (net_main.c). All lanes of a row exist at once and work in turn, in slices, in an order that is mirrored every
time; what counts is the median of the ratios within a round, with a bootstrap interval of 95 %. The first rival runs twice: its
ratio to itself is the A/A control. doc/measurements.md explains.
"""
import argparse
import contextlib
import json
import mmap
import os
import platform
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import net as network  # noqa: E402
import o7s  # noqa: E402
import pki as certificates  # noqa: E402
import security  # noqa: E402
from relay import ip  # noqa: E402

DRAWS = 2000
WARM_S, SETTLE_S = 0.03, 0.005
ONE_WAY_MS = 10
# struct net_shared
SHARED_BYTES, RECEIVED, SENT, DONE, DONE_NS, RUN = 4096, 0, 128, 136, 144, 256
SERVICES = ["bench%d" % i for i in range(60)]  # one for each lane of all rows


# -- figures

def estimate(values):
    """(median, low, high): the percentile bootstrap. The draws are the same every time."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return statistics.median(values), medians[DRAWS // 40], medians[-DRAWS // 40]


def human(value):
    for suffix in ("", "k", "M"):
        if abs(value) < 9999.5:
            return "%.*f%s" % (0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2, value, suffix)
        value /= 1000
    return "%.3gG" % value


def threads_of(pid):
    try:
        return [int(thread) for thread in os.listdir("/proc/%d/task" % pid)]
    except OSError:
        return []


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for thread in threads_of(pid):
            with contextlib.suppress(OSError), open("/proc/%d/task/%d/schedstat" % (pid, thread), encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total


def interrupt_threads():
    """The kernel's, which do what interrupts leave over: that is work of whoever runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text(encoding="ascii").startswith("ksoftirqd/"):
                found.append(int(path.parent.name))
    return found


# -- hosts

class Hosts:
    """The two hosts of a kind of layer: all that a lane's ends need to know of them."""

    def __init__(self, made, pki, kind, level, wire):
        self.kind = kind
        self.a, self.b = made.host(start=False), made.host(start=False)
        self._secure(pki, level)
        if wire == "relay":
            made.relay(self.a, self.b, both={"delay_ms": ONE_WAY_MS})
        else:
            made.cable(self.a, self.b)
            self.a.know(self.b.ports["eth0"])
            self.b.know(self.a.ports["eth0"])
        self.ipcps = {}
        if kind is None:
            return
        for host in (self.a, self.b):
            host.start()
            self.ipcps[host] = host.join(kind)

    def _secure(self, pki, level):
        """Credentials for both, also where only TLS uses them: a host without a policy for them has its files elsewhere."""
        policy = network.POLICIES[level]
        for host in (self.a, self.b):
            tree = security.Tree(host)
            if policy is None:
                tree.root = host.directory / "tls"
                tree.folder(tree.root)
            else:
                tree.policy(policy + "authentication = mutual\n")
            tree.anchors(pki.root)
            if host is self.a:
                tree.client(pki.client)
            else:
                for name in SERVICES:
                    tree.server(pki.root.issue(name, usage="server"), name)
            host.credentials = tree.root

    def daemons(self, host):
        return [] if self.kind is None else [host.pid, self.ipcps[host]]


class Lane:
    """A way for bytes from host A to host B, or there and back."""

    def __init__(self, bench, hosts, title, work, way, size, number, **how):
        self.title, self.work, self.size, self.hosts = title, work, size, hosts
        self.way = way
        self.file = tempfile.NamedTemporaryFile(prefix="o7s-bench-")
        self.file.truncate(SHARED_BYTES)
        self.memory = mmap.mmap(self.file.fileno(), SHARED_BYTES)
        self.service = SERVICES[number]
        self.how = how
        self.port = 21000 + 10 * number
        self.server = self._start(bench, hosts.b, hosts.a, "server")
        self.client = self._start(bench, hosts.a, hosts.b, "client")

    def _start(self, bench, own, peer, side):
        words = [str(bench.program), self.file.name, side, self.work, self.way, "--size", self.size, "--name", self.service,
                 "--own", own.ports["eth0"].udp4, "--peer", peer.ports["eth0"].udp4, "--port", self.port, "--dev", "eth0",
                 "--mac", peer.ports["eth0"].mac, "--security", own.credentials, "--qos", self.how.get("qos", "raw")]
        if self.how.get("first_data"):
            words.append("--first-data")
        process = own.spawn(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not process.stdout.readline():
            raise SystemExit("%s: the %s did not come up: %s" % (self.title, side, process.log_path.read_text()))
        return process

    def _get(self, at):
        return struct.unpack_from("=Q", self.memory, at)[0]

    def pids(self):
        daemons = self.hosts.daemons(self.hosts.a) + self.hosts.daemons(self.hosts.b) if self.way == "flow" else []
        return [self.client.pid, self.server.pid, *daemons]

    def place(self, cpus):
        for host, process, cpu in ((self.hosts.a, self.client, cpus[-1]), (self.hosts.b, self.server, cpus[0])):
            for pid in [process.pid, *self.hosts.daemons(host)]:
                for thread in threads_of(pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.sched_setaffinity(thread, {cpu})

    def counts(self):
        return self._get(RECEIVED), self._get(SENT), self._get(DONE), self._get(DONE_NS)

    def run(self, seconds, extra):
        """One slice: (figure, operations, ns of processors, part that was lost)."""
        struct.pack_into("=I", self.memory, RUN, 1)
        self.client.stdin.write(b"\n")
        self.client.stdin.flush()
        time.sleep(WARM_S)
        before, used, from_ns = self.counts(), cpu_ns(self.pids() + extra), time.monotonic_ns()
        time.sleep(seconds)
        after, used_after, to_ns = self.counts(), cpu_ns(self.pids() + extra), time.monotonic_ns()
        struct.pack_into("=I", self.memory, RUN, 0)
        if not self.client.stdout.readline():
            raise SystemExit("%s: %s" % (self.title, self.client.log_path.read_text() + self.server.log_path.read_text()))
        time.sleep(SETTLE_S)
        received, sent, done, done_ns = (y - x for x, y in zip(before, after))
        if self.work == "stream":
            return received / self.size / (to_ns - from_ns) * 1e9, received / self.size, used_after - used, 1 - received / max(sent, 1)
        return (done_ns / done / 1e3 if done else float("nan")), done, used_after - used, 0

    def end(self):
        for process in (self.client, self.server):
            process.kill()
            process.wait()
        self.memory.close()
        self.file.close()


# -- rows

class Row:
    """What is compared: the first of @lanes is also its own control."""

    def __init__(self, title, work, cores, unit, lanes, slice_ms=None):
        self.title, self.work, self.cores, self.unit, self.lanes, self.slice_ms = title, work, cores, unit, lanes, slice_ms


def lane(title, kind, level, way, size, wire="cable", **how):
    return {"title": title, "hosts": (kind, level, wire), "way": way, "size": size, **how}


def udp_rows():
    yield "udp4", Row("raw udp4 1400 B", "stream", 2, "msg/s", [
        lane("sendmmsg", "udp4", "plain", "udp-mmsg", 1404),
        lane("GSO, GRO", "udp4", "plain", "udp-gso", 1404),
        lane("o7s", "udp4", "plain", "flow", 1400)])


def eth_rows():
    for size in (1400, 64):
        yield "eth-dix", Row("raw eth-dix %d B" % size, "stream", 2, "msg/s", [
            lane("AF_PACKET", "eth-dix", "plain", "packet", size + 4),
            lane("o7s", "eth-dix", "plain", "flow", size)])


def bulk_rows():
    for cores in (2, 1):
        yield "bulk", Row("in order udp4 16 KiB", "stream", cores, "msg/s", [
            lane("TLS 1.3", "udp4", "encrypted", "tls", 16384),
            lane("TCP", "udp4", "encrypted", "tcp", 16384),
            lane("o7s encrypted", "udp4", "encrypted", "flow", 16384, qos="data"),
            lane("o7s plain", "udp4", "plain", "flow", 16384, qos="data")])


def echo_rows():
    for cores in (1, 2):
        yield "pingpong", Row("ping-pong 64 B udp4", "echo", cores, "us", [
            lane("TLS 1.3", "udp4", "encrypted", "tls", 64),
            lane("UDP", "udp4", "encrypted", "udp", 64),
            lane("o7s raw", "udp4", "plain", "flow", 64),
            lane("o7s raw encrypted", "udp4", "encrypted", "flow", 64),
            lane("o7s data encrypted", "udp4", "encrypted", "flow", 64, qos="data")])


def first_rows():
    yield "first", Row("first answer, %d ms" % (2 * ONE_WAY_MS), "first", 2, "us", [
        lane("TLS 1.3", "udp4", "encrypted", "tls", 64, wire="relay"),
        lane("TCP", "udp4", "encrypted", "tcp", 64, wire="relay"),
        lane("o7s encrypted", "udp4", "encrypted", "flow", 64, wire="relay"),
        lane("o7s, first data", "udp4", "encrypted", "flow", 64, wire="relay", first_data=True)], slice_ms=400)


def all_rows():
    for rows in (udp_rows, eth_rows, bulk_rows, echo_rows, first_rows):
        yield from rows()


class Bench:
    def __init__(self, options):
        self.options = options
        o7s.become_subreaper()
        user = o7s.nobody()
        self.build = o7s.Build(Path(options.build).resolve(), user)
        self.program = Path(options.build).resolve() / "tests/bench/o7s_bench_net"
        self.pki = certificates.Pki()
        self.network = network.Net(self.build, user)
        self.hosts = {}
        self.services = iter(range(len(SERVICES)))
        self.extra = interrupt_threads()
        self.cpus = sorted(os.sched_getaffinity(0))[-2:]
        self.json = open(options.json, "a", encoding="ascii") if options.json else None

    def close(self):
        self.network.destroy()
        self.build.destroy()
        if self.json:
            self.json.close()

    def hosts_of(self, key):
        if key not in self.hosts:
            self.hosts[key] = Hosts(self.network, self.pki, *key)
        return self.hosts[key]

    def open_lane(self, row, what):
        what = dict(what)
        return Lane(self, self.hosts_of(what.pop("hosts")), what.pop("title"), row.work, what.pop("way"), what.pop("size"),
                    next(self.services), **what)

    def run(self, row):
        plan = [row.lanes[0], *row.lanes]
        if self.options.lane:
            plan = [each for each in row.lanes if each["title"] == self.options.lane] * 2
        lanes = [self.open_lane(row, what) for what in plan]
        lanes[0].title = "control"
        if row.cores <= len(self.cpus):
            for each in lanes:
                each.place(self.cpus[-row.cores:])
        seconds = (row.slice_ms or self.options.slice_ms) / 1000
        for each in lanes:
            each.run(WARM_S, self.extra)
        slices = {each.title: [] for each in lanes}
        for i in range(self.options.pairs):
            for each in lanes if i % 2 == 0 else reversed(lanes):
                slices[each.title].append(each.run(seconds, self.extra))
        for each in lanes:
            each.end()
        Report(self, row, lanes, slices).show()


class Report:
    def __init__(self, bench, row, lanes, slices):
        self.bench, self.row, self.slices = bench, row, slices
        self.lanes = [each.title for each in lanes]
        self.base = self.lanes[1]
        self.figure = {title: statistics.median(s[0] for s in slices[title]) for title in self.lanes}

    def factor(self, title, base):
        """How many times better than @base."""
        ratios = [x[0] / y[0] for x, y in zip(self.slices[title], self.slices[base])]
        return estimate(ratios if self.row.unit == "msg/s" else [1 / r for r in ratios])

    def cpu_us(self, title):
        ops = sum(s[1] for s in self.slices[title])
        return sum(s[2] for s in self.slices[title]) / ops / 1e3 if ops else float("nan")

    def lost(self, title):
        return statistics.median(s[3] for s in self.slices[title])

    def show(self):
        print("%s, %d core%s" % (self.row.title, self.row.cores, "s" if self.row.cores > 1 else ""))
        for title in self.lanes[1:]:
            factors = ["%s %s [%s, %s]" % (base, *map(human, self.factor(title, base))) for base in self.rivals() if base != title]
            print("    %-20s %8s %-6s %8s us CPU  lost %3.0f %%  times %s" % (
                title, human(self.figure[title]), self.row.unit, human(self.cpu_us(title)), 100 * self.lost(title), ", ".join(factors)))
        print("    %-20s %68s [%s, %s]" % ("A/A control", *map(human, self.factor("control", self.base))), flush=True)
        if self.bench.json:
            for title in self.lanes[2:]:
                print(json.dumps(self.line(title)), file=self.bench.json, flush=True)

    def rivals(self):
        return [title for title in self.lanes[1:] if not title.startswith("o7s")]

    def line(self, title):
        def interval(values):
            return dict(zip(("median", "low", "high"), values))

        def of(each):
            return {"median": self.figure[each], "cpu_us": self.cpu_us(each), "lost": self.lost(each), "ops": sum(s[1] for s in self.slices[each]),
                    "slices": [s[0] for s in self.slices[each]]}
        return {"bench": "net", "title": "%s: %s" % (self.row.title, title), "cores": self.row.cores, "unit": self.row.unit,
                "pairs": self.bench.options.pairs, "factor": interval(self.factor(title, self.base)),
                "control_factor": interval(self.factor("control", self.base)),
                "times": {rival: interval(self.factor(title, rival)) for rival in self.rivals() if rival != title},
                self.base: of(self.base), title: of(title)}


def real_time(priority):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rr", action="store_true", help="before all other processes of the machine (chrt -r)")
    parser.add_argument("--only", action="append")
    parser.add_argument("--lane", help="this one alone, for profilers")
    parser.add_argument("--cores", type=int)
    parser.add_argument("--json")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--slice-ms", type=int)
    options = parser.parse_args()
    options.pairs = options.pairs or (4 if options.quick else 16)
    options.slice_ms = options.slice_ms or (150 if options.quick else 300)
    print("%d cores, Linux %s" % (os.cpu_count(), platform.release()))
    if options.rr:
        real_time(1)  # what is started inherits it
    bench = Bench(options)
    try:
        for name, row in all_rows():
            if (not options.only or name in options.only) and options.cores in (None, row.cores):
                if options.rr:
                    real_time(1)
                bench.run(row)
    finally:
        bench.close()


main()
