"""Signed RRs in wire format, kept so that an answer only copies them.

Owners are compression pointers into the question: to the QNAME for an answer, and to the apex, with
which the QNAME ends, for a denial. The latter are kept as pieces between which the pointer goes.
"""

from __future__ import annotations

from typing import Final

from lzc.answer.denial import Owner, rrset_of
from lzc.answer.lua_answer import lua_rrs, rdatas_of
from lzc.answer.planned import Planned
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.dnssec.signing.signer import window
from lzc.lua.plan.format import Outcome
from lzc.wire.message import RRset

MAX_KEPT: Final = 16384
"""Entries of each kind at most; beyond, all are dropped and made again on demand."""
MAX_RESULT: Final = 4096
"""Octets of a result of LUA records that is kept, in presentation form and on the wire."""
KEPT_FOR: Final = 60
"""Seconds after which they are made anew from the signer, which knows when a key retires."""

_IN: Final = b"\x00\x01"
_RRSIG: Final = b"\x00\x2e" + _IN
_QNAME: Final = b"\xc0\x0c"


class SignedWire:
    """Signatures over static RRsets, and the signed RRs of denials, for all zones of a bundle.

    All methods raise `SigningFailure` when a zone has no active key here.
    """

    __slots__ = ("_answers", "_pieces", "_results", "_until")

    def __init__(self) -> None:
        self._answers: dict[tuple[int, bytes, int], tuple[int, bytes]] = {}
        self._pieces: dict[tuple[int, bytes | None], tuple[int, list[bytes]]] = {}
        self._results: dict[tuple[bytes | int | Outcome, ...], tuple[int, bytes]] = {}
        self._until = 0.0

    def _refresh(self, now: float) -> None:
        self._answers.clear()
        self._pieces.clear()
        self._results.clear()
        self._until = min(now + KEPT_FOR, window(now).valid_until)

    def of_blob(
        self, zone: ServedZone, key: bytes, name: bytes, qtype: int, blob: bytes, now: float
    ) -> tuple[int, bytes]:
        """The RRSIGs over a static RRset at the QNAME ``name``, given as the blob of its node: how
        many, and their wire format."""
        if not self._until - KEPT_FOR <= now < self._until:
            self._refresh(now)
        found = self._answers.get((zone.zone_id, key, qtype))
        if found is None:
            rdatas = tuple(nodes.rdatas(blob))
            rrset = RRset(name, qtype, int.from_bytes(blob[6:10], "big"), rdatas)
            found = self.of_rrset(zone, rrset, now)
            if len(self._answers) >= MAX_KEPT:
                self._answers.clear()
            self._answers[zone.zone_id, key, qtype] = found
        return found

    def of_lua(
        self, zone: ServedZone, name: bytes, qtype: int, ttl: int, texts: list[bytes], now: float
    ) -> tuple[int, bytes]:
        """What LUA records gave for the QNAME ``name``, in presentation form, as RRs with their
        RRSIGs: how many, and their wire format. Raises `LuaFailure` for what is no RDATA."""
        if not self._until - KEPT_FOR <= now < self._until:
            self._refresh(now)
        ident: tuple[bytes | int | Outcome, ...] = (name, qtype, *texts)
        found = self._results.get(ident)
        if found is None:
            made = lua_rrs(qtype, ttl, texts, zone.powerdns)
            rrset = RRset(name, qtype, ttl, tuple(rdatas_of(qtype, texts, zone.powerdns)))
            found = self._keep_result(zone, ident, made, rrset, now)
        return found

    def of_plan(
        self, zone: ServedZone, name: bytes, planned: Planned, outcome: Outcome, now: float
    ) -> tuple[int, bytes]:
        """An outcome of the plan for the QNAME ``name`` as RRs with their RRSIGs: how many, and
        their wire format."""
        if not self._until - KEPT_FOR <= now < self._until:
            self._refresh(now)
        qtype = planned.covered
        ident = (name, qtype, outcome)
        found = self._results.get(ident)
        if found is None:
            rrset = RRset(name, qtype, planned.ttl, tuple(planned.rdatas(outcome)))
            found = self._keep_result(zone, ident, planned.wire(outcome), rrset, now)
        return found

    def _keep_result(
        self,
        zone: ServedZone,
        ident: tuple[bytes | int | Outcome, ...],
        made: tuple[int, bytes],
        rrset: RRset,
        now: float,
    ) -> tuple[int, bytes]:
        more, signatures = self.of_rrset(zone, rrset, now)
        found = made[0] + more, made[1] + signatures
        if len(found[1]) + sum(len(part) for part in ident if isinstance(part, bytes)) > MAX_RESULT:
            return found
        if len(self._results) >= MAX_KEPT:
            self._results.clear()
        self._results[ident] = found
        return found

    def of_rrset(self, zone: ServedZone, rrset: RRset, now: float) -> tuple[int, bytes]:
        """The RRSIGs over an RRset at the QNAME, not kept here."""
        head = _QNAME + _RRSIG + rrset.ttl.to_bytes(4, "big")
        made = zone.signatures(rrset.owner, rrset, now)
        return len(made), b"".join([head + len(rdata).to_bytes(2, "big") + rdata for rdata in made])

    def denial(
        self, zone: ServedZone, owners: list[Owner], apex_offset: int, now: float
    ) -> tuple[int, bytes]:
        """The authority section of a denial: SOA, the NSEC or NSEC3 RRs of ``owners``, and all
        their RRSIGs, for owners without types that are left out.
        How many RRs, and their wire format for a message with the apex at ``apex_offset``."""
        if not self._until - KEPT_FOR <= now < self._until:
            self._refresh(now)
        pieces = self._pieces
        pointer = (0xC000 | apex_offset).to_bytes(2, "big")
        count, parts = pieces.get((zone.zone_id, None)) or self._add_soa(zone, now)
        wire = [pointer.join(parts)]
        for owner in owners:
            more, parts = pieces.get((zone.zone_id, owner[0])) or self._add_nsec(zone, owner, now)
            count += more
            wire.append(pointer.join(parts))
        return count, b"".join(wire)

    def _add_soa(self, zone: ServedZone, now: float) -> tuple[int, list[bytes]]:
        ttl = zone.negative_ttl.to_bytes(4, "big")
        signed = [
            _RRSIG + ttl + len(rdata).to_bytes(2, "big") + rdata
            for rdata in zone.signatures(zone.apex, zone.soa, now)
        ]
        return self._keep((zone.zone_id, None), 1 + len(signed), [*zone.soa_parts, *signed])

    def _add_nsec(self, zone: ServedZone, owner: Owner, now: float) -> tuple[int, list[bytes]]:
        rrset = rrset_of(zone, owner)
        relative = rrset.owner[: len(rrset.owner) - len(zone.apex)]
        ttl = zone.negative_ttl.to_bytes(4, "big")
        rrs = [(rrset.rrtype.to_bytes(2, "big") + _IN, rrset.rdatas[0])]
        rrs += [(_RRSIG, rdata) for rdata in zone.signatures(rrset.owner, rrset, now)]
        parts = [relative]
        for kind, rdata in rrs:
            parts.append(kind + ttl + len(rdata).to_bytes(2, "big") + rdata + relative)
        parts[-1] = parts[-1][: len(parts[-1]) - len(relative)]
        return self._keep((zone.zone_id, owner[0]), len(rrs), parts)

    def _keep(
        self, key: tuple[int, bytes | None], count: int, parts: list[bytes]
    ) -> tuple[int, list[bytes]]:
        if len(self._pieces) >= MAX_KEPT:
            self._pieces.clear()
        self._pieces[key] = (count, parts)
        return count, parts
