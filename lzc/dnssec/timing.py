"""When a DNSSEC key is used. Apart from keys, as who only asks for dates needs no cryptography."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """When a key enters and leaves each part of its life, seconds since the epoch; ``None`` where
    the file does not say. BIND's dnssec-settime writes the same fields."""

    created: int | None = None
    publish: int | None = None
    activate: int | None = None
    revoke: int | None = None
    inactive: int | None = None
    delete: int | None = None
    sync_publish: int | None = None
    sync_delete: int | None = None

    def is_published(self, now: float) -> bool:
        """True when the DNSKEY belongs in the zone: from Publish (or, where only that is given,
        Activate) until Delete. A key without any metadata always does, as in BIND; one that was
        only Created waits for dnssec-settime."""
        if self.delete is not None and now >= self.delete:
            return False
        start = self.publish if self.publish is not None else self.activate
        if start is not None:
            return now >= start
        return self == Timing()

    def is_active(self, now: float) -> bool:
        """True when the key signs: published, and from Activate until Inactive. A key without any
        metadata always does."""
        if not self.is_published(now) or (self.inactive is not None and now >= self.inactive):
            return False
        if self.activate is not None:
            return now >= self.activate
        return self == Timing()

    def changes_after(self, now: float) -> float:
        """The next moment at which the key's state may change; infinity when there is none."""
        moments = (self.publish, self.activate, self.inactive, self.delete)
        return min((m for m in moments if m is not None and m > now), default=float("inf"))

    def state(self, now: float) -> str:
        """In one word: ``active`` (signs), ``published`` (in the DNSKEY RRset, does not sign) or
        ``hidden`` (neither: not yet, or no more)."""
        if self.is_active(now):
            return "active"
        return "published" if self.is_published(now) else "hidden"
