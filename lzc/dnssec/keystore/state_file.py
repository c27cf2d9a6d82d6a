"""The ``.state`` files that BIND keeps beside the keys of zones under ``dnssec-policy``.

BIND goes by the states in them, not by the dates in the other files: a key whose ``Delete`` has
passed is published and signs while its states say so. Each kind of a key's records is hidden,
rumoured (in the zone, not yet in all caches), omnipresent, or unretentive (out of the zone, still
in caches).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lzc.dnssec.keystore.bindfile import InvalidKeyFile, parse_fields, parse_time
from lzc.dnssec.life.timing import Timing


class RecordState(StrEnum):
    """Where one kind of a key's records is, as BIND knows it."""

    HIDDEN = "hidden"
    RUMOURED = "rumoured"
    OMNIPRESENT = "omnipresent"
    UNRETENTIVE = "unretentive"
    NA = "na"

    @property
    def in_zone(self) -> bool:
        """Whether the zone (for a DS: the parent) is to have the records now."""
        return self in (RecordState.RUMOURED, RecordState.OMNIPRESENT)


@dataclass(frozen=True, slots=True)
class KeyState:
    """What BIND says of a key. ``goal`` is where it is going; ``dnskey``, ``zrrsig`` (signatures of
    the zone's data), ``krrsig`` (of the DNSKEY RRset) and ``ds`` are where its records are. Moments
    are seconds since the epoch, ``lifetime`` is in seconds, 0 for no end."""

    ksk: bool
    zsk: bool
    goal: RecordState
    dnskey: RecordState
    zrrsig: RecordState
    krrsig: RecordState
    ds: RecordState
    generated: int | None = None
    published: int | None = None
    active: int | None = None
    retired: int | None = None
    removed: int | None = None
    dnskey_change: int | None = None
    publish_cds: int | None = None
    delete_cds: int | None = None
    ds_publish: int | None = None
    ds_delete: int | None = None
    lifetime: int = 0

    @property
    def is_published(self) -> bool:
        """Whether the DNSKEY is in the zone."""
        return self.dnskey.in_zone

    @property
    def signs(self) -> bool:
        """Whether the key signs anything. One that signs the DNSKEY RRset alone, as BIND has a CSK
        in a rollover, signs all of the zone with lzc: more signatures than are needed break
        nothing."""
        return (self.ksk and self.krrsig.in_zone) or (self.zsk and self.zrrsig.in_zone)

    @property
    def leaves(self) -> bool:
        """Whether BIND is about to withdraw the key."""
        return self.goal is RecordState.HIDDEN and self.is_published

    def timing(self, now: float | None = None) -> Timing:
        """The dates that say what the states say, which is all that counts while BIND looks after
        the key. With ``now`` BIND does so no more: dates that are still to come are kept, and those
        that the states contradict are left out."""
        created = self.generated if self.generated is not None else 0
        cds = {"sync_publish": self.publish_cds, "sync_delete": self.delete_cds}
        ds = {"ds_publish": self.ds_publish, "ds_delete": self.ds_delete}
        if not self.is_published:
            gone = self.goal is RecordState.HIDDEN or self.dnskey is RecordState.UNRETENTIVE
            delete = first(self.dnskey_change, self.removed, created) if gone else None
            later = {} if gone or now is None else self._to_come(now)
            return (
                Timing(created=created, delete=delete, **ds) if gone else Timing(created, **later)
            )
        times: dict[str, int | None] = {"publish": first(self.published, created)}
        if self.signs:
            times["activate"] = first(self.active, self.published, created)
        elif self.goal is RecordState.HIDDEN:
            times["activate"] = self.active
            times["inactive"] = first(self.retired, self.active, created)
        if now is not None:
            times = self._to_come(now) | times
            times["publish"] = min(times["publish"] or 0, int(now))
            if self.signs:
                times["activate"] = min(times["activate"] or 0, int(now))
        return Timing(created=created, **times, **cds, **ds)

    def _to_come(self, now: float) -> dict[str, int | None]:
        dates = {
            "publish": self.published,
            "activate": self.active,
            "inactive": self.retired,
            "delete": self.removed,
        }
        return {name: date for name, date in dates.items() if date is not None and date > now}


def first(*moments: int | None) -> int:
    """The first moment that is known; 0 where none is."""
    return next((moment for moment in moments if moment is not None), 0)


def parse_state(text: str) -> KeyState | None:
    """What a ``.state`` file says; `None` where BIND has not begun to look after the key, which
    goes by its dates then, as ``dnssec-keygen -k`` leaves it. Raises `InvalidKeyFile`."""
    fields = parse_fields(text)

    def state(name: str) -> RecordState:
        value, line = fields.get(name, ("na", 0))
        try:
            return RecordState(value.lower())
        except ValueError:
            known = ", ".join(RecordState)
            raise InvalidKeyFile(f"{name} is {value[:40]}; expected one of {known}", line) from None

    def is_set(name: str) -> bool:
        value, line = fields.get(name, ("no", 0))
        if value not in ("yes", "no"):
            raise InvalidKeyFile(f"{name} is {value[:40]}; expected yes or no", line)
        return value == "yes"

    def moment(name: str) -> int | None:
        return parse_time(*fields[name]) if name in fields else None

    states = [name for name in ("GoalState", "DNSKEYState") if name in fields]
    if not states and "KSK" in fields:
        return None
    if len(states) < 2:
        raise InvalidKeyFile("not a state file of BIND: GoalState or DNSKEYState is missing")
    lifetime, line = fields.get("Lifetime", ("0", 0))
    if not (lifetime.isascii() and lifetime.isdigit() and len(lifetime) < 12):
        raise InvalidKeyFile("Lifetime is not a number of seconds", line)
    return KeyState(
        ksk=is_set("KSK"),
        zsk=is_set("ZSK"),
        goal=state("GoalState"),
        dnskey=state("DNSKEYState"),
        zrrsig=state("ZRRSIGState"),
        krrsig=state("KRRSIGState"),
        ds=state("DSState"),
        generated=moment("Generated"),
        published=moment("Published"),
        active=moment("Active"),
        retired=moment("Retired"),
        removed=moment("Removed"),
        dnskey_change=moment("DNSKEYChange"),
        publish_cds=moment("PublishCDS"),
        delete_cds=moment("DeleteCDS"),
        ds_publish=moment("DSPublish"),
        ds_delete=moment("DSRemoved"),
        lifetime=int(lifetime),
    )
