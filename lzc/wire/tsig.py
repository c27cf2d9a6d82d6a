"""Transaction signatures (TSIG, RFC 8945): shared secrets that vouch for messages.

A MAC covers the message before its TSIG RR was added, the fields of that RR, and in an answer
the MAC of the request.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from lzc.wire.message import FORMERR, NOERROR, NOTAUTH, Query, find_tsig
from lzc.wire.name import from_text, from_wire
from lzc.wire.tsig_algorithms import ALGORITHMS

BADSIG: Final = 16
BADKEY: Final = 17
BADTIME: Final = 18
BADTRUNC: Final = 22

FUDGE: Final = 300
"""Seconds that two clocks may differ (RFC 8945 §10)."""

_ANY_TTL_0 = b"\x00\xff\x00\x00\x00\x00"
_TIMERS = struct.Struct(">HIH")
_FIXED = struct.Struct(">HIHH")
_END = struct.Struct(">HHH")


@lru_cache(maxsize=len(ALGORITHMS))
def algorithm_name(algorithm: str) -> bytes:
    """The wire name of an algorithm of `ALGORITHMS`."""
    return from_text("hmac-md5.sig-alg.reg.int." if algorithm == "hmac-md5" else algorithm + ".")


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A shared secret: ``name`` is its lower-case wire name, ``algorithm`` one of `ALGORITHMS`."""

    name: bytes
    algorithm: str
    secret: bytes = field(repr=False)

    @property
    def mac_size(self) -> int:
        """Octets of a MAC."""
        return ALGORITHMS[self.algorithm][1]

    def mac(self, *data: bytes) -> bytes:
        """The MAC of ``data``."""
        function, size = ALGORITHMS[self.algorithm]
        return hmac.digest(self.secret, b"".join(data), function)[:size]


class TsigRR(NamedTuple):
    """A TSIG RR. Names are lower-case; times are in seconds; ``start`` is the offset of one that
    came."""

    name: bytes
    algorithm: bytes
    time_signed: int
    original_id: int
    error: int = 0
    other: bytes = b""
    mac: bytes = b""
    fudge: int = FUDGE
    start: int = 0


_TIME_TOLD: Final = 6
"""Octets of our time in the TSIG RR of an answer to a request that was signed at another one."""


@dataclass(frozen=True, slots=True)
class TsigResult:
    """The outcome of a check: ``error`` is 0, `BADSIG`, `BADKEY`, `BADTIME`, `BADTRUNC`, or 1
    (FORMERR). ``key`` is our key of that name, ``rr`` the TSIG RR that came (None when there was
    none, or it does not parse)."""

    error: int
    key: TsigKey | None = None
    rr: TsigRR | None = None

    @property
    def ok(self) -> bool:
        """True when the message is authentic and timely, or has no TSIG RR."""
        return self.error == 0

    @property
    def rcode(self) -> int:
        """The RCODE of the answer: NOERROR, FORMERR or NOTAUTH (RFC 8945 §5.2)."""
        return {0: NOERROR, FORMERR: FORMERR}.get(self.error, NOTAUTH)

    @property
    def key_name(self) -> bytes | None:
        """The name of our key."""
        return self.key.name if self.key else None

    @property
    def mac(self) -> bytes:
        """The MAC of the message, which that of its answer covers."""
        return self.rr.mac if self.rr else b""

    @property
    def room(self) -> int:
        """Octets that `sign_response` adds at most."""
        if self.rr is None:
            return 0
        size = self.key.mac_size if self.key else 0
        return len(self.rr.name) + 10 + len(self.rr.algorithm) + 16 + size + _TIME_TOLD

    @property
    def size(self) -> int:
        """Octets that `sign_response` adds where the request was authentic."""
        return self.room - _TIME_TOLD if self.rr is not None else 0


NO_TSIG: Final = TsigResult(0)
"""Of a request without a TSIG RR."""


def read(message: bytes, start: int) -> TsigRR:
    """The TSIG RR at an offset. Raises `ValueError` when it is malformed (RFC 8945 §4.2)."""
    try:
        name, position = from_wire(message, start)
        if message[position : position + 8] != b"\x00\xfa" + _ANY_TTL_0:
            raise ValueError("TSIG RR that is not of class ANY and TTL 0")
        end = position + 10 + (message[position + 8] << 8 | message[position + 9])
        algorithm, position = from_wire(message, position + 10)
        high, low, fudge, size = _FIXED.unpack_from(message, position)
        position += 10
        mac = message[position : position + size]
        position += size
        original_id, error, length = _END.unpack_from(message, position)
        position += 6
        other = message[position : position + length]
    except (struct.error, IndexError) as failure:
        raise ValueError(str(failure)) from None
    if position + length != end or end != len(message):
        raise ValueError("TSIG RDATA of a wrong length")
    time_signed = high << 32 | low
    names = name.lower(), algorithm.lower()
    return TsigRR(*names, time_signed, original_id, error, other, mac, fudge, start)


def verify_request(query: Query, keys: Mapping[bytes, TsigKey], now: float) -> TsigResult:
    """Check the TSIG RR of a request, where it has one, in the order of RFC 8945 §5.2: key, MAC,
    time, truncation. ``keys`` is keyed by `TsigKey.name`; ``now`` in seconds since the epoch."""
    return _verify(query.wire, query.tsig, keys, now) if query.tsig else NO_TSIG


