"""The audit log, read by somebody who knows nothing but doc/audit.md: who, what, with whom, how protected, to what end,
when and how much can be told for each flow, and every flow that began has ended."""
import collections
import datetime
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import o7s
from puppet import ENAME

MAKE_CREDENTIALS = o7s.ROOT / "scripts" / "make-credentials.sh"

# -- the reader

HEX32 = re.compile(r"^[0-9a-f]{32}$")
TS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
HARMLESS = re.compile("^[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]*$")

FLOW = {"flow": int, "end": str, "name": str}
FLOW_MAY = {"oap_id": str, "pid": int, "uid": int, "program": str, "layer": str}

# event: (what it has, what it may have)
SCHEMA = {
    "start": ({"pid": int, "version": str}, {}),
    "stop": ({"pid": int}, {}),
    "asked": (FLOW, FLOW_MAY),
    "authenticated": ({**FLOW, "peer": str, "subject": str, "serial": str}, FLOW_MAY),
    "established": ({**FLOW, "authenticated": bool, "suite": str}, {**FLOW_MAY, "peer": str, "principal": str}),
    "refused": ({**FLOW, "reason": str, "code": int}, {**FLOW_MAY, "detail": str}),
    "closed": ({**FLOW, "reason": str, "duration_ms": float, "tx_bytes": int, "rx_bytes": int}, FLOW_MAY),
    "credentials": ({"note": str, "what": str}, {"text": str}),
}
EVERYWHERE = {"ts": str, "event": str}
LOSSES = {"lost": int, "journal_lost": int}


def check_line(line):
    """Whether a line is as doc/audit.md says."""
    must, may = SCHEMA[line["event"]]
    must = {**EVERYWHERE, **must}
    assert must.keys() <= line.keys(), line
    for key, value in line.items():
        kind = {**must, **may, **LOSSES}[key]
        assert type(value) is kind, (key, line)
        assert kind is not str or (value and HARMLESS.match(value)), (key, line)
    assert TS.match(line["ts"]), line
    if "flow" in line:
        assert line["end"] in ("client", "server") and line["flow"] > 0, line
        assert "oap_id" not in line or HEX32.match(line["oap_id"]), line
        assert ("pid" in line) == ("uid" in line) == ("program" in line), line


def parse(text):
    lines = [json.loads(line, object_pairs_hook=unique) for line in text.split("\n")[:-1]]
    assert text == "" or text.endswith("\n")
    for line in lines:
        check_line(line)
    return lines


