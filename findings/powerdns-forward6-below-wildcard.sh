#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12): createForward6 is :: for a name two or more labels below the apex.
#
# Guessed: as createForward: what the wildcard stands for is the address, wherever the wildcard is.
# Seen:    for createForward it is. createForward6 finds the address in a name one label below the apex
#          only; in one below *.v6.example.org, or two labels below *.example.org, it finds none, and the
#          answer is ::, with NOERROR. Clients that connect to that address reach themselves.
#
# Output seen:
#   pdns_server 4.7.3
#   192-0-2-1.example.org.             192.0.2.1
#   192-0-2-1.v4.example.org.          192.0.2.1
#   2001-db8--1.example.org.           2001:db8::1
#   2001-db8--1.v6.example.org.        ::
#   host.2001-db8--1.example.org.      ::
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
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
* LUA A "createForward()"
* LUA AAAA "createForward6()"
*.v4 LUA A "createForward()"
*.v6 LUA AAAA "createForward6()"
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
"${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" >log 2>&1 &

line() { # NAME TYPE
    printf '%-34s %s\n' "$1" "$(venv/bin/python ask.py "$port" "$1" "$2")"
}
seen=$(
    line 192-0-2-1.example.org. A
    line 192-0-2-1.v4.example.org. A
    line 2001-db8--1.example.org. AAAA
    line 2001-db8--1.v6.example.org. AAAA
    line host.2001-db8--1.example.org. AAAA
)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "$seen"
[ "$seen" = '192-0-2-1.example.org.             192.0.2.1
192-0-2-1.v4.example.org.          192.0.2.1
2001-db8--1.example.org.           2001:db8::1
2001-db8--1.v6.example.org.        ::
host.2001-db8--1.example.org.      ::' ]
