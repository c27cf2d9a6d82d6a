"""The linter over the LUA records of a zone: places for what it finds, comments that suppress it,
and what needs a run or the configuration to be found."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lzc.compiler.checks.zone import RULES_OF_ABSENCE, limited
from lzc.compiler.lua.differing import Side, differing, fault_of
from lzc.compiler.lua.programs import Chosen, Programs
from lzc.compiler.lua.trials import FACTOR, Trial, Trials
from lzc.config import LuaSection
from lzc.faults import Fault, Place, Severity, unpack
from lzc.lua.definition.record import Finding, Inclusion, ZoneFacts, quoted
from lzc.lua.functions import INCLUDING, OF_ZONE
from lzc.lua.lint.linter import included_names, lint
from lzc.lua.lint.names import did_you_mean
from lzc.lua.lint.rules import RULES
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaSyntaxError
from lzc.powerdns_versions import (
    BLANKS,
    LIMITED_SINCE,
    Secondary,
    Version,
    nearest,
    shown,
    since,
)
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import PLACE, RDATA, TTL, TYPE, Record, Zone

_CLIENTS: Final = (
    (bytes((127, 0, 0, 1)), None),
    (bytes.fromhex("20010db8000000000000000000000001"), None),
    (bytes((127, 0, 0, 1)), (bytes((198, 51, 100, 0)), 24)),
)
"""An IPv4 client, an IPv6 client, and one whose resolver sends its network (RFC 7871)."""

NEAR: Final = 0.8
"""The share of a limit of instructions from which on a record is near it."""
_FOLLOWED: Final = 100
"""Names followed from one `include` to the next at most: what lies behind may set any global."""

_EXPLAIN: Final = (
    *("lua-not-provided", "lua-instructions", "lua-unknown-global", "lua-comment-swallows"),
)
"""Warnings that tell why code fails when it is run; all errors do."""


@dataclass(frozen=True, slots=True)
class LintSettings:
    """``secondaries`` are those that take the zone and run PowerDNS; ``enabled`` says whether LUA
    records run in the zone, and ``measured`` whether they are to be, to count their instructions.
    """

    lua: LuaSection = field(default_factory=LuaSection)
    signed: bool = False
    enabled: bool = True
    secondaries: tuple[Secondary, ...] = ()
    measured: bool = True


def lint_zone(
    programs: Programs,
    settings: LintSettings,
    others: Sequence[Fault] = (),
    *,
    incomplete: bool = False,
    lua_unread: bool = True,
) -> list[Fault]:
    """Every fault of a zone's LUA records, ordered by place, among them those of ``others`` (what
    the reader and the other checks found) that nothing suppresses and nothing here says better.

    Of a zone that is ``incomplete``, as some of it could not be read, nothing is said to be missing
    that may stand there; ``lua_unread``: that may be LUA records.
    """
    zone = programs.zone
    found: dict[int, list[Fault]] = {}
    if settings.enabled:
        for one, findings in _lint_records(programs, settings):
            if findings:
                place = one.record[PLACE]
                at = None if one.has_source else place
                found.setdefault(place, []).extend(
                    _fault(zone, one.record, finding, at) for finding in findings
                )
    if settings.enabled:
        for place, faults in _differing(programs, settings, found):
            found.setdefault(place, []).extend(faults)
    if incomplete:
        others = _keep_certain(programs, settings, found, others, lua_unread)
    explained = {
        unpack(place, zone.files)
        for place, faults in found.items()
        if any(one.severity is Severity.ERROR or one.rule in _EXPLAIN for one in faults)
    }
    faults = [
        fault for fault in others if fault.rule != "lua-fails" or fault.place not in explained
    ]
    if not settings.enabled and not found:
        return faults
    own, faults = _suppress(zone, found, faults, settings.enabled and not incomplete)
    # Records that share a .lua file each find the same in it.
    distinct = sorted(dict.fromkeys(own), key=lambda fault: (fault.place, fault.rule))
    return [*faults, *limited(distinct)]


def _differing(
    programs: Programs, settings: LintSettings, found: Mapping[int, Sequence[Fault]]
) -> Iterator[tuple[int, list[Fault]]]:
    """What secondaries answer otherwise, by the place of the record; but for what they do not have
    at all, which is told."""
    told = {
        place
        for place, faults in found.items()
        if any(one.rule == "lua-secondary-version" for one in faults)
    }
    by_version: dict[Version, list[Secondary]] = {}
    for secondary in settings.secondaries:
        by_version.setdefault(nearest(secondary.version), []).append(secondary)
    for version, secondaries in by_version.items():
        if version == programs.version or not programs.records:
            continue
        names = ", ".join(one.name for one in secondaries)
        who = f"powerdns-{shown(version)} (secondary {names})"
        there = Side(Programs(programs.zone, since(version, BLANKS), version), version)
        here = Side(programs, programs.version)
        for one in differing(here, there, settings.lua.memory_limit):
            place = one.record[PLACE]
            if place not in told:
                yield place, [fault_of(one, here, who)]


def _keep_certain(
    programs: Programs,
    settings: LintSettings,
    found: dict[int, list[Fault]],
    others: Sequence[Fault],
    lua_unread: bool,
) -> list[Fault]:
    """Take out what is missing only as far as is known: of records that use what others set, where
    LUA records may be among those that could not be read. Gives what is left of ``others``."""
    open_ended = {
        record[PLACE]
        for record, program in programs
        if settings.lua.mode == "shared" or program.is_included or program.may_reach(OF_ZONE)
    }
    for place in open_ended & found.keys() if lua_unread else ():
        found[place] = [fault for fault in found[place] if fault.rule not in RULES_OF_ABSENCE]
    doubtful = {unpack(place, programs.zone.files) for place in open_ended}
    return [one for one in others if one.rule != "lua-fails" or one.place not in doubtful]


def _lint_records(
    programs: Programs, settings: LintSettings
) -> Iterator[tuple[Chosen, list[Finding]]]:
    zone = programs.zone
    # What is no Lua is told by the reader, or when the record is run.
    parsed = [one for one in programs.chosen() if _is_lua(one.program)]
    facts = ZoneFacts(
        signed=settings.signed,
        shared=settings.lua.mode == "shared",
        interval=settings.lua.health_check_interval,
        secondaries=settings.secondaries,
        included=_Library(programs).look_up,
    )
    every = [one.program.scopes for one in parsed]
    configuration = replace(
        facts,
        elsewhere=frozenset().union(*(scopes.written for scopes in every)),
        dynamic=any(scopes.dynamic for scopes in every),
    )
    known: dict[tuple[bytes, int, int], list[Finding]] = {}
    measured = _measure(programs, parsed, settings)
    told: dict[int, set[str]] = {}
    for number, one in enumerate(parsed):
        program, ttl = one.program, one.record[TTL]
        key = (program.code, program.covered, ttl)
        findings = known.get(key)
        if findings is None:
            given = configuration if program.is_included or facts.shared else facts
            findings = known[key] = lint(program, ttl, given)
        more = _swallows(zone, one)
        if number in measured:
            more.append(measured[number])
        findings = [*findings, *more] if more else findings
        rules = told.setdefault(one.record[PLACE], set())
        if not one.has_source:
            findings = _news(zone, one.record, findings, rules)
        rules.update(finding.rule for finding in findings)
        yield one, findings


def _news(
    zone: Zone, record: Record, findings: Sequence[Finding], told: Collection[str]
) -> list[Finding]:
    """What is found in one of the records of a ``$GENERATE``, but for rules that were told of
    another of them: once for each."""
    owner = wire_name.to_text(zone.owner(record))
    first = {finding.rule: finding for finding in reversed(findings)}
    return [
        replace(finding, message=f"{finding.message} (in the record of {owner})")
        for rule, finding in first.items()
        if rule not in told
    ]


def _swallows(zone: Zone, one: Chosen) -> list[Finding]:
    if not one.has_source:
        return []
    source = zone.lua_sources[one.record[PLACE]]
    return [
        Finding(
            found.comment,
            "lua-comment-swallows",
            f"this comment runs on over {quoted(found.text)} at"
            f" {unpack(source.place_at(found.start), zone.files)} to the end of the code",
        )
        for found in one.program.swallowed(source.joints)
    ]


class _Library:
    """What ``include`` finds in a zone."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._types: dict[bytes, set[str]] | None = None
        self._known: dict[bytes, Inclusion] = {}

    def look_up(self, name: bytes) -> Inclusion:
        """`lzc.lua.definition.record.Included` for this zone."""
        try:
            owner = wire_name.below(name, self._programs.zone.apex)
        except wire_name.InvalidName as error:
            return Inclusion(False, f"it is no domain name: {error}")
        known = self._known.get(owner)
        if known is None:
            known = self._known[owner] = self._gather(owner)
        if not known.found and name.endswith(b".") and not name.endswith(b"\\."):
            return Inclusion(False, "names are relative to the zone, with a final dot too")
        return known

    def _read(self, owner: bytes) -> list[Program]:
        """The programs at a name that can be parsed."""
        return [program for program in self._programs.included(owner) if _is_lua(program)]

    def _gather(self, owner: bytes) -> Inclusion:
        if not self._read(owner):
            return Inclusion(False, self._instead(owner))
        written: set[bytes] = set()
        dynamic = False
        waiting, seen = [owner], {owner}
        while waiting:
            for program in self._read(waiting.pop()):
                written |= program.scopes.written
                dynamic |= program.scopes.dynamic
                for inner in included_names(program):
                    try:
                        owner = wire_name.below(inner, self._programs.zone.apex)
                    except wire_name.InvalidName:
                        continue
                    if owner in seen:
                        continue
                    if len(seen) == _FOLLOWED:
                        return Inclusion(True, sets=frozenset(written), dynamic=True)
                    seen.add(owner)
                    waiting.append(owner)
        return Inclusion(True, sets=frozenset(written), dynamic=dynamic)

    def _instead(self, owner: bytes) -> str:
        if self._types is None:
            self._types = {}
            zone = self._programs.zone
            for record in zone.records:
                shown = rr.to_text(record[TYPE])
                if record[TYPE] == rr.LUA:
                    shown += " " + rr.to_text(covered_type(record[RDATA]))
                self._types.setdefault(zone.owner(record), set()).add(shown)
        types = sorted(self._types.get(owner, ()))
        if not types:
            return "there is no such name in the zone"
        if "LUA LUA" in types:
            return "its code is not Lua"
        return f"it has {', '.join(types)}, but no record that covers LUA"


