"""IPC processes: created, bootstrapped, listed, destroyed; what they cannot be told."""
import os

import pytest

import o7s
from puppet import ENAME, EIPCP, Failed


def by_name(irmd):
    return {entry["name"]: entry for entry in irmd.irm("ipcp", "list")}


def test_life_of_an_ipcp(irmd_each_way):
    irmd = irmd_each_way
    irmd.irm("ipcp", "create", "name", "one", "type", "local")
    entry = by_name(irmd)["one"]
    assert (entry["type"], entry["state"], entry["layer"]) == ("local", "ready", "")
    assert o7s.state_of(entry["pid"]) in "RS"
    irmd.irm("ipcp", "bootstrap", "name", "one", "layer", "ground")
    entry = by_name(irmd)["one"]
    assert (entry["state"], entry["layer"]) == ("operational", "ground")
    irmd.irm("ipcp", "destroy", "name", "one")
    assert by_name(irmd) == {}
    o7s.eventually(lambda: o7s.state_of(entry["pid"]) == "", 3, "the end of the process, without a zombie")


def test_bootstrap_creates_what_is_missing(irmd):
    irmd.irm("ipcp", "bootstrap", "name", "one", "type", "local", "layer", "ground")
    assert by_name(irmd)["one"]["state"] == "operational"


def test_ipcp_runs_as_the_daemons_user(irmd_each_way):
    irmd = irmd_each_way
    pid = irmd.layer()
    expected = irmd.user or irmd.drop_to
    assert os.stat("/proc/%d" % pid).st_uid == (expected.pw_uid if expected else os.getuid())


def test_several_layers(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    for layer in ("upper", "lower"):
        irmd.layer(layer)
    irmd.service("one", server, layer="lower")
    accepting = server.begin("accept")
    fd = client.alloc("one")
    accepting.result()
    assert client.ask("info", fd)["layer"] == "lower"


@pytest.mark.parametrize("words", [
    ("create", "name", "one", "type", "local"),
    ("create", "name", "two", "type", "nonsense"),
    ("bootstrap", "name", "one", "layer", "again"),
    ("bootstrap", "name", "", "type", "local", "layer", "ground"),
    ("bootstrap", "name", "two", "type", "local", "layer", "a/b"),
    ("bootstrap", "name", "two", "type", "local", "layer", "l" * 256),
    ("create", "name", "n" * 256, "type", "local"),
    ("create", "name", "..", "type", "local"),
    ("destroy", "name", "ghost"),
], ids=lambda words: " ".join(words)[:40])
def test_refused(irmd, words):
    irmd.layer("one")
    before = irmd.irm("ipcp", "list")
    with pytest.raises(o7s.Refused) as refused:
        irmd.irm("ipcp", *words)
    assert refused.value.status in (1, 2) and refused.value.sentence
    assert irmd.irm("ipcp", "list") == before


def test_type_without_a_program_is_refused(irmd):
    with pytest.raises(o7s.Refused) as refused:
        irmd.irm("ipcp", "create", "name", "one", "type", "broadcast")
    assert refused.value.status == 1
    assert by_name(irmd) == {}


def test_name_cannot_be_registered_with_an_unfinished_ipcp(irmd):
    irmd.irm("ipcp", "create", "name", "one", "type", "local")
    irmd.irm("name", "create", "service")
    with pytest.raises(o7s.Refused):
        irmd.irm("name", "register", "service", "ipcp", "one")


def test_destroyed_layer_ends_its_flows_and_is_reached_no_more(irmd):
    client, fd, server, peer_fd = irmd.pair()
    reading = [client.begin_read(fd), server.begin_read(peer_fd)]
    irmd.irm("ipcp", "destroy", "name", "local")
    for pending in reading:
        assert pending.reply(1)["r"] <= 0
    with pytest.raises(Failed) as failed:
        client.alloc("service")
    assert failed.value.code in (ENAME, EIPCP)


def test_layer_can_be_made_anew(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.irm("ipcp", "destroy", "name", "local")
    irmd.layer()
    irmd.service("one", server)
    accepting = server.begin("accept")
    client.alloc("one")
    accepting.result()
