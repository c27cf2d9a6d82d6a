"""The algorithms of TSIG (RFC 8945 §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
