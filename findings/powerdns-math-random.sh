#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12): math.random in a LUA record is the same number for every query, after a
# restart too.
#
# Guessed: ({'a', 'b', 'c'})[math.random(3)] gives each of the three about as often.
# Seen:    a query has a Lua state of its own, and LuaJIT seeds each with the same number: all clients get
#          one of the three, always the same, whichever server they ask. With enable-lua-records=shared the
#          state goes on, and numbers differ; pdnsrandom differs in both.
#
# Output seen:
#   pdns_server 4.7.3
#   yes:    794207 794207 794207 794207, after a restart 794207, choice of three: c c c c
#   shared: 4 numbers of 4
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
answers = [rdata.to_text() for rrset in reply.answer for rdata in rrset]
print(", ".join(sorted(answers)) or dns.rcode.to_text(reply.rcode()))
PYTHON

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 0
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
number LUA TXT "tostring(math.random(1000000))"
choice LUA TXT "({'a', 'b', 'c'})[math.random(3)]"
own LUA TXT "tostring(pdnsrandom(1000000))"
ZONE
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

asked() { # MODE NAME... -> what a server that is started for them answers, in one line
    local mode=$1 name server
    shift
    "${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" --enable-lua-records="$mode" \
        --receiver-threads=1 --distributor-threads=1 >log 2>&1 &
    server=$!
    for name; do venv/bin/python ask.py "$port" "$name.example.org." TXT; done | tr -d '"' | paste -s -d ' '
    kill "$server"
    wait "$server" || true
}
first=$(asked yes number number number number)
again=$(asked yes number)
choice=$(asked yes choice choice choice choice)
own=$(asked yes own own own own)
shared=$(asked shared number number number number)
different() { tr ' ' '\n' <<<"$1" | sort -u | wc -l; }
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "yes:    $first, after a restart $again, choice of three: $choice"
echo "shared: $(different "$shared") numbers of 4"
[ "$(different "$first $again")" -eq 1 ]
[ "$(different "$choice")" -eq 1 ]
[ "$(different "$own")" -gt 1 ]
[ "$(different "$shared")" -gt 1 ]
