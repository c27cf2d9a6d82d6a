#!/usr/bin/env bash
# mmdb-writer 0.2.7: a network that is inserted after one within it takes that one out.
#
# Guessed: the more specific network wins, as in a routing table, whatever the order of insertion.
# Seen:    the larger one overwrites the smaller, without a word; only in the other order are both there.
#          A list of networks that is sorted by size, smallest first, or comes in no order, becomes a
#          database that sends clients of the smaller networks to the wrong place.
#
# Output seen:
#   mmdb-writer 0.2.7
#   /24, then the /25 in it: 192.0.2.1 is DE, 192.0.2.200 is FR, 2 networks
#   /25, then the /24 on it: 192.0.2.1 is FR, 192.0.2.200 is FR, 1 networks
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check mmdb-writer==0.2.7 maxminddb==2.6.2 netaddr==1.3.0 2>/dev/null

cat >insert.py <<'PYTHON'
"""insert.py NETWORK=COUNTRY...: insert in this order, then look up."""

import sys

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

writer = MMDBWriter(ip_version=4, database_type="GeoLite2-Country")
for argument in sys.argv[1:]:
    network, country = argument.split("=")
    writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
writer.to_db_file("geo.mmdb")
with maxminddb.open_database("geo.mmdb") as reader:
    for address in ("192.0.2.1", "192.0.2.200"):
        print(f"{address} is {reader.get(address)['country']['iso_code']}", end=", ")
    print(f"{len(list(reader))} networks")
PYTHON
larger_first=$(venv/bin/python insert.py 192.0.2.0/24=FR 192.0.2.0/25=DE)
smaller_first=$(venv/bin/python insert.py 192.0.2.0/25=DE 192.0.2.0/24=FR)
echo "mmdb-writer $(venv/bin/python -c 'from importlib.metadata import version; print(version("mmdb-writer"))')"
echo "/24, then the /25 in it: $larger_first"
echo "/25, then the /24 on it: $smaller_first"
[ "$larger_first" = "192.0.2.1 is DE, 192.0.2.200 is FR, 2 networks" ]
[ "$smaller_first" = "192.0.2.1 is FR, 192.0.2.200 is FR, 1 networks" ]
