#!/usr/bin/env bash
# NSD 4.6.1 (Debian 12) takes a number that does not fit its field modulo what the field holds, and TTLs of
# 2^31 and more for an hour; the zone loads, without a word.
#
# Guessed: a preference of 65536 is an error, as for BIND, Knot DNS and PowerDNS; a TTL of 2^31 and more is
#          0 (RFC 2181 §8), as there, or the zone's own ($TTL 60).
# Seen:    65536 is 0, so that the last choice among the mail servers becomes the first; port 70000 is
#          4464; usage 257 is 1. A TTL of 2^31 is 3600, and one of 2^32 + 1 is 1.
#
# Output seen:
#   NSD version 4.6.1
#   zone example.org is ok
#   x MX 65536 a                 60 MX 0 a.example.org.
#   x MX -1 a                    60 MX 65535 a.example.org.
#   x SRV 0 0 70000 a            60 SRV 0 0 4464 a.example.org.
#   x CAA 256 issue "a"          60 CAA 0 issue "a"
#   x DNSKEY 65793 3 13 AQID     60 DNSKEY 257 3 13 AQID
#   x 2147483648 A 192.0.2.1     3600 A 192.0.2.1
#   x 4294967297 A 192.0.2.1     1 A 192.0.2.1
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    nsd=4.6.1-1 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 2>/dev/null

libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
# An array, not a function: what runs in the background must be the server, which is killed.
run=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries")

free_port() {
    python3 -c 'import socket
while True:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            continue
        print(tcp.getsockname()[1])
        break'
}
cat >ask.py <<'PYTHON'
"""ask.py PORT NAME TYPE: the answer's records, or the RCODE, when the server has come up."""

import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode

query = dns.message.make_query(sys.argv[2], sys.argv[3])
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]))
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
answers = [
    f"{rrset.ttl} {sys.argv[3]} {rdata.to_text()}" for rrset in reply.answer for rdata in rrset
]
print(", ".join(sorted(answers)) or dns.rcode.to_text(reply.rcode()))
PYTHON

cat >records <<'RECORDS'
x MX 65536 a
x MX -1 a
x SRV 0 0 70000 a
x CAA 256 issue "a"
x DNSKEY 65793 3 13 AQID
x 2147483648 A 192.0.2.1
x 4294967297 A 192.0.2.1
RECORDS
{
    cat <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
a A 127.0.0.1
ZONE
    awk '{ sub(/^x/, "x" NR); print }' records
} >example.org.zone
checked=$("${run[@]}" root/usr/sbin/nsd-checkzone example.org example.org.zone 2>&1)
port=$(free_port)
cat >nsd.conf <<CONF
server:
    server-count: 1
    ip-address: 127.0.0.1@$port
    username: ""
    database: ""
    zonesdir: "$folder"
    pidfile: "$folder/pid"
    xfrdfile: "$folder/xfrd.state"
    zonelistfile: "$folder/zone.list"
    xfrdir: "$folder"
remote-control:
    control-enable: no
zone:
    name: example.org
    zonefile: "$folder/example.org.zone"
    provide-xfr: 127.0.0.1 NOKEY
CONF
"${run[@]}" root/usr/sbin/nsd -d -c "$folder/nsd.conf" >log 2>&1 &
seen=$(
    number=0
    while IFS= read -r record; do
        number=$((number + 1))
        kind=$(grep -o '[A-Z][A-Z]*' <<<"$record" | head -n 1)
        printf '%-28s %s\n' "$record" "$(venv/bin/python ask.py "$port" "x$number.example.org." "$kind")"
    done <records
)
kill $!
wait $! || true
echo "$("${run[@]}" root/usr/sbin/nsd -v 2>&1 | head -n 1)"
echo "$checked"
echo "$seen"
[ "$checked" = 'zone example.org is ok' ]
[ "$seen" = 'x MX 65536 a                 60 MX 0 a.example.org.
x MX -1 a                    60 MX 65535 a.example.org.
x SRV 0 0 70000 a            60 SRV 0 0 4464 a.example.org.
x CAA 256 issue "a"          60 CAA 0 issue "a"
x DNSKEY 65793 3 13 AQID     60 DNSKEY 257 3 13 AQID
x 2147483648 A 192.0.2.1     3600 A 192.0.2.1
x 4294967297 A 192.0.2.1     1 A 192.0.2.1' ]