def _is_lua(program: Program) -> bool:
    try:
        return bool(program.tree)
    except LuaSyntaxError:
        return False


def _measure(
    programs: Programs, parsed: Sequence[Chosen], settings: LintSettings
) -> dict[int, Finding]:
    """Findings about the instructions that records take, by their index in ``parsed``."""
    if not settings.measured:
        return {}
    limits = [
        (one.exec_limit, f"secondary {one.name}")
        for one in settings.secondaries
        if one.version >= LIMITED_SINCE
    ]
    limits.append((settings.lua.exec_limit, "this server"))
    limits = sorted(one for one in limits if one[0])
    if not limits:
        return {}
    lowest, who = limits[0]
    lengths = [_most(one.program, None) for one in parsed if one.program.is_included]
    known = [length for length in lengths if length is not None]
    included = sum(known) if len(known) == len(lengths) else None
    enough = int(lowest * NEAR)
    doubtful = [
        (number, one)
        for number, one in enumerate(parsed)
        if not one.program.is_included
        and ((most := _most(one.program, included, enough)) is None or most > enough)
    ]
    if not doubtful:
        return {}
    # Projects without LUA records need not wait for the Lua runtime to be loaded.
    from lzc.lua.engine.execution import QueryContext

    zone = programs.zone
    trials = Trials(
        programs.included_code(),
        lambda _name, _code: (),
        lowest,
        settings.lua.memory_limit,
        programs.version,
    )
    asked: dict[bytes, Trial] = {}
    for _, one in doubtful:
        if one.program.code not in asked:
            queries = [
                QueryContext(zone.owner(one.record), zone.apex, client, subnet, local=client)
                for client, subnet in _CLIENTS
            ]
            asked[one.program.code] = Trial(programs.of(one.record).code, queries)
    counts = dict(zip(asked, trials.worst([*asked.values()], lowest), strict=True))
    found: dict[int, Finding] = {}
    for number, one in doubtful:
        count = counts[one.program.code]
        if count is not None:
            finding = _too_many(count, lowest, who)
        else:
            why = trials.ended.get(asked[one.program.code].code)
            finding = None if why is None else Finding(0, "lua-hangs", f"it had to be ended: {why}")
        if finding is not None:
            found[number] = finding
    return found


