"""The installed library as others use it: compiled and linked by pkg-config and by CMake, and run."""
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

import o7s

OUTSIDE = Path(__file__).parent / "outside"


def run(*words, **env):
    done = subprocess.run([str(w) for w in words], env={**os.environ, **env}, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(build):
    """A directory that ordinary users can read, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="o7s-prefix-") as where:
        os.chmod(where, 0o755)
        run("cmake", "--install", o7s.build_dir(), "--prefix", where)
        yield Path(where)


@pytest.fixture(scope="module")
def libdir(prefix):
    return next(prefix.rglob("libouroboros.so")).parent


def test_what_is_installed(prefix):
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
    for wanted in ("bin/oping", "bin/oecho", "bin/operf", "sbin/irm", "sbin/irmd", "libexec/ouroboros/ipcpd-local",
                   "include/ouroboros/dev.h", "include/ouroboros/version.h", "lib/systemd/system/ouroboros.service",
                   "lib/sysusers.d/ouroboros.conf", "lib/tmpfiles.d/ouroboros.conf"):
        assert wanted in files
    assert not [f for f in files if f.endswith((".a", ".o", ".proto", ".map"))]


def sanitized_skip(build):
    if build.sanitized():
        pytest.skip("an ordinary program cannot link a sanitized library")


@pytest.mark.parametrize("package", ["ouroboros", "ouroboros-dev", "ouroboros-irm"])
def test_pkg_config(build, libdir, tmp_path, package):
    """By each of its names a program links the one library."""
    sanitized_skip(build)
    flags = run("pkg-config", "--cflags", "--libs", package, PKG_CONFIG_PATH=str(libdir / "pkgconfig")).split()
    assert "-l" + package in flags
    program = tmp_path / "outside"
    run("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program, OUTSIDE / "outside.c", *flags)
    needed = [line for line in run("readelf", "-d", program).splitlines() if "ouroboros" in line]
    assert len(needed) == 1 and "[libouroboros.so.0]" in needed[0]


def test_cmake_package(build, prefix, tmp_path):
    sanitized_skip(build)
    run("cmake", "-S", OUTSIDE, "-B", tmp_path, "-DCMAKE_PREFIX_PATH=%s" % prefix)
    run("cmake", "--build", tmp_path)


def compile_outside(prefix, libdir, irmd):
    """The document's client and server, against what is installed at @prefix."""
    flags = run("pkg-config", "--cflags", "--libs", "ouroboros", PKG_CONFIG_PATH=str(libdir / "pkgconfig")).split()
    program = irmd.directory / "outside"
    run("gcc", "-o", program, OUTSIDE / "outside.c", *flags)
    return program


def run_outside(program, libdir, irmd):
    """The answer that the client printed."""
    irmd.service("server_name")
    irmd.irm("bind", "program", program, "name", "server_name")
    server = irmd.spawn(str(program), LD_LIBRARY_PATH=str(libdir))
    o7s.eventually(lambda: irmd.bound_pids("server_name"))
    client = irmd.spawn(str(program), "question", LD_LIBRARY_PATH=str(libdir))
    assert (client.wait(10), server.wait(10)) == (0, 0)
    return client.log_path.read_text()


def test_the_seeds_programs_run_on_the_installed_tree(build, prefix, libdir, make_instance):
    """C1, C2: no line of security code, no socket, no transport."""
    sanitized_skip(build)
    irmd = make_instance()
    irmd.layer()
    assert run_outside(compile_outside(prefix, libdir, irmd), libdir, irmd) == "response\n"


def test_the_seeds_programs_with_credentials_C1_C2(build, prefix, libdir, scene, pki):
    """C1, C2: the same programs; both prove who they are and all that they say is encrypted."""
    sanitized_skip(build)
    scene.usual()
    scene.tree.server(pki.root.issue("server_name"), "server_name")
    scene.start()
    assert run_outside(compile_outside(prefix, libdir, scene.irmd), libdir, scene.irmd) == "response\n"
    for end, peer in (("client", "dns:server_name"), ("server", "email:alice@example.org")):
        line = scene.audit.wait(event="established", end=end, name="server_name")
        assert (line["peer"], line["authenticated"], line["suite"]) == (peer, True, "p384")
