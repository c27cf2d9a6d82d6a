"""Finding the node that answers for a name: RFC 1034 §4.3.2 step 3 and RFC 4592 §3.3.1."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from lzc.answer.zone import ServedZone
from lzc.bundle.node import DELEGATION, HAS_DNAME, OCCLUDED, WILDCARD_CHILD
from lzc.wire.name import wildcard_of

_CUT: Final = DELEGATION | OCCLUDED
_STOP: Final = DELEGATION | HAS_DNAME


class MatchKind(IntEnum):
    """How a name was matched."""

    EXACT = 0
    WILDCARD = 1
    DELEGATION = 2
    DNAME = 3
    MISSING = 4


class Match(NamedTuple):
    """The node that decides about a name.

    ``key`` and ``node`` are the node itself (`EXACT`), the ``*`` child of the closest encloser
    (`WILDCARD`), the delegation point (`DELEGATION`), the owner of the DNAME (`DNAME`), or the
    closest encloser (`MISSING`).
    """

    kind: MatchKind
    key: bytes
    node: bytes


def match(zone: ServedZone, key: bytes) -> Match:
    """What the zone has for the name with this node key."""
    node = zone.node(key)
    if node is not None:
        flags = node[0]
        if not flags & _CUT:
            return Match(MatchKind.EXACT, key, node)
        if flags & OCCLUDED:
            return topmost(zone, key)
        return Match(MatchKind.DELEGATION, key, node)
    encloser, node = closest_encloser(zone, key)
    flags = node[0]
    if flags & _CUT:
        if flags & OCCLUDED:
            return topmost(zone, encloser)
        return Match(MatchKind.DELEGATION, encloser, node)
    if flags & HAS_DNAME:
        return Match(MatchKind.DNAME, encloser, node)
    if flags & WILDCARD_CHILD:
        wildcard = wildcard_of(encloser)
        found = zone.node(wildcard)
        if found is not None:
            return Match(MatchKind.WILDCARD, wildcard, found)
    return Match(MatchKind.MISSING, encloser, node)


def closest_encloser(zone: ServedZone, key: bytes) -> tuple[bytes, bytes]:
    """Key and node of the closest encloser (RFC 4592 §3.3.1) of a name the zone does not have.

    The parent most often exists. If not, whatever stands before the missing name in canonical order
    is the closest encloser or below it, as every ancestor of a node is a node: one look-up, however
    many labels the name has.
    """
    parent = key.rpartition(b"\x00")[0]
    node = zone.node(parent) if parent else zone.apex_node
    if node is not None:
        return parent, node
    before, _ = zone.predecessor(key)
    shared = 0
    for ours, theirs in zip(key.split(b"\x00"), before.split(b"\x00"), strict=False):
        if ours != theirs or not before:
            break
        shared += len(ours) + 1
    encloser = key[: max(0, shared - 1)]
    node = zone.node(encloser)
    if node is None:
        return b"", zone.apex_node
    return encloser, node


def topmost(zone: ServedZone, key: bytes) -> Match:
    """The cut or DNAME nearest the apex that hides an occluded node. At most one look-up for each
    label of a name."""
    end = 0
    if zone.apex_node[0] & HAS_DNAME:
        return Match(MatchKind.DNAME, b"", zone.apex_node)
    while end >= 0:
        end = key.find(b"\x00", end)
        ancestor = key if end < 0 else key[:end]
        node = zone.node(ancestor)
        if node is not None and node[0] & _STOP:
            kind = MatchKind.DELEGATION if node[0] & DELEGATION else MatchKind.DNAME
            return Match(kind, ancestor, node)
        if end < 0:
            break
        end += 1
    raise ValueError("an occluded node without a delegation point or DNAME above it")
