"""Delegation points: glue, and data that a cut hides (RFC 1034 §4.2, RFC 9471)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault
from lzc.wire import rrtype as rr
from lzc.wire.name import to_text
from lzc.zone.model import KEY, RDATA, TYPE, Record

_AT_CUT: Final = frozenset({rr.NS, rr.DS, rr.NSEC, rr.RRSIG})
_ADDRESSES: Final = frozenset({rr.A, rr.AAAA})


def check_delegations(index: ZoneIndex) -> Iterator[Fault]:
    """Yield missing glue, occluded data and misplaced DS records."""
    glue = _glue_names(index)
    for record in index.of_type(rr.NS):
        if not record[KEY]:
            yield from _missing_glue(index, b"", record)
    for cut, records in index.cuts.items():
        for record in records:
            yield from _missing_glue(index, cut, record)
        yield from _occluded(index, cut, records[0], glue)
    yield from _misplaced_ds(index)


def _glue_names(index: ZoneIndex) -> set[bytes]:
    keys = (index.key_of(record[RDATA].lower()) for record in index.of_type(rr.NS))
    return {key for key in keys if key is not None}


def _missing_glue(index: ZoneIndex, cut: bytes, record: Record) -> Iterator[Fault]:
    target = index.key_of(record[RDATA].lower())
    if target is None:
        return
    above = index.cut_above(target)
    if above is None or any(address[TYPE] in _ADDRESSES for address in index.at(target)):
        return
    name = to_text(record[RDATA].lower())
    if above == cut:
        yield index.error(
            record,
            "glue-missing",
            f"{index.owner_text(record)} is delegated to {name}, which has no address here",
            "the name is inside the delegated zone: without glue nobody can reach its server "
            "(RFC 9471 §2)",
            f"add an A or AAAA record for {name} (LUA records are no glue)",
        )
    else:
        yield index.warning(
            record,
            "sibling-glue-missing",
            f"{index.owner_text(record)} is delegated to {name}, which has no address here",
            "the name is in another delegated zone; with two zones that serve each other this way "
            "neither can be reached (RFC 9471 §2.2)",
            f"add an A or AAAA record for {name}",
        )


def _occluded(
    index: ZoneIndex, cut: bytes, delegation: Record, glue: set[bytes]
) -> Iterator[Fault]:
    """One warning a name: that the data cannot be seen, or (addresses) is no server's."""
    here = [record for record in index.at(cut) if record[TYPE] not in _AT_CUT]
    for key, group in groupby([*here, *index.below(cut)], key=itemgetter(KEY)):
        hidden = [record for record in group if record[TYPE] not in _ADDRESSES or key not in glue]
        if not hidden or (key == cut and hidden[0][TYPE] == rr.DNAME):
            # A DNAME there is an error of its own.
            continue
        types = " ".join(dict.fromkeys(rr.to_text(record[TYPE]) for record in hidden))
        yield index.warning(
            hidden[0],
            "occluded-data",
            f"{types} of {index.owner_text(hidden[0])} is hidden by the delegation of "
            f"{index.owner_text(delegation)} at {index.zone.place(delegation)}",
            "names at and below a delegation are answered by the delegated zone",
            "move the record to that zone, or remove the NS records",
        )


def _misplaced_ds(index: ZoneIndex) -> Iterator[Fault]:
    for key, group in groupby(index.of_type(rr.DS), key=itemgetter(KEY)):
        record = next(group)
        if not key:
            yield index.error(
                record,
                "ds-at-apex",
                "a DS record at the zone's own apex",
                "it belongs to the parent zone (RFC 4035 §2.4)",
                "remove it here and give it to the parent",
            )
        elif key not in index.cuts and index.cut_above(key) is None:
            yield index.warning(
                record,
                "ds-without-ns",
                f"a DS record at {index.owner_text(record)}, which is not delegated",
                "validators only ask for DS at delegation points (RFC 4035 §2.4)",
                "add the NS records of the delegation, or remove the DS record",
            )
