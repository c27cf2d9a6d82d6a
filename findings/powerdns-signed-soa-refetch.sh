#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12) as a secondary: a primary that signs on the fly, and hands the zone out
# unsigned so that its secondaries sign it too, is asked for the whole zone at every refresh.
#
# Guessed: the serial decides (RFC 1034 §4.3.5): same serial, no transfer.
# Seen:    the secondary asks for the SOA with DO. Where the answer holds an RRSIG while the zone it
#          has is not presigned, it logs "is stale, master ... has signed" and transfers again, for
#          as long as it runs. Without the RRSIG in that one answer there is a single transfer.
#
# Output seen (the number of transfers varies by one or two, with the refresh of 2 seconds):
#   signed SOA:   7 transfers in 14 s, same serial
#   unsigned SOA: 1 transfer(s) in 14 s
#   is stale, master 127.0.0.1:43217 has signed, serial is 1
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    pdns-server=4.7.3-2 pdns-backend-sqlite3=4.7.3-2 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 cryptography==44.0.1 2>/dev/null

libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
# An array, not a function: what runs in the background must be the server, which is killed.
run=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries")

cat >primary.py <<'PYTHON'
"""A primary of one zone: primary.py PORT signed|unsigned. Its AXFR never holds signatures; its SOA
answers do when asked with DO and started so. Each transfer is a line on standard output."""

import socket
import socketserver
import sys
import threading

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.renderer
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

port, signed = int(sys.argv[1]), sys.argv[2] == "signed"
zone = dns.name.from_text("example.org.")
soa = dns.rrset.from_text(zone, 60, "IN", "SOA", "ns1.example.org. host.example.org. 1 2 1 3600 60")
ns = dns.rrset.from_text(zone, 60, "IN", "NS", "ns1.example.org.")
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256)
rrsig = dns.rrset.from_rdata(zone, 60, dns.dnssec.sign(soa, key, zone, dnskey, lifetime=86400))


def answer(wire):
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    match query.question[0].rdtype:
        case dns.rdatatype.AXFR:
            print("transfer", flush=True)
            reply.answer = [soa, ns]
            packet = dns.renderer.Renderer(query.id, reply.flags)
            packet.add_question(zone, dns.rdatatype.AXFR)
            for one in (soa, ns, soa):
                packet.add_rrset(dns.renderer.ANSWER, one)
            packet.write_header()
            return packet.get_wire()
        case dns.rdatatype.SOA:
            reply.answer = [soa, rrsig] if signed and query.ednsflags & dns.flags.DO else [soa]
    return reply.to_wire()


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        while len(size := self.rfile.read(2)) == 2:
            wire = answer(self.rfile.read(int.from_bytes(size, "big")))
            self.wfile.write(len(wire).to_bytes(2, "big") + wire)


socketserver.ThreadingTCPServer.allow_reuse_address = True
tcp = socketserver.ThreadingTCPServer(("127.0.0.1", port), Stream)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", port))
while True:
    data, client = udp.recvfrom(4096)
    udp.sendto(answer(data), client)
PYTHON

transfers() { # signed|unsigned -> transfers within 14 seconds
    local kind=$1 port dns
    read -r port dns < <(python3 -c 'import socket
pairs = [(socket.socket(), socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
for tcp, udp in pairs:
    tcp.bind(("127.0.0.1", 0)); udp.bind(tcp.getsockname())
print(*(tcp.getsockname()[1] for tcp, udp in pairs))')
    mkdir "$kind"
    cat >"$kind/pdns.conf" <<CONF
launch=gsqlite3
gsqlite3-database=$folder/$kind/db.sqlite3
gsqlite3-dnssec=yes
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$dns
socket-dir=$folder/$kind
secondary=yes
xfr-cycle-interval=1
guardian=no
daemon=no
loglevel=6
CONF
    python3 -c 'import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())' \
        "$kind/db.sqlite3" root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
    "${run[@]}" root/usr/bin/pdnsutil --config-dir="$kind" create-secondary-zone example.org "127.0.0.1:$port" >/dev/null 2>&1
    venv/bin/python primary.py "$port" "$kind" >"$kind/transfers" &
    sleep 1
    "${run[@]}" root/usr/sbin/pdns_server --config-dir="$kind" >"$kind/log" 2>&1 &
    sleep 14
    kill $!
    grep -c transfer "$kind/transfers" || true
}

signed=$(transfers signed)
unsigned=$(transfers unsigned)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "signed SOA:   $signed transfers in 14 s, same serial"
echo "unsigned SOA: $unsigned transfer(s) in 14 s"
grep -m1 -o 'is stale, .*' signed/log || true
[ "$signed" -ge 3 ] && [ "$unsigned" -eq 1 ]
