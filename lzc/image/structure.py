"""What the names of a zone mean to each other: which are occluded, which have a wildcard below."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from lzc.wire import rrtype as rr
from lzc.zone.model import Record


def occluded(records: Sequence[Record], names: list[bytes]) -> bytearray:
    """For each name 1 when it is below a zone cut or a DNAME (RFC 2136 §7.18 calls it occluded)."""
    marks = bytearray(len(names))
    ns, dname = rr.NS, rr.DNAME
    cuts = [r[0] for r in records if (r[1] == ns and r[0]) or r[1] == dname]
    for cut in cuts:
        first = bisect_left(names, cut + b"\x00") if cut else 1
        last = bisect_left(names, cut + b"\x01") if cut else len(names)
        marks[first:last] = b"\x01" * (last - first)
    return marks


def wildcard_parents(names: list[bytes]) -> set[bytes]:
    """The keys of the names right above a label ``*``."""
    parents: set[bytes] = set()
    for key in [key for key in names if b"*" in key]:
        labels = key.split(b"\x00")
        for depth, label in enumerate(labels):
            if label == b"*":
                parents.add(b"\x00".join(labels[:depth]))
    return parents
