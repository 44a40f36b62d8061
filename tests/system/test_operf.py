"""operf as a person uses it, and both of its sides against somebody who does not say what operf would."""
import json
import os
import pty
import signal
import struct
import subprocess
import time

import pytest

import o7s

UNI, BI, RR, CRR = range(1, 5)
NAMES = {UNI: "uni", BI: "bi", RR: "rr", CRR: "crr"}
HELLO, READY, DATA, DONE, COUNT = range(1, 6)
KINDS = ["raw", "raw_no_errors", "best_effort", "video", "voice", "data"]


# -- messages, by src/tools/operf/message.h

def head(kind, test, version=1):
    return b"oprf" + bytes([version, kind, test, 0])


def hello(test, size=64, rate=0, duration_ns=10**9):
    return head(HELLO, test) + struct.pack(">IQQ", size, rate, duration_ns)


def data(test, number, size=64):
    return (head(DATA, test) + struct.pack(">QQ", number, 0)).ljust(size, b"\0")


def count(test, sent, messages, out_of_order=0, duplicates=0, span_ns=10**9):
    return head(COUNT, test) + struct.pack(">5Q", sent, messages, out_of_order, duplicates, span_ns)


def counted(message):
    return dict(zip(("sent", "messages", "out_of_order", "duplicates", "span_ns"), struct.unpack(">5Q", message[8:])))


# -- scenes

@pytest.fixture
def scene(irmd):
    """A layer with a name for operf."""
    irmd.layer()
    irmd.service("perf")
    irmd.irm("bind", "program", irmd.build.program("operf"), "name", "perf")
    return irmd


@pytest.fixture
def server(scene):
    process = scene.spawn("operf", "-l")
    o7s.eventually(lambda: process.pid in scene.bound_pids("perf"), what="a server")
    return process


@pytest.fixture
def client(scene, server):
    """A puppet that speaks to the server: say(first message) gives a flow."""
    puppet = scene.puppet()

    def say(message, *qos):
        fd = puppet.alloc("perf", *qos)
        puppet.write(fd, message)
        return fd

    puppet.say = say
    return puppet


def measure(scene, *words, status=0, **how):
    """The JSON of a run."""
    done = scene.run("operf", "-n", "perf", "--json", *words, **how)
    assert done.returncode == status, done.stderr
    assert (done.stderr == "") == (status == 0)
    return json.loads(done.stdout)


def result_of(process, status):
    assert process.wait(20 * o7s.PATIENCE) == status
    return json.loads(process.stdout.read())


