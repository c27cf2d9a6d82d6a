#!/usr/bin/env bash
# Knot DNS 3.4.6 (Debian 13) says NXDOMAIN behind a wildcard CNAME when the name asked for holds a zero
# octet, though the target of the CNAME exists.
#
# The zone has *.w CNAME www, and www has an A record. A label may hold any octet (RFC 2181 §11).
#
# Guessed: \000.w and \001.w get the same answer: the CNAME, the address, NOERROR.
# Seen:    \001.w does; for \000.w the answer holds the CNAME and says NXDOMAIN, without the address.
#
# Output seen:
#   knotd 3.4.6
#   \001.w.example.org.: NOERROR CNAME A
#   \000.w.example.org.: NXDOMAIN CNAME
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 2>/dev/null

# The mirror is that of this machine. Packages and all they need go into a folder of their own.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' \
    'Component: main' | head -n 1)
unpack() { # SUITE VERSION
    local suite=$1 version=$2 deb
    mkdir -p "$suite/lists/partial" "$suite/archives/partial" "$suite/root"
    touch "$suite/status"
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    printf "deb [signed-by=$keys] %s\n" "$mirror $suite main" \
        "${mirror%debian/}debian-security $suite-security main" >"$suite/sources.list"
    cat >"$suite/apt.conf" <<CONF
Dir::Etc::sourcelist "$folder/$suite/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::status "$folder/$suite/status";
Dir::State::lists "$folder/$suite/lists";
Dir::Cache::archives "$folder/$suite/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
    APT_CONFIG=$suite/apt.conf apt-get -qq update
    APT_CONFIG=$suite/apt.conf apt-get -qq -y --no-install-recommends --download-only install \
        "knot=$version" >/dev/null
    for deb in "$suite"/archives/*.deb; do dpkg-deb -x "$deb" "$suite/root"; done
}
unpack trixie 3.4.6-2

cat >example.org.zone <<'ZONE'
$ORIGIN example.org.
$TTL 60
@ SOA ns1 host 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
www A 127.0.0.1
*.w CNAME www
ZONE
cat >ask.py <<'PYTHON'
import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

query = dns.message.make_query(sys.argv[2], "A")
for _ in range(40):
    try:
        reply = dns.query.udp(query, "127.0.0.1", 1, int(sys.argv[1]))
        break
    except (dns.exception.Timeout, OSError):
        time.sleep(0.25)
types = [dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.answer]
print(f"{sys.argv[2]}:", dns.rcode.to_text(reply.rcode()), *types)
PYTHON

root=$folder/trixie/root
libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
knotd=("$root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$root/usr/sbin/knotd")
[ -e "${knotd[0]}" ] || knotd[0]=$root/usr/lib64/ld-linux-x86-64.so.2
port=$(python3 -c 'import socket
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
print(udp.getsockname()[1])')
mkdir run
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
"${knotd[@]}" -c run/knot.conf >run/log 2>&1 &
echo "knotd $("${knotd[@]}" -V | grep -o '[0-9]*\.[0-9]*\.[0-9]*' | head -n 1)"
one=$(venv/bin/python ask.py "$port" '\001.w.example.org.')
zero=$(venv/bin/python ask.py "$port" '\000.w.example.org.')
printf '%s\n' "$one" "$zero"
[ "$one" = '\001.w.example.org.: NOERROR CNAME A' ]
[ "$zero" = '\000.w.example.org.: NXDOMAIN CNAME' ]
