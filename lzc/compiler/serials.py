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
from lzc.zone.serial import MAX_STEP, MODULUS, Policy, add, greater, next_serial

_AHEAD_DAYS: Final = 31
"""How far a date or second may run ahead of the clock, by many builds or a wrong clock."""


RULES: Final = frozenset(
    ("serial-ahead", "serial-backwards", "serial-overflow", "serial-unchanged")
)
"""What a serial may be at fault for."""


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
) -> int:
    """The serial of a zone whose SOA record says ``source``.

    ``last`` is the last serial it was given, ``digest`` that of the new content, ``now`` seconds
    since the epoch (dates are UTC). Without ``last`` the zone is new, or what it was is ``lost``.
    A source serial that was changed to one greater than the last always counts: it is the
    operator's way to move a serial. Raises `SerialProblem`.
    """
    if policy == "keep":
        return _keep(source, last, digest)
    if last is None:
        return max(source, _above_all(policy, now) if lost else _first(policy, now))
    raised = _is_raised(source, last)
    if last.digest == digest:
        return source if raised else last.serial
    wanted = next_serial(policy, last.serial, now)
    if raised:
        return wanted if wanted > source and greater(wanted, last.serial) else source
    if wanted < last.serial:
        raise SerialProblem(
            "serial-overflow",
            f"the {policy} policy would follow the last serial {last.serial} with {wanted}",
            "serials go round at 4294967295; that should be a decision, as not every script copes",
            _way_out(last.serial, max(1, _first(policy, now))),
        )
    limit = _limit(policy, now)
    if wanted > limit:
        raise SerialProblem(
            "serial-ahead",
            f"the last serial {last.serial} is ahead of every serial that the {policy} policy"
            f" gives now (up to {limit})",
            "counting on from it would leave the policy for good, and smaller serials are ignored"
            " by secondaries",
            _way_out(last.serial, _first(policy, now)) + '; or set serial = "increment"',
        )
    return wanted


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
        else _way_out(last.serial, 1)
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


def _first(policy: Policy, now: float) -> int:
    if policy == "date":
        return int(time.strftime("%Y%m%d00", time.gmtime(now)))
    return int(now) if policy == "unixtime" else 1


def _above_all(policy: Policy, now: float) -> int:
    """A serial that is greater than any that was counted or dated up to now, or a little ahead."""
    if policy == "unixtime":
        return int(now) + 3600
    # A hundred may have been given today.
    return int(time.strftime("%Y%m%d00", time.gmtime(now + 86400)))


def _limit(policy: Policy, now: float) -> int:
    ahead = now + _AHEAD_DAYS * 86400
    if policy == "date":
        return int(time.strftime("%Y%m%d99", time.gmtime(ahead)))
    return int(ahead) if policy == "unixtime" else MODULUS - 1


def _way_out(last: int, target: int) -> str:
    """How an operator moves from one serial to another, in one step or two (RFC 1982 §7)."""
    if greater(target, last):
        return (
            f"set the serial of the SOA record to {target} and build: RFC 1982 counts round, so"
            f" secondaries take it for newer than {last}"
        )
    between = add(last, MAX_STEP)
    if not greater(target, between) or between == 0:
        between = add(last, MAX_STEP - 1)
    return (
        f"set the serial of the SOA record to {between} and build, wait until every secondary has"
        f" it, then set it to {target} and build again (RFC 1982 §7: two steps, each below 2^31)"
    )