def check_latency(result):
    latency = result["latency_ns"]
    figures = [latency[key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert figures == sorted(figures) and figures[0] > 0
    assert latency["min"] <= latency["mean"] <= latency["max"]


def check_way(way, size):
    assert way["arrived"] == way["sent"] > 0 and way["lost"] == way["duplicates"] == way["out_of_order"] == 0
    assert way["messages_per_s"] == pytest.approx((way["arrived"] - 1) / way["seconds"])
    assert way["bits_per_s"] == pytest.approx(8 * size * way["messages_per_s"])


# -- the tests of operf

@pytest.mark.parametrize("qos", KINDS)
def test_uni(scene, server, qos):
    """Everything arrives in the local layer, whatever was asked for; the rate is the receiver's."""
    result = measure(scene, "-d", "300ms", "-q", qos)
    check_way(result["up"], 1024)
    assert 0.1 < result["up"]["seconds"] < 2 * o7s.PATIENCE
    assert (result["test"], result["qos"], result["size"], result["rate"]) == ("uni", qos, 1024, None)
    assert (result["name"], result["layer"], result["error"], result["interrupted"]) == ("perf", "local", None, False)
    assert (result["authenticated"], result["encrypted"]) == (False, False)
    assert "down" not in result and "latency_ns" not in result


@pytest.mark.parametrize("qos", ["raw", "data"])
def test_bi(scene, server, qos):
    result = measure(scene, "-t", "bi", "-d", "300ms", "-s", "500", "-q", qos)
    check_way(result["up"], 500)
    check_way(result["down"], 500)


@pytest.mark.parametrize("test", ["rr", "crr"])
@pytest.mark.parametrize("qos", ["raw", "data"])
def test_requests(scene, server, test, qos):
    result = measure(scene, "-t", test, "-d", "300ms", "-q", qos)
    assert result["answered"] == result["requests"] > 1 and result["failed"] == 0
    assert result["answered_per_s"] == pytest.approx(result["answered"] / result["seconds"])
    assert (result["size"], result["layer"]) == (64, "local")
    check_latency(result)


@pytest.mark.parametrize("test", NAMES.values())
@pytest.mark.parametrize("size", [28, 65536])
def test_sizes(scene, server, test, size):
    result = measure(scene, "-t", test, "-d", "100ms", "-s", str(size))
    if test in ("uni", "bi"):
        check_way(result["up"], size)
    else:
        assert result["answered"] > 0


@pytest.mark.parametrize("test", NAMES.values())
def test_sizes_that_no_flow_takes(scene, server, test):
    result = measure(scene, "-t", test, "-d", "100ms", "-s", str(1 << 20), status=1)
    assert "long" in result["error"]


@pytest.mark.parametrize("test", ["uni", "bi"])
def test_rate_of_a_stream(scene, server, test):
    """500 ms of 400 messages of 125 bytes a second, said in bits: 200 of them."""
    result = measure(scene, "-t", test, "-d", "500ms", "-s", "125", "-r", "400kbit")
    assert result["rate"] == 400
    for way in ("up", "down") if test == "bi" else ("up",):
        assert result[way]["sent"] <= 200
        assert result[way]["sent"] >= 190 // o7s.PATIENCE


@pytest.mark.parametrize("test", ["rr", "crr"])
def test_rate_of_requests(scene, server, test):
    result = measure(scene, "-t", test, "-d", "1s", "-r", "50")
    assert 50 // o7s.PATIENCE <= result["requests"] <= 50
    assert result["failed"] == 0


def test_many_clients_at_once(scene, server):
    """All four tests, three times each, on one server, which lives on."""
    clients = [scene.spawn("operf", "-n", "perf", "-t", test, "-d", "500ms", "-q", qos)
               for test in NAMES.values() for qos in ("raw", "data", "voice")]
    assert [client.wait(30 * o7s.PATIENCE) for client in clients] == [0] * 12
    assert server.poll() is None
    scene.wait_no_flows()


def test_text(scene, server):
    done = scene.run("operf", "-n", "perf", "-t", "bi", "-d", "100ms")
    assert done.returncode == 0 and done.stderr == ""
    for way in ("to the server", "from the server"):
        assert "%s: " % way in done.stdout
    assert " 0 lost (0%), 0 out-of-order, 0 duplicates" in done.stdout and "bit/s" in done.stdout
    done = scene.run("operf", "-n", "perf", "-t", "rr", "-d", "100ms")
    assert done.returncode == 0 and done.stderr == ""
    assert "latency min/mean/max = " in done.stdout and "latency p50/p90/p99/p99.9 = " in done.stdout


def test_server_tells_of_flows(scene, server):
    measure(scene, "-d", "50ms")
    measure(scene, "-d", "50ms", "-t", "rr")
    measure(scene, "-d", "50ms", "-t", "crr")
    o7s.eventually(lambda: b" requests." in server.log_path.read_bytes())
    said = server.log_path.read_text()
    assert "uni, 1024 byte messages." in said and " messages arrived, " in said and "rr, 64 byte messages." in said
    assert "crr" not in said


# -- a terminal

def on_terminal(scene, *words):
    """What a run prints on a terminal that is its stderr."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([str(scene.build.program("operf")), "-n", "perf", "-d", "1300ms", *words],
                          env=scene.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                          **scene._identity(scene.user)) as process:
        os.close(theirs)
        assert process.wait(20 * o7s.PATIENCE) == 0
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass  # a terminal without anybody at the other end
    os.close(ours)
    return said


@pytest.mark.parametrize("test", NAMES.values())
def test_progress_on_a_terminal(scene, server, test):
    said = on_terminal(scene, "-t", test)
    assert said.startswith(b"\r\x1b[K") and said.endswith(b"\r\x1b[K") and b" s  " in said and b"/s" in said
    assert (b"bit/s" in said) == (test in ("uni", "bi"))


def test_no_progress_for_the_quiet(scene, server):
    assert on_terminal(scene, "-Q") == b""


# -- ends

@pytest.mark.parametrize("test", NAMES.values())
def test_interrupted_client_sums_up(scene, server, test):
    process = scene.spawn("operf", "-n", "perf", "-t", test, "-d", "1h", "--json", stdout=subprocess.PIPE)
    o7s.eventually(lambda: scene.status()["flows"] > 0)
    time.sleep(0.3)  # something is to be measured; how much does not matter
    process.send_signal(signal.SIGINT)
    assert process.wait(3 * o7s.PATIENCE) == 0
    result = json.loads(process.stdout.read())
    assert result["interrupted"] and result["error"] is None
    if test in ("uni", "bi"):
        check_way(result["up"], 1024)
    else:
        check_latency(result)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_cleanly(scene, server, number):
    clients = [scene.spawn("operf", "-n", "perf", "-t", test, "-d", "20s") for test in NAMES.values()]
    o7s.eventually(lambda: server.log_path.read_bytes().count(b"byte messages") == 3)
    server.send_signal(number)
    assert server.wait(3 * o7s.PATIENCE) == 0
    for client in clients:
        client.wait(10 * o7s.PATIENCE)
    o7s.eventually(lambda: scene.bound_pids("perf") == [])


@pytest.mark.parametrize("test", NAMES.values())
def test_client_of_a_server_that_dies_ends(scene, server, test):
    """uni: what arrived nobody knows any more, and so nothing came back."""
    process = scene.spawn("operf", "-n", "perf", "-t", test, "-d", "1h", "--json", stdout=subprocess.PIPE)
    o7s.eventually(lambda: scene.status()["flows"] > 0)
    time.sleep(0.3)
    server.kill()
    status = process.wait(30 * o7s.PATIENCE)
    result = json.loads(process.stdout.read())
    assert result["error"] is not None and not result["interrupted"]
    assert status == (1 if test in ("uni", "bi") else 0)
    if test in ("uni", "bi"):
        assert result["up"]["sent"] > 0 and result["up"]["arrived"] is None


@pytest.mark.parametrize("test", NAMES.values())
def test_nobody(scene, test):
    result = measure(scene, "-t", test, status=1)
    assert result["error"] is not None


@pytest.mark.parametrize("name, status", [("ghost", 1), ("", 2)])
def test_names_that_are_none(scene, name, status):
    done = scene.run("operf", "-n", name, "-d", "100ms")
    assert done.returncode == status and done.stderr


def test_name_that_json_cannot_hold(scene):
    process = scene.spawn("operf", "-n", os.fsdecode(b"\xff"), "--json", stdout=subprocess.PIPE)
    result = result_of(process, 1)
    assert result["name"] is None and result["error"] is not None


def test_without_a_daemon(irmd):
    irmd.stop()
    for words in (("-l",), ("-n", "perf"), ("-n", "perf", "-t", "crr")):
        done = irmd.run("operf", *words, timeout=10)
        assert done.returncode == 1 and done.stderr


# -- the command line

@pytest.mark.parametrize("words", [("--nonsense",), ("-t", "tri"), ("-d", "x"), ("-d", "0"), ("-s", "27"), ("-s", "-5"),
                                   ("-r", "0"), ("-r", "1kb"), ("-q", "dat"), ("-n", "perf", "word"), (),
                                   ("-n", "perf", "-f", "-r", "10"), ("-s", "1048577")])
def test_usage(irmd, words):
    done = irmd.run("operf", *words)
    assert done.returncode == 2 and done.stderr and done.stdout == ""


@pytest.mark.parametrize("tool", ["operf", "oping"])
def test_unknown_qos_is_answered_with_the_names(irmd, tool):
    done = irmd.run(tool, "-n", "perf", "-q", "perfect")
    assert done.returncode == 2 and "'perfect'" in done.stderr and all(name in done.stderr for name in KINDS)


@pytest.mark.parametrize("qos", ["best-effort", "raw-no-errors", "best"])
def test_other_ways_to_say_a_qos(scene, server, qos):
    asked = measure(scene, "-d", "50ms", "-q", qos)["qos"]
    assert asked in ("best_effort", "raw_no_errors")


def test_help_and_version(irmd):
    done = irmd.run("operf", "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert all(word in done.stdout for word in ("crr", "--json", "-r, --rate", *KINDS))
    assert irmd.run("operf", "--version").stdout.startswith("operf ")


# -- a server with strange clients

BAD_HELLOS = {
    "text": b"Hello, is this operf?".ljust(64),
    "one byte": b"o",
    "only a head": head(HELLO, UNI),
    "cut": hello(UNI)[:-1],
    "data first": data(UNI, 0),
    "done first": head(DONE, UNI),
    "other version": head(HELLO, UNI, version=2) + hello(UNI)[8:],
    "no test": hello(0),
    "unknown test": hello(5),
    "no size": hello(UNI, size=0),
    "huge size": hello(BI, size=2**32 - 1),
    "huge rate": hello(BI, rate=2**64 - 1),
    "no duration": hello(BI, duration_ns=0),
    "endless": hello(BI, duration_ns=2**63 - 1),
    "long text": bytes(range(256)) * 256,
    "crr, size not kept": hello(CRR, size=100),
}


@pytest.mark.parametrize("message", BAD_HELLOS.values(), ids=BAD_HELLOS)
def test_bad_first_message_ends_that_flow_only(scene, server, client, message):
    good = client.say(hello(RR))
    assert client.read(good) == head(READY, RR)
    bad = client.say(message)
    assert client.read(bad) == b""  # the end
    client.write(good, data(RR, 1))
    assert client.read(good) == data(RR, 1)
    assert server.poll() is None


def test_silent_clients_hold_nobody_up(scene, server, client):
    flows = [client.alloc("perf") for _ in range(30)]
    assert measure(scene, "-d", "100ms")["up"]["arrived"] > 0
    for fd in flows:
        client.dealloc(fd)
    scene.wait_no_flows()


def test_losses_are_counted(client):
    """Numbers that are missing, late or there twice; what is no DATA of this test is passed over."""
    fd = client.say(hello(UNI))
    assert client.read(fd) == head(READY, UNI)
    for number in (0, 1, 4, 3, 3, 6):
        client.write(fd, data(UNI, number))
    for noise in (data(UNI, 7)[:-1], data(UNI, 7) + b"x", data(BI, 7), b"noise", data(UNI, 2**63), head(COUNT, UNI)):
        client.write(fd, noise)
    for _ in range(2):  # as often as it is asked
        client.write(fd, head(DONE, UNI))
        answer = counted(client.read(fd))
        assert answer.pop("span_ns") > 0
        assert answer == {"sent": 0, "messages": 5, "out_of_order": 1, "duplicates": 1}


def test_greeting_may_come_again(client):
    """As long as it is the same: its answer may be lost."""
    fd = client.say(hello(UNI))
    client.write(fd, hello(UNI))
    assert [client.read(fd), client.read(fd)] == [head(READY, UNI)] * 2
    client.write(fd, hello(UNI, size=65))
    assert client.read(fd) == b""


def test_server_sends_from_the_first_data_to_done(client):
    """bi, 100 messages a second: none before; all have the size; the COUNT tells how many they were."""
    fd = client.say(hello(BI, size=40, rate=100_000, duration_ns=10**12))
    assert client.read(fd) == head(READY, BI)
    time.sleep(0.1)
    client.write(fd, data(BI, 0, 40))
    first = client.read(fd)
    assert first[:16] == head(DATA, BI) + bytes(8) and len(first) == 40
    client.write(fd, head(DONE, BI))
    got = 1
    while (message := client.read(fd))[5] == DATA:
        assert message[8:16] == got.to_bytes(8, "big") and len(message) == 40
        got += 1
    assert counted(message) == {"sent": got, "messages": 1, "out_of_order": 0, "duplicates": 0, "span_ns": 0}


def test_client_that_does_not_read_holds_nobody_up(scene, server, client):
    """The server's messages fill the flow; the others have their turn, and the server can be stopped."""
    fd = client.say(hello(BI, size=60000, duration_ns=10**13))
    client.read(fd)
    client.write(fd, data(BI, 0, 60000))
    assert measure(scene, "-d", "100ms", "-t", "rr")["answered"] > 0
    server.terminate()
    assert server.wait(3 * o7s.PATIENCE) == 0


# -- a client with strange servers

@pytest.fixture
def strange(irmd):
    """strange(test, words...) is an operf under way and what a puppet that serves it has read: its HELLO's flow."""
    irmd.layer()
    puppet = irmd.puppet()
    irmd.service("perf", puppet)

    def start(test, *words):
        accepting = puppet.begin("accept")
        process = irmd.spawn("operf", "-n", "perf", "-t", NAMES[test], "--json", *words, stdout=subprocess.PIPE)
        fd = accepting.result()
        return process, puppet, fd, puppet.read(fd)

    return start


def read_until_done(puppet, fd):
    """How many DATA there were before DONE."""
    n = 0
    while (message := puppet.read(fd)) and message[5] != DONE:
        n += message[5] == DATA
    return n


def test_greeting_of_the_client(strange):
    process, puppet, fd, first = strange(UNI, "-d", "2s", "-s", "100", "-r", "5")
    assert first == hello(UNI, size=100, rate=5000, duration_ns=2 * 10**9)
    assert puppet.read(fd) == first  # without an answer it says it again
    puppet.dealloc(fd)
    assert "ended" in result_of(process, 1)["error"]


def test_lost_messages_are_reported(strange):
    process, puppet, fd, _ = strange(UNI, "-d", "100ms", "-r", "100", "-s", "100")
    puppet.write(fd, head(READY, UNI))
    sent = read_until_done(puppet, fd)
    assert 2 <= sent <= 10
    for _ in range(2):  # one answer may be too early: twice the same is the truth
        puppet.write(fd, count(UNI, 0, sent - 1, 1, 2, 50_000_000))
    way = result_of(process, 0)["up"]
    assert (way["sent"], way["arrived"], way["lost"]) == (sent, sent - 1, 1)
    assert (way["out_of_order"], way["duplicates"], way["seconds"]) == (1, 2, 0.05)
    assert way["messages_per_s"] == pytest.approx((sent - 2) / 0.05)


def test_late_messages_are_waited_for(strange):
    """The client asks again while the count may still grow."""
    process, puppet, fd, _ = strange(UNI, "-d", "100ms", "-r", "100", "-s", "100")
    puppet.write(fd, head(READY, UNI))
    sent = read_until_done(puppet, fd)
    puppet.write(fd, count(UNI, 0, sent - 1))
    assert puppet.read(fd)[5] == DONE
    puppet.write(fd, count(UNI, 0, sent))
    assert result_of(process, 0)["up"]["lost"] == 0


def test_more_than_was_sent_is_not_believed(strange):
    process, puppet, fd, _ = strange(UNI, "-d", "50ms", "-r", "100")
    puppet.write(fd, head(READY, UNI))
    read_until_done(puppet, fd)
    puppet.write(fd, count(UNI, 0, 10**6))
    result = result_of(process, 1)
    assert "more arrived" in result["error"] and result["up"]["arrived"] is None


def test_noise_is_no_answer(strange):
    """What is not said as it should be does not count, and the test ends all the same."""
    process, puppet, fd, _ = strange(UNI, "-d", "50ms", "-r", "100")
    for noise in (b"x", bytes(3000), hello(UNI), head(READY, BI), head(READY, UNI)):
        puppet.write(fd, noise)
    read_until_done(puppet, fd)
    for noise in (b"x", head(COUNT, UNI), count(BI, 0, 1), count(UNI, 0, 2**64 - 1), count(UNI, 0, 1, 2)):
        puppet.write(fd, noise)
    result = result_of(process, 1)
    assert "does not say" in result["error"] and result["up"]["arrived"] is None


def test_nothing_arrived(strange):
    process, puppet, fd, _ = strange(UNI, "-d", "50ms", "-r", "100")
    puppet.write(fd, head(READY, UNI))
    read_until_done(puppet, fd)
    for _ in range(2):
        puppet.write(fd, count(UNI, 0, 0, span_ns=0))
    way = result_of(process, 1)["up"]
    assert way["arrived"] == 0 and way["lost"] == way["sent"] and way["bits_per_s"] == 0


def test_rr_passes_over_what_is_no_answer(strange):
    process, puppet, fd, _ = strange(RR, "-d", "300ms", "-r", "10")
    puppet.write(fd, head(READY, RR))
    first = puppet.read(fd)
    for noise in (b"x", data(RR, 5), first[:-1], first + b"x"):
        puppet.write(fd, noise)
    puppet.write(fd, first)
    while message := puppet.read(fd):
        puppet.write(fd, message)
    result = result_of(process, 0)
    assert result["answered"] == result["requests"] and result["failed"] == 0


def test_no_coordinated_omission(strange):
    """
    A server that stops for half a second delays also the requests that were due meanwhile: at 100 a second, about
    fifty of the hundred, which waited for a quarter of a second on average.
    """
    process, puppet, fd, _ = strange(RR, "-d", "1s", "-r", "100")
    puppet.write(fd, head(READY, RR))
    first = puppet.read(fd)
    time.sleep(0.5)
    puppet.write(fd, first)
    while message := puppet.read(fd):
        puppet.write(fd, message)
    latency = result_of(process, 0)["latency_ns"]
    assert latency["max"] >= 500 * 10**6
    assert latency["p90"] >= 300 * 10**6 and latency["mean"] >= 80 * 10**6


def test_crr_must_bring_the_same_back(strange):
    process, puppet, fd, first = strange(CRR, "-d", "1s", "-s", "100")
    assert first == hello(CRR, size=100, duration_ns=10**9).ljust(100, b"\0")
    puppet.write(fd, first[:-1] + b"x")
    result = result_of(process, 1)
    assert (result["requests"], result["answered"], result["latency_ns"]) == (1, 0, None)
