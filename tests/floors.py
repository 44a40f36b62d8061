#!/usr/bin/env python3
"""Checks that every #include points to the same folder or down the house, and that folders of one floor make no circle.

    floors.py ROOT

The floors are those of doc/architecture.md. Programs (floor 5) never include each other's files.
"""
import re
import sys
from pathlib import Path

FLOORS = {
    "include/ouroboros": 0,
    "src/lib/base": 1, "src/lib/wire": 1, "src/lib/pb": 1,
    "src/lib/shm": 2, "src/lib/crypt": 2, "src/lib/frct": 2,
    "src/lib/ctl": 3, "src/lib/loop": 3,
    "src/lib/dev": 4, "src/lib/irm": 4, "src/ipcpd/common": 4, "src/ipcpd/transport": 4, "src/ipcpd/shim": 4, "src/irmd/oap": 4,
    "src/irmd": 5, "src/ipcpd/local": 5, "src/ipcpd/eth": 5, "src/ipcpd/udp": 5,
    "src/tools/irm": 5, "src/tools/oping": 5, "src/tools/oecho": 5, "src/tools/operf": 5,
    "src/tools/common": 5,
}
PROGRAMS = 5
SHARED = "src/tools/common"  # what programs of floor 5 have in common
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
GENERATED = re.compile(r"^(pb/)?\w+\.pb-c\.h$|^ouroboros/version\.h$")


def folder_of(path):
    """The longest known folder that holds @path, relative to the root."""
    for parent in path.parents:
        if str(parent) in FLOORS:
            return str(parent)
    return None


def target_folder(root, source, kind, name):
    """The folder that an include names; None: nothing of ours; "": it should be ours and cannot be found."""
    if name.startswith("ouroboros/"):
        return "include/ouroboros"
    if kind == "<":
        return None
    if GENERATED.match(name):
        return "src/lib/pb"
    for base in (Path("src/lib"), Path("src"), Path("src/tools"), Path("src/irmd"), source.parent):
        if (root / base / name).is_file() and ".." not in name:
            return folder_of(base / name)
    return ""


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2]


def fault(source, target):
    """What is wrong with @source including a file of @target, or None."""
    if target == source:
        return None
    if FLOORS[target] > FLOORS[source]:
        return "points up to floor %d" % FLOORS[target]
    if FLOORS[target] == FLOORS[source] == PROGRAMS and target != SHARED:
        return "enters another program"
    return None


def circle(edges):
    """A circle of folders in @edges, or None."""
    done = set()

    def walk(folder, trail):
        if folder in trail:
            return trail[trail.index(folder):] + [folder]
        if folder in done:
            return None
        for following in sorted(edges.get(folder, ())):
            found = walk(following, trail + [folder])
            if found:
                return found
        done.add(folder)
        return None

    return next(filter(None, (walk(folder, []) for folder in sorted(edges))), None)


def check(root):
    edges = {}
    files = [p for top in ("include", "src") for p in (root / top).rglob("*.[ch]")]
    for path in sorted(files):
        relative = path.relative_to(root)
        source = folder_of(relative)
        if source is None:
            yield "%s: in a folder that is on no floor" % relative
            continue
        for number, kind, name in includes(path):
            target = target_folder(root, relative, kind, name)
            if target is None:
                continue
            wrong = "is not found from src/lib or src" if target == "" else fault(source, target)
            if wrong:
                yield "%s:%d: \"%s\" %s" % (relative, number, name, wrong)
            elif target != source:
                edges.setdefault(source, set()).add(target)
    found = circle(edges)
    if found:
        yield "folders in a circle: " + " -> ".join(found)


def main():
    faults = list(check(Path(sys.argv[1])))
    print("\n".join(faults) if faults else "every include points down")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
