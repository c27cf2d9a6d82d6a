"""Names that know their place in canonical order, and are made once.

A validator compares names all the time, which dnspython does label by label, in Python.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import dns.name

_KEPT: Final = 16384
"""Names that are kept: those of an answer come again in the next ones."""


class OrderedName(dns.name.Name):
    """An absolute name; ``key`` are its labels in lower case, that below the root first, which
    compare as names do in canonical order (RFC 4034 §6.1)."""

    __slots__ = ("_hash", "_parent", "key")
    key: tuple[bytes, ...]
    _hash: int | None
    _parent: OrderedName | None

    def __hash__(self) -> int:
        if self._hash is None:
            # The one of equal names of dnspython: an integer of any size, which Python takes as it
            # is up to its own limit, and hashes beyond.
            made = super().__hash__()
            object.__setattr__(self, "_hash", made if made <= sys.maxsize else hash(made))
        return self._hash  # type: ignore[return-value]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OrderedName):
            return self.key == other.key
        if isinstance(other, dns.name.Name):
            return other.is_absolute() and self.key == _made_key(other.labels)
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: dns.name.Name) -> bool:
        return self.key < _key(other)

    def __le__(self, other: dns.name.Name) -> bool:
        return self.key <= _key(other)

    def __gt__(self, other: dns.name.Name) -> bool:
        return self.key > _key(other)

    def __ge__(self, other: dns.name.Name) -> bool:
        return self.key >= _key(other)

    def is_subdomain(self, other: dns.name.Name) -> bool:
        """Whether it is the other name, or below it."""
        above = _key(other)
        return self.key[: len(above)] == above

    def to_digestable(self, origin: dns.name.Name | None = None) -> bytes:
        """The canonical form (RFC 4034 §6.2); an absolute name takes no origin."""
        del origin
        return b"".join([bytes((len(label),)) + label for label in self.key[::-1]]) + b"\0"

    def parent(self) -> OrderedName:
        """The name above. Raises `dns.name.NoParent` for the root."""
        if not self.key:
            raise dns.name.NoParent
        if self._parent is None:
            object.__setattr__(self, "_parent", of_labels(self.labels[1:]))
        return self._parent  # type: ignore[return-value]


def _key(name: dns.name.Name) -> tuple[bytes, ...]:
    if isinstance(name, OrderedName):
        return name.key
    return _made_key(name.labels)


def _made_key(labels: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple([label.lower() for label in labels[-2::-1]])


@lru_cache(_KEPT)
def of_labels(labels: tuple[bytes, ...]) -> OrderedName:
    """The absolute name with such labels, the root's included, which make a name."""
    made = object.__new__(OrderedName)
    put = object.__setattr__
    put(made, "labels", labels)
    put(made, "key", _made_key(labels))
    put(made, "_hash", None)
    put(made, "_parent", None)
    return made


@lru_cache(_KEPT)
def of_wire(wire: bytes) -> OrderedName:
    """The name of uncompressed wire format."""
    labels = []
    position = 0
    while length := wire[position]:
        position += 1
        labels.append(wire[position : position + length])
        position += length
    return of_labels((*labels, b""))


def ordered(name: dns.name.Name) -> OrderedName:
    """The same absolute name."""
    return name if isinstance(name, OrderedName) else of_labels(name.labels)


def shared(one: dns.name.Name, other: dns.name.Name) -> int:
    """How many labels two names have in common at their ends, the root's counted."""
    count = 1
    for mine, theirs in zip(_key(one), _key(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
