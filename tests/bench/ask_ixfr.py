"""Ask for what changed in a zone since a serial, by IXFR over TSIG, again and again; prints the
medians of octets and seconds as JSON. That it is what changed and not the zone is looked at.

python -m tests.bench.ask_ixfr PORT ZONE SERIAL TIMES
"""

from __future__ import annotations

import json
import socket
import sys
import time
from statistics import median

import dns.message
import dns.rrset
import dns.tsig
import dns.tsigkeyring

from tests.bench.peers import TSIG_NAME, TSIG_SECRET

_SOA = b"\x00\x06\x00\x01"
_SOAS = 4
"""In front, at both changes, and behind."""


def ask(port: int, zone: str, serial: int) -> tuple[int, float]:
    """Octets of an answer, lengths of its messages included, and seconds from the request to the
    SOA that ends it."""
    query = dns.message.make_query(zone, "IXFR", use_edns=False)
    soa = f"ns1.{zone}. hostmaster.{zone}. {serial} 1 1 1 1"
    query.authority.append(dns.rrset.from_text(f"{zone}.", 0, "IN", "SOA", soa))
    query.use_tsig(
        dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}), algorithm=dns.tsig.HMAC_SHA256
    )
    wire = query.to_wire()
    with socket.create_connection(("127.0.0.1", port)) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        tcp.sendall(len(wire).to_bytes(2, "big") + wire)
        found = b""
        while found.count(_SOA) < _SOAS or not _whole(found):
            more = tcp.recv(1 << 20)
            if not more or len(found) > 1 << 16:
                raise SystemExit(f"no IXFR: {len(found)} octets, {found[:16].hex()}")
            found += more
        return len(found), time.perf_counter() - started


def _whole(found: bytes) -> bool:
    position = 0
    while position + 2 <= len(found):
        position += 2 + int.from_bytes(found[position : position + 2], "big")
    return position == len(found)


if __name__ == "__main__":
    seen = [ask(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])) for _ in range(int(sys.argv[4]))]
    octets, seconds = (median(column) for column in zip(*seen, strict=True))
    print(json.dumps({"octets": octets, "seconds": seconds}))
