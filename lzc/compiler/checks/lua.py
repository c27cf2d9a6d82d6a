"""LUA records beside other data. What their code does is not looked at here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault
from lzc.lua.lint.rules import RULES
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import KEY, RDATA, TYPE

_DECIDED_AT_BUILD: Final = frozenset(
    {
        rr.SOA,
        rr.NS,
        rr.DNAME,
        rr.DS,
        rr.DNSKEY,
        rr.RRSIG,
        rr.NSEC,
        rr.NSEC3,
        rr.NSEC3PARAM,
        rr.CDS,
        rr.CDNSKEY,
    }
)


def check_lua(index: ZoneIndex) -> Iterator[Fault]:
    """Yield LUA records for types that they cannot answer, or that have static data too."""
    records = index.of_type(rr.LUA)
    for key, group in groupby(records, key=itemgetter(KEY)):
        static = {record[TYPE]: record for record in index.at(key)}
        for record in group:
            covered = covered_type(record[RDATA])
            what = rr.to_text(covered)
            if covered in _DECIDED_AT_BUILD or covered in rr.META_TYPES or not covered:
                yield RULES["lua-type"].fault(
                    index.zone.place(record),
                    f"a LUA record cannot answer for type {what}",
                    "delegations, signatures and the zone's structure are fixed when it is built"
                    if covered in _DECIDED_AT_BUILD
                    else "it is a type of queries and messages",
                )
            elif covered in static and covered != rr.LUA and covered != rr.CNAME:
                yield RULES["lua-and-static"].fault(
                    index.zone.place(record),
                    f"{index.owner_text(record)} has a LUA {what} record and a plain one "
                    f"at {index.zone.place(static[covered])}",
                )
