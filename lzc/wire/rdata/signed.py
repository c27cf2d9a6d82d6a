"""RDATA that a signer writes, millions of them in the file of a large zone: RRSIG, NSEC and NSEC3
in the forms that all signers use (RFC 4034 §3.2, §4.2, RFC 5155 §3.3).

dnspython takes 0.9 ms a record for them, and this 10 µs. It knows other forms too, and says what is
wrong with what is none of these: whatever is not read here is for `lzc.wire.rdata.rare`.
"""

from __future__ import annotations

import binascii
from base64 import b32hexdecode
from calendar import timegm
from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr

_RRSIG: Final = Struct("!HBBIIIH")
_NSEC3: Final = Struct("!BBHB")
_DAYS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Of each month; a leap day is for dnspython."""
_LATEST_TTL: Final = 2**31 - 1
_HASH: Final = 32
"""Characters of a SHA-1 hash."""


def read_signed(rrtype: int, fields: Sequence[bytes], origin: bytes) -> bytes | None:
    """The RDATA of fields of which none was quoted; `None` for other types and other forms."""
    reader = _READERS.get(rrtype)
    if reader is None:
        return None
    try:
        return reader(fields, origin)
    except (ValueError, IndexError):
        # `Struct.error` is not among these: the numbers are looked at before.
        return None


def _rrsig(fields: Sequence[bytes], origin: bytes) -> bytes:
    covered, algorithm, labels, ttl, expiration, inception, tag, signer = fields[:8]
    signature = binascii.a2b_base64(b"".join(fields[8:]), strict_mode=True)
    if not signature:
        raise ValueError
    head = _RRSIG.pack(
        _type(covered),
        _number(algorithm, 255),
        _number(labels, 255),
        _number(ttl, _LATEST_TTL),
        _time(expiration),
        _time(inception),
        _number(tag, 65535),
    )
    return head + wire_name.from_text(signer, origin) + signature


def _nsec(fields: Sequence[bytes], origin: bytes) -> bytes:
    return wire_name.from_text(fields[0], origin) + _bitmap(tuple(fields[1:]))


def _nsec3(fields: Sequence[bytes], origin: bytes) -> bytes:
    algorithm, flags, iterations, salt, upcoming = fields[:5]
    octets = b"" if salt == b"-" else binascii.unhexlify(salt)
    if len(upcoming) != _HASH or len(octets) > 255 or (salt != b"-" and not octets):
        raise ValueError
    hashed = b32hexdecode(upcoming.upper())
    head = _NSEC3.pack(
        _number(algorithm, 255), _number(flags, 255), _number(iterations, 65535), len(octets)
    )
    return b"".join((head, octets, bytes((len(hashed),)), hashed, _bitmap(tuple(fields[5:]))))


def _number(field: bytes, most: int) -> int:
    if not field.isdigit() or len(field) > 10 or int(field) > most:
        raise ValueError
    return int(field)


@lru_cache(maxsize=4096)
def _time(field: bytes) -> int:
    """Seconds since the epoch, of such or of YYYYMMDDHHmmSS (RFC 4034 §3.2)."""
    if len(field) <= 10:
        return _number(field, 2**32 - 1)
    if len(field) != 14 or not field.isdigit():
        raise ValueError
    month, day = int(field[4:6]), int(field[6:8])
    hour, minute, second = int(field[8:10]), int(field[10:12]), int(field[12:])
    if not (0 < month < 13 and 0 < day <= _DAYS[month] and hour < 24 and max(minute, second) < 60):
        raise ValueError
    found = timegm((int(field[:4]), month, day, hour, minute, second))
    if found >> 32:
        raise ValueError
    return found


@lru_cache(maxsize=4096)
def _type(field: bytes) -> int:
    return rr.from_text(field.decode("ascii"))


@lru_cache(maxsize=4096)
def _bitmap(fields: tuple[bytes, ...]) -> bytes:
    """The Type Bit Maps field (RFC 4034 §4.1.2)."""
    windows: dict[int, bytearray] = {}
    for kind in map(_type, fields):
        if not kind:
            raise ValueError
        windows.setdefault(kind >> 8, bytearray(32))[kind >> 3 & 31] |= 0x80 >> (kind & 7)
    parts = []
    for window, octets in sorted(windows.items()):
        some = bytes(octets).rstrip(b"\0")
        parts.append(bytes((window, len(some))) + some)
    return b"".join(parts)


_READERS: Final[dict[int, Callable[[Sequence[bytes], bytes], bytes]]] = {
    rr.RRSIG: _rrsig,
    rr.NSEC: _nsec,
    rr.NSEC3: _nsec3,
}
