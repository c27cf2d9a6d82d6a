"""How ``lzc diff`` shows differences to people: ``-`` and ``+`` as in any diff, ``~`` for what
changed in place."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from typing import Final

import click

from lzc.bundle.zone_info import ZoneInfo
from lzc.cli.diff.side import Comparison, Side
from lzc.cli.screen import tame, write_all
from lzc.compare.bundles import CheckChange, KeyChange, ZoneChange
from lzc.compare.zones import Change, ChangeKind, LuaChange, RRsetChange
from lzc.compiler.foreseen_deltas import Foreseen
from lzc.dnssec import algorithms, ds
from lzc.foreign_text import code as code_line
from lzc.foreign_text import shown
from lzc.lua.program import Program
from lzc.lua.syntax.layout import lay_out
from lzc.lua.syntax.tree import LuaSyntaxError
from lzc.lua.transfer.rewriter import RewriteError
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.zone.model import LuaRecord

CONTEXT: Final = 3
"""Lines of unchanged code shown around changed ones."""
ALIKE: Final = 100_000
"""Pairs of lines that are the same on both sides, up to which the shortest difference is sought."""

Opcode = tuple[str, int, int, int, int]
"""What `difflib.SequenceMatcher.get_opcodes` gives."""

_MARKS: Final = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}
_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow", "!": "red"}


def show(comparison: Comparison) -> bool:
    """Print all differences as they are found; true when there are any."""
    counts = {"zones": 0, "records": 0, "errors": 0, "checks": 0}
    paint = _painter()
    write_all(f"{paint(tame(line))}\n" for line in _lines(comparison, counts))
    return bool(counts["zones"] or counts["checks"])


def _lines(comparison: Comparison, counts: dict[str, int]) -> Iterator[str]:
    before, after, zones, checks, insert_whitespace, foresee = comparison
    for zone in zones:
        if not counts["zones"]:
            yield from _head(before, after)
        counts["zones"] += 1
        counts["errors"] += zone.fault is not None
        yield from _zone_lines(zone, after)
        foreseen = foresee(zone)
        if foreseen is not None:
            yield _transfer_line(foreseen)
        for change in zone.changes:
            counts["records"] += 1
            yield from change_lines(change, zone.apex, insert_whitespace)
        yield ""
    for check in checks:
        if not counts["checks"]:
            if not counts["zones"]:
                yield from _head(before, after)
            yield "health checks"
        counts["checks"] += 1
        yield _check_line(check)
    if counts["checks"]:
        yield ""
    if not counts["zones"] and not counts["checks"]:
        yield "no differences"
        return
    yield (
        f"{counts['zones']} zone(s), {counts['records']} RRset(s) or LUA record(s) and"
        f" {counts['checks']} health check(s) differ; {counts['errors']} error(s)"
    )


def _head(before: Side, after: Side) -> Iterator[str]:
    for mark, side in (("---", before), ("+++", after)):
        yield f"{mark} {shown(side.path)} ({side.kind}{f' {side.id}' if side.id else ''})"
    yield ""


def _painter() -> Callable[[str], str]:
    """Colours a line by its mark, on a terminal only."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return str
    return lambda line: click.style(line, _COLOURS[line[0]]) if line[:1] in _COLOURS else line


def _zone_lines(zone: ZoneChange, after: Side) -> Iterator[str]:
    """All that there is to say about a zone as a whole."""
    old, new = zone.before, zone.after
    if old is None or new is None:
        one = new or old
        assert one is not None
        what = "new zone" if old is None else "zone gone"
        yield f"{_MARKS[zone.kind]} {what} {zone.name}: {_summary(one)}"
    else:
        yield f"zone {zone.name}"
        serial = zone.serial
        assert serial is not None
        if serial.before != serial.after:
            yield f"~ serial {serial.before} -> {serial.after}: {serial.verdict}"
        if zone.fault is not None:
            yield f"! error: {shown(zone.fault.message)} [{zone.fault.rule}]"
            yield f"!     why: {shown(zone.fault.why)}"
            yield f"!     fix: {shown(zone.fault.fix)}"
        if old.signed != new.signed:
            yield f"~ DNSSEC: {_signed(old)} -> {_signed(new)}"
        if old.signed and new.signed and old.denial != new.denial:
            yield f"~ denial: {old.denial} -> {new.denial}"
        if old.lua != new.lua:
            yield f"~ LUA records: {_lua(old)} -> {_lua(new)}"
    for change in zone.keys:
        kind = key_kind(change, zone, after)
        yield f"{_MARKS[change.kind]} key {kind}: {_key(change)}"
        impact = ds_impact(change, zone)
        if impact:
            yield f"      {impact}:"
            yield f"      {ds_text(change, zone.apex)}"


def _transfer_line(foreseen: Foreseen) -> str:
    whole = foreseen.whole
    if foreseen.octets is None:
        return f"~ transfer: the whole zone, {whole} octets: {foreseen.why}"
    return f"~ transfer: IXFR, {foreseen.octets} octets (the whole zone: {whole})"


def change_lines(change: Change, apex: bytes, insert_whitespace: bool) -> Iterator[str]:
    """What differs at one owner for one type."""
    owner = owner_text(change.key, apex)
    if isinstance(change, LuaChange):
        yield from _lua_lines(change, owner, insert_whitespace)
    else:
        yield from _rrset_lines(change, owner)


