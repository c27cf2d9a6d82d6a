"""Which serial a zone gets: higher than the live one when its content changed, the same otherwise.

A secondary that has serial *s* takes only a serial that RFC 1982 calls greater. A serial that slips
by unnoticed splits the servers of a zone for days, so whatever is not plainly an increase is an
error that says how to get out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from lzc.zone.serial import MAX_STEP, MODULUS, Policy, add, greater, next_serial

_AHEAD_DAYS: Final = 31
"""How far a date or second may run ahead of the clock, by many builds or a wrong clock."""


@dataclass(frozen=True, slots=True)
class LiveZone:
    """A zone in the live bundle: its serial, the digest of its content without the serial, and the
    serial that its source said."""

    serial: int
    digest: str
    source: int


class SerialProblem(Exception):
    """No serial fits; the same fields as a `lzc.zone.place.Fault`."""

    def __init__(self, rule: str, message: str, why: str, fix: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.why = why
        self.fix = fix


def choose(policy: Policy, source: int, live: LiveZone | None, digest: str, now: float) -> int:
    """The serial of a zone whose SOA record says ``source``.

    ``live`` is the zone in the bundle before, ``digest`` that of the new content, ``now`` seconds
    since the epoch (dates are UTC). A source serial that was changed to one greater than the live
    one always counts: it is the operator's way to move a serial. Raises `SerialProblem`.
    """
    if policy == "keep":
        return _keep(source, live, digest)
    if live is None:
        return max(source, _first(policy, now))
    # A forgotten 1 in the source is greater, by RFC 1982, than a live serial close to 2^32.
    raised = source != live.source and greater(source, live.serial)
    if live.digest == digest:
        return source if raised else live.serial
    wanted = next_serial(policy, live.serial, now)
    if raised:
        return wanted if wanted > source and greater(wanted, live.serial) else source
    if wanted < live.serial:
        raise SerialProblem(
            "serial-overflow",
            f"the {policy} policy would follow the live serial {live.serial} with {wanted}",
            "serials go round at 4294967295; that should be a decision, as not every script copes",
            _way_out(live.serial, max(1, _first(policy, now))),
        )
    limit = _limit(policy, now)
    if wanted > limit:
        raise SerialProblem(
            "serial-ahead",
            f"the live serial {live.serial} is ahead of every serial that the {policy} policy"
            f" gives now (up to {limit})",
            "counting on from it would leave the policy for good, and smaller serials are ignored"
            " by secondaries",
            _way_out(live.serial, _first(policy, now)) + '; or set serial = "increment"',
        )
    return wanted


def _keep(source: int, live: LiveZone | None, digest: str) -> int:
    if live is None or greater(source, live.serial):
        return source
    following = live.serial + 1
    fix = (
        f"set the serial of the SOA record to {following} or more"
        if following < MODULUS
        else _way_out(live.serial, 1)
    )
    if source != live.serial:
        raise SerialProblem(
            "serial-backwards",
            f"the SOA record's serial {source} is not greater than the live {live.serial}"
            " (RFC 1982)",
            "secondaries that have the live zone would never take this one",
            fix,
        )
    if live.digest != digest:
        raise SerialProblem(
            "serial-unchanged",
            f"the zone's content changed, but its serial is still {source}",
            "secondaries look at nothing but the serial, and would keep the old content",
            fix + ', or let lzc count with serial = "date"',
        )
    return source


def _first(policy: Policy, now: float) -> int:
    if policy == "date":
        return int(time.strftime("%Y%m%d00", time.gmtime(now)))
    return int(now) if policy == "unixtime" else 1


def _limit(policy: Policy, now: float) -> int:
    ahead = now + _AHEAD_DAYS * 86400
    if policy == "date":
        return int(time.strftime("%Y%m%d99", time.gmtime(ahead)))
    return int(ahead) if policy == "unixtime" else MODULUS - 1


def _way_out(live: int, target: int) -> str:
    """How an operator moves from one serial to another, in one step or two (RFC 1982 §7)."""
    if greater(target, live):
        return (
            f"set the serial of the SOA record to {target} and build: RFC 1982 counts round, so"
            f" secondaries take it for newer than {live}"
        )
    between = add(live, MAX_STEP)
    if not greater(target, between) or between == 0:
        between = add(live, MAX_STEP - 1)
    return (
        f"set the serial of the SOA record to {between} and build, wait until every secondary has"
        f" it, then set it to {target} and build again (RFC 1982 §7: two steps, each below 2^31)"
    )
