"""What is wrong with the catalogs of a project."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from lzc.compiler.checks.secondary_settings import in_short
from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.faults import Fault, Place, Severity
from lzc.wire import name as wire_name


def check_catalogs(config: Config, file: ConfigFile, zones: Collection[str]) -> Iterator[Fault]:
    """Faults of catalogs; ``zones`` are the names of all zones with a source."""
    names = {name.rstrip(".").lower() for name in zones}
    seen: dict[bytes, str] = {}
    for name, section in config.catalog.items():
        place = file.place(f"[catalog.{json.dumps(name)}]", "[catalog.")
        apex = wire_name.from_text(name, wire_name.ROOT).lower()
        first = seen.setdefault(apex, name)
        if first != name:
            yield Fault(
                place,
                "catalog-twice",
                f"catalogs {first} and {name} are one zone",
                "names are compared without case and final dot",
                "keep one of them",
            )
            continue
        text = wire_name.to_text(apex).rstrip(".").lower()
        if text in names:
            yield Fault(
                place,
                "catalog-is-a-zone",
                f"catalog {name} has a source, as other zones have",
                "a catalog is made of nothing but the names of its members",
                "give the catalog another name, such as one below invalid, or remove the source",
            )
            continue
        members = sorted(one for one in zones if section.has(one))
        takers = [one for one in config.secondary if one.takes(text)]
        if not members:
            yield _warning(
                place,
                "catalog-empty",
                f"catalog {name} has no members",
                "who follows it has no zones, and removes those that came by it",
                "correct its zones",
            )
        if not takers:
            yield _warning(
                place,
                "catalog-untaken",
                f"no secondary takes catalog {name}",
                "it is refused to all who do not list it",
                f'list it in a [[secondary]]: zones = ["{text}", ...]',
            )
        for secondary in takers:
            others = [one.rstrip(".") for one in members if not secondary.takes(one)]
            if others:
                yield _warning(
                    file.place(f"name = {json.dumps(secondary.name)}", secondary.name),
                    "catalog-member-refused",
                    f"secondary {secondary.name} takes catalog {name}, but not all of its zones:"
                    f" {in_short(others)}",
                    "it makes them, asks for them again and again, and is refused",
                    "add them to its zones, or take them out of the catalog's",
                )
    for name, of_zone in config.zone.items():
        is_member = any(section.has(name) for section in config.catalog.values())
        if of_zone.catalog_group is not None and not is_member:
            yield _warning(
                file.place("catalog-group", f"[zone.{json.dumps(name)}]"),
                "catalog-group-unused",
                f"zone {name} has a catalog-group, but is in no catalog",
                "",
                "add it to one, or take catalog-group out",
            )


def _warning(place: Place, rule: str, message: str, why: str, fix: str) -> Fault:
    return Fault(place, rule, message, why, fix, Severity.WARNING)
