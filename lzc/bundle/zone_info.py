"""What a bundle says about each of its zones."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, fields

from lzc import foreign_json
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial
from lzc.powerdns_versions import LATEST, shown


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """The public half of a DNSSEC key: key tag, algorithm number, DNSKEY flags, DNSKEY RDATA."""

    tag: int
    algorithm: int
    flags: int
    dnskey: bytes

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK that is not revoked: one to have a DS at the parent (RFC 4034
        §2.1.1, RFC 5011 §2.1)."""
        return self.flags & 0x0081 == 0x0001


@dataclass(frozen=True, slots=True)
class ZoneInfo:
    """A zone of a bundle.

    ``apex`` is the lower-case wire name; ``zone_id`` numbers the zone within its bundle; ``digest``
    (hex SHA-256) covers the content without the serial; ``soa_ttl`` and ``soa_minimum`` are in
    seconds; ``records`` counts what a transfer carries, the SOA once. ``transfer_offset``,
    ``transfer_length`` (octets) and ``transfer_messages`` place its AXFR in the bundle.
    ``source_serial`` is what its SOA record said in the source. ``powerdns`` is the version whose
    answers its LUA records give, and ``blanks`` says whether their strings are joined with blanks.
    ``denial`` is how a signed zone denies what it does not have. ``presigned``: its signatures are
    those of its source, of which the first expires at ``signatures_end``, seconds since the epoch.
    ``lua_records`` are counted whether or not they answer; -1 where they were not.
    ``catalog``: it is for consumers of it alone (RFC 9432), and refused to all others.
    """

    apex: bytes
    zone_id: int
    serial: int
    signed: bool
    lua: bool
    digest: str
    soa_ttl: int
    soa_minimum: int
    records: int
    transfer_offset: int = 0
    transfer_length: int = 0
    transfer_messages: int = 0
    keys: tuple[ZoneKey, ...] = ()
    source_serial: int = 0
    powerdns: str = shown(LATEST)
    blanks: bool = False
    denial: Denial = NSEC_CHAIN
    presigned: bool = False
    signatures_end: int = 0
    lua_records: int = -1
    catalog: bool = False

    @property
    def negative_ttl(self) -> int:
        """Seconds a negative answer may be kept (RFC 2308 §5; RFC 9077 for NSEC)."""
        return min(self.soa_ttl, self.soa_minimum)

    @property
    def may_have_lua(self) -> bool:
        """Whether a transfer of it may carry LUA records."""
        return self.lua_records != 0

    @property
    def is_signed_here(self) -> bool:
        """Whether lzc signs it."""
        return self.signed and not self.presigned

    def to_json(self) -> bytes:
        """Canonical JSON: the same zone always gives the same octets."""
        values = {name: getattr(self, name) for name in _PLAIN}
        if not self.catalog:
            # What most zones are need not be said.
            del values["catalog"]
        values["apex"] = base64.b64encode(self.apex).decode()
        values["denial"] = str(self.denial)
        values["keys"] = [
            [key.tag, key.algorithm, key.flags, base64.b64encode(key.dnskey).decode()]
            for key in self.keys
        ]
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> ZoneInfo:
        """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` otherwise."""
        values = foreign_json.parse(text)
        values["apex"] = base64.b64decode(values["apex"])
        values["denial"] = Denial.from_text(values["denial"])
        values["keys"] = tuple(
            ZoneKey(tag, algorithm, flags, base64.b64decode(dnskey))
            for tag, algorithm, flags, dnskey in values["keys"]
        )
        return cls(**values)


_PLAIN = [field.name for field in fields(ZoneInfo) if field.name not in ("apex", "denial", "keys")]
