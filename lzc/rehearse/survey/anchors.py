"""What the answers of zones are verified from: DS records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import dns.name
from dns.rdtypes.ANY.DS import DS

from lzc.bundle.zone_info import ZoneInfo
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.validation.names import of_wire
from lzc.dnssec.validation.trust import ds_of_rdata, read_anchors
from lzc.faults import Fault, InputError, Place

Anchors: TypeAlias = Mapping[dns.name.Name, tuple[DS, ...]]
"""DS records of zones by apex."""


def name_of(apex: bytes) -> dns.name.Name:
    """A wire name as dnspython has it."""
    return of_wire(apex)


def from_file(path: Path) -> Anchors:
    """The DS and DNSKEY records in a file. Raises `InputError`."""
    try:
        return read_anchors(path.read_text())
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
    except ValueError as error:
        what = str(error)
    raise InputError.at(
        path,
        "trust-anchor-unusable",
        what,
        "without it, nothing says which keys are the right ones",
        "write DS records as in a zone file",
    )


def from_keystore(keystore: Keystore, zones: Iterable[ZoneInfo], now: float) -> Anchors:
    """The DS records of zones, as ``lzc keys ds`` prints them: of the keys with the SEP flag that
    are published at ``now``, or of all where none has it. Those of a presigned zone are not in the
    keystore: its own DNSKEY records count. Raises `InputError` where a zone has none."""
    found = {}
    faults: list[Fault] = []
    for info in zones:
        apex = name_of(info.apex)
        if info.presigned:
            found[apex] = own_anchors(apex, info)
            continue
        try:
            keys = keystore.published(info.apex, now)
        except InputError as error:
            faults += error.faults
            continue
        keys = [key for key in keys if key.is_sep] or keys
        if keys:
            found[apex] = tuple(ds_of_rdata(apex, key.dnskey) for key in keys)
        else:
            faults.append(_no_keys(keystore, str(apex)))
    if faults:
        raise InputError(faults)
    return found


def own_anchors(apex: dns.name.Name, info: ZoneInfo) -> tuple[DS, ...]:
    """The DS records of the keys that a zone of a bundle has: of those with the SEP flag, or of all
    where none has it."""
    keys = [key for key in info.keys if key.is_sep] or info.keys
    return tuple(ds_of_rdata(apex, key.dnskey) for key in keys)


def _no_keys(keystore: Keystore, name: str) -> Fault:
    return Fault(
        Place(str(keystore.path)),
        "zone-without-ds",
        f"{name} has no key here whose DS could be trusted",
        "a chain of trust begins with the DS at the parent",
        f"give it: dig {name} DS > FILE, and --ds FILE",
    )
