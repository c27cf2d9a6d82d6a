"""A project of LUA records of the kinds that operators publish, to be upgraded from one version of
PowerDNS to another, and what a careful operator would ask about each of them.

The zones are in ``upgrade_zones``. Each LUA record has its own line, or begins on it, and names its
owner, so that a line tells which record it is.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.peers.mass_asking import Question

ZONES: Final = Path(__file__).with_name("upgrade_zones")

CLIENTS: Final = (
    "",
    "192.0.2.200/32",
    "2001:db8::/64",
    "192.0.2.9/32",
    "198.51.100.0/24",
    "203.0.113.5/32",
    "2001:db8:8000::/64",
)
"""Subnets in the EDNS option (RFC 7871), of places that the tests' database knows; empty: none is
sent, and loopback asks, which is nowhere."""

_RECORD: Final = re.compile(r"(\S+) IN LUA (\S+) ")
_CHECKING: Final = re.compile(r"if(port|url|urlext)up")
_CHANCE: Final = re.compile(r"random|view\(|closest")
_BY_CLIENT: Final = re.compile(
    r"who|hashed|closest|Magic|latlon|geoip|view\(|netmask\(|asnum|country|continent|region"
)
_ECS: Final = 8


class Record(NamedTuple):
    """A LUA record: its zone, the number of its first line, its owner and the type it answers for.
    ``checks``: it may look at health; ``chance``: it may draw; by how many ``clients`` it is asked:
    one, if it does not look at them, or a few, if it draws besides."""

    zone: str
    line: int
    owner: str
    covered: str
    checks: bool
    chance: bool
    clients: int

    def __str__(self) -> str:
        return f"{self.owner} {self.covered}"


def zones() -> list[str]:
    """The names of all zones."""
    return sorted(file.stem for file in ZONES.glob("*.zone"))


def records() -> Iterator[Record]:
    """All LUA records that somebody can ask for."""
    for zone in zones():
        lines = (ZONES / f"{zone}.zone").read_text().splitlines()
        for number, line in enumerate(lines, 1):
            found = _RECORD.match(line)
            if found is not None and found[2] != "LUA":
                whole = _whole(lines[number - 1 :])
                owner = zone if found[1] == "@" else f"{found[1]}.{zone}"
                yield Record(
                    zone,
                    number,
                    f"{owner}.",
                    found[2],
                    checks := _CHECKING.search(whole) is not None,
                    checks or _CHANCE.search(whole) is not None,
                    _clients(whole),
                )


def _clients(code: str) -> int:
    if not _BY_CLIENT.search(code):
        return 1
    draws = _CHECKING.search(code) or _CHANCE.search(code)
    return 3 if draws and "hashed" not in code else len(CLIENTS)


def _whole(lines: Sequence[str]) -> str:
    """The first record of some lines: what follows it on more of them begins with blanks."""
    more = takewhile(lambda line: line.startswith(" "), lines[1:])
    return "".join([lines[0], *more])


ADDRESSES: Final = (
    "192-0-2-1.198-51-100-1",
    *("192-0-2-1", "ip-192-0-2-1", "host-192-0-2-77", "customer-203-0-113-9", "1-2-3-4-5"),
    *("c0000201", "ipc0000201", "ip-c0000201", "hostc0000201", "40414243", "ip40414243"),
    *("192.0.2.1", "1.2.3", "2.1", "1", "192-0-2-1.host", "www", "foo-bar", "10-1-2-3"),
    *("host192-0-2-1", "xx0102030x", "192-0-2-1x", "192-0-2-010", "0xc0-0-2-1", "256-0-2-1"),
)
"""Labels in front of a wildcard whose record may make an IPv4 address of them."""

ADDRESSES6: Final = (
    *("2001-db8--1", "2001-db8-0-0-0-0-0-1", "20010db8000000000000000000000001", "2001--db8"),
    *("2001.db8.0.0.0.0.0.1", "1.2.3", "www", "g--1", "fe80--1", "ip-2001-db8--1", "0--1"),
)
"""Likewise, an IPv6 address."""

_OCTETS: Final = ("1", "77", "254", "0")
_NIBBLES: Final = ("1", "0", "a", "f")
_NO_OCTETS: Final = ("x", "300")
_NO_NIBBLES: Final = ("x", "10")


def names_of(record: Record) -> Iterator[str]:
    """The names to ask for: its own, or names below its wildcard."""
    if not record.owner.startswith("*."):
        yield record.owner
        return
    below = record.owner[2:]
    if record.zone.endswith((".in-addr.arpa", ".ip6.arpa")):
        labels = _reversed(below)
    else:
        labels = iter(ADDRESSES6 if record.covered == "AAAA" else ADDRESSES)
    for label in labels:
        yield f"{label}.{below}"


def _reversed(below: str) -> Iterator[str]:
    """Labels that make an address of a reverse name, and some that do not."""
    have = below.count(".") - 2
    parts, others = (_NIBBLES, _NO_NIBBLES) if "ip6" in below else (_OCTETS, _NO_OCTETS)
    missing = (32 if "ip6" in below else 4) - have
    for part in parts:
        yield ".".join([part, *["0"] * (missing - 1)])
        yield ".".join([part, *["1"] * (missing - 1)])
        yield ".".join([part, *["0"] * (missing - 2), "7"][-missing:])
    yield ".".join(parts[at % len(parts)] for at in range(missing))
    for part in others:
        yield ".".join([part, *["1"] * (missing - 1)])
    yield "x"
    yield ".".join(["1"] * (missing + 1))


def questions_of(record: Record) -> Iterator[Question]:
    """All questions about a record: of all its clients about the first of its names, and of one of
    them about the others."""
    kind = rrtype.from_text(record.covered)
    clients = CLIENTS[: record.clients]
    for name in names_of(record):
        wire = wire_name.from_text(name)
        for client in clients:
            yield Question(wire, kind, _option(client) if client else b"")
        clients = CLIENTS[:1]


def _option(subnet: str) -> bytes:
    """A client's subnet as an EDNS option (RFC 7871 §6)."""
    network = ipaddress.ip_network(subnet)
    family = 1 if network.version == 4 else 2
    address = network.network_address.packed[: -(-network.prefixlen // 8)]
    data = struct.pack("!HBB", family, network.prefixlen, 0) + address
    return struct.pack("!HH", _ECS, len(data)) + data
