"""What differs between two states of a zone: RRsets, LUA code and serial.

Pure, and streaming: two zones of a million records are compared with one record of each in memory.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, zip_longest
from operator import itemgetter
from typing import TypeVar

from lzc.faults import Fault, Place
from lzc.wire import rrtype as rr
from lzc.wire.rdata import with_serial
from lzc.zone.model import LuaRecord
from lzc.zone.serial import compare

Data = tuple[int, bytes]
"""TTL in seconds and RDATA of one record."""

RRsets = Mapping[int, Sequence[Data]]
"""The records of one owner by RR type."""

Meaning = Callable[[LuaRecord], Hashable]
"""Maps a LUA record to a value that is equal for records of one covered type with the same
program."""


class ChangeKind(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


Value = TypeVar("Value")


def merge(
    before: Iterable[tuple[bytes, Value]], after: Iterable[tuple[bytes, Value]]
) -> Iterator[tuple[bytes, Value | None, Value | None]]:
    """The keys whose values differ, with both values, ``None`` where there is no such key. Both
    sides come by strictly ascending key; nothing of them is kept."""
    olds, news = iter(before), iter(after)
    old, new = next(olds, None), next(news, None)
    while True:
        while old == new:
            if old is None:
                return
            old, new = next(olds, None), next(news, None)
        if new is None or (old is not None and old[0] < new[0]):
            assert old is not None
            yield old[0], old[1], None
            old = next(olds, None)
        elif old is None or new[0] < old[0]:
            yield new[0], None, new[1]
            new = next(news, None)
        else:
            yield old[0], old[1], new[1]
            old, new = next(olds, None), next(news, None)


class Changed:
    """What differs, of which one side may have nothing (what is false)."""

    __slots__ = ()
    before: object
    after: object

    @property
    def kind(self) -> ChangeKind:
        """Whether it came, went or changed."""
        if not self.before:
            return ChangeKind.ADDED
        return ChangeKind.CHANGED if self.after else ChangeKind.REMOVED


@dataclass(frozen=True, slots=True)
class RRsetChange(Changed):
    """An RRset that differs. ``key`` is the owner's node key; ``before`` and ``after`` count its
    records (0: there is no such RRset); ``removed`` and ``added`` are the records whose RDATA only
    one side has; ``ttl`` is the RRset's TTL on both sides where both have it and it differs."""

    key: bytes
    rrtype: int
    before: int
    after: int
    removed: tuple[Data, ...]
    added: tuple[Data, ...]
    ttl: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class LuaChange(Changed):
    """A LUA record that differs in its code or its TTL; ``None`` on the side that has none."""

    key: bytes
    covered: int
    before: LuaRecord | None
    after: LuaRecord | None
    is_same_code: bool = False


Change = RRsetChange | LuaChange


def diff_node(key: bytes, before: RRsets, after: RRsets, meaning: Meaning) -> Iterator[Change]:
    """What differs at one owner, by ascending type. The serial of an SOA record does not count (see
    `SerialChange`), nor how code is split into strings."""
    for rrtype in sorted(before.keys() | after.keys()):
        old, new = before.get(rrtype, ()), after.get(rrtype, ())
        if old == new:
            continue
        if rrtype == rr.LUA:
            yield from _diff_lua(key, old, new, meaning)
            continue
        change = _diff_rrset(key, rrtype, old, new)
        if change is not None:
            yield change


def _diff_rrset(
    key: bytes, rrtype: int, before: Sequence[Data], after: Sequence[Data]
) -> RRsetChange | None:
    identity: Callable[[Data], bytes] = _but_serial if rrtype == rr.SOA else itemgetter(1)
    old, new = {identity(data) for data in before}, {identity(data) for data in after}
    removed = tuple([data for data in before if identity(data) not in new])
    added = tuple([data for data in after if identity(data) not in old])
    ttl = None
    if before and after and before[0][0] != after[0][0]:
        ttl = before[0][0], after[0][0]
    if not (removed or added or ttl):
        return None
    return RRsetChange(key, rrtype, len(before), len(after), removed, added, ttl)


def _but_serial(data: Data) -> bytes:
    return with_serial(data[1], 0)


def _diff_lua(
    key: bytes, before: Sequence[Data], after: Sequence[Data], meaning: Meaning
) -> Iterator[LuaChange]:
    old = Counter(LuaRecord.from_rdata(rdata, ttl) for ttl, rdata in before)
    new = Counter(LuaRecord.from_rdata(rdata, ttl) for ttl, rdata in after)
    old, new = old - new, new - old
    for covered in sorted({record.covered for record in (*old, *new)}):
        olds = [record for record in old.elements() if record.covered == covered]
        news = [record for record in new.elements() if record.covered == covered]
        yield from _pair(key, covered, olds, news, meaning)


def _pair(
    key: bytes, covered: int, olds: list[LuaRecord], news: list[LuaRecord], meaning: Meaning
) -> Iterator[LuaChange]:
    """Records of the same code belong together; of the others, the first and the first."""
    # There may be thousands at a name: each is looked at once.
    waiting: dict[Hashable, deque[int]] = {}
    for position, new in enumerate(news):
        waiting.setdefault(meaning(new), deque()).append(position)
    left = []
    for old in olds:
        positions = waiting.get(meaning(old))
        if not positions:
            left.append(old)
            continue
        new = news[positions.popleft()]
        if old.ttl != new.ttl:
            yield LuaChange(key, covered, old, new, is_same_code=True)
    others = [news[position] for position in sorted(chain.from_iterable(waiting.values()))]
    for before, after in zip_longest(left, others):
        yield LuaChange(key, covered, before, after)


@dataclass(frozen=True, slots=True)
class SerialChange:
    """The serials of a zone on both sides."""

    before: int
    after: int

    @property
    def is_taken(self) -> bool:
        """True when a secondary that has ``before`` takes ``after`` (RFC 1982 §3.2)."""
        return compare(self.after, self.before) == 1

    @property
    def verdict(self) -> str:
        """What secondaries make of it, in words."""
        order = compare(self.after, self.before)
        if order == 1:
            return "secondaries will take it"
        if order == 0:
            return "the same: secondaries will not transfer the zone"
        if order is None:
            return "2^31 apart: undefined, secondaries may or may not take it (RFC 1982 §3.2)"
        return "lower: secondaries will not take it (RFC 1982)"

    def fault(self, zone: str, *, content_changed: bool) -> Fault | None:
        """The error when the content of a zone (its name) changed and its serial did not rise."""
        if self.is_taken or not content_changed:
            return None
        how = "stays" if self.before == self.after else f"goes from {self.before} to"
        return Fault(
            Place(zone),
            "serial-not-higher",
            f"the content changed, but the serial {how} {self.after}",
            why="secondaries look at nothing but the serial, and would keep the old content",
            fix='raise the serial of the SOA record, or let lzc count: serial = "date" in [build]',
        )
