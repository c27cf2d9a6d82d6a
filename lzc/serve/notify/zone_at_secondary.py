"""One zone at one secondary, on its way to be current there, and what the log says of a secondary:
zones with the same problem in one line, once in a while."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from lzc.foreign_text import shown
from lzc.serve.notify import message as messages
from lzc.serve.observe.log_lines import Quiet
from lzc.wire import name as wire_name


class KeptZone(NamedTuple):
    """What a server before knew: the serial that the secondary told, when, and since when it has
    less than was served; in seconds since the epoch."""

    serial: int | None
    told: float | None
    behind: float | None


class Phase(Enum):
    """Where a zone stands. Only in the two of them that hold a place in the window are datagrams
    under way; a zone that rests has none, so that it keeps no other waiting."""

    QUEUED = "queued"
    ASKED = "asked"
    SETTLING = "settling"
    RESTING = "resting"
    DONE = "done"


PLACED: Final = (Phase.ASKED, Phase.SETTLING)


@dataclass(slots=True, eq=False)
class ZoneAtSecondary:
    """``polls``: the next request, or the one under way (``request``), asks for the serial instead
    of being a NOTIFY. ``acked``: when the last NOTIFY of ``serial`` was answered, seconds;
    ``asked``: when the last request was sent. ``theirs`` is the serial that the secondary told.
    ``attempts`` that failed in a row, ``looks`` at the serial since the NOTIFY. ``kind`` sorts
    problems, of which ``problem`` says more. ``hint``: why it may not keep what it was sent last.
    ``refused`` is its answer to NOTIFY while it is asked why, ``bare``: without TSIG. ``soa``: TTL
    and RDATA of the SOA record that we serve, where they are known. ``told``: when it told
    ``theirs`` last. ``before``: what it told the server that ran before, until it is asked again.
    ``turn`` tells the timer that counts from those that were overtaken. ``since``: from when on the
    secondary has less than what we serve, as long as it is not current."""

    apex: bytes
    serial: int
    phase: Phase = Phase.QUEUED
    polls: bool = False
    acked: float | None = None
    asked: float = 0.0
    theirs: int | None = None
    kind: str = ""
    problem: str = ""
    hint: str = ""
    attempts: int = 0
    looks: int = 0
    request: messages.Request | None = None
    unsent: str = ""
    turn: int = 0
    since: float = 0.0
    refused: messages.Reply | None = None
    bare: bool = False
    soa: tuple[int, bytes] | None = None
    told: float | None = None
    before: int | None = None

    @property
    def known(self) -> int | None:
        """The serial that it told last, to us or to the server before."""
        return self.before if self.theirs is None else self.theirs

    @property
    def current(self) -> bool:
        """True when the secondary has our serial or a later one."""
        return self.theirs is not None and messages.is_current(self.theirs, self.serial)

    @property
    def ahead(self) -> bool:
        """True when the secondary has a later serial than ours, and will not take it."""
        return self.current and self.theirs != self.serial

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        return {
            "zone": wire_name.to_text(self.apex),
            "serial": self.serial,
            "secondary_serial": self.known,
            "acknowledged": self.acked is not None,
            "current": self.current and not self.ahead,
            "ahead": self.ahead,
            "attempts": self.attempts,
            "error": self.problem,
        }


GATHER: Final = 2.0
"""Seconds in which zones with the same problem are gathered for one line of the log."""
QUIET: Final = 600.0
"""Seconds in which the same problem of a secondary is logged once."""


class Words:
    """Of a secondary named ``who``, whose ``zones`` are by apex. All times are those of one clock,
    in seconds."""

    def __init__(self, who: str, zones: Mapping[bytes, ZoneAtSecondary]) -> None:
        self._who = who
        self._zones = zones
        self._due: dict[str, float] = {}
        self._quiet = Quiet(QUIET)
        self._lines: list[tuple[int, str, dict[str, object]]] = []

    def take(self) -> list[tuple[int, str, dict[str, object]]]:
        """The lines to log that were not taken yet, each with its level and what else it is about
        than the secondary."""
        lines, self._lines = self._lines, []
        return lines

    def tell(self, level: int, what: str, **fields: object) -> None:
        """Say this of the secondary; ``fields`` as in `lzc.serve.observe.log_format.about`."""
        self._lines.append((level, f"secondary {self._who}: {what}", fields))

    def about(self, kind: str, now: float) -> None:
        """Tell of a problem soon, with the number of zones that have it by then."""
        if kind not in self._due and not self._quiet.keeps(kind, now):
            self._due[kind] = now + GATHER

    def due(self) -> Iterable[float]:
        """When there is something to say."""
        return self._due.values()

    def say(self, now: float, advice: str) -> None:
        """Say what is due; ``advice`` is for a secondary that refuses NOTIFY."""
        for kind in [kind for kind, at in self._due.items() if at <= now]:
            del self._due[kind]
            having = [zone for zone in self._zones.values() if zone.kind == kind]
            if not having:
                continue
            again = self._quiet.begin(kind, now)
            first = min(having, key=lambda zone: zone.apex)
            which = f"{len(having)} of {len(self._zones)} zones, such as" if having[1:] else "zone"
            more = f"; {advice}" if kind == messages.REFUSES_NOTIFY else ""
            self.tell(
                logging.WARNING,
                f"{which} {wire_name.to_text(first.apex)} serial {first.serial}:"
                f" {shown(first.problem)}{more} (see: lzc ctl status){again}",
                zone=wire_name.to_text(first.apex),
                serial=first.serial,
                secondary_serial=first.theirs,
                reason=first.problem,
                zones=len(having),
            )

    def behind(self) -> str:
        """How many zones are not current."""
        behind = sum(not zone.current for zone in self._zones.values())
        return f"{behind} of {len(self._zones)} zones behind"
