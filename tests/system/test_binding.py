"""Who accepts for a name: bound programs and processes, balancing, backlog, and programs that the daemon starts."""
import collections
import errno
import os
import time

import pytest

import o7s
from puppet import ENAME, ENOTALLOC, Failed


def entry(irmd, name):
    return irmd.irm("name", "list", name)[0]


def served_by(client, name, servers):
    """Allocates a flow, and returns which of the accepting @servers got it, as (server, its descriptor)."""
    fd = client.alloc(name)
    server = o7s.eventually(lambda: next((s for s in servers if s.accepting.done()), None), what="an accept")
    peer_fd = server.accepting.result()
    client.dealloc(fd)
    server.dealloc(peer_fd)
    return server


def waiting_servers(irmd, count):
    servers = [irmd.puppet() for _ in range(count)]
    irmd.layer()
    irmd.service("one", *servers)
    for server in servers:
        accept(server)
    return servers


def accept(server):
    """Lets @server wait in flow_accept(), and returns when the daemon knows it."""
    server.accepting = server.begin("accept")
    o7s.eventually(server.settled)


def test_every_process_of_a_bound_program_accepts(irmd):
    client = irmd.puppet()
    irmd.layer()
    irmd.service("one")
    irmd.irm("bind", "program", irmd.build.program("puppet"), "name", "one")
    assert entry(irmd, "one")["programs"] == [os.path.realpath(irmd.build.program("puppet"))]
    server = irmd.puppet()
    accept(server)
    o7s.eventually(lambda: server.pid in entry(irmd, "one")["pids"])
    assert served_by(client, "one", [server]) is server


def test_binding_creates_the_name(irmd):
    irmd.irm("bind", "program", "/bin/true", "name", "one")
    irmd.irm("bind", "process", os.getpid(), "name", "two")
    assert [e["name"] for e in irmd.irm("name", "list")] == ["one", "two"]


def test_program_is_found_in_path_and_kept_as_a_real_path(irmd):
    irmd.irm("bind", "program", "true", "name", "one")
    assert entry(irmd, "one")["programs"] == [os.path.realpath("/usr/bin/true")]


def test_a_link_to_a_bound_program_is_that_program(irmd):
    link = irmd.directory / "another-name"
    link.symlink_to(irmd.build.program("puppet"))
    irmd.layer()
    irmd.service("one")
    irmd.irm("bind", "program", link, "name", "one")
    server, client = irmd.puppet(), irmd.puppet()
    accept(server)
    o7s.eventually(lambda: server.pid in entry(irmd, "one")["pids"])
    assert served_by(client, "one", [server]) is server


