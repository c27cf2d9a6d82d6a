"""What the log says of a secondary: zones with the same problem in one line, once in a while."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from lzc.foreign_text import shown
from lzc.serve.notify import message as messages
from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary
from lzc.serve.observe.log_lines import Quiet
from lzc.wire import name as wire_name

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
        self._lines: list[tuple[int, str]] = []

    def take(self) -> list[tuple[int, str]]:
        """The lines to log that were not taken yet, each with its level."""
        lines, self._lines = self._lines, []
        return lines

    def tell(self, level: int, what: str) -> None:
        """Say this of the secondary."""
        self._lines.append((level, f"secondary {self._who}: {what}"))

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
            self._quiet.begin(kind, now)
            first = min(having, key=lambda zone: zone.apex)
            which = f"{len(having)} of {len(self._zones)} zones, such as" if having[1:] else "zone"
            more = f"; {advice}" if kind == messages.REFUSES_NOTIFY else ""
            self.tell(
                logging.WARNING,
                f"{which} {wire_name.to_text(first.apex)} serial {first.serial}:"
                f" {shown(first.problem)}{more} (see: lzc ctl status)",
            )

    def behind(self) -> str:
        """How many zones are not current."""
        behind = sum(not zone.current for zone in self._zones.values())
        return f"{behind} of {len(self._zones)} zones behind"
