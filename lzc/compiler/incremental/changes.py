"""What a build changed: the zones that came, went, or are not what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import DENIAL, OF_SOURCE, PRESIGNED, BuiltZone
from lzc.wire.name import to_text

if TYPE_CHECKING:
    from lzc.bundle.writer import CompiledZone
    from lzc.bundle.zone_info import ZoneInfo

_SERVED_AS: Final = (2, 3, 6, 7, DENIAL, PRESIGNED, OF_SOURCE, OF_SOURCE + 2, OF_SOURCE + 3)
"""Where in its settings stands how a zone is served: signed, LUA, version, blanks, denial, whose
signatures, keys, and CDS and CDNSKEY records and the TTL of these."""


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """A zone's name, with final dot, and its serial before and after; `None` where there was none,
    or is none. ``note`` says of the serial what is worth knowing, if there is anything."""

    name: str
    before: int | None
    after: int | None
    note: str = ""

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        told = {"note": self.note} if self.note else {}
        return {"zone": self.name, "before": self.before, "after": self.after, **told}


@dataclass(frozen=True, slots=True)
class Changes:
    """Zones ordered by the octets of their apex. ``known`` is false where nothing was live that
    they could be compared with."""

    known: bool = False
    changed: list[ZoneChange] = field(default_factory=list)
    came: list[ZoneChange] = field(default_factory=list)
    went: list[ZoneChange] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed or self.came or self.went)


def changes(
    zones: Mapping[bytes, BuiltZone], made: Mapping[bytes, CompiledZone], live: LiveBundle
) -> Changes:
    """What is otherwise than in the live bundle, in which the zones are that were not ``made``.
    Call it before the serials of the new bundle are in the store. Raises `BundleError`."""
    found = Changes(live.folder is not None)
    if not found.known:
        return found
    before = live.apexes()
    known = set(before)
    for apex, zone in made.items():
        name, after = to_text(apex), zone.info.serial
        if apex not in known:
            found.came.append(ZoneChange(name, None, after))
            continue
        serial = _serial_before(apex, zone.info, zones[apex], live)
        if serial is not None:
            found.changed.append(ZoneChange(name, serial, after))
    for apex in before:
        if apex not in zones:
            last = live.serials.get(apex)
            found.went.append(
                ZoneChange(to_text(apex), None if last is None else last.serial, None)
            )
    return found


def _serial_before(apex: bytes, info: ZoneInfo, built: BuiltZone, live: LiveBundle) -> int | None:
    """The serial of a zone of the live bundle; `None` where nothing of it changed."""
    last, remembered = live.serials.get(apex), live.memory.zones.get(apex)
    if last is not None and remembered is not None and remembered.settings and remembered.inputs:
        # Without a look into the bundle, of which each file would be hashed first.
        same = last.serial == info.serial and remembered.digest == built.digest
        if same and _served_as(remembered) == _served_as(built):
            return None
        return last.serial
    before = live.info(apex)
    if before is None or _told(before) == _told(info):
        return None
    return before.serial


def _served_as(one: BuiltZone) -> list[Any]:
    return [one.settings[index] for index in _SERVED_AS if index < len(one.settings)]


def _told(info: ZoneInfo) -> tuple[Any, ...]:
    served_as = info.signed, info.denial, info.lua, info.powerdns, info.blanks, info.keys
    return info.serial, info.digest, *served_as
