#!/bin/sh
# bench.sh - measures flows against AF_UNIX sockets on this machine, with a daemon and a local layer of its own:
#
#     sh scripts/bench.sh local [--quick] [--json FILE] [--plot FILE.svg] [--only ROW]...
#
#     --quick  fewer and shorter slices: a look, not a measurement
#     --json   one JSON line a row goes to FILE; without it they follow the table
#     --plot   draws the factors (needs python3)
#     --only   pingpong, rate, alloc or flows
#
# doc/measurements.md says what the rows mean. Started as root, it runs everything as an ordinary user.
# Environment: BUILD_DIR (build).
set -eu

cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}

usage()
{
        sed -n '2,12s/^# \{0,1\}//p' scripts/bench.sh >&2
        exit 2
}

say()
{
        printf '== %s\n' "$*" >&2
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

clean_up()
{
        status=$?
        trap - EXIT
        if [ -n "$daemon" ]; then
                kill "$daemon" 2>/dev/null || true
                wait "$daemon" || true
        fi
        if [ "$status" -ne 0 ] && [ -s "$tmp/irmd.log" ]; then
                say "It did not work. The last of what the daemon said:"
                tail -n 20 "$tmp/irmd.log" >&2
        fi
        rm -rf "$tmp"
        exit "$status"
}

[ "${1-}" = local ] || usage
shift
json='' plot='' only='' slices=''
while [ $# -gt 0 ]; do
        case $1 in
        --quick) slices='--pairs 4 --slice-ms 50' ;;
        --json | --plot | --only)
                [ $# -gt 1 ] || usage
                case $1 in
                --json) json=$2 ;;
                --plot) plot=$2 ;;
                --only) only="$only $2" ;;
                esac
                shift
                ;;
        *) usage ;;
        esac
        shift
done
only="${only:- pingpong rate alloc flows} "

daemon=''
as_user=''
tmp=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM
chmod 755 "$tmp"

say "Building in $build"
sh scripts/install-packages.sh build test >&2
BUILD_DIR=$build sh scripts/build.sh -DO7S_TESTS=ON >&2
# A copy, so that it works too where the checkout cannot be read by others.
cmake --install "$build" --prefix "$tmp/usr" >/dev/null
cp "$build/tests/bench/o7s_bench" "$tmp/usr/bin"
PATH=$tmp/usr/bin:$tmp/usr/sbin:$PATH
OUROBOROS_IPCP_DIR=$tmp/usr/libexec/ouroboros
OUROBOROS_RUNTIME_DIR=$tmp/run
OUROBOROS_CONFIG_DIR=$tmp/etc
OUROBOROS_STATE_DIR=$tmp/state
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/usr" -name libouroboros.so | head -n 1)")
export PATH LD_LIBRARY_PATH OUROBOROS_IPCP_DIR OUROBOROS_RUNTIME_DIR OUROBOROS_CONFIG_DIR OUROBOROS_STATE_DIR

mkdir "$tmp/run" "$tmp/etc" "$tmp/state" "$tmp/out"
if [ "$(id -u)" -eq 0 ]; then
        user=$(id -un ouroboros 2>/dev/null || echo nobody)
        as_user="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups --no-new-privs --"
        chown "$user" "$tmp/run" "$tmp/etc" "$tmp/state" "$tmp/out"
        # What systemd gives every process: 10,000 flows are 30,000 descriptors of the daemon.
        prlimit --pid $$ --nofile=524288:524288 2>/dev/null || true
fi

say "A daemon of its own"
$as_user irmd --log-level warning 2>"$tmp/irmd.log" &
daemon=$!
wait_for test -S "$tmp/run/irm.sock" || exit 1
$as_user irm ipcp bootstrap name local type local layer bench >&2
ipcp=$($as_user irm --json ipcp list | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -n 1)

# Runs o7s_bench; $slices shortens it.
bench()
{
        command=$1
        shift
        # shellcheck disable=SC2086 # lists of words
        $as_user o7s_bench "$command" $slices --json "$tmp/out/json" --daemon "$daemon" --daemon "$ipcp" "$@"
}

wanted()
{
        case $only in
        *" $1 "*) return 0 ;;
        esac
        return 1
}

bench head
if wanted pingpong; then
        for cores in 1 2; do
                for regime in busy paced asleep; do
                        bench pingpong --regime "$regime" --cores "$cores"
                done
        done
fi
if wanted rate; then
        for size in 64 1500 16384; do
                bench rate --size "$size"
        done
fi
if wanted alloc; then
        bench alloc --cores 1
        for n in 1 4 16 32; do
                bench alloc --in-flight "$n"
        done
        for n in 4 16 32; do
                bench alloc --in-flight "$n" --mode start
        done
fi
if wanted flows; then
        bench flows
fi

if [ -n "$plot" ]; then
        python3 scripts/bench-plot.py "$tmp/out/json" >"$plot"
        say "Plot in $plot"
fi
if [ -n "$json" ]; then
        cp "$tmp/out/json" "$json"
        say "JSON lines in $json"
else
        printf '\n'
        cat "$tmp/out/json"
fi