def _rrset_lines(change: RRsetChange, owner: str) -> Iterator[str]:
    mnemonic = rrtype.to_text(change.rrtype)
    if change.ttl is not None:
        old, new = change.ttl
        yield f"~ {owner} IN {mnemonic}: TTL {old} -> {new} ({change.after} record(s))"
    for mark, records in (("-", change.removed), ("+", change.added)):
        for ttl, rdata in records:
            text = wire_rdata.to_text(change.rrtype, rdata)
            yield f"{mark} {owner} {ttl} IN {mnemonic} {text}"


def _lua_lines(change: LuaChange, owner: str, insert_whitespace: bool) -> Iterator[str]:
    mnemonic = f"LUA {rrtype.to_text(change.covered)}"
    old, new = change.before, change.after
    if old is None or new is None:
        record, mark = (old, "-") if new is None else (new, "+")
        assert record is not None
        yield f"{mark} {owner} {record.ttl} IN {mnemonic}"
        yield from [f"{mark}     {line}" for line in code_lines(record, insert_whitespace)]
        return
    ttl = f": TTL {old.ttl} -> {new.ttl}" if old.ttl != new.ttl else ""
    yield f"~ {owner} IN {mnemonic}{ttl}"
    if not change.is_same_code:
        lines = code_lines(old, insert_whitespace), code_lines(new, insert_whitespace)
        yield from [f"{line[0]}     {line[1:]}" for line in code_diff(*lines)]


def layout_of(record: LuaRecord, insert_whitespace: bool) -> tuple[bytes, ...]:
    """The code of a record on lines, written as lzc writes code: an older bundle, or one that was
    made by hand, may have the same code in other quotes."""
    code = record.join(insert_whitespace)
    try:
        return lay_out(Program(code, record.covered).rewritten)
    except (LuaSyntaxError, RewriteError):
        return lay_out(code)


def code_lines(record: LuaRecord, insert_whitespace: bool) -> list[str]:
    """The code of a record, to be read."""
    return [code_line(line) for line in layout_of(record, insert_whitespace)]


def code_diff(old: list[str], new: list[str]) -> Iterator[str]:
    """A unified diff, each line with its mark; ``...`` stands for unchanged lines left out."""
    is_first = True
    for group in _groups(old, new):
        if not is_first or group[0][1]:
            yield " ..."
        is_first = False
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from [f" {line}" for line in old[old_start:old_end]]
                continue
            yield from [f"-{line}" for line in old[old_start:old_end]]
            yield from [f"+{line}" for line in new[new_start:new_end]]
        end = group[-1][2]
    if not is_first and end < len(old):
        yield " ..."


def _groups(old: list[str], new: list[str]) -> Iterable[list[Opcode]]:
    """What differs, in the groups of `difflib.SequenceMatcher.get_grouped_opcodes`. Of code in
    which so many lines are alike that it would take minutes, all between its beginning and its end
    is one difference."""
    there = Counter(new)
    if sum(there[line] * count for line, count in Counter(old).items()) <= ALIKE:
        return SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    start = _alike(old, new)
    tail = _alike(old[start:][::-1], new[start:][::-1])
    first, after = max(0, start - CONTEXT), min(tail, CONTEXT)
    ends = len(old) - tail, len(new) - tail
    group: list[Opcode] = [
        ("equal", first, start, first, start),
        ("replace", start, ends[0], start, ends[1]),
        ("equal", ends[0], ends[0] + after, ends[1], ends[1] + after),
    ]
    return [group] if (start, start) != ends else []


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines are the same at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def owner_text(key: bytes, apex: bytes) -> str:
    """The name of a node in presentation format."""
    return wire_name.to_text(wire_name.relative_of_key(key) + apex)


def key_kind(change: KeyChange, zone: ZoneChange, after: Side) -> str:
    """``added``, ``removed`` or ``retired``: the zone no longer publishes it, but the keystore of
    the sources still has it."""
    if change.kind is not ChangeKind.REMOVED or after.keystore is None:
        return change.kind
    if zone.after is None or not zone.after.signed:
        return change.kind
    kept = {key.dnskey for key in after.keystore.load(zone.apex)}
    return "retired" if change.key.dnskey in kept else change.kind


def ds_impact(change: KeyChange, zone: ZoneChange) -> str:
    """What the key means for the parent zone, empty for a ZSK."""
    if change.role == "ZSK":
        return ""
    if change.kind is ChangeKind.ADDED:
        return "the parent needs this DS once every server publishes the key"
    if zone.after is None or not zone.after.signed:
        return "the parent must have lost this DS, and its TTL have passed, or the zone is bogus"
    return "the parent must not rest on this DS any more, its TTL included"


def ds_text(change: KeyChange, apex: bytes) -> str:
    """The DS record of a key, digest SHA-256."""
    return ds.to_text(apex, ds.ds_rdata(apex, change.key.dnskey))


def _key(change: KeyChange) -> str:
    key = change.key
    return f"{change.role} {key.tag}, {algorithms.to_text(key.algorithm)}, flags {key.flags}"


def _summary(info: ZoneInfo) -> str:
    return f"serial {info.serial}, {info.records} record(s), {_signed(info)}, LUA {_lua(info)}"


def _signed(info: ZoneInfo) -> str:
    return "signed" if info.signed else "unsigned"


def _lua(info: ZoneInfo) -> str:
    return "on" if info.lua else "off"


def _check_line(change: CheckChange) -> str:
    from lzc.serve.health.scheduled_check import show as show_check

    texts = [show_check(check) for check in (change.before, change.after) if check is not None]
    if len(set(texts)) < len(texts):
        return f"{_MARKS[change.kind]} {texts[0]}: values of headers"
    return f"{_MARKS[change.kind]} {' -> '.join(texts)}"
