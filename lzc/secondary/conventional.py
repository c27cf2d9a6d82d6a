"""What BIND, NSD and Knot DNS are told to be secondaries: their configuration."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from lzc.compiler.checks.secondary_limits import MANY_RECORDS, MANY_TYPES
from lzc.config import Config, SecondarySection
from lzc.config.tls_material import Shown, TlsMaterial, read_material
from lzc.faults import Fault, InputError, Place, Severity
from lzc.powerdns_versions import Version, version_of
from lzc.secondary.exported import ExportedFile, Provision, folder_name
from lzc.secondary.form import form_of
from lzc.secondary.primary import primary_of
from lzc.secondary.rendering import render
from lzc.secondary.tsig import key_of
from lzc.secondary.zones import ServedZone, Zones, by_catalog
from lzc.wire import name as wire_name

CERTIFICATE: Final = "lzc-primary.pem"
_LONGEST: Final = 200
"""Characters of the name of a zone's file."""


@dataclass(frozen=True, slots=True)
class _Software:
    """A server: what it is called, its files as templates are called, those of them that are
    needed for catalogs alone, and the first versions that know TLS, catalogs, and a limit of
    records that is to be lifted (`None`: there is none)."""

    title: str
    files: tuple[str, ...]
    for_catalogs: tuple[str, ...]
    tls: Version
    catalogs: Version
    limits: Version | None = None


SOFTWARE: Final = {
    "bind": _Software("BIND", ("named.conf",), ("named-options.conf",), (9, 18), (9, 18), (9, 18)),
    "nsd": _Software("NSD", ("nsd.conf",), (), (4, 6), (4, 9)),
    "knot": _Software("Knot DNS", ("knot.conf",), (), (3, 3), (3, 0)),
}


@dataclass(frozen=True, slots=True)
class _Tls:
    """How the certificate of this server is known: its first name, its pin, and whether the file
    that is written holds all that is needed to trust it."""

    name: str
    pin: str
    file: str
    shows: bool


def provision(
    config: Config, section: SecondarySection, zones: Zones, *, secrets: bool
) -> Provision:
    """The files for a secondary that runs one of `SOFTWARE`; with ``secrets``, with the secret of
    its TSIG key. Raises `InputError`."""
    software = SOFTWARE[section.product]
    _, _, number = section.software.partition("-")
    version = version_of(number) if number else None
    primary = primary_of(config, section)
    folder = folder_name(section.name)
    files: list[ExportedFile] = []
    tls = None
    if primary.tls:
        if version is not None and version < software.tls:
            raise _too_old(config, section, "transfers over TLS")
        material, shown = read_material(config)
        tls = _tls(config, section, material, shown)
        if tls.file:
            files.append(ExportedFile(f"{folder}/{CERTIFICATE}", material.chain.decode()))
    taken, catalogs = zones.of_secondary(section), zones.catalogs_of(section)
    warnings: list[Fault] = []
    if catalogs and version is not None and version < software.catalogs:
        warnings.append(_no_catalogs(config, section))
        catalogs = []
    arriving = by_catalog(config, taken, catalogs)
    tsig = key_of(config, section)
    values: dict[str, Any] = {
        "secondary": section,
        "folder": folder,
        "primary": primary,
        "tls": tls,
        "tsig": None
        if tsig is None
        else {
            "name": f"{tsig.name}.",
            "algorithm": tsig.algorithm,
            "secret": tsig.secret(config) if secrets else None,
            "where": tsig.where,
        },
        "catalogs": [_zone(section, one, version) for one in catalogs],
        "zones": [_zone(section, one, version) for one in taken if one.apex not in arriving],
        "members": [_zone(section, one, version) for one in taken if one.apex in arriving],
        "many_records": any(MANY_RECORDS in one.needs for one in taken),
        "many_types": any(MANY_TYPES in one.needs for one in taken),
    }
    for name in (*software.files, *(software.for_catalogs if catalogs else ())):
        secret = secrets and tsig is not None and name in software.files
        text = render(config, name, values)
        files.append(ExportedFile(f"{folder}/{name}", text, secret=secret))
    return Provision(files, warnings)


def _zone(section: SecondarySection, zone: ServedZone, version: Version | None) -> dict[str, Any]:
    limits = SOFTWARE[section.product].limits
    lifts = limits is not None and (version is None or version >= limits)
    return {
        "name": zone.name if zone.name == "." else f"{zone.name}.",
        "file": file_name(zone.apex),
        "form": form_of(section, zone),
        "many_records": lifts and MANY_RECORDS in zone.needs,
        "many_types": lifts and MANY_TYPES in zone.needs,
    }


def file_name(apex: bytes) -> str:
    """The name of the file that a secondary keeps a zone in."""
    name = folder_name(wire_name.to_text(apex).rstrip(".") or "root")
    if len(name) > _LONGEST:
        name = hashlib.sha256(apex).hexdigest()
    return f"{name}.db"


def _tls(config: Config, section: SecondarySection, material: TlsMaterial, shown: Shown) -> _Tls:
    certificates = material.certificates()
    is_anchor = certificates[-1].subject == certificates[-1].issuer
    if section.product == "nsd" and not shown.names:
        raise InputError.at(
            Place(str(config.path(config.serve.tls_certificate_file or ""))),
            "tls-certificate-nameless",
            "the certificate has no name (subjectAltName)",
            f"NSD, which secondary {section.name} runs, knows servers by that",
            "make one with subjectAltName=DNS:NAME",
        )
    name = shown.names[0] if shown.names else ""
    return _Tls(name, shown.pin, CERTIFICATE if is_anchor else "", section.shows_certificate)


def _too_old(config: Config, section: SecondarySection, what: str) -> InputError:
    return InputError.at(
        Place(str(config.file)),
        "secondary-too-old",
        f"secondary {section.name} ({section.software}) has no {what}",
        fix="take a newer version there, or take from its section what asks for that",
    )


def _no_catalogs(config: Config, section: SecondarySection) -> Fault:
    return Fault(
        Place(str(config.file)),
        "secondary-without-catalogs",
        f"secondary {section.name} ({section.software}) knows no catalogs",
        "it is told of each zone by itself, and of new ones by another export",
        "take the catalog off its zones, or take a newer version there",
        Severity.WARNING,
    )
