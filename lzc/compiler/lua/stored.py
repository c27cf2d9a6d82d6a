"""What ``dblookup`` finds while a build runs the code of a zone: contents of records as they stand
in the zones of the project."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from typing import Final

from lzc.bundle import node as nodes
from lzc.bundle.writer import CompiledZone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import Zone

Asked = tuple[bytes, int]
"""A lower-case wire name and a type."""
Elsewhere = Mapping[Asked, tuple[bytes, ...]]
"""Contents, in presentation format, that other zones have."""
_ID: Final = 4
"""Octets of the zone id in front of a node's key."""


class ZoneContents:
    """What is found in a zone, and ``elsewhere`` what it does not have. ``missed`` is what was
    asked for and is not in the zone."""

    def __init__(self, zone: Zone, elsewhere: Elsewhere) -> None:
        self.missed: set[Asked] = set()
        self._zone = zone
        self._elsewhere = elsewhere
        self._known: dict[Asked, list[bytes]] = {}

    def __call__(self, name: bytes, code: int) -> list[bytes]:
        """As `lzc.lua.engine.execution.StoredRecords`."""
        # Few zones are asked, and those often.
        if not self._known:
            for record in self._zone.records:
                owner = self._zone.owner(record)
                self._known.setdefault((owner, record[1]), []).append(record[2])
        if code == rr.LUA:
            return []
        rdatas = self._known.get((name, code))
        if rdatas is None:
            self.missed.add((name, code))
            return list(self._elsewhere.get((name, code), ()))
        return [wire_rdata.to_text(code, rdata).encode() for rdata in rdatas]


def found_in(
    asked: Collection[Asked],
    apexes: Collection[bytes],
    zone_of: Callable[[bytes], CompiledZone | None],
) -> Elsewhere:
    """What the zones of a project have of what is asked for; ``zone_of`` gives one by its apex."""
    found: dict[Asked, tuple[bytes, ...]] = {}
    for name, code in asked:
        apex = _apex_of(name, apexes)
        zone = None if apex is None else zone_of(apex)
        node = None if zone is None else _node(zone, name)
        rrset = None if node is None else nodes.rrset(node, name, code)
        if rrset is not None:
            found[name, code] = tuple(
                wire_rdata.to_text(code, rdata).encode() for rdata in rrset.rdatas
            )
    return found


def _apex_of(name: bytes, apexes: Collection[bytes]) -> bytes | None:
    """The apex of the zone that a name is in: the longest that ends it."""
    at = 0
    while name[at:] not in apexes:
        if at >= len(name) - 1:
            return None
        at += 1 + name[at]
    return name[at:]


def _node(zone: CompiledZone, name: bytes) -> bytes | None:
    items = zone.items
    key = items[0][0][:_ID] + wire_name.key_of(name, zone.info.apex)
    place = bisect_left(items, key, key=lambda item: item[0])
    return items[place][1] if place < len(items) and items[place][0] == key else None
