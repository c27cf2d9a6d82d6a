"""What a bundle says of how it came about: zones whose sources failed, and stayed as they were live
(``keep-last-good``), and of which older bundle it has the content (``lzc rollback``)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from lzc.bundle import manifest
from lzc.bundle.manifest import BundleError
from lzc.foreign_text import shown

log = logging.getLogger("lzc")

SHOWN: Final = 20
"""Zones that the log names."""


def kept_zones(folder: Path) -> dict[str, Any]:
    """For ``lzc ctl status``: how many zones of a bundle failed, and how many of these were left
    out; of each the name, why, and the ``serial`` that it kept, `None` where it was left out; and
    the id of the bundle that was rolled back to, or nothing."""
    try:
        inputs = manifest.read(folder)[0].inputs
    except BundleError:
        # Of a bundle that is served and gone.
        inputs = {}
    found = inputs.get(manifest.KEPT)
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    zones = [
        {
            "zone": str(one.get("zone", "")),
            "serial": one["serial"] if isinstance(one.get("serial"), int) else None,
            "why": str(one.get("why", "")),
        }
        for one in entries
    ]
    return {
        "count": len(zones),
        "left_out": sum(zone["serial"] is None for zone in zones),
        "zones": zones,
        "rollback": str(inputs.get(manifest.ROLLBACK, "")),
    }


def tell_kept(folder: Path) -> None:
    """Log what `kept_zones` has of a bundle that is served from now on, or again."""
    found = kept_zones(folder)
    if found["rollback"]:
        log.warning("bundle %s has the content of %s again", folder.name, shown(found["rollback"]))
    for one in found["zones"][:SHOWN]:
        log.warning("%s", line(one))
    if found["count"] > SHOWN:
        log.warning("ZONES FAILED: and %d more, kept or left out", found["count"] - SHOWN)


def line(one: dict[str, Any]) -> str:
    """One zone that failed, in one line."""
    name, why = shown(one["zone"]), shown(one["why"], 1000)
    if one["serial"] is None:
        return f"ZONE LEFT OUT {name}: its source failed, and it was not live: {why}"
    return f"ZONE KEPT {name} with serial {one['serial']}, as its source failed: {why}"
