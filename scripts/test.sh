#!/bin/sh
# test.sh - builds and runs all tests, or the kinds that are named:
#
#     sh scripts/test.sh [unit|sim|system]...
#
#     unit    one module at a time, and what can be said of the tree without running it (floors, headers, symbols)
#     sim     randomised runs of the engines, repeatable from a seed
#     system  real processes, each test with its own daemon (pytest)
#
# Environment: BUILD_DIR (build), PYTHON (/usr/bin/python3), O7S_PATIENCE (1: multiplies the limits of time in system
# tests), and PYTEST_ADDOPTS, as pytest knows it.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}
python=${PYTHON:-/usr/bin/python3}

run_kind()
{
        case $1 in
        unit | sim)
                ctest --test-dir "$build" --label-regex "^$1\$" --no-tests=error --output-on-failure --timeout 120
                ;;
        system)
                O7S_BUILD=$build "$python" -m pytest tests/system
                ;;
        esac
}

for kind; do
        case $kind in
        unit | sim | system) ;;
        *)
                echo "usage: sh scripts/test.sh [unit|sim|system]..." >&2
                exit 2
                ;;
        esac
done
[ $# -gt 0 ] || set -- unit sim system

sh scripts/install-packages.sh build test
BUILD_DIR=$build sh scripts/build.sh -DO7S_TESTS=ON
failed=
for kind; do
        run_kind "$kind" || failed="$failed $kind"
done
if [ -n "$failed" ]; then
        echo "failed:$failed" >&2
        exit 1
fi
