#!/usr/bin/env python3
"""Checks that the shared library exports what the symbol map lists and the public headers declare: no more, no less.

    symbols.py LIBRARY MAP HEADER...
"""
import re
import subprocess
import sys
from pathlib import Path


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in lines.splitlines()}
    return {name for name in names if not name.startswith("OUROBOROS_")}


def mapped(text):
    return set(re.findall(r"^\s*(\w+);", text.split("local:")[0], re.M))


def declared(text):
    return {m[1] for m in re.finditer(r"^O7S_API[^(;]*?(\w+)\s*\(", text, re.M)}


def main():
    library, map_file, *headers = sys.argv[1:]
    sets = {
        "library": exported(library),
        "map": mapped(Path(map_file).read_text()),
        "headers": set().union(*(declared(Path(h).read_text()) for h in headers)),
    }
    every = set().union(*sets.values())
    faults = ["%s: not in the %s" % (name, where) for name in sorted(every) for where in sets if name not in sets[where]]
    print("\n".join(faults) if faults else "%d symbols" % len(every))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
