#!/usr/bin/env bash
# BIND 9.20.30 (Debian 13) answers NXDOMAIN where the wildcard that would be the source of synthesis
# is an empty non-terminal; RFC 4592 §4.9 wants NOERROR without data.
#
# The zone has deep.*.star TXT, so that *.star exists, with nothing at it. x.star does not exist.
#
# Guessed: what 9.18 (Debian 12) answers, and the RFC says: the source of synthesis exists, NODATA.
# Seen:    the same zone file gives NXDOMAIN in 9.20: for a resolver with RFC 8020, nothing below
#          x.star exists then either. Servers of one zone, primary and secondaries, differ by version.
#
# Output seen:
#   named 9.18.49: x.star.example.org. TXT: NOERROR
#   named 9.20.30: x.star.example.org. TXT: NXDOMAIN
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 2>/dev/null

# The mirror is that of this machine. Packages and all they need go into a folder of their own.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' \
    'Component: main' | head -n 1)
unpack() { # SUITE VERSION
    local suite=$1 version=$2 deb
    mkdir -p "$suite/lists/partial" "$suite/archives/partial" "$suite/root"
    touch "$suite/status"
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    printf "deb [signed-by=$keys] %s\n" "$mirror $suite main" \
        "${mirror%debian/}debian-security $suite-security main" >"$suite/sources.list"
    cat >"$suite/apt.conf" <<CONF
Dir::Etc::sourcelist "$folder/$suite/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::status "$folder/$suite/status";
Dir::State::lists "$folder/$suite/lists";
Dir::Cache::archives "$folder/$suite/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
    APT_CONFIG=$suite/apt.conf apt-get -qq update
    APT_CONFIG=$suite/apt.conf apt-get -qq -y --no-install-recommends --download-only install \
        "bind9=$version" "bind9-libs=$version" "bind9-utils=$version" >/dev/null
    for deb in "$suite"/archives/*.deb; do dpkg-deb -x "$deb" "$suite/root"; done
}
unpack bookworm 1:9.18.49-1~deb12u3
unpack trixie 1:9.20.30-1~deb13u1

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
deep.*.star TXT "deep"
ZONE
cat >ask.py <<'PYTHON'
import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode

query = dns.message.make_query("x.star.example.org.", "TXT")
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]))
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
print(dns.rcode.to_text(reply.rcode()))
PYTHON

asked() { # SUITE -> what its named answers
    local root=$folder/$1/root port version
    local libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
    local named=("$root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$root/usr/sbin/named")
    [ -e "${named[0]}" ] || named[0]=$root/usr/lib64/ld-linux-x86-64.so.2
    port=$(python3 -c 'import socket
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
print(udp.getsockname()[1])')
    mkdir "$1/run"
    cat >"$1/run/named.conf" <<CONF
options {
    directory "$folder/$1/run";
    listen-on port $port { 127.0.0.1; };
    listen-on-v6 { none; };
    pid-file none;
    session-keyfile none;
    recursion no;
};
controls { };
zone "example.org" { type primary; file "$folder/example.org.zone"; };
CONF
    "${named[@]}" -g -c "$folder/$1/run/named.conf" >"$1/run/log" 2>&1 &
    version=$(grep -o '[0-9]*\.[0-9]*\.[0-9]*' <<<"$("${named[@]}" -v)" | head -n 1)
    echo "named $version: x.star.example.org. TXT: $(venv/bin/python ask.py "$port")"
    kill $!
}

old=$(asked bookworm)
new=$(asked trixie)
printf '%s\n' "$old" "$new"
[ "$old" = "named 9.18.49: x.star.example.org. TXT: NOERROR" ]
[ "$new" = "named 9.20.30: x.star.example.org. TXT: NXDOMAIN" ]
