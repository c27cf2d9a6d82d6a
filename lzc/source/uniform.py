"""Lines that differ in nothing but owner and address, as programs write them: read by columns."""

from __future__ import annotations

from itertools import repeat
from socket import AF_INET, AF_INET6, inet_pton  # text conversion only
from typing import Final

from lzc.faults import pack
from lzc.source.state import FileScope
from lzc.wire import rrtype as rr

_FAMILIES: Final = {rr.A: AF_INET, rr.AAAA: AF_INET6}
_END: Final = b"\x00"
"""Stands for the end of a line; no line as written holds this octet."""


def fields_of(lines: bytes) -> list[list[bytes]] | None:
    """The columns of lines, each with its line feed and of octets that mean themselves; None when
    they do not all start with an owner or differ in their number of fields."""
    if not lines.endswith(b"\n") or lines[:1] <= b" ":
        return None
    if b"\n " in lines or b"\n\t" in lines or b"\n\n" in lines or b"\r" in lines:
        return None
    width = len(lines[: lines.index(b"\n")].split()) + 1
    count = lines.count(b"\n")
    fields = lines.replace(b"\n", b" \x00 ").split()
    if len(fields) != width * count or fields[width - 1 :: width].count(_END) != count:
        return None
    return [fields[column::width] for column in range(width - 1)]


def read_addresses(
    scope: FileScope, columns: list[list[bytes]], rrtype: int, ttl: int, line: int
) -> bool:
    """Add a record for each of the lines that start at ``line``, all with the same fields between
    owner and address. False, and nothing done, when an owner has several labels or one that is too
    long, or what should be an address is none, or ``rrtype`` is of another kind."""
    family = _FAMILIES.get(rrtype)
    owners = b" ".join(columns[0]).lower()
    if family is None or b"." in owners:
        return False
    keys = owners.split(b" ")
    if max(map(len, keys)) > 63:
        return False
    names = scope.names
    try:
        prefix = names.prefixes.get(b"")
        if prefix is None:
            prefix = names.learn_prefix(b"")
        texts = b" ".join(columns[-1]).decode().split(" ")
        rdatas = list(map(inet_pton, repeat(family), texts))
    except (ValueError, OSError):
        return False
    if prefix:
        keys = list(map(prefix.__add__, keys))
    step = pack(0, 1, 0)
    place = pack(scope.file_index, line, 1)
    places = range(place, place + step * len(keys), step)
    scope.state.zone.records += zip(keys, repeat(rrtype), rdatas, repeat(ttl), places)
    scope.owner, scope.owner_known = keys[-1], True
    return True
