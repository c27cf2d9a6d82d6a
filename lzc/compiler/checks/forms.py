"""In which form the secondaries of a project get its zones, and what of that cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import NamedTuple

from lzc.compiler.checks.secondary_settings import in_short
from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Choice, Config, Form, SecondarySection, View, parse_endpoint
from lzc.config.faults import locate
from lzc.faults import Fault, Place, Severity


class ZoneFacts(NamedTuple):
    """Whether a zone has LUA records, be they run or not, and whether lzc signs it."""

    lua: bool
    signed: bool


def check_forms(
    config: Config, file: ConfigFile, zones: Mapping[str, ZoneFacts]
) -> Iterator[Fault]:
    """What is wrong with the forms of secondaries, given the zones by name that have more than
    one."""
    for index, section in enumerate(config.secondary):
        taken = {
            name: section.choice(lua=facts.lua, signed=facts.signed)
            for name, facts in zones.items()
            if section.takes(name)
        }
        place = locate(file.shown_as, file.text, ("secondary", index, "form"))
        none = [name for name, choice in taken.items() if choice.form is None]
        if none:
            yield _impossible(section, place, none, taken[none[0]])
        bare = [name for name in taken if zones[name].signed and _is_bare(section, taken[name])]
        if bare:
            yield Fault(
                place,
                "secondary-cannot-sign",
                f"secondary {section.name} ({section.software}) gets signed zones without their"
                f" signatures: {in_short(bare)}",
                why="it would serve them so, which is bogus below a DS",
                fix='leave out form = "live": it gets them signed then',
                severity=Severity.WARNING,
            )
    yield from _contradicting(config, file, zones)


def chosen_forms(config: Config, zones: Mapping[str, ZoneFacts]) -> list[str]:
    """What secondaries get that is not the zone as it is, a line for each secondary, form and
    reason."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for section in config.secondary:
        for name, facts in zones.items():
            if section.takes(name):
                choice = section.choice(lua=facts.lua, signed=facts.signed)
                if choice.form is not None and choice.is_published:
                    which = section.name, section.software, str(choice.form), choice.why
                    found.setdefault(which, []).append(name)
    return [
        f"secondary {name} ({software}) gets {form}: {in_short(names)}, as {why}"
        for (name, software, form, why), names in found.items()
    ]


def _is_bare(section: SecondarySection, choice: Choice) -> bool:
    return choice.form is Form.LIVE and not section.software.startswith("powerdns-")


def _impossible(section: SecondarySection, place: Place, names: list[str], choice: Choice) -> Fault:
    return Fault(
        place,
        "secondary-form",
        f'secondary {section.name} ({section.software}) cannot have form = "{section.form}" of'
        f" {in_short(names)}: {choice.why}",
        "LUA records are code, with addresses and URLs in it, and leave for PowerDNS alone",
        'take form = "auto" or "flattened", or take the zones off its list',
    )


def _contradicting(
    config: Config, file: ConfigFile, zones: Mapping[str, ZoneFacts]
) -> Iterator[Fault]:
    """Two sections that one client may be, and that get different forms of a zone."""
    for (before, first), (index, second) in combinations(enumerate(config.secondary), 2):
        if _key(first) != _key(second) or not _overlap(first, second):
            continue
        for name, facts in zones.items():
            if not (first.takes(name) and second.takes(name)):
                continue
            here, there = _form(first, facts), _form(second, facts)
            if here != there and here[0] is not None and there[0] is not None:
                where = locate(file.shown_as, file.text, ("secondary", before, "name"))
                yield Fault(
                    locate(file.shown_as, file.text, ("secondary", index, "form")),
                    "secondary-forms",
                    f"secondary {second.name} gets zone {name} {_words(there)}, and {first.name}"
                    f" ({where}) {_words(here)}, with the same key from the same address",
                    "which of them asks could not be told",
                    "give one of them a TSIG key of its own",
                )
                break


def _form(section: SecondarySection, facts: ZoneFacts) -> tuple[Form | None, View]:
    form = section.choice(lua=facts.lua, signed=facts.signed).form
    return form, section.view if form is Form.FLATTENED else View()


def _words(given: tuple[Form | None, View]) -> str:
    form, view = given
    if form is Form.FLATTENED:
        return f"flattened for {view.client} (health: {view.health})"
    return str(form)


def _key(section: SecondarySection) -> str | None:
    return None if section.tsig is None else section.tsig.rstrip(".").lower()


def _overlap(first: SecondarySection, second: SecondarySection) -> bool:
    return any(
        here.version == there.version and here.overlaps(there)
        for here in _networks(first)
        for there in _networks(second)
    )


def _networks(section: SecondarySection) -> list[IPv4Network | IPv6Network]:
    texts = section.allow_from
    if texts is None:
        texts = [parse_endpoint(section.address)[0]]
    return [ip_network(text) for text in texts]
