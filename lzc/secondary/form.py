"""Which form of a zone a secondary gets."""

from __future__ import annotations

from lzc.config import Form, SecondarySection
from lzc.secondary.zones import ServedZone


def form_of(section: SecondarySection, zone: ServedZone) -> Form | None:
    """As `lzc.config.forms.choose` has it; `None` where it can have the zone in none, which is an
    error of `lzc check`."""
    return section.choice(lua=zone.lua, signed=zone.signed).form
