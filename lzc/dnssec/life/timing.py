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
    ds_publish: int | None = None
    sync_publish: int | None = None
    sync_delete: int | None = None
    ds_delete: int | None = None

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
        """True when the key signs: published, and from Activate until Inactive or Revoke. A key
        without any metadata always does."""
        if not self.is_published(now) or (self.inactive is not None and now >= self.inactive):
            return False
        if self.is_revoked(now):
            return False
        if self.activate is not None:
            return now >= self.activate
        return self == Timing()

    def is_revoked(self, now: float) -> bool:
        """True from Revoke on: the DNSKEY has the flag `REVOKE` then."""
        return self.revoke is not None and now >= self.revoke

    def asks_for_ds(self, now: float) -> bool:
        """True when CDS and CDNSKEY name the key, if it has the flag `SEP`: it is in the zone and
        between SyncPublish and SyncDelete, as far as it has these (RFC 7344 §4). A key that does
        not sign yet is named, as PowerDNS does: a DS may be there before."""
        if self.sync_publish is not None and now < self.sync_publish:
            return False
        if self.sync_delete is not None and now >= self.sync_delete:
            return False
        return self.is_published(now) and not self.is_revoked(now)

    def changes_after(self, now: float) -> float:
        """The next moment at which the key's state may change; infinity when there is none."""
        moments = (self.publish, self.activate, self.revoke, self.inactive, self.delete)
        return min((m for m in moments if m is not None and m > now), default=float("inf"))

    def state(self, now: float) -> str:
        """In one word: ``active`` (signs), ``published`` (in the DNSKEY RRset, does not sign),
        ``revoked`` (there, and says that it is not to be trusted) or ``hidden`` (not there: not
        yet, or no more)."""
        if self.is_active(now):
            return "active"
        if self.is_published(now) and self.is_revoked(now):
            return "revoked"
        return "published" if self.is_published(now) else "hidden"
