"""How a zone denies what it does not have, and NSEC3 (RFC 5155) as octets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha1
from typing import Final, Self

HASH: Final = 20
"""Octets of a hash: SHA-1, the one algorithm there is (RFC 5155 §11)."""

_SHA1: Final = 1
_OPT_OUT: Final = 1
_SPACE: Final = 1 << 8 * HASH

_CHARACTERS: Final = 32
"""Of a hash in base32."""
_BASE32HEX: Final = b"0123456789abcdefghijklmnopqrstuv" + bytes(224)
_OCTETS: Final = [bytes((value,)) for value in range(256)]


def _halves() -> tuple[tuple[int, int, int], ...]:
    """Steps that move the halves of numbers of 160, 80, 40, 20 and 10 bits apart, all that stand in
    a row at once: the mask of the upper halves, by how many bits, and the mask of the lower."""
    found = []
    bits, room = 8 * HASH // 2, 8 * _CHARACTERS // 2
    while bits >= 5:
        places = range(0, 8 * _CHARACTERS, 2 * room)
        low = sum((1 << bits) - 1 << place for place in places)
        found.append((low << bits, room - bits, low))
        bits, room = bits // 2, room // 2
    return tuple(found)


_HALVES: Final = _halves()


class Way(StrEnum):
    """What proves that there is nothing: NSEC RRs from name to name, NSEC3 RRs from hash to hash,
    NSEC3 RRs made around what was asked for, or an NSEC RR at what was asked for (RFC 9824)."""

    NSEC = "nsec"
    NSEC3 = "nsec3"
    NARROW = "nsec3-narrow"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Denial:
    """The way, and what NSEC3 goes by: ``iterations`` after the first hash (RFC 9276 wants none),
    ``salt`` of at most 255 octets (likewise), and ``opt_out``, which leaves delegations that are
    not signed out of the chain (RFC 5155 §6)."""

    way: Way = Way.NSEC
    iterations: int = 0
    salt: bytes = b""
    opt_out: bool = False

    @property
    def is_hashed(self) -> bool:
        """Whether it takes NSEC3 RRs."""
        return self.way in (Way.NSEC3, Way.NARROW)

    @property
    def parameters(self) -> str:
        """Algorithm, flags, iterations and salt in presentation format (RFC 5155 §3.3), as
        ``pdnsutil set-nsec3`` takes them."""
        return f"{_SHA1} {int(self.opt_out)} {self.iterations} {self.salt.hex() or '-'}"

    def __str__(self) -> str:
        """The way, and the parameters where it has any: ``nsec3 1 0 0 -``."""
        return f"{self.way} {self.parameters}" if self.is_hashed else str(self.way)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `str` gives of one. Raises `ValueError` for anything else."""
        way, *parameters = text.split(" ")
        if not parameters:
            return cls(Way(way))
        algorithm, flags, iterations, salt = parameters
        found = cls(
            Way(way), int(iterations), bytes.fromhex("" if salt == "-" else salt), flags == "1"
        )
        if int(algorithm) != _SHA1 or str(found) != text:
            raise ValueError(f"no denial of existence: {text!r}")
        return found

    def hash(self, name: bytes) -> bytes:
        """The hash of a lower-case wire name (RFC 5155 §5)."""
        salt = self.salt
        digest = sha1(name + salt, usedforsecurity=False).digest()
        for _ in range(self.iterations):
            digest = sha1(digest + salt, usedforsecurity=False).digest()
        return digest

    def hashes(self, relatives: list[bytes], apex: bytes) -> list[bytes]:
        """The hashes of many names, which are relative to an apex."""
        if self.iterations:
            return [self.hash(relative + apex) for relative in relatives]
        # Three quarters of the time of a call for each.
        behind = apex + self.salt
        return [sha1(one + behind, usedforsecurity=False).digest() for one in relatives]

    @property
    def parameters_rdata(self) -> bytes:
        """The NSEC3PARAM RDATA of the zone; it tells nobody of opt-out (RFC 5155 §4.1.2)."""
        return self._fixed(0)

    @property
    def head(self) -> bytes:
        """NSEC3 RDATA up to the next hashed owner (RFC 5155 §3.2)."""
        return self._fixed(_OPT_OUT if self.opt_out else 0) + bytes((HASH,))

    def _fixed(self, flags: int) -> bytes:
        salt = bytes((len(self.salt),)) + self.salt
        return bytes((_SHA1, flags)) + self.iterations.to_bytes(2, "big") + salt


NSEC_CHAIN: Final = Denial()
"""The way where nothing else is said, and of zones that are not signed."""


def label(digest: bytes) -> bytes:
    """The first label of an NSEC3 owner, its length in front (RFC 5155 §3, RFC 4648 §7)."""
    # All groups of five bits at once, which are moved apart by halves until each has an octet: 1 µs
    # where base64.b32hexencode takes 2.8.
    spread = int.from_bytes(digest, "big")
    for high, by, low in _HALVES:
        spread = (spread & high) << by | spread & low
    return b"\x20" + spread.to_bytes(_CHARACTERS, "big").translate(_BASE32HEX)


def neighbours(digest: bytes) -> tuple[bytes, bytes]:
    """The hashes right before and right behind another."""
    last = digest[-1]
    if 0 < last < 255:
        head = digest[:-1]
        return head + _OCTETS[last - 1], head + _OCTETS[last + 1]
    return shifted(digest, -1), shifted(digest, 1)


def shifted(digest: bytes, by: int) -> bytes:
    """The hash that comes so many behind another; they go round in a circle."""
    return ((int.from_bytes(digest, "big") + by) % _SPACE).to_bytes(HASH, "big")
