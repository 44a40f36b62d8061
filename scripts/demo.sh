#!/bin/sh
# demo.sh - from a bare checkout to two programs that talk over a flow, and what happened on the way.
#
# Everything it starts belongs to one temporary directory and to an ordinary user: started as root, it gives up that
# right for all but the installation of packages. Exit status 0 only if all replies came back.
#
# Environment: BUILD_DIR (build), PINGS (5).
set -eu

cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}
pings=${PINGS:-5}

say()
{
        printf '\n== %s\n' "$*"
}

# Shows a command, then runs it.
show()
{
        printf '$ %s\n' "$*"
        $as_user "$@"
}

# Waits up to 10 s for a command to succeed.
wait_for()
{
        tries=100
        until "$@" >/dev/null 2>&1; do
                tries=$((tries - 1))
                [ "$tries" -gt 0 ] || return 1
                sleep 0.1
        done
}

stop()
{
        if [ -n "$1" ]; then
                kill "$1" 2>/dev/null || true
                wait "$1" || true
        fi
}

clean_up()
{
        status=$?
        trap - EXIT
        stop "$server"
        stop "$daemon"
        if [ "$status" -ne 0 ] && [ -s "$tmp/irmd.log" ]; then
                say "It did not work. What the daemon said"
                cat "$tmp/irmd.log"
        fi
        rm -rf "$tmp"
        exit "$status"
}

serving()
{
        $as_user irm --json name list | grep -q '"pids": *\[ *[0-9]'
}

server='' daemon='' # their pids
as_user=''           # what to put in front of a command, a list of words
tmp=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM
chmod 755 "$tmp"

say "Packages"
sh scripts/install-packages.sh build
echo "All there."

say "Building in $build"
# The tests need more packages, so a new build does without them; one that is there stays as it is.
[ -e "$build/CMakeCache.txt" ] || set -- -DO7S_TESTS=OFF
BUILD_DIR=$build sh scripts/build.sh "$@"
# A copy, so that it works too where the checkout cannot be read by others.
cmake --install "$build" --prefix "$tmp/usr" >/dev/null
PATH=$tmp/usr/bin:$tmp/usr/sbin:$PATH
OUROBOROS_IPCP_DIR=$tmp/usr/libexec/ouroboros
OUROBOROS_RUNTIME_DIR=$tmp/run
OUROBOROS_CONFIG_DIR=$tmp/etc
OUROBOROS_STATE_DIR=$tmp/state
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/usr" -name libouroboros.so | head -n 1)")
export PATH LD_LIBRARY_PATH OUROBOROS_IPCP_DIR OUROBOROS_RUNTIME_DIR OUROBOROS_CONFIG_DIR OUROBOROS_STATE_DIR

mkdir "$tmp/run" "$tmp/etc" "$tmp/state"
user=$(id -un)
if [ "$user" = root ]; then
        user=$(id -un ouroboros 2>/dev/null || echo nobody)
        as_user="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups --no-new-privs --"
        chown "$user" "$tmp/run" "$tmp/etc" "$tmp/state"
fi

say "Credentials: a small CA, the server oping and the client $user, in the layout that irmd reads"
for identity in "ca Demo-CA" "server oping" "client $user"; do
        # shellcheck disable=SC2086 # two words
        sh scripts/make-credentials.sh --owner "$user" "$tmp/etc" $identity
done
[ -z "$as_user" ] || chown -R "$user" "$tmp/etc"
(cd "$tmp/etc" && find security -type f | sort)

say "A daemon of its own in $tmp/run, as user $user"
$as_user irmd --log-level debug 2>"$tmp/irmd.log" &
daemon=$!
wait_for test -S "$tmp/run/irm.sock" || exit 1
echo "irmd is process $daemon."

say "A layer on this host, and a name in it that the program oping answers to"
show irm ipcp bootstrap name local type local layer demo
show irm bind program oping name oping
show irm name register oping layer demo

say "A server"
echo '$ oping -l &'
$as_user oping -l >"$tmp/server.log" 2>&1 &
server=$!
wait_for serving || exit 1
show irm name list
show irm ipcp list

say "$pings pings over a flow through shared memory"
show oping -n oping -c "$pings" -i 200 | tee "$tmp/pings"
replies=$(grep -c 'bytes from oping' "$tmp/pings" || true)

say "What the daemon did"
grep -E 'irmd\[.*: (ipcp|name|flow) ' "$tmp/irmd.log"
say "Who talked to whom: the audit log"
cat "$tmp/state/audit.jsonl"
say "Each side had to prove who it is, and what they said was encrypted."
[ "$(grep -c '"event":"established".*"authenticated":true,"suite":"p384"' "$tmp/state/audit.jsonl")" -eq 2 ]
say "$replies of $pings replies came back."
[ "$replies" -eq "$pings" ]
