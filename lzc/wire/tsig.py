"""Transaction signatures (TSIG, RFC 8945): shared secrets that vouch for messages.

A MAC covers the message before its TSIG RR was added, the fields of that RR, and in an answer
the MAC of the request. `lzc.wire.tsig_stream` has the answers of many messages.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lzc.wire.message import (
    FORMERR,
    NOERROR,
    NOTAUTH,
    FormatError,
    find_tsig,
)
from lzc.wire.name import InvalidName, from_text, from_wire

BADSIG: Final = 16
BADKEY: Final = 17
BADTIME: Final = 18
BADTRUNC: Final = 22

FUDGE: Final = 300
"""Seconds that two clocks may differ (RFC 8945 §10)."""

ALGORITHMS: Final[Mapping[str, tuple[str, int]]] = {
    "hmac-md5": ("md5", 16),
    "hmac-sha1": ("sha1", 20),
    "hmac-sha224": ("sha224", 28),
    "hmac-sha256": ("sha256", 32),
    "hmac-sha256-128": ("sha256", 16),
    "hmac-sha384": ("sha384", 48),
    "hmac-sha384-192": ("sha384", 24),
    "hmac-sha512": ("sha512", 64),
    "hmac-sha512-256": ("sha512", 32),
}
"""Names in `lzc.config`, the hash function, and the octets of the MAC (RFC 8945 §6)."""

_ANY_TTL_0 = b"\x00\xff\x00\x00\x00\x00"
_TIMERS = struct.Struct(">HIH")
_FIXED = struct.Struct(">HIHH")


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
    def room(self) -> int:
        """Octets of a TSIG RR with this key, at most: what `compose` must leave free."""
        return len(self.name) + 10 + len(algorithm_name(self.algorithm)) + 16 + self.mac_size + 6

    @property
    def mac_size(self) -> int:
        """Octets of a MAC."""
        return ALGORITHMS[self.algorithm][1]

    def mac(self, data: bytes) -> bytes:
        """The MAC of ``data``."""
        function, size = ALGORITHMS[self.algorithm]
        return hmac.digest(self.secret, data, function)[:size]


@dataclass(frozen=True, slots=True)
class TsigRR:
    """A TSIG RR as it came. Names are lower-case; times are in seconds; ``start`` is its offset."""

    start: int
    name: bytes
    algorithm: bytes
    time_signed: int
    fudge: int
    mac: bytes
    original_id: int
    error: int
    other: bytes


@dataclass(frozen=True, slots=True)
class TsigResult:
    """The outcome of a check: ``error`` is 0, `BADSIG`, `BADKEY`, `BADTIME`, `BADTRUNC`, or 1
    (FORMERR). ``key`` is our key of that name, ``rr`` the TSIG RR that came (None when it does not
    parse)."""

    error: int
    key: TsigKey | None = None
    rr: TsigRR | None = None

    @property
    def ok(self) -> bool:
        """True when the message is authentic and timely."""
        return self.error == 0

    @property
    def rcode(self) -> int:
        """The RCODE of the answer: NOERROR, FORMERR or NOTAUTH (RFC 8945 §5.2)."""
        return {0: NOERROR, FORMERR: FORMERR}.get(self.error, NOTAUTH)

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
        return len(self.rr.name) + 10 + len(self.rr.algorithm) + 16 + size + 6


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
        original_id, error, length = struct.unpack_from(">HHH", message, position)
        position += 6
        other = message[position : position + length]
    except (InvalidName, struct.error, IndexError) as failure:
        raise ValueError(str(failure)) from None
    if position + length != end or end != len(message):
        raise ValueError("TSIG RDATA of a wrong length")
    return TsigRR(
        start,
        name.lower(),
        algorithm.lower(),
        high << 32 | low,
        fudge,
        mac,
        original_id,
        error,
        other,
    )


def unsigned(message: bytes, rr: TsigRR) -> bytes:
    """The message as it was before its TSIG RR was added, with its original ID."""
    arcount = (message[10] << 8 | message[11]) - 1
    return b"".join(
        (
            rr.original_id.to_bytes(2, "big"),
            message[2:10],
            arcount.to_bytes(2, "big"),
            message[12 : rr.start],
        )
    )


def verify_request(
    message: bytes, keys: Mapping[bytes, TsigKey], now: float, start: int | None = None
) -> TsigResult:
    """Check the TSIG RR of a request, in the order of RFC 8945 §5.2: key, MAC, time, truncation.

    ``keys`` is keyed by `TsigKey.name`; ``now`` in seconds since the epoch; ``start`` the offset of
    the TSIG RR, where known. Never raises: a message without TSIG gives FORMERR.
    """
    return _verify(message, keys, now, b"", start)


def verify_response(message: bytes, key: TsigKey, request_mac: bytes, now: float) -> TsigResult:
    """Check the answer to a request of ours that had ``request_mac``.

    An error that the other side states, authentic or in a TSIG RR without a MAC, is the error of
    the result.
    """
    result = _verify(message, {key.name: key}, now, _prefixed(request_mac), None)
    rr = result.rr
    if rr is not None and rr.error and (result.ok or not rr.mac):
        return TsigResult(rr.error, key, rr)
    return result


def _verify(
    message: bytes, keys: Mapping[bytes, TsigKey], now: float, before: bytes, start: int | None
) -> TsigResult:
    try:
        at = find_tsig(message) if start is None else start
        if not at:
            return TsigResult(FORMERR)
        rr = read(message, at)
    except (ValueError, FormatError):
        return TsigResult(FORMERR)
    key = keys.get(rr.name)
    if key is None or rr.algorithm != algorithm_name(key.algorithm):
        return TsigResult(BADKEY, None, rr)
    error = check_mac(key, rr, before + unsigned(message, rr) + variables(rr))
    if not error:
        error = check_time(rr, now) or (BADTRUNC if len(rr.mac) < key.mac_size else 0)
    return TsigResult(error, key, rr)


def check_mac(key: TsigKey, rr: TsigRR, data: bytes) -> int:
    """0, `BADSIG`, or 1 (FORMERR) for a MAC of a length that RFC 8945 §5.2.2.1 rules out."""
    size = len(rr.mac)
    full = key.mac_size
    if size > full or (size < full and size < max(10, full // 2)):
        return FORMERR
    return 0 if hmac.compare_digest(key.mac(data)[:size], rr.mac) else BADSIG


def check_time(rr: TsigRR, now: float) -> int:
    """0, or `BADTIME` when the clocks differ by more than the fudge (RFC 8945 §5.2.3)."""
    return BADTIME if abs(int(now) - rr.time_signed) > rr.fudge else 0


def variables(rr: TsigRR) -> bytes:
    """The fields of the RR that a MAC covers (RFC 8945 §4.3.3)."""
    return b"".join(
        (
            rr.name,
            _ANY_TTL_0,
            rr.algorithm,
            timers(rr.time_signed, rr.fudge),
            struct.pack(">HH", rr.error, len(rr.other)),
            rr.other,
        )
    )


def timers(time_signed: int, fudge: int = FUDGE) -> bytes:
    """Time signed and fudge as a MAC covers them (RFC 8945 §5.3.1)."""
    return _TIMERS.pack(time_signed >> 32 & 0xFFFF, time_signed & 0xFFFFFFFF, fudge)


def _prefixed(mac: bytes) -> bytes:
    return len(mac).to_bytes(2, "big") + mac


def append(message: bytes, rr: TsigRR) -> bytes:
    """The message with a TSIG RR added; the name stands in it uncompressed."""
    rdata = b"".join(
        (
            rr.algorithm,
            timers(rr.time_signed, rr.fudge),
            _prefixed(rr.mac),
            struct.pack(">HHH", rr.original_id, rr.error, len(rr.other)),
            rr.other,
        )
    )
    arcount = (message[10] << 8 | message[11]) + 1
    return b"".join(
        (
            message[:10],
            arcount.to_bytes(2, "big"),
            message[12:],
            rr.name,
            b"\x00\xfa",
            _ANY_TTL_0,
            len(rdata).to_bytes(2, "big"),
            rdata,
        )
    )


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
    ident = message[0] << 8 | message[1]
    rr = TsigRR(
        0, key.name, algorithm_name(key.algorithm), int(now), FUDGE, b"", ident, error, other
    )
    before = _prefixed(request_mac) if request_mac else b""
    mac = key.mac(b"".join((before, message, variables(rr))))
    return append(message, _with_mac(rr, mac)), mac


def _with_mac(rr: TsigRR, mac: bytes) -> TsigRR:
    return TsigRR(
        0, rr.name, rr.algorithm, rr.time_signed, rr.fudge, mac, rr.original_id, rr.error, rr.other
    )


def sign_request(message: bytes, key: TsigKey, now: float) -> tuple[bytes, bytes]:
    """Sign a request of ours; returns it and the MAC that `verify_response` wants."""
    return sign(message, key, now)


def sign_response(message: bytes, result: TsigResult, now: float) -> bytes:
    """Add to the answer what the check of its request asks for (RFC 8945 §5.3).

    Signed when the request was authentic; with `BADTIME` at the client's time, ours being told
    beside it; without a MAC for `BADKEY` and `BADSIG`; no TSIG RR for FORMERR. The caller sets the
    RCODE to `TsigResult.rcode`.
    """
    rr = result.rr
    if rr is None or result.error == FORMERR:
        return message
    if result.key is None or result.error == BADSIG:
        ident = message[0] << 8 | message[1]
        return append(
            message,
            TsigRR(0, rr.name, rr.algorithm, int(now), FUDGE, b"", ident, result.error, b""),
        )
    if result.error == BADTIME:
        clock = int(now).to_bytes(6, "big")
        signed, _ = sign(message, result.key, rr.time_signed, rr.mac, error=BADTIME, other=clock)
    else:
        signed, _ = sign(message, result.key, now, rr.mac, error=result.error)
    return signed
