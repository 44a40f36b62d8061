"""The daemon as a process: start, signals, idleness, instances side by side."""
import os
import signal
import socket
import subprocess
import time

import pytest

import o7s


def test_says_its_version_and_how_it_is_used(irmd):
    version = irmd.run("irmd", "--version")
    assert version.returncode == 0 and version.stdout.strip()
    usage = irmd.run("irmd", "--help")
    assert usage.returncode == 0 and "--runtime-dir" in usage.stdout


def test_status(irmd_each_way):
    irmd = irmd_each_way
    client, fd, _, _ = irmd.pair()
    status = irmd.irm("status")
    assert status["pid"] == irmd.pid and status["uptime_ms"] >= 0 and status["version"]
    assert (status["names"], status["ipcps"], status["flows"], status["allocated"]) == (1, 1, 2, 1)
    client.ask("alloc", "ghost")
    assert irmd.status()["refused"] == 1


def test_flow_list(irmd):
    client, fd, server, peer_fd = irmd.pair()
    ends = {entry["end"]: entry for entry in irmd.irm("flow", "list")}
    assert ends["client"]["pid"] == client.pid and ends["server"]["pid"] == server.pid
    for end in ends.values():
        assert (end["name"], end["layer"]) == ("service", "local")
        assert os.path.basename(end["program"]) == "puppet"
    assert ends["client"]["id"] == client.ask("info", fd)["flow_id"]
    client.dealloc(fd)
    server.dealloc(peer_fd)
    irmd.wait_no_flows()


def test_log_goes_to_stdout_on_request(make_instance):
    irmd = make_instance("--stdout")
    assert irmd.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_orderly_stop(irmd_each_way, number):
    """IPCPs end, applications do not: they see the end of their flows."""
    irmd = irmd_each_way
    client, fd, server, peer_fd = irmd.pair()
    ipcp = irmd.ipcps()[0]["pid"]
    reading = client.begin_read(fd)
    irmd.daemon.send_signal(number)
    assert irmd.daemon.wait(3 * o7s.PATIENCE) == 0
    assert reading.reply(1)["r"] <= 0
    o7s.eventually(lambda: o7s.state_of(ipcp) in ("", "Z"), 1, "the end of the IPCP")
    assert client.process.poll() is None and server.process.poll() is None
    assert not irmd.socket_path.exists()


def test_hangup_does_not_stop_it_D9(irmd):
    client, fd, server, peer_fd = irmd.pair()
    for _ in range(3):
        irmd.daemon.send_signal(signal.SIGHUP)
        irmd.status()
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"
    assert irmd.alive()


def test_broken_pipe_of_the_log_does_not_stop_it(irmd):
    for _ in range(3):
        irmd.daemon.send_signal(signal.SIGPIPE)
    irmd.status()


def test_idle_uses_no_processor_and_does_not_wake_up(irmd):
    """Neither the daemon nor the IPCP nor applications that wait, with names, bindings and an open flow."""
    client, fd, server, peer_fd = irmd.pair()
    reading, accepting = client.begin_read(fd), server.begin("accept")
    pids = [irmd.pid, *o7s.descendants(irmd.pid), client.pid, server.pid]
    o7s.eventually(lambda: all(o7s.state_of(pid) == "S" for pid in pids))
    _settled(pids)
    before = [(o7s.ctxt_switches(pid), o7s.cpu_ticks(pid)) for pid in pids]
    time.sleep(2)  # the measurement itself
    assert [(o7s.ctxt_switches(pid), o7s.cpu_ticks(pid)) for pid in pids] == before
    assert not reading.done() and not accepting.done()


def _settled(pids):
    """Until nothing has changed for 200 ms."""
    def unchanged():
        before = [o7s.ctxt_switches(pid) for pid in pids]
        time.sleep(0.2)
        return before == [o7s.ctxt_switches(pid) for pid in pids]
    o7s.eventually(unchanged, 10, "quiet")


def test_second_daemon_in_the_same_directory_is_refused(irmd):
    done = irmd.run("irmd", timeout=10)
    assert done.returncode != 0 and done.stderr
    irmd.status()


