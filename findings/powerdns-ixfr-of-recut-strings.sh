#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12) as a secondary: an IXFR that takes a LUA record away, whose strings are cut
# elsewhere than when it came, leaves the record there, next to the new one, under the new serial.
#
# Guessed: the code is the same, so the record goes; or the delta does not fit, and the whole zone is fetched.
# Seen:    neither. PowerDNS compares the strings, finds no such record, says nothing, and adds the new one:
#          clients get both answers until the zone is fetched anew. BIND, NSD and Knot DNS fetch the whole
#          zone when a record is not there that should go. A primary has to send in IXFR the very cut that
#          it sent before, also when another version of it cuts.
#
# Output seen:
#   pdns_server 4.7.3
#   cut as before: serial 2, 192.0.2.2
#   cut elsewhere: serial 2, 192.0.2.1, 192.0.2.2
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

cat >primary.py <<'PYTHON'
"""A primary of one zone: primary.py PORT before|elsewhere. Serial 1 by AXFR, then serial 2 by IXFR."""

import socket
import socketserver
import struct
import sys
import threading

import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.renderer
import dns.rrset

port, cut = int(sys.argv[1]), sys.argv[2]
zone = dns.name.from_text("example.org.")


def soa(serial):
    return dns.rrset.from_text(zone, 60, "IN", "SOA", f"ns1.example.org. host.example.org. {serial} 1 1 3600 60")


def lua(*strings):
    """A LUA record for A."""
    octets = struct.pack("!H", 1) + b"".join(bytes([len(text)]) + text.encode() for text in strings)
    return dns.rrset.from_text(f"x.{zone}", 60, "IN", "TYPE65402", f"\\# {len(octets)} {octets.hex()}")


ns = dns.rrset.from_text(zone, 60, "IN", "NS", "ns1.example.org.")
old = lua("'192.0.2'", "..'.1'")
gone = old if cut == "before" else lua("'192.0.2'..", "'.1'")
new = lua("'192.0.2'", "..'.2'")
transfers = {
    dns.rdatatype.AXFR: [soa(1), ns, old, soa(1)],
    dns.rdatatype.IXFR: [soa(2), soa(1), gone, soa(2), new, soa(2)],
}
fetched = threading.Event()


def answer(wire):
    query = dns.message.from_wire(wire)
    kind = query.question[0].rdtype
    packet = dns.renderer.Renderer(query.id, 0x8400)
    packet.add_question(zone, kind)
    for rrset in transfers.get(kind, [soa(2 if fetched.is_set() else 1)]):
        packet.add_rrset(dns.renderer.ANSWER, rrset)
    packet.write_header()
    if kind in transfers:
        print(dns.rdatatype.to_text(kind), flush=True)
        fetched.set()
    return packet.get_wire()


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

after() { # before|elsewhere -> what the secondary has after the IXFR
    local kind=$1 primary port
    primary=$(free_port)
    port=$(free_port)
    mkdir "$kind"
    cat >"$kind/pdns.conf" <<CONF
launch=gsqlite3
gsqlite3-database=$folder/$kind/db.sqlite3
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$port
socket-dir=$folder/$kind
secondary=yes
enable-lua-records=yes
xfr-cycle-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
guardian=no
daemon=no
security-poll-suffix=
CONF
    python3 -c 'import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())' \
        "$kind/db.sqlite3" root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
    pdnsutil() { "${run[@]}" root/usr/bin/pdnsutil --config-dir="$kind" "$@" >/dev/null 2>&1; }
    pdnsutil create-secondary-zone example.org "127.0.0.1:$primary"
    pdnsutil set-meta example.org IXFR 1
    venv/bin/python primary.py "$primary" "$kind" >"$kind/transfers" &
    "${run[@]}" root/usr/sbin/pdns_server --config-dir="$kind" >"$kind/log" 2>&1 &
    for _ in {1..60}; do
        grep -qs IXFR "$kind/transfers" && break
        sleep 0.5
    done
    sleep 2
    echo "serial $(venv/bin/python ask.py "$port" example.org. SOA | cut -d ' ' -f 3)," \
        "$(venv/bin/python ask.py "$port" x.example.org. A)"
    kill $!
    wait $! || true
}
before=$(after before)
elsewhere=$(after elsewhere)
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "cut as before: $before"
echo "cut elsewhere: $elsewhere"
[ "$before" = 'serial 2, 192.0.2.2' ] && [ "$elsewhere" = 'serial 2, 192.0.2.1, 192.0.2.2' ]
