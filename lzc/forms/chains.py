"""Denial of existence in a zone that is signed beforehand: which names have a part in the chain,
and what its records say of each."""

from __future__ import annotations

from collections.abc import Collection

from lzc.dnssec.signing.denial import Denial, label
from lzc.dnssec.signing.nsec import bitmap
from lzc.forms.entry import DELEGATION, OCCLUDED, RRset
from lzc.forms.signing import one_rr
from lzc.wire import rrtype as rr


def listed(flags: int, types: Collection[int], *, is_apex: bool, hashed: bool) -> bytes:
    """The Type Bit Maps field of a name with RRsets of these types."""
    here = set(types)
    if is_apex:
        here.add(rr.SOA)
    if flags & DELEGATION:
        here &= {rr.NS, rr.DS}
    if not hashed:
        here |= {rr.RRSIG, rr.NSEC}
    elif here and (not flags & DELEGATION or rr.DS in here):
        here.add(rr.RRSIG)
    return bitmap(tuple(sorted(here)))


def is_linked(flags: int, types: Collection[int], denial: Denial) -> bool:
    """Whether a name with RRsets has a part in the chain."""
    if flags & OCCLUDED:
        return False
    return not (denial.is_hashed and denial.opt_out and flags & DELEGATION and rr.DS not in types)


def nsec(relative: bytes, ttl: int, upcoming: bytes, types: bytes) -> RRset:
    """The NSEC RRset of a name; ``upcoming`` is the wire name of the next one."""
    return one_rr(relative, rr.NSEC, ttl, upcoming + types)


def nsec3(digest: bytes, ttl: int, denial: Denial, upcoming: bytes, types: bytes) -> RRset:
    """The NSEC3 RRset of a hash."""
    return one_rr(label(digest), rr.NSEC3, ttl, denial.head + upcoming + types)
