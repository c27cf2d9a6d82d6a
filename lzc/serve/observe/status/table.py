"""Tables of the status page, as values: sections, columns, rows and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.sparkline import Strip
from lzc.serve.observe.status.summary import Level

NUMBER: Final = "number"
"""Of a column: flush right, in figures of one width."""
NAME: Final = "name"
"""Of a column: names and addresses, which may break anywhere."""
PLAIN: Final = ""

T = TypeVar("T")


class Cell(NamedTuple):
    """``text`` is fit to be shown; with a ``level``, it is the word for a state. ``more`` is a
    smaller line below, ``link`` leads to more about it, ``strip`` is the last hour."""

    text: str = ""
    level: Level | None = None
    more: str = ""
    link: str = ""
    strip: Strip | None = None


class Column(NamedTuple):
    """Its heading, and what kind it is."""

    title: str
    kind: str = PLAIN


class Fact(NamedTuple):
    """Something beside a table: a word for it, and its value."""

    title: str
    value: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. ``rows`` are those shown, the first of which is ``first`` (from 1) of
    ``total``; ``empty`` is said where there are none. ``filters`` are the parameters that it goes
    by, ``page`` is the section that has all of it, where that is another."""

    id: str
    title: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    first: int
    total: int
    pages: int
    empty: str
    facts: Sequence[Fact] = ()
    filters: Sequence[str] = ()
    page: str = ""


def cut(
    everything: Sequence[T], asked: Asked, worst_first: Callable[[T], object] | None = None
) -> tuple[list[T], int, int]:
    """What is shown of them; the number of the first, from 1; and how many pages there are. A page
    behind the last one is the last one."""
    pages = max(1, -(-len(everything) // asked.rows)) if asked.section else 1
    first = min(asked.first, (pages - 1) * asked.rows)
    ordered = sorted(everything, key=worst_first) if worst_first else everything  # type: ignore[arg-type]
    return list(ordered[first : first + asked.rows]), first + 1, pages
