#!/bin/sh
# bench.sh - measures flows on this machine, with a daemon and a local layer of its own:
#
#     sh scripts/bench.sh local|oap|frct|net [--quick] [--json FILE] [--plot FILE.svg] [--only ROW]...
#
#     local    against AF_UNIX sockets                   rows: pingpong, rate, alloc, flows
#     oap      authenticated flows against TCP+TLS 1.3   rows: p384, x25519, plain, share
#     frct     flows in order on a bad network (simulated), and between processes against raw ones
#                                                        rows: goodput, sharing, direct
#     net      over a cable between two network namespaces, as root, against UDP, packet sockets, TCP and TLS 1.3
#                                                        rows: udp4, eth-dix, bulk, pingpong, first
#
#     --quick  fewer and shorter slices: a look, not a measurement
#     --json   one JSON line a row goes to FILE; without it they follow the table
#     --plot   draws the factors (needs python3)
#     --only   this row only; repeatable
#
# doc/measurements.md says what the rows mean. Started as root, it runs everything as an ordinary user.
# Environment: BUILD_DIR (build).
set -eu

cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}

usage()
{
        sed -n '2,19s/^# \{0,1\}//p' scripts/bench.sh >&2
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

# A daemon with a local layer, by whatever is in $OUROBOROS_CONFIG_DIR. Arguments go before its command.
start_daemon()
{
        # shellcheck disable=SC2086 # a list of words
        $as_user "$@" irmd --log-level warning 2>>"$tmp/irmd.log" &
        daemon=$!
        wait_for test -S "$tmp/run/irm.sock" || return 1
        $as_user irm ipcp bootstrap name local type local layer bench >&2
        ipcp=$($as_user irm --json ipcp list | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -n 1)
}

stop_daemon()
{
        [ -n "$daemon" ] || return 0
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" || true
        daemon=''
        rm -rf "$tmp/run/"* "$tmp/state/"*
}

clean_up()
{
        status=$?
        trap - EXIT
        stop_daemon
        if [ "$status" -ne 0 ] && [ -s "$tmp/irmd.log" ]; then
                say "It did not work. The last of what the daemon said:"
                tail -n 20 "$tmp/irmd.log" >&2
        fi
        rm -rf "$tmp"
        exit "$status"
}

what=${1-}
case $what in
local) rows='pingpong rate alloc flows' ;;
oap) rows='p384 x25519 plain share' ;;
frct) rows='goodput sharing direct' ;;
net) rows='udp4 eth-dix bulk pingpong first' ;;
*) usage ;;
esac
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
only=" ${only:-$rows} "

daemon=''
as_user=''
name=oap.bench # of the server, in its certificate
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
cp "$build/tests/bench/pubkey_clock.so" "$tmp/usr/bin"
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

measure_local()
{
        start_daemon
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
}

# Credentials for both ends with keys of the type $1, and a policy with the suite $2 that holds for local flows as well. The
# clock's window is short: an identity may only have so many requests in it.
set_up_security()
{
        rm -rf "$OUROBOROS_CONFIG_DIR/ca" "$O7S_BENCH_SECURITY"
        for whom in ca "server $name" 'client default'; do
                # shellcheck disable=SC2086 # a list of words
                sh scripts/make-credentials.sh --key "$1" "$OUROBOROS_CONFIG_DIR" $whom >/dev/null
        done
        cat >"$O7S_BENCH_SECURITY/enc.cfg" <<END
encryption = required
authentication = mutual
suite = $2
local = as-remote
clock-skew = 1
END
        if [ -n "$as_user" ]; then
                chown -R "$user" "$O7S_BENCH_SECURITY"
        fi
}

# The same credentials for both: irmd's. $1: the suite that flows must have.
against_tls()
{
        for rival in tls-connect tls; do
                for cores in 1 2; do
                        bench alloc --against "$rival" --mode single --cores "$cores" --name "$name" --suite "$1"
                done
        done
        bench alloc --against tls --cores 1 --name "$name" --suite "$1"
        for n in 1 4 16; do
                bench alloc --against tls --in-flight "$n" --acceptors 16 --name "$name" --suite "$1"
        done
}

