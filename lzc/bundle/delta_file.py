"""A file of deltas: what one build made of its zones otherwise, for IXFR (RFC 1995).

It lies beside the bundles, is written once and never changed, and stays readable for every version.
Its name has the hash of its head, which has an entry for each delta; the hash of a delta covers its
entry, too, so that no octet of one is taken that was not written with it. In network byte order::

    "lzc deltas 0001\\n" | entries u64
    per entry, by zone and serial: zone 16 | before u32 | after u32 | digest before 32
        | digest after 32 | offset u64 | length u64 | SHA-256 32
    the deltas

The zone is the beginning of the SHA-256 of its apex, digests are those of its contents
(`lzc.bundle.zone_info.ZoneInfo`). A delta is a difference sequence of RFC 1995 §4: the SOA record
before, the RRs that went, the SOA record after, the RRs that came, each in the octets of the zone's
AXFR. They stand in blocks of whole RRs::

    RRs u16 | length u16 | RRs
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from lzc.bundle.manifest import BundleError

NAME: Final = re.compile(r"[0-9]{10}-[0-9a-f]{32}")
"""A number, which rises from build to build, and the beginning of the SHA-256 of the head."""

_MAGIC: Final = b"lzc deltas 0001\n"
_HEAD: Final = struct.Struct(">16sQ")
_ENTRY: Final = struct.Struct(">16sII32s32sQQ32s")
_BLOCK: Final = struct.Struct(">HH")
_SUMMED: Final = _ENTRY.size - 32
"""Octets of an entry that its own hash covers."""
_PIECE: Final = 1 << 18
"""Octets that are read at once."""
BLOCK: Final = 4096
"""Octets of the RRs of a block at most, but for one with a single larger RR."""


class Content(NamedTuple):
    """What a zone was under a serial: ``digest`` is that of `lzc.bundle.zone_info.ZoneInfo`, in
    octets."""

    serial: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Delta:
    """From one content of the zone with this apex (lower-case wire name) to another, as octets of
    the file's blocks."""

    apex: bytes
    before: Content
    after: Content
    blocks: bytes


class Step(NamedTuple):
    """A delta in a file, as its entry has it; ``entry`` are the octets that its hash covers."""

    path: Path
    before: Content
    after: Content
    offset: int
    length: int
    entry: bytes
    sha256: bytes


def zone_mark(apex: bytes) -> bytes:
    """What stands for a zone in a file."""
    return hashlib.sha256(apex).digest()[:16]


def blocks_of(rrs: Sequence[bytes]) -> bytes:
    """RRs in order, of at most 65,535 octets each, as blocks."""
    parts: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for rr in rrs:
        if waiting and size + len(rr) > BLOCK:
            parts += [_BLOCK.pack(len(waiting), size), *waiting]
            waiting, size = [], 0
        waiting.append(rr)
        size += len(rr)
    if waiting:
        parts += [_BLOCK.pack(len(waiting), size), *waiting]
    return b"".join(parts)


def in_blocks(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The blocks of a delta: how many RRs, and these."""
    position = 0
    while position < len(octets):
        count, size = _BLOCK.unpack_from(octets, position)
        position += _BLOCK.size + size
        yield count, octets[position - size : position]


def encode(deltas: Sequence[Delta]) -> tuple[str, list[bytes]]:
    """A file: the second part of its name, and its octets in order."""
    ordered = sorted(deltas, key=lambda one: (zone_mark(one.apex), one.after.serial))
    offset = _HEAD.size + len(ordered) * _ENTRY.size
    head = [_HEAD.pack(_MAGIC, len(ordered))]
    for one in ordered:
        mark, before, after = zone_mark(one.apex), one.before, one.after
        digests = before.digest, after.digest
        fields = mark, before.serial, after.serial, *digests, offset, len(one.blocks)
        entry = _ENTRY.pack(*fields, b"")[:_SUMMED]
        head.append(entry + hashlib.sha256(entry + one.blocks).digest())
        offset += len(one.blocks)
    joined = b"".join(head)
    name = hashlib.sha256(joined).hexdigest()[:32]
    return name, [joined, *[one.blocks for one in ordered]]


class DeltaFile:
    """An open file of deltas; close it, or use it in a ``with`` statement. Raises `BundleError` for
    what is none, or cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            magic, self.count = _HEAD.unpack(self._read(0, _HEAD.size))
            if magic != _MAGIC:
                raise BundleError(f"{path}: no file of deltas, or one of a later version of lzc")
        except BundleError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def __enter__(self) -> DeltaFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def verify_head(self) -> None:
        """Raises `BundleError` unless the head is what the name says."""
        digest = hashlib.sha256()
        for piece in self._pieces(0, _HEAD.size + self.count * _ENTRY.size):
            digest.update(piece)
        if digest.hexdigest()[:32] != self.path.name.rpartition("-")[2]:
            raise BundleError(f"{self.path}: damaged: its name does not tell what is in it")

    def steps(self, mark: bytes | None = None) -> Iterator[Step]:
        """The deltas of the zone with this `zone_mark`, or all, by zone and serial."""
        low, high = 0, self.count if mark is not None else 0
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[:16] < (mark or b""):
                low = middle + 1
            else:
                high = middle
        for index in range(low, self.count):
            entry = self._entry(index)
            if mark is not None and entry[:16] != mark:
                return
            _, before, after, first, second, offset, length, sha256 = _ENTRY.unpack(entry)
            contents = Content(before, first), Content(after, second)
            yield Step(self.path, *contents, offset, length, entry[:_SUMMED], sha256)

    def verified(self, step: Step) -> Iterator[None]:
        """Hash a delta, a piece a step. Raises `BundleError` where it is not what was written."""
        digest = hashlib.sha256(step.entry)
        for piece in self._pieces(step.offset, step.length):
            digest.update(piece)
            yield
        if digest.digest() != step.sha256:
            raise self._damaged(step)

    def blocks(self, step: Step) -> bytes:
        """The octets of a delta. Raises `BundleError` where they are not those written."""
        octets = b"".join(self._pieces(step.offset, step.length))
        if hashlib.sha256(step.entry + octets).digest() != step.sha256:
            raise self._damaged(step)
        return octets

    def each_block(self, step: Step) -> Iterator[tuple[int, bytes]]:
        """The blocks of a delta that was `verified`, of which a piece at a time is in memory."""
        waiting = b""
        for piece in self._pieces(step.offset, step.length):
            waiting += piece
            position = 0
            while position + _BLOCK.size <= len(waiting):
                count, size = _BLOCK.unpack_from(waiting, position)
                end = position + _BLOCK.size + size
                if end > len(waiting):
                    break
                yield count, waiting[end - size : end]
                position = end
            waiting = waiting[position:]

    def _damaged(self, step: Step) -> BundleError:
        which = f"from serial {step.before.serial} to {step.after.serial}"
        return BundleError(f"{self.path}: damaged: the delta {which} is not what was written")

    def _entry(self, index: int) -> bytes:
        return self._read(_HEAD.size + index * _ENTRY.size, _ENTRY.size)

    def _pieces(self, offset: int, length: int) -> Iterator[bytes]:
        end = offset + length
        while offset < end:
            yield self._read(offset, min(_PIECE, end - offset))
            offset += _PIECE

    def _read(self, offset: int, length: int) -> bytes:
        try:
            found = os.pread(self._handle, length, offset)
        except (OSError, OverflowError) as error:
            raise BundleError(f"{self.path}: cannot be read: {error}") from error
        if len(found) != length:
            raise BundleError(f"{self.path}: damaged: it is cut short")
        return found
