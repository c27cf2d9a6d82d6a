"""Which zones a project has, and where each comes from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from lzc.compiler.inputs import globs
from lzc.compiler.inputs.denial import denial_of
from lzc.config import Config, ZoneSection
from lzc.dnssec.signing.denial import NSEC_CHAIN
from lzc.faults import Fault, Place
from lzc.powerdns_versions import LATEST, Version
from lzc.wire import name as wire_name
from lzc.zone.serial import Policy

SUFFIX = ".zone"

_USUAL = ("", ZoneSection())


@dataclass(frozen=True, slots=True)
class ZoneSource:
    """A zone to build: its apex (lower-case wire name), its file, the file's name as faults show
    it (relative to the project), and its settings with the general ones filled in.
    ``strip``: what another signer added is dropped. ``powerdns`` is the version whose answers LUA
    records give, and with ``blanks`` such stand between the strings of each; ``as_powerdns``: the
    file is read as PowerDNS reads it. ``denial`` is the text of a
    `lzc.dnssec.signing.denial.Denial`. ``signed``: lzc signs the zone; ``presigned``: its file has
    the signatures."""

    apex: bytes
    path: Path
    shown_as: str
    signed: bool
    lua: bool
    policy: Policy
    strip: bool = False
    powerdns: Version = LATEST
    blanks: bool = False
    as_powerdns: bool = False
    denial: str = str(NSEC_CHAIN)
    presigned: bool = False

    @property
    def name(self) -> str:
        """The apex in presentation format, with its final dot."""
        return wire_name.to_text(self.apex)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The text of ``lzc.toml``, to point at the line that a fault is about."""

    shown_as: str = "lzc.toml"
    text: str = ""

    @classmethod
    def of(cls, config: Config, path: Path | None) -> ConfigFile:
        """The configuration's file; without a path, ``lzc.toml`` in the project's folder."""
        file = path if path is not None else config.folder / "lzc.toml"
        try:
            return cls(str(path or "lzc.toml"), file.read_text())
        except (OSError, UnicodeDecodeError):
            return cls(str(path or "lzc.toml"))

    def place(self, *needles: str) -> Place:
        """The first line with one of the words, the first word counting most."""
        lines = self.text.splitlines()
        for needle in needles:
            for number, line in enumerate(lines, 1):
                if needle in line and not line.lstrip().startswith("#"):
                    return Place(self.shown_as, number, line.index(needle) + 1)
        return Place(self.shown_as, 1, 1)


NO_ZONE = b""
"""In place of an apex, for a file whose name gives none."""


def find(
    config: Config, file: ConfigFile, of_zones: dict[bytes, list[Fault]] | None = None
) -> tuple[list[ZoneSource], list[Fault]]:
    """The zones of a project, ordered by the octets of their apex, and what is wrong with the way
    they are named. A file that a ``[zone]`` section claims is not found by the globs again. What is
    wrong with a single zone goes into ``of_zones``, where that is given, by its apex."""
    faults: list[Fault] = []

    def of_zone(apex: bytes, fault: Fault) -> None:
        into = faults if of_zones is None else of_zones.setdefault(apex, [])
        into.append(fault)

    sections = _sections(config, file, faults)
    found: dict[bytes, Path] = {}
    claimed: set[Path] = set()
    for apex, (name, section) in sections.items():
        if section.source is None:
            continue
        path = config.path(section.source)
        if path.is_file():
            found[apex] = path
            claimed.add(path.resolve())
        else:
            of_zone(
                apex,
                Fault(
                    file.place(f'"{section.source}"', section.source),
                    "source-missing",
                    f"zone {name}: {section.source} is not a file",
                    fix="correct source, or create the file",
                ),
            )
    given = set(found)
    for path in _matches(config, file, faults):
        if claimed and path.resolve() in claimed:
            continue
        named = _zone_of(config, path)
        if isinstance(named, Fault):
            of_zone(NO_ZONE, named)
        elif named not in found:
            found[named] = path
        elif named not in given and path.resolve() != found[named].resolve():
            of_zone(named, _duplicate(config, named, found[named], path))
    for apex, (name, section) in sections.items():
        if apex not in found and not section.source:
            of_zone(
                apex,
                Fault(
                    file.place(f'[zone."{name}"]', name),
                    "zone-unknown",
                    f"there are settings for zone {name}, but no source",
                    why="a misspelt name would leave the zone without its settings, such as DNSSEC",
                    fix="correct the name, or give it source = ...",
                ),
            )
    if not found and not faults and not of_zones:
        faults.append(
            Fault(
                file.place("sources", "[build]"),
                "no-zones",
                "the project has no zones",
                fix='name zone files: sources = ["zones/*.zone"] in [build]',
            )
        )
    zones = [
        _with_settings(config, apex, path, sections.get(apex, _USUAL)[1])
        for apex, path in sorted(found.items())
    ]
    return zones, faults


