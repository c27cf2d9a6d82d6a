#!/usr/bin/env bash
# PowerDNS 4.7.3 (Debian 12): a LUA record that fails is SERVFAIL to who asks, and no metric counts it.
#
# Guessed: servfail-packets grows with each SERVFAIL, so that an alert on its share of the answers tells of
#          records whose code is broken.
# Seen:    it stays 0, as pdns_auth_servfail_packets in /metrics, and the ring of SERVFAIL queries is empty;
#          udp-answers alone grows. noerror-packets leaves out answers that have a record, and grew with the
#          first of four that had none; NXDOMAIN is counted. 4.9.18 and 5.1.5 did the same.
#
# Output seen:
#   pdns_server 4.7.3
#   7 times SERVFAIL, 5 times 192.0.2.1, 4 times NODATA, 3 times NXDOMAIN
#   udp_answers 19, servfail_packets 0, noerror_packets 1, nxdomain_packets 3, servfail ring 0
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
"""ask.py PORT WEBPORT: ask for four names, and say what came, and what metrics grew by."""

import sys
import time
import urllib.request

import dns.exception
import dns.message
import dns.query
import dns.rcode

METRICS = ("udp_answers", "servfail_packets", "noerror_packets", "nxdomain_packets")
RING = "ring_servfail_queries_size"


def ask(name: str, rdtype: str = "A") -> str:
    query = dns.message.make_query(name + "example.org.", rdtype)
    reply = dns.query.udp(query, "127.0.0.1", 5, int(sys.argv[1]))
    answers = [rdata.to_text() for rrset in reply.answer for rdata in rrset]
    nothing = "NODATA" if reply.rcode() == 0 else dns.rcode.to_text(reply.rcode())
    return ", ".join(answers) or nothing


def metrics() -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}/metrics") as page:
        lines = page.read().decode().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name.removeprefix("pdns_auth_"): int(float(value)) for name, value in pairs}


for _ in range(40):
    try:
        ask("", "SOA")
        before = metrics()
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
seen = []
for times, name, rdtype in ((7, "fails.", "A"), (5, "www.", "A"), (4, "www.", "MX"), (3, "nope.", "A")):
    (came,) = {ask(name, rdtype) for _ in range(times)}
    seen.append(f"{times} times {came}")
print(", ".join(seen))
time.sleep(2)
after = metrics()
grew = [f"{name} {after[name] - before[name]}" for name in METRICS]
print(", ".join([*grew, f"servfail ring {after[RING]}"]))
PYTHON

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
fails LUA A "error('broken')"
www LUA A "'192.0.2.1'"
ZONE
printf 'zone "example.org" { type master; file "%s/example.org.zone"; };\n' "$folder" >named.conf
port=$(free_port)
web=$(free_port)
cat >pdns.conf <<CONF
launch=bind
bind-config=$folder/named.conf
module-dir=$folder/root/usr/lib/x86_64-linux-gnu/pdns
local-address=127.0.0.1
local-port=$port
socket-dir=$folder
enable-lua-records=yes
webserver=yes
webserver-address=127.0.0.1
webserver-port=$web
webserver-allow-from=127.0.0.1
guardian=no
daemon=no
security-poll-suffix=
CONF
"${run[@]}" root/usr/sbin/pdns_server --config-dir="$folder" >log 2>&1 &
echo "pdns_server $("${run[@]}" root/usr/sbin/pdns_server --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
seen=$(venv/bin/python ask.py "$port" "$web")
echo "$seen"
[ "$seen" = '7 times SERVFAIL, 5 times 192.0.2.1, 4 times NODATA, 3 times NXDOMAIN
udp_answers 19, servfail_packets 0, noerror_packets 1, nxdomain_packets 3, servfail ring 0' ]
