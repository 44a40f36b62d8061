"""One instance of Ouroboros in a temporary directory, and the programs that a test runs against it.

Nothing waits by sleeping for a guessed time: the daemon says when it is ready, and `eventually` asks for a condition.
"""
import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from control import Connection, request  # noqa: F401 (for the tests)
from puppet import PATIENCE, Puppet

ROOT = Path(__file__).resolve().parents[2]
SANITIZER_REPORT = re.compile(rb"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:")
PR_SET_CHILD_SUBREAPER = 36


def eventually(condition, timeout=10, what="the condition"):
    """Waits for condition() to be true and returns its value; fails after @timeout seconds (times $O7S_PATIENCE)."""
    end = time.monotonic() + timeout * PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, "%s did not come true in %g s" % (what, timeout)
        time.sleep(0.005)
    return value


def build_dir():
    """Where the programs are: $O7S_BUILD, copied when @user cannot get at it."""
    return (ROOT / os.environ.get("O7S_BUILD", "build")).resolve()


def become_subreaper():
    """Orphans of a test become children of this process, so that none can hide."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid):
    path = Path("/proc/%d/task/%d/children" % (pid, pid))
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError:
        return []


def descendants(pid):
    return [d for child in children(pid) for d in [child] + descendants(child)]


def state_of(pid):
    """The letter of its state (Z: zombie), "" when there is no such process."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def cmdline(pid):
    try:
        return Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def status_text(pid, field):
    """The first word of a line in /proc/PID/status."""
    text = Path("/proc/%d/status" % pid).read_text()
    return re.search(r"^%s:\s+(\S+)" % field, text, re.M)[1]


def status_of(pid, field):
    return int(status_text(pid, field))