def _most(program: Program, included: int | None, enough: int = 0) -> int | None:
    """`Program.most_instructions` with those of what a record includes; all that it may include do
    not exceed ``included`` together."""
    most, scopes = program.most_instructions(enough), program.scopes
    inclusions = sum(access.name.name in INCLUDING for access in scopes.accesses)
    if most is None or scopes.dynamic or (inclusions and included is None):
        return None
    return most + inclusions * (included or 0)


def _too_many(count: int, limit: int, who: str) -> Finding | None:
    ceiling = limit * FACTOR
    shown = f"more than {ceiling}" if count >= ceiling else f"up to {count}"
    if count > limit:
        message = f"the code takes {shown} instructions; {who} stops it at {limit}"
        return Finding(0, "lua-instructions", message)
    if count > limit * NEAR:
        message = f"the code takes {shown} of the {limit} instructions that {who} allows"
        return Finding(0, "lua-instructions-near", message)
    return None


def _fault(zone: Zone, record: Record, finding: Finding, at: int | None = None) -> Fault:
    if at is None:
        source = zone.lua_sources.get(record[PLACE])
        at = record[PLACE] if source is None else source.place_at(finding.offset)
    place, rule = unpack(at, zone.files), RULES[finding.rule]
    return rule.fault(place, finding.message, finding.why, finding.fix)


