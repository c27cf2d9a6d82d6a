"""Signatures that stand in the sources already."""

from __future__ import annotations

from collections.abc import Iterator

from lzc.build.checks.index import CheckSettings, ZoneIndex
from lzc.wire import rrtype as rr
from lzc.zone.place import Fault


def check_presigned(index: ZoneIndex, settings: CheckSettings) -> Iterator[Fault]:
    """Yield one fault a zone, at the first RRSIG, NSEC, NSEC3 or NSEC3PARAM record."""
    for rrtype in (rr.RRSIG, rr.NSEC, rr.NSEC3, rr.NSEC3PARAM):
        for record in index.of_type(rrtype)[:1]:
            what = rr.to_text(rrtype)
            if settings.dnssec:
                yield index.error(
                    record,
                    "presigned-and-signed",
                    f"zone {index.zone.name} holds {what} records, and is to be signed",
                    "lzc makes its own denial of existence and signs each answer as it is sent",
                    "compile the unsigned zone, or set dnssec = false",
                )
            elif index.of_type(rr.LUA):
                yield index.error(
                    record,
                    "presigned-and-lua",
                    f"zone {index.zone.name} holds {what} records and LUA records",
                    "answers of LUA records cannot be signed beforehand, and a PowerDNS secondary "
                    "stops running them in a presigned zone",
                    "compile the unsigned zone with dnssec = true",
                )
            else:
                yield index.warning(
                    record,
                    "presigned",
                    f"zone {index.zone.name} is signed already ({what})",
                    "presigned answers are not put together: validators would call the zone bogus",
                    "compile the unsigned zone with dnssec = true",
                )
            return
