"""A real DNS server (Knot DNS) as an ordinary process: master of one zone that takes dynamic updates.

    server = dns_server.DnsServer(tmp_path, "127.0.0.1", key=dns_server.new_key())
    server.addresses(dns_server.name_of(hash))   # what the server has, as another client sees it
    server.stop()
"""
import base64
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from puppet import PATIENCE

ZONE = "ouroboros.internal"
CONFIG = """
server:
    rundir: {directory}
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: {directory}/knot.log
    any: info
database:
    storage: {directory}
    journal-db-max-size: 16M
    timer-db-max-size: 8M
{key}
acl:
  - id: update
    action: update
    {acl_key}
zone:
  - domain: {zone}
    storage: {directory}
    file: {zone}.zone
    {acl}
"""
KEY = """
key:
  - id: {name}
    algorithm: {algorithm}
    secret: {secret}
"""
ZONE_FILE = """
$ORIGIN {zone}.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 5
@ NS ns
ns A 192.0.2.53
"""


def new_key(name="ouroboros-key", algorithm="hmac-sha256", size=32):
    """As tools take it: algorithm:name:base64."""
    return "%s:%s:%s" % (algorithm, name, base64.b64encode(os.urandom(size)).decode())


def write_key(path, key, mode=0o600):
    """A file for `dns-key FILE`."""
    path.write_text(key + "\n")
    path.chmod(mode)
    return path


def name_of(name_hash, zone=ZONE):
    """How the layer writes the hash in DNS, by another base32 than its own."""
    digits = base64.b32encode(name_hash).decode().rstrip("=").lower()
    return ".".join([digits[i:i + 60] for i in range(0, len(digits), 60)] + [zone])


def installed():
    return all(tool() for tool in (_knotd, _kdig))


def _knotd():
    return shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin:/sbin")


def _kdig():
    return shutil.which("kdig")


def free_port(address):
    """A port that nobody has, for UDP and TCP alike."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
        udp.bind((address, 0))
        tcp.bind(udp.getsockname())
        return udp.getsockname()[1]


class DnsServer:
    """Runs from its making until stop(). @directory is its own; @key: only updates signed with it; @updates: none at all
    without. @wrap goes in front of every command: ("ip", "netns", "exec", NAME)."""

    def __init__(self, directory, address="127.0.0.1", port=None, zone=ZONE, key=None, updates=True, wrap=()):
        self.directory = Path(directory)
        self.address = address
        self.port = port or free_port(address)
        self.zone = zone
        self.wrap = list(wrap)
        self.process = None
        self._configure(key, updates)
        self.start()

    def _configure(self, key, updates):
        algorithm, name, secret = key.split(":") if key else (None, None, None)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / (self.zone + ".zone")).write_text(ZONE_FILE.format(zone=self.zone))
        config = self.directory / "knot.conf"
        config.touch(mode=0o600)
        config.write_text(CONFIG.format(
            directory=self.directory, address=self.address, port=self.port, zone=self.zone,
            key=KEY.format(name=name, algorithm=algorithm, secret=secret) if key else "",
            acl_key="key: " + name if key else "", acl="acl: update" if updates else ""))

    def start(self):
        self.process = subprocess.Popen(self.wrap + [_knotd(), "-c", str(self.directory / "knot.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 10 * PATIENCE
        while not self.dig(self.zone, "SOA"):
            assert self.process.poll() is None, self.process.stderr.read().decode()
            assert time.monotonic() < end, "knotd does not answer: " + self.log()
            time.sleep(0.05)

    def stop(self):
        """Takes a server that has stopped."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.process = None

    def log(self):
        path = self.directory / "knot.log"
        return path.read_text() if path.exists() else ""

    def dig(self, name, kind):
        """The lines that kdig says: what records of @kind hold."""
        done = subprocess.run(
            self.wrap + [_kdig(), "@" + self.address, "-p", str(self.port), "+short", "+retry=0", "+time=1", name, kind],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return [line for line in done.stdout.splitlines() if not line.startswith(";;")]

    def addresses(self, name):
        """The addresses of @name, of both families."""
        return sorted(self.dig(name, "A") + self.dig(name, "AAAA"))
