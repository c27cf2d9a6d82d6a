"""Which serial a zone gets: greater than the last when its content changed, the same otherwise.

The last serial is the last that was handed out (`lzc.bundle.serial_store`), whatever bundle is
live.

A secondary that has serial *s* takes only a serial that RFC 1982 calls greater. A serial that slips
by unnoticed splits the servers of a zone for days, so whatever is not plainly an increase is an
error that says how to get out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from lzc.bundle.serial_store import LastSerial
from lzc.zone.serial import MODULUS, NEAR_END, Policy, add, greater, next_serial, way

_AHEAD_DAYS: Final = 31
"""How far a date or second may run ahead of the clock, by many builds or a wrong clock. Dates may
within their year: with the next one the date has caught up."""

RULES: Final = frozenset(
    ("serial-ahead", "serial-backwards", "serial-overflow", "serial-unchanged")
)
"""What a serial may be at fault for."""

NEAR_END_RULE: Final = "serial-near-end"
_FORESEEN: Final = 90
"""Changes of a day from which on it is said that there are a hundred numbers."""
_OLDEST_DATE: Final = 19700101_00
_OLDEST_SECOND: Final = 10**9
"""Less, and a serial is of another form."""


@dataclass(eq=False)
class SerialProblem(Exception):
    """No serial fits; the same fields as a `lzc.faults.Fault`."""

    rule: str
    message: str
    why: str
    fix: str


def choose(
    policy: Policy,
    source: int,
    last: LastSerial | None,
    digest: str,
    now: float,
    *,
    lost: bool = False,
    zone: str = "ZONE",
    moving: bool = False,
    stated: int | None = None,
) -> int:
    """The serial of a zone whose SOA record says ``source``.

    ``last`` is the last serial it was given, ``digest`` that of the new content, ``now`` seconds
    since the epoch (dates are UTC). Without ``last`` the zone is new, or what it was is ``lost``.
    A source serial that was changed to one greater than the last always counts: it is the
    operator's way to move a serial. A zone that is ``moving`` from serial to serial counts on from
    the last, and goes round, until it is where it is to be; ``stated`` is the next serial on that
    way, whether or not the content changed. ``zone`` is what it is called where something is wrong.
    Raises `SerialProblem`.
    """
    if policy == "keep":
        return _keep(source, last, digest)
    if last is None:
        return max(source, _above_all(policy, now) if lost else _first(policy, now))
    if stated is not None and greater(stated, last.serial):
        return stated
    raised = _is_raised(source, last)
    if last.digest == digest:
        return source if raised else last.serial
    if moving:
        return source if raised else add(last.serial, 1)
    wanted = next_serial(policy, last.serial, now)
    if raised:
        return wanted if wanted > source and greater(wanted, last.serial) else source
    limit = limit_of(policy, now)
    if wanted < last.serial:
        raise SerialProblem(
            "serial-overflow",
            f"the {policy} policy would follow the last serial {last.serial} with {wanted}",
            "serials go round at 4294967295; that should be a decision, as not every script copes",
            _way_out(zone, policy, last.serial, now),
        )
    if wanted > limit:
        raise SerialProblem(
            "serial-ahead",
            f"the last serial {last.serial} is ahead of every serial that the {policy} policy"
            f" gives now (up to {limit})",
            "counting on from it would leave the policy for good, and smaller serials are ignored"
            " by secondaries",
            _way_out(zone, policy, last.serial, now) + '; or set serial = "increment"',
        )
    return wanted


def near_end(serial: int) -> int | None:
    """How many greater numbers there are below 2**32, where that is worth a warning."""
    left = MODULUS - 1 - serial
    return left if left < NEAR_END else None


def note(policy: Policy, before: int, after: int, now: float) -> str:
    """What is to be said of a zone's change from one serial to the next, or nothing: of dates, that
    the numbers of a day are used up, or will be."""
    if policy != "date" or after != add(before, 1):
        return ""
    today = first_of_day(now)
    if not today + _FORESEEN <= after <= limit_of(policy, now):
        return ""
    if after < today + 100:
        return (
            f"change {after - today} of the day: serials of more than 99 have the date of days to"
            " come, which is no harm"
        )
    ends = catches_up(after, now)
    return (
        f"the day's 100 numbers are used up: counted on, until the date has caught up on {ends};"
        ' serial = "unixtime" has room for a change a second'
    )


def catches_up(serial: int, now: float) -> str:
    """The day, as YYYY-MM-DD, of which a date serial is greater again than a ``serial`` that ran
    ahead."""
    day = int(now // 86400)
    # A year holds 10,000 times the numbers of a hundred days: it is not ahead for longer.
    while first_of_day(day * 86400.0) + 1 <= serial:
        day += 1
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86400))


def _is_raised(source: int, last: LastSerial) -> bool:
    # A forgotten 1 in the source is greater, by RFC 1982, than a last serial close to 2^32.
    before = source < last.serial if last.source is None else source == last.source
    return not before and greater(source, last.serial)


def _keep(source: int, last: LastSerial | None, digest: str) -> int:
    if last is None or greater(source, last.serial):
        return source
    following = last.serial + 1
    fix = (
        f"set the serial of the SOA record to {following} or more"
        if following < MODULUS
        else _by_hand(last.serial, 1)
    )
    if source != last.serial:
        raise SerialProblem(
            "serial-backwards",
            f"the SOA record's serial {source} is not greater than {last.serial}, the last that"
            " was handed out (RFC 1982)",
            "secondaries that have that one would never take this one",
            fix,
        )
    # Of a bundle that was damaged, the serial may be known and the content not.
    if last.digest not in ("", digest):
        raise SerialProblem(
            "serial-unchanged",
            f"the zone's content changed, but its serial is still {source}",
            "secondaries look at nothing but the serial, and would keep the old content",
            fix + ', or let lzc count with serial = "date"',
        )
    return source


def first_of_day(now: float) -> int:
    """The date serial with which a day begins."""
    return int(time.strftime("%Y%m%d00", time.gmtime(now)))


def _first(policy: Policy, now: float) -> int:
    if policy == "date":
        return first_of_day(now)
    return int(now) if policy == "unixtime" else 1


def _above_all(policy: Policy, now: float) -> int:
    """A serial that is greater than any that was counted or dated up to now, or a little ahead."""
    if policy == "unixtime":
        return int(now) + 3600
    # A hundred may have been given today.
    return first_of_day(now + 86400)


def limit_of(policy: Policy, now: float) -> int:
    """The greatest serial that a policy gives now, runs ahead included."""
    ahead = now + _AHEAD_DAYS * 86400
    if policy == "date":
        year = time.gmtime(now).tm_year
        return max(first_of_day(ahead) + 99, (year + 1) * 1_000_000 - 1)
    return int(ahead) if policy == "unixtime" else MODULUS - 1


def aim(policy: Policy, now: float) -> int:
    """The serial that a zone has to get for a policy to go on from: the least that it gives."""
    return max(1, _first(policy, now))


def fits(policy: Policy, serial: int, now: float) -> bool:
    """Whether a policy can go on from a serial as it is, and what it gives next is of its form."""
    if policy == "increment":
        return near_end(serial) is None
    least = _OLDEST_DATE if policy == "date" else _OLDEST_SECOND
    return least <= serial <= limit_of(policy, now)


def _way_out(zone: str, policy: Policy, last: int, now: float) -> str:
    """How an operator moves a serial to what its policy gives."""
    if policy == "increment":
        return (
            f"lzc serial plan {zone} --to 1 --apply, which has it begin anew, step by step; or"
            ' --to date, with serial = "date"'
        )
    count = len(way(last, aim(policy, now)))
    steps = "one step" if count == 1 else f"{count} steps"
    return (
        f"lzc serial plan {zone} --apply, which leads to {aim(policy, now)} in {steps} that every"
        " secondary takes for newer (RFC 1982), each once they have the one before"
    )


def _by_hand(last: int, target: int) -> str:
    """The same where serials are those of the source."""
    return (
        f"set the serial of the SOA record to {target} and build: RFC 1982 counts round, so"
        f" secondaries take it for newer than {last}"
    )
