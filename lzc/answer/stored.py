"""What LUA records get from ``dblookup``: records of the bundle as they are stored."""

from __future__ import annotations

from collections.abc import Callable

from lzc.bundle import node as nodes
from lzc.bundle.reader import Bundle
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype


def stored_contents(bundle: Bundle) -> Callable[[bytes, int], list[bytes]]:
    """A function that gives the contents, in presentation form, of a bundle's records of a type at
    a lower-case wire name, whichever zone that is in. No wildcard or CNAME is followed, and no LUA
    record is run."""

    def contents(name: bytes, code: int) -> list[bytes]:
        zone = bundle.find_zone(name) if len(name) <= 255 else None
        if zone is None or code == rrtype.LUA:
            return []
        node = zone.node(wire_name.key_of(name, zone.apex))
        rrset = nodes.rrset(node, name, code) if node is not None else None
        if rrset is None:
            return []
        return [wire_rdata.to_text(code, rdata).encode() for rdata in rrset.rdatas]

    return contents