def test_unbound_program_accepts_no_more(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one")
    program = irmd.build.program("puppet")
    irmd.irm("bind", "program", program, "name", "one")
    irmd.irm("unbind", "program", program, "name", "one")
    accept(server)
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code == ENOTALLOC and failed.value.errno == errno.ECONNREFUSED
    assert not server.accepting.done()


def test_unbound_process_accepts_no_more(irmd):
    server, = waiting_servers(irmd, 1)
    client = irmd.puppet()
    assert served_by(client, "one", [server]) is server
    irmd.irm("unbind", "process", server.pid, "name", "one")
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code == ENOTALLOC


def test_process_bound_while_it_waits(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one")
    accept(server)
    irmd.irm("bind", "process", server.pid, "name", "one")
    assert served_by(client, "one", [server]) is server


def test_binding_of_a_process_ends_with_it(irmd):
    server, = waiting_servers(irmd, 1)
    assert entry(irmd, "one")["pids"] == [server.pid]
    server.process.kill()
    o7s.eventually(lambda: entry(irmd, "one")["pids"] == [], 1)


def test_process_with_several_names(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    for name in ("one", "two"):
        irmd.service(name, server)
    for name in ("one", "two", "one"):
        accept(server)
        served_by(client, name, [server])


def test_round_robin_goes_round(irmd):
    servers = waiting_servers(irmd, 3)
    client = irmd.puppet()
    turns = []
    for _ in range(9):
        server = served_by(client, "one", servers)
        accept(server)
        turns.append(server.pid)
    assert sorted(collections.Counter(turns).values()) == [3, 3, 3]
    assert turns[:3] * 3 == turns


def test_spillover_stays_with_the_first_until_it_is_busy(irmd):
    servers = [irmd.puppet() for _ in range(2)]
    client = irmd.puppet()
    irmd.layer()
    irmd.service("one", *servers, spillover=True)
    for server in servers:
        accept(server)
    first = served_by(client, "one", servers)
    for _ in range(3):
        accept(first)
        assert served_by(client, "one", servers) is first
    assert served_by(client, "one", [s for s in servers if s is not first]) is not first


def test_backlog_keeps_the_order(irmd):
    """Allocations wait for a server that is busy, as connections do in a listen backlog."""
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    waiting = []
    for i in range(5):
        waiting.append(client.begin("alloc", "one"))
        o7s.eventually(lambda: sum(flow["state"] == "waiting" for flow in irmd.flows()) == i + 1, what="an arrived flow")
    for i, pending in enumerate(waiting):
        peer_fd = server.accept()
        fd = pending.result()
        client.write(fd, b"%d" % i)
        assert server.read(peer_fd) == b"%d" % i


def test_full_backlog_refuses_at_once(make_instance):
    irmd = make_instance("--limit", "backlog=3")
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    waiting = [client.begin("alloc", "one") for _ in range(5)]
    o7s.eventually(lambda: sum(p.done() for p in waiting) == 2, 2, "two answers")
    assert all(p.reply()["r"] < 0 for p in waiting if p.done())
    for _ in range(3):
        server.accept()
    assert sorted(p.reply()["r"] >= 0 for p in waiting) == [False, False, True, True, True]


def test_waiting_allocation_is_refused_when_the_server_ends(irmd):
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    pending = client.begin("alloc", "one")
    o7s.eventually(irmd.flows)
    server.process.kill()
    assert pending.reply(1)["r"] == -ENOTALLOC


# -- programs that the daemon starts


def bind_auto(irmd, program, *args, name="one"):
    irmd.layer()
    irmd.service(name)
    irmd.irm("bind", "program", program, "name", name, "auto", "--", *args)


def answer(client, name="one"):
    """What answer.c or answer.py says of itself: (pid, uid, arguments)."""
    fd = client.alloc(name)
    text = client.read(fd).decode()
    client.dealloc(fd)
    pid, uid, *words = text.split(" ", 2)
    return int(pid), int(uid), words[0] if words else ""


def test_program_is_started_with_its_arguments(irmd):
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"), "serve", "--flag", "two words")
    pid, _, words = answer(client)
    assert words == "[serve] [--flag] [two words]"
    assert answer(client)[0] == pid, "a second one was started though the first accepts"


def test_script_is_started_and_known_by_its_own_path(irmd):
    if irmd.build.sanitized():
        pytest.skip("python cannot load a sanitized library")
    client = irmd.puppet()
    library = irmd.build.path("src/lib/libouroboros.so")
    bind_auto(irmd, irmd.script("answer.py"), library, "an argument")
    _, _, words = answer(client)
    assert words.endswith("[an argument]")


def test_started_program_runs_as_who_bound_it(irmd_each_way):
    irmd = irmd_each_way
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"))
    expected = irmd.user or irmd.drop_to
    assert answer(client)[1] == (expected.pw_uid if expected else os.getuid())


def test_program_that_ends_is_started_again(irmd):
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"), "once")
    first = answer(client)[0]
    o7s.eventually(lambda: o7s.state_of(first) == "", 5, "the end of the program, without a zombie")
    assert answer(client)[0] != first


def test_program_that_ends_without_accepting_refuses_the_flow(irmd):
    client = irmd.puppet()
    bind_auto(irmd, "/bin/true")
    begun = time.monotonic()
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code == ENOTALLOC
    assert time.monotonic() - begun < 2


def test_program_that_never_accepts_meets_the_timeout(irmd):
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"), "idle")
    with pytest.raises(Failed) as failed:
        client.alloc("one", None, 300)
    assert failed.value.code == errno.ETIMEDOUT
    started = [pid for pid in o7s.descendants(irmd.pid) if "answer" in o7s.cmdline(pid)]
    assert len(started) == 1
    o7s.kill(started[0])  # the daemon would let it live


def test_one_program_is_started_for_many_flows(irmd):
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"))
    waiting = [client.begin("alloc", "one") for _ in range(10)]
    pids = {client.read(p.result()).split()[0] for p in waiting}
    assert len(pids) == 1


def test_started_programs_end_with_an_orderly_daemon_or_not_but_leave_no_zombie(irmd):
    client = irmd.puppet()
    bind_auto(irmd, irmd.build.program("answer"))
    pid = answer(client)[0]
    irmd.stop()
    o7s.eventually(lambda: o7s.state_of(pid) in ("", "Z"), 3, "the end of a server whose daemon has gone")


def test_unbound_program_is_started_no_more(irmd):
    client = irmd.puppet()
    program = irmd.build.program("answer")
    bind_auto(irmd, program, "once")
    answer(client)
    irmd.irm("unbind", "program", program, "name", "one")
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code in (ENOTALLOC, ENAME)
