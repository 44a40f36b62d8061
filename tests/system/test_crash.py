"""kill -9 of each process at points of allocation and transfer. The others get an error or the end of the flow within a
second, nothing is left over, and what comes next works at once. Only the daemon may be killed without ending a flow."""
import errno
import signal
import time

import pytest

import o7s
from puppet import EFLOWDOWN, EIRMD, Failed

SOON = 1.0


@pytest.fixture(autouse=True)
def works_afterwards(irmd):
    """After each case two new programs can talk, and the daemon's table of flows returns to nothing."""
    yield
    if not irmd.alive():
        return
    irmd.wait_no_flows(5)
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer("afterwards")
    irmd.service("afterwards", server, layer="afterwards")
    accepting = server.begin("accept")
    fd = client.alloc("afterwards")
    client.write(fd, b"x")
    assert server.read(accepting.result()) == b"x"


def end_all(*programs):
    for program in programs:
        program.process.kill()
        program.process.wait()


def kill(program):
    program.process.kill()
    program.process.wait()


# -- a program, while allocating


def test_client_killed_while_it_waits(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    client.begin("alloc", "one")
    o7s.eventually(irmd.flows)
    kill(client)
    irmd.wait_no_flows(SOON)
    assert server.ask("accept", 0)["r"] == -errno.EAGAIN


def test_server_killed_while_the_client_waits(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    allocating = client.begin("alloc", "one")
    o7s.eventually(irmd.flows)
    kill(server)
    assert allocating.reply(SOON)["r"] < 0


def test_server_killed_while_it_waits_in_accept(irmd):
    client, server, other = irmd.puppet(), irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server, other)
    server.begin("accept")
    o7s.eventually(server.settled)
    kill(server)
    accepting = other.begin("accept")
    client.alloc("one")
    accepting.result()
    end_all(client, other)


def test_waiting_flow_goes_to_another_server(irmd):
    """A flow in the backlog of a server that dies is refused or given to another one, not forgotten."""
    client, server, other = irmd.puppet(), irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server, other)
    allocating = client.begin("alloc", "one")
    o7s.eventually(irmd.flows)
    kill(server)
    accepting = other.begin("accept")
    reply = allocating.reply(SOON)
    if reply["r"] >= 0:
        accepting.result()
    end_all(client, other)


@pytest.mark.parametrize("who", ["client", "server", "both"])
@pytest.mark.parametrize("delay_us", [0, 200, 500, 1000, 2000, 5000, 20000])
def test_killed_at_some_point_of_many_allocations(irmd, who, delay_us):
    """Points between the steps of an allocation, reached by chance: programs allocate in a loop and die in it."""
    irmd.layer()
    for _ in range(4):
        client, server = irmd.puppet(), irmd.puppet()
        irmd.service("n%d" % client.pid, server)
        serving, cycling = server.begin("serve", 1000000), client.begin("cycle", "n%d" % client.pid, 1000000)
        client.ask("strerror", 0)
        time.sleep(delay_us / 1e6)  # chooses the point
        for program in {"client": [client], "server": [server], "both": [client, server]}[who]:
            kill(program)
        if who == "server":
            assert cycling.reply(SOON + 1)["r"] < 0
        if who == "client":
            assert not serving.done()
        end_all(client, server)
        irmd.wait_no_flows(SOON + 1)


# -- a program, while data flows


@pytest.mark.parametrize("doing", ["read", "write", "poll", "nothing"])
def test_peer_killed(irmd, doing):
    client, fd, server, peer_fd = irmd.pair()
    if doing == "read":
        pending = server.begin("read", peer_fd, 100)
    elif doing == "write":
        pending = server.begin("send", peer_fd, 1000000, 16384, 0)
    elif doing == "poll":
        pending = server.begin("poll", peer_fd, 5000)
    else:
        pending = server.begin("get_flags", peer_fd)
        pending.reply()
    kill(client)
    reply = pending.reply(SOON)
    if doing == "poll":
        assert reply["in"]
    elif doing != "nothing":
        assert reply["r"] == -EFLOWDOWN and reply["errno"] == errno.EPIPE
    o7s.eventually(lambda: server.ask("write", peer_fd, "00")["r"] == -EFLOWDOWN, SOON)
    assert server.ask("read", peer_fd, 10)["r"] == -EFLOWDOWN
    server.dealloc(peer_fd)