# $1 row, $2 suite, $3 group as TLS calls it, $4 type of the certificates' keys
measure_suite()
{
        wanted "$1" || return 0
        say "Suite $2, certificates with $4"
        O7S_BENCH_GROUP=$3
        set_up_security "$4" "$2"
        start_daemon
        printf '\n%s, certificates with %s\n' "$2" "$4"
        bench head --against tls
        against_tls "$2"
        stop_daemon
}

measure_share()
{
        set_up_security "$1" "$2"
        O7S_BENCH_PUBKEY_CLOCK=$tmp/out/clock
        export O7S_BENCH_PUBKEY_CLOCK
        start_daemon env LD_PRELOAD="$tmp/usr/bin/pubkey_clock.so"
        printf '\n%s, certificates with %s\n' "$2" "$1"
        bench share --in-flight 4 --name "$name" --suite "$2" --clock "$O7S_BENCH_PUBKEY_CLOCK"
        stop_daemon
}

measure_oap()
{
        O7S_BENCH_SECURITY=$OUROBOROS_CONFIG_DIR/security
        O7S_BENCH_SERVER=$name
        export O7S_BENCH_SECURITY O7S_BENCH_SERVER O7S_BENCH_GROUP
        # The faster the handshake, the more of them a slice holds.
        slices=${slices:+--pairs 4 --slice-ms 200}
        slices=${slices:---pairs 16 --slice-ms 500}
        measure_suite p384 p384 P-384 p384
        measure_suite x25519 x25519 X25519 p256
        if wanted plain; then
                rm -rf "$O7S_BENCH_SECURITY"
                start_daemon
                printf '\nneither credentials nor policy\n'
                bench head
                bench alloc --cores 1
                for n in 1 4 16; do
                        bench alloc --in-flight "$n"
                done
                stop_daemon
        fi
        if wanted share; then
                measure_share p384 p384
                measure_share p256 x25519
        fi
}

# Bits a second that operf measures for flows of the QoS $1.
stream_rate()
{
        $as_user operf -n perf.bench -t uni -s 1500 -d 300ms -q "$1" -Q --json | sed -n "s/.*\"bits_per_s\": *\([0-9.e+]*\).*/\1/p"
}

# Flows in order between processes of one host have no FRCT: nothing gets lost there. Raw ones and reliable ones by turns.
measure_direct()
{
        start_daemon
        $as_user irm bind program operf name perf.bench >&2
        $as_user irm name register perf.bench layer bench >&2
        $as_user operf -l -Q &
        server=$!
        sleep 0.5
        rounds=15
        [ -z "$slices" ] || rounds=4
        i=0
        while [ "$i" -lt "$rounds" ]; do
                printf '%s %s\n' "$(stream_rate raw)" "$(stream_rate data)"
                i=$((i + 1))
        done | awk '{ print $2 / $1 }' | sort -g | awk '{ r[NR] = $1 }
                END { printf "reliable flows of one host, 1500 B, part of raw ones: %.2f (quartiles %.2f %.2f)\n",
                      r[int((NR + 1) / 2)], r[int((NR + 3) / 4)], r[int((3 * NR + 3) / 4)] }'
        kill "$server"
        stop_daemon
}

measure_frct()
{
        seconds=10
        [ -z "$slices" ] || seconds=3
        if wanted goodput; then
                "$build/tests/sim/bench_frct" --only goodput --seconds "$seconds"
                "$build/tests/sim/bench_frct" --only goodput --seconds "$seconds" --json >>"$tmp/out/json"
        fi
        if wanted sharing; then
                "$build/tests/sim/bench_frct" --only share --seconds "$seconds"
                "$build/tests/sim/bench_frct" --only share --seconds $((4 * seconds))
                "$build/tests/sim/bench_frct" --only share --seconds $((4 * seconds)) --json >>"$tmp/out/json"
        fi
        if wanted direct; then
                measure_direct
        fi
}

# It starts its hosts itself; --rr: before all others who use this machine, where that is allowed.
measure_net()
{
        set --
        for row in $only; do
                set -- "$@" --only "$row"
        done
        [ -z "$slices" ] || set -- "$@" --quick
        O7S_BUILD=$build "${PYTHON:-/usr/bin/python3}" tests/bench/bench_net.py "$build" --rr --json "$tmp/out/json" "$@"
}

"measure_$what"

[ -f "$tmp/out/json" ] || : >"$tmp/out/json"
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
