"""Zones that are served as they were, as their sources failed, for people."""

from __future__ import annotations

from typing import Any

from lzc.foreign_text import shown

_SHOWN = 20


def kept_lines(answer: dict[str, Any]) -> list[str]:
    """A line for each zone, and for a rollback, in what ``lzc ctl status`` shows."""
    found = answer["kept"]
    lines = []
    if found["rollback"]:
        lines.append(f"ROLLBACK    this bundle has the content of {shown(found['rollback'])} again")
    for one in found["zones"][:_SHOWN]:
        name, why = shown(one["zone"]), shown(one["why"], 1000)
        if one["serial"] is None:
            lines.append(f"LEFT OUT    {name}, whose source failed, and which was not live: {why}")
        else:
            lines.append(f"KEPT        {name} with serial {one['serial']}: {why}")
    if found["count"] > _SHOWN:
        more = found["count"] - _SHOWN
        lines.append(f"            and {more} more zones, whose sources failed, too")
    return lines
