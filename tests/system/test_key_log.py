"""The key log of irmd (--key-log): who can have one, what is in it, and that nobody can have it by accident or by trick."""
import os
import re
import resource
import stat
import subprocess

import pytest

import o7s
import security
from security import REMOTE

LARGEST = 1 << 28
LINE = re.compile(r"O7S1 [0-9a-f]{32} [0-9a-f]{96} [0-9a-f]{96}")


def secure(scene, *options):
    """An instance with credentials whose daemon has these options; started."""
    scene.irmd.options += [str(option) for option in options]
    scene.usual(REMOTE + "suite = x25519\n")
    return scene.start()


def lines(path):
    text = path.read_text()
    assert not text or text.endswith("\n")
    return text.splitlines()


def test_a_line_for_each_end_of_each_flow(scene):
    log = scene.irmd.directory / "state" / "keys"
    secure(scene, "--key-log", log)
    assert lines(log) == []
    ends = [scene.connect() for _ in range(3)]
    found = lines(log)
    assert all(LINE.fullmatch(line) for line in found)
    assert len(found) == 6 and len(set(found)) == 3  # both ends are of this host
    for fd, peer_fd in ends:
        scene.client.write(fd, b"a word")
        assert scene.server.read(peer_fd) == b"a word"
    assert lines(log) == found
    mode = os.stat(log)
    assert stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_uid == os.stat(scene.irmd.directory / "state").st_uid
    assert re.search(r"warning: KEY LOG.*%s" % log, scene.irmd.log())


def test_plain_flows_have_no_line(make_instance):
    instance = make_instance(start=False)
    log = instance.directory / "state" / "keys"
    instance.options += ["--key-log", str(log)]
    instance.start().pair()
    assert lines(log) == []


def test_without_the_option_there_is_none_whatever_the_environment_says(scene, monkeypatch):
    """Nor can it be asked for: there is no request that has to do with it."""
    log = scene.irmd.directory / "state" / "keys"
    before = scene.irmd.environment()
    names = ["OUROBOROS_KEY_LOG", "OUROBOROS_KEYLOG", "KEY_LOG", "SSLKEYLOGFILE"]
    monkeypatch.setattr(scene.irmd, "environment", lambda: {**before, **{name: str(log) for name in names}})
    secure(scene)
    scene.connect()
    assert not log.exists() and "KEY LOG" not in scene.irmd.log()
    for proto in (o7s.Path(__file__).resolve().parents[2] / "src").rglob("*.proto"):
        assert "key_log" not in proto.read_text() and "keylog" not in proto.read_text()


def test_of_root_it_stays_roots(make_instance, pki, other_user):
    """The daemon is somebody else then, and cannot open it again; nor do its IPCPs and programs have it."""
    instance = make_instance(start=False, drop_to=o7s.nobody())
    scene = security.Scene(instance, pki)
    log = instance.directory / "keys"
    secure(scene, "--key-log", log)
    scene.connect()
    mode = os.stat(log)
    assert (mode.st_uid, stat.S_IMODE(mode.st_mode)) == (0, 0o600) and len(lines(log)) == 2
    holders = [pid for pid in os.listdir("/proc") if pid.isdigit() and holds(pid, log)]
    assert holders == [str(instance.pid)]
    for user in (o7s.nobody(), other_user):
        assert o7s.as_user(user, lambda: not os.access(log, os.R_OK) and cannot_open("/proc/%d/fd" % instance.pid))


def cannot_open(path):
    try:
        os.listdir(path)
    except OSError:
        return True
    return False


def holds(pid, path):
    try:
        return any(os.path.realpath("/proc/%s/fd/%s" % (pid, fd)) == str(path) for fd in os.listdir("/proc/%s/fd" % pid))
    except OSError:
        return False


def refused(instance, path):
    """What the daemon says, and ends."""
    done = subprocess.run([str(instance.build.program("irmd")), "--key-log", str(path)], env=instance.environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10 * o7s.PATIENCE, check=False,
                          **instance._identity(instance.user))
    assert done.returncode == 1 and "key log: %s" % path in done.stderr, done.stderr
    assert "KEY LOG" not in done.stderr
    return done.stderr


@pytest.fixture
def place(make_instance):
    """(an instance that was not started, a folder of its user)"""
    instance = make_instance(start=False)
    return instance, instance.directory / "state"


def own(instance, path):
    if instance.user is not None:
        os.chown(path, instance.user.pw_uid, instance.user.pw_gid, follow_symlinks=False)


def test_no_link_is_followed(place):
    instance, folder = place
    target, link, hard = folder / "target", folder / "link", folder / "hard"
    os.symlink(target, link)
    refused(instance, link)
    assert not target.exists()
    target.write_text("")
    target.chmod(0o600)
    own(instance, target)
    refused(instance, link)
    os.link(target, hard)
    assert "nobody else" in refused(instance, hard)
    assert target.read_text() == ""


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666])
def test_a_file_that_others_may_open_is_refused(place, mode):
    instance, folder = place
    log = folder / "keys"
    log.write_text("")
    own(instance, log)
    log.chmod(mode)
    assert "nobody else" in refused(instance, log)
    assert stat.S_IMODE(os.stat(log).st_mode) == mode


def test_only_a_file_of_ones_own(place, other_user):
    instance, folder = place
    log = folder / "keys"
    log.write_text("")
    os.chown(log, other_user.pw_uid, other_user.pw_gid)
    log.chmod(0o600)
    refused(instance, log)  # may not open it
    done = subprocess.run([str(instance.build.program("irmd")), "--key-log", str(log), "--user", "nobody"],
                          env=instance.environment(), capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1 and "does not" not in done.stderr and "belongs to uid 0" in done.stderr  # root could


def test_only_a_regular_file(place):
    instance, folder = place
    os.mkfifo(folder / "pipe", 0o600)
    own(instance, folder / "pipe")
    refused(instance, folder / "pipe")
    holder = os.open(folder / "pipe", os.O_RDWR)  # somebody reads it
    assert "nobody else" in refused(instance, folder / "pipe")
    os.close(holder)
    refused(instance, folder)
    refused(instance, folder / "missing" / "keys")
    refused(instance, "/dev/null")


def test_lines_are_added_to_what_is_there(scene):
    log = scene.irmd.directory / "state" / "keys"
    log.write_text("an older line\n")
    own(scene.irmd, log)
    log.chmod(0o600)
    secure(scene, "--key-log", log)
    scene.connect()
    first, *rest = lines(log)
    assert first == "an older line" and len(rest) == 2


def test_a_log_that_cannot_be_written_stops_no_flow(scene):
    """It is as large as a file may be; other files are not."""
    log = scene.irmd.directory / "state" / "keys"
    log.touch(0o600)
    own(scene.irmd, log)
    os.truncate(log, LARGEST)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, before[1]))
    try:
        secure(scene, "--key-log", log)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    fd, peer_fd = scene.connect()
    scene.client.write(fd, b"a word")
    assert scene.server.read(peer_fd) == b"a word"
    assert os.stat(log).st_size == LARGEST and "key log: a line is lost" in scene.irmd.log()
