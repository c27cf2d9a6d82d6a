"""Names of a zone file, read fast: most differ from a known one only in their first label."""

from __future__ import annotations

from typing import Final

from lzc.wire import name as wire_name
from lzc.wire.name import InvalidName

LABELS: Final = {size: bytes((size,)) for size in range(1, 64)}
"""The length octet of each possible label."""

ABSOLUTE: Final = b"\x00"
"""Stands for the suffix of ``www.``; no name as written holds this octet."""

MAX_KEPT: Final = 100_000
"""Entries of a table at most; a file of names without common suffixes starts it anew."""


class NameTables:
    """The wire names and node keys that complete a first label, for one origin.

    Tables are indexed by what stands after a name's first dot as written: ``b""`` for ``www`` (the
    origin follows); for ``www.``, where nothing follows the dot, by `ABSOLUTE`. They only serve
    names without escapes; `key` reads any name.
    """

    __slots__ = ("apex", "origin", "prefixes", "tails")

    def __init__(self, origin: bytes, apex: bytes) -> None:
        self.origin = origin
        self.apex = apex
        self.prefixes: dict[bytes, bytes] = {}
        """Node key of the suffix, up to where the first label's octets go."""
        self.tails: dict[bytes, bytes] = {}
        """Wire name of the suffix."""

    def learn_prefix(self, suffix: bytes) -> bytes:
        """Fill in ``prefixes[suffix]``. Raises `InvalidName` where `key` must decide: suffixes
        outside the zone or so long that a first label may be too much."""
        parent = self._suffix(suffix).lower()
        if not wire_name.is_subdomain(parent, self.apex):
            raise InvalidName("outside the zone")
        key = wire_name.key_of(parent, self.apex)
        if len(self.prefixes) >= MAX_KEPT:
            self.prefixes.clear()
        prefix = self.prefixes[suffix] = key + b"\x00" if key else b""
        return prefix

    def learn_tail(self, suffix: bytes) -> bytes:
        """Fill in ``tails[suffix]``. Raises `InvalidName` as `learn_prefix` does."""
        if len(self.tails) >= MAX_KEPT:
            self.tails.clear()
        tail = self.tails[suffix] = self._suffix(suffix)
        return tail

    def _suffix(self, suffix: bytes) -> bytes:
        if not suffix:
            parent = self.origin
        elif suffix == ABSOLUTE:
            parent = wire_name.ROOT
        elif suffix == b".":
            raise InvalidName("two dots in a row")
        else:
            parent = wire_name.from_text(suffix, self.origin)
        if len(parent) + wire_name.MAX_LABEL + 1 > wire_name.MAX_NAME:
            raise InvalidName("too long for the table")
        return parent

    def key(self, text: bytes) -> bytes | None:
        """The node key of an owner as written, or None when it is outside the zone.

        Raises `InvalidName`.
        """
        owner = wire_name.from_text(text, self.origin).lower()
        if not wire_name.is_subdomain(owner, self.apex):
            return None
        return wire_name.key_of(owner, self.apex)
