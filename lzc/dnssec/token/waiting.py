"""How long a token is waited for.

A token may be far away, or not answer ever again, and while it is waited for nothing else is done.
Who has no time to lose says how work with it is done, and when that is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

_Found = TypeVar("_Found")


class TooLong(Exception):
    """What a token was to do took longer than it is waited for. The message says so; what it
    does in the end, if anything, is of no interest any more."""


class Waiting(Protocol):
    """Does work with a token: all of it in one thread, one thing after the other."""

    def __call__(self, work: Callable[[], _Found]) -> _Found:
        """What the work gives, or raises. Raises `TooLong` where it is not waited for."""


class _Patience:
    """Waits as long as it takes."""

    def __call__(self, work: Callable[[], _Found]) -> _Found:
        return work()


PATIENCE: Final[Waiting] = _Patience()
"""For commands, which have nothing else to do."""
