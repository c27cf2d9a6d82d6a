#!/usr/bin/env bash
# maxminddb 2.6.2: the C extension takes 010.0.0.1 for 8.0.0.1, the reader in Python refuses it.
#
# Guessed: both readers of one library take the same texts for addresses, and give the same record.
# Seen:    the extension leaves reading to the C library (inet_aton: octal, hexadecimal, fewer than four
#          parts), the one in Python to its ipaddress module. Which of them runs depends on whether the wheel
#          fits the platform. An address with leading zeros, as logs and forms with fixed columns have it, is
#          another network's with the one, an error with the other.
#
# The database has 8.0.0.0/8 and 10.0.0.0/8.
#
# Output seen:
#   maxminddb 2.6.2
#   address     extension  Python
#   10.0.0.1    ten        ten
#   010.0.0.1   eight      ValueError
#   10.1        ten        ValueError
#   0xa000001   ten        ValueError
#   167772161   ten        ValueError
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check mmdb-writer==0.2.7 maxminddb==2.6.2 netaddr==1.3.0 2>/dev/null

cat >look.py <<'PYTHON'
import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

writer = MMDBWriter(ip_version=4, database_type="Test")
writer.insert_network(IPSet(["8.0.0.0/8"]), "eight")
writer.insert_network(IPSet(["10.0.0.0/8"]), "ten")
writer.to_db_file("networks.mmdb")


def found(mode, address):
    with maxminddb.open_database("networks.mmdb", mode) as reader:
        try:
            return reader.get(address)
        except ValueError:
            return "ValueError"


print("address     extension  Python")
for address in ("10.0.0.1", "010.0.0.1", "10.1", "0xa000001", "167772161"):
    extension, python = (found(mode, address) for mode in (maxminddb.MODE_MMAP_EXT, maxminddb.MODE_MMAP))
    print(f"{address:11} {extension:10} {python}")
PYTHON
seen=$(venv/bin/python look.py)
echo "maxminddb $(venv/bin/python -c 'from importlib.metadata import version; print(version("maxminddb"))')"
echo "$seen"
[ "$seen" = 'address     extension  Python
10.0.0.1    ten        ten
010.0.0.1   eight      ValueError
10.1        ten        ValueError
0xa000001   ten        ValueError
167772161   ten        ValueError' ]
