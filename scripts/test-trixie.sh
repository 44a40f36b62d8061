#!/bin/sh
# test-trixie.sh - runs the unit tests that concern OpenSSL with the one of Debian 13 (3.5: ML-KEM, ML-DSA), on any Debian:
#
#     sh scripts/test-trixie.sh DIR [TEST]...
#
# DIR becomes the root of a small Debian 13 (debootstrap, about 1 GB), or is one from an earlier run. The tree is copied
# into it, built there and tested by chroot; nothing outside DIR changes, and nothing is mounted. Needs root, debootstrap and,
# for the first run, a Debian mirror (MIRROR). Wycheproof's vectors are copied too where they are found (O7S_WYCHEPROOF, or
# beside the tree). TESTs are names of unit tests, as in ctest without "unit/".
set -eu

mirror=${MIRROR:-http://deb.debian.org/debian}
tree=$(cd "$(dirname "$0")/.." && pwd)
vectors=${O7S_WYCHEPROOF:-$tree/../shared/vectors/wycheproof}

if [ $# -lt 1 ]; then
        echo "usage: sh scripts/test-trixie.sh DIR [TEST]..." >&2
        exit 2
fi
root=$1
shift
[ $# -gt 0 ] || set -- suite dh kex sign wycheproof_kex wycheproof_sign hkdf aead record record_epochs \
        oap_message oap_engine oap_hostile oap_vectors oap_creds oap_chain oap_leaf oap_rule
if [ "$(id -u)" -ne 0 ]; then
        echo "chroot needs root." >&2
        exit 1
fi

if [ ! -e "$root/etc/debian_version" ]; then
        echo "Making a Debian 13 in $root from $mirror"
        debootstrap --variant=minbase trixie "$root" "$mirror"
fi
root=$(cd "$root" && pwd)
if [ "$root" = / ]; then
        echo "DIR must not be the running system." >&2
        exit 2
fi

echo "Copying the tree to $root/ouroboros"
rm -rf "$root/ouroboros"
mkdir -p "$root/ouroboros"
tar -C "$tree" --exclude='./build*' --exclude=./.git -cf - . | tar -C "$root/ouroboros" -xf -
if [ -d "$vectors" ]; then
        mkdir -p "$root/wycheproof"
        cp "$vectors"/*.json "$root/wycheproof/"
fi

for t; do targets="${targets:-} test_$t"; done
pattern="^unit/($(echo "$*" | tr ' ' '|'))\$"

# shellcheck disable=SC2016 # expanded inside
chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 O7S_WYCHEPROOF=/wycheproof \
        TARGETS="$targets" PATTERN="$pattern" JOBS="${JOBS:-$(nproc)}" sh -euc '
        cd /ouroboros
        sh scripts/install-packages.sh build test
        openssl version
        cmake -G Ninja -S . -B /build >/dev/null
        cmake --build /build -j "$JOBS" --target $TARGETS
        ctest --test-dir /build -R "$PATTERN" --no-tests=error --output-on-failure --timeout 120'
