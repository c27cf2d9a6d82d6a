"""What may be wrong with a zone whose records each are well-formed.

An *error* breaks serving, or a MUST of an RFC, and stops the build; a *warning* is questionable and
only told.

=========================  ========  ===============================================================
rule                       severity  what
=========================  ========  ===============================================================
``soa-missing``            error     no SOA record at the apex
``soa-multiple``           error     several SOA records at the apex
``soa-not-at-apex``        error     SOA record below the apex
``soa-expire-short``       warning   expire not longer than refresh and retry
``ns-missing``             error     no NS record at the apex
``duplicate-record``       warning   the same RR twice; one is dropped
``rrset-ttl-differs``      warning   TTLs differ in an RRset; the smallest is taken
``cname-and-other-data``   error     CNAME (plain or LUA) beside other data
``cname-multiple``         error     several CNAME records at a name
``cname-loop``             error     CNAMEs that lead round in a circle
``dname-multiple``         error     several DNAME records at a name
``dname-at-delegation``    error     DNAME and NS at a name below the apex
``dname-occluded``         error     records below a DNAME (RFC 6672 §2.4)
``dname-loop``             error     DNAME target at or below its owner
``glue-missing``           error     delegated to a name inside the delegated zone, no address
``sibling-glue-missing``   warning   delegated to a name inside another delegated zone, no address
``occluded-data``          warning   records at or below a delegation that are no glue
``ds-at-apex``             error     DS record at the apex
``ds-without-ns``          warning   DS record at a name that is not delegated
``ns-to-cname``            error     NS target is an alias
``srv-to-cname``           error     SRV target is an alias
``mx-to-cname``            warning   MX target is an alias: forbidden, but mail servers cope
``target-missing``         warning   target in the zone does not exist
``target-without-address`` warning   NS, MX or SRV target without address
``target-repeats-apex``    warning   target ends in the zone's name twice: a missing final dot
``target-is-address``      warning   target looks like an IPv4 address
``owner-repeats-apex``     warning   owner ends in the zone's name twice: a missing final dot
``wildcard-ns``            error     delegation at a wildcard
``wildcard-dname``         warning   DNAME at a wildcard
``wildcard-inside-name``   warning   an asterisk label that is not the first
``lua-type``               error     LUA record for a type that is fixed at build time
``lua-and-static``         warning   LUA record and plain record of the same type
``presigned-and-signed``   error     RRSIG or NSEC records in a zone that lzc signs
``presigned-and-lua``      error     RRSIG or NSEC records beside LUA records
``presigned``              error     RRSIG or NSEC records in a zone that is not signed
``presigned-unsigned``     error     no DNSKEY, NSEC or NSEC3 records in a zone that is presigned
``presigned-denial``       error     the NSEC or NSEC3 chain of a presigned zone is not that of it
``presigned-signature``    error     a signature of a presigned zone that does not hold, or lacks
``signatures-end``         warning   the first signature of a presigned zone expires within 7 days
=========================  ========  ===============================================================

Sibling glue and occluded data are warnings because zones in the wild hold them and every server
copes; below a DNAME nothing may stand, and servers disagree about what they answer there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Final

from lzc.compiler.checks.aliases import check_cnames, check_dnames
from lzc.compiler.checks.apex import check_apex
from lzc.compiler.checks.delegations import check_delegations
from lzc.compiler.checks.index import ZoneIndex
from lzc.compiler.checks.lua import check_lua
from lzc.compiler.checks.owners import check_owners
from lzc.compiler.checks.presigned import check_presigned, strip
from lzc.compiler.checks.rrsets import unify_rrsets
from lzc.compiler.checks.targets import check_targets
from lzc.faults import Fault
from lzc.zone.model import Zone

__all__ = ["RULES_OF_ABSENCE", "check_zone", "limited", "strip"]


RULES_OF_ABSENCE: Final = frozenset(
    {
        "soa-missing",
        "ns-missing",
        "glue-missing",
        "sibling-glue-missing",
        "ds-without-ns",
        "target-missing",
        "target-without-address",
        "lua-fails",
        "lua-include",
        "lua-suppression-unused",
        "lua-unknown-function",
        "lua-unknown-global",
    }
)
"""Rules that find something missing: not to be told of a zone of which some lines could not be
read, as it may stand there."""

MAX_PER_RULE: Final = 1000
"""Faults of one rule that are reported; after them the last is, with the number of the others."""


def check_zone(zone: Zone, *, signed: bool = False, presigned: bool = False) -> list[Fault]:
    """Every fault of a zone, ordered by place.

    ``zone.records`` must be sorted; duplicates are taken out of it and RRsets get one TTL.
    ``signed`` says that lzc signs the zone, ``presigned`` that its source has signatures, which
    were taken aside.
    """
    faults = unify_rrsets(zone)
    index = ZoneIndex(zone)
    found = chain(
        check_apex(index),
        check_cnames(index),
        check_dnames(index),
        check_delegations(index),
        check_targets(index),
        check_owners(index),
        check_lua(index),
        () if presigned else check_presigned(index, signed=signed),
    )
    faults = limited(chain(faults, found))
    faults.sort(key=lambda fault: (fault.place, fault.rule))
    return faults


def limited(faults: Iterable[Fault]) -> list[Fault]:
    """The faults, but of each rule only the first `MAX_PER_RULE`; how many more there were is said
    in one place, so that a slip in a million records can be read."""
    kept: list[Fault] = []
    counts: dict[str, int] = {}
    last: dict[str, Fault] = {}
    for fault in faults:
        count = counts[fault.rule] = counts.get(fault.rule, 0) + 1
        if count <= MAX_PER_RULE:
            kept.append(fault)
        else:
            last[fault.rule] = fault
    for rule, fault in last.items():
        more = counts[rule] - MAX_PER_RULE
        kept.append(replace(fault, message=f"{fault.message} (the last of {more} more)"))
    return kept