def fd_count(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def cpu_ticks(pid):
    fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def ctxt_switches(pid):
    """Over all threads of a process."""
    total = 0
    for status in Path("/proc/%d/task" % pid).glob("*/status"):
        total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", status.read_text()))
    return total


class Refused(Exception):
    """`irm` ended with another status than 0."""

    def __init__(self, done):
        super().__init__("exit status %d: %s" % (done.returncode, done.stderr.strip()))
        self.status = done.returncode
        self.sentence = done.stderr.strip()


class Build:
    """The programs of one build tree, which the user @who must be able to run."""

    def __init__(self, directory, who):
        self.directory = directory
        self.copy = None
        if who is not None and not self._reachable_by(who):
            self._copy_for_others()

    def _reachable_by(self, who):
        probe = ["test", "-x", str(self.path("src/irmd/irmd"))]
        return subprocess.run(probe, user=who.pw_uid, group=who.pw_gid, extra_groups=[], check=False).returncode == 0

    def _copy_for_others(self):
        self.copy = tempfile.mkdtemp(prefix="o7s-build-")
        os.chmod(self.copy, 0o755)
        for part in ("src", "tests/system/programs"):
            shutil.copytree(self.directory / part, Path(self.copy) / part, symlinks=True,
                            ignore=shutil.ignore_patterns("*.o", "CMakeFiles"))
        self.directory = Path(self.copy)

    def path(self, relative):
        return self.directory / relative

    def program(self, name):
        for folder in ("src/irmd", "src/tools", "tests/system/programs"):
            for candidate in (self.path(folder) / name, self.path(folder) / name / name):
                if candidate.is_file():
                    return candidate
        raise FileNotFoundError("no program %s in %s" % (name, self.directory))

    def environment(self):
        env = {"PATH": "%s:/usr/bin:/bin" % self.path("src/tools"), "LANG": "C.UTF-8",
               "ASAN_OPTIONS": "detect_leaks=1",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "TSAN_OPTIONS": "halt_on_error=1"}
        if self.copy:
            env["LD_LIBRARY_PATH"] = str(self.path("src/lib"))
        return env

    def sanitized(self):
        cache = (build_dir() / "CMakeCache.txt").read_text()
        return re.search(r"^O7S_SANITIZE:\w+=(.+)$", cache, re.M) is not None

    def destroy(self):
        if self.copy:
            shutil.rmtree(self.copy)


class Instance:
    """A daemon with everything that was started around it.

    @user runs all of it (None: the user of the tests). @drop_to: the daemon is started by root and told to become that
    user. Programs and tools run as @user too.
    """

    def __init__(self, build, user=None, drop_to=None, options=()):
        self.build = build
        self.user = user
        self.drop_to = drop_to
        self.options = [str(option) for option in options]
        self.ipcp_dir = build.path("src/ipcpd")
        self.directory = Path(tempfile.mkdtemp(prefix="o7s-"))
        self.runtime = self.directory / "run"
        self.socket_path = self.runtime / "irm.sock"
        self.log_path = self.directory / "irmd.log"
        self.daemon = None
        self.processes = []
        self.started = 0
        self._make_directories()

    def _make_directories(self):
        os.chmod(self.directory, 0o755)
        owner = self.user or self.drop_to
        for name in ("run", "etc", "state"):
            (self.directory / name).mkdir(mode=0o755)
            if owner is not None:
                os.chown(self.directory / name, owner.pw_uid, owner.pw_gid)

    def environment(self):
        # A process that gave its rights up cannot be looked at, not even by its own leak checker.
        dropped = {"ASAN_OPTIONS": "detect_leaks=0"} if self.drop_to else {}
        return {**self.build.environment(), **dropped,
                "OUROBOROS_RUNTIME_DIR": str(self.runtime),
                "OUROBOROS_CONFIG_DIR": str(self.directory / "etc"),
                "OUROBOROS_STATE_DIR": str(self.directory / "state"),
                "OUROBOROS_IPCP_DIR": str(self.ipcp_dir)}

    def _identity(self, user):
        return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    # -- the daemon

    def start(self):
        words = [str(self.build.program("irmd")), "--log-level", "debug"] + self.options
        if self.drop_to is not None:
            words += ["--user", self.drop_to.pw_name]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(self.log_path, "ab") as log:
            notify = str(self.directory / "notify")
            Path(notify).unlink(missing_ok=True)
            ready.bind(notify)
            os.chmod(notify, 0o777)
            self.daemon = subprocess.Popen(words, env={**self.environment(), "NOTIFY_SOCKET": notify},
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           **self._identity(self.user))
            self._wait_ready(ready)
        return self

    def _wait_ready(self, ready):
        ready.settimeout(0.1)
        for _ in range(200):
            try:
                if b"READY=1" in ready.recv(4096):
                    return
            except socket.timeout:
                pass
            assert self.daemon.poll() is None, "the daemon ended with %d" % self.daemon.returncode
        raise AssertionError("the daemon was not ready in 20 s")

    @property
    def pid(self):
        return self.daemon.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self):
        return self.daemon.poll() is None

    def stop(self):
        """Orderly: within 3 s and with status 0."""
        if self.daemon is None or self.daemon.returncode is not None:
            return
        self.daemon.terminate()
        limit = 3 * PATIENCE
        try:
            status = self.daemon.wait(limit)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            raise AssertionError("irmd did not stop within %d s of SIGTERM" % limit) from None
        assert status == 0, "irmd ended with %d" % status

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    # -- programs

    def run(self, *words, user=None, timeout=30, **env):
        """Runs a program to its end; stdout and stderr are text."""
        return subprocess.run([str(self.build.program(words[0]))] + [str(w) for w in words[1:]],
                              env={**self.environment(), **env}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, check=False, **self._identity(user or self.user))

    def spawn(self, *words, user=None, stdin=subprocess.DEVNULL, stdout=None, prefix=(), **env):
        """Starts a program that goes on. Its stderr (and stdout, unless a pipe is asked for) goes to a file."""
        self.started += 1
        name = "%02d-%s" % (self.started, Path(words[0]).name)
        program = words[0] if "/" in str(words[0]) else self.build.program(words[0])
        with open(self.directory / name, "wb") as log:
            process = subprocess.Popen([*prefix, str(program)] + [str(w) for w in words[1:]],
                                       env={**self.environment(), **env}, stdin=stdin, stdout=stdout or log, stderr=log,
                                       **self._identity(user or self.user))
        process.log_path = self.directory / name
        self.processes.append(process)
        return process

    def puppet(self, user=None, prefix=(), **env):
        # What its threads hold when it ends, or forks, is no leak.
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        return Puppet(self.spawn("puppet", user=user, prefix=prefix, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **env))

    def forget(self, puppet):
        """Waits for a program that was killed, so that a test of a thousand does not hold them all."""
        process = puppet.process
        process.wait()
        puppet.reader.join()
        self.processes.remove(process)
        self._close_pipes(process)

    @staticmethod
    def _close_pipes(process):
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def irm(self, *words, user=None):
        """`irm` with --json: returns what it printed, decoded. Raises Refused."""
        done = self.run("irm", "--json", *words, user=user)
        if done.returncode != 0:
            raise Refused(done)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def control(self, **how):
        """A raw connection to the daemon, as the user of the tests."""
        return Connection(self.socket_path, **how)

    def script(self, name):
        """A copy of one of programs/*.py that everybody can run."""
        copy = self.directory / name
        shutil.copy(Path(__file__).parent / "programs" / name, copy)
        return copy

    # -- scenes: by the control socket, which is quicker than irm

    def manage(self, verb, **values):
        """One management verb, which must succeed; returns the reply."""
        with self.control() as control:
            reply = control.call(verb, **values)
        assert reply["result"] == 0, "%s: %s" % (verb, reply)
        return reply

    def entries(self, verb, what):
        """All that a list holds."""
        with self.control() as control:
            replies = list(control.replies(control.send(request(verb))))
        return [entry for reply in replies for entry in reply.get(what, {}).get("entry", [])]

    def status(self):
        counts = ("names", "programs", "processes", "ipcps", "flows", "allocated", "refused")
        return {**dict.fromkeys(counts, 0), **self.manage("status")["status"]}

    def flows(self):
        return self.entries("flow_list", "flows")

    def ipcps(self):
        return self.entries("ipcp_list", "ipcps")

    def bound_pids(self, name):
        return next(e["pids"] for e in self.entries("name_list", "names") if e["name"] == name)

    def layer(self, name="local"):
        """A local layer of that name; returns its IPCP's pid."""
        pid = self.manage("ipcp_create", name=name)["ipcp_created"]["pid"]
        self.manage("ipcp_bootstrap", pid=pid, config={"layer": name})
        return pid

    def service(self, name, *servers, layer="local", spillover=False):
        """A name that the puppets @servers accept for, reachable in @layer."""
        self.manage("name_create", name=name, pol_lb=int(spillover))
        self.manage("name_reg", name=name, pid=next(i["pid"] for i in self.ipcps() if i["layer"] == layer))
        for server in servers:
            self.bind(server, name)

    def bind(self, server, name):
        server.ask("accept", 0)  # from now on the daemon knows it
        self.manage("bind_process", pid=server.pid, name=name)

    def pair(self, name="service"):
        """A client and a server that share one flow: (client, its fd, server, its fd)."""
        server, client = self.puppet(), self.puppet()
        self.layer()
        self.service(name, server)
        accepting = server.begin("accept")
        fd = client.alloc(name)
        return client, fd, server, accepting.result()

    def wait_no_flows(self, timeout=10):
        eventually(lambda: self.status()["flows"] == 0, timeout, "an empty table of flows")

    # -- the end

    def destroy(self):
        """Ends everything, and says what was not as it should be."""
        faults = []
        for step in (self._end_programs, self.stop, self._no_process_left, self._no_reports):
            try:
                step()
            except AssertionError as fault:
                faults.append(str(fault))
        if not faults:
            shutil.rmtree(self.directory)
        assert not faults, "; ".join(faults)

    def _end_programs(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            self._close_pipes(process)

    def _no_process_left(self):
        """Everything that was started for this instance has ended and was waited for by its parent."""
        mine = str(self.directory).encode()

        def left():
            return [pid for pid in children(os.getpid()) if mine in self._environ(pid) or state_of(pid) == "Z"]

        try:
            eventually(lambda: self._reap(left()), 3)
        except AssertionError:
            names = ["%d (%s)" % (pid, cmdline(pid)) for pid in left()]
            for pid in left():
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: self._reap(left()), 3)
            raise AssertionError("left over: " + ", ".join(names)) from None

    @staticmethod
    def _reap(pids):
        """Takes the zombies among orphans; True when none is left."""
        for pid in pids:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        return not pids

    @staticmethod
    def _environ(pid):
        try:
            return Path("/proc/%d/environ" % pid).read_bytes()
        except OSError:
            return b""

    def _no_reports(self):
        for path in self.directory.iterdir():
            text = path.read_bytes() if path.is_file() and not path.is_socket() else b""
            # A program has the sanitizer in it, not its report.
            if not text.startswith(b"\x7fELF") and SANITIZER_REPORT.search(text):
                raise AssertionError("a sanitizer reported in %s:\n%s" % (path.name, path.read_text(errors="replace")[-6000:]))

    def logs(self):
        """All that was said, for the report of a failed test."""
        for path in sorted(self.directory.glob("*")):
            if path.is_file() and path.stat().st_size > 0:
                yield path.name, path.read_text(errors="replace")[-8000:]


def as_user(user, call):
    """call() in a child process that has become @user; returns its (JSON) value."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read_end)
            os.setgroups([])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            os.write(write_end, json.dumps(call()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as result:
        text = result.read()
    os.waitpid(pid, 0)
    assert text, "the child failed"
    return json.loads(text)


def nobody():
    return pwd.getpwnam("nobody")


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
