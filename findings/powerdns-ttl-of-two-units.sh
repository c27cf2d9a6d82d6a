#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12), bind backend: "$TTL 2h30m" is two minutes.
#
# Guessed: two and a half hours, as for BIND, NSD and Knot DNS; or an error, as for a record of its own TTL.
# Seen:    the first number with the last unit: 2h30m is 2m, 1w2d is 1d, and the log has no word of it. In
#          front of a record the same text is an error, and the zone is not loaded.
#
# Output seen:
#   pdns_server 4.7.3
#   $TTL 2h     7200
#   $TTL 2h30m  120
#   $TTL 1w2d   86400
#   $TTL 1d12h  3600
#   2h30m in front of a record: SERVFAIL
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    pdns-server=4.7.3-2 pdns-backend-bind=4.7.3-2 >/dev/null
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
"""ask.py PORT NAME TYPE: the TTL of the answer, or the RCODE, when the server has come up."""

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
answers = [str(rrset.ttl) for rrset in reply.answer]
print(", ".join(sorted(answers)) or dns.rcode.to_text(reply.rcode()))
PYTHON

cat >head <<'ZONE'
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
ZONE
{
    printf '$ORIGIN example.org.\n$TTL 60\n'
    cat head
    for ttl in 2h 2h30m 1w2d 1d12h; do printf '$TTL %s\n%s A 192.0.2.1\n' "$ttl" "$ttl"; done
} >example.org.zone
{
    printf '$ORIGIN example.net.\n$TTL 60\n'
    cat head
    echo '2h30m 2h30m A 192.0.2.1'
} >example.net.zone
printf 'zone "example.org" { type master; file "%s/example.org.zone"; };\n' "$folder" >named.conf
port=$(free_port)
cat >pdns.conf <<CONF
launch=bind
bind-config=$folder/named.conf
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$port
socket-dir=$folder
enable-lua-records=yes
cache-ttl=0
query-cache-ttl=0
guardian=no
daemon=no
security-poll-suffix=
CONF
printf 'zone "example.net" { type master; file "%s/example.net.zone"; };\n' "$folder" >>named.conf
"${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" >log 2>&1 &

seen=$(for ttl in 2h 2h30m 1w2d 1d12h; do
    printf '$TTL %-6s %s\n' "$ttl" "$(venv/bin/python ask.py "$port" "$ttl.example.org." A)"
done)
refused=$(venv/bin/python ask.py "$port" 2h30m.example.net. A)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "$seen"
echo "2h30m in front of a record: $refused"
[ "$seen" = '$TTL 2h     7200
$TTL 2h30m  120
$TTL 1w2d   86400
$TTL 1d12h  3600' ] && [ "$refused" = SERVFAIL ]