def test_what_the_dead_have_written_can_be_read(irmd):
    client, fd, server, peer_fd = irmd.pair()
    client.write(fd, b"will")
    kill(client)
    assert server.read(peer_fd) == b"will"
    reading = server.begin("read", peer_fd, 10)
    assert reading.reply(SOON)["r"] == -EFLOWDOWN
    server.dealloc(peer_fd)


@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize("size", [64, 60000])
def test_killed_in_full_transfer(irmd, end, size):
    """Only whole and right messages come before the end."""
    client, fd, server, peer_fd = irmd.pair()
    sending = client.begin("send", fd, 100000000, size, 3)
    receiving = server.begin("receive", peer_fd, 100000000, size, 3)
    o7s.eventually(lambda: server.ask("stats", peer_fd)["rx"][0] > 100)
    victim, survivor = (client, receiving) if end == "client" else (server, sending)
    kill(victim)
    assert survivor.reply(SOON)["r"] == -EFLOWDOWN
    end_all(client, server)


def test_other_flows_are_not_disturbed(irmd):
    client, fd, server, peer_fd = irmd.pair()
    others = [irmd.puppet() for _ in range(5)]
    server.begin("echo_all")
    for other in others:
        other.fd = other.alloc("service")
    rounds = client.begin("rounds", client.alloc("service"), 20000)
    for other in others:
        other.begin("send", other.fd, 1000000, 1000, 0)
        kill(other)
    assert rounds.result() == 20000
    end_all(client, server)


def test_stopped_peer_is_only_slow(irmd):
    client, fd, server, peer_fd = irmd.pair()
    client.process.send_signal(signal.SIGSTOP)
    reading = server.begin("read", peer_fd, 10)
    server.poll(peer_fd, 300)
    assert not reading.done()
    client.process.send_signal(signal.SIGCONT)
    client.write(fd, b"x")
    assert reading.reply(SOON)["r"] == 1
    end_all(client, server)


# -- an IPCP


def ipcp_pid(irmd):
    return irmd.ipcps()[0]["pid"]


def kill_ipcp(irmd):
    pid = ipcp_pid(irmd)
    o7s.kill(pid)
    o7s.eventually(lambda: o7s.state_of(pid) == "", SOON, "the end of the IPCP, without a zombie")
    o7s.eventually(lambda: pid not in [i["pid"] for i in irmd.ipcps()], SOON)


def test_ipcp_killed_under_an_open_flow(irmd):
    """A local flow ends, or goes on without it; in no case does anybody hang."""
    client, fd, server, peer_fd = irmd.pair()
    reading = server.begin("read", peer_fd, 10)
    kill_ipcp(irmd)
    client.ask("write", fd, "00")
    assert reading.reply(SOON)["r"] in (1, 0, -EFLOWDOWN)
    end_all(client, server)


