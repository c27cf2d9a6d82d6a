"""Names that records point to: aliases where none may be, missing names, typing slips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lzc.compiler.checks.index import ZoneIndex, answers
from lzc.faults import Fault
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.name import labels_of, to_text
from lzc.zone.model import KEY, RDATA, TYPE, Record

_ALIAS_RULES: Final = {
    rr.NS: "an NS record must name the server itself (RFC 2181 §10.3)",
    rr.SRV: "the target of an SRV record must not be an alias (RFC 2782)",
    rr.MX: "an MX record must name the host itself (RFC 2181 §10.3)",
}
_ADDRESS: Final = re.compile(rb"\d{1,3}")


def check_targets(index: ZoneIndex) -> Iterator[Fault]:
    """Yield questionable targets of NS, MX, SRV, CNAME and DNAME records."""
    apex = index.zone.apex
    twice = apex[:-1] + apex
    good: set[tuple[int, bytes]] = set()
    for rrtype in (rr.NS, rr.MX, rr.SRV, rr.CNAME, rr.DNAME):
        for record in index.of_type(rrtype):
            target = wire_rdata.target(rrtype, record[RDATA])
            if target is None or not target.endswith(apex):
                continue
            if len(apex) > 1 and target.endswith(twice):
                yield _final_dot(index, record, target)
                continue
            key = index.key_of(target)
            if key is None or rrtype == rr.DNAME or index.is_elsewhere(key):
                continue
            # Many records point to few hosts.
            if (rrtype, key) not in good:
                faults = list(_check_target(index, record, key))
                yield from faults
                if not faults:
                    good.add((rrtype, key))


def _final_dot(index: ZoneIndex, record: Record, target: bytes) -> Fault:
    return index.warning(
        record,
        "target-repeats-apex",
        f"the {rr.to_text(record[TYPE])} record points to {to_text(target)}",
        "a name without a final dot is completed with the origin",
        "end the name with a dot",
    )


def _check_target(index: ZoneIndex, record: Record, key: bytes) -> Iterator[Fault]:
    rrtype = record[TYPE]
    node = index.at(key)
    if not node and not index.exists(key):
        node = index.wildcard_for(key)
        if not node:
            yield _missing(index, record)
            return
    if rrtype == rr.CNAME:
        return
    alias = answers(node, rr.CNAME)
    if not alias and answers(node, rr.A, rr.AAAA):
        return
    what, target = _shown(record)
    if alias:
        told = index.warning if rrtype == rr.MX else index.error
        yield told(
            record,
            f"{what.lower()}-to-cname",
            f"the {what} record points to {target}, which is an alias (CNAME)",
            _ALIAS_RULES[rrtype],
            "name the host that the alias leads to",
        )
    else:
        yield index.warning(
            record,
            "target-without-address",
            f"the {what} record points to {target}, which has no A or AAAA record",
            "whoever follows the record ends there",
            f"add an address record for {target}",
        )


def _shown(record: Record) -> tuple[str, str]:
    """Type and target as messages show them."""
    target = wire_rdata.target(record[TYPE], record[RDATA]) or b"\x00"
    return rr.to_text(record[TYPE]), to_text(target)


def _missing(index: ZoneIndex, record: Record) -> Fault:
    what, target = _shown(record)
    labels = labels_of(wire_rdata.target(record[TYPE], record[RDATA]) or b"\x00")
    if len(labels) > 4 and all(_ADDRESS.fullmatch(label) for label in labels[:4]):
        address = b".".join(labels[:4]).decode("ascii")
        return index.warning(
            record,
            "target-is-address",
            f"the {what} record points to the address {address}, read as the name {target}",
            f"{what} takes a domain name",
            f"write an A record with {address}, and point the {what} record at its owner",
        )
    return index.warning(
        record,
        "target-missing",
        f"the {what} record points to {target}, which does not exist",
        "whoever follows the record gets NXDOMAIN",
        f"add {target}, or correct the name"
        + ("" if record[KEY] else "; a name outside of the zone ends with a dot"),
    )
