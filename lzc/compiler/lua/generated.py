"""Which LUA records of a ``$GENERATE`` are looked at, as it may make a million."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lzc.source.lua_rewriting import strings_of
from lzc.wire import rrtype as rr
from lzc.zone.model import PLACE, RDATA, LuaSource, Record, Zone

VARIANTS: Final = 1_000
"""Records of a zone that are looked at besides the one of each directive whose source is known. To
lint and to measure one takes up to 2 ms."""

_ENDS: Final = 2


def chosen(zone: Zone, lua_records: Sequence[Record]) -> Iterator[tuple[Record, bool]]:
    """The records to look at, and whether the zone's ``lua_sources`` have their code.

    Of those of one directive these are the one whose source is known and those whose code differs
    from it; where that is too many, a sample spread over the numbers, with both ends.
    """
    by_place: dict[int, list[Record]] = {}
    for record in lua_records:
        by_place.setdefault(record[PLACE], []).append(record)
    directives = sum(len(records) > 1 for records in by_place.values())
    most = max(_ENDS, VARIANTS // max(directives, 1))
    for place, records in by_place.items():
        source = zone.lua_sources.get(place)
        first = records[0]
        if len(records) > 1 and source is not None:
            first = _origin(records, source)
        yield first, source is not None
        if len(records) > 1:
            for record in _spread(_others(records, first), most):
                yield record, False


def _origin(records: Sequence[Record], source: LuaSource) -> Record:
    """The record that has the code of ``source``: they are sorted by owner, not by number."""
    is_included = int.from_bytes(records[0][RDATA][:2], "big") == rr.LUA
    strings = strings_of(source.code, is_included)
    return next((one for one in records if one[RDATA][2:] == strings), records[0])


def _others(records: Sequence[Record], first: Record) -> list[Record]:
    """One record of each other code, by number: longer code has the larger one."""
    different = {record[RDATA]: record for record in reversed(records)}
    different.pop(first[RDATA], None)
    return sorted(different.values(), key=lambda record: (len(record[RDATA]), record[RDATA]))


def _spread(records: Sequence[Record], most: int) -> Sequence[Record]:
    if len(records) <= most:
        return records
    return [records[at * (len(records) - 1) // (most - 1)] for at in range(most)]
