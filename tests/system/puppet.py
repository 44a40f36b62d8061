"""The other side of programs/puppet.c: an application that a test drives call by call."""
import errno
import json
import os
import threading
from concurrent.futures import Future
from pathlib import Path

# <ouroboros/errno.h>
ENOTALLOC, EIPCPTYPE, EIRMD, EIPCP, EIPCPSTATE, EFLOWDOWN, EFLOWPEER, ENAME, ECRYPT, EAUTH = range(1000, 1010)

# <ouroboros/fccntl.h>
RDONLY, WRONLY, RDWR, DOWN = 0, 1, 2, 4
RNOBLOCK, WNOBLOCK, RNOPART, WNOPART = 0o1000, 0o2000, 0o10000, 0o20000
DEFAULT = RDWR | WNOPART

# <ouroboros/fqueue.h>
FLOW_PKT, FLOW_DOWN, FLOW_ALLOC = 1, 2, 8


# By what all limits of time are multiplied, for builds and machines that are slow.
PATIENCE = int(os.environ.get("O7S_PATIENCE", "1"))


class Failed(Exception):
    """A call returned a negative code."""

    def __init__(self, verb, reply):
        super().__init__("%s: %d, errno %s" % (verb, reply["r"], errno.errorcode.get(reply["errno"], reply["errno"])))
        self.code = -reply["r"]
        self.errno = reply["errno"]
        self.reply = reply


class Pending:
    """A call under way."""

    def __init__(self, verb, future):
        self.verb = verb
        self.future = future

    def reply(self, timeout=30):
        """The whole reply, whatever the call returned."""
        return self.future.result(timeout * PATIENCE)

    def result(self, timeout=30):
        """What the call returned; Failed if that was negative."""
        reply = self.reply(timeout)
        if reply["r"] < 0:
            raise Failed(self.verb, reply)
        return reply["r"]

    def done(self):
        return self.future.done()


class Puppet:
    """Methods are the verbs of programs/puppet.c: p.alloc("name") calls and waits; p.begin("alloc", "name") does not wait.

    A verb's result is the returned number. p.ask(verb, ...) gives the whole reply as a dict, failed or not.
    """

    def __init__(self, process):
        self.process = process
        self.pid = process.pid
        self.waiting = {}
        self.last_id = 0
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            reply = json.loads(line)
            self.waiting.pop(reply["id"]).set_result(reply)
        with self.lock:
            left, self.waiting = self.waiting, None
        for future in left.values():
            future.set_exception(EOFError("the program has ended"))

    def begin(self, verb, *args):
        future = Future()
        with self.lock:
            if self.waiting is None:
                raise EOFError("the program has ended")
            self.last_id += 1
            self.waiting[self.last_id] = future
            words = [str(self.last_id), verb] + ["none" if a is None else str(a) for a in args]
            self.process.stdin.write(" ".join(words).encode() + b"\n")
            self.process.stdin.flush()
        return Pending(verb, future)

    def ask(self, verb, *args, timeout=30):
        return self.begin(verb, *args).reply(timeout)

    def __getattr__(self, verb):
        return lambda *args: self.begin(verb, *args).result()

    def read(self, fd, size=1 << 16):
        """What was read, as bytes; b"" at the end of the flow."""
        return self.begin_read(fd, size).data()

    def begin_read(self, fd, size=1 << 16):
        return PendingRead("read", self.begin("read", fd, size).future)

    def write(self, fd, data):
        return self.begin("write", fd, data.hex()).result()

    def settled(self):
        """Whether every call under way sleeps, so that what it asked of the daemon has been sent."""
        states = []
        for stat in Path("/proc/%d/task" % self.pid).glob("*/stat"):
            try:
                states.append(stat.read_text().rpartition(")")[2].split()[0])
            except OSError:
                return False  # it has just ended
        return states == ["S"] * (len(self.waiting) + 1)

    def fork(self, *verbs):
        """Has a child carry out verbs ("read 5 10", ...); returns their replies."""
        words = " , ".join(verbs).split()
        reply = self.ask("fork", *words)
        assert reply["r"] == 0, "the child ended with %d" % reply["r"]
        return reply["child"]

    def quit(self):
        """Ends as by a return from main(). Returns the exit status."""
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        return self.process.wait(10)


class PendingRead(Pending):
    def data(self, timeout=30):
        self.result(timeout)
        return bytes.fromhex(self.reply().get("data", ""))
