"""What IXFR sends besides SOA records: difference sequences (RFC 1995 §4), from the deltas beside
the bundle.

Of several steps one sequence is made where they are small; large ones go out one behind the other,
from the disk. Nothing is sent that was not hashed before the first octet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from lzc.bundle.delta_file import Content, DeltaFile, Step, in_blocks
from lzc.bundle.delta_store import DeltaStore
from lzc.bundle.manifest import BundleError
from lzc.bundle.zone_info import ZoneInfo
from lzc.image.delta import condensed
from lzc.wire import rrtype as rr

CONDENSED: Final = 1 << 18
"""Octets of several steps up to which one is made of them. That is done at once, so a worker stands
still for it: 8 ms."""
_FILES: Final = 8
"""Files that one transfer has open at most; whoever needs more gets the whole zone."""

_LUA: Final = rr.LUA.to_bytes(2, "big") + b"\x00\x01"
"""Type and class of a LUA record. That other octets are these by chance costs a whole zone."""

Block = tuple[int, bytes]
"""How many RRs, and their octets."""


class Increments:
    """Difference sequences from a client's serial to that of a zone; close it. ``octets`` is what
    they have. They are in memory, or to be `verified` before they are sent."""

    def __init__(
        self,
        store: DeltaStore,
        steps: Sequence[Step],
        made: bytes | None,
        octets: int,
        *,
        lua: bool = True,
    ) -> None:
        """Raises `BundleError` where files cannot be read any more."""
        self.octets = octets
        self.made = made
        self._store = store
        self._lua = lua
        self._opened = ExitStack()
        self._parts: list[tuple[Step, DeltaFile]] = []
        if made is None:
            try:
                for step in steps:
                    file = self._opened.enter_context(DeltaFile(step.path))
                    self._parts.append((step, file))
            except BundleError:
                self.close()
                raise

    def verified(self) -> Iterator[None]:
        """Hash what is to be read, a piece a step. Raises `BundleError` for what is damaged, and
        the store passes over that from then on; and for LUA records, where there may be none."""
        for step, file in self._parts:
            try:
                yield from file.verified(step)
            except BundleError as error:
                self._store.give_up(step, error)
                raise
            if not self._lua:
                for _, octets in file.each_block(step):
                    if _LUA in octets:
                        raise BundleError(f"{step.path}: LUA records went in it")
                    yield

    def blocks(self) -> Iterator[Block]:
        """The sequences."""
        if self.made is not None:
            yield from in_blocks(self.made)
        for step, file in self._parts:
            yield from file.each_block(step)

    def close(self) -> None:
        """Let go of the files."""
        self._opened.close()


def increments(
    store: DeltaStore, info: ZoneInfo, serial: int, *, lua: bool = True
) -> Increments | None:
    """The way of a client from an older serial to what a zone is; `None` where that is not known,
    is damaged, or is no shorter than the whole zone. Without ``lua`` it holds no LUA record, be it
    one that is gone from the zone."""
    kept = store.kept.get((info.apex, serial, info.serial))
    if kept is not None:
        return Increments(store, (), kept, len(kept)) if lua or _LUA not in kept else None
    steps = store.way(info.apex, serial, Content(info.serial, bytes.fromhex(info.digest)))
    if not steps:
        return None
    octets = sum(step.length for step in steps)
    try:
        if octets > CONDENSED:
            if octets >= info.transfer_length or len({step.path for step in steps}) > _FILES:
                return None
            return Increments(store, steps, None, octets, lua=lua)
        made = _one_sequence(store, steps)
        if len(made) >= info.transfer_length or (not lua and _LUA in made):
            return None
        store.keep((info.apex, serial, info.serial), made)
        return Increments(store, (), made, len(made))
    except BundleError:
        return None


def _one_sequence(store: DeltaStore, steps: Sequence[Step]) -> bytes:
    sequences = []
    for step in steps:
        with DeltaFile(step.path) as file:
            try:
                sequences.append(file.blocks(step))
            except BundleError as error:
                store.give_up(step, error)
                raise
    return sequences[0] if len(sequences) == 1 else condensed(sequences).blocks()