def verify_response(message: bytes, key: TsigKey, request_mac: bytes, now: float) -> TsigResult:
    """Check the answer to a request of ours that had ``request_mac``. Never raises: a message
    without TSIG gives FORMERR.

    An error that the other side states, authentic or in a TSIG RR without a MAC, is the error of
    the result.
    """
    start = find_tsig(message)
    if not start:
        return TsigResult(FORMERR)
    result = _verify(message, start, {key.name: key}, now, _prefixed(request_mac))
    rr = result.rr
    if rr is not None and rr.error and (result.ok or not rr.mac):
        return TsigResult(rr.error, key, rr)
    return result


def _verify(
    message: bytes, start: int, keys: Mapping[bytes, TsigKey], now: float, before: bytes = b""
) -> TsigResult:
    try:
        rr = read(message, start)
    except ValueError:
        return TsigResult(FORMERR)
    key = keys.get(rr.name)
    if key is None or rr.algorithm != algorithm_name(key.algorithm):
        return TsigResult(BADKEY, None, rr)
    size, full = len(rr.mac), key.mac_size
    # RFC 8945 §5.2.2.1
    if size > full or (size < full and size < max(10, full // 2)):
        return TsigResult(FORMERR, key, rr)
    # As it was before its TSIG RR was added, with its original ID.
    counts = message[2:10] + _arcount(message, -1)
    unsigned = rr.original_id.to_bytes(2, "big") + counts + message[12:start]
    if not hmac.compare_digest(key.mac(before, unsigned, _variables(rr))[:size], rr.mac):
        return TsigResult(BADSIG, key, rr)
    if abs(int(now) - rr.time_signed) > rr.fudge:
        return TsigResult(BADTIME, key, rr)
    return TsigResult(BADTRUNC if size < full else 0, key, rr)


def _variables(rr: TsigRR) -> bytes:
    """The fields of the RR that a MAC covers (RFC 8945 §4.3.3)."""
    end = struct.pack(">HH", rr.error, len(rr.other)) + rr.other
    return b"".join((rr.name, _ANY_TTL_0, rr.algorithm, _timers(rr), end))


def _timers(rr: TsigRR) -> bytes:
    """Time signed and fudge as a MAC covers them (RFC 8945 §5.3.1)."""
    return _TIMERS.pack(rr.time_signed >> 32 & 0xFFFF, rr.time_signed & 0xFFFFFFFF, rr.fudge)


def _prefixed(mac: bytes) -> bytes:
    return len(mac).to_bytes(2, "big") + mac


def _arcount(message: bytes, more: int) -> bytes:
    return ((message[10] << 8 | message[11]) + more).to_bytes(2, "big")


def append(message: bytes, rr: TsigRR) -> bytes:
    """The message with a TSIG RR added; the name stands in it uncompressed."""
    end = _END.pack(rr.original_id, rr.error, len(rr.other)) + rr.other
    rdata = b"".join((rr.algorithm, _timers(rr), _prefixed(rr.mac), end))
    owner = rr.name + b"\x00\xfa" + _ANY_TTL_0
    size = len(rdata).to_bytes(2, "big")
    return b"".join((message[:10], _arcount(message, 1), message[12:], owner, size, rdata))


def sign(
    message: bytes,
    key: TsigKey,
    now: float,
    request_mac: bytes = b"",
    *,
    error: int = 0,
    other: bytes = b"",
) -> tuple[bytes, bytes]:
    """Sign a message: a request, or with ``request_mac`` an answer of one message.

    ``now`` in seconds since the epoch; ``error`` and ``other`` as in RFC 8945 §5.3.2. Returns the
    message with its TSIG RR, and the MAC.
    """
    rr = _made_for(message, key.name, algorithm_name(key.algorithm), now, error, other)
    before = _prefixed(request_mac) if request_mac else b""
    mac = key.mac(before, message, _variables(rr))
    return append(message, rr._replace(mac=mac)), mac


def _made_for(
    message: bytes, name: bytes, algorithm: bytes, now: float, error: int, other: bytes = b""
) -> TsigRR:
    return TsigRR(name, algorithm, int(now), message[0] << 8 | message[1], error, other)


def sign_response(message: bytes, result: TsigResult, now: float) -> bytes:
    """Add to the answer what the check of its request asks for (RFC 8945 §5.3).

    Signed when the request was authentic; with `BADTIME` at the client's time, ours being told
    beside it; without a MAC for `BADKEY` and `BADSIG`; no TSIG RR for FORMERR, and where the
    request had none. The caller sets the RCODE to `TsigResult.rcode`.
    """
    rr = result.rr
    if rr is None or result.error == FORMERR:
        return message
    if result.key is None or result.error == BADSIG:
        return append(message, _made_for(message, rr.name, rr.algorithm, now, result.error))
    at, other = now, b""
    if result.error == BADTIME:
        at, other = rr.time_signed, int(now).to_bytes(6, "big")
    return sign(message, result.key, at, rr.mac, error=result.error, other=other)[0]


class TsigStream:
    """Signs every message of an answer of many, as a zone transfer, in order (RFC 8945 §5.3.1);
    for one client, so it has state. ``request_mac`` is the MAC of the request."""

    def __init__(self, key: TsigKey, request_mac: bytes) -> None:
        self._key = key
        self._mac = request_mac
        self._algorithm = algorithm_name(key.algorithm)
        self._covered = _variables

    def sign(self, message: bytes, now: float) -> bytes:
        """The next message, its ID set already, with a TSIG RR; ``now`` in seconds."""
        key = self._key
        rr = _made_for(message, key.name, self._algorithm, now, 0)
        self._mac = key.mac(_prefixed(self._mac), message, self._covered(rr))
        # Of later messages, the MAC before it and the timers only.
        self._covered = _timers
        return append(message, rr._replace(mac=self._mac))
