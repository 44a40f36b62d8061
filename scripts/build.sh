#!/bin/sh
# build.sh - configures and builds into $BUILD_DIR (build). Arguments go to cmake, for example -DO7S_SANITIZE=thread.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}

if command -v ccache >/dev/null; then
        set -- -DCMAKE_C_COMPILER_LAUNCHER=ccache "$@"
fi
cmake -S . -B "$build" -G Ninja "$@" --log-level=WARNING
cmake --build "$build" -- --quiet
