"""A zone as a bundle has it, taken into another bundle: octet by octet, or under another serial.

A serial has the same size whatever it is, and nothing but the SOA record holds it: so a zone gets
another one without being compiled again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lzc.bundle import node as nodes
from lzc.bundle.manifest import BundleError
from lzc.bundle.shard import Shard
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo
from lzc.wire import rrtype as rr

_ID: Final = 4
"""Octets of the zone id in front of a node's key."""
_BEFORE_QUESTION: Final = 2 + 12
"""Octets of a transfer before its question: the length of the message, and its header."""
_AFTER_NAME: Final = 4
"""Octets of type and class in the question."""
_SERIAL: Final = 20
"""Where the serial stands in SOA RDATA, counted from its end (RFC 1035 §3.3.13)."""


def carried(
    shard: Shard, info: ZoneInfo, zone_id: int, plans: Mapping[bytes, bytes] | None = None
) -> CompiledZone:
    """A zone of an open shard under another id. ``plans`` are those of its LUA records, where that
    is known; all of the shard otherwise: a plan is found by the code that it is of, so those of
    other zones do no harm."""
    prefix = info.zone_id.to_bytes(_ID, "big")
    items = list(shard.items(prefix))
    start = info.transfer_offset
    zone = CompiledZone(
        info,
        items,
        [bytes(shard.transfers[start : start + info.transfer_length])],
        shard.all_plans() if plans is None else plans,
        list(shard.chain(prefix)),
        list(shard.signed_names(prefix)),
    )
    return renumbered(zone, zone_id)


def renumbered(zone: CompiledZone, zone_id: int) -> CompiledZone:
    """The zone under another id."""
    if zone.info.zone_id == zone_id:
        return zone
    prefix = zone_id.to_bytes(_ID, "big")
    items = [(prefix + key[_ID:], node) for key, node in zone.items]
    chain = [(prefix + key[_ID:], content) for key, content in zone.chain]
    signatures = [(prefix + key[_ID:], content) for key, content in zone.signatures]
    return replace(
        zone,
        info=replace(zone.info, zone_id=zone_id),
        items=items,
        chain=chain,
        signatures=signatures,
    )


def with_serial(zone: CompiledZone, serial: int, source_serial: int) -> CompiledZone:
    """The zone under another serial; ``source_serial`` as in `ZoneInfo`. Raises `BundleError` for
    one without an SOA record where it belongs."""
    info = zone.info
    changed = replace(info, serial=serial, source_serial=source_serial)
    if serial == info.serial:
        return replace(zone, info=changed)
    octets, before = serial.to_bytes(4, "big"), info.serial.to_bytes(4, "big")
    key, apex = zone.items[0]
    found = nodes.find(apex, rr.SOA)
    if found is None:
        raise BundleError(f"zone {info.zone_id} has no SOA record")
    _, start, end = found
    transfer = bytearray(b"".join(zone.messages))
    first = _BEFORE_QUESTION + len(info.apex) + _AFTER_NAME + (end - start) - _SERIAL
    for content, at in ((apex, end - _SERIAL), (transfer, first), (transfer, -_SERIAL)):
        if content[at : at + 4] != before:
            raise BundleError(f"zone {info.zone_id} has another serial than is said of it")
    transfer[first : first + 4] = octets
    transfer[-_SERIAL : -_SERIAL + 4] = octets
    node = apex[: end - _SERIAL] + octets + apex[end - _SERIAL + 4 :]
    return replace(
        zone, info=changed, items=[(key, node), *zone.items[1:]], messages=[bytes(transfer)]
    )
