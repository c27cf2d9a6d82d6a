"""Signatures of a zone that is signed beforehand: how long they hold, and RRs with them.

They begin an hour ago and hold for two weeks, but for up to three days, by which the names of a
zone differ: so each day a part of them is made anew, and not all on one day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import Final
from zlib import crc32

from lzc.bundle import node as nodes
from lzc.dnssec.algorithms import Sign
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.signer import roles
from lzc.forms.entry import RRset
from lzc.image.delta import rr_end
from lzc.wire import rrtype as rr
from lzc.wire.rdata import canonical

HOUR: Final = 3600
BEFORE: Final = HOUR
"""Seconds that signatures are valid before they are made: clocks differ."""
VALIDITY: Final = 14 * 86400
"""Seconds that they are valid from then on, less what they are spread by."""
SPREAD: Final = 72
"""Hours by which they are, at most."""
REFRESH: Final = 5 * 86400
"""Seconds before they expire from which on they are made anew."""

_NAMELESS: Final = frozenset({1, 13, 16, 28, 43, 47, 48, 50, 51, 52, 59, 60, 64, 65, 257})
"""Types whose RDATA is canonical as it stands (RFC 4034 §6.2, RFC 6840 §5.1)."""
_RRSIG: Final = Struct(">HBBIIIH").pack
_RR: Final = Struct(">HHIH").pack
_POINTER: Final = b"\xc0\x0c"
_HEADS: Final = 4096


class FormSigner:
    """Signs the RRsets of one zone at one time, with the keys that are active then; ``mark`` tells
    these from others, ``in_token`` whether one lies in a token. Raises `ValueError` where none is
    active."""

    def __init__(self, apex: bytes, keys: Iterable[SigningKey], now: float) -> None:
        chosen = roles(keys, now)
        if not chosen.data:
            raise ValueError("no key is active")
        self.apex = apex
        self.now = int(now)
        self._data, self._keys = chosen
        self.in_token = any(key.token is not None for some in chosen for key in some)
        digest = sha256(apex)
        for some in chosen:
            digest.update(len(some).to_bytes(2, "big") + b"".join(key.dnskey for key in some))
        self.mark = digest.hexdigest()[:32]
        self._heads: dict[tuple[int, int, int, int], list[tuple[bytes, Sign]]] = {}

    def expiration(self, relative: bytes) -> int:
        """When signatures at a name expire; its labels below the apex decide."""
        spread = crc32(relative) % SPREAD
        return self.now // HOUR * HOUR + VALIDITY - spread * HOUR

    def sign(self, relative: bytes, labels: int, rrset: RRset, expires: int) -> list[bytes]:
        """The RRSIG RRs over an RRset whose RRs are as in a transfer; ``labels`` as the field of
        RRSIG has it."""
        rrtype, count, rrs = rrset
        behind = len(relative) + 2
        owner = relative + self.apex
        ttl = int.from_bytes(rrs[behind + 4 : behind + 8], "big")
        if count == 1 and rrtype in _NAMELESS:
            signed = owner + rrs[behind:]
        else:
            signed = _canonical(rrtype, owner, behind, rrs, ttl)
        made = []
        for head, sign in self._signers(rrtype, ttl, labels, expires):
            rdata = head + sign(head + signed)
            made.append(relative + _POINTER + _RR(rr.RRSIG, 1, ttl, len(rdata)) + rdata)
        return made

    def _signers(
        self, rrtype: int, ttl: int, labels: int, expires: int
    ) -> list[tuple[bytes, Sign]]:
        which = (rrtype, ttl, labels, expires)
        found = self._heads.get(which)
        if found is None:
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            times = expires, self.now - BEFORE
            found = self._heads[which] = [
                (_RRSIG(rrtype, key.algorithm, labels, ttl, *times, key.tag) + self.apex, key.sign)
                for key in self._signing(rrtype)
            ]
        return found

    def _signing(self, rrtype: int) -> Sequence[SigningKey]:
        if rrtype == rr.DNSKEY:
            return self._keys
        if rrtype in (rr.CDS, rr.CDNSKEY):
            more = [key for key in self._keys if not key.is_revoked and key not in self._data]
            return [*self._data, *more]
        return self._data


def _canonical(rrtype: int, owner: bytes, behind: int, rrs: bytes, ttl: int) -> bytes:
    """The RRs of an RRset as they are signed (RFC 4034 §3.1.8.1)."""
    rdatas = []
    position = 0
    while position < len(rrs):
        end = rr_end(rrs, position)
        rdata = rrs[position + behind + 10 : end]
        rdatas.append(rdata if rrtype in _NAMELESS else canonical(rrtype, rdata))
        position = end
    return b"".join(
        [owner + _RR(rrtype, 1, ttl, len(rdata)) + rdata for rdata in sorted(set(rdatas))]
    )


def labels_in(relative: bytes, apex_labels: int) -> int:
    """The Labels field of the RRSIG over what stands there (RFC 4034 §3.1.3)."""
    count = position = 0
    while position < len(relative):
        position += 1 + relative[position]
        count += 1
    return apex_labels + count - (relative[:2] == b"\x01*")


def with_owner(relative: bytes, blob: bytes, count: int) -> bytes:
    """The RRs of a node's blob with their owner in front of each."""
    if count == 1:
        return relative + blob
    parts = []
    position = 0
    while position < len(blob):
        end = position + nodes.RR_HEAD + (blob[position + 10] << 8 | blob[position + 11])
        parts.append(relative + blob[position:end])
        position = end
    return b"".join(parts)


def one_rr(relative: bytes, rrtype: int, ttl: int, rdata: bytes) -> RRset:
    """An RRset of one RR."""
    return RRset(rrtype, 1, relative + _POINTER + _RR(rrtype, 1, ttl, len(rdata)) + rdata)