def _sections(
    config: Config, file: ConfigFile, faults: list[Fault]
) -> dict[bytes, tuple[str, ZoneSection]]:
    sections: dict[bytes, tuple[str, ZoneSection]] = {}
    for name, section in config.zone.items():
        apex = wire_name.from_text(name, wire_name.ROOT).lower()
        if apex in sections:
            faults.append(
                Fault(
                    file.place(f'[zone."{name}"]', name),
                    "zone-twice",
                    f"zone {name} has two sections: {sections[apex][0]} and {name}",
                    fix="keep one of them",
                )
            )
            continue
        sections[apex] = (name, section)
    return sections


def _matches(config: Config, file: ConfigFile, faults: list[Fault]) -> list[Path]:
    paths: list[Path] = []
    for pattern in config.build.sources:
        matches = sorted(globs.matches(config.folder, pattern))
        files = [path for path in map(config.path, matches) if path.is_file()]
        if not files:
            faults.append(
                Fault(
                    file.place(json.dumps(pattern, ensure_ascii=False), pattern, "sources"),
                    "source-missing",
                    f"{pattern} matches no file in {config.folder}",
                    fix="correct the pattern, or take it out of sources",
                )
            )
        paths.extend(files)
    # Patterns may overlap.
    return list(dict.fromkeys(paths))


def fingerprint(config: Config) -> bytes:
    """A hash of all that `find` goes by, but for what the paths lead to."""
    found = [sorted(globs.matches(config.folder, pattern)) for pattern in config.build.sources]
    parts = [config.build, config.lua, config.zone, config.secondary, config.dnssec, config.catalog]
    digest = hashlib.sha256(repr((str(config.folder), parts)).encode())
    digest.update(os.fsencode("\0\0".join("\0".join(one) for one in found)))
    return digest.digest()


def _zone_of(config: Config, path: Path) -> bytes | Fault:
    text = path.name.removesuffix(SUFFIX)
    try:
        return wire_name.from_text(text, wire_name.ROOT).lower()
    except wire_name.InvalidName as error:
        return Fault(
            Place(shown(config, path)),
            "zone-name",
            f"the file's name gives no zone name: {error}",
            fix="rename the file to ZONE.zone, or name it in a [zone] section: source = ...",
        )


def is_named_by(apex: bytes, path: str) -> bool:
    """Whether a file gives the zone with this apex its name, rather than a section of its own."""
    try:
        text = path.rpartition("/")[2].removesuffix(SUFFIX)
        return wire_name.from_text(text, wire_name.ROOT).lower() == apex
    except wire_name.InvalidName:
        return False


def _duplicate(config: Config, apex: bytes, first: Path, second: Path) -> Fault:
    return Fault(
        Place(shown(config, second)),
        "zone-twice",
        f"zone {wire_name.to_text(apex)} is in {shown(config, first)} already",
        why="which of the two is served would depend on chance",
        fix="rename or remove one of the files",
    )


def _with_settings(config: Config, apex: bytes, path: Path, section: ZoneSection) -> ZoneSource:
    name = wire_name.to_text(apex)
    presigned = section.dnssec == "presigned"
    return ZoneSource(
        apex=apex,
        path=path,
        shown_as=shown(config, path),
        signed=section.dnssec is True,
        lua=config.lua.enable if section.lua is None else section.lua,
        # Its SOA is signed as it is.
        policy="keep" if presigned else section.serial or config.build.serial,
        strip=section.strip_dnssec,
        powerdns=config.powerdns(name),
        blanks=config.blanks(name),
        as_powerdns=config.build.dialect == "powerdns",
        denial=str(denial_of(config, name) if section.dnssec is True else NSEC_CHAIN),
        presigned=presigned,
    )


def shown(config: Config, path: Path) -> str:
    """A path as faults show it: relative to the project where it lies inside."""
    return str(path).removeprefix(f"{config.folder}/")
