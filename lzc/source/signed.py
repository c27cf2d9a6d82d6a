"""RRSIG, NSEC and NSEC3 records in the layouts of signers, which break the RDATA over lines in
parentheses: three of four records of a signed zone. Everything else is for the lexer; both ways
give the same records.
"""

from __future__ import annotations

import re
from typing import Final

from lzc.source import ttl as ttl_text
from lzc.source.names import ABSOLUTE
from lzc.source.state import FileScope
from lzc.wire import rrtype as rr
from lzc.wire.rdata.signed import read_signed

_TYPES: Final = {b"RRSIG": rr.RRSIG, b"NSEC": rr.NSEC, b"NSEC3": rr.NSEC3}
_ENTRY = re.compile(
    # Owner, or none; TTL; class; type; what stands before, in and behind the parentheses. Octets
    # that mean something else, or are no text, are in none of these.
    rb"((?!\$)[!#-'*-:<-\[\]-~]*+)([ \t]++)(?:([0-9]{1,10})[ \t]++)?+(?:IN[ \t]++)?+"
    rb"(RRSIG|NSEC3?+)[ \t]++"
    rb"([!#-'*-:<-\[\]-~ \t]*+)(?:\(([!#-'*-:<-\[\]-~ \t\n]{0,8192}+)\)[ \t]*+)?+(?:\n|\Z)"
)


def read_signed_record(scope: FileScope, data: bytes, start: int, place: int) -> int:
    """Add the record that begins with the line at ``start``, whose first column is at ``place``;
    gives the offset after it. 0, and nothing done, where it is none of these, or not as signers
    write them."""
    match = _ENTRY.match(data, start)
    state = scope.state
    if match is None or state.powerdns:
        return 0
    owner, blanks, ttl, kind, front, inside = match.groups()
    fields = front.split()
    if inside is not None:
        fields += inside.split()
    try:
        key = _key(scope, owner) if owner else scope.owner
        chosen = ttl_text.parse(ttl) if ttl else state.default_ttl
    except ValueError:
        return 0
    if chosen is None:
        chosen = state.last_ttl
    if key is None or chosen is None:
        return 0
    rrtype = _TYPES[kind]
    rdata = read_signed(rrtype, fields, scope.names.origin)
    if rdata is None:
        return 0
    if ttl:
        state.last_ttl = chosen
    if not owner:
        place += len(blanks)
    scope.owner, scope.owner_known = key, True
    state.zone.records.append((key, rrtype, rdata, chosen, place))
    return match.end()


def _key(scope: FileScope, owner: bytes) -> bytes | None:
    """The node key of an owner as written; `None` outside the zone. Raises `ValueError`."""
    names = scope.names
    label, dot, suffix = owner.partition(b".")
    suffix = suffix or (dot and ABSOLUTE)
    prefix = names.prefixes.get(suffix)
    # An @ alone is the origin.
    if prefix is None or not 0 < len(label) < 64 or owner == b"@":
        return names.key(owner)
    return prefix + label.lower()
