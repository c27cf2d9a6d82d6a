#!/usr/bin/env bash
# BIND 9.18.49, NSD 4.6.1, PowerDNS 4.7.3 and Knot DNS 3.2.6 (Debian 12) serve three TTLs for one RRset of
# one zone file.
#
# The records of an RRset have TTLs of 60, 30 and 90, in this order, which RFC 2181 §5.2 forbids.
#
# Guessed: the lowest, which is what that section has a reader of unequal TTLs do in the end.
# Seen:    BIND takes the first, Knot DNS the last, NSD and PowerDNS the lowest.
#
# Output seen:
#   named 60
#   nsd 30
#   knotd 90
#   pdns_server 30
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    bind9=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 bind9-utils=1:9.18.49-1~deb12u3 nsd=4.6.1-1 \
    knot=3.2.6-1 pdns-server=4.7.3-2 pdns-backend-bind=4.7.3-2 >/dev/null
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

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
x 60 A 192.0.2.1
x 30 A 192.0.2.2
x 90 A 192.0.2.3
ZONE
mkdir run
port=$(free_port)
cat >run/named.conf <<CONF
options {
    directory "$folder/run";
    listen-on port $port { 127.0.0.1; };
    listen-on-v6 { none; };
    pid-file none;
    session-keyfile none;
    recursion no;
};
controls { };
zone "example.org" { type primary; file "$folder/example.org.zone"; };
CONF
cat >run/nsd.conf <<CONF
server:
    server-count: 1
    ip-address: 127.0.0.1@$port
    username: ""
    database: ""
    zonesdir: "$folder"
    pidfile: "$folder/run/pid"
    xfrdfile: "$folder/run/xfrd.state"
    zonelistfile: "$folder/run/zone.list"
    xfrdir: "$folder/run"
remote-control:
    control-enable: no
zone:
    name: example.org
    zonefile: "$folder/example.org.zone"
CONF
cat >run/knot.conf <<CONF
server:
    rundir: "$folder/run"
    listen: 127.0.0.1@$port
database:
    storage: "$folder/run"
zone:
  - domain: example.org
    file: "$folder/example.org.zone"
CONF
cat >run/pdns.conf <<CONF
launch=bind
bind-config=$folder/run/pdns.named.conf
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$port
socket-dir=$folder/run
guardian=no
daemon=no
security-poll-suffix=
CONF
printf 'zone "example.org" { type master; file "%s/example.org.zone"; };\n' "$folder" >run/pdns.named.conf
served() { # PROGRAM NAME TYPE -> what the server answers that is started for it
    local arguments
    case $1 in
    named) arguments=(-g -c "$folder/run/named.conf") ;;
    nsd) arguments=(-d -c "$folder/run/nsd.conf") ;;
    knotd) arguments=(-c "$folder/run/knot.conf") ;;
    pdns_server) arguments=(--config-dir="$folder/run") ;;
    esac
    "${run[@]}" "root/usr/sbin/$1" "${arguments[@]}" >"run/$1.log" 2>&1 &
    venv/bin/python ask.py "$port" "$2" "$3"
    kill $!
    wait $! || true
}

seen=$(for server in named nsd knotd pdns_server; do echo "$server $(served "$server" x.example.org. A)"; done)
echo "$seen"
[ "$seen" = 'named 60
nsd 30
knotd 90
pdns_server 30' ]
