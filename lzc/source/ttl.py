"""TTLs as zone files write them: seconds, or numbers with units (``1h30m``)."""

from __future__ import annotations

from typing import Final

from lzc.wire.rdata import seconds

MAX_TTL: Final = 2**31 - 1
"""Seconds at most (RFC 2181 §8)."""


def parse(text: bytes) -> int:
    """Seconds, 0 to `MAX_TTL`. Units are s, m, h, d and w, in any case and order, added up.

    Raises `ValueError`, which says what is wrong, for anything else and for values out of range.
    """
    if text.isdigit():
        digits = text.lstrip(b"0") or b"0"
        value = int(digits) if len(digits) <= 10 else MAX_TTL + 1
    else:
        try:
            value = seconds(text)
        except ValueError:
            raise ValueError(
                f"'{text.decode('utf-8', 'replace')}' is no TTL: "
                "expected seconds, or numbers with units such as 1h30m"
            ) from None
    if value > MAX_TTL:
        raise ValueError(f"a TTL is at most {MAX_TTL} seconds (RFC 2181 §8)")
    return value
