"""What a test of security needs beside an instance: its credentials and policy as files, its audit log, and a scene of
a client, a server and the name "service" between them.
"""
import json
import os
import shutil
from pathlib import Path

import o7s
from pki import pem

# All but rule 5: a flow between two processes of this host is treated as one between hosts.
REMOTE = "local = as-remote\n"


class Tree:
    """<config-dir>/security. What is written appears whole, by a rename, and belongs to the daemon's user."""

    def __init__(self, instance):
        self.root = instance.directory / "etc" / "security"
        self.owner = instance.user or instance.drop_to
        self.folder(self.root)

    def folder(self, path):
        path.mkdir(parents=True, exist_ok=True)
        for each in (path, *path.parents):
            if not each.is_relative_to(self.root):  # what lies around it is not ours to give away
                break
            self.own(each)
        return path

    def own(self, path):
        if self.owner is not None:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)

    def put(self, path, data, mode=0o644):
        """@path is relative to the tree, or below it."""
        path = self.root / path
        self.folder(path.parent)
        fresh = path.parent / (".new-" + path.name)
        fresh.write_bytes(data if isinstance(data, bytes) else data.encode())
        os.chmod(fresh, mode)
        self.own(fresh)
        os.rename(fresh, path)
        return path

    def anchors(self, *authorities, role=None):
        folder = Path("cacert") / role if role else Path("cacert")
        for i, authority in enumerate(authorities):
            self.put(folder / ("ca%d.pem" % i), pem(authority.certificate))

    def revoke(self, credential, name="revoked.pem"):
        return self.put(Path("untrusted") / name, pem(credential.certificate))

    def identity(self, role, name, credential, policy=None):
        """role: server or client."""
        folder = self.root / role / name
        self.put(folder / "key", credential.key_text, 0o600)
        self.put(folder / "cert", credential.cert_text)
        if policy is not None:
            self.put(folder / "enc.cfg", policy)
        return folder

    def server(self, credential, name="service", policy=None):
        return self.identity("server", name, credential, policy)

    def client(self, credential, principal="default", policy=None):
        return self.identity("client", principal, credential, policy)

    def policy(self, text, where="."):
        return self.put(Path(where) / "enc.cfg", text)

    def remove(self, path):
        path = self.root / path
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class Audit:
    """<state-dir>/audit.jsonl. Lines are dicts; a line that is none fails the test."""

    def __init__(self, instance):
        self.path = instance.directory / "state" / "audit.jsonl"

    def text(self):
        return self.path.read_text() if self.path.exists() else ""

    def lines(self, **wanted):
        """All whole lines that have these values, in their order."""
        whole, _, _ = self.text().rpartition("\n")
        return [line for line in map(json.loads, whole.splitlines()) if matches(line, wanted)]

    def wait(self, timeout=5, **wanted):
        """The last line that has these values, once there is one."""
        try:
            return o7s.eventually(lambda: self.lines(**wanted), timeout)[-1]
        except AssertionError:
            raise AssertionError("no line with %r in\n%s" % (wanted, self.text())) from None


def matches(line, wanted):
    return all(line.get(key) == value for key, value in wanted.items())


class Scene:
    """A daemon, credentials, and after start() a client and a server of the name "service"."""

    def __init__(self, instance, pki):
        self.irmd = instance
        self.pki = pki
        self.tree = Tree(instance)
        self.audit = Audit(instance)
        self.client = self.server = None
        self.accepting = None

    def usual(self, policy=REMOTE):
        """Both sides have credentials of the authority that both trust."""
        self.tree.anchors(self.pki.root)
        self.tree.policy(policy)
        self.tree.server(self.pki.server)
        self.tree.client(self.pki.client)
        return self

    def start(self, layer=True):
        self.irmd.start()
        self.client, self.server = self.irmd.puppet(), self.irmd.puppet()
        if layer:
            self.irmd.layer()
            self.irmd.service("service", self.server)
        return self

    def accept(self, *args):
        """One call that waits at the server: that of before, when no flow came of it."""
        if self.accepting is None:
            self.accepting = self.server.begin("accept", *args)
        return self.accepting

    def connect(self, client=None, name="service"):
        """(fd at the client, fd at the server)"""
        accepting = self.accept()
        fd = (client or self.client).alloc(name)
        self.accepting = None
        return fd, accepting.result()

    def disconnect(self, fd, peer_fd):
        self.client.dealloc(fd)
        self.server.dealloc(peer_fd)

    def works(self, name="service"):
        """One flow, with a word each way. Returns what the two ends know of each other: (client's, server's)."""
        fd, peer_fd = self.connect(name=name)
        self.talk(fd, peer_fd)
        peers = self.client.ask("peer", fd), self.server.ask("peer", peer_fd)
        self.disconnect(fd, peer_fd)
        return peers

    def talk(self, fd, peer_fd):
        self.client.write(fd, b"question")
        assert self.server.read(peer_fd) == b"question"
        self.server.write(peer_fd, b"answer")
        assert self.client.read(fd) == b"answer"

    def refusal(self, name="service", client=None):
        """No flow: the line of the end that refused, which gives the exact reason. The other end knows a code only."""
        self.accept()
        seen = len(self.audit.lines(event="refused"))
        reply = (client or self.client).ask("alloc", name)
        assert reply["r"] < 0, "there is a flow"
        line = self._refused("client", seen)
        assert line["code"] == reply["r"], line
        if line["reason"] == "refused-by-peer":
            line = self._refused("server", seen)
            assert line["code"] == reply["r"], line
        return line

    def _refused(self, end, seen):
        def found():
            return [line for line in self.audit.lines(event="refused")[seen:] if line["end"] == end]
        return o7s.eventually(found, 5, "the line of the refusal at the " + end)[0]

    def verdict(self, name="service"):
        """(end that refused, its reason, code)"""
        line = self.refusal(name)
        return line["end"], line["reason"], -line["code"]

    def reload(self):
        """All files are read again, now."""
        self.irmd.manage("security_check")
