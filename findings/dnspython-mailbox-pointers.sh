#!/usr/bin/env bash
# dnspython 2.7.0 does not know MB, MG, MR and MINFO, and keeps pointers of compressed names in their RDATA
# when it takes a zone from NSD 4.6.1 (Debian 12).
#
# Guessed: a type that dnspython does not know goes through it as octets, and comes out as it was.
# Seen:    RFC 1035 defined these four, so servers compress the names in them (RFC 3597 §4 allows it). Read
#          as octets, "mail.example.org." is a pointer to where another name stood in that message: two
#          octets that mean nothing in a zone, a file or another message. dig shows the names.
#
# Output seen:
#   dnspython 2.7.0, NSD version 4.6.1
#   dnspython: minfo MINFO \# 11 c067066572726f7273c00c
#   dig:       minfo MINFO mail.example.org. errors.example.org.
#   dnspython: mg MG \# 7 046d61696cc00c
#   dig:       mg MG mail.example.org.
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    nsd=4.6.1-1 bind9-dnsutils=1:9.18.49-1~deb12u3 >/dev/null
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

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
mg MG mail
minfo MINFO mail errors
ZONE
cat >transfer.py <<'PYTHON'
"""transfer.py PORT OWNER TYPE: that record of example.org, as a transfer brings it."""

import sys
import time

import dns.query
import dns.zone

for _ in range(40):
    try:
        zone = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", "example.org", port=int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.25)
print(zone.find_rdataset(sys.argv[2], sys.argv[3])[0].to_text())
PYTHON
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
transferred() { # OWNER TYPE -> RDATA in dnspython
    venv/bin/python transfer.py "$port" "$1" "$2"
}
dug() { # OWNER TYPE -> RDATA in dig
    "${run[@]}" root/usr/bin/dig "@127.0.0.1" -p "$port" "$1.example.org" "$2" +short
}
seen=$(for record in 'minfo MINFO' 'mg MG'; do
    echo "dnspython: $record $(transferred $record)"
    echo "dig:       $record $(dug $record)"
done)
kill $!
wait $! || true
echo "dnspython $(venv/bin/python -c 'import dns.version; print(dns.version.version)')," \
    "$("${run[@]}" root/usr/sbin/nsd -v 2>&1 | head -n 1)"
echo "$seen"
grep -qx 'dig:       minfo MINFO mail.example.org. errors.example.org.' <<<"$seen"
grep -qx 'dig:       mg MG mail.example.org.' <<<"$seen"
# The offsets depend on what stood before; c0 begins a pointer.
grep -qx 'dnspython: minfo MINFO \\# [0-9]* c0..066572726f7273c00c' <<<"$seen"
grep -qx 'dnspython: mg MG \\# 7 046d61696cc00c' <<<"$seen"
