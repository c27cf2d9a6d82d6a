"""CHAOS class: what a server says about itself (RFC 4892)."""

from __future__ import annotations

from typing import Final

from lzc.answer.settings import ResponderSettings
from lzc.wire import message, rrtype
from lzc.wire.compose import Blob
from lzc.wire.message import Query
from lzc.wire.name import from_text

_VERSION: Final = frozenset({from_text("version.bind."), from_text("version.server.")})
_IDENTITY: Final = frozenset({from_text("id.server."), from_text("hostname.bind.")})


def answer(query: Query, settings: ResponderSettings) -> tuple[int, list[Blob]]:
    """RCODE and answer section of a CHAOS query; REFUSED for what is not told."""
    if query.qname_lower in _VERSION:
        text = settings.version
    elif query.qname_lower in _IDENTITY:
        text = settings.server_id
    else:
        return message.REFUSED, []
    if not text:
        return message.REFUSED, []
    if query.qtype not in (rrtype.TXT, rrtype.ANY):
        return message.NOERROR, []
    string = text.encode("utf-8")[:255]
    wire = b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00" + (len(string) + 1).to_bytes(2, "big")
    return message.NOERROR, [Blob(1, wire + bytes((len(string),)) + string)]
