"""RDATA in presentation format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from socket import AF_INET6, inet_ntop  # text conversion only

from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata.octets import parse

_QUOTED = [
    chr(o) if 32 <= o <= 126 and o not in b'"\\' else f"\\{chr(o)}" if o in b'"\\' else f"\\{o:03d}"
    for o in range(256)
]


def to_text(rrtype: int, rdata: bytes) -> str:
    """RDATA in presentation format: names absolute, strings in double quotes. What does not parse
    as its type, and types without a format, come as ``\\# length hex`` (RFC 3597 §5)."""
    writer = _WRITERS.get(rrtype)
    try:
        if writer is not None:
            return writer(rdata)
        return parse(rrtype, rdata).to_text().rstrip()
    except (ValueError, IndexError, struct.error):
        return generic(rdata)


def generic(rdata: bytes) -> str:
    """``\\# length hex``, the form that fits every type (RFC 3597 §5)."""
    return f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def quote(string: bytes) -> str:
    """A character-string in double quotes, escaped as RFC 1035 §5.1 asks."""
    return '"' + "".join([_QUOTED[octet] for octet in string]) + '"'


def _a(rdata: bytes) -> str:
    a, b, c, d = rdata
    return f"{a}.{b}.{c}.{d}"


def _aaaa(rdata: bytes) -> str:
    return inet_ntop(AF_INET6, rdata)


def _names(rdata: bytes, position: int, count: int) -> tuple[list[str], int]:
    texts: list[str] = []
    for _ in range(count):
        name, position = wire_name.from_wire(rdata, position)
        texts.append(wire_name.to_text(name))
    return texts, position


def _one_name(rdata: bytes) -> str:
    (text,), end = _names(rdata, 0, 1)
    return _complete(text, rdata, end)


def _two_names(rdata: bytes) -> str:
    texts, end = _names(rdata, 0, 2)
    return _complete(" ".join(texts), rdata, end)


def _mx(rdata: bytes) -> str:
    (text,), end = _names(rdata, 2, 1)
    return _complete(f"{rdata[0] << 8 | rdata[1]} {text}", rdata, end)


def _srv(rdata: bytes) -> str:
    priority, weight, port = struct.unpack_from(">HHH", rdata)
    (text,), end = _names(rdata, 6, 1)
    return _complete(f"{priority} {weight} {port} {text}", rdata, end)


def _soa(rdata: bytes) -> str:
    (mname, rname), end = _names(rdata, 0, 2)
    numbers = " ".join(map(str, struct.unpack_from(">5I", rdata, end)))
    return _complete(f"{mname} {rname} {numbers}", rdata, end + 20)


def _strings(rdata: bytes, position: int) -> str:
    texts: list[str] = []
    while position < len(rdata):
        end = position + 1 + rdata[position]
        texts.append(quote(rdata[position + 1 : end]))
        position = end
    if not texts:
        raise ValueError("no character-string")
    return _complete(" ".join(texts), rdata, position)


def _txt(rdata: bytes) -> str:
    return _strings(rdata, 0)


def _lua(rdata: bytes) -> str:
    return f"{rr.to_text(rdata[0] << 8 | rdata[1])} {_strings(rdata, 2)}"


def _caa(rdata: bytes) -> str:
    end = 2 + rdata[1]
    tag = rdata[2:end].decode("ascii")
    if len(rdata) < end or not tag.isalnum():
        raise ValueError("malformed tag")
    return f"{rdata[0]} {tag} {quote(rdata[end:])}"


def _complete(text: str, rdata: bytes, end: int) -> str:
    if end != len(rdata):
        raise ValueError("RDATA of a wrong length")
    return text


_WRITERS: dict[int, Callable[[bytes], str]] = {
    rr.A: _a,
    rr.AAAA: _aaaa,
    **dict.fromkeys(rr.ONE_NAME, _one_name),
    **dict.fromkeys(rr.TWO_NAMES, _two_names),
    **dict.fromkeys(rr.TEXTS, _txt),
    rr.MX: _mx,
    rr.SRV: _srv,
    rr.SOA: _soa,
    rr.CAA: _caa,
    rr.LUA: _lua,
}
