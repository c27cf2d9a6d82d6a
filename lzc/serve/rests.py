"""How long code has to rest that takes long, so that the names of others are answered.

Code that hits the limit of time or memory rests, each time twice as long. Code that stays below
its limits and is slow all the same gets a share of the worker's time, and so does all such code
together.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

SLOW: Final = 0.005
"""Seconds from which on an execution is slow."""
FIRST: Final = 5.0
"""Seconds of rest after a limit was hit. Until an operator changes the code it fails anyway."""
LONGEST: Final = 3600.0
SHARE: Final = 0.25
"""Of a worker's time, what slow code of one kind may take in the long run."""
SHARE_OF_ALL: Final = 0.5
"""What all slow code may take."""
AHEAD: Final = 0.25
"""Seconds that it may take ahead of its share."""


class _Owed:
    """Time that was taken, less what the share has given back since."""

    __slots__ = ("_at", "_seconds", "_share")

    def __init__(self, share: float, now: float) -> None:
        self._share = share
        self._seconds = 0.0
        self._at = now

    def at(self, now: float) -> float:
        """Seconds owed at a time."""
        return max(0.0, self._seconds - (now - self._at) * self._share)

    def add(self, seconds: float, now: float) -> None:
        """Take more."""
        self._seconds = self.at(now) + seconds
        self._at = now


class _Watched:
    """Code that was slow."""

    __slots__ = ("offences", "owed", "pause", "until")

    def __init__(self, now: float) -> None:
        self.owed = _Owed(SHARE, now)
        self.offences = 0
        self.pause = 0.0
        self.until = now


class Rests:
    """Code that is watched, by a number that stands for it. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._all = _Owed(SHARE_OF_ALL, 0.0)
        self.watched: Container[int] = self._watched

    def watch(self, ident: int, now: float) -> None:
        """From now on, have `took` told what each execution takes."""
        if ident not in self._watched:
            self._watched[ident] = _Watched(now)

    def resting(self, ident: int, now: float) -> bool:
        """Whether code that is watched must not run now."""
        return now < self._watched[ident].until or self._all.at(now) > AHEAD

    def took(self, ident: int, seconds: float, now: float) -> None:
        """An execution of watched code took CPU time."""
        one = self._watched[ident]
        if seconds > SLOW:
            one.owed.add(seconds, now)
            self._all.add(seconds, now)
            owed = one.owed.at(now)
            if owed > AHEAD:
                one.until = max(one.until, now + owed / SHARE)
        elif not one.owed.at(now) and now > one.until + one.pause:
            del self._watched[ident]

    def offended(self, ident: int, now: float) -> None:
        """An execution hit the limit of time or memory. What it did before is forgotten when it has
        behaved for as long as its last rest took."""
        self.watch(ident, now)
        one = self._watched[ident]
        if now > one.until + one.pause:
            one.offences = 0
        one.pause = min(FIRST * 2.0**one.offences, LONGEST)
        one.offences += 1
        one.until = now + one.pause
