"""``ipv4hint=auto`` and ``ipv6hint=auto`` of SVCB and HTTPS records: PowerDNS takes the addresses
that the zone has for the target name, and leaves the key out where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from socket import AF_INET, AF_INET6, inet_ntop  # text conversion only
from typing import Final

from lzc.source.lexer import Token
from lzc.source.state import AtFault, AutoHint, FileScope, ReadState
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.rdata import InvalidRdata

TYPES: Final = frozenset((rr.SVCB, rr.HTTPS))
_HINTS: Final = {
    b"ipv4hint": (rr.A, AF_INET, b"192.0.2.1"),
    b"ipv6hint": (rr.AAAA, AF_INET6, b"2001:db8::1"),
}
"""The type of the addresses, their family, and one to read a record with for the time being."""


def are_auto(fields: Sequence[bytes]) -> bool:
    """Whether a hint among the fields is to be filled in."""
    return any(_auto(field) for field in fields)


def fills(scope: FileScope, fields: Sequence[bytes]) -> bool:
    """Whether lzc is to fill in a hint among the fields."""
    return scope.state.powerdns and are_auto(fields)


def later(scope: FileScope, rrtype: int, tokens: Sequence[Token], index: int) -> list[bytes]:
    """The fields of a record to be read for now; `fill_in` puts in its addresses when all is
    read."""
    state = scope.state
    written = tokens[index:]
    state.auto_hints.append(AutoHint(len(state.zone.records), scope.owner, scope, rrtype, written))
    return [_with(token.text, None) for token in written]


def fill_in(state: ReadState) -> None:
    """Put the addresses into the records that wait for them."""
    waiting = [one for one in state.auto_hints if _is_there(state, one)]
    if not waiting:
        return
    apex, records = state.zone.apex, state.zone.records
    targets = {one.record: _target(one, records[one.record][2], apex) for one in waiting}
    wanted = set(targets.values())
    found: dict[tuple[bytes | None, int], list[bytes]] = {}
    for key, rrtype, rdata, _, _ in records:
        if rrtype in (rr.A, rr.AAAA) and key in wanted:
            addresses = found.setdefault((key, rrtype), [])
            if rdata not in addresses:
                addresses.append(rdata)
    for one in waiting:
        fields: list[bytes] = []
        kept: list[Token] = []
        for token in one.tokens:
            kind = _auto(token.text)
            addresses = found.get((targets[one.record], _HINTS[kind][0]), []) if kind else []
            if not kind or addresses:
                fields.append(_with(token.text, addresses))
                kept.append(token)
        try:
            rdata = wire_rdata.from_fields(
                one.rrtype, fields, wire_name.ROOT, [token.quoted for token in kept]
            )
        except InvalidRdata as error:
            _report(one, kept, error)
            continue
        key, rrtype, _, ttl, place = records[one.record]
        records[one.record] = (key, rrtype, rdata, ttl, place)


def _is_there(state: ReadState, one: AutoHint) -> bool:
    # A record that was at fault after all has another in its place.
    records = state.zone.records
    if one.owner is None or one.record >= len(records):
        return False
    return records[one.record][:2] == (one.owner, one.rrtype)


def _target(one: AutoHint, rdata: bytes, apex: bytes) -> bytes | None:
    """The node key of the target name, which is the owner where it is the root; None: not of this
    zone."""
    end = 2
    while rdata[end]:
        end += 1 + rdata[end]
    name = rdata[2 : end + 1].lower()
    if name == wire_name.ROOT:
        return one.owner
    return wire_name.key_of(name, apex) if wire_name.is_subdomain(name, apex) else None


def _auto(field: bytes) -> bytes:
    """The hint that a field tells to fill in, if any."""
    key, _, value = field.partition(b"=")
    if key.lower() not in _HINTS or b"auto" not in value.strip(b'"').split(b","):
        return b""
    return key.lower()


def _with(field: bytes, addresses: Sequence[bytes] | None) -> bytes:
    kind = _auto(field)
    if not kind:
        return field
    _, family, instead = _HINTS[kind]
    if addresses is None:
        return kind + b"=" + instead
    return kind + b"=" + b",".join([inet_ntop(family, one).encode() for one in addresses])


def _report(one: AutoHint, kept: Sequence[Token], error: InvalidRdata) -> None:
    scope = one.scope
    token = kept[min(error.field_index, len(kept) - 1)]
    try:
        scope.fail(
            token,
            "bad-rdata",
            f"{rr.to_text(one.rrtype)} record: {error}",
            "the zone has no address for the target, so the key of the hint is left out",
            "write the addresses, or add A and AAAA records at the target",
        )
    except AtFault:
        return
