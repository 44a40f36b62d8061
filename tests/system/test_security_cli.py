"""irm security show and check: which credentials and rules are in force, from which file, and what is wrong."""
import json
import os
import subprocess

import pytest

import o7s

MAKE_CREDENTIALS = o7s.ROOT / "scripts" / "make-credentials.sh"


def security(irmd):
    return irmd.directory / "etc" / "security"


def own(irmd):
    """What the tests wrote belongs to the daemon's user."""
    if irmd.user is not None:
        for path in [security(irmd), *security(irmd).rglob("*")]:
            os.chown(path, irmd.user.pw_uid, irmd.user.pw_gid)


def make(irmd, *words):
    subprocess.run([str(MAKE_CREDENTIALS), "--key", "p256", *words[:-2], str(irmd.directory / "etc"), *words[-2:]],
                   check=True, stdout=subprocess.DEVNULL)
    own(irmd)


def write(irmd, path, text):
    target = security(irmd) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    own(irmd)


@pytest.fixture
def host(irmd):
    """A host with an authority and a server's identity."""
    make(irmd, "ca", "Authority")
    make(irmd, "server", "vault")
    check(irmd)
    return irmd


def check(irmd):
    """(faults, notes); the exit status must fit."""
    done = irmd.run("irm", "--json", "security", "check")
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["faults"] else 0), done
    return found["faults"], found["notes"]


def shown(irmd, name, role="server"):
    (entry,) = [e for e in irmd.irm("security", "show", name) if e["role"] == role]
    return entry


# -- show


def test_nothing_configured(irmd):
    (others,) = irmd.irm("security", "show")
    assert (others["name"], others["file"], others["subject"]) == ("", "", "")
    assert others["encryption"] is False and others["authentication"] == "none"
    assert check(irmd)[0] == []


def test_identity(host):
    entry = shown(host, "vault")
    assert entry["key"] == "P-256" and entry["subject"] == "CN=vault"
    assert entry["serial"] and set(entry["serial"]) <= set("0123456789ABCDEF")
    assert entry["expires"] > 0 and not entry["stale"] and entry["fault"] == ""
    assert entry["encryption"] and entry["authentication"] == "mutual" and entry["suites"] == ["p384"]
    assert entry["file"] == "" and entry["allow"] is None and entry["deny"] == []
    assert entry["first_data"] == "now" and entry["local"] == "kernel"


def test_table_for_people(host):
    table = host.run("irm", "security", "show").stdout.splitlines()
    assert table[0].split()[:3] == ["NAME", "ROLE", "KEY"]
    assert any(line.startswith("vault ") and "P-256" in line and "(built in)" in line for line in table)
    text = host.run("irm", "security", "show", "vault").stdout
    assert "subject         CN=vault" in text and "allow           everybody" in text


def test_rule_of_its_own_with_its_file(host):
    write(host, "server/vault/enc.cfg", "authentication = server\nsuite = x25519, p384\nallow =\ndeny = dns:evil*\n"
                                        "first-data = confirmed\n")
    faults, _ = check(host)
    assert faults == []
    entry = shown(host, "vault")
    assert entry["file"] == str(security(host) / "server/vault/enc.cfg")
    assert entry["authentication"] == "server" and sorted(entry["suites"]) == ["p384", "x25519"]
    assert entry["allow"] == [] and entry["deny"] == ["dns:evil*"] and entry["first_data"] == "confirmed"
    assert "allow           nobody" in host.run("irm", "security", "show", "vault").stdout


def test_rule_of_the_root_rules_the_others(host):
    write(host, "enc.cfg", "suite = x25519\nlocal = as-remote\n")
    check(host)
    for name in ("vault", "somebody.else"):
        entry = shown(host, name)
        assert entry["file"] == str(security(host) / "enc.cfg")
        assert entry["suites"] == ["x25519"] and entry["encryption"] and entry["local"] == "as-remote"


