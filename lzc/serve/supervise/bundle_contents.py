"""What metrics say of the content of a bundle: its zones, its checks, and which records depend on
which. A child of the supervisor reads it, as it does whatever is in a bundle's stores."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lzc.bundle import check_list, node
from lzc.bundle.manifest import CHECKS, BundleError
from lzc.bundle.reader import Bundle, ZoneView
from lzc.contained import Begin, Ended, run_contained
from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.lua.plan import checks_in, plan_key
from lzc.powerdns_versions import version_of
from lzc.serve.health.outcome import without_password
from lzc.serve.observe.seen import CheckSeen, RecordSeen, ZoneSeen
from lzc.serve.supervise.kept_zones import kept_zones
from lzc.serve.transport.sockets import show_endpoint
from lzc.wire import name as wire_name
from lzc.wire import rrtype

log = logging.getLogger("lzc")

MOST_RECORDS: Final = 20_000
"""LUA records whose targets are looked at, at most."""
_ID: Final = 8
_SECONDS: Final = 10.0
"""Seconds of CPU time that this may take, besides those for the size of the bundle."""
_OCTETS_A_SECOND: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class BundleContents:
    """Of the bundle in ``folder``; of zones whose source failed, so many were ``kept`` and
    ``left_out``."""

    folder: Path | None = None
    zones: tuple[ZoneSeen, ...] = ()
    checks: tuple[CheckSeen, ...] = ()
    records: tuple[RecordSeen, ...] = ()
    kept: int = 0
    left_out: int = 0


def contents_of(
    folder: Path, stamps: Path, checks: tuple[CheckSeen, ...] | None = None
) -> BundleContents:
    """Read a verified bundle; what cannot be read is left out, and logged. ``checks`` are those
    that `checks_of` gave of it before. Takes a while: call it in a thread."""
    zones, records = _read(folder, stamps)
    if checks is None:
        checks = checks_of(folder)
    failed = kept_zones(folder)
    out = failed["left_out"]
    return BundleContents(folder, tuple(zones), checks, tuple(records), failed["count"] - out, out)


def checks_of(folder: Path) -> tuple[CheckSeen, ...]:
    """The checks of a bundle, of which nothing is known yet; none, which is logged, where their
    list cannot be read. Takes a while: call it in a thread."""
    try:
        checks = check_list.read(folder / CHECKS).checks
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.error("metrics of checks: those of the bundle cannot be read: %s", shown(error))
        return ()
    return tuple(map(_seen, checks))


def _read(folder: Path, stamps: Path) -> tuple[list[ZoneSeen], list[RecordSeen]]:
    def look(begin: Begin) -> tuple[list[ZoneSeen], list[RecordSeen]]:
        zones: list[ZoneSeen] = []
        records: list[RecordSeen] = []
        with Bundle.open(folder, verified_dir=stamps) as bundle:
            for number, info in enumerate(bundle.zones()):
                begin(number)
                view = bundle.zone(info.apex)
                assert view is not None, "it was listed"
                name = wire_name.to_text(info.apex)
                expire = _expire(view)
                zones.append(
                    ZoneSeen(name, info.serial, info.signed, info.lua, expire, info.records)
                )
                if info.lua and len(records) < MOST_RECORDS:
                    records += _records(bundle, view, name)
        return zones, records[:MOST_RECORDS]

    try:
        octets = sum(entry.stat().st_size for entry in os.scandir(folder))
        seconds = _SECONDS + octets / _OCTETS_A_SECOND
        return run_contained(look, seconds=seconds, memory=octets)
    except (BundleError, Ended, OSError, MemoryError, ValueError) as error:
        log.error("metrics of zones: bundle %s cannot be read: %s", folder.name, shown(error))
        return [], []


def _expire(view: ZoneView) -> int:
    """The EXPIRE field of the zone's SOA record (RFC 1035 §3.3.13), seconds."""
    apex = view.node(b"")
    found = node.rrset(apex, view.apex, rrtype.SOA) if apex is not None else None
    return int.from_bytes(found.rdatas[0][-8:-4], "big") if found is not None else 0


def _records(bundle: Bundle, view: ZoneView, zone: str) -> Iterator[RecordSeen]:
    """The LUA records of a zone whose plan asks about checks."""
    info = view.info
    version = version_of(info.powerdns)
    for key, octets in view.nodes():
        if not octets[0] & node.HAS_LUA:
            continue
        owner = wire_name.to_text(wire_name.relative_of_key(key) + view.apex)
        for record in node.lua_records(octets):
            code = record.join(info.blanks)
            plan = bundle.plan(plan_key(code, record.covered, view.apex, version, 0))
            checks = checks_in(plan) if plan is not None else ()
            if checks:
                keys = tuple(sorted(check.key() for check in checks))
                yield RecordSeen(zone, owner, rrtype.to_text(record.covered), keys)


def _seen(check: Check) -> CheckSeen:
    key = check.key()
    return CheckSeen(
        key.hex()[:_ID],
        _target(check),
        without_password(check.url),
        None,
        0.0,
        0.0,
        0,
        key=key,
        interval=max(0, check.interval),
    )


def _target(check: Check) -> str:
    host, port = check.endpoint()
    with suppress(ValueError):
        return show_endpoint(host, port) if port is not None else host
    return host
