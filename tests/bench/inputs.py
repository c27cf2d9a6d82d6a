"""Zones and query files that the rows share. The same seed gives the same octets."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from tests.bench.codes import strings

ZONE = "bench.example"

APEX = f"""$ORIGIN {ZONE}.
$TTL 300
@ 3600 IN SOA ns1.{ZONE}. hostmaster.{ZONE}. 2026010100 3600 900 604800 300
@ 3600 IN NS ns1.{ZONE}.
@ 3600 IN NS ns2.{ZONE}.
ns1 3600 IN A 192.0.2.1
ns2 3600 IN A 192.0.2.2
"""


def static_zone(path: Path, names: int, zone: str = ZONE) -> None:
    """A zone of ``names`` hosts with an A record each, and five records more."""
    with path.open("w") as out:
        out.write(APEX.replace(ZONE, zone))
        out.writelines(
            f"host{i} 300 IN A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(names)
        )


def lua_zone(path: Path, names: int, code: str) -> None:
    """A zone of ``names`` LUA A records, all with the same code."""
    with path.open("w") as out:
        out.write(APEX)
        out.writelines(f"lua{i} 60 IN LUA A {strings(code)}\n" for i in range(names))


def queries(path: Path, names: Iterable[str], qtype: str = "A") -> Path:
    """A dnsperf input file."""
    path.write_text("".join(f"{name} {qtype}\n" for name in names))
    return path


def hosts(count: int, prefix: str = "host") -> list[str]:
    """``count`` existing names in a random order."""
    order = list(range(count))
    random.Random(1).shuffle(order)
    return [f"{prefix}{i}.{ZONE}" for i in order]


def strangers(count: int) -> list[str]:
    """``count`` names that do not exist, each another one."""
    rng = random.Random(2)
    return [f"x{rng.getrandbits(60):015x}.{ZONE}" for _ in range(count)]
