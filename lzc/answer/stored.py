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
    a lower-case wire name, whichever zone that is in; of ANY type, of all. No wildcard or CNAME is
    followed, and no LUA record is run."""

    def contents(name: bytes, code: int) -> list[bytes]:
        zone = bundle.find_zone(name) if len(name) <= 255 else None
        if zone is not None and zone.info.catalog:
            # Whose code this is need not know which zones there are.
            return []
        node = None if zone is None else zone.node(wire_name.key_of(name, zone.apex))
        if node is None:
            return []
        return [
            wire_rdata.to_text(kind, rdata).encode()
            for kind in (nodes.types(node) if code == rrtype.ANY else [code])
            if (rrset := nodes.rrset(node, name, kind)) is not None
            for rdata in rrset.rdatas
        ]

    return contents
