"""A node of a compiled zone: everything at one owner name, as one byte string.

A name that exists has a node, empty non-terminals (ENT) included. In network byte order::

    flags u8 | RRsets u8 | length of NSEC RDATA u16
    NSEC RDATA                       (empty: zone unsigned, ENT, or occluded)
    per RRset, by type number: type u16 | RRs u16 | end u32, counted from the first blob
    per RRset: its blob

A blob is the RRset in wire format, in canonical order (RFC 4034 §6.3), every owner being the
pointer ``C0 0C``. It goes into an answer as it stands, because there offset 12 holds the query
name; and with the relative owner put in front of each RR it goes into a transfer, whose question
names the apex.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from lzc.wire import rrtype as rr
from lzc.wire.message import RRset
from lzc.zone.model import LuaRecord

DELEGATION: Final = 1
"""NS below the apex: a zone cut. Its own NS and DS are what there is to say; the rest is glue."""
OCCLUDED: Final = 2
"""Below a zone cut or a DNAME: glue, or never answered at all."""
ENT: Final = 4
"""Empty non-terminal: no RRset of its own, but a descendant exists (RFC 8020 §3)."""
WILDCARD_CHILD: Final = 8
"""The name ``*`` one label below exists, be it as an ENT (RFC 4592 §2.2)."""
HAS_LUA: Final = 16
"""At least one LUA record, whether or not LUA is enabled for the zone."""
HAS_CNAME: Final = 32
"""A static CNAME RRset; a LUA record that answers for CNAME does not set this."""
APEX: Final = 64
HAS_DNAME: Final = 128

_ENTRY: Final = struct.Struct(">HHI")
_unpack_entry = _ENTRY.unpack_from
_unpack_ttl_length = struct.Struct(">IH").unpack_from

OWNER: Final = b"\xc0\x0c"
RR_HEAD: Final = 12
"""Octets of an RR of a blob before its RDATA: pointer, type, class, TTL, length."""


def nsec(node: bytes) -> bytes:
    """The NSEC RDATA of a node, empty when its name owns no NSEC RR."""
    return node[4 : 4 + (node[2] << 8 | node[3])]


def find(node: bytes, rrtype: int) -> tuple[int, int, int] | None:
    """The RRset of a type: number of RRs, start and end of its blob in the node."""
    count = node[1]
    position = 4 + (node[2] << 8 | node[3])
    start = base = position + 8 * count
    while position < base:
        found, rrs, end = _unpack_entry(node, position)
        if found == rrtype:
            return rrs, start, base + end
        start = base + end
        position += 8
    return None


def types(node: bytes) -> list[int]:
    """The RR types at a node, ascending: LUA as itself, without the NSEC and RRSIG that we make."""
    position = 4 + (node[2] << 8 | node[3])
    return [node[at] << 8 | node[at + 1] for at in range(position, position + 8 * node[1], 8)]


def rdatas(blob: bytes, start: int = 0, end: int | None = None) -> list[bytes]:
    """The RDATA of each RR of a blob, or of the blob between two offsets of a node."""
    found = []
    position = start
    limit = len(blob) if end is None else end
    while position < limit:
        data = position + RR_HEAD
        position = data + (blob[data - 2] << 8 | blob[data - 1])
        found.append(blob[data:position])
    return found


def with_owner(blob: bytes, owner: bytes) -> bytes:
    """A blob with a name as the owner of its RRs: the RRset as it is signed (RFC 4034 §3.1.8.1),
    where the type has no names in its RDATA."""
    found: list[bytes] = []
    position, end = 0, len(blob)
    while position < end:
        start = position + len(OWNER)
        position += RR_HEAD + (blob[position + RR_HEAD - 2] << 8 | blob[position + RR_HEAD - 1])
        found += (owner, blob[start:position])
    return b"".join(found)


def rrset(node: bytes, owner: bytes, rrtype: int) -> RRset | None:
    """The RRset of a type under the given owner (a wire name), or ``None``."""
    found = find(node, rrtype)
    if found is None:
        return None
    _, start, end = found
    ttl, _ = _unpack_ttl_length(node, start + 6)
    return RRset(owner, rrtype, ttl, tuple(rdatas(node, start, end)))


def lua_records(node: bytes) -> list[LuaRecord]:
    """The LUA records of a node, in their stored order, each with its own TTL."""
    found = find(node, rr.LUA)
    if found is None:
        return []
    _, position, end = found
    records = []
    while position < end:
        ttl, length = _unpack_ttl_length(node, position + 6)
        position += RR_HEAD + length
        records.append(LuaRecord.from_rdata(node[position - length : position], ttl))
    return records


def rr_head(rrtype: int, ttl: int, length: int) -> bytes:
    """An RR of a blob up to its RDATA of ``length`` octets; class IN."""
    return OWNER + struct.pack(">HHIH", rrtype, 1, ttl, length)


def blob(rrtype: int, ttl: int, data: Iterable[bytes]) -> bytes:
    """The blob of an RRset; ``data`` is its RDATA in canonical order."""
    return b"".join([rr_head(rrtype, ttl, len(rdata)) + rdata for rdata in data])


def encode(flags: int, nsec: bytes, rrsets: Sequence[tuple[int, int, bytes]]) -> bytes:
    """A node from its flags, NSEC RDATA and RRsets: ``(type, number of RRs, blob)`` by ascending
    type. Raises `struct.error` for more than 255 RRsets or 65,535 RRs in one."""
    pieces = [struct.pack(">BBH", flags, len(rrsets), len(nsec)), nsec]
    end = 0
    for rrtype, count, content in rrsets:
        end += len(content)
        pieces.append(_ENTRY.pack(rrtype, count, end))
    pieces.extend([content for _, _, content in rrsets])
    return b"".join(pieces)


def head_of_single(flags: int, nsec: bytes, rrtype: int, length: int) -> bytes:
    """What stands before the blob in a node with one RRset of one RR of ``length`` octets."""
    return struct.pack(">BBH", flags, 1, len(nsec)) + nsec + _ENTRY.pack(rrtype, 1, length)
