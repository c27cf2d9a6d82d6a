"""The signatures of a presigned zone, in place of a signer."""

from __future__ import annotations

from collections.abc import Sequence

from lzc.bundle.reader import ZoneView
from lzc.wire.name import key_of


class StoredSignatures:
    """Gives the RRSIGs that the zone's source has. They are what they are: the same at each time,
    and over nothing that the source does not have."""

    __slots__ = ("_apex", "_find")

    def __init__(self, view: ZoneView) -> None:
        self._apex = view.apex
        self._find = view.signatures

    def sign(
        self,
        owner: bytes,
        rrtype: int,
        ttl: int,
        rdatas: Sequence[bytes],
        now: float,
        passing: bool = False,
    ) -> tuple[bytes, ...]:
        """As `lzc.dnssec.signing.signer.ZoneSigner.sign`."""
        return self._find(key_of(owner, self._apex), rrtype)
