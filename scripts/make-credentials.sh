#!/bin/sh
# Makes a small certificate authority and the identities of servers and clients, in the layout that irmd reads (doc/protocols/oap.md).
set -eu

usage() {
	cat <<'USAGE'
usage: make-credentials.sh [options] DIR ca [NAME]
       make-credentials.sh [options] DIR server NAME
       make-credentials.sh [options] DIR client PRINCIPAL

  ca         makes DIR/ca/ (the CA's certificate and its key, which stays here) and installs the certificate
             as DIR/security/cacert/ca.pem; NAME is its commonName
  server     makes DIR/security/server/NAME/cert and key, for the service NAME
  client     makes DIR/security/client/PRINCIPAL/cert and key; PRINCIPAL is a user's name, or "default"

DIR is the configuration folder, /etc/ouroboros say. Give other hosts their own folders of DIR/security and ca.pem, never DIR/ca.

options:
  -k, --key TYPE   p256, p384 (default), p521, ed25519, ed448, rsa2048, rsa3072, rsa4096, or any ML-DSA that openssl has (ml-dsa-65)
  -d, --days N     validity (default: a CA 3650, others 365)
  -s, --san NAMES  the certificate's alternative names in place of the usual one, in openssl's notation
                   (usual: DNS:NAME for a server, DNS:PRINCIPAL for a client)
  -o, --owner USER who owns the key of an identity, and so who can be its irmd (usual: ouroboros when root runs this and
                   there is such a user)
  -f, --force      overwrite what is there
  -h, --help       this text

Nothing is overwritten without --force. Keys get the mode 0600.
USAGE
}

fail() {
	echo "make-credentials.sh: $*" >&2
	exit 1
}

key_type=p384
days=
san=
owner=
force=no
left=$#
while [ "$left" -gt 0 ]; do
	case $1 in
	-h | --help) usage; exit 0 ;;
	-f | --force) force=yes ;;
	-k | --key | -d | --days | -s | --san | -o | --owner)
		[ "$left" -ge 2 ] || fail "$1 needs a value"
		case $1 in
		-k | --key) key_type=$2 ;;
		-d | --days) days=$2 ;;
		-s | --san) san=$2 ;;
		*) owner=$2 ;;
		esac
		shift
		left=$((left - 1))
		;;
	-*) fail "unknown option $1 (see --help)" ;;
	*) set -- "$@" "$1" ;; # to the end: what is left in the end are the words that are no options
	esac
	shift
	left=$((left - 1))
done
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
	usage >&2
	exit 2
fi
dir=$1 what=$2 name=${3-}

case ${days:-1} in
*[!0-9]* | 0 | "" | ???????*) fail "days: a number from 1 on" ;;
esac

# It becomes a file name, a commonName and an alternative name, so it has only what means nothing to any of them.
check_name() {
	case $1 in
	"" | .* | *[!A-Za-z0-9._@:+-]*) fail "'$1' cannot be a name: letters, digits and . _ @ : + -, but no . in front" ;;
	esac
	[ "${#1}" -le 64 ] || fail "'$1' is longer than the 64 bytes that a commonName may have"
}

# Options of `openssl genpkey` for a type of key.
key_options() {
	case $1 in
	p256) echo "-algorithm EC -pkeyopt ec_paramgen_curve:P-256" ;;
	p384) echo "-algorithm EC -pkeyopt ec_paramgen_curve:P-384" ;;
	p521) echo "-algorithm EC -pkeyopt ec_paramgen_curve:P-521" ;;
	ed25519 | ed448) echo "-algorithm $1" ;;
	rsa2048 | rsa3072 | rsa4096) echo "-algorithm RSA -pkeyopt rsa_keygen_bits:${1#rsa}" ;;
	ml-dsa-44 | ml-dsa-65 | ml-dsa-87) echo "-algorithm $1" ;;
	*) fail "unknown type of key '$1'" ;;
	esac
}

