"""Quotas: what happens at the limit, that it is said clearly, and that others do not feel it."""
import errno

import pytest

import o7s
from control import Connection
from o7s import as_user
from puppet import Failed


def scene(irmd, user=None):
    client, server = irmd.puppet(user=user), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    server.begin("keep", 1000000)
    return client, server


def refusal(irmd, client, count):
    """Allocates up to the limit; returns the code of the first refusal."""
    reply = client.ask("hold", "one", count)
    assert reply["error"] < 0, "there was no limit"
    return reply["r"], -reply["error"]


def test_ports_of_a_process(make_instance, other_user):
    irmd = make_instance("--limit", "ports-per-process=10")
    client, server = scene(irmd, other_user)
    count, code = refusal(irmd, client, 50)
    assert count == 10 and code in (errno.EMFILE, errno.EUSERS)
    assert "ports-per-process" in irmd.log()


def test_ports_come_back(make_instance, other_user):
    irmd = make_instance("--limit", "ports-per-process=10")
    client, server = irmd.puppet(user=other_user), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    server.begin("serve", 1000000)
    assert client.cycle("one", 100) == 100


def test_ports_of_a_user(make_instance, other_user):
    irmd = make_instance("--limit", "ports-per-user=15")
    clients = [irmd.puppet(user=other_user) for _ in range(2)]
    server = irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    server.begin("serve", 1000000)  # its own user's account must not be the one that is full
    first = clients[0].ask("hold", "one", 10)
    second = clients[1].ask("hold", "one", 50)
    assert first["r"] == 10 and second["r"] == 5 and -second["error"] in (errno.EUSERS, errno.EMFILE)
    clients[0].process.kill()
    o7s.eventually(lambda: clients[1].ask("hold", "one", 1)["r"] == 1, 2, "room after the end of the other process")


def test_bytes_of_a_user(make_instance, other_user):
    irmd = make_instance("--limit", "bytes-per-user=4000000")
    client, server = scene(irmd, other_user)
    count, code = refusal(irmd, client, 100)
    assert 2 <= count <= 8 and code in (errno.EUSERS, errno.ENOMEM, errno.EDQUOT)


def test_other_users_do_not_feel_it(make_instance, other_user):
    irmd = make_instance("--limit", "ports-per-process=10")
    client, server = irmd.puppet(user=other_user), [irmd.puppet() for _ in range(2)]
    irmd.layer()
    irmd.service("one", server[0])
    server[0].begin("keep", 10)
    irmd.service("two", server[1])
    refusal(irmd, client, 50)
    accepting = server[1].begin("accept")
    third = irmd.puppet()
    assert third.ask("alloc", "two")["r"] >= 0
    accepting.result()


def test_connections_of_a_user(make_instance, other_user):
    irmd = make_instance("--limit", "connections-per-user=20")

    def connect_many():
        held, refused = [], 0
        for _ in range(50):
            try:
                held.append(Connection(irmd.socket_path, timeout=5))
            except (OSError, AssertionError, TypeError):
                refused += 1
        return [len(held), refused]

    assert as_user(other_user, connect_many) == [20, 30]
    irmd.status()
    o7s.eventually(lambda: as_user(other_user, lambda: Connection(irmd.socket_path).call("cancel", id=1)["result"]) <= 0, 2)


def test_accepting_process_is_limited_too(make_instance, other_user):
    irmd = make_instance("--limit", "ports-per-process=10")
    clients, server = [irmd.puppet() for _ in range(3)], irmd.puppet(user=other_user)
    irmd.layer()
    irmd.service("one", server)
    server.begin("keep", 1000)
    held = sum(client.ask("hold", "one", 9)["r"] for client in clients)
    assert held == 10
    assert irmd.alive()
    with pytest.raises(Failed):
        clients[0].alloc("one")
