"""Zones from text to bundles, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lzc.bundle import current, shards, writer
from lzc.bundle.reader import Bundle
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneKey
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial
from lzc.image.compile import Draft, compile_zone
from lzc.wire import name as wire_name
from tests.unit.zone_text import read_zone_text

HEAD = """$TTL 3600
@ 7200 IN SOA ns1 hostmaster 5 3600 600 86400 300
@ NS ns1
ns1 A 192.0.2.1
"""

KEY = ZoneKey(12345, 13, 257, bytes.fromhex("0101030d") + bytes(range(64)))


def wire(text: str) -> bytes:
    return wire_name.from_text(text, wire_name.ROOT).lower()


def lua_rdata(covered: int, *strings: bytes) -> bytes:
    """The RDATA of a LUA record."""
    return covered.to_bytes(2, "big") + b"".join(bytes((len(one),)) + one for one in strings)


def draft(
    text: str = "",
    name: str = "example.org",
    zone_id: int = 0,
    *,
    signed: bool = False,
    lua: bool = True,
    head: str = HEAD,
    denial: Denial = NSEC_CHAIN,
) -> Draft:
    zone, faults = read_zone_text((head + text).encode(), wire(name), f"{name}.zone")
    assert not faults, faults
    zone.records.sort()
    keys = (KEY,) if signed else ()
    return compile_zone(zone, zone_id, signed=signed, lua=lua, keys=keys, denial=denial)


def compiled(
    text: str = "",
    name: str = "example.org",
    zone_id: int = 0,
    *,
    signed: bool = False,
    lua: bool = True,
    denial: Denial = NSEC_CHAIN,
) -> CompiledZone:
    made = draft(text, name, zone_id, signed=signed, lua=lua, denial=denial)
    assert not made.faults, made.faults
    return made.finish(made.info.serial)


def nodes(text: str = "", *, signed: bool = False, lua: bool = True) -> dict[bytes, bytes]:
    return {key[4:]: node for key, node in compiled(text, signed=signed, lua=lua).items}


def write_bundle(
    output: Path,
    zones: Mapping[str, str],
    *,
    signed: bool = False,
    lua: bool = True,
    denial: Denial = NSEC_CHAIN,
) -> str:
    names = {wire(name): name for name in sorted(zones, key=wire)}
    count = shards.count(len(names))
    ids = shards.ids(names, count, range(count))
    numbered = [(names[apex], number) for apex, number in ids.items()]
    with current.locked(output):
        return writer.write(
            output,
            [
                compiled(zones[name], name, number, signed=signed, lua=lua, denial=denial)
                for name, number in numbered
            ],
            [],
            version="test",
            inputs={},
        )


def open_bundle(output: Path) -> Bundle:
    return Bundle.open(output / "current")
