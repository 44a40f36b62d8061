"""Who may do what: management is for root, the daemon's own user and the group ouroboros; flows are for everybody."""
import errno
import os
import re
from pathlib import Path

import pytest

import o7s
from control import SCHEMA, Connection
from o7s import as_user
from puppet import Failed

ANYBODYS = {"hello", "flow_alloc", "flow_accept", "accept_watch", "flow_dealloc", "cancel"}
OWN = {"flow_list"}  # shows everybody what is his
VERBS = set(SCHEMA.messages["Request"]) - ANYBODYS - OWN

ARGUMENTS = {
    "name": "one", "ipcp": "local", "path": "/bin/true", "pid": os.getpid(), "type": 0,
    "config": {"layer": "other"},
}


def plausible(verb):
    """Arguments that the daemon's own user could use."""
    fields = SCHEMA.messages[SCHEMA.messages["Request"][verb][1]]
    return {name: value for name, value in ARGUMENTS.items() if name in fields}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_management_is_refused_to_an_ordinary_user_D7(irmd, other_user, verb):
    irmd.manage("name_create", name="one")
    before = irmd.entries("name_list", "names"), irmd.ipcps()

    def ask():
        with Connection(irmd.socket_path) as control:
            return control.call(verb, **plausible(verb))

    reply = as_user(other_user, ask)
    assert reply["result"] == -errno.EACCES and reply["reason"]
    assert (irmd.entries("name_list", "names"), irmd.ipcps()) == before


def test_ordinary_user_sees_his_own_flows(irmd, other_user):
    """Two flows of the daemon's user, one of somebody else's: he sees his end of that one."""
    client, fd, server, peer_fd = irmd.pair()
    server.begin("keep", 10)
    client.alloc("service")
    other = irmd.puppet(user=other_user)
    flow_id = other.ask("info", other.alloc("service"))["flow_id"]
    assert [f["id"] for f in irmd.irm("flow", "list", user=other_user)] == [flow_id]
    assert len(irmd.flows()) == 6


@pytest.mark.parametrize("words", [
    ("name", "create", "two"), ("name", "destroy", "one"), ("name", "register", "one", "layer", "local"),
    ("bind", "program", "/bin/true", "name", "one"), ("ipcp", "create", "name", "x", "type", "local"),
    ("ipcp", "bootstrap", "name", "x", "type", "local", "layer", "y"), ("ipcp", "destroy", "name", "local"),
], ids=" ".join)
def test_irm_says_so(irmd_each_way, other_user, words):
    irmd = irmd_each_way
    irmd.layer()
    irmd.irm("name", "create", "one")
    with pytest.raises(o7s.Refused) as refused:
        irmd.irm(*words, user=other_user)
    assert refused.value.status == 1 and refused.value.sentence


def test_library_says_so(irmd, other_user):
    program = irmd.puppet(user=other_user)
    with pytest.raises(Failed) as failed:
        program.name_create("two")
    assert failed.value.code == failed.value.errno == errno.EACCES
    assert failed.value.reply["reason"]


def test_root_manages_the_daemon_of_an_ordinary_user(irmd, other_user):
    with irmd.control() as control:
        assert control.call("name_create", name="two")["result"] == 0
    assert [e["name"] for e in irmd.irm("name", "list")] == ["two"]


def test_ordinary_user_allocates_and_accepts(irmd, other_user):
    client, server = irmd.puppet(user=other_user), irmd.puppet(user=other_user)
    irmd.layer()
    irmd.service("one", server)
    accepting = server.begin("accept")
    fd = client.alloc("one")
    peer_fd = accepting.result()
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"
    assert server.ask("peer", peer_fd)["identity"] == "uid:%d" % other_user.pw_uid


def test_ordinary_user_accepts_only_for_what_is_bound_to_him(irmd, other_user):
    client, server = irmd.puppet(), irmd.puppet(user=other_user)
    irmd.layer()
    irmd.service("one")
    server.begin("accept")
    with pytest.raises(Failed):
        client.alloc("one")


def test_ordinary_user_cannot_end_the_flow_of_another(irmd, other_user):
    client, fd, server, peer_fd = irmd.pair()
    ids = [client.ask("info", fd)["flow_id"], server.ask("info", peer_fd)["flow_id"]]

    def attack():
        with Connection(irmd.socket_path) as control:
            return [control.call("flow_dealloc", flow_id=i)["result"] for i in ids + [0, 2**64 - 1]]

    assert all(result < 0 for result in as_user(other_user, attack))
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"


def test_ordinary_user_cannot_cancel_the_request_of_another(irmd, other_user):
    server, client = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    accepting = server.begin("accept")
    o7s.eventually(server.settled)

    def attack():
        with Connection(irmd.socket_path) as control:
            return [control.call("cancel", id=i)["result"] for i in range(64)]

    as_user(other_user, attack)
    client.alloc("one")
    accepting.result()


def test_dropped_daemon_is_not_root(make_instance):
    if os.getuid() != 0:
        pytest.skip("needs root")
    irmd = make_instance(drop_to=o7s.nobody())
    pids = [irmd.pid, irmd.layer()]
    listening = o7s.status_of(irmd.pid, "Uid")
    assert listening == o7s.nobody().pw_uid
    for pid in pids:
        assert o7s.status_of(pid, "Gid") == o7s.nobody().pw_gid
        assert int(o7s.status_text(pid, "CapEff"), 16) == 0


def test_root_by_its_own_wish_is_warned_about(make_instance):
    if os.getuid() != 0:
        pytest.skip("needs root")
    irmd = make_instance("--user", "root", user=None)
    assert irmd.irm("status")["pid"] == irmd.pid
    assert "root" in irmd.log()


def test_unknown_user_is_refused(build):
    if os.getuid() != 0:
        pytest.skip("needs root")
    instance = o7s.Instance(build)
    done = instance.run("irmd", "--user", "no-such-user")
    assert done.returncode != 0 and "no-such-user" in done.stderr
    instance.destroy()


def test_files_of_the_daemon(irmd_each_way):
    irmd = irmd_each_way
    assert os.stat(irmd.socket_path).st_mode & 0o777 == 0o666
    assert os.stat(irmd.runtime).st_mode & 0o022 == 0


def _sources_of(root, seeds):
    """The C files that @seeds are built from, by their includes: a header brings its source."""
    found, todo = set(), list(seeds)
    while todo:
        source = todo.pop()
        if source in found or not (root / source).exists():
            continue
        found.add(source)
        for name in re.findall(r'^#include "([^"]+)"', (root / source).read_text(), re.M):
            here = [Path("src/lib") / name, Path("src/irmd") / name]
            todo += [h for h in here if (root / h).exists()] + [h.with_suffix(".c") for h in here]
    return {str(f) for f in found}


def test_list_of_what_runs_as_root_C41():
    """C41: doc/architecture.md names every file that runs as root, and says how much it is."""
    root = Path(__file__).resolve().parents[2]
    text = (root / "doc/architecture.md").read_text()
    part = text[text.index("What runs as root is this, some"):]
    listed = set(re.findall(r"`(src/[^`]+)`", part[:part.index("**Who calls**")]))
    built = _sources_of(root, [Path("src/irmd/spawner.c"), Path("src/irmd/conf.c")]) | {"src/irmd/main.c"}
    assert {f for f in built if f.endswith(".c")} <= listed
    lines = sum(len((root / f).read_text().splitlines()) for f in listed)
    assert abs(lines - int(part.split()[7].replace(",", ""))) < 150
