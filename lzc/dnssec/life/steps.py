"""The steps of a key's life that an operator takes: which dates they set, and what follows.

The dates are those of BIND's key files (dnssec-settime), so BIND and PowerDNS's operators find what
they know; here is what each one brings, and what has to be waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lzc.dnssec.life.outlook import DatedKey, end_of, span, when
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.timing import Timing


class Step(StrEnum):
    """What is done to a key."""

    PUBLISH = "publish"
    ACTIVATE = "activate"
    RETIRE = "retire"
    REMOVE = "remove"
    REVOKE = "revoke"

    @property
    def field(self) -> str:
        """The date that it sets, as `Timing` has it."""
        return _FIELDS[self]

    @property
    def date(self) -> str:
        """The same as BIND's files have it."""
        return self.field.title()


_FIELDS = {
    Step.PUBLISH: "publish",
    Step.ACTIVATE: "activate",
    Step.RETIRE: "inactive",
    Step.REMOVE: "delete",
    Step.REVOKE: "revoke",
}


class Contradiction(ValueError):
    """A step that a key cannot take; the message says why."""


@dataclass(frozen=True, slots=True)
class Dated:
    """The dates of a key after a step, and in words what was changed beside what was asked for."""

    timing: Timing
    also: tuple[str, ...] = ()


def dated(timing: Timing, step: Step, at: int | None, now: float, *, is_sep: bool = False) -> Dated:
    """The dates of a key after a step at a moment, seconds since the epoch; `None`: never, which
    takes the date back. Dates that contradict it are dropped, or moved. A KSK that retires is not
    named in CDS and CDNSKEY from then on. Raises `Contradiction`."""
    if timing == Timing():
        # A key without dates is active for good; with one, the others count, too.
        start = int(min(now, at if at is not None else now))
        timing = Timing(created=start, publish=start, activate=start)
    if timing.is_revoked(now) and step in (Step.ACTIVATE, Step.REVOKE):
        raise Contradiction(
            "it is revoked, and whoever follows RFC 5011 never trusts it again (§2.1)"
        )
    changed = replace(timing, **{step.field: at})
    also = []
    if step is Step.RETIRE and is_sep and timing.sync_delete == timing.inactive:
        changed = replace(changed, sync_delete=at)
    if at is None:
        return Dated(changed)
    if step is Step.ACTIVATE and (changed.publish is None or changed.publish > at):
        changed = replace(changed, publish=at)
        also.append(f"Publish is {when(at)}, too: a key that signs has to be in the zone")
    if step is Step.REMOVE and changed.is_active(at - 1):
        changed = replace(changed, inactive=at)
        also.append(f"Inactive is {when(at)}, too: a key that is not in the zone cannot sign")
    for name in _DROPPED[step]:
        moment = getattr(changed, name)
        if moment is not None and moment <= at:
            changed = replace(changed, **{name: None})
            also.append(f"{name.title()} ({when(moment)}) counts no more, as it contradicts this")
    return Dated(changed, tuple(also))


_DROPPED = {
    Step.PUBLISH: ("inactive", "delete"),
    Step.ACTIVATE: ("inactive", "delete"),
    Step.RETIRE: ("delete",),
    Step.REMOVE: (),
    Step.REVOKE: ("delete",),
}
"""Dates that make no sense before, or at, that of the step."""


def takes_away(before: Sequence[DatedKey], after: Sequence[DatedKey], now: float) -> str:
    """Why a zone's signatures would end, or end sooner, with other dates of its keys: the rest of a
    sentence that begins with the zone. Empty where they do not."""
    had_sep = any(key.is_sep and key.timing.is_active(now) for key in before)
    ends, ended = end_of(after, now, had_sep=had_sep), end_of(before, now)
    if ends is None or (ended is not None and ended.at <= ends.at):
        return ""
    return ends.why


def consequences(
    key: DatedKey, after: Timing, step: Step, now: float, intervals: Intervals
) -> Iterator[str]:
    """What a step brings, a sentence each: what is served, and what has to be waited for."""
    moment = getattr(after, step.field)
    if moment is None:
        yield f"{step.date} is taken back: by its dates the key is {after.state(now)}"
        return
    at = _at(moment, now)
    if step is Step.PUBLISH:
        ready = moment + intervals.publication
        yield f"its DNSKEY is in the zone with the first build {at}"
        yield (
            f"resolvers may have a DNSKEY RRset without it until {when(ready)}: have it sign alone"
            " no earlier"
        )
    elif step is Step.ACTIVATE:
        yield f"it signs {at}, where a bundle has its DNSKEY: a build puts it there"
        start = max(after.publish or moment, 0)
        ready = start + intervals.publication
        if moment < ready:
            yield (
                f"resolvers may have a DNSKEY RRset without it until {when(ready)}: keep the keys"
                " that sign now until then"
            )
        if key.is_sep:
            yield "give the parent its DS once it is in the zone"
    elif step is Step.RETIRE:
        yield f"it signs nothing {at}; its DNSKEY stays in the zone"
        if key.is_sep:
            yield (
                "before that, the parent is to have the DS of another key, and for"
                f" {span(intervals.ds_ttl + intervals.parent_propagation)} no longer only this one"
            )
        gone = moment + intervals.retirement(is_sep=key.is_sep)
        yield f"signatures of it may be in caches until {when(gone)}: remove it no earlier"
    elif step is Step.REVOKE:
        yield (
            f"with the first build {at} its DNSKEY says that it is not to be trusted (RFC 5011),"
            " under another tag; it signs the DNSKEY RRset and nothing else"
        )
        hold = max(intervals.dnskey_ttl, 30 * 86400)
        yield (
            "its DS at the parent leads nowhere then: take it away before; resolvers that keep it"
            f" as a trust anchor see this for {span(hold)}: remove it no earlier"
        )
    else:
        yield f"its DNSKEY is out of the zone with the first build {at}"


def _at(moment: float, now: float) -> str:
    if moment <= now:
        return "from now on"
    return f"from {when(moment)} on, in {span(moment - now)}"
