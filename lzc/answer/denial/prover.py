"""What each way of denial of existence has to know."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from lzc.answer.zone import ServedZone

Owner = tuple[bytes, bytes, frozenset[int]]
"""An NSEC or NSEC3 RR: what it is known by in its zone, what it is made from, and the types that
are left out of its bitmap: those of LUA records that gave an empty list for this query. It would
otherwise deny what it proves, and validators would call it bogus."""

NOTHING: Final[frozenset[int]] = frozenset()


class Enclosing(NamedTuple):
    """What proofs that names do not exist have in common, for all names with one closest encloser:
    the ``encloser`` that they are about, and the RRs that stand ``before`` and ``behind`` the one
    that is of the name."""

    encloser: bytes
    before: list[Owner]
    behind: list[Owner]


class Prover(Protocol):
    """Says which RRs prove what, and makes them. Names are node keys."""

    rrtype: int
    """NSEC or NSEC3."""
    passing: bool
    """Whether the RR that says of a name that it does not exist is of that name alone."""

    def enclosing(self, zone: ServedZone, encloser: bytes) -> Enclosing:
        """The part of such a proof that does not depend on the name; ``encloser`` is the closest
        one."""
        ...

    def closer(self, zone: ServedZone, key: bytes, encloser: bytes) -> Owner:
        """The RR that says of a name that it does not exist; ``encloser`` is that of
        `enclosing`."""
        ...

    def missing(self, zone: ServedZone, key: bytes, encloser: bytes) -> list[Owner]:
        """Proof that neither a name nor a wildcard for it exists; ``encloser`` is the closest
        one."""
        ...

    def nodata(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """Proof that a name exists without the type, or is delegated without DS."""
        ...

    def wildcard_nodata(
        self, zone: ServedZone, key: bytes, wildcard: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """Proof that a name does not exist, and that the wildcard for it, whose node is given, has
        no such type."""
        ...

    def expanded(self, zone: ServedZone, key: bytes, wildcard: bytes) -> list[Owner]:
        """Proof that a name that a wildcard stands in for does not itself exist."""
        ...

    def relative(self, owner: Owner) -> bytes:
        """The owner name of the RR in wire form, without the apex."""
        ...

    def rdata(self, zone: ServedZone, owner: Owner) -> bytes:
        """The RDATA of the RR."""
        ...
