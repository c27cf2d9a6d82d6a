"""What is wrong, in words, the worst first: what somebody who was woken up has to read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from lzc.foreign_text import clauses, shown
from lzc.serve.ipc.health_table import AUTO
from lzc.serve.observe.status.known import SOON, Known
from lzc.serve.observe.status.words import count, lasting, many, rate, share

_RECENT: Final = 3600.0
MANY_FAIL: Final = 0.01
"""Share of SERVFAIL among answers from which on it is more than a record."""
_NAMED: Final = 3


class Level(IntEnum):
    """How bad something is: clients get no answer or a wrong one; they may soon, or what is new
    does not reach them; worth knowing; all is as it should be."""

    FAILING = 0
    AT_RISK = 1
    NOTE = 2
    GOOD = 3


WORDS: Final = {
    Level.FAILING: "failing",
    Level.AT_RISK: "at risk",
    Level.NOTE: "note",
    Level.GOOD: "good",
}


class Problem(NamedTuple):
    """``what`` is wrong, in one sentence that may hold foreign text that is fit to be shown;
    ``section`` has more, and ``command`` tells or does more."""

    level: Level
    what: str
    section: str
    command: str = ""


def problems_of(known: Known) -> list[Problem]:
    """All of them, the worst first."""
    found = [
        *_processes(known),
        *_bundle(known),
        *_zones(known),
        *_keys(known),
        *_checks(known),
        *_answers(known),
        *_secondaries(known),
        *_refused(known),
    ]
    return sorted(found, key=lambda one: one.level)


def verdict(problems: list[Problem]) -> tuple[Level, str]:
    """All of it in one line."""
    counts = {level: sum(one.level == level for one in problems) for level in Level}
    failing, risks = counts[Level.FAILING], counts[Level.AT_RISK]
    if failing:
        return Level.FAILING, f"{failing} failing{f', {risks} at risk' if risks else ''}"
    if risks:
        return Level.AT_RISK, f"{risks} at risk, nothing failing"
    return Level.GOOD, "All is well"


def _names(names: list[str], whole: int = 0) -> str:
    """Some of them, and how many more there are, of ``whole`` where these are not all."""
    text, more = ", ".join(map(shown, names[:_NAMED])), max(whole, len(names)) - _NAMED
    return f"{text} and {count(more)} more" if more > 0 else text


def _some(names: list[str], whole: int) -> str:
    """The same behind a sentence; nothing where none of them is known by its name."""
    return f": {_names(names, whole)}" if names else ""


def _processes(known: Known) -> Iterator[Problem]:
    processes = known.seen.processes
    workers = [one for one in processes if one.name.startswith("worker-")]
    away = [one.name for one in workers if not one.ready]
    if away and len(away) == len(workers):
        yield Problem(Level.FAILING, "no worker answers queries", "processes", "lzc ctl status")
    elif away:
        what = f"{len(away)} of {len(workers)} workers do not answer: {', '.join(away)}"
        yield Problem(Level.AT_RISK, what, "processes", "lzc ctl status")
    for one in processes:
        if one.name == "checker" and not one.ready and known.seen.health.counts.get("checks"):
            what = "the health checker does not run: checks stay as they were found last"
            yield Problem(Level.AT_RISK, what, "processes")
    restarts = sum(one.restarts for one in processes)
    if restarts:
        what = f"{many(restarts, 'process', 'processes')} died and had to be started again"
        yield Problem(Level.NOTE, what, "processes")


def _bundle(known: Known) -> Iterator[Problem]:
    refused = known.status["refused"]
    if refused:
        which = refused["bundle"] or "the live bundle"
        what = f"bundle {which} is refused for {lasting(known.seen.now - refused['since'])}"
        why = shown(clauses(refused["why"]), 400)
        yield Problem(Level.AT_RISK, f"{what}, the one before it is served: {why}", "bundle")
    if known.status["gone"]:
        what = "nothing is live: what was is served, and the next start would fail"
        yield Problem(Level.AT_RISK, what, "bundle", "lzc build")
    kept = known.status["kept"]
    out, stale = kept["left_out"], kept["count"] - kept["left_out"]
    if out:
        names = [one["zone"] for one in kept["zones"] if one["serial"] is None]
        what = f"{many(out, 'zone')} left out of the bundle, as the source failed"
        yield Problem(Level.FAILING, what + _some(names, out), "zones")
    if stale:
        names = [one["zone"] for one in kept["zones"] if one["serial"] is not None]
        what = f"{many(stale, 'zone')} kept as before, as the source failed"
        yield Problem(Level.AT_RISK, what + _some(names, stale), "zones")
    if known.status["fallen"]["count"]:
        what = f"serials fell: {shown(known.status['fallen']['why'])}"
        yield Problem(Level.AT_RISK, what, "zones")
    if kept["rollback"]:
        what = f"the bundle has the content of {shown(kept['rollback'])} again (rollback)"
        yield Problem(Level.NOTE, what, "bundle")
    if known.status["settings"]:
        what = f"lzc.toml: {shown(str(known.status['settings']).replace(chr(10), '; '), 400)}"
        yield Problem(Level.AT_RISK, what, "bundle", "lzc ctl reload")
    for one in known.status["geo"]:
        if one["error"]:
            what = f"geo database {shown(one['path'])} is stale: {shown(one['error'])}"
            yield Problem(Level.AT_RISK, what, "bundle")
    tls = known.status["tls"]
    if tls and tls["error"]:
        what = f"what is on disk for TLS cannot be used: {shown(tls['error'], 400)}"
        yield Problem(Level.AT_RISK, what, "bundle")
    if tls and tls["late"]:
        days = (tls["expires"] - known.seen.now) / 86400
        end = f"expires in {days:.1f} days" if days > 0 else "has expired"
        what = f"the certificate of TLS {end}: {shown(tls['certificate'])}"
        yield Problem(Level.AT_RISK, what, "bundle")


def _zones(known: Known) -> Iterator[Problem]:
    without = known.seen.health.without_target
    if without:
        names = sorted({f"{owner} {rrtype}" for _, owner, rrtype in without})
        what = (
            f"{many(len(names), 'LUA record')} without any target that is up, so that clients get"
            f" what is left: {_names(names)}"
        )
        yield Problem(Level.FAILING, what, "health", "lzc ctl health")
    quarantine = [one["name"] for one in known.status["quarantine"]]
    if quarantine:
        what = f"code of {many(len(quarantine), 'LUA record')} is not run, as it stopped a worker: "
        yield Problem(Level.FAILING, what + _names(quarantine), "lua")
    held = list(known.seen.held_zones)
    if held:
        what = f"{many(len(held), 'zone')} with code held back that never ran to its end: "
        yield Problem(Level.FAILING, what + _names(held), "lua")


def _keys(known: Known) -> Iterator[Problem]:
    now, states = known.seen.now, known.seen.keys
    said = {
        "servfail": (Level.FAILING, "answered with SERVFAIL for want of keys"),
        "at risk": (Level.AT_RISK, "served only until a worker starts again, for want of keys"),
        "warning": (Level.NOTE, "with a warning about keys"),
    }
    for state, (level, what) in said.items():
        names = [zone for zone, one in states.items() if one == state]
        if names:
            text = f"{many(len(names), 'zone')} {what}: {_names(names)}"
            yield Problem(level, text, "keys", "lzc ctl status")
    ends = sorted((end, zone) for zone, end in known.seen.ends.items() if end - now < SOON)
    over = [zone for end, zone in ends if end <= now]
    if over:
        what = f"keys of {many(len(over), 'zone')} have ended, signatures do not validate: "
        yield Problem(Level.FAILING, what + _names(over), "keys")
    soon = [(end, zone) for end, zone in ends if end > now]
    if soon:
        what = f"keys of {many(len(soon), 'zone')} end soon, the first in "
        what += f"{lasting(soon[0][0] - now)}: {_names([zone for _, zone in soon])}"
        yield Problem(Level.AT_RISK, what, "keys")
    for one in known.status["tsig"]:
        what = f"no transfer and no NOTIFY with TSIG key {shown(one['key'])}: "
        yield Problem(Level.AT_RISK, what + shown(one["problem"]), "keys")


def _checks(known: Known) -> Iterator[Problem]:
    counts, checks = known.seen.health.counts, known.seen.health.checks
    if counts.get("down"):
        what = f"{count(counts['down'])} of {many(counts['checks'], 'health check')} down"
        yield Problem(Level.AT_RISK, what, "health", "lzc ctl health")
    late = [one for one in checks if known.is_late(one)]
    if late:
        what = f"{many(len(late), 'health check')} without a result for long"
        yield Problem(Level.AT_RISK, what, "health", "lzc ctl health")
    if known.seen.health.unsaved:
        what = f"health cannot be saved: {shown(known.status['checker']['unsaved'])}"
        yield Problem(Level.AT_RISK, what, "health")
    if counts.get("unknown"):
        what = f"{many(counts['unknown'], 'health check')} without a result yet"
        yield Problem(Level.NOTE, what, "health")
    forced = [one for one in checks if one.forced != AUTO]
    if forced:
        what = f"{many(len(forced), 'health check')} overruled by hand"
        yield Problem(Level.NOTE, what, "health", "lzc ctl health")
    if known.restless:
        what = f"{many(len(known.restless), 'health check')} changed in the last hour"
        yield Problem(Level.NOTE, what, "health")


def _answers(known: Known) -> Iterator[Problem]:
    lately = known.lately
    if lately.queries and lately.servfail / lately.queries >= MANY_FAIL:
        what = (
            f"{share(lately.servfail, lately.queries)} of the answers of the last"
            f" {lasting(lately.seconds)} are SERVFAIL"
        )
        yield Problem(Level.FAILING, what, "rates")
    if lately.lua_errors:
        level = Level.FAILING if lately.lua_errors >= MANY_FAIL * lately.queries else Level.AT_RISK
        what = f"LUA records fail, {rate(lately.rate('lua_errors'))} times a second"
        yield Problem(level, what, "lua")


def _secondaries(known: Known) -> Iterator[Problem]:
    for one, seen in known.secondaries():
        name = f"secondary {shown(one['name'])}"
        if seen is None:
            continue
        expired = [zone.zone for zone in seen.zones if known.has_expired(zone, seen.silent)]
        if expired:
            what = f"{name} may have dropped {many(len(expired), 'zone')}: {_names(expired)}"
            yield Problem(Level.FAILING, what, "secondaries")
        if seen.silent is not None:
            what = f"{name} has not answered for {lasting(seen.silent)}"
            yield Problem(Level.AT_RISK, what, "secondaries", "lzc ctl status")
        behind = [zone for zone in seen.zones if zone.lag > 0]
        if behind and seen.silent is None:
            longest = max(zone.lag for zone in behind)
            what = f"{name} is behind with {many(len(behind), 'zone')}, for {lasting(longest)}: "
            what += _names([zone.zone for zone in behind])
            yield Problem(Level.AT_RISK, what, "secondaries", "lzc ctl status")
        ahead = [zone.zone for zone in seen.zones if zone.ahead]
        if ahead:
            what = f"{name} is ahead with {many(len(ahead), 'zone')}, and takes nothing from us: "
            yield Problem(Level.AT_RISK, what + _names(ahead), "secondaries")
    if known.seen.secondaries_unsaved:
        why = shown(known.status["secondaries_unsaved"])
        what = f"what is known of secondaries cannot be saved: {why}"
        yield Problem(Level.AT_RISK, what, "secondaries")


def _refused(known: Known) -> Iterator[Problem]:
    now = known.seen.now
    for one in known.status["secondaries"]:
        last, done = one["transfers"]["last_refusal"], one["transfers"]["last"]
        if last and now - last["at"] < _RECENT and (done is None or done["at"] < last["at"]):
            what = f"secondary {shown(one['name'])} was refused {shown(last['zone'])}"
            what += f" {lasting(now - last['at'])} ago: {shown(last['why'])}"
            yield Problem(Level.AT_RISK, what, "refused")
        if one["transfers"]["hint"]:
            what = f"secondary {shown(one['name'])} {shown(one['transfers']['hint'])}"
            yield Problem(Level.AT_RISK, what, "secondaries")
    strangers = [one for one in known.status["strangers"] if one["last_refusal"]]
    if strangers:
        what = f"{many(len(strangers), 'stranger')} asked for zones in vain"
        yield Problem(Level.NOTE, what, "refused")
    counts = known.seen.health.counts
    barred = counts.get("barred", 0) + counts.get("computed", 0)
    if barred:
        what = f"{many(barred, 'health check')} not made, for where they would lead"
        yield Problem(Level.NOTE, what, "refused", "lzc ctl health")
