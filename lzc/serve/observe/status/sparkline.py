"""Small pictures of the last hour, as the ``d`` of paths of SVG: a minute is 2 units wide, the last
one at the right, and all is 16 units high."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from lzc.serve.ipc.health_table import DOWN, UNKNOWN, UP
from lzc.serve.observe.status.health_history import MINUTES, NO_DATA, changes_of, status_of

STEP: Final = 2
WIDTH: Final = MINUTES * STEP
HEIGHT: Final = 16
_BARS: Final = {UP: (11, 5), DOWN: (0, 16), UNKNOWN: (7, 2)}
"""Where the bar of a status begins, from the top, and how high it is: what is up is low, what is
down fills all, so that no colour is needed to tell them apart."""


class Strip(NamedTuple):
    """Of one check: paths for the minutes in which it was up, down, unknown, and a mark for each
    in which it changed; ``words`` say the same."""

    up: str
    down: str
    unknown: str
    changed: str
    words: str


def strip_of(cells: bytes) -> Strip:
    """From the octets of `lzc.serve.observe.status.health_history.HealthHistory.of`."""
    cells = cells[-MINUTES:]
    first = MINUTES - len(cells)
    paths: dict[int, list[str]] = {UP: [], DOWN: [], UNKNOWN: [], NO_DATA: []}
    counts = dict.fromkeys(paths, 0)
    at = first
    for status, run in groupby(cells, key=status_of):
        length = sum(1 for _ in run)
        counts[status] += length
        if status in _BARS:
            top, height = _BARS[status]
            paths[status].append(f"M{at * STEP} {top}h{length * STEP}v{height}h-{length * STEP}z")
        at += length
    marks = [at for at, one in enumerate(cells, first) if changes_of(one)]
    changes = sum(changes_of(one) for one in cells)
    return Strip(
        "".join(paths[UP]),
        "".join(paths[DOWN]),
        "".join(paths[UNKNOWN]),
        "".join(f"M{at * STEP} 0h2l-1 4z" for at in marks),
        _words(counts, changes),
    )


def _words(counts: dict[int, int], changes: int) -> str:
    named = ((UP, "up"), (DOWN, "down"), (UNKNOWN, "unknown"))
    parts = [f"{counts[status]} min {word}" for status, word in named if counts[status]]
    if not parts:
        return "nothing is known of the last hour"
    parts.append(f"{changes} change{'' if changes == 1 else 's'}" if changes else "no change")
    return ", ".join(parts)


class Line(NamedTuple):
    """Numbers over time: the line, the area below it, and the largest of them."""

    line: str
    area: str
    most: float


def line_of(values: Sequence[float | None]) -> Line:
    """One value a minute, the oldest first; `None` where nothing is known."""
    values = values[-MINUTES:]
    first = MINUTES - len(values)
    most = max((one for one in values if one is not None), default=0.0)
    line: list[str] = []
    area: list[str] = []
    points = [
        None
        if one is None
        else (at * STEP + 1, round(HEIGHT - 1 - (HEIGHT - 2) * one / most, 1))
        if most
        else (at * STEP + 1, HEIGHT - 1)
        for at, one in enumerate(values, first)
    ]
    for known, run in groupby(points, key=lambda one: one is not None):
        if known:
            part = [point for point in run if point is not None]
            line.append(_joined(part))
            area.append(f"{_joined(part)}V{HEIGHT}H{part[0][0]}z")
    return Line("".join(line), "".join(area), most)


def _joined(points: Iterable[tuple[float, float]]) -> str:
    first, *rest = (f"{x:g} {y:g}" for x, y in points)
    # A point alone would not be seen.
    return f"M{first}" + ("L" + " ".join(rest) if rest else "h1")
