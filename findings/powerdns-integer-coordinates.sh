#!/usr/bin/env bash
# mmdb-writer 0.2.7 writes a coordinate without a fraction as an integer, PowerDNS 4.7.3 (Debian 12)
# reads no such coordinate, and one of them spoils equal ones of other networks.
#
# Guessed: 10 and 10.0 are the same longitude, whoever reads the file.
# Seen:    the writer takes the type from the Python value, so that 10 becomes an integer where
#          GeoLite2 has a double, and the longitude that PowerDNS then gives to latlon() and
#          pickclosest() is 0, without a word in the log. As 10 == 10.0 in Python, and the writer
#          stores what is equal but once, the longitude of a network that says 10.0 is lost too when
#          one before it says 10.
#
# Output seen:
#   pdns_server 4.7.3
#   written as 10.0:                                   50.500000 10.000000
#   written as 10:                                     50.500000 0.000000
#   written as 10.0, another network before it as 10:  50.500000 0.000000
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    pdns-server=4.7.3-2 pdns-backend-bind=4.7.3-2 pdns-backend-geoip=4.7.3-2 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 mmdb-writer==0.2.7 maxminddb==2.6.2 netaddr==1.3.0 2>/dev/null

libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
# An array, not a function: what runs in the background must be the server, which is killed.
run=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries")

cat >write.py <<'PYTHON'
"""write.py FILE NUMBER...: clients 127.0.0.1, 127.0.0.2, ... at 50 N NUMBER E."""

import ast
import sys

from mmdb_writer import MMDBWriter
from netaddr import IPSet

writer = MMDBWriter(ip_version=4, database_type="GeoLite2-City")
for host, number in enumerate(sys.argv[2:], start=1):
    location = {"latitude": 50.5, "longitude": ast.literal_eval(number), "accuracy_radius": 1}
    writer.insert_network(IPSet([f"127.0.0.{host}"]), {"location": location})
writer.to_db_file(sys.argv[1])
PYTHON

cat >ask.py <<'PYTHON'
"""ask.py PORT CLIENT: the TXT record at latlon.example.org, asked from an address."""

import sys
import time

import dns.exception
import dns.message
import dns.query

query = dns.message.make_query("latlon.example.org.", "TXT")
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]), source=sys.argv[2])
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
print(reply.answer[0][0].strings[0].decode())
PYTHON

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
latlon LUA TXT "latlon()"
ZONE
printf 'zone "example.org" { type master; file "%s/example.org.zone"; };\n' "$folder" >named.conf
echo 'domains: []' >geoip.yaml
latlon() { # CLIENT NUMBER... -> latlon() for a client of a database with these longitudes
    local client=$1 port
    shift
    venv/bin/python write.py geo.mmdb "$@"
    port=$(python3 -c 'import socket
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
print(udp.getsockname()[1])')
    cat >pdns.conf <<CONF
launch=bind,geoip
bind-config=$folder/named.conf
geoip-database-files=$folder/geo.mmdb
geoip-zones-file=$folder/geoip.yaml
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$port
socket-dir=$folder
enable-lua-records=yes
guardian=no
daemon=no
CONF
    "${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" >log 2>&1 &
    venv/bin/python ask.py "$port" "$client"
    kill $!
    wait $! || true
}

float=$(latlon 127.0.0.1 10.0)
integer=$(latlon 127.0.0.1 10)
both=$(latlon 127.0.0.2 10 10.0)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "written as 10.0:                                   $float"
echo "written as 10:                                     $integer"
echo "written as 10.0, another network before it as 10:  $both"
[ "$float" = "50.500000 10.000000" ] && [ "$integer" != "$float" ] && [ "$both" = "$integer" ]
