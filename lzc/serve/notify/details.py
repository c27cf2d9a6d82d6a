"""What is known of each zone at each secondary, for ``lzc ctl secondaries``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lzc.config import SecondarySection
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.notify.secondary import NotifiedSecondary
from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary
from lzc.serve.observe.zone_transfers import ZoneTable, ZoneTransfers
from lzc.wire import name as wire_name

SHOWN: Final = 200
"""Zones of a secondary that are listed, those with something wrong first."""


def details(
    secondaries: Secondaries,
    name: str | None,
    apex: bytes | None,
    expires: Mapping[str, int],
    now: float,
    loop_now: float,
) -> list[dict[str, Any]]:
    """What is known of those secondaries that have the name, or whose address it is, and of the
    zone alone where one is given. ``expires`` are the EXPIRE fields of zones by name, in seconds;
    ``now`` is in seconds since the epoch, ``loop_now`` the time of the event loop."""
    notified = {(one.section.name, one.section.address): one for one in secondaries.notified}
    told = secondaries.status()
    found = []
    for section, status in zip(secondaries.sections, told, strict=True):
        if name is not None and name not in (section.name, section.address):
            continue
        one = notified.get((section.name, section.address))
        table = secondaries.transfers.table_of(section)
        zones = [
            _zone(*each, expires, one, now, loop_now) for each in _zones(section, one, table, apex)
        ]
        zones.sort(key=_worst_first)
        found.append(
            {
                **{key: value for key, value in status.items() if key != "states"},
                "software": section.software,
                "tsig": section.tsig,
                "states": zones[:SHOWN],
                "left_out": max(0, len(zones) - SHOWN),
            }
        )
    return found


def _zones(
    section: SecondarySection, one: NotifiedSecondary | None, table: ZoneTable, apex: bytes | None
) -> Iterator[tuple[bytes, ZoneAtSecondary | None, ZoneTransfers | None]]:
    there = one.zones if one is not None else {}
    names = there.keys() if one is not None else table.zones.keys()
    for each in [apex] if apex is not None else list(names):
        if each in there or table.of(each) is not None:
            yield each, there.get(each), table.of(each)


def _zone(
    apex: bytes,
    there: ZoneAtSecondary | None,
    transfers: ZoneTransfers | None,
    expires: Mapping[str, int],
    one: NotifiedSecondary | None,
    now: float,
    loop_now: float,
) -> dict[str, Any]:
    name = wire_name.to_text(apex)
    found: dict[str, Any] = {"zone": name, "behind_for": None, "told": None, "expires_in": None}
    if there is not None and one is not None:
        silent = None if one.lost_since is None else loop_now - one.lost_since
        found |= there.status()
        if not there.current:
            found["behind_for"] = max(0.0, loop_now - there.since)
        if there.told is not None:
            found["told"] = now - (loop_now - there.told)
        without = max(found["behind_for"] or 0.0, silent or 0.0)
        expire = expires.get(name, 0)
        found["expires_in"] = expire - without if without and expire else None
    return found | (transfers or ZoneTransfers()).to_document(now)


def _worst_first(zone: dict[str, Any]) -> tuple[Any, ...]:
    left = zone["expires_in"]
    return (
        zone.get("current", True) and not zone["repeats"],
        left if left is not None else float("inf"),
        zone["zone"],
    )
