#!/bin/sh
# run.sh - runs the model:  sh run.sh [NAME]...     Needs proverif (2.05) and cpp. Environment: PROVERIF (proverif), LIMIT (1800 s a run).
#
# One line a run: its name and the verdict of each query in the order of the file, T true, F false, ? not decided; then what
# was expected where that is something else. Exits 1 if anything was. "-" in what is expected: any verdict, see README.md.
set -eu

cd "$(dirname "$0")"
proverif=${PROVERIF:-proverif}
limit=${LIMIT:-1800}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# name | model | queries | switches | expected
runs='
mutual            oap     all              MUT S1                   TTTTTTTTTTTTF
mutual-kem        oap     all              MUT S2                   TTTTTTTTTTTTF
mutual-later      oap     secrecy          MUT S1 LATER             TTTT
mutual-kem-later  oap     secrecy          MUT S2 LATER             TTTT
mutual-replica    oap     no1011           MUT S1 REPLICA           TTTTTFTTTTF
mutual-dual       oap     1to8             MUT S1 DUAL              TTTTTTTT
mutual-weak-ec    oap     1to8             MUT S2 WEAK_EC           TTTTTTTT
mutual-weak-kem   oap     1to8             MUT S2 WEAK_KEM          TTTTTTTT
mutual-leak-a     oap     1to8             MUT S1 LEAK_A            TFFTTFFF
mutual-leak-b     oap     1to8             MUT S1 LEAK_B            FTTFFTTT
mutual-malleable  oap     malleable        MUT S1 MALL              TTTF
mutual-zeropoint  oap     1to8             MUT S1 ZEROPT            --------
server            oap     1to8             SRV S1                   TTTTTTTT
server-kem        oap     1to8             SRV S2                   TTTTTTTT
server-later      oap     secrecy          SRV S1 LATER             TTTT
optional          oap     no1011           OPT S1 NOB2              -----------
both-suites       oap     secrecy          MUT S1 S2                TTTT
plain-listener    oap     unauthenticated  UN S1 PASSIVE NOB2       TTTTTTF
reachable         oap     reachable        MUT S1                   FFF
without-cache     oap     malleable        MUT S1 WITHOUT_CACHE     TFTT
without-name      oap     1to8             MUT S1 WITHOUT_NAME      --------
without-request   oap     1to8             MUT S1 WITHOUT_REQUEST   --------
poison            poison  -                -                        T
poison-by-id      poison  -                BYID                     F
privacy-listener  privacy -                PASSIVE                  T
privacy-mutual    privacy -                MUT                      T
privacy-owncert   privacy -                MUT OWNCERT              F
privacy-anybody   privacy -                -                        F
'

# The verdicts of a run's output, as letters.
verdicts()
{
        sed -n -e 's/^RESULT .*is true.*/T/p' -e 's/^RESULT .*is false.*/F/p' -e 's/^RESULT .*cannot be proved.*/?/p' \
                "$1" | tr -d '\n'
}

wanted()
{
        [ -n "$names" ] || return 0
        case " $names " in
        *" $1 "*) return 0 ;;
        esac
        return 1
}

# $1 model, $2 queries, then switches
preprocess()
{
        model=$1 queries=$2
        shift 2
        for switch; do
                shift
                [ "$switch" = - ] || set -- "$@" "-D$switch"
        done
        cpp -P -traditional-cpp -DQFILE="\"q_$queries.pv\"" "$@" "$model.pv.in"
}

names="$*"
status=0
while read -r name model queries rest; do
        if [ -z "$name" ] || ! wanted "$name"; then
                continue
        fi
        expected=${rest##* }
        # shellcheck disable=SC2086 # a list of words
        preprocess "$model" "$queries" ${rest% *} >"$tmp/$name.pv"
        timeout "$limit" "$proverif" "$tmp/$name.pv" >"$tmp/out" 2>&1 || true
        got=$(verdicts "$tmp/out")
        if [ "$(printf %s "$expected" | tr -d -- -)" = '' ] || [ "$got" = "$expected" ]; then
                printf '%-18s %s\n' "$name" "$got"
        else
                printf '%-18s %s   expected %s\n' "$name" "${got:-nothing}" "$expected"
                status=1
        fi
done <<END
$runs
END
exit "$status"