def test_client_and_server_of_one_name(host):
    make(host, "client", "vault")
    make(host, "client", "alice")
    check(host)
    assert [e["role"] for e in host.irm("security", "show", "vault")] == ["server", "client"]
    assert [e["role"] for e in host.irm("security", "show", "alice")] == ["client"]
    everything = {(e["name"], e["role"]) for e in host.irm("security", "show")}
    assert everything == {("", "server"), ("vault", "server"), ("vault", "client"), ("alice", "client")}


def test_long_lists_are_cut_and_say_so(host):
    write(host, "server/vault/enc.cfg", "allow = %s\n" % ", ".join("dns:host-%05d.example" % i for i in range(2500)))
    faults, _ = check(host)
    assert faults == []
    allow = shown(host, "vault")["allow"]
    assert 500 < len(allow) < 2500
    assert allow[-1] == "... and %d more" % (2500 - len(allow) + 1)


def test_hundreds_of_identities(irmd):
    for i in range(300):
        write(irmd, "server/name-%03d/enc.cfg" % i, "disabled\n")
    check(irmd)
    names = [e["name"] for e in irmd.irm("security", "show")]
    assert names == [""] + ["name-%03d" % i for i in range(300)]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_names_that_are_none(irmd, name):
    assert irmd.run("irm", "security", "show", name).returncode in (1, 2)


# -- check


def test_faults_name_file_and_line(host):
    write(host, "server/bad/enc.cfg", "suite = p384\nencrypt = yes\n")
    faults, _ = check(host)
    assert any("server/bad/enc.cfg:2" in fault for fault in faults)
    assert "encrypt" in shown(host, "bad")["fault"]
    text = host.run("irm", "security", "check").stdout
    assert "fault: " in text and "enc.cfg:2" in text


def test_stale_identity(host):
    serial = shown(host, "vault")["serial"]
    write(host, "server/vault/cert", "no certificate\n")
    faults, _ = check(host)
    assert any("server/vault/cert" in fault for fault in faults)
    entry = shown(host, "vault")
    assert entry["stale"] and entry["serial"] == serial


def test_certificate_for_another_name(host):
    make(host, "--san", "DNS:other", "server", "wrong")
    faults, _ = check(host)
    assert any("server/wrong" in fault and "not for this name" in fault for fault in faults)


def test_mutual_without_credentials(host):
    write(host, "server/empty/enc.cfg", "authentication = mutual\n")
    faults, _ = check(host)
    assert any("server/empty" in fault for fault in faults)
    assert "no credentials" in shown(host, "empty")["fault"]


def test_key_that_others_can_read(host):
    (security(host) / "server/vault/key").chmod(0o644)
    faults, _ = check(host)
    assert any("server/vault/key" in fault for fault in faults)


def test_notes(host):
    make(host, "--days", "5", "server", "soon")
    write(host, "server/open/enc.cfg", "disabled\n")
    faults, notes = check(host)
    assert faults == []
    assert any("server/soon" in note and "expires" in note for note in notes)
    assert any("server/open" in note and "plain" in note for note in notes)


def test_many_faults_come_all(irmd):
    for i in range(50):
        write(irmd, "server/bad-%02d/enc.cfg" % i, "x = 1\n")
    faults, _ = check(irmd)
    assert all(any("bad-%02d" % i in fault for fault in faults) for i in range(50))


def test_check_is_of_now(host):
    """A file that was mended the moment before is no fault any more."""
    for _ in range(5):
        write(host, "server/vault/enc.cfg", "x = 1\n")
        assert check(host)[0] != []
        write(host, "server/vault/enc.cfg", "encryption = required\n")
        assert check(host)[0] == []


# -- who may


def test_only_management(irmd, other_user):
    for verb in ("show", "check"):
        done = irmd.run("irm", "security", verb, user=other_user)
        assert done.returncode == 1 and "needs root, the daemon's own user or group" in done.stderr
