#!/bin/sh
# install-packages.sh - installs the Debian packages of the named sections of debian-packages.txt (all of them without
# arguments), and says so first. Does nothing, and needs no rights, when they are there.
set -eu

here=$(dirname "$0")

packages()
{
        awk -v wanted=" ${*:-build test check} " '
                /^\[/ { section = substr($0, 2, length($0) - 2) }
                /^[a-z]/ && index(wanted, " " section " ") { print $1 }' "$here/debian-packages.txt"
}

missing()
{
        for p in $(packages "$@"); do
                case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) in
                installed) ;;
                *) printf '%s ' "$p" ;;
                esac
        done
}

as_root()
{
        if [ "$(id -u)" -eq 0 ]; then
                "$@"
        else
                sudo "$@"
        fi
}

if ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian: install the equivalents of $(packages "$@" | tr '\n' ' ')yourself." >&2
        exit 0
fi
need=$(missing "$@")
[ -n "$need" ] || exit 0
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "These packages are missing, and installing them needs root: $need" >&2
        exit 1
fi
echo "Installing from Debian: $need"
as_root apt-get -qq update
# shellcheck disable=SC2086 # a list of words
as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $need >/dev/null
