"""How long code has to rest that takes long, so that the names of others are answered.

Code that hits the limit of time or memory rests, each time twice as long. Code that stays below
its limits and is slow all the same gets a share of the worker's time, and so does all such code
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOW: Final = 0.005
"""Seconds from which on an execution is slow."""
FIRST: Final = 5.0
"""Seconds of rest after a limit was hit. Until an operator changes the code it fails anyway."""
LONGEST: Final = 3600.0
SHARE: Final = 0.1
"""Of a worker's time, what slow code of one kind may take in the long run."""
SHARE_OF_ALL: Final = 0.2
"""What all slow code may take."""
AHEAD: Final = 0.25
"""Seconds that it may take ahead of its share."""


@dataclass(slots=True)
class _Owed:
    """Time that was taken, less what the share has given back since."""

    _share: float
    _at: float
    _seconds: float = 0.0

    def at(self, now: float) -> float:
        """Seconds owed at a time."""
        return max(0.0, self._seconds - (now - self._at) * self._share)

    def add(self, seconds: float, now: float) -> None:
        """Take more."""
        self._seconds = self.at(now) + seconds
        self._at = now


@dataclass(slots=True)
class _Watched:
    """Code that was slow; ``proven``: by its own CPU time, or a limit."""

    owed: _Owed
    until: float
    offences: int = 0
    pause: float = 0.0
    proven: bool = False


class Penalties:
    """Code that is watched, by a number that stands for it, and the zones it is in. Times are
    seconds of one clock; code is slow that takes more than ``slow`` of them."""

    def __init__(self, slow: float = SLOW) -> None:
        self.slow = slow
        self._watched: dict[int, _Watched] = {}
        self._zones: set[bytes] = set()
        self._all = _Owed(SHARE_OF_ALL, 0.0)

    def __len__(self) -> int:
        """How much code is watched."""
        return len(self._watched)

    def watch(self, ident: int, now: float) -> None:
        """Code was slow, or the machine was busy."""
        if ident not in self._watched:
            self._watched[ident] = _Watched(_Owed(SHARE, now), now)

    def resting(self, ident: int, zone: bytes, now: float) -> bool:
        """Whether code that is watched or new must not run now. New code is not trusted in a zone
        that has slow code: there may be thousands of it."""
        one = self._watched.get(ident)
        if one is not None and now < one.until:
            return True
        if one.proven if one is not None else zone in self._zones:
            return self._all.at(now) > AHEAD
        return False

    def took(self, ident: int, zone: bytes, seconds: float, now: float) -> bool:
        """An execution of watched or new code took CPU time; True where it need not be watched."""
        if seconds > self.slow:
            self.charge(ident, zone, seconds, now)
            return False
        known = self._watched.get(ident)
        if known is not None and (known.owed.at(now) or now <= known.until + known.pause):
            return False
        self._watched.pop(ident, None)
        return True

    def charge(self, ident: int, zone: bytes, seconds: float, now: float) -> None:
        """Code took CPU time that is, with what it took just before, slow."""
        one = self._prove(ident, zone, seconds, now)
        owed = one.owed.at(now)
        if owed > AHEAD:
            one.until = max(one.until, now + owed / SHARE)

    def offended(self, ident: int, zone: bytes, now: float) -> None:
        """An execution hit the limit of time or memory. What it did before is forgotten when it has
        behaved for as long as its last rest took."""
        one = self._prove(ident, zone, 0.0, now)
        if now > one.until + one.pause:
            one.offences = 0
        one.pause = min(FIRST * 2.0**one.offences, LONGEST)
        one.offences += 1
        one.until = now + one.pause

    def _prove(self, ident: int, zone: bytes, seconds: float, now: float) -> _Watched:
        self.watch(ident, now)
        one = self._watched[ident]
        one.proven = True
        one.owed.add(seconds, now)
        self._all.add(seconds, now)
        self._zones.add(zone)
        return one
