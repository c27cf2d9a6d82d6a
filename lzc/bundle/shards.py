"""How the zones of a bundle are spread over its files.

A zone lies in the shard that its name hashes to, whatever other zones there are, so that a changed
zone changes the files of one shard, and all other files are those of the bundle before. The id of a
zone has the shard in its upper 8 bits and numbers the zones of a shard, ordered by the octets of
their apex, in the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from zlib import crc32

MOST: Final = 64
"""Each shard costs every process that opens the bundle two files."""
ZONES: Final = 16
"""Zones of a shard on average, at least, where there are several shards."""

_SHIFT: Final = 24


def count(zones: int) -> int:
    """The shards of a bundle with so many zones: a power of two."""
    return min(MOST, 1 << max(0, (zones // ZONES).bit_length() - 1))


def shard_of(apex: bytes, shards: int) -> int:
    """The shard of the zone with this apex (lower-case wire name)."""
    return crc32(apex) & (shards - 1)


def of_zone_id(zone_id: int) -> int:
    """The shard of a zone by its id."""
    return zone_id >> _SHIFT


def ids(apexes: Iterable[bytes], shards: int, wanted: Iterable[int]) -> dict[bytes, int]:
    """The ids of the zones in the ``wanted`` shards, ascending; ``apexes`` are those of all zones,
    ordered by their octets."""
    members: list[list[bytes]] = [[] for _ in range(shards)]
    mask = shards - 1
    for apex in apexes:
        members[crc32(apex) & mask].append(apex)
    return {
        apex: number
        for shard in sorted(wanted)
        for number, apex in enumerate(members[shard], shard << _SHIFT)
    }
