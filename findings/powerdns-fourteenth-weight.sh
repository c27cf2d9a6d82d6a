#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12): a fourteenth item turns the order round in which pickwhashed counts.
#
# pickwhashed draws a number from the hash of the client's address, below the sum of the weights, and takes
# the item at which the sum of the weights so far exceeds it.
#
# Guessed: so far means in the order of the list.
# Seen:    up to 13 items it is from the last to the first; with 14 it is the fourteenth, then the first up
#          to the thirteenth; with 20 the twentieth down to the fourteenth, then the first up to the
#          thirteenth. That is the order of a hash table of libstdc++, keyed by the number of the item,
#          which grows at 14. Nothing in the list tells another server that has to choose alike.
#
# Here all weights are 1 and clients come by ECS, so that item and hash modulo the number of items show it.
#
# Output seen:
#   pdns_server 4.7.3
#   13 items, hash 0 to 12: 13 12 11 10 9 8 7 6 5 4 3 2 1
#   14 items, hash 0 to 13: 14 1 2 3 4 5 6 7 8 9 10 11 12 13
#   20 items, hash 0 to 19: 20 19 18 17 16 15 14 1 2 3 4 5 6 7 8 9 10 11 12 13
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

cat >clients.py <<'PYTHON'
"""clients.py PORT COUNT: which of COUNT items clients get whose hash is 0, 1, ... modulo COUNT."""

import ipaddress
import sys
import time

import dns.edns
import dns.exception
import dns.message
import dns.query

MASK = 0xFFFFFFFF


def jenkins(octets):
    """Bob Jenkins' hash of 1996 (lookup2), of fewer than 12 octets, from 0."""
    low, high = (int.from_bytes(octets[at : at + 4], "little") for at in (0, 4))
    a, b, c = 0x9E3779B9 + low & MASK, 0x9E3779B9 + high & MASK, len(octets)
    for first, second, third in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = (a - b - c & MASK) ^ c >> first
        b = (b - c - a & MASK) ^ a << second & MASK
        c = (c - a - b & MASK) ^ b >> third
    return c


def item(network):
    option = dns.edns.ECSOption(network, 32)
    query = dns.message.make_query(f"w{count}.example.org.", "A", use_edns=0, options=[option])
    for _ in range(40):
        try:
            reply = dns.query.udp(query, "127.0.0.1", 1, port)
            return int(reply.answer[0][0].address.rpartition(".")[2])
        except (dns.exception.Timeout, OSError):
            time.sleep(0.25)
    raise SystemExit("no answer")


port, count = int(sys.argv[1]), int(sys.argv[2])
by_hash = {}
for number in range(1000):
    client = ipaddress.ip_address("10.0.0.0") + number
    by_hash.setdefault(jenkins(client.packed) % count, str(client))
print(*(item(by_hash[number]) for number in range(count)))
PYTHON

{
    cat <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
ZONE
    for count in 13 14 20; do
        items=$(seq -f "{1,'192.0.2.%.0f'}" -s , "$count")
        # A character-string has at most 255 octets; the comma is where it may be cut.
        echo "w$count LUA A \"pickwhashed({$(sed 's/},/}," "/8; s/},/}," "/16' <<<"$items")})\""
    done
} >example.org.zone
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
echo edns-subnet-processing=yes >>pdns.conf
"${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" >log 2>&1 &

seen=$(for count in 13 14 20; do
    echo "$count items, hash 0 to $((count - 1)): $(venv/bin/python clients.py "$port" "$count")"
done)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "$seen"
[ "$seen" = '13 items, hash 0 to 12: 13 12 11 10 9 8 7 6 5 4 3 2 1
14 items, hash 0 to 13: 14 1 2 3 4 5 6 7 8 9 10 11 12 13
20 items, hash 0 to 19: 20 19 18 17 16 15 14 1 2 3 4 5 6 7 8 9 10 11 12 13' ]
