"""Which forms of zones there are to be, and where they and their serials are."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from lzc.answer.transfer_access import Grant, Handed, grant_of
from lzc.bundle.zone_info import ZoneInfo
from lzc.config import Config, Form

FOLDER: Final = "forms"
"""Beside the bundles: what can be made anew at any time."""
SERIALS: Final = "form-serials"
"""Likewise the serials of all forms, which cannot."""
_LETTERS: Final = (
    bytes(range(256)).hex().translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
)


class Wanted(NamedTuple):
    """A form of the zone with this apex (lower-case wire name)."""

    apex: bytes
    what: Handed

    @property
    def mark(self) -> str:
        """What stands for it in names of folders: 32 hexadecimal digits."""
        what = self.what
        text = f"{what.form} {what.view.client} {what.view.health}"
        return sha256(self.apex + b"\x00" + text.encode()).hexdigest()[:32]

    @property
    def form(self) -> str:
        """What stands for it in the store of serials: letters."""
        if self.what.form is not Form.FLATTENED:
            return str(self.what.form)
        return f"{self.what.form}-" + "".join(_LETTERS[2 * one] for one in bytes.fromhex(self.mark))


def folder_of(output: Path, wanted: Wanted) -> Path:
    """Where its stores are."""
    return output / FOLDER / wanted.mark


def grants_of(config: Config) -> list[Grant]:
    """Those of all sections."""
    return [grant_of(section) for section in config.secondary]


def wanted_of(grants: Iterable[Grant], zone: ZoneInfo) -> set[Wanted]:
    """The forms of a zone that the secondaries with these grants are to get."""
    found = set()
    for grant in grants:
        what = handed_to(grant, zone)
        if what is not None:
            found.add(Wanted(zone.apex, what))
    return found


def handed_to(grant: Grant, zone: ZoneInfo) -> Handed | None:
    """The form that one secondary is to get; `None` where that is the zone as it is, or nothing."""
    if not grant.names(zone.apex):
        return None
    form = grant.choice(zone).form
    if form is Form.PRESIGNED:
        return Handed(form)
    return Handed(form, grant.view) if form is Form.FLATTENED else None
