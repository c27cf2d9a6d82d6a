"""The catalogs of a project: zones without a source, made of the names of others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from lzc.bundle.writer import CompiledZone
from lzc.compiler import serials
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import CATALOG, POLICY, BuiltZone, Settings
from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import CatalogSection, Config
from lzc.dnssec.signing.denial import NSEC_CHAIN
from lzc.faults import Fault, FaultList, Place
from lzc.forms.catalog import catalog_zone
from lzc.image.compile import compile_zone
from lzc.powerdns_versions import LATEST
from lzc.wire import name as wire_name
from lzc.wire.name import to_text
from lzc.zone.serial import Policy


def add_catalogs(
    config: Config,
    file: ConfigFile,
    live: LiveBundle,
    now: float,
    known: dict[bytes, BuiltZone],
    made: dict[bytes, CompiledZone],
    found: FaultList,
    stated: Mapping[bytes, int],
) -> None:
    """Put the catalogs among the zones that are ``known``, in their order, and those that changed
    among the ones ``made``; what is wrong with them goes to ``found``. ``stated`` are serials that
    zones are to have."""
    sections = {
        wire_name.from_text(name, wire_name.ROOT).lower(): (name, section)
        for name, section in config.catalog.items()
    }
    before = {apex for apex, one in known.items() if one.settings[-1:] == (CATALOG,)}
    for apex in before:
        del known[apex]
    if not sections:
        return
    from lzc.compiler.checks.catalogs import check_catalogs

    names = {apex: to_text(apex) for apex in known}
    found.add(check_catalogs(config, file, list(names.values())))
    fresh: dict[bytes, BuiltZone] = {}
    for apex, (name, section) in sections.items():
        if apex in known:
            continue
        members = _members(config, section, names)
        settings = _settings(config, file, members)
        last = live.built(apex)
        if last is not None and last.settings == settings and apex not in stated:
            fresh[apex] = last
            continue
        compiled = _compile(live, apex, members, settings, now, stated.get(apex))
        if isinstance(compiled, Fault):
            found.add([replace(compiled, place=file.place(f"[catalog.{json.dumps(name)}]"))])
            continue
        made[apex] = compiled
        digest = bytes.fromhex(compiled.info.digest)
        fresh[apex] = BuiltZone(settings, [], digest, compiled.info.records)
    together = sorted((known | fresh).items())
    known.clear()
    known.update(together)


def _members(
    config: Config, section: CatalogSection, names: Mapping[bytes, str]
) -> dict[bytes, str]:
    groups = {
        wire_name.from_text(name, wire_name.ROOT).lower(): zone.catalog_group
        for name, zone in config.zone.items()
        if zone.catalog_group is not None
    }
    every = "*" in section.zones
    return {
        apex: groups.get(apex) or "" for apex, name in names.items() if every or section.has(name)
    }


def _settings(config: Config, file: ConfigFile, members: Mapping[bytes, str]) -> Settings:
    """What decides about a catalog, in the shape of what decides about a zone."""
    policy: Policy = config.build.serial
    if policy == "keep":
        # There is no source whose serial could be kept.
        policy = "increment"
    digest = hashlib.sha256(repr(sorted(members.items())).encode()).digest()
    source = ("", file.shown_as, False, False, policy, False, LATEST, False, False)
    return (*source, str(NSEC_CHAIN), False, digest, CATALOG)


def _compile(
    live: LiveBundle,
    apex: bytes,
    members: Mapping[bytes, str],
    settings: Settings,
    now: float,
    stated: int | None,
) -> CompiledZone | Fault:
    draft = compile_zone(catalog_zone(apex, members), 0, signed=False, lua=False)
    if draft.faults:
        return draft.faults[0]
    last = live.serials.get(apex)
    try:
        serial = serials.choose(
            settings[POLICY],
            draft.info.serial,
            last,
            draft.info.digest,
            now,
            lost=last is None and live.lost,
            zone=to_text(apex).rstrip("."),
            moving=live.serials.move(apex) is not None,
            stated=stated,
        )
    except serials.SerialProblem as problem:
        return Fault(Place(""), problem.rule, problem.message, problem.why, problem.fix)
    made = draft.finish(serial)
    return replace(made, info=replace(made.info, catalog=True))
