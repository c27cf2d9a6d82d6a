"""What to ask a zone: every name with every type it has and with one that it has not, and names
that do not exist, after and below each that does. What lies before a name lies after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lzc.bundle import node as nodes
from lzc.bundle.reader import ZoneView
from lzc.wire import name as wire_name
from lzc.wire import rrtype

NOBODY: Final = b"\x0alzc-verify"
"""A label that nobody has."""

_COMMON: Final = (rrtype.A, rrtype.AAAA, rrtype.TXT, rrtype.HTTPS, rrtype.SRV, rrtype.MX)
"""Types of which the first one is asked for that a name does not have: one bitmap denies all."""
_OF_AN_APEX: Final = (rrtype.DNSKEY, rrtype.NSEC3PARAM, rrtype.CDS, rrtype.CDNSKEY)
_OF_A_SIGNER: Final = frozenset({rrtype.RRSIG, rrtype.NSEC, rrtype.NSEC3})


class KnownName(NamedTuple):
    """A name of a zone. ``key`` is its node key, ``types`` are those it answers for, ``fixed``
    those that every answer has; ``cut`` is a delegation, ``hidden`` a name below one or below a
    DNAME; ``empty`` is an empty non-terminal."""

    key: bytes
    types: frozenset[int] = frozenset()
    fixed: frozenset[int] = frozenset()
    cut: bool = False
    hidden: bool = False
    empty: bool = False


class Question(NamedTuple):
    """A wire name and a type; ``certain`` tells that data has to come."""

    qname: bytes
    qtype: int
    certain: bool = False


def of_view(view: ZoneView) -> Iterator[KnownName]:
    """The names of a zone of a bundle, in canonical order."""
    runs_lua = view.info.lua
    for key, node in view.nodes():
        flags = node[0]
        fixed = frozenset(nodes.types(node)) - {rrtype.LUA} - _OF_A_SIGNER
        made: frozenset[int] = frozenset()
        if flags & nodes.HAS_LUA and runs_lua:
            made = frozenset(record.covered for record in nodes.lua_records(node))
        yield KnownName(
            key,
            fixed | made - {rrtype.LUA},
            # Code that answers for CNAME may come before all others.
            frozenset() if rrtype.CNAME in made else fixed,
            bool(flags & nodes.DELEGATION),
            bool(flags & nodes.OCCLUDED),
            not nodes.types(node),
        )


def of_records(apex: bytes, records: Iterable[tuple[bytes, int]]) -> list[KnownName]:
    """The names of a zone whose records, lower-case owner and type, were transferred, in canonical
    order."""
    types: dict[bytes, set[int]] = {}
    for owner, kind in records:
        types.setdefault(wire_name.key_of(owner, apex), set()).add(kind)
    keys = set(types)
    for key in types:
        while b"\0" in key:
            key = key.rpartition(b"\0")[0]
            keys.add(key)
    found = []
    hider: bytes | None = None
    for key in sorted(keys):
        own = frozenset(types.get(key, ())) - _OF_A_SIGNER - {rrtype.LUA}
        if key in types and not own and not types[key] - _OF_A_SIGNER:
            # A hashed owner name: no name of the zone but by accident.
            continue
        hidden = hider is not None and (not hider or key.startswith(hider + b"\0"))
        cut = bool(key) and rrtype.NS in own and not hidden
        found.append(KnownName(key, own, own, cut, hidden, not types.get(key)))
        if cut or (rrtype.DNAME in own and not hidden):
            hider = key
    return found


def questions(
    name: KnownName, apex: bytes, *, below_another: bool, for_any: bool = True
) -> Iterator[Question]:
    """What to ask about a name of the zone with that apex. ``below_another`` tells that the zone
    above is known, too, which answers for the DS of the apex; ``for_any``: type ANY, to which
    servers may give what they like (RFC 8482)."""
    key = name.key
    qname = wire_name.relative_of_key(key) + apex
    if name.hidden:
        yield Question(qname, min(name.types, default=rrtype.A))
        return
    if name.cut:
        yield Question(qname, rrtype.A)
        yield Question(qname, rrtype.NS)
        yield Question(qname, rrtype.DS, rrtype.DS in name.fixed)
    else:
        for kind in sorted(name.types):
            yield Question(qname, kind, kind in name.fixed)
        yield from _of_absent_type(qname, name.types)
        if not key:
            for kind in _OF_AN_APEX:
                if kind not in name.types:
                    yield Question(qname, kind)
        if (key or below_another) and rrtype.DS not in name.types:
            yield Question(qname, rrtype.DS)
        if for_any and (len(name.types) > 1 or name.types != name.fixed):
            # Of a name with one RRset, it is the answer for that.
            yield Question(qname, rrtype.ANY)
    yield from _of_names_that_are_not(qname, key)
    if wire_name.is_wildcard_key(key):
        yield from _of_what_it_makes(name, qname, for_any=for_any)


def _of_absent_type(qname: bytes, types: frozenset[int]) -> Iterator[Question]:
    kind = next((kind for kind in _COMMON if kind not in types), None)
    if kind is not None:
        yield Question(qname, kind)


def _of_names_that_are_not(qname: bytes, key: bytes) -> Iterator[Question]:
    """Below a name, and right after it, unless such exist by chance."""
    for made in (NOBODY + qname, *(_next_to(qname) if key else (b"\1\1" + qname,))):
        if len(made) <= wire_name.MAX_NAME:
            yield Question(made, rrtype.A)


def _next_to(qname: bytes) -> Iterator[bytes]:
    """A name beside one, whose first label is a little more."""
    label, rest = qname[1 : 1 + qname[0]], qname[1 + qname[0] :]
    if len(label) < wire_name.MAX_LABEL:
        # Not an octet 0: Knot DNS proves nothing for such, and who asks for one is no client.
        yield bytes((len(label) + 1,)) + label + b"\1" + rest


def _of_what_it_makes(name: KnownName, wildcard: bytes, *, for_any: bool) -> Iterator[Question]:
    """What a wildcard answers for names below its parent, at one depth and another."""
    parent = wildcard[2:]
    one = NOBODY + parent
    if len(one) > wire_name.MAX_NAME:
        return
    for kind in sorted(name.types):
        yield Question(one, kind, kind in name.fixed)
    yield from _of_absent_type(one, name.types)
    if for_any:
        yield Question(one, rrtype.ANY)
    if len(one) + 2 <= wire_name.MAX_NAME:
        yield Question(b"\1x" + one, min(name.types, default=rrtype.A))
