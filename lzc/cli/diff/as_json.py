"""How ``lzc diff`` shows differences to scripts: one JSON object, written as they are found.

::

    before, after    {"kind": "bundle" | "sources" | "nothing", "path", "id" (empty for sources)}
    zones            a list of the zones that differ, by the octets of their names:
      zone, change   its name; "added", "removed" or "changed"
      serial         {"before", "after", "taken"}: null where there is no such zone; "taken" says
                     whether a secondary that has the one takes the other (RFC 1982)
      signed, denial, lua, records    {"before", "after"}
      content_changed    whether anything but the serial and the keys differs
      faults         faults as of `lzc check`, rule "serial-not-higher"
      transfer       what a build has secondaries get that have the live zone: {"kind": "IXFR" |
                     "AXFR", "octets", "whole", "why"}: octets of TCP messages without TSIG, of
                     what is sent and of the whole zone, and why it is that; null where it is not
                     the live bundle beside sources, or where the serial does not rise
      keys           {"change": "added" | "removed" | "retired", "tag", "algorithm", "role",
                     "flags", "ds", "impact"}; "ds" is null for a ZSK
      changes        by owner in canonical order, then by type, of two kinds:
        RRsets       {"change", "name", "type", "ttl": {"before", "after"} | null,
                     "removed": [{"ttl", "data"}], "added": [...]}
        LUA records  {"change", "name", "type": "LUA", "covers", "ttl": {"before", "after"},
                     "before": code | null, "after": code | null, "diff": [lines] }
    checks           {"change", "before": check | null, "after": check | null}
    faults           errors for which sources could not be built, though they were compared
    different        whether anything differs

Of an RRset, ``ttl`` is null where it did not change. Code is given as it runs, joined; ``diff`` is
the unified diff of its readable layout, empty when only the TTL changed. Of a check, the user and
the password of its URL and the values of its headers are ``***``: both sides are alike where only
values of headers changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from lzc.cli.diff import as_text as diff_text
from lzc.cli.diff.side import Comparison, Side
from lzc.cli.faults import fault_as_dict
from lzc.cli.screen import tame_json, write_all
from lzc.compare.bundles import CheckChange, KeyChange, ZoneChange
from lzc.compare.zones import Change, Data, LuaChange
from lzc.compiler.foreseen_deltas import Foreseen
from lzc.dnssec import algorithms
from lzc.health_check import Check
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype

_HIDDEN: Final = "***"
"""For what may be secret, and stands in logs of CI otherwise."""


def show(comparison: Comparison) -> bool:
    """Print all differences; true when there are any. Nothing is collected, as there may be
    millions: a change is a line."""
    found = [_check(change) for change in comparison.checks]
    differing: list[str] = []
    write_all(map(tame_json, _pieces(comparison, found, differing)))
    return bool(differing or found)


def _pieces(
    comparison: Comparison, checks: list[dict[str, Any]], differing: list[str]
) -> Iterator[str]:
    before, after, zones, _, insert_whitespace, foresee = comparison
    yield f'{{"before": {json.dumps(_side(before))},\n "after": {json.dumps(_side(after))},\n'
    yield ' "zones": ['
    for zone in zones:
        head = json.dumps(_zone(zone, after, foresee(zone)))
        yield f'{"," if differing else ""}\n  {head[:-1]}, "changes": ['
        differing.append(zone.name)
        separator = ""
        for change in zone.changes:
            text = json.dumps(change_as_dict(change, zone.apex, insert_whitespace))
            yield f"{separator}\n   {text}"
            separator = ","
        yield "]}"
    different = json.dumps(bool(differing or checks))
    faults = [fault_as_dict(fault) for side in (before, after) for fault in side.faults]
    yield f'],\n "checks": {json.dumps(checks)},\n "faults": {json.dumps(faults)},\n'
    yield f' "different": {different}}}\n'


def change_as_dict(change: Change, apex: bytes, insert_whitespace: bool) -> dict[str, Any]:
    """What differs at one owner for one type."""
    shown: dict[str, Any] = {
        "change": change.kind,
        "name": diff_text.owner_text(change.key, apex),
    }
    if isinstance(change, LuaChange):
        return shown | _lua(change, insert_whitespace)
    return shown | {
        "type": rrtype.to_text(change.rrtype),
        "ttl": None if change.ttl is None else _both(*change.ttl),
        "removed": [_record(change.rrtype, data) for data in change.removed],
        "added": [_record(change.rrtype, data) for data in change.added],
    }


def _lua(change: LuaChange, insert_whitespace: bool) -> dict[str, Any]:
    old, new = sides = change.before, change.after
    # Octets one to one: code need not be UTF-8.
    codes = [one and str(one.join(insert_whitespace).strip(), "latin-1") for one in sides]
    lines = [diff_text.code_lines(one, insert_whitespace) if one else [] for one in sides]
    return {
        "type": "LUA",
        "covers": rrtype.to_text(change.covered),
        "ttl": _both(old and old.ttl, new and new.ttl),
        **_both(*codes),
        "diff": list(diff_text.code_diff(*lines)),
    }


def _zone(zone: ZoneChange, after: Side, foreseen: Foreseen | None) -> dict[str, Any]:
    old, new, serial = zone.before, zone.after, zone.serial
    return {
        "zone": zone.name,
        "change": zone.kind,
        "serial": _both(old and old.serial, new and new.serial)
        | {"taken": None if serial is None else serial.is_taken},
        "signed": _both(old and old.signed, new and new.signed),
        "denial": _both(old and str(old.denial), new and str(new.denial)),
        "lua": _both(old and old.lua, new and new.lua),
        "records": _both(old and old.records, new and new.records),
        "content_changed": zone.content_changed,
        "faults": [fault_as_dict(fault) for fault in (zone.fault,) if fault is not None],
        "transfer": None if foreseen is None else _transfer(foreseen),
        "keys": [_key(change, zone, after) for change in zone.keys],
    }


def _transfer(foreseen: Foreseen) -> dict[str, Any]:
    whole, octets, why = foreseen
    kind = "AXFR" if octets is None else "IXFR"
    return {"kind": kind, "octets": whole if octets is None else octets, "whole": whole, "why": why}


def _key(change: KeyChange, zone: ZoneChange, after: Side) -> dict[str, Any]:
    impact = diff_text.ds_impact(change, zone)
    return {
        "change": diff_text.key_kind(change, zone, after),
        "tag": change.key.tag,
        "algorithm": algorithms.to_text(change.key.algorithm),
        "role": change.role,
        "flags": change.key.flags,
        "ds": diff_text.ds_text(change, zone.apex) if impact else None,
        "impact": impact,
    }


def _side(side: Side) -> dict[str, str]:
    return {"kind": side.kind, "path": side.path, "id": side.id}


def _record(rrtype_number: int, data: Data) -> dict[str, Any]:
    return {"ttl": data[0], "data": wire_rdata.to_text(rrtype_number, data[1])}


def _check(change: CheckChange) -> dict[str, Any]:
    return {"change": change.kind} | {
        side: None if check is None else _shown(check)
        for side, check in (("before", change.before), ("after", change.after))
    }


def _shown(check: Check) -> dict[str, Any]:
    # Here, as few differences have checks.
    from lzc.serve.health.outcome import as_written, without_password

    return asdict(check) | {
        "url": without_password(check.url),
        "stringmatch": as_written(check.stringmatch),
        "useragent": as_written(check.useragent),
        "headers": [(name, _HIDDEN) for name, _ in check.headers],
    }


def _both(before: object, after: object) -> dict[str, Any]:
    return {"before": before, "after": after}
