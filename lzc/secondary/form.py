"""Which form of a zone a secondary gets."""

from __future__ import annotations

from typing import Literal

from lzc.config import SecondarySection
from lzc.secondary.zones import ServedZone

Form = Literal["live", "presigned", "flattened"]


def form_of(section: SecondarySection, zone: ServedZone) -> Form:
    """What PowerDNS gets is the zone itself, and others get it without LUA records, and signed."""
    if section.product == "powerdns":
        return "live"
    if zone.lua:
        return "flattened"
    return "presigned" if zone.signed else "live"
