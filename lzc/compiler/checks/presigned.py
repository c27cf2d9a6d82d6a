"""Signatures that stand in the sources already, and dropping them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault
from lzc.wire import rrtype as rr
from lzc.zone.model import KEY, TYPE, Zone

_OF_A_SIGNER: Final = (rr.RRSIG, rr.NSEC, rr.NSEC3, rr.NSEC3PARAM)
_NO_LUA: Final = (
    "answers of LUA records cannot be signed beforehand, and a PowerDNS secondary stops running"
    " them in a presigned zone"
)
_KEYS: Final = frozenset({rr.DNSKEY, rr.CDS, rr.CDNSKEY})


def strip(zone: Zone) -> None:
    """Drop what another signer added: RRSIG, NSEC, NSEC3 and NSEC3PARAM records, and at the apex
    DNSKEY, CDS and CDNSKEY. The last two ask the parent for a DS of keys that do not sign any more
    (RFC 7344 §4). DS records stay, as they are of other zones."""
    zone.records = [
        record
        for record in zone.records
        if record[TYPE] not in _OF_A_SIGNER and (record[KEY] or record[TYPE] not in _KEYS)
    ]


def check_presigned_lua(zone: Zone) -> Iterator[Fault]:
    """Yield a fault where a zone that is to be served as it is signed has LUA records."""
    for record in zone.of_type(rr.LUA)[:1]:
        yield Fault(
            zone.place(record),
            "presigned-and-lua",
            f"zone {zone.name} is to be served as it is signed, and has LUA records",
            _NO_LUA,
            "leave the LUA records out, or take an unsigned file with dnssec = true",
        )


def check_presigned(index: ZoneIndex, *, signed: bool) -> Iterator[Fault]:
    """Yield one fault a zone, at the first RRSIG, NSEC, NSEC3 or NSEC3PARAM record. DNSKEY records
    alone are none: the signers of a zone that has several list each other's (RFC 8901)."""
    for rrtype in _OF_A_SIGNER:
        for record in index.of_type(rrtype)[:1]:
            what = rr.to_text(rrtype)
            section = f'[zone."{index.zone.name.rstrip(".") or "."}"]'
            drop = f"set strip-dnssec = true in {section} of lzc.toml, which drops them"
            if signed:
                yield index.error(
                    record,
                    "presigned-and-signed",
                    f"zone {index.zone.name} holds {what} records, and is to be signed",
                    "lzc makes its own denial of existence and signs each answer as it is sent",
                    f"{drop} with the DNSKEYs of the other signer, or compile the unsigned zone",
                )
            elif index.of_type(rr.LUA):
                yield index.error(
                    record,
                    "presigned-and-lua",
                    f"zone {index.zone.name} holds {what} records and LUA records",
                    _NO_LUA,
                    f"{drop}, and dnssec = true where the parent has a DS",
                )
            else:
                yield index.error(
                    record,
                    "presigned",
                    f"zone {index.zone.name} holds {what} records, and is not to be signed",
                    "answers are not put together from signatures that are there: validators would "
                    "call the zone bogus",
                    f"{drop}, and dnssec = true where the parent has a DS; or set"
                    ' dnssec = "presigned" there to serve them as they are',
                )
            return
