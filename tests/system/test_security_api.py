"""C30: an application has nothing with which it could weaken what is verified."""
import re
import subprocess

import pytest

import o7s
import security
from puppet import EAUTH

SECURITY = re.compile(r"cert|verif|auth|crypt|secur|trust|insecure|suite|key|peer", re.I)


@pytest.fixture
def rogue(scene):
    """The server's certificate is of an authority that its client does not trust."""
    scene.usual()
    scene.tree.server(scene.pki.other.issue("service"))
    return scene


def test_environment_of_an_application_changes_nothing_C30(rogue):
    """C30: neither what OpenSSL looks at nor what irmd does, in the client's environment."""
    own = security.Tree(rogue.irmd)
    own.root = rogue.irmd.directory / "own" / "security"
    own.anchors(rogue.pki.other)
    own.policy("authentication = optional\n")
    own.put("openssl.cnf", "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = it\n"
                           "[it]\nCipherString = ALL:@SECLEVEL=0\n")
    rogue.start()
    client = rogue.irmd.puppet(SSL_CERT_FILE=str(own.root / "cacert" / "ca0.pem"), SSL_CERT_DIR=str(own.root / "cacert"),
                               OPENSSL_CONF=str(own.root / "openssl.cnf"), OUROBOROS_CONFIG_DIR=str(own.root.parent))
    line = rogue.refusal(client=client)
    assert (line["end"], line["reason"], -line["code"]) == ("client", "unknown-ca", EAUTH)


def test_interface_has_no_such_knob_C30(build):
    """C30: no exported function, and no command of fccntl() that sets something, is about security."""
    library = build.path("src/lib") / "libouroboros.so"
    symbols = subprocess.run(["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].partition("@")[0] for line in symbols.splitlines()]
    assert "flow_alloc" in names
    assert not [name for name in names if SECURITY.search(name)]
    header = (o7s.ROOT / "include" / "ouroboros" / "fccntl.h").read_text()
    setters = re.findall(r"^#define ((?:FLOW|FRCT)S\w+)", header, re.M)
    assert "FLOWSFLAGS" in setters
    assert not [name for name in setters if SECURITY.search(name)]
