"""Fixtures of the tests over networks (pytest_plugins = ["net_fixtures"])."""
import pytest

import pki as certificates
from net import Net, Two, padded, require_namespaces


@pytest.fixture
def net(request, build, ordinary_user):
    require_namespaces()
    made = Net(build, ordinary_user)
    request.node.instances = made.hosts
    yield made
    made.destroy()


@pytest.fixture
def make_two(net, pki):
    """make_two("udp4", level="encrypted", wire="relay", both={"loss": 5}); start=False: not yet started."""
    def make(kind, level="plain", start=True, **how):
        two = Two(net, kind, pki, level, **how)
        return two.start() if start else two
    return make


@pytest.fixture
def large(make_two, pki):
    """Both have chains of 20 KB, of three certificates of RSA-4096 keys."""
    def make(kind, level="encrypted", **how):
        lower = certificates.Authority("Lower", certificates.Authority("Upper", pki.root, "rsa4096"), "rsa4096")
        credentials = [padded(lower, cn, 16000, usage) for cn, usage in (("alice", "client"), ("service", "server"))]
        return make_two(kind, level, credentials=credentials, **how)
    return make