def unique(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def path_of(irmd):
    return irmd.directory / "state" / "audit.jsonl"


def read(irmd):
    return parse(path_of(irmd).read_text())


def original(value):
    """The bytes that a value was made of."""
    def back(match):
        return b"\\" if match[0] == b"\\\\" else bytes([int(match[1], 16)])
    return re.sub(rb"\\\\|\\x([0-9a-f]{2})", back, value.encode())


def when(line):
    return datetime.datetime.strptime(line["ts"], "%Y-%m-%dT%H:%M:%S.%fZ")


class Story:
    """One end of a flow, from its lines."""

    def __init__(self, lines):
        events = [line["event"] for line in lines]
        assert events[0] == "asked" and events.count("asked") == 1, lines
        assert [e for e in events if e in ("refused", "closed")] == events[-1:], lines
        facts = {}
        for line in lines:
            facts.update(line)
        assert ("established" in events) == (events[-1] == "closed"), lines
        self.end = facts["end"]
        self.who = (facts.get("uid"), facts.get("pid"), facts.get("program"), facts.get("principal"))
        self.what = (facts["name"], facts.get("layer"))
        self.peer = facts.get("peer")
        self.suite = facts.get("suite")
        self.authenticated = facts.get("authenticated")
        self.result = facts["reason"]
        self.code = facts.get("code")
        self.opened = events[-1] == "closed"
        self.bytes = (facts.get("tx_bytes"), facts.get("rx_bytes"))
        self.oap_id = facts.get("oap_id")
        self.begin, self.over = when(lines[0]), when(lines[-1])
        assert self.begin <= self.over


def stories(irmd):
    by_flow = collections.defaultdict(list)
    for line in read(irmd):
        if "flow" in line:
            by_flow[line["flow"]].append(line)
    return [Story(lines) for lines in by_flow.values()]


def told(irmd, n):
    """The stories, when @n ends have come to their end."""
    def ended():
        return len([line for line in read_quietly(irmd) if line.get("event") in ("refused", "closed")]) >= n
    o7s.eventually(ended, what="%d ends in the audit log" % n)
    all_of_them = stories(irmd)
    assert len(all_of_them) == n
    return all_of_them


def read_quietly(irmd):
    """Of a file that is being written: whole lines only."""
    return [json.loads(line) for line in path_of(irmd).read_text().split("\n")[:-1]]


# -- one flow


def test_file_is_private(irmd):
    assert path_of(irmd).stat().st_mode & 0o7777 == 0o600


def test_start_and_stop(irmd):
    pid = irmd.pid
    irmd.stop()
    lines = read(irmd)
    assert (lines[0]["event"], lines[0]["pid"]) == ("start", pid)
    assert (lines[-1]["event"], lines[-1]["pid"]) == ("stop", pid)


def test_story_of_a_flow(irmd):
    before = datetime.datetime.utcnow()
    client, fd, server, server_fd = irmd.pair("talk")
    assert client.write(fd, b"x" * 100) == 100
    assert server.read(server_fd) == b"x" * 100
    assert server.write(server_fd, b"y" * 30) == 30
    assert client.read(fd) == b"y" * 30
    client.dealloc(fd)
    server.dealloc(server_fd)
    ends = {story.end: story for story in told(irmd, 2)}
    assert set(ends) == {"client", "server"}
    uid = irmd.user.pw_uid if irmd.user else os.getuid()
    for story, program in ((ends["client"], client), (ends["server"], server)):
        assert story.who[:2] == (uid, program.pid)
        assert story.who[2].endswith("/puppet")
        assert story.what == ("talk", "local")
        assert story.suite == "plain" and not story.authenticated
        assert story.peer == "uid:%d" % uid
        assert story.result == "closed" and story.opened
        assert before <= story.begin <= story.over <= datetime.datetime.utcnow()
    assert ends["client"].bytes == (100, 30)
    assert ends["server"].bytes == (30, 100)
    assert ends["client"].oap_id == ends["server"].oap_id is not None


def test_flow_show_has_the_number_of_the_log(irmd):
    client, fd, server, server_fd = irmd.pair("talk")
    for row in irmd.irm("flow", "list"):
        shown = irmd.irm("flow", "show", row["id"])
        lines = [line for line in read(irmd) if line.get("flow") == row["id"]]
        assert lines[-1]["event"] == "established"
        assert shown["oap_id"] == lines[-1]["oap_id"]
        assert shown["peer"] == lines[-1]["peer"]
        assert shown["suite"] == lines[-1]["suite"] == "plain"
        assert shown["authenticated"] is False and shown["principal"] == ""


def test_refusals_say_why(irmd):
    client, server = irmd.puppet(), irmd.puppet()
    irmd.layer()
    irmd.service("served", server)
    assert client.ask("alloc", "nowhere")["r"] == -ENAME
    allocating = client.begin("alloc", "served")
    o7s.eventually(irmd.flows)
    server.process.kill()
    assert allocating.reply()["r"] < 0
    irmd.wait_no_flows()
    refused = {(line["name"], line["end"]): line for line in read(irmd) if line["event"] == "refused"}
    assert refused["nowhere", "client"]["code"] == -ENAME
    assert refused["nowhere", "client"]["reason"] == "unknown-name"
    assert ("served", "client") in refused and ("served", "server") in refused
    assert all(not story.opened for story in stories(irmd))


def test_line_does_not_wait_for_the_next_event(irmd):
    """What a timer does is written before the daemon sleeps again."""
    irmd.layer()
    server = irmd.puppet()
    irmd.service("slow", server)
    assert irmd.puppet().ask("alloc", "slow", None, 50)["r"] < 0
    o7s.eventually(lambda: path_of(irmd).read_text().count('"refused"') == 2)
    assert {line["reason"] for line in read(irmd) if line["event"] == "refused"} >= {"timeout"}


# -- several at once


def test_scenario_is_reconstructed(irmd):
    """Three servers and four clients; each flow has its own number of bytes, by which it is known again."""
    irmd.layer()
    servers = {name: irmd.puppet() for name in ("alpha", "beta", "gamma")}
    for name, server in servers.items():
        irmd.service(name, server)
    clients = [irmd.puppet() for _ in range(4)]
    expected = {}
    for size, (client, name) in enumerate(((c, n) for c in clients for n in servers), start=1):
        accepting = servers[name].begin("accept")
        fd = client.alloc(name)
        server_fd = accepting.result()
        client.write(fd, b"z" * size)
        assert len(servers[name].read(server_fd)) == size
        client.dealloc(fd)
        servers[name].dealloc(server_fd)
        expected[size] = (name, client.pid, servers[name].pid)
    ends = told(irmd, 2 * len(expected))
    by_oap = collections.defaultdict(dict)
    for story in ends:
        by_oap[story.oap_id][story.end] = story
    assert len(by_oap) == len(expected)
    for pair in by_oap.values():
        size = pair["client"].bytes[0]
        assert pair["server"].bytes == (0, size)
        assert (pair["client"].what[0], pair["client"].who[1], pair["server"].who[1]) == expected.pop(size)
    assert not expected


def test_kills_leave_no_end_open(irmd):
    """Every beginning has an end, whoever is killed and when."""
    irmd.layer()
    server = irmd.puppet()
    irmd.service("victim", server)
    n = 0
    for kill_server in (False, True) * 4:
        client = irmd.puppet()
        accepting = server.begin("accept")
        client.alloc("victim")
        fd = accepting.result()
        waiting = client.begin("alloc", "victim")  # nobody accepts this one
        n += 4
        o7s.eventually(lambda: len(irmd.flows()) == 4, what="two open flows and two that wait")
        victim = server if kill_server else client
        victim.process.kill()
        irmd.forget(victim)
        if kill_server:
            assert waiting.reply()["r"] < 0
            client.process.kill()
            irmd.forget(client)
            server = irmd.puppet()
            irmd.bind(server, "victim")
        else:
            server.dealloc(fd)
        irmd.wait_no_flows()
    ends = told(irmd, n)
    assert sum(story.opened for story in ends) == n // 2
    assert {story.result for story in ends if story.opened} >= {"died"}


def test_layer_that_goes_ends_its_flows(irmd):
    client, fd, server, server_fd = irmd.pair()
    irmd.manage("ipcp_destroy", pid=irmd.ipcps()[0]["pid"])
    ends = told(irmd, 2)
    assert {story.result for story in ends} == {"layer-down"}


def test_stop_ends_what_is_open(irmd):
    irmd.pair()
    irmd.stop()
    assert all(story.opened for story in told(irmd, 2))
    assert read(irmd)[-1]["event"] == "stop"


def test_killed_daemon_starts_a_new_chapter(irmd):
    irmd.pair()
    irmd.kill()
    irmd.start()
    o7s.eventually(lambda: path_of(irmd).read_text().count('"event":"start"') == 2, what="a second chapter")
    lines = read(irmd)
    cut_off = [line["flow"] for line in lines if line["event"] == "established"]
    assert len(cut_off) == 2
    assert "closed" not in {line["event"] for line in lines}


# -- text of others

NAMES = ['it"s', "back\\slash", "{\"event\":\"closed\"}", "\u00e4\u00f6\u00fc\u20ac\U0001f600", "a\u2028b", "a\u202eb", "a=b",
         "\\x0a", "'$(reboot)'"]


@pytest.mark.parametrize("name", NAMES)
def test_names_forge_nothing(irmd, name):
    client, fd, server, server_fd = irmd.pair(name)
    client.dealloc(fd)
    server.dealloc(server_fd)
    for story in told(irmd, 2):
        assert original(story.what[0]) == name.encode()


def test_program_forges_nothing(irmd, build):
    """A program can be called as its owner likes."""
    irmd.layer()
    folder = irmd.directory / "x\n{\"event\":\"stop\",\"pid\":1}"
    folder.mkdir(mode=0o755)
    program = folder / "evil\x1b[2J\u2028"
    shutil.copy(build.program("puppet"), program)
    process = irmd.spawn(str(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    puppet = o7s.Puppet(process)
    names = {str(program).encode(), program.name.encode()[:15]}  # the path, and what the kernel calls it until that is known
    for n in range(1, 100):
        assert puppet.ask("alloc", "nowhere")["r"] == -ENAME
        said = [original(story.who[2]) for story in told(irmd, n)]
        assert set(said) <= names
        if str(program).encode() in said:
            break
    else:
        pytest.fail("its path is never known")


# -- the file


def test_rotation(irmd):
    irmd.pair("before")
    old = path_of(irmd).with_suffix(".1")
    path_of(irmd).rename(old)
    irmd.daemon.send_signal(signal.SIGHUP)
    o7s.eventually(path_of(irmd).exists)
    client = irmd.puppet()
    assert client.ask("alloc", "nowhere")["r"] == -ENAME
    o7s.eventually(lambda: path_of(irmd).stat().st_size > 0)
    assert [line["event"] for line in read(irmd) if "flow" in line] == ["asked", "refused"]
    assert {line["name"] for line in parse(old.read_text()) if "flow" in line} == {"before"}


def test_blocked_file_stops_nobody(irmd):
    """The log is a pipe that nobody reads: flows go on, and when somebody reads, all lines are there."""
    irmd.stop()
    path_of(irmd).unlink()
    os.mkfifo(path_of(irmd), 0o666)
    os.chmod(path_of(irmd), 0o666)
    irmd.start()
    irmd.layer()
    client, n = irmd.puppet(), 400
    for _ in range(n):
        assert client.ask("alloc", "nowhere")["r"] == -ENAME
    text = b""
    fd = os.open(path_of(irmd), os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb", buffering=0) as pipe:
        while text.count(b'"refused"') < n:
            text += pipe.read() or b""
            irmd.status()  # another turn of the loop
    lines = parse(text[:text.rindex(b"\n") + 1].decode())
    assert [line["event"] for line in lines].count("asked") == n
    assert not any("lost" in line for line in lines)


def told_after_turn(irmd, client, n):
    """What is told of @n ends and one more, which makes the daemon try again."""
    assert client.ask("alloc", "nowhere")["r"] == -ENAME
    return told(irmd, n + 1)


def limit_files(irmd, size):
    """The soft limit of the daemon, set by its own user, who may."""
    who = {} if irmd.user is None else {"user": irmd.user.pw_uid, "group": irmd.user.pw_gid, "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(irmd.pid), "--fsize=%s:" % size], check=True, **who)


def test_full_file_stops_nobody(irmd):
    """The log may not grow: flows go on, no line is missing or torn once it may."""
    irmd.layer()
    client, n = irmd.puppet(), 40
    limit_files(irmd, path_of(irmd).stat().st_size + 1000)
    for _ in range(n):
        assert client.ask("alloc", "nowhere")["r"] == -ENAME
    assert not path_of(irmd).read_text().endswith("\n")
    limit_files(irmd, "unlimited")
    for story in told_after_turn(irmd, client, n):
        assert story.result == "unknown-name"


def test_without_a_log_it_does_not_start(irmd):
    irmd.stop()
    path_of(irmd).unlink()
    path_of(irmd).mkdir()
    with pytest.raises(AssertionError):
        irmd.start()
    assert "audit" in irmd.log()
    irmd.daemon = None  # it has ended, as it should


# -- with credentials


def make_credentials(irmd, *words):
    subprocess.run([str(MAKE_CREDENTIALS), "--key", "p256", str(irmd.directory / "etc"), *words], check=True,
                   stdout=subprocess.DEVNULL)
    owner = irmd.user
    if owner is not None:
        for path in (irmd.directory / "etc").rglob("*"):
            os.chown(path, owner.pw_uid, owner.pw_gid)


def test_authenticated_flow(irmd):
    make_credentials(irmd, "ca")
    make_credentials(irmd, "server", "vault")
    make_credentials(irmd, "client", "default")
    assert irmd.irm("security", "check")["faults"] == []
    client, fd, server, server_fd = irmd.pair("vault")
    client.write(fd, b"q" * 64)
    assert server.read(server_fd) == b"q" * 64
    client.dealloc(fd)
    server.dealloc(server_fd)
    ends = {story.end: story for story in told(irmd, 2)}
    assert ends["client"].peer == "dns:vault" and ends["client"].who[3] == "default"
    assert ends["server"].peer == "dns:default" and ends["server"].who[3] == "vault"
    for story in ends.values():
        assert story.authenticated and story.suite == "p384"
    assert [story.oap_id for story in ends.values()].count(ends["client"].oap_id) == 2
    verified = [line for line in read(irmd) if line["event"] == "authenticated"]
    assert {line["subject"] for line in verified} == {"CN=vault", "CN=default"}
    assert all(re.match("^[0-9A-F]+$", line["serial"]) for line in verified)


def test_credentials_are_in_the_log(irmd):
    make_credentials(irmd, "ca")
    make_credentials(irmd, "server", "vault")
    irmd.irm("security", "check")
    loaded = [line for line in read(irmd) if line["event"] == "credentials" and line["what"] == "server/vault"]
    assert loaded[-1]["note"] in ("loaded", "changed")
    assert "CN=vault" in loaded[-1]["text"]
    (irmd.directory / "etc/security/server/vault/enc.cfg").write_text("nonsense = 1\n")
    assert irmd.run("irm", "security", "check").returncode == 1
    faults = [line for line in read(irmd) if line["event"] == "credentials" and line["note"] == "fault"]
    assert "nonsense" in faults[-1]["text"]
