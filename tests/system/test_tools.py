"""oping and oecho against each other, as a person uses them."""
import re
import signal

import pytest

import o7s


@pytest.fixture
def scene(irmd):
    """A layer, and for each tool its name."""
    irmd.layer()
    for tool in ("oping", "oecho"):
        irmd.service(tool)
        irmd.irm("bind", "program", irmd.build.program(tool), "name", tool)
    return irmd


def serve(irmd, tool, *options):
    server = irmd.spawn(tool, "-l", *options)
    o7s.eventually(lambda: server.pid in irmd.bound_pids(tool), what="a server")
    return server


@pytest.mark.parametrize("mode", [(), ("--poll",), ("--busy",)], ids=lambda mode: " ".join(mode) or "plain")
def test_ping(scene, mode):
    server = serve(scene, "oping", *mode)
    done = scene.run("oping", "-n", "oping", "-c", "5", "-i", "10ms", "-s", "100")
    assert done.returncode == 0, done.stderr
    replies = re.findall(r"^100 bytes from oping: seq=(\d+) time=[\d.]+ ms$", done.stdout, re.M)
    assert replies == list("01234")
    assert re.search(r"5 packets? (transmitted|sent), 5 (packets )?received", done.stdout)
    assert re.search(r"^rtt min/avg/max/mdev = ", done.stdout, re.M)
    assert server.poll() is None


@pytest.mark.parametrize("qos", ["raw", "raw_no_errors", "best_effort", "best", "video", "voice", "data", "best-effort"])
def test_ping_with_a_qos(scene, qos):
    serve(scene, "oping")
    done = scene.run("oping", "-n", "oping", "-c", "3", "-i", "10ms", "-q", qos)
    assert done.returncode == 0, done.stderr
    assert "3 packets transmitted, 3 received, 0 out-of-order, 0% packet loss" in done.stdout


def test_flood_of_data(scene):
    """A flow in order and without loss: none is missing and none comes twice."""
    serve(scene, "oping")
    done = scene.run("oping", "-n", "oping", "-c", "2000", "-f", "-q", "data")
    assert done.returncode == 0, done.stderr
    assert "2000 packets transmitted, 2000 received, 0 out-of-order, 0% packet loss" in done.stdout


def test_the_servers_side_sees_the_qos(scene):
    """What is asked for is what the other end of the flow was allocated with."""
    server = scene.puppet()
    scene.service("puppet", server)
    for qos, in_order, loss in (("raw", 0, 1), ("voice", 1, 1), ("data", 1, 0)):
        accepting = server.begin("accept")
        client = scene.spawn("oping", "-n", "puppet", "-c", "1", "-q", qos)
        reply = accepting.reply()
        assert (reply["qos"][5], reply["qos"][3]) == (in_order, loss)
        server.dealloc(reply["r"])
        client.wait(10 * o7s.PATIENCE)


def test_ping_of_several_clients(scene):
    serve(scene, "oping")
    clients = [scene.spawn("oping", "-n", "oping", "-c", "10", "-i", "5ms") for _ in range(5)]
    assert [client.wait(20) for client in clients] == [0] * 5


def test_ping_of_nobody(scene):
    done = scene.run("oping", "-n", "oping", "-c", "1")
    assert done.returncode == 1 and done.stderr
    done = scene.run("oping", "-n", "ghost", "-c", "1")
    assert done.returncode == 1 and done.stderr


def test_flood(scene):
    serve(scene, "oping")
    done = scene.run("oping", "-n", "oping", "-c", "2000", "-f", "-Q")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_cleanly(scene, number):
    server = serve(scene, "oping")
    server.send_signal(number)
    assert server.wait(2 * o7s.PATIENCE) == 0
    o7s.eventually(lambda: scene.bound_pids("oping") == [])


def test_interrupted_client_sums_up(scene):
    serve(scene, "oping")
    client = scene.spawn("oping", "-n", "oping", "-c", "1000", "-i", "20ms")
    o7s.eventually(lambda: b"seq=3" in client.log_path.read_bytes())
    client.send_signal(signal.SIGINT)
    assert client.wait(2 * o7s.PATIENCE) == 0
    assert b"rtt min/avg/max/mdev" in client.log_path.read_bytes()


def test_client_of_a_server_that_dies_ends(scene):
    server = serve(scene, "oping")
    client = scene.spawn("oping", "-n", "oping", "-c", "1000", "-i", "20ms")
    o7s.eventually(lambda: b"seq=2" in client.log_path.read_bytes())
    server.kill()
    client.wait(20)
    assert b"rtt min/avg/max/mdev" in client.log_path.read_bytes()


def test_echo_serves_many_D19(scene):
    server = serve(scene, "oecho")
    for text in ("one", "two words", "x" * 5000):
        done = scene.run("oecho", "-n", "oecho", text)
        assert done.returncode == 0 and text in done.stdout, done.stderr
    assert server.poll() is None


def test_echo_is_not_held_up_by_a_silent_client(scene):
    serve(scene, "oecho")
    silent = scene.puppet()
    silent.alloc("oecho")
    assert "text" in scene.run("oecho", "-n", "oecho", "text", timeout=5).stdout


@pytest.mark.parametrize("words", [("oping", "--nonsense"), ("oping", "-c", "x"), ("oecho", "--nonsense"), ("oping", "-s", "-5")])
def test_usage(irmd, words):
    done = irmd.run(*words)
    assert done.returncode == 2 and done.stderr


@pytest.mark.parametrize("tool", ["oping", "oecho", "irm", "irmd"])
def test_help(irmd, tool):
    done = irmd.run(tool, "--help")
    assert done.returncode == 0 and tool in done.stdout and done.stderr == ""


@pytest.mark.parametrize("tool", ["oping", "oecho"])
def test_without_a_daemon(irmd, tool):
    irmd.stop()
    for words in ((tool, "-l"), (tool, "-n", tool)):
        done = irmd.run(*words, timeout=10)
        assert done.returncode != 0 and done.stderr
