"""After many cycles and many kills everything is as before: descriptors, memory, shared memory, the daemon's tables."""
import os
import resource
from pathlib import Path

import pytest

import o7s

pytestmark = pytest.mark.timeout(300)


def shared_memory_kb():
    for line in open("/proc/meminfo", encoding="ascii"):
        if line.startswith("Shmem:"):
            return int(line.split()[1])
    return 0


class Baseline:
    """What must not grow, of the daemon and all that it has started."""

    def __init__(self, irmd):
        self.irmd = irmd
        self.pids = [irmd.pid, *o7s.descendants(irmd.pid)]
        self.before = self.look()
        self.fds_before = self.fds()

    def fds(self):
        return [o7s.fd_count(pid) for pid in self.pids]

    def look(self):
        return {pid: (o7s.fd_count(pid), o7s.status_of(pid, "VmRSS"), o7s.status_of(pid, "Threads")) for pid in self.pids}

    def check(self, memory_kb=1024):
        self.irmd.wait_no_flows()
        try:
            o7s.eventually(lambda: all(a <= b for a, b in zip(self.fds(), self.fds_before)), 5)
        except AssertionError:
            what = sorted(os.readlink(fd) for fd in Path("/proc/%d/fd" % self.pids[0]).iterdir())
            raise AssertionError("descriptors: %s, before: %s; %s" % (self.look(), self.before, what)) from None
        after = self.look()
        assert set(o7s.descendants(self.irmd.pid)) == set(self.pids[1:])
        for pid in self.pids:
            assert after[pid][1] - self.before[pid][1] < memory_kb, "memory of %d: %s" % (pid, (self.before[pid], after[pid]))
            assert after[pid][2] == self.before[pid][2]


@pytest.mark.bare
def test_ten_thousand_cycles(irmd_each_way):
    irmd = irmd_each_way
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    serving = server.begin("serve", 12000)
    assert client.cycle("one", 2000) == 2000
    irmd.wait_no_flows()
    baseline = Baseline(irmd)
    apps = {p: (o7s.fd_count(p.pid), o7s.status_of(p.pid, "VmRSS")) for p in (client, server)}
    shm = shared_memory_kb()
    assert client.begin("cycle", "one", 10000).result(200) == 10000
    assert serving.result() == 12000
    baseline.check()
    for p, (fds, memory) in apps.items():
        assert o7s.fd_count(p.pid) <= fds
        assert o7s.status_of(p.pid, "VmRSS") - memory < 1024
    assert shared_memory_kb() - shm < 20 << 10


@pytest.mark.bare
def test_a_thousand_kills(irmd):
    """Clients and servers by turns, each at a random point of its life."""
    irmd.layer()
    server = irmd.puppet()
    irmd.service("steady", server)
    server.begin("echo_all")
    baseline = None
    shm = 0
    for i in range(1000):
        if i == 100:
            o7s.eventually(lambda: irmd.status()["processes"] == 2, 5, "only the server and irm itself")
            irmd.wait_no_flows()
            baseline, shm = Baseline(irmd), shared_memory_kb()
        _kill_one(irmd, i)
    o7s.eventually(lambda: irmd.status()["processes"] == 2, 5)
    assert irmd.status()["names"] == 1
    baseline.check()
    assert shared_memory_kb() - shm < 20 << 10


def _kill_one(irmd, i):
    program = irmd.puppet()
    if i % 4 == 0:
        fd = program.alloc("steady")
        program.begin("rounds", fd, 100000)
    elif i % 4 == 1:
        program.begin("hold", "steady", 100)
    elif i % 4 == 2:
        program.begin("accept")
        program.begin("alloc_start", "steady")
    else:
        program.begin("cycle", "steady", 100000)
    program.process.kill()
    irmd.forget(program)


def test_a_hundred_kills_under_a_binding(irmd):
    """Servers with flows waiting, flows open, and nothing; each death frees its binding."""
    irmd.layer()
    irmd.service("one")
    client = irmd.puppet()
    for i in range(100 if not irmd.build.sanitized() else 30):
        server = irmd.puppet()
        irmd.bind(server, "one")
        pending = [client.begin("alloc", "one") for _ in range(i % 4)]
        if i % 2:
            server.begin("accept")
        server.process.kill()
        irmd.forget(server)
        for p in pending:
            fd = p.reply(2)["r"]
            if fd >= 0:
                client.dealloc(fd)
        o7s.eventually(lambda: irmd.bound_pids("one") == [], 2)
    irmd.wait_no_flows()


def test_names_and_ipcps_come_and_go(irmd):
    with irmd.control() as control:
        for _ in range(2):
            baseline = Baseline(irmd)
            for i in range(300):
                assert control.call("name_create", name="n%d" % i)["result"] == 0
                assert control.call("bind_program", path="/bin/true", name="n%d" % i)["result"] == 0
            for i in range(300):
                assert control.call("name_destroy", name="n%d" % i)["result"] == 0
        for i in range(20):
            pid = control.call("ipcp_create", name="i", type=0)["ipcp_created"]["pid"]
            assert control.call("ipcp_destroy", pid=pid)["result"] == 0
        status = irmd.status()
        assert (status["names"], status["programs"], status["ipcps"]) == (0, 0, 0)
        o7s.eventually(lambda: o7s.descendants(irmd.pid) == baseline.pids[1:], 5, "no process left of the IPCPs")
        if not irmd.build.sanitized():
            baseline.check()


@pytest.mark.bare
def test_ten_thousand_open_flows(irmd_each_way):
    """The daemon holds 10,000 flows in less than 100 MB, is idle with them, and they all come back."""
    irmd = irmd_each_way
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 15000:
        pytest.skip("a process may have only %d descriptors" % hard)
    raised = ["/usr/bin/prlimit", "--nofile=%d" % hard]
    irmd.layer()
    pairs = []
    for name in ("one", "two"):
        client, server = irmd.puppet(prefix=raised), irmd.puppet(prefix=raised)
        irmd.service(name, server)
        server.begin("keep", 5000)
        pairs.append((client, server, client.begin("hold", name, 5000)))
    for _, _, holding in pairs:
        reply = holding.reply(120)
        assert (reply["r"], reply["error"]) == (5000, 0)
    assert irmd.status()["flows"] == len(irmd.flows()) == 20000, "two ends of each"
    assert o7s.status_of(irmd.pid, "VmRSS") < 100 << 10
    before = o7s.cpu_ticks(irmd.pid)
    pairs[0][0].poll(0, 1000)
    assert o7s.cpu_ticks(irmd.pid) - before <= 1
    for client, server, _ in pairs:
        for program in (client, server):
            program.process.kill()
    irmd.wait_no_flows(20)
    o7s.eventually(lambda: o7s.fd_count(irmd.pid) < 50, 5)
