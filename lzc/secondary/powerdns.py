"""What PowerDNS is told to be a secondary: a script of ``pdnsutil``, and settings."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from lzc.compiler.checks.secondary_limits import EIGHT_BIT
from lzc.compiler.checks.secondary_settings import SETTINGS, SUBNETS
from lzc.config import Config, Form, SecondarySection, parse_endpoint
from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore import bindfile
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import Way
from lzc.dnssec.token.key import TokenKey
from lzc.faults import Fault, InputError, Place, Severity
from lzc.powerdns_versions import Version, parse_version, shown
from lzc.secondary.exported import ExportedFile, Provision, folder_name
from lzc.secondary.form import form_of
from lzc.secondary.primary import Primary, primary_of
from lzc.secondary.rendering import render
from lzc.secondary.tsig import TransferKey, key_of
from lzc.secondary.zones import ServedZone, Zones, by_catalog
from lzc.wire import name as wire_name

_RENAMED: Final[Version] = (5, 1)
_VERBS: Final = {
    "show-zone": "zone show",
    "create-secondary-zone": "zone create-secondary",
    "change-secondary-zone-primary": "zone change-primary",
    "set-kind": "zone set-kind",
    "set-meta": "metadata set",
    "set-nsec3": "zone set-nsec3",
    "unset-nsec3": "zone unset-nsec3",
    "rectify-zone": "zone rectify",
    "import-zone-key": "zone import-key",
    "activate-zone-key": "zone activate-key",
    "deactivate-zone-key": "zone deactivate-key",
    "publish-zone-key": "zone publish-key",
    "remove-zone-key": "zone remove-key",
    "list-tsig-keys": "tsigkey list",
    "import-tsig-key": "tsigkey import",
    "delete-tsig-key": "tsigkey delete",
    "list-autoprimaries": "autoprimary list",
    "add-autoprimary": "autoprimary add",
}
"""Verbs of ``pdnsutil``, and what they are called from `_RENAMED` on."""
PORT: Final = 53
"""The port that an autoprimary is asked at, whatever it notified from."""


def provision(
    config: Config,
    section: SecondarySection,
    zones: Zones,
    keystore: Keystore,
    now: float,
    *,
    secrets: bool,
) -> Provision:
    """The files for a PowerDNS secondary; with ``secrets``, TSIG secrets and private keys too.
    Raises `InputError`."""
    version = parse_version(section.software)
    assert version is not None
    primary = reached(config, section)
    taken, catalogs = zones.of_secondary(section), zones.catalogs_of(section)
    arriving = by_catalog(config, taken, catalogs)
    folder = folder_name(section.name)
    tsig = key_of(config, section)
    files: list[ExportedFile] = []
    warnings: list[Fault] = []
    of_zones = []
    for zone in taken:
        signing = list(_signing_keys(config, section, zone, keystore))
        warnings += [in_token(zone, key) for key in signing if isinstance(key.private, TokenKey)]
        signing = [key for key in signing if not isinstance(key.private, TokenKey)]
        arrives = bool(section.autoprimary) or zone.apex in arriving
        of_zones.append(_zone(config, section, zone, tsig, signing, now, arrives=arrives))
        if secrets:
            files += [
                ExportedFile(
                    f"{folder}/secrets/{_file_of(key)}", bindfile.format_private(key), secret=True
                )
                for key in signing
                if is_used(key, now)
            ]
    if secrets and tsig is not None:
        name = f"{folder}/secrets/{_tsig_file(tsig)}"
        files.append(ExportedFile(name, tsig.secret(config) + "\n", secret=True))
    values = {
        "secondary": section,
        "version": shown(version),
        "verb": partial(_verb, version),
        "primary": primary.bracketed,
        "tsig": [] if tsig is None else [_tsig(tsig)],
        "secrets": tsig is not None or any(one["signing"] for one in of_zones),
        "autoprimary": autoprimary_of(config, section, primary, warnings),
        "catalogs": [
            {"name": one.name, "tsig": None if tsig is None else powerdns_text(tsig.wire)}
            for one in catalogs
        ],
        "zones": of_zones,
    }
    files.insert(0, ExportedFile(f"{folder}/powerdns.sh", render(config, "powerdns.sh", values)))
    values |= _settings(config, section, version, taken)
    files.insert(1, ExportedFile(f"{folder}/pdns.conf", render(config, "pdns.conf", values)))
    return Provision(files, warnings)


def reached(config: Config, section: SecondarySection) -> Primary:
    """The address that a secondary asks for zones. Raises `InputError` where that has to be over
    TLS, or none is known."""
    primary = primary_of(config, section)
    if primary.tls:
        raise InputError.at(
            Place(str(config.file)),
            "secondary-without-tls",
            f"secondary {section.name} is to transfer over TLS alone, which PowerDNS cannot",
            "no transfer would get through",
            "take require-tls, tls-pins and tls-name from its section, or put a tunnel between",
        )
    return primary


def powerdns_text(wire: bytes, *, lower: bool = True) -> str:
    """A name as PowerDNS writes it, in lower case unless told otherwise, and without final dot."""
    labels = wire_name.labels_of(wire.lower() if lower else wire)
    return ".".join(map(powerdns_label, labels)) or "."


def powerdns_label(label: bytes) -> str:
    """A label as PowerDNS writes it."""
    return "".join(map(_character, label))


def _character(octet: int) -> str:
    if octet in b".\\":
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 < octet < 0x7F else f"\\{octet:03d}"


def _verb(version: Version, verb: str) -> str:
    return _VERBS[verb] if version >= _RENAMED else verb


def _tsig(key: TransferKey) -> dict[str, str]:
    name = powerdns_text(key.wire)
    return {"name": name, "algorithm": key.algorithm, "file": _tsig_file(key)}


def _tsig_file(key: TransferKey) -> str:
    return f"{folder_name(key.name)}.tsig"


def _signing_keys(
    config: Config, section: SecondarySection, zone: ServedZone, keystore: Keystore
) -> Iterator[SigningKey]:
    if zone.signed and form_of(section, zone) is Form.LIVE:
        yield from keystore.load(zone.apex)


def is_used(key: SigningKey, now: float) -> bool:
    """Whether it is published; PowerDNS knows no revoked keys."""
    return key.timing.is_published(now) and not key.at(now).is_revoked


def _file_of(key: SigningKey) -> str:
    return f"{bindfile.base_name(key.zone, key.algorithm, key.tag)}.private"


def _zone(
    config: Config,
    section: SecondarySection,
    zone: ServedZone,
    tsig: TransferKey | None,
    signing: list[SigningKey],
    now: float,
    *,
    arrives: bool,
) -> dict[str, Any]:
    live = form_of(section, zone) is Form.LIVE
    signed = zone.signed or zone.presigned
    sync = config.sync_records(zone.name) if zone.signed and live else None
    digests = "" if sync is None or not sync.digests else ",".join(map(str, sync.digests))
    return {
        "name": zone.name,
        "arrives": arrives,
        "tsig": None if tsig is None else powerdns_text(tsig.wire),
        "lua": zone.lua and live,
        "live": live and not zone.presigned,
        "signed": signed,
        "denial": zone.denial.parameters if zone.signed and zone.denial.is_hashed else "",
        "narrow": zone.denial.way is Way.NARROW,
        "cds": "0" if sync is not None and sync.delete and digests else digests,
        "cdnskey": "" if sync is None or not sync.cdnskey else "0" if sync.delete else "1",
        "signing": [_key(key, now) for key in signing],
    }


def _key(key: SigningKey, now: float) -> dict[str, Any]:
    flags, public = int.from_bytes(key.dnskey[:2], "big"), base64.b64encode(key.dnskey[4:])
    return {
        "dnskey": f"{flags} {key.dnskey[2]} {key.dnskey[3]} {public.decode()}",
        "published": is_used(key, now),
        "file": _file_of(key),
        "kind": "ksk" if key.is_sep else "zsk",
        "state": "active" if key.timing.is_active(now) else "inactive",
    }


def autoprimary_of(
    config: Config, section: SecondarySection, primary: Primary, warnings: list[Fault]
) -> Mapping[str, Any] | None:
    """The address and the names of NS records that make zones there, if any; a warning where they
    cannot be transferred."""
    if not section.autoprimary:
        return None
    names = [powerdns_text(wire_name.from_text(one, wire_name.ROOT)) for one in section.autoprimary]
    if primary.port != PORT:
        warnings.append(
            Fault(
                Place(str(config.file)),
                "autoprimary-port",
                f"secondary {section.name} asks its autoprimary at port {PORT}, and lzc listens to"
                f" {primary.bracketed}",
                "zones that it makes by itself would never be transferred",
                f"listen to port {PORT}, or use a catalog",
                Severity.WARNING,
            )
        )
    return {"address": primary.address, "names": names}


def _settings(
    config: Config, section: SecondarySection, version: Version, zones: list[ServedZone]
) -> dict[str, Any]:
    """The settings that its zones need, with those of which only the operator knows the value."""
    live = [one for one in zones if form_of(section, one) is Form.LIVE]
    needed = {name for one in live for name in one.needs}
    needed |= {EIGHT_BIT for one in zones if EIGHT_BIT in one.needs}
    if not config.serve.edns_client_subnet:
        needed.discard(SUBNETS.name)
    return {
        "lua": any(one.lua for one in live),
        "needed": [one.name for one in SETTINGS if one.name in needed and version >= one.since],
        "unusual": EIGHT_BIT in needed,
        "geo_files": [file.name for file in config.geo_files],
        "exec_limit": section.exec_limit,
        "health_interval": config.lua.health_check_interval,
        "consumes": bool(config.catalog),
        "port": parse_endpoint(section.address)[1],
    }


def in_token(zone: ServedZone, key: SigningKey) -> Fault:
    """The warning about a key that cannot be written."""
    return Fault(
        Place(str(key.private)),
        "key-in-token",
        f"the private key of {zone.name} {key.tag} lies in a token, and stays there",
        "PowerDNS signs the zone without it, if it has another one",
        "give the zone a key of the keystore, or have that secondary serve others",
        Severity.WARNING,
    )
