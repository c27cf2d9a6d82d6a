"""Messages put together: name compression (RFC 1035 §4.1.4) and truncation (RFC 2181 §9).

RRs come as `RRset`, or as a `Blob` whose RRs are wire octets already and are copied as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lzc.wire.message import HEADER, TC, RRset
from lzc.wire.rrtype import MINFO, MX, NAMED_RDATA, SOA

MAX_MESSAGE: Final = 65535
"""Octets of a message at most: its length has 16 bits over TCP."""


class Blob(NamedTuple):
    """``rrcount`` RRs of one RRset in wire format. Compression pointers in it may only point into
    the question: an owner that is the QNAME is ``C0 0C``."""

    rrcount: int
    wire: bytes | memoryview


Item = RRset | Blob


def compose(
    ident: int,
    flags: int,
    question: bytes,
    answer: Sequence[Item] = (),
    authority: Sequence[Item] = (),
    glue: Sequence[Item] = (),
    additional: Sequence[Item] = (),
    *,
    opt: bytes = b"",
    max_size: int = MAX_MESSAGE,
    tsig_room: int = 0,
) -> bytes:
    """One message of at most ``max_size`` octets.

    ``flags`` is the second header word, RCODE included; ``question`` a question section of one
    question as it came (its case is kept, and compression points into it) or empty; ``opt`` a
    whole OPT RR. ``tsig_room`` octets stay free for a TSIG RR.

    Only whole RRsets go in. From the first RRset of ``answer``, ``authority`` or ``glue`` that does
    not fit, everything is left out and TC is set (RFC 2181 §9; RFC 9471 for glue). RRsets of
    ``additional`` are welcome extras: those that do not fit are left out without TC.
    """
    out = bytearray(12)
    out += question
    limit = max_size - len(opt) - tsig_room
    offsets: dict[bytes, int] = {}
    if question:
        _remember(question[:-4].lower(), offsets)
    counts = [0, 0, 0]
    truncated = False
    for section, items in enumerate((answer, authority, glue)):
        for item in items:
            mark = len(out)
            added = put(out, item, offsets, limit)
            if len(out) > limit:
                del out[mark:]
                truncated = True
                break
            counts[section] += added
        if truncated:
            break
    if not truncated:
        for item in additional:
            mark = len(out)
            added = put(out, item, offsets, limit)
            if len(out) > limit:
                del out[mark:]
                offsets = {name: at for name, at in offsets.items() if at < mark}
            else:
                counts[2] += added
    if opt:
        out += opt
        counts[2] += 1
    HEADER.pack_into(
        out, 0, ident, flags | TC if truncated else flags, 1 if question else 0, *counts
    )
    return bytes(out)


def _remember(lower: bytes, offsets: dict[bytes, int]) -> None:
    position = 0
    while length := lower[position]:
        offsets[lower[position:]] = 12 + position
        position += 1 + length


def _put_name(out: bytearray, name: bytes, offsets: dict[bytes, int]) -> None:
    lower = name.lower()
    at = offsets.get(lower)
    if at is not None:
        out += (0xC000 | at).to_bytes(2, "big")
        return
    start = len(out)
    position = 0
    suffix = lower
    while length := lower[position]:
        at = offsets.get(suffix)
        if at is not None:
            out += name[:position]
            out += (0xC000 | at).to_bytes(2, "big")
            return
        if start + position < 0x4000:
            offsets[suffix] = start + position
        position += 1 + length
        suffix = lower[position:]
    out += name


def put(out: bytearray, item: Item, offsets: dict[bytes, int], limit: int) -> int:
    """Append the RRs of one RRset to a message; returns how many. Once ``out`` has over ``limit``
    octets the rest is left out: what does not fit costs no more than what does.

    ``offsets`` says where in ``out`` which lower-case names start; names that are new are added.
    Names are compared without case, so a name may come out in the case of an earlier one; RDATA of
    types after RFC 1035 is never compressed (RFC 3597 §4).
    """
    if len(item) == 2:
        out += item[1]
        return item[0]
    owner, kind, ttl, rdatas = item
    fixed = kind.to_bytes(2, "big") + b"\x00\x01" + ttl.to_bytes(4, "big")
    compress = kind in NAMED_RDATA
    for rdata in rdatas:
        if len(out) > limit:
            break
        at = offsets.get(owner)
        if at is not None:
            out += (0xC000 | at).to_bytes(2, "big")
        elif owner == b"\x00":
            out += owner
        else:
            _put_name(out, owner, offsets)
        out += fixed
        if not compress:
            out += len(rdata).to_bytes(2, "big")
            out += rdata
            continue
        start = len(out) + 2
        out += b"\x00\x00"
        _put_rdata(out, kind, rdata, offsets)
        out[start - 2 : start] = (len(out) - start).to_bytes(2, "big")
    return len(rdatas)


def _put_rdata(out: bytearray, kind: int, rdata: bytes, offsets: dict[bytes, int]) -> None:
    if kind == MX:
        out += rdata[:2]
        _put_name(out, rdata[2:], offsets)
    elif kind in (SOA, MINFO):
        position = 0
        for _ in range(2):
            start = position
            while length := rdata[position]:
                position += 1 + length
            position += 1
            _put_name(out, rdata[start:position], offsets)
        out += rdata[position:]
    else:
        _put_name(out, rdata, offsets)
