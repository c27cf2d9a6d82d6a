"""The state that a secondary is to have, or a PowerDNS whose zones come by SQL alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from lzc.bundle.reader import Bundle
from lzc.config import Config, SecondarySection
from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore import bindfile
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import Way
from lzc.dnssec.token.key import TokenKey
from lzc.faults import Fault, InputError, Place
from lzc.secondary import powerdns
from lzc.secondary.powerdns import powerdns_text
from lzc.secondary.sql import records
from lzc.secondary.sql.state import Autoprimary, Domain, Key, State, TsigSecret
from lzc.secondary.tsig import TransferKey, key_of
from lzc.secondary.zones import ServedZone, Zones, by_catalog

_TSIG: Final = "AXFR-MASTER-TSIG"


def of_secondary(
    config: Config,
    section: SecondarySection,
    zones: Zones,
    keystore: Keystore,
    now: float,
    *,
    secrets: bool,
) -> tuple[State, list[Fault]]:
    """What a secondary needs to transfer its zones, and to sign them with ``secrets``. Raises
    `InputError`."""
    primary = powerdns.reached(config, section)
    taken, catalogs = zones.of_secondary(section), zones.catalogs_of(section)
    arriving = by_catalog(config, taken, catalogs)
    tsig, warnings, found = key_of(config, section), list[Fault](), []
    name = None if tsig is None else powerdns_text(tsig.wire)
    for catalog in catalogs:
        metadata = {_TSIG: name}
        found.append(Domain(powerdns_text(catalog.apex), "CONSUMER", primary.bracketed, metadata))
    for zone in taken:
        signed = zone.signed or zone.presigned
        metadata = {_TSIG: name, "IXFR": None if signed else "1", **_metadata(config, zone)}
        if not zone.presigned:
            # Of presigned ones, the server learns them by itself.
            metadata |= _denial(zone)
        found.append(
            Domain(
                powerdns_text(zone.apex),
                "SLAVE",
                primary.bracketed,
                metadata,
                made=not section.autoprimary and zone.apex not in arriving,
                keys=_keys(zone, keystore, now, warnings) if secrets else (),
            )
        )
    autoprimary = powerdns.autoprimary_of(config, section, primary, warnings)
    names = [] if autoprimary is None else autoprimary["names"]
    return (
        State(
            () if tsig is None else (_secret(config, tsig, secrets),),
            tuple(Autoprimary(primary.address, one) for one in names),
            tuple(found),
        ),
        warnings,
    )


def with_records(
    config: Config,
    section: SecondarySection,
    zones: Zones,
    keystore: Keystore,
    now: float,
    bundle: Bundle,
    *,
    secrets: bool,
) -> tuple[State, list[Fault]]:
    """What a PowerDNS needs to serve the zones of a bundle without transfers. Raises `InputError`
    where one of them is not in it."""
    warnings, found = list[Fault](), []
    for zone in zones.of_secondary(section):
        view = bundle.zone(zone.apex)
        if view is None:
            raise InputError.at(
                Place(str(config.file)),
                "zone-not-built",
                f"{zone.name} is not in the bundle",
                "there are no records of it to write",
                "build first: lzc build",
            )
        metadata = {_TSIG: None, "IXFR": None, **_metadata(config, zone), **_denial(zone)}
        metadata["PRESIGNED"] = "1" if zone.presigned else None
        if zone.presigned and view.info.denial.is_hashed:
            metadata["NSEC3PARAM"] = view.info.denial.parameters
        found.append(
            Domain(
                powerdns_text(zone.apex),
                "NATIVE",
                None,
                metadata,
                also=("MASTER",),
                keys=_keys(zone, keystore, now, warnings) if secrets else (),
                records=partial(records.rows, bundle, view.info),
            )
        )
    return State((), (), tuple(found)), warnings


def _secret(config: Config, key: TransferKey, secrets: bool) -> TsigSecret:
    secret = key.secret(config) if secrets else None
    return TsigSecret(powerdns_text(key.wire), key.algorithm, secret)


def _metadata(config: Config, zone: ServedZone) -> dict[str, str | None]:
    sync = config.sync_records(zone.name) if zone.signed else None
    digests = "" if sync is None or not sync.digests else ",".join(map(str, sync.digests))
    cds = "0" if sync is not None and sync.delete and digests else digests
    cdnskey = "" if sync is None or not sync.cdnskey else "0" if sync.delete else "1"
    return {
        "ENABLE-LUA-RECORDS": "1" if zone.lua else None,
        "PUBLISH-CDS": cds or None,
        "PUBLISH-CDNSKEY": cdnskey or None,
    }


def _denial(zone: ServedZone) -> dict[str, str | None]:
    hashed = zone.signed and zone.denial.is_hashed
    narrow = hashed and zone.denial.way is Way.NARROW
    return {
        "NSEC3PARAM": zone.denial.parameters if hashed else None,
        "NSEC3NARROW": "1" if narrow else None,
    }


def _keys(
    zone: ServedZone, keystore: Keystore, now: float, warnings: list[Fault]
) -> tuple[Key, ...]:
    return tuple(_own(zone, keystore, now, warnings)) if zone.signed else ()


def _own(zone: ServedZone, keystore: Keystore, now: float, warnings: list[Fault]) -> Iterator[Key]:
    for key in keystore.load(zone.apex):
        if isinstance(key.private, TokenKey):
            warnings.append(powerdns.in_token(zone, key))
            continue
        flags = int.from_bytes(key.dnskey[:2], "big")
        yield Key(
            key.tag,
            flags,
            key.timing.is_active(now),
            content_of(key),
            wanted=powerdns.is_used(key, now),
        )


def content_of(key: SigningKey) -> str:
    """A private key as PowerDNS keeps it: without its times."""
    _, algorithm, *others = bindfile.format_private(key).splitlines()
    numbers = [line for line in others if line.partition(":")[0] in _NUMBERS]
    return "\n".join(["Private-key-format: v1.2", algorithm, *numbers, ""])


_NUMBERS: Final = (
    *("PrivateKey", "Modulus", "PublicExponent", "PrivateExponent", "Prime1", "Prime2"),
    *("Exponent1", "Exponent2", "Coefficient"),
)
