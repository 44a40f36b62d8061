"""The first of the two commands that the README shows."""
import os
import subprocess

import pytest

import o7s


def demo(prefix=()):
    env = {**os.environ, "BUILD_DIR": str(o7s.build_dir()), "CCACHE_DISABLE": "1"}
    return subprocess.run([*prefix, "sh", str(o7s.ROOT / "scripts/demo.sh")], env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.timeout(120)
@pytest.mark.bare
def test_demo(build):
    before = o7s.children(os.getpid())
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bytes from oping") == 5
    assert "5 of 5 replies came back" in done.stdout
    left = [o7s.cmdline(pid) for pid in o7s.children(os.getpid())
            if pid not in before and o7s.state_of(pid) != "Z"]
    assert left == [], "the demonstration left a process"