def test_restart_after_a_kill(irmd):
    """What a killed daemon left in its directory does not hinder the next one."""
    irmd.layer()
    irmd.kill()
    irmd.start()
    client, fd, server, peer_fd = irmd.pair("again")
    client.write(fd, b"x")
    assert server.read(peer_fd) == b"x"


def test_runtime_directory_is_made(build, make_instance, ordinary_user):
    irmd = make_instance()
    irmd.stop()
    irmd.runtime = irmd.directory / "run" / "deeper"
    irmd.socket_path = irmd.runtime / "irm.sock"
    irmd.start()
    assert irmd.irm("status")["pid"] == irmd.pid


def test_flags_go_before_the_environment(make_instance):
    irmd = make_instance()
    irmd.stop()
    other = irmd.directory / "run" / "other"
    other.mkdir(mode=0o755)
    if irmd.user:
        os.chown(other, irmd.user.pw_uid, irmd.user.pw_gid)
    irmd.options += ["--runtime-dir", str(other)]
    irmd.start()
    assert (other / "irm.sock").is_socket() and not (irmd.runtime / "irm.sock").exists()


def test_instances_side_by_side_D21(make_instance):
    """The same names in three daemons, and nothing of one is seen in another."""
    scenes = []
    for i in range(3):
        irmd = make_instance()
        scenes.append((irmd, *irmd.pair("same")))
        scenes[-1][1].write(scenes[-1][2], b"%d" % i)
    for i, (irmd, _, _, server, peer_fd) in enumerate(scenes):
        assert server.read(peer_fd) == b"%d" % i
        assert irmd.status()["flows"] == 2
    scenes[0][0].stop()
    for irmd, client, fd, server, peer_fd in scenes[1:]:
        client.write(fd, b"on")
        assert server.read(peer_fd) == b"on"


def test_irm_without_a_daemon(make_instance):
    irmd = make_instance()
    irmd.stop()
    for words in (("name", "list"), ("status",), ("ipcp", "create", "name", "x", "type", "local")):
        with pytest.raises(o7s.Refused) as refused:
            irmd.irm(*words)
        assert refused.value.status == 3 and refused.value.sentence


def test_default_directory_of_an_ordinary_user(build, ordinary_user, make_instance):
    """Without any setting, programs and daemon meet in $XDG_RUNTIME_DIR/ouroboros."""
    if ordinary_user is None and os.getuid() == 0:
        pytest.skip("is about ordinary users")
    irmd = make_instance()
    irmd.stop()
    full = irmd.environment
    irmd.environment = lambda: {k: v for k, v in full().items() if k != "OUROBOROS_RUNTIME_DIR"} | {
        "XDG_RUNTIME_DIR": str(irmd.directory / "run")}
    irmd.start()
    assert (irmd.directory / "run" / "ouroboros" / "irm.sock").is_socket()
    assert irmd.irm("status")["pid"] == irmd.pid


def test_no_debris_in_shared_memory(irmd):
    """Ports are anonymous: nothing appears in /dev/shm, in no socket namespace, and in the directory only the socket and a lock."""
    before = set(os.listdir("/dev/shm"))
    irmd.pair()
    assert set(os.listdir("/dev/shm")) == before
    assert "ouroboros" not in open("/proc/net/unix", encoding="ascii", errors="replace").read().replace(str(irmd.directory), "")


def test_descriptor_of_the_socket_accepts_many(irmd):
    """A burst of connections larger than any listen queue is served."""
    sockets = []
    for _ in range(500):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(10)
        s.connect(str(irmd.socket_path))
        sockets.append(s)
    irmd.status()
    for s in sockets:
        s.close()


def test_without_notify_socket(build, make_instance):
    irmd = make_instance()
    irmd.stop()
    daemon = subprocess.Popen([str(build.program("irmd"))], env=irmd.environment(), stderr=subprocess.DEVNULL,
                              **({"user": irmd.user.pw_uid, "group": irmd.user.pw_gid, "extra_groups": []} if irmd.user else {}))
    try:
        o7s.eventually(irmd.socket_path.is_socket)
        assert irmd.irm("status")["pid"] == daemon.pid
    finally:
        daemon.terminate()
        assert daemon.wait(10) == 0
