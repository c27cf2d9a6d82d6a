#!/usr/bin/env bash
# dnsdist 1.7.3 (Debian 12): with useClientSubnet, no query with a TSIG gets through to a server.
#
# Guessed: dnsdist adds the client's subnet to queries as they are, or leaves alone those it cannot add to.
# Seen:    it puts an OPT record behind the TSIG, which has to be last (RFC 8945 §5.1): BIND 9.18.49 says
#          FORMERR. Where the query has an OPT record, the option goes into that, and what was signed has
#          changed: BADSIG. A secondary that asks for the SOA through dnsdist never hears of a new serial.
#
# Output seen:
#   dnsdist 1.7.3, named 9.18.49
#   no subnet,   TSIG:          NOERROR
#   with subnet, no TSIG:       NOERROR
#   with subnet, TSIG:          FORMERR
#   with subnet, TSIG and EDNS: NOTAUTH BADSIG
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    dnsdist=1.7.3-2 bind9=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 \
    bind9-utils=1:9.18.49-1~deb12u3 >/dev/null
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
"""ask.py PORT tsig|plain edns|plain: the RCODE for the SOA, and the error of the TSIG."""

import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring

query = dns.message.make_query("example.org.", "SOA")
if sys.argv[3] == "edns":
    query.use_edns(0)
if sys.argv[2] == "tsig":
    query.use_tsig(dns.tsigkeyring.from_text({"transfer.": "c2VjcmV0c2VjcmV0c2VjcmV0"}))
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]))
        print(dns.rcode.to_text(reply.rcode()))
        break
    except dns.tsig.PeerBadSignature:
        print("NOTAUTH BADSIG")
        break
    except dns.message.UnknownTSIGKey as error:
        print(error)
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
    except dns.exception.DNSException as error:
        print(type(error).__name__)
        break
PYTHON

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
ZONE
server=$(free_port)
cat >named.conf <<CONF
options {
    directory "$folder";
    listen-on port $server { 127.0.0.1; };
    listen-on-v6 { none; };
    pid-file none;
    session-keyfile none;
    recursion no;
};
controls { };
key "transfer." { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0"; };
zone "example.org" { type primary; file "$folder/example.org.zone"; };
CONF
"${run[@]}" root/usr/sbin/named -g -c "$folder/named.conf" >named.log 2>&1 &
front() { # true|false -> the port of a dnsdist with this useClientSubnet
    local port
    port=$(free_port)
    cat >"$1.conf" <<CONF
setLocal("127.0.0.1:$port")
setACL({"127.0.0.0/8"})
setSecurityPollSuffix("")
newServer({address="127.0.0.1:$server", useClientSubnet=$1})
CONF
    echo "$port"
}
without=$(front false)
with=$(front true)
for subnet in false true; do
    "${run[@]}" root/usr/bin/dnsdist --supervised --disable-syslog -C "$subnet.conf" >"$subnet.log" 2>&1 &
done
seen=$(
    echo "no subnet,   TSIG:          $(venv/bin/python ask.py "$without" tsig plain)"
    echo "with subnet, no TSIG:       $(venv/bin/python ask.py "$with" plain plain)"
    echo "with subnet, TSIG:          $(venv/bin/python ask.py "$with" tsig plain)"
    echo "with subnet, TSIG and EDNS: $(venv/bin/python ask.py "$with" tsig edns)"
)
echo "dnsdist $("${run[@]}" root/usr/bin/dnsdist --version | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)," \
    "named $("${run[@]}" root/usr/sbin/named -v | grep -o '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)"
echo "$seen"
[ "$seen" = 'no subnet,   TSIG:          NOERROR
with subnet, no TSIG:       NOERROR
with subnet, TSIG:          FORMERR
with subnet, TSIG and EDNS: NOTAUTH BADSIG' ]
