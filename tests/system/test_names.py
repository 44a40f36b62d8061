"""Names: created, listed, registered, destroyed; what cannot be a name."""
import errno

import pytest

import o7s
from puppet import ENAME, Failed


def names(irmd):
    return {entry["name"]: entry for entry in irmd.irm("name", "list")}


def test_create_list_destroy(irmd_each_way):
    irmd = irmd_each_way
    irmd.irm("name", "create", "one")
    irmd.irm("name", "create", "two", "lb", "spillover")
    assert names(irmd)["one"]["lb"] == "round-robin"
    assert names(irmd)["two"]["lb"] == "spillover"
    irmd.irm("name", "destroy", "one")
    assert list(names(irmd)) == ["two"]


def test_list_of_one_name(irmd):
    for name in ("one", "two"):
        irmd.irm("name", "create", name)
    assert [entry["name"] for entry in irmd.irm("name", "list", "two")] == ["two"]


def test_created_twice_is_refused(irmd):
    irmd.irm("name", "create", "one")
    with pytest.raises(o7s.Refused) as refused:
        irmd.irm("name", "create", "one")
    assert refused.value.status == 1 and "one" in refused.value.sentence


@pytest.mark.parametrize("command", [
    ("name", "destroy", "ghost"),
    ("name", "register", "one", "layer", "ghost"),
    ("name", "register", "one", "ipcp", "ghost"),
    ("unbind", "program", "/bin/true", "name", "ghost"),
    ("unbind", "process", "1", "name", "ghost"),
    ("ipcp", "destroy", "name", "ghost"),
    ("bind", "program", "/no/such/program", "name", "one"),
    ("bind", "process", "999999999", "name", "one"),
], ids=" ".join)
def test_what_is_unknown_is_refused_with_one_sentence(irmd, command):
    irmd.irm("name", "create", "one")
    with pytest.raises(o7s.Refused) as refused:
        irmd.irm(*command)
    assert refused.value.status == 1
    assert refused.value.sentence and "\n" not in refused.value.sentence


def test_registered_name_shows_its_layer(irmd):
    irmd.layer("ground")
    irmd.service("one", layer="ground")
    assert names(irmd)["one"]["layers"] == ["ground"]
    irmd.irm("name", "unregister", "one", "layer", "ground")
    assert names(irmd)["one"]["layers"] == []


def test_unregistered_name_is_not_reached(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    irmd.irm("name", "unregister", "one", "layer", "local")
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code == ENAME and failed.value.errno == errno.ENOENT


def test_destroyed_name_is_not_reached(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("one", server)
    irmd.irm("name", "destroy", "one")
    with pytest.raises(Failed) as failed:
        client.alloc("one")
    assert failed.value.code == ENAME


def test_flow_outlives_its_name(irmd):
    client, fd, server, peer_fd = irmd.pair("one")
    irmd.irm("name", "destroy", "one")
    client.write(fd, b"still here")
    assert server.read(peer_fd) == b"still here"


def test_five_thousand_names_are_listed_D10(irmd):
    """A list is as long as it is: more than one message, more than one buffer."""
    wanted = ["name-%04d-%s" % (i, "x" * 60) for i in range(5000)]
    with irmd.control() as control:
        for name in wanted:
            assert control.call("name_create", name=name)["result"] == 0
        replies = list(control.replies(control.send(o7s.request("name_list"))))
    assert len(replies) > 1
    listed = [entry["name"] for reply in replies for entry in reply.get("names", {}).get("entry", [])]
    assert sorted(listed) == wanted
    assert sorted(names(irmd)) == wanted
    assert len(irmd.run("irm", "name", "list").stdout.splitlines()) >= 5000
