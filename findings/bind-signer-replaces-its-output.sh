#!/usr/bin/env bash
# dnssec-signzone of BIND 9.18.49 (Debian 12) puts a file of its own in the place of what -f names, and does not
# write to it; named-compilezone of the same package writes to what -o names.
#
# Each is given a symbolic link and a named pipe that somebody reads.
#
# Guessed: both write to what is there, as a shell's > does: the file behind the link gets the zone, the reader of
#          the pipe too.
# Seen:    the signer makes a file under another name and renames it: link and pipe are gone, the file behind the
#          link is as it was, and the reader waits. Run by root, this is what becomes of a device that -f names to
#          throw a signed zone away in a benchmark or in CI: it is a regular file from then on.
#
# Output seen:
#   bind9-utils 1:9.18.49-1~deb12u3
#   named-compilezone: link is a link, file is the zone, pipe is a pipe
#   dnssec-signzone: link is a file, file is as it was, pipe is a file
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The package and all it needs, in a folder of its own: nothing is installed on this machine.
package=bind9-utils version=1:9.18.49-1~deb12u3
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    "$package=$version" "bind9-libs=$version" >/dev/null
for deb in apt/archives/*.deb; do dpkg-deb -x "$deb" root; done
libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
run() {
    local program
    program=$(find "$folder/root" -name "$1" -type f)
    shift
    LD_LIBRARY_PATH=$libraries timeout 20 "$program" "$@" >/dev/null 2>&1
}

cat >zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
ZONE
run dnssec-keygen -q -a ECDSAP256SHA256 -f KSK example.org
run dnssec-keygen -q -a ECDSAP256SHA256 example.org

kind() {
    if [ -L "$1" ]; then echo link; elif [ -p "$1" ]; then echo pipe; else echo file; fi
}
tried() { # NAME FUNCTION, which takes the name of the output
    local name=$1
    mkdir "$name"
    echo before >"$name/file"
    ln -s file "$name/link"
    mkfifo "$name/pipe"
    timeout 20 cat "$name/pipe" >/dev/null &
    shift
    "$@" "$name/link"
    "$@" "$name/pipe"
    local content="the zone"
    [ "$(cat "$name/file")" != before ] || content="as it was"
    echo "$name: link is a $(kind "$name/link"), file is $content, pipe is a $(kind "$name/pipe")"
}
compile() { run named-compilezone -q -o "$1" example.org zone; }
sign() { run dnssec-signzone -q -S -o example.org -f "$1" zone; }

echo "$package $version"
seen=$(
    tried named-compilezone compile
    tried dnssec-signzone sign
)
echo "$seen"
[ "$seen" = "named-compilezone: link is a link, file is the zone, pipe is a pipe
dnssec-signzone: link is a file, file is as it was, pipe is a file" ]
