"""What is known of the transfers of single zones to a secondary: the last of each that was done,
the last that was not, and which are taken again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MOST: Final = 10_000
"""Zones of a secondary that are remembered: of more, those of which nothing was heard for the
longest are forgotten."""
AGAIN: Final = 4
"""Transfers of the same serial that are no chance."""
HOUR: Final = 3600.0


class Measure(NamedTuple):
    """What a transfer took: ``transport`` is ``tcp`` or ``tls``, ``seconds`` are those from its
    first message to its last one handed to the kernel, ``octets`` those of its messages with their
    lengths, ``records`` those in their answer sections."""

    transport: str
    seconds: float
    octets: int
    records: int


@dataclass(slots=True)
class ZoneTransfers:
    """Times are seconds since the epoch, 0: never. ``serial``, ``kind`` and ``measure`` are of the
    last transfer that was done, at ``at``; ``times``: how often that serial was sent in a row,
    since ``since``; ``error`` says why the last one that was not done was not, at ``error_at``.
    With ``hint``: why it may not keep what it takes again and again. ``asked``: when it asked last
    whether the zone changed, be it for the SOA with TSIG, or for a transfer."""

    serial: int = 0
    kind: str = ""
    measure: Measure | None = None
    at: float = 0.0
    times: int = 0
    since: float = 0.0
    error: str = ""
    error_at: float = 0.0
    hint: str = ""
    asked: float = 0.0

    def repeats(self, now: float) -> bool:
        """Whether it is taken again and again."""
        return bool(self.hint) and now - self.at < HOUR

    def to_document(self, now: float) -> dict[str, Any]:
        """For ``lzc ctl secondaries``; `None` for what never was."""
        done = None
        if self.at:
            found = self.measure or Measure("", 0.0, 0, 0)
            done = {"serial": self.serial, "at": self.at, "kind": self.kind, **found._asdict()}
        failed = {"at": self.error_at, "why": self.error} if self.error else None
        repeats = self.times if self.repeats(now) else 0
        return {
            "last": done,
            "last_refusal": failed,
            "repeats": repeats,
            "hint": self.hint if repeats else "",
            "asked": self.asked or None,
        }


@dataclass(slots=True)
class ZoneTable:
    """The zones of a secondary, by lower-case wire name."""

    zones: dict[bytes, ZoneTransfers] = field(default_factory=dict)

    def of(self, apex: bytes) -> ZoneTransfers | None:
        """What is known of a zone."""
        return self.zones.get(apex)

    def touch(self, apex: bytes) -> ZoneTransfers:
        """The entry of a zone of which something is heard now."""
        found = self.zones.pop(apex, None) or ZoneTransfers()
        if len(self.zones) >= MOST:
            del self.zones[next(iter(self.zones))]
        self.zones[apex] = found
        return found

    def ask(self, apex: bytes, now: float) -> None:
        """Whether a zone changed was asked: of more than `MOST`, those with a transfer count."""
        found = self.zones.get(apex)
        if found is None and len(self.zones) < MOST:
            found = self.touch(apex)
        if found is not None:
            found.asked = now

    def repeating(self, now: float) -> list[bytes]:
        """The zones that are taken again and again."""
        return [apex for apex, one in self.zones.items() if one.repeats(now)]
