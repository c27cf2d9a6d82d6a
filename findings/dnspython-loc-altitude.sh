#!/usr/bin/env bash
# dnspython 2.7.0 reads one altitude in seventeen of a LOC record a centimetre too low; the reader of BIND
# 9.18.49 (Debian 12) reads them as they stand.
#
# Guessed: 0.29m is 29 centimetres (RFC 1876 §2), in every reader.
# Seen:    dnspython makes 28 of it, as 0.29 * 100 is 28.999... in floating point and is cut, not rounded:
#          573 of the altitudes from 0.00m to 99.99m. The octets differ from those of a server that reads the
#          same zone file, and so does what is signed: with one key, each of two servers makes a signature
#          that does not fit the record of the other. The object itself says 0.29m until it has been through
#          the wire format.
#
# Output seen:
#   dnspython 2.7.0
#   named-rrchecker: 51 N 0 W 0.29m: 001216138AF18380800000000098969D
#   dnspython:       51 N 0 W 0.29m: 001216138AF18380800000000098969C
#   dnspython:       0.29m as written, 0.28m read back, 573 of 10000 altitudes are wrong
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# The packages and all they need, in a folder of their own: nothing is installed on this machine.
mkdir -p apt/archives/partial root
touch apt/status
apt-get -qq -y -o Dir::State::status="$folder/apt/status" -o Dir::Cache::archives="$folder/apt/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root --no-install-recommends --download-only install \
    bind9=1:9.18.49-1~deb12u3 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check dnspython==2.7.0 2>/dev/null

libraries=$folder/root/lib/x86_64-linux-gnu:$folder/root/usr/lib/x86_64-linux-gnu
run=("$folder/root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries")

cat >read.py <<'PYTHON'
"""read.py octets|back: the octets of an altitude, or what comes back and how many do not."""

import sys

import dns.rdata


def read(altitude):
    return dns.rdata.from_text("IN", "LOC", f"51 N 0 W {altitude}")


def back(altitude):
    wire = read(altitude).to_wire()
    return dns.rdata.from_wire("IN", "LOC", wire, 0, len(wire)).to_text().split()[8]


if sys.argv[1] == "octets":
    print(read("0.29m").to_wire().hex().upper())
else:
    altitudes = [f"{metres}.{rest:02}m" for metres in range(100) for rest in range(100)]
    wrong = sum(back(altitude) != altitude for altitude in altitudes)
    written = read("0.29m").to_text().split()[8]
    print(f"{written} as written, {back('0.29m')} read back, {wrong} of 10000 altitudes are wrong")
PYTHON
bind=$(echo 'IN LOC 51 N 0 W 0.29m' | "${run[@]}" root/usr/bin/named-rrchecker -u | grep -o '[^ ]*$')
python=$(venv/bin/python read.py octets)
back=$(venv/bin/python read.py back)
echo "dnspython $(venv/bin/python -c 'import dns.version; print(dns.version.version)')"
echo "named-rrchecker: 51 N 0 W 0.29m: $bind"
echo "dnspython:       51 N 0 W 0.29m: $python"
echo "dnspython:       $back"
[ "$bind" = 001216138AF18380800000000098969D ]
[ "$python" = 001216138AF18380800000000098969C ]
[ "$back" = '0.29m as written, 0.28m read back, 573 of 10000 altitudes are wrong' ]
