#!/usr/bin/env bash
# NSD 4.6.1 (Debian 12): in a signed zone, NXDOMAIN for a name that a DNAME leads to lacks the proof that the
# name does not exist, unless some record of the zone names it.
#
# old.example.org has DNAME new.example.org., in the same zone. Neither nothing.new nor named.new exists, but
# alias is a CNAME for named.new. The proof takes two NSEC RRs: of the name, and of the wildcard that could
# have answered for it.
#
# Guessed: nothing.old and named.old get the DNAME and both NSECs, as who asks for the targets does.
# Seen:    for nothing.old the NSEC of the wildcard comes alone; named.old gets both. A validator has to ask
#          for the target by itself.
#
# Output seen:
#   nsd 4.6.1
#   nothing.new: NXDOMAIN, NSEC a.new alias
#   named.old: NXDOMAIN DNAME CNAME, NSEC a.new alias
#   nothing.old: NXDOMAIN DNAME CNAME, NSEC alias
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The package and all it needs, in a folder of its own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    nsd=4.6.1-1 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 cryptography==44.0.1 2>/dev/null

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
alias CNAME named.new
old DNAME new
a.new A 127.0.0.1
www.new A 127.0.0.1
ZONE
cat >sign.py <<'PYTHON'
"""Sign the zone with one new key, and deny with NSEC."""

import dns.dnssec
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ed25519

zone = dns.zone.from_file("example.org.zone", "example.org.", relativize=False)
private = ed25519.Ed25519PrivateKey.generate()
dnskey = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ED25519, flags=257)
with zone.writer() as writer:
    dns.dnssec.sign_zone(zone, writer, keys=[(private, dnskey)], lifetime=86400, add_dnskey=True)
zone.to_file("example.org.signed", relativize=False)
PYTHON
cat >ask.py <<'PYTHON'
"""ask.py PORT NAME: the RCODE, the types of the answer, and the owners of NSEC RRs."""

import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype as types

query = dns.message.make_query(f"{sys.argv[2]}.example.org.", "A", want_dnssec=True)
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]))
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
else:
    sys.exit("no answer: see whether the server started")
answer = [types.to_text(rrset.rdtype) for rrset in reply.answer if rrset.rdtype != types.RRSIG]
owners = sorted(
    rrset.name.to_text().removesuffix(".example.org.")
    for rrset in reply.authority
    if rrset.rdtype == types.NSEC
)
print(f"{sys.argv[2]}:", " ".join([dns.rcode.to_text(reply.rcode()), *answer]) + ", NSEC", *owners)
PYTHON
venv/bin/python sign.py

port=$(python3 -c 'import socket
while True:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            continue
        print(tcp.getsockname()[1])
        break')
mkdir run
cat >nsd.conf <<CONF
server:
    ip-address: 127.0.0.1@$port
    username: ""
    database: ""
    pidfile: "$folder/run/nsd.pid"
    zonelistfile: "$folder/run/zone.list"
    xfrdfile: "$folder/run/xfrd.state"
    xfrdir: "$folder/run"
remote-control:
    control-enable: no
zone:
    name: example.org
    zonefile: "$folder/example.org.signed"
CONF
libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
nsd=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$folder/root/usr/sbin/nsd")
"${nsd[@]}" -c nsd.conf -d >run/log 2>&1 &
echo "nsd $("${nsd[@]}" -v 2>&1 | grep -o -m 1 '[0-9]*\.[0-9]*\.[0-9]*')"
direct=$(venv/bin/python ask.py "$port" nothing.new)
named=$(venv/bin/python ask.py "$port" named.old)
nothing=$(venv/bin/python ask.py "$port" nothing.old)
printf '%s\n' "$direct" "$named" "$nothing"
[ "$direct" = 'nothing.new: NXDOMAIN, NSEC a.new alias' ]
[ "$named" = 'named.old: NXDOMAIN DNAME CNAME, NSEC a.new alias' ]
[ "$nothing" = 'nothing.old: NXDOMAIN DNAME CNAME, NSEC alias' ]