def _suppress(
    zone: Zone, found: dict[int, list[Fault]], others: Sequence[Fault], enabled: bool
) -> tuple[list[Fault], list[Fault]]:
    """What comments beside the records leave of the linter's faults and of others, and what is
    wrong with the comments."""
    own: list[Fault] = []
    for place, faults in found.items():
        ignored = zone.suppressions.get(place, frozenset())
        own += [one for one in faults if not (one.rule in ignored and RULES[one.rule].ignorable)]
    present = {(fault.place, fault.rule) for fault in others}
    ignored_there: set[tuple[Place, str]] = set()
    for place, ignored in zone.suppressions.items():
        where = unpack(place, zone.files)
        used = {fault.rule for fault in found.get(place, ())}
        for rule_id in sorted(ignored):
            rule = RULES.get(rule_id)
            if rule is None or not rule.ignorable:
                own.append(_unknown_suppression(where, rule_id))
                continue
            ignored_there.add((where, rule_id))
            if (where, rule_id) not in present and rule_id not in used and enabled:
                message = f"rule {rule_id} is suppressed here, but finds nothing"
                own.append(RULES["lua-suppression-unused"].fault(where, message))
    left = [fault for fault in others if (fault.place, fault.rule) not in ignored_there]
    return own, left


def _unknown_suppression(place: Place, rule_id: str) -> Fault:
    if rule_id in RULES:
        message, fix = f"rule {rule_id} cannot be suppressed", "correct what the rule finds"
    else:
        message = f"there is no rule {rule_id}"
        fix = did_you_mean(rule_id, [one.id for one in RULES.values() if one.ignorable])
    return RULES["lua-suppression-unknown"].fault(place, message, fix=fix)
