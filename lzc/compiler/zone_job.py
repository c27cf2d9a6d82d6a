"""One zone from its source to what the bundle takes. Pure but for reading the source, so that zones
can be built in several processes."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from lzc.compiler import serials
from lzc.compiler.checks.presigned import check_presigned_lua
from lzc.compiler.checks.zone import RULES_OF_ABSENCE, check_zone, limited, strip
from lzc.compiler.job import ALWAYS, ZoneJob, ZoneResult
from lzc.compiler.lua.stored import ZoneContents
from lzc.dnssec.signing.denial import Denial
from lzc.faults import MOST, Fault, FaultList, Severity, one_a_cause
from lzc.health_check import Check
from lzc.image.compile import compile_zone
from lzc.lua.health.constants import Constants, of_checks
from lzc.lua.health.reach import CheckReach
from lzc.lua.lint.rules import RULES
from lzc.powerdns_versions import BLANKS, Version, nearest, shown, since
from lzc.source.limits import OVER_LIMIT, Spending, Totals
from lzc.source.records import may_be_lua
from lzc.source.zonefile import read_zone
from lzc.wire import rrtype as rr
from lzc.wire.rdata import soa_times
from lzc.zone.model import KEY, PLACE, RDATA, TTL, TYPE, Record, Zone

if TYPE_CHECKING:
    from lzc.compiler.lua.programs import Programs
    from lzc.image.presigned import Presigned


def build_zone(job: ZoneJob, totals: Totals | None = None) -> ZoneResult:
    """Read, check and compile a zone; ``totals`` count what all zones take. Never raises for what
    the source says."""
    result = _build(job, totals)
    faults = one_a_cause(result.faults)
    if len(faults) > MOST:
        found = FaultList()
        found.add(faults)
        faults = found.told()
    return result if len(faults) == len(result.faults) else replace(result, faults=faults)


def _build(job: ZoneJob, totals: Totals | None) -> ZoneResult:
    source = job.source
    spending = Spending(job.limits, totals)
    zone, faults = read_zone(
        source.path,
        source.apex,
        shown_as=source.shown_as,
        insert_whitespace=source.blanks,
        powerdns=source.as_powerdns,
        in_halves=job.in_halves,
        reach=job.reach,
        spending=spending,
    )
    if any(fault.rule == OVER_LIMIT for fault in faults):
        return ZoneResult(None, sorted(faults, key=lambda fault: fault.place))
    incomplete = _errors(faults)
    unread = [fault for fault in faults if fault.severity is Severity.ERROR]
    lua_unread = any(map(may_be_lua, unread))
    if source.strip:
        strip(zone)
    _take_over(zone, job)
    zone.records.sort()
    presigned: Presigned | None = None
    times: tuple[float, float] = ALWAYS
    keys = job.keys
    if source.presigned:
        from lzc.image.presigned import take_aside

        faults += check_presigned_lua(zone)
        presigned, more = take_aside(zone)
        faults += more
    faults += check_zone(zone, signed=source.signed, presigned=source.presigned)
    if presigned is not None and not _errors(faults):
        from lzc.compiler.checks.signatures import SOON, check_signatures, published_keys

        keys = published_keys(zone)
        known = frozenset() if job.right_before is None else job.right_before(source.apex)
        parts = job.in_halves
        faults += limited(check_signatures(zone, presigned, job.now, known, in_parts=parts))
        times = (presigned.begin, presigned.end - SOON)
    lua_records = zone.of_type(rr.LUA)
    found: frozenset[Check] = frozenset()
    tried: frozenset[Check] = frozenset()
    constants = Constants()
    contents = ZoneContents(zone, job.elsewhere)
    steady = True
    programs: Programs | None = None
    if lua_records or zone.suppressions:
        # Projects without LUA records need not wait for what reads Lua to be imported.
        from lzc.compiler.lua.programs import Programs

        programs = Programs(zone, source.blanks, source.powerdns)
    reach = CheckReach.from_config(job.health)
    if lua_records and not source.lua:
        faults.append(_lua_is_off(zone, lua_records))
    elif programs is not None and lua_records:
        from lzc.compiler.lua.health_checks import discover, judge

        tried, more = discover(programs, job.lua, contents)
        faults += more
        found, more = judge(programs, tried, reach)
        faults += more
    if programs is not None:
        faults = _lint(job, programs, faults, incomplete=incomplete, lua_unread=lua_unread)
        if job.against is not None and source.lua and not _errors(faults):
            faults += _compare(job, programs, contents, job.against)
    if incomplete:
        # What seems to be missing may stand in the lines that could not be read.
        faults = [
            fault
            for fault in faults
            if fault.rule not in RULES_OF_ABSENCE or fault.rule.startswith("lua-")
        ]
    if _errors(faults):
        faults.sort(key=lambda fault: fault.place)
        return ZoneResult(None, faults, missed=frozenset(contents.missed), right=_right(presigned))
    draft = compile_zone(
        zone,
        job.zone_id,
        signed=source.signed or presigned is not None,
        lua=source.lua and presigned is None,
        keys=keys,
        apex=dict(job.asked),
        key_ttl=job.key_ttl,
        in_halves=job.in_halves,
        powerdns=source.powerdns,
        blanks=source.blanks,
        denial=Denial.from_text(source.denial),
        presigned=presigned,
    )
    faults += draft.faults
    try:
        serial = serials.choose(
            source.policy,
            draft.info.serial,
            job.last,
            draft.info.digest,
            job.now,
            lost=job.lost,
            zone=_shown_name(zone),
            moving=job.moving,
            stated=job.stated,
        )
        is_lost = job.last is None and job.lost
        if is_lost:
            faults.append(_serial_is_lost(zone, draft.soa, serial))
    except serials.SerialProblem as problem:
        faults.append(
            Fault(
                zone.place(draft.soa),
                problem.rule,
                problem.message,
                problem.why,
                problem.fix,
                Severity.WARNING if job.any_serial else Severity.ERROR,
            )
        )
        is_lost = False
        serial = draft.info.serial
        if source.policy != "keep" and job.last is not None:
            serial = job.last.serial
    if _errors(faults):
        return ZoneResult(None, faults, right=_right(presigned))
    left = serials.near_end(serial)
    if left is not None and not job.moving:
        faults.append(_serial_is_near_end(zone, draft.soa, serial, left))
    compiled = draft.finish(serial)
    if programs is not None and source.lua and lua_records:
        from lzc.compiler.lua.plans import plan_zone

        plans, behind, constants, steady = plan_zone(programs, job.lua.exec_limit)
        compiled = replace(compiled, plans=plans)
        listed, more = judge(programs, behind - found, reach)
        found |= listed
        faults += more
        if constants != Constants():
            constants |= of_checks(tried | behind)
        if more:
            return ZoneResult(None, sorted(faults, key=lambda fault: fault.place))
    return ZoneResult(
        compiled,
        faults,
        found,
        len(lua_records),
        tuple(dict.fromkeys(zone.inputs)),
        # What is lost is told once, other zones may change, and signatures expire.
        steady and not is_lost and not contents.missed and times[0] <= job.now < times[1],
        constants=constants,
        used=spending.counts,
        needs=_needs(job, zone, programs, lua=bool(lua_records)),
        missed=frozenset(contents.missed),
        times=times,
        right=_right(presigned),
    )


def _right(presigned: Presigned | None) -> tuple[bytes, ...]:
    return () if presigned is None else tuple(presigned.right)


def _errors(faults: list[Fault]) -> bool:
    return any(fault.severity is Severity.ERROR for fault in faults)


def _needs(job: ZoneJob, zone: Zone, programs: Programs | None, *, lua: bool) -> tuple[str, ...]:
    from lzc.compiler.checks.secondary_settings import LUA_RECORDS, needed_by

    if not (job.takers.powerdns or job.takers.others):
        # Nobody asks for more than that.
        return (LUA_RECORDS.name,) if lua else ()
    from lzc.compiler.checks.secondary_limits import beyond_limits

    looks = False
    if programs is not None and job.source.lua:
        from lzc.compiler.lua.clients import looks_at_clients

        looks = looks_at_clients(programs)
    keys = frozenset(key.dnskey for key in job.keys)
    signed = job.source.signed or job.source.presigned
    return (
        *needed_by(zone, keys, looks_at_clients=looks),
        *beyond_limits(zone, signed=signed),
    )


def _take_over(zone: Zone, job: ZoneJob) -> None:
    """Add the records of other operators (RFC 8901) at the apex, with the place of the SOA, and the
    TTL of those of the same type that are there."""
    top = [record for record in zone.records if not record[KEY]]
    soa = next((record for record in top if record[TYPE] == rr.SOA), None)
    if soa is None:
        return
    minimum = soa_times(soa[RDATA])[-1]
    known = {(record[TYPE], record[RDATA]) for record in top}
    ttls = {record[TYPE]: record[TTL] for record in top}
    usual = minimum if job.key_ttl is None else job.key_ttl
    zone.records += [
        (b"", rrtype, rdata, ttls.get(rrtype, usual), soa[PLACE])
        for rrtype, rdatas in job.foreign
        for rdata in rdatas
        if (rrtype, rdata) not in known
    ]


def _lint(
    job: ZoneJob, programs: Programs, faults: list[Fault], *, incomplete: bool, lua_unread: bool
) -> list[Fault]:
    from lzc.compiler.lua.lint import LintSettings, lint_zone

    settings = LintSettings(
        lua=job.lua,
        signed=job.source.signed,
        enabled=job.source.lua,
        secondaries=job.takers.powerdns,
        # What had to be ended once is not run again.
        measured=not any(fault.rule == "lua-hangs" for fault in faults),
    )
    return lint_zone(programs, settings, faults, incomplete=incomplete, lua_unread=lua_unread)


def _compare(
    job: ZoneJob, programs: Programs, contents: ZoneContents, version: Version
) -> list[Fault]:
    """What a version of PowerDNS would answer otherwise, from the same sources."""
    from lzc.compiler.lua.differing import Side, differing_faults
    from lzc.compiler.lua.programs import Programs

    source, blanks = job.source, since(nearest(version), BLANKS)
    zone, _ = read_zone(
        source.path,
        source.apex,
        shown_as=source.shown_as,
        insert_whitespace=blanks,
        powerdns=source.as_powerdns,
        reach=job.reach,
        spending=Spending(job.limits, None),
    )
    if source.strip:
        strip(zone)
    zone.records.sort()
    there = Side(Programs(zone, blanks, nearest(version)), version, contents)
    here = Side(programs, source.powerdns, contents)
    return differing_faults(here, there, job.lua.memory_limit, f"powerdns-{shown(version)}")


def _shown_name(zone: Zone) -> str:
    return zone.name.rstrip(".") or "."


def _serial_is_near_end(zone: Zone, soa: Record, serial: int, left: int) -> Fault:
    name = _shown_name(zone)
    return Fault(
        zone.place(soa),
        serials.NEAR_END_RULE,
        f"the serial of {name} is {serial}: {left} more, and serials go round at 4294967295",
        "the build stops there, as not every script and server copes with that; a date or a count"
        " that is a mistake is mended best while there is time",
        f"lzc serial plan {name} --to 1 --apply, which has it begin anew in steps that every"
        ' secondary takes for newer; or --to date, with serial = "date"',
        Severity.WARNING,
    )


def _serial_is_lost(zone: Zone, soa: Record, serial: int) -> Fault:
    name = _shown_name(zone)
    return Fault(
        zone.place(soa),
        "serial-lost",
        f"nothing tells the last serial of {name} any more, if it had one: it gets {serial}",
        "secondaries that have a greater one keep what they have, and say nothing",
        f"compare with a secondary: dig @SECONDARY {name} SOA; where its serial is greater, set"
        " that of the SOA record to one more and build again",
        Severity.WARNING,
    )


def _lua_is_off(zone: Zone, lua_records: list[Record]) -> Fault:
    name = _shown_name(zone)
    return RULES["lua-disabled"].fault(
        zone.place(min(lua_records, key=itemgetter(PLACE))),
        f"zone {name} has LUA records ({len(lua_records)}), but LUA is not enabled for it",
        fix=f'set enable = true in [lua], or lua = true in [zone."{name}"]',
    )
