"""CNAME and DNAME: what may not stand beside, behind or below them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault
from lzc.wire import rrtype as rr
from lzc.wire.name import is_subdomain, is_wildcard_key
from lzc.wire.rdata import covered_type
from lzc.zone.model import KEY, PLACE, RDATA, TYPE, Record

_BESIDE_CNAME: Final = frozenset({rr.CNAME, rr.RRSIG, rr.NSEC, rr.KEY, rr.SIG, rr.NXT})
"""What may share a name with a CNAME (RFC 4034 §3 and §4, RFC 2181 §10.1)."""


def check_cnames(index: ZoneIndex) -> Iterator[Fault]:
    """Yield CNAMEs that are not alone at their name, and those that lead round in a circle."""
    for key, group in groupby(index.not_alone(rr.CNAME), key=itemgetter(KEY)):
        cnames = sorted(group, key=itemgetter(PLACE))
        for record in cnames[1:]:
            yield index.error(
                record,
                "cname-multiple",
                f"a second CNAME record at {index.owner_text(record)}",
                "a name is an alias of one other (RFC 2181 §10.1)",
                "keep one; to share load, give the target several address records",
            )
        yield from _beside_cname(index, cnames[0], index.at(key), "CNAME")
    for key, group in groupby(index.of_type(rr.LUA), key=itemgetter(KEY)):
        cname = next((record for record in group if covered_type(record[RDATA]) == rr.CNAME), None)
        if cname is not None:
            yield from _beside_cname(index, cname, index.at(key), "LUA CNAME")
    yield from _loops(index)


def _beside_cname(
    index: ZoneIndex, cname: Record, node: list[Record], kind: str
) -> Iterator[Fault]:
    other = next((record for record in node if _conflicts(cname, record)), None)
    if other is None:
        return
    if not cname[KEY]:
        fix = "the apex cannot be an alias: use address records, or LUA A and AAAA records"
    else:
        fix = f"remove the {kind} record, or everything else at this name"
    what = rr.to_text(other[TYPE])
    if other[TYPE] == rr.LUA:
        what = f"LUA {rr.to_text(covered_type(other[RDATA]))}"
    yield index.error(
        cname,
        "cname-and-other-data",
        f"{index.owner_text(cname)} has a {kind} record and other data "
        f"({what} at {index.zone.place(other)})",
        "an alias has no data of its own (RFC 1034 §3.6.2); resolvers would see one or the other",
        fix,
    )


def _conflicts(cname: Record, record: Record) -> bool:
    if record[TYPE] != rr.LUA:
        return record[TYPE] not in _BESIDE_CNAME
    if covered_type(record[RDATA]) == rr.LUA:
        # Never answered, only included by others.
        return False
    return cname[TYPE] != rr.LUA or covered_type(record[RDATA]) != rr.CNAME


def _loops(index: ZoneIndex) -> Iterator[Fault]:
    """Each circle of CNAMEs once, at its first record in the zone's order."""
    following: dict[bytes, tuple[Record, bytes]] = {}
    aliases = {record[KEY] for record in index.of_type(rr.CNAME)}
    any_wildcard = any(is_wildcard_key(key) for key in aliases)
    for record in index.of_type(rr.CNAME):
        target = index.key_of(record[RDATA].lower())
        if target not in aliases and not any_wildcard:
            # Most lead to a host, and so to no circle.
            continue
        if target is not None and not index.exists(target):
            target = next((found[KEY] for found in index.wildcard_for(target)), None)
        if target is not None:
            following.setdefault(record[KEY], (record, target))
    settled: set[bytes] = set()
    for start in following:
        path: dict[bytes, Record] = {}
        key = start
        while key in following and key not in settled and key not in path:
            path[key], key = following[key]
        settled.update(path)
        if key in path:
            circle = list(path)[list(path).index(key) :]
            record = path[min(circle)]
            names = " → ".join(index.owner_text(path[each]) for each in [*circle, key])
            yield index.error(
                record,
                "cname-loop",
                f"CNAME records lead round in a circle: {names}",
                "no resolver finds an answer there",
                "point one of them at a name with data",
            )


def check_dnames(index: ZoneIndex) -> Iterator[Fault]:
    """Yield what RFC 6672 §2.4 forbids around DNAMEs."""
    for key, group in groupby(index.of_type(rr.DNAME), key=itemgetter(KEY)):
        dnames = sorted(group, key=itemgetter(PLACE))
        owner = index.owner_text(dnames[0])
        for record in dnames[1:]:
            yield index.error(
                record,
                "dname-multiple",
                f"a second DNAME record at {owner}",
                "a name has at most one (RFC 6672 §2.4)",
                "remove one of them",
            )
        if key in index.cuts:
            yield index.error(
                dnames[0],
                "dname-at-delegation",
                f"{owner} has a DNAME record and is delegated by NS records",
                "below the apex only one of the two can rule the subtree (RFC 6672 §2.3)",
                "remove the DNAME or the NS records",
            )
        if key:
            occluded = index.below(key)
        else:
            occluded = [record for record in index.records if record[KEY]]
        for _, names in groupby(occluded, key=itemgetter(KEY)):
            record = next(names)
            yield index.error(
                record,
                "dname-occluded",
                f"{index.owner_text(record)} is below the DNAME record of {owner} "
                f"at {index.zone.place(dnames[0])}",
                "every name below a DNAME is rewritten; nothing may stand there (RFC 6672 §2.4)",
                "remove the record, or the DNAME",
            )
        if is_subdomain(dnames[0][RDATA].lower(), index.zone.owner(dnames[0])):
            yield index.error(
                dnames[0],
                "dname-loop",
                f"the DNAME of {owner} leads to itself or below itself",
                "each answer would be rewritten again, without end (RFC 6672 §2.2)",
                "choose a target outside of the subtree",
            )
