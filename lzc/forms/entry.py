"""A name of a published zone: its RRs as a transfer has them, signatures among them, as octets.

In network byte order::

    flags u8 | RRs u32 | the RRs

The owner of each is written as its labels below the apex and ``C0 0C``, as in a transfer, whose
question names the apex.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lzc.image.delta import rr_end
from lzc.wire import rrtype as rr

DELEGATION: Final = 1
"""A zone cut: only its DS is signed."""
OCCLUDED: Final = 2
"""Below a zone cut or a DNAME: nothing is signed, and no denial tells of it."""

_HEAD: Final = struct.Struct(">BI")
HEAD: Final = _HEAD.size
DENIALS: Final = frozenset({rr.NSEC, rr.NSEC3})


class RRset(NamedTuple):
    """RRs of a type as octets, each with its owner: ``rrs`` joined, ``number`` of them."""

    rrtype: int
    number: int
    rrs: bytes


class Parsed(NamedTuple):
    """An entry taken apart: the RRsets by type, and the joined RRSIG RRs over each of these, and
    how many they are."""

    flags: int
    rrsets: dict[int, RRset]
    signatures: dict[int, tuple[int, bytes]]


def pack(flags: int, count: int, parts: Iterable[bytes]) -> bytes:
    """An entry."""
    return b"".join((_HEAD.pack(flags, count), *parts))


def head(entry: bytes) -> tuple[int, int]:
    """Flags, and how many RRs."""
    return _HEAD.unpack_from(entry)


def rrs_of(entry: bytes) -> Iterator[bytes]:
    """Its RRs."""
    position, end = HEAD, len(entry)
    while position < end:
        after = rr_end(entry, position)
        yield entry[position:after]
        position = after


def parse(entry: bytes) -> Parsed:
    """An entry taken apart."""
    flags, _ = _HEAD.unpack_from(entry)
    rrsets: dict[int, RRset] = {}
    signatures: dict[int, tuple[int, bytes]] = {}
    for one in rrs_of(entry):
        at = _after_owner(one)
        rrtype = one[at] << 8 | one[at + 1]
        if rrtype == rr.RRSIG:
            covered = one[at + 10] << 8 | one[at + 11]
            count, joined = signatures.get(covered, (0, b""))
            signatures[covered] = count + 1, joined + one
            continue
        known = rrsets.get(rrtype)
        rrsets[rrtype] = (
            RRset(rrtype, 1, one)
            if known is None
            else RRset(rrtype, known.number + 1, known.rrs + one)
        )
    return Parsed(flags, rrsets, signatures)


def types_of(entry: bytes) -> frozenset[int]:
    """The types of its RRs, without signatures and denial."""
    return frozenset(parse(entry).rrsets) - DENIALS


def first_expiry(joined: bytes) -> int:
    """When the first of joined RRSIG RRs expires, in seconds since the epoch; 0 for none."""
    found = 0
    position = 0
    while position < len(joined):
        after = rr_end(joined, position)
        at = position + _after_owner(joined[position:after]) + 18
        end = int.from_bytes(joined[at : at + 4], "big")
        found = end if not found else min(found, end)
        position = after
    return found


def _after_owner(one: bytes) -> int:
    """Where the type of an RR stands: behind its labels and the pointer."""
    position = 0
    while one[position] < 0xC0:
        position += 1 + one[position]
    return position + 2
