"""RDATA in presentation format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from socket import AF_INET6, inet_ntop  # text conversion only

from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata.octets import parse, strings_in

_Writer = Callable[[bytes], str]

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


def _numbers_and_names(numbers: int, names: int, numbers_behind: int = 0) -> _Writer:
    """A writer of 16-bit numbers, names, and 32-bit numbers behind them."""

    def write(rdata: bytes) -> str:
        texts = list(map(str, struct.unpack_from(f">{numbers}H", rdata)))
        position = 2 * numbers
        for _ in range(names):
            name, position = wire_name.from_wire(rdata, position)
            texts.append(wire_name.to_text(name))
        texts += map(str, struct.unpack_from(f">{numbers_behind}I", rdata, position))
        if position + 4 * numbers_behind != len(rdata):
            raise ValueError("RDATA of a wrong length")
        return " ".join(texts)

    return write


def _strings(rdata: bytes, position: int = 0) -> str:
    return " ".join(map(quote, strings_in(rdata, position)))


def _lua(rdata: bytes) -> str:
    return f"{rr.to_text(rdata[0] << 8 | rdata[1])} {_strings(rdata, 2)}"


def _caa(rdata: bytes) -> str:
    end = 2 + rdata[1]
    tag = rdata[2:end].decode("ascii")
    if len(rdata) < end or not tag.isalnum():
        raise ValueError("malformed tag")
    return f"{rdata[0]} {tag} {quote(rdata[end:])}"


_WRITERS: dict[int, _Writer] = {
    rr.A: _a,
    rr.AAAA: _aaaa,
    **dict.fromkeys(rr.ONE_NAME, _numbers_and_names(0, 1)),
    **dict.fromkeys(rr.TWO_NAMES, _numbers_and_names(0, 2)),
    **dict.fromkeys(rr.TEXTS, _strings),
    rr.MX: _numbers_and_names(1, 1),
    rr.SRV: _numbers_and_names(3, 1),
    rr.SOA: _numbers_and_names(0, 2, 5),
    rr.CAA: _caa,
    rr.LUA: _lua,
}
