#!/usr/bin/env bash
# Knot DNS 3.2.6 (Debian 12): a public question that is signed with a key that Knot knows gets NOTAUTH with
# BADKEY, where the asker's address is in no acl that has the key. Unsigned, the same question is answered.
#
# The zone has one acl: transfers for 127.0.0.1 with the key. Who asks for the SOA needs none.
#
# Guessed: from 127.0.0.2 the signed question gets the SOA, as the unsigned one does: the key is right, and
#          anybody may ask. (BADKEY stands for a key that the server does not know, RFC 8945, section 5.2.1.)
# Seen:    NOTAUTH, BADKEY. Who checks a secondary's serial with TSIG from another address than the one that
#          the acl names is told of a wrong key, and of a server that is not responsible for the zone.
#
# Output seen:
#   knot 3.2.6
#   from 127.0.0.1, signed: NOERROR, TSIG error 0, SOA
#   from 127.0.0.2, unsigned: NOERROR, no TSIG, SOA
#   from 127.0.0.2, signed: NOTAUTH, TSIG error 17, nothing
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The package and all it needs, in a folder of its own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    knot=3.2.6-1 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 2>/dev/null

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
ZONE
cat >ask.py <<'PYTHON'
"""ask.py PORT SOURCE signed|unsigned: the RCODE, the error of the TSIG RR, and the types of the answer."""

import socket
import sys
import time

import dns.message
import dns.rcode
import dns.rdatatype as types
import dns.tsigkeyring

port, source, how = sys.argv[1:]
query = dns.message.make_query("example.org.", "SOA")
if how == "signed":
    query.use_tsig(dns.tsigkeyring.from_text({"key.example.": "c2VjcmV0IG9mIGEgdGVzdA=="}), "key.example.")
wire = query.to_wire()
for _ in range(40):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((source, 0))
            udp.settimeout(1)
            udp.sendto(wire, ("127.0.0.1", int(port)))
            reply = dns.message.from_wire(udp.recv(4096), keyring=False)
        break
    except OSError:
        time.sleep(0.25)
else:
    sys.exit("no answer: see whether the server started")
told = f"TSIG error {int(reply.tsig_error)}" if reply.had_tsig else "no TSIG"
answer = [types.to_text(rrset.rdtype) for rrset in reply.answer] or ["nothing"]
print(f"from {source}, {how}:", dns.rcode.to_text(reply.rcode()) + ",", told + ",", *answer)
PYTHON

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
cat >knot.conf <<CONF
server:
    listen: 127.0.0.1@$port
    rundir: $folder/run
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: $folder/run
key:
  - id: key.example.
    algorithm: hmac-sha256
    secret: c2VjcmV0IG9mIGEgdGVzdA==
acl:
  - id: transfers
    address: 127.0.0.1
    key: key.example.
    action: transfer
zone:
  - domain: example.org
    file: $folder/example.org.zone
    acl: transfers
CONF
libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
knotd=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$folder/root/usr/sbin/knotd")
"${knotd[@]}" -c knot.conf >run/log 2>&1 &
echo "knot $("${knotd[@]}" --version | grep -o -m 1 '[0-9]*\.[0-9]*\.[0-9]*')"
near=$(venv/bin/python ask.py "$port" 127.0.0.1 signed)
open=$(venv/bin/python ask.py "$port" 127.0.0.2 unsigned)
far=$(venv/bin/python ask.py "$port" 127.0.0.2 signed)
printf '%s\n' "$near" "$open" "$far"
[ "$near" = 'from 127.0.0.1, signed: NOERROR, TSIG error 0, SOA' ]
[ "$open" = 'from 127.0.0.2, unsigned: NOERROR, no TSIG, SOA' ]
[ "$far" = 'from 127.0.0.2, signed: NOTAUTH, TSIG error 17, nothing' ]
