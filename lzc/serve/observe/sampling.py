"""A share of the queries, chosen by chance at the cost of nothing for those that are not chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import log


class Sampling:
    """Chooses each of a sequence with probability ``share`` (0 to 1), independently of the others.
    ``random`` gives numbers from 0 up to 1."""

    __slots__ = ("_gap", "_random", "_scale")

    def __init__(self, share: float, random: Callable[[], float]) -> None:
        self._random = random
        self._scale = 0.0 if share >= 1 else 1 / math.log1p(-share) if share > 0 else -math.inf
        self._gap = self._draw() if self._scale else 0

    def of(self, count: int) -> Sequence[int]:
        """Which of the next ``count`` are chosen, by their place from 0 on."""
        if not self._scale:
            return range(count)
        gap = self._gap
        if gap >= count:
            self._gap = gap - count
            return []
        chosen: list[int] = []
        draw, scale = self._random, self._scale
        while gap < count:
            chosen.append(int(gap))
            # As `_draw`, in place: the call took a third of it.
            gap += 1 + int(log(1 - draw()) * scale)
        self._gap = gap - count
        return chosen

    def _draw(self) -> float:
        """How many are passed over before the next one: the geometric distribution."""
        if math.isinf(self._scale):
            return math.inf
        return math.floor(math.log(1 - self._random()) * self._scale)