refuse_to_overwrite() {
	for file; do
		[ "$force" = yes ] || { [ ! -e "$file" ] && [ ! -L "$file" ]; } ||
			fail "$file is there (--force overwrites it)"
	done
}

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The key and certificate are made aside and moved, so that no reader ever sees half of a file. Of the pair the key is first.
install_pair() {
	mkdir -p "$(dirname "$2")"
	mv -f "$work/key" "$2"
	mv -f "$work/cert" "$1"
}

# make CERT KEY CONFIG DAYS [option...]: a new key, and a certificate for it.
make() {
	cert=$1 key=$2 conf=$3 for_days=$4
	shift 4
	options=$(key_options "$key_type")
	refuse_to_overwrite "$cert" "$key"
	mkdir -p "$(dirname "$cert")" "$(dirname "$key")"
	work=$(mktemp -d "$(dirname "$key")/.make-XXXXXX")
	printf '%s\n' "$conf" >"$work/conf"
	# shellcheck disable=SC2086 # the options are words
	(umask 077 && openssl genpkey $options -out "$work/key" 2>"$work/log") || fail "key: $(cat "$work/log")"
	openssl req -new -x509 -utf8 -batch -config "$work/conf" -key "$work/key" -days "$for_days" -sha384 \
		-set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" -out "$work/cert" "$@" 2>"$work/log" ||
		fail "certificate: $(cat "$work/log")"
	chmod 0600 "$work/key"
	chmod 0644 "$work/cert"
	[ -z "$owner" ] || [ "$key" = "$ca_dir/key" ] || chown "$owner" "$work/key"
	install_pair "$cert" "$key"
	rm -rf "$work"
	work=
}

# config COMMON-NAME EXTENSION...: a configuration of `openssl req`.
config() {
	printf '[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n'
	printf '[name]\nCN = "%s"\n[extensions]\nsubjectKeyIdentifier = hash\n' "$1"
	shift
	printf '%s\n' "$@"
}

ca_dir=$dir/ca
installed=$dir/security/cacert/ca.pem

make_ca() {
	refuse_to_overwrite "$installed"
	mkdir -p "$ca_dir"
	chmod 0700 "$ca_dir"
	make "$ca_dir/cert" "$ca_dir/key" \
		"$(config "${name:-Ouroboros CA}" "basicConstraints = critical, CA:TRUE, pathlen:0" \
			"keyUsage = critical, keyCertSign, cRLSign")" "${days:-3650}"
	mkdir -p "$dir/security/cacert"
	cp "$ca_dir/cert" "$installed"
	echo "$installed"
}

# make_identity FOLDER PURPOSE
make_identity() {
	check_name "$name"
	[ -f "$ca_dir/key" ] || fail "there is no CA in $ca_dir: make one with 'make-credentials.sh $dir ca'"
	make "$1/cert" "$1/key" \
		"$(config "$name" "authorityKeyIdentifier = keyid" "basicConstraints = critical, CA:FALSE" \
			"keyUsage = critical, digitalSignature" "extendedKeyUsage = $2" \
			"subjectAltName = ${san:-DNS:$name}")" \
		"${days:-365}" -CA "$ca_dir/cert" -CAkey "$ca_dir/key"
	echo "$1"
}

# irmd that is started by root reads its files as user ouroboros.
[ -n "$owner" ] || [ "$(id -u)" != 0 ] || ! id ouroboros >/dev/null 2>&1 || owner=ouroboros

command -v openssl >/dev/null || fail "openssl is not installed"
case $what in
ca)
	[ -z "$name" ] || check_name "$(printf %s "$name" | tr ' ' -)" # a name of people, not of a file
	make_ca
	;;
server) make_identity "$dir/security/server/$name" serverAuth ;;
client) make_identity "$dir/security/client/$name" clientAuth ;;
*) usage >&2; exit 2 ;;
esac