def test_ipcp_killed_while_the_client_waits(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    allocating = client.begin("alloc", "one")
    o7s.eventually(irmd.flows)
    kill_ipcp(irmd)
    assert allocating.reply(SOON)["r"] < 0
    irmd.wait_no_flows(SOON)
    end_all(client, server)


def test_ipcp_killed_in_a_storm_of_allocations(irmd):
    irmd.layer()
    client, server = irmd.puppet(), irmd.puppet()
    irmd.service("one", server)
    serving = server.begin("serve", 1000000)
    cycling = client.begin("cycle", "one", 1000000)
    o7s.eventually(lambda: irmd.status()["allocated"] > 50)
    kill_ipcp(irmd)
    assert cycling.reply(SOON)["r"] < 0
    assert not serving.done()
    end_all(client, server)


def test_stopped_ipcp_holds_up_only_its_own_layer(irmd):
    irmd.layer("slow")
    irmd.layer("fast")
    client, server = irmd.puppet(), irmd.puppet()
    irmd.service("one", server, layer="slow")
    irmd.service("two", server, layer="fast")
    slow = next(i["pid"] for i in irmd.ipcps() if i["name"] == "slow")
    o7s.kill(slow, signal.SIGSTOP)
    stuck = client.begin("alloc", "one", None, 1500 * o7s.PATIENCE)
    accepting = server.begin("accept")
    begun = time.monotonic()
    client.alloc("two")
    accepting.result()
    assert time.monotonic() - begun < SOON * o7s.PATIENCE
    assert stuck.reply()["r"] == -errno.ETIMEDOUT
    o7s.kill(slow, signal.SIGKILL)
    end_all(client, server)


def test_ipcp_that_does_not_end_is_ended(irmd):
    pid = irmd.layer()
    o7s.kill(pid, signal.SIGSTOP)
    irmd.irm("ipcp", "destroy", "name", "local")
    o7s.eventually(lambda: o7s.state_of(pid) == "", 5)


def test_daemon_stops_with_a_stopped_ipcp(irmd):
    pid = irmd.layer()
    o7s.kill(pid, signal.SIGSTOP)
    irmd.stop()


# -- the daemon


def test_data_keeps_flowing_without_the_daemon(irmd):
    client, fd, server, peer_fd = irmd.pair()
    server.begin("echo", peer_fd)
    assert client.rounds(fd, 100) == 100
    irmd.kill()
    assert client.rounds(fd, 5000) == 5000
    client.dealloc(fd)
    o7s.eventually(lambda: server.ask("get_flags", peer_fd)["flags"] & 4, SOON, "the end of the flow")


def test_transfer_goes_on_over_the_death_of_the_daemon(irmd):
    client, fd, server, peer_fd = irmd.pair()
    sending = client.begin("send", fd, 200000, 1000, 5)
    receiving = server.begin("receive", peer_fd, 200000, 1000, 5)
    o7s.eventually(lambda: server.ask("stats", peer_fd)["rx"][0] > 100)
    irmd.kill()
    assert (sending.result(), receiving.result()) == (200000, 200000)


def test_ipcps_do_not_outlive_the_daemon_for_ever(irmd):
    pid = irmd.layer()
    irmd.kill()
    o7s.eventually(lambda: o7s.state_of(pid) in ("", "Z"), 5, "the end of the IPCP")


def test_calls_that_wait_get_an_error(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    waiting = [client.begin("alloc", "one"), client.begin("accept")]
    started = client.alloc_start("one")
    o7s.eventually(irmd.flows)
    irmd.kill()
    assert [w.reply(SOON)["r"] for w in waiting] == [-EIRMD] * 2
    assert client.ask("poll", started, 1000)["in"]
    assert client.ask("alloc_finish", started)["r"] == -EIRMD


def test_killed_at_some_point_of_many_allocations_the_daemon(make_instance):
    for delay_us in (0, 1000, 3000, 10000):
        irmd = make_instance()
        irmd.layer()
        client, server = irmd.puppet(), irmd.puppet()
        irmd.service("one", server)
        calls = [server.begin("serve", 1000000), client.begin("cycle", "one", 1000000)]
        time.sleep(delay_us / 1e6)  # chooses the point
        irmd.kill()
        assert [c.reply(SOON + 1)["r"] < 0 for c in calls] == [True, True]


def test_new_daemon_serves_old_programs(irmd):
    """It hears of the end of flows that it does not know, and lives on (D22)."""
    client, fd, server, peer_fd = irmd.pair()
    irmd.kill()
    with pytest.raises(Failed) as failed:
        client.alloc("service")
    assert failed.value.code == EIRMD
    irmd.start()
    irmd.layer()
    irmd.service("anew", server)
    accepting = server.begin("accept")
    new_fd = o7s.eventually(lambda: max(0, client.ask("alloc", "anew")["r"]), 5)
    new_peer_fd = accepting.result()
    for a, b in ((fd, peer_fd), (new_fd, new_peer_fd)):
        client.write(a, b"x")
        assert server.read(b) == b"x"
    client.dealloc(fd)
    server.dealloc(peer_fd)
    assert [flow["state"] for flow in irmd.flows()] == ["open", "open"]
    end_all(client, server)
