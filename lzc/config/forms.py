"""In which form a secondary gets a zone: as it is, signed, or with its LUA records evaluated.

Where a zone has LUA records, `choose` gives `Form.LIVE` to PowerDNS alone. All that hands out zones
goes by it, so no LUA record leaves for other software, whatever is set.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from lzc.powerdns_versions import parse_version

AUTO: Final = "auto"


class Form(StrEnum):
    """``LIVE``: as it is, without what lzc signs. ``PRESIGNED``: with the signatures of a zone that
    lzc signs. ``FLATTENED``: what its LUA records give one client, signed where lzc signs the
    zone."""

    LIVE = "live"
    PRESIGNED = "presigned"
    FLATTENED = "flattened"


class Choice(NamedTuple):
    """The form, `None` where the secondary can have the zone in none, and why, in words."""

    form: Form | None
    why: str

    @property
    def is_published(self) -> bool:
        """Whether it is made beside the bundle, under serials of its own."""
        return self.form in (Form.PRESIGNED, Form.FLATTENED)


class View(NamedTuple):
    """Whose answers a flattened zone has: those of the client with this address, and whether by the
    health checks as they are (``live``) or as if all targets were up (``all-up``)."""

    client: str = ""
    health: str = "live"


def choose(setting: str, software: str, *, lua: bool, signed: bool) -> Choice:
    """The form for a secondary whose ``form`` is set so. ``lua``: the zone has LUA records, be they
    run or not; ``signed``: lzc signs it."""
    powerdns = parse_version(software) is not None
    if not lua and not signed:
        return Choice(Form.LIVE, "the zone has no LUA records, and lzc does not sign it")
    if setting == Form.FLATTENED:
        if lua:
            return Choice(Form.FLATTENED, "its section says so")
        return Choice(Form.PRESIGNED, "its section says flattened, and there are no LUA records")
    if setting == Form.PRESIGNED:
        if lua:
            return Choice(None, "the zone has LUA records, which cannot be signed beforehand")
        return Choice(Form.PRESIGNED, "its section says so")
    if powerdns:
        does = "runs LUA records and signs what they give" if lua else "signs the zone itself"
        return Choice(Form.LIVE, f"PowerDNS {does}")
    if setting == Form.LIVE:
        if lua:
            return Choice(None, f"the zone has LUA records, which {software} does not run")
        return Choice(Form.LIVE, "its section says so")
    if lua:
        return Choice(Form.FLATTENED, f"{software} does not run LUA records")
    return Choice(Form.PRESIGNED, f"{software} is not to have the keys of the zone")
