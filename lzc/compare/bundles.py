"""Two states of a project, each a bundle or zones just compiled, compared zone by zone.

Zones and nodes come in order on both sides, so the comparison is one walk along both; equal
content is known by its digest, and equal nodes by their octets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, starmap, zip_longest
from typing import Final

from lzc.bundle.node import RR_HEAD
from lzc.bundle.reader import Bundle, ZoneView
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo, ZoneKey
from lzc.compare.zones import (
    Change,
    Changed,
    ChangeKind,
    Data,
    Meaning,
    SerialChange,
    diff_node,
    merge,
)
from lzc.dnssec.key import role
from lzc.faults import Fault
from lzc.health_check import Check
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr

KeyedNode = tuple[bytes, bytes]

_head = struct.Struct(">2xH2xIH").unpack_from
_ENTRY: Final = 8
"""Octets of an RRset's entry in the head of a node."""
_ID: Final = 4
"""Octets of the zone id in front of a node's key."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be compared. ``zones`` gives all zones, ordered by the octets of their apex,
    ``nodes`` the keys and nodes of one in canonical order; ``checks`` are the health checks that
    LUA records ask for. Without any, it is the state before the first build."""

    zones: Callable[[], Iterator[ZoneInfo]] = lambda: iter(())
    nodes: Callable[[ZoneInfo], Iterator[KeyedNode]] = lambda _info: iter(())
    checks: Sequence[Check] = ()


def of_bundle(bundle: Bundle) -> Snapshot:
    """An open bundle, of which nothing is kept in memory."""
    return Snapshot(bundle.zones, lambda info: ZoneView(bundle, info).nodes(), bundle.checks)


def of_compiled(zones: Sequence[CompiledZone], checks: Sequence[Check]) -> Snapshot:
    """Zones as the compiler left them in memory."""
    known = {zone.info.apex: zone for zone in zones}
    return Snapshot(
        lambda: (known[apex].info for apex in sorted(known)),
        lambda info: ((key[_ID:], node) for key, node in known[info.apex].items),
        checks,
    )


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A DNSKEY that came or went."""

    kind: ChangeKind
    key: ZoneKey
    role: str


@dataclass(frozen=True, slots=True)
class ZoneChange(Changed):
    """A zone that differs; ``None`` on the side that has no such zone. ``changes`` says what
    differs at its names, and can be walked once; it is empty for a zone that came or went."""

    apex: bytes
    before: ZoneInfo | None
    after: ZoneInfo | None
    content_changed: bool = False
    keys: tuple[KeyChange, ...] = ()
    changes: Iterator[Change] = field(default_factory=lambda: iter(()))

    @property
    def name(self) -> str:
        """The apex in presentation format, with its final dot."""
        return wire_name.to_text(self.apex)

    @property
    def serial(self) -> SerialChange | None:
        """Both serials, for a zone that both sides have."""
        if self.before is None or self.after is None:
            return None
        return SerialChange(self.before.serial, self.after.serial)

    @property
    def fault(self) -> Fault | None:
        """The error when secondaries would not get to know the new content."""
        serial = self.serial
        return serial.fault(self.name, content_changed=self.content_changed) if serial else None


@dataclass(frozen=True, slots=True)
class CheckChange(Changed):
    """A health check that differs; ``None`` on the side that has none. It changed, rather than came
    or went, when only the manner of checking the same target differs."""

    before: Check | None
    after: Check | None


def compare(
    before: Snapshot, after: Snapshot, meaning: Meaning, apexes: Collection[bytes] | None = None
) -> Iterator[ZoneChange]:
    """The zones that differ, of those with the given apexes (lower-case wire names; ``None``: of
    all), one after the other: use up a zone's changes before the next. Code split into other
    strings is no difference, as it is the same program everywhere."""
    rows = merge(*[((info.apex, info) for info in state.zones()) for state in (before, after)])
    for apex, old, new in rows:
        if apexes is not None and apex not in apexes:
            continue
        if old is None or new is None:
            yield ZoneChange(apex, old, new, keys=_key_changes(old, new))
            continue
        changes = _changes(before.nodes(old), after.nodes(new), old, new, meaning)
        first = next(changes, None)
        changed = first is not None
        keys = _key_changes(old, new)
        is_same = (old.serial, old.signed, old.denial, old.lua) == (
            new.serial,
            new.signed,
            new.denial,
            new.lua,
        )
        if keys or changed or not is_same:
            rest = changes if first is None else chain([first], changes)
            yield ZoneChange(apex, old, new, changed, keys, rest)


def compare_checks(before: Collection[Check], after: Collection[Check]) -> Iterator[CheckChange]:
    """The health checks that differ, ordered by their target."""
    olds = _by_target(set(before) - set(after))
    news = _by_target(set(after) - set(before))
    for target in sorted(olds.keys() | news.keys()):
        old, new = olds.get(target, []), news.get(target, [])
        yield from starmap(CheckChange, zip_longest(old, new))


def _by_target(checks: Iterable[Check]) -> dict[tuple[str, int, str], list[Check]]:
    found: dict[tuple[str, int, str], list[Check]] = {}
    for check in sorted(checks, key=Check.to_json):
        found.setdefault((check.address, check.port, check.url), []).append(check)
    return found


def _changes(
    before: Iterator[KeyedNode],
    after: Iterator[KeyedNode],
    old: ZoneInfo,
    new: ZoneInfo,
    meaning: Meaning,
) -> Iterator[Change]:
    # The digest covers all but the serial and the keys, which have their own place in a diff.
    if old.digest == new.digest:
        return
    for key, left, right in merge(before, after):
        if _content(left) == _content(right):
            continue  # the next name changed, and so the NSEC
        yield from diff_node(key, _rrsets(left, key, old), _rrsets(right, key, new), meaning)


def _content(node: bytes | None) -> bytes:
    """The blobs of a node."""
    if node is None:
        return b""
    return node[4 + (node[2] << 8 | node[3]) + _ENTRY * node[1] :]


def _rrsets(node: bytes | None, key: bytes, info: ZoneInfo) -> Mapping[int, Sequence[Data]]:
    """The records of a node by type, without the DNSKEY records of our own keys."""
    blobs = _content(node)
    found: dict[int, list[Data]] = {}
    position = 0
    while position < len(blobs):
        rrtype, ttl, length = _head(blobs, position)
        position += RR_HEAD + length
        found.setdefault(rrtype, []).append((ttl, blobs[position - length : position]))
    if not key and info.denial.is_hashed:
        # As what it says of the zone has its own place in a diff.
        found.pop(rr.NSEC3PARAM, None)
    if not key and rr.DNSKEY in found:
        ours = {key.dnskey for key in info.keys}
        others = [data for data in found.pop(rr.DNSKEY) if data[1] not in ours]
        if others:
            found[rr.DNSKEY] = others
    return found


def _key_changes(old: ZoneInfo | None, new: ZoneInfo | None) -> tuple[KeyChange, ...]:
    olds = old.keys if old is not None else ()
    news = new.keys if new is not None else ()
    gone = [KeyChange(ChangeKind.REMOVED, key, role(key, olds)) for key in olds if key not in news]
    come = [KeyChange(ChangeKind.ADDED, key, role(key, news)) for key in news if key not in olds]
    return (*gone, *come)
