"""What a transfer of a zone takes that is not handed out as the bundle has it (`lzc.forms`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lzc.answer.transfer_access import Handed
from lzc.bundle.zone_info import ZoneInfo


class Changes(Protocol):
    """Difference sequences from a client's serial on, of so many ``octets``; close them."""

    @property
    def octets(self) -> int:
        """Of the RRs."""

    @property
    def made(self) -> bytes | None:
        """The sequences as blocks of a file, where they are in memory and right."""

    def verified(self) -> Iterator[None]:
        """What is to be done before they are sent. Raises `BundleError` where they cannot be."""

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """The sequences: how many RRs, and their octets."""

    def close(self) -> None:
        """Let go of what they are read from."""


class Publication(Protocol):
    """A zone in a form of its own, as it is at one moment; close it. ``serial`` is that of the
    form, ``soa`` is the SOA RR with its owner as ``C0 0C``, ``soa_signatures`` are RDATA of the
    RRSIGs over it."""

    @property
    def serial(self) -> int:
        """Of this form."""

    @property
    def transfer_length(self) -> int:
        """Octets of its RRs."""

    @property
    def soa(self) -> bytes:
        """One RR."""

    @property
    def soa_signatures(self) -> tuple[bytes, ...]:
        """None where the form is not signed."""

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """All RRs but the SOA, a few at a time: how many, and their octets as in an AXFR."""

    def increments(self, serial: int) -> Changes | None:
        """The way of a client from an older serial; `None` where that is not known, or no shorter
        than the whole."""

    def close(self) -> None:
        """Let go of what it was read from."""


class Publications(Protocol):
    """Finds what was published."""

    def find(self, zone: ZoneInfo, what: Handed) -> Publication | None:
        """A zone in a form; `None` where it is not made yet, or cannot be read."""


class _Nothing:
    def find(self, zone: ZoneInfo, what: Handed) -> Publication | None:
        return None


NOTHING_PUBLISHED: Publications = _Nothing()
