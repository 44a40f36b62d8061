#!/usr/bin/env python3
"""Checks that doc/claims.md has every claim once, each with its proof, and that every test it cites is there.

    claims.py ROOT

A proof is a list of cited tests; or "part: " with cited tests and what is "Not yet" shown; or "not yet". A test is cited
in backquotes as FILE::FUNCTION, or as FILE where the whole program is one test (simulations and fuzz targets).
"""
import ast
import functools
import re
import sys
from pathlib import Path

CLAIMS = ["C%d" % n for n in range(1, 71)] + ["D%d" % n for n in range(1, 23)]
ROW = re.compile(r"^\| *([CD]\d+) *\|(.+)\|(.+)\| *$")
CITED = re.compile(r"`([^`]*(?:tests/|::)[^`]*)`")
WHOLE = ("tests/sim/", "tests/fuzz/")


def rows(text):
    """(claim, proof) of every row, in the order of the page."""
    for line in text.splitlines():
        match = ROW.match(line)
        if match:
            yield match[1], match[3].strip()


def python_tests(text):
    """What pytest would collect."""
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def cmocka_tests(text):
    """The functions of a test that its main() lists: by their names, or by what a macro puts test_ before."""
    tests, _, main = text.partition("\nint main(")
    listed = set(re.findall(r"\w+", main))
    defined = re.findall(r"^static void (\w+)\(void \*\*\w+\)$", tests, re.M)
    return {name for name in defined if name in listed or name.removeprefix("test_") in listed}


@functools.lru_cache(maxsize=None)
def tests_of(path):
    collect = {".py": python_tests, ".c": cmocka_tests}.get(path.suffix)
    return collect(path.read_text()) if collect else set()


def exists(root, citation):
    name, _, function = citation.partition("::")
    path = root / name
    if ".." in name or not path.is_file():
        return False
    if not function:
        return name.startswith(WHOLE) and path.suffix == ".c"
    return function in tests_of(path)


def state(proof):
    """"held", "part" or "not yet"; None: the proof is none of them."""
    if proof.startswith("not yet"):
        return "not yet"
    if not CITED.search(proof):
        return None
    if proof.startswith("part: "):
        return "part" if "Not yet: " in proof else None
    return "held" if proof.startswith("`") and "not yet" not in proof.lower() else None


def check(root, found):
    names = [name for name, _ in found]
    yield from ("%s: missing" % name for name in CLAIMS if name not in names)
    yield from ("%s: unknown, or more than once" % n for n in sorted(set(names)) if n not in CLAIMS or names.count(n) > 1)
    for name, proof in found:
        if state(proof) is None:
            yield "%s: the proof is neither a test, nor \"part: ... Not yet: ...\", nor \"not yet\"" % name
        yield from ("%s: no test %s" % (name, cited) for cited in CITED.findall(proof) if not exists(root, cited))


def main():
    root = Path(sys.argv[1])
    found = list(rows((root / "doc/claims.md").read_text()))
    faults = list(check(root, found))
    states = [state(proof) for _, proof in found]
    summary = ", ".join("%d %s" % (states.count(s), s) for s in ("held", "part", "not yet"))
    print("\n".join(faults) if faults else summary)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
