"""Zone serials: the circular arithmetic of RFC 1982, and how the next one is chosen."""

from __future__ import annotations

import time
from typing import Final, Literal

MODULUS: Final = 2**32
MAX_STEP: Final = 2**31 - 1
"""The most that may be added to a serial at once (RFC 1982 §3.1)."""

ROOM: Final = 2**20
"""What a step of `way` leaves of the most, for builds between it and the next."""

NEAR_END: Final = 10**8
"""From so much below 2**32 on it is time to say so: a count that long lasts for years."""

Policy = Literal["date", "increment", "unixtime", "keep"]


def add(serial: int, step: int) -> int:
    """``serial`` plus ``step``, going round at 2**32 (RFC 1982 §3.1).

    Raises `ValueError` unless 0 <= serial < 2**32 and 0 <= step <= `MAX_STEP`.
    """
    _check(serial)
    if not 0 <= step <= MAX_STEP:
        raise ValueError(f"step {step} is not in 0..{MAX_STEP}")
    return (serial + step) % MODULUS


def compare(left: int, right: int) -> int | None:
    """-1, 0 or 1 as ``left`` is less than, equal to or greater than ``right`` (RFC 1982 §3.2).

    None where they are exactly 2**31 apart: the order is then undefined. Raises `ValueError` for
    numbers out of 0 to 2**32 - 1.
    """
    _check(left)
    _check(right)
    distance = (left - right) % MODULUS
    if distance == 0:
        return 0
    if distance == 2**31:
        return None
    return 1 if distance < 2**31 else -1


def greater(left: int, right: int) -> bool:
    """True when a secondary that has ``right`` takes a zone with ``left`` for newer."""
    return compare(left, right) == 1


def way(start: int, target: int) -> list[int]:
    """The serials that lead from ``start`` to ``target``, which is the last of them: as few as
    there can be, of which each is `greater` than the one before, and leaves `ROOM` for builds in
    between. None where both are the same; 0, which some take for no serial, is no step on the way.
    Raises `ValueError` for numbers out of 0 to 2**32 - 1."""
    _check(start)
    _check(target)
    distance = (target - start) % MODULUS
    count = -(-distance // (MAX_STEP - ROOM))
    steps = [(start + distance * step // count) % MODULUS for step in range(1, count + 1)]
    return [*(step or 1 for step in steps[:-1]), *steps[-1:]]


def next_serial(policy: Policy, old: int | None, now: float) -> int:
    """The serial of a zone whose content changed since serial ``old`` (None: there was none).

    ``now`` is in seconds since the epoch; dates are UTC. ``date`` gives YYYYMMDD01 and counts up
    within the day, ``unixtime`` the second, ``increment`` one more. Except for ``keep``, which
    gives ``old`` back, the result is `greater` than ``old``: where the date or second is not, it is
    ``old`` plus one. Raises `ValueError` for ``keep`` without ``old`` and for a date or second
    over 32 bits.
    """
    if policy == "keep":
        if old is None:
            raise ValueError("there is no serial to keep")
        return old
    if policy == "increment":
        return 1 if old is None else add(old, 1)
    if policy == "date":
        day = time.gmtime(now)
        wanted = ((day.tm_year * 100 + day.tm_mon) * 100 + day.tm_mday) * 100 + 1
    else:
        wanted = int(now)
    _check(wanted)
    if old is None or greater(wanted, old):
        return wanted
    return add(old, 1)


def _check(serial: int) -> None:
    if not 0 <= serial < MODULUS:
        raise ValueError(f"serial {serial} is not in 0..{MODULUS - 1}")
