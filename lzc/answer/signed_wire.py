"""Signed RRs in wire format, kept so that an answer only copies them.

Owners are compression pointers into the question: to the QNAME for an answer, and to the apex, with
which the QNAME ends, for a denial. The latter are kept as pieces between which the pointer goes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lzc.answer.denial import Owner, Prover, prover_of, rrset_of
from lzc.answer.lua_answer import lua_rrs, rdatas_of
from lzc.answer.planned import Planned
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.dnssec.signing.signer import window
from lzc.lua.plan.format import Outcome
from lzc.wire.message import RRset

MAX_KEPT: Final = 16384
"""Entries of each kind at most; beyond, all are dropped and made again on demand."""
MAX_AROUND: Final = 2048
"""Likewise of what denials of names have in common: some 1,000 octets each."""
MAX_RESULT: Final = 4096
"""Octets of a result of LUA records that is kept, in presentation form and on the wire."""
KEPT_FOR: Final = 60
"""Seconds after which they are made anew from the signer, which knows when a key retires."""

_IN: Final = b"\x00\x01"
_RRSIG: Final = b"\x00\x2e" + _IN
_QNAME: Final = b"\xc0\x0c"


class _Around(NamedTuple):
    """What denials of names with one closest encloser have in common, for one place of the apex in
    the message: ``rrs`` RRs, those that stand ``before`` and ``behind`` the one that is of the
    name, and what their NSEC or NSEC3 RRs are known by. ``pointer`` leads to the apex; ``kind``,
    ``signature`` are the fixed fields of an NSEC or NSEC3 RR and of its RRSIG."""

    prover: Prover
    encloser: bytes
    rrs: int
    before: bytes
    behind: bytes
    known: frozenset[bytes]
    pointer: bytes
    kind: bytes
    signature: bytes


class SignedWire:
    """Signatures over static RRsets, and the signed RRs of denials, for all zones of a bundle.

    All methods raise `SigningFailure` when a zone has no active key here.
    """

    __slots__ = ("_answers", "_around", "_pieces", "_results", "_until")

    def __init__(self) -> None:
        self._answers: dict[tuple[int, bytes, int], tuple[int, bytes]] = {}
        self._pieces: dict[tuple[int, bytes | None], tuple[int, list[bytes]]] = {}
        self._around: dict[tuple[int, bytes, int], _Around] = {}
        self._results: dict[tuple[bytes | int | Outcome, ...], tuple[int, bytes]] = {}
        self._until = 0.0

    def _refresh(self, now: float) -> None:
        self._answers.clear()
        self._pieces.clear()
        self._around.clear()
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
            more, parts = self._pieces_of(zone, owner, now)
            count += more
            wire.append(pointer.join(parts))
        return count, b"".join(wire)

    def missing(
        self, zone: ServedZone, key: bytes, encloser: bytes, apex_offset: int, now: float
    ) -> tuple[int, bytes]:
        """The authority section of an answer that there is no such name, as `denial` has it; names
        are node keys, ``encloser`` is the closest one. Of a flood of random names nothing is kept
        here that is of one name only, and no more done for each than one RR and its signatures."""
        if not self._until - KEPT_FOR <= now < self._until:
            self._refresh(now)
        ident = (zone.zone_id, encloser, apex_offset)
        around = self._around.get(ident) or self._add_around(zone, encloser, apex_offset, now)
        prover, encloser, count, before, behind, known, pointer, kind, signature = around
        owner = prover.closer(zone, key, encloser)
        if owner[0] in known:
            # One RR says several things.
            return count, before + behind
        if not prover.passing:
            found = self._pieces_of(zone, owner, now)
            return count + found[0], b"".join((before, pointer.join(found[1]), behind))
        relative, rdata = prover.relative(owner), prover.rdata(zone, owner)
        rrset = RRset(relative + zone.apex, prover.rrtype, zone.negative_ttl, (rdata,))
        wire = [before, relative, kind, len(rdata).to_bytes(2, "big"), rdata]
        made = zone.signatures(rrset.owner, rrset, now, True)
        for rrsig in made:
            wire += (relative, signature, len(rrsig).to_bytes(2, "big"), rrsig)
        wire.append(behind)
        return count + 1 + len(made), b"".join(wire)

    def _add_around(
        self, zone: ServedZone, encloser: bytes, apex_offset: int, now: float
    ) -> _Around:
        prover = prover_of(zone)
        pointer = (0xC000 | apex_offset).to_bytes(2, "big")
        ttl = zone.negative_ttl.to_bytes(4, "big")
        ident = (zone.zone_id, encloser, apex_offset)
        encloser, owners, others = prover.enclosing(zone, encloser)
        count, before = self.denial(zone, owners, apex_offset, now)
        behind = []
        known = {owner[0] for owner in owners}
        for owner in others:
            if owner[0] not in known:
                more, parts = self._pieces_of(zone, owner, now)
                count += more
                behind.append(pointer.join(parts))
                known.add(owner[0])
        if len(self._around) >= MAX_AROUND:
            self._around.clear()
        found = self._around[ident] = _Around(
            prover,
            encloser,
            count,
            before,
            b"".join(behind),
            frozenset(known),
            pointer,
            pointer + prover.rrtype.to_bytes(2, "big") + _IN + ttl,
            pointer + _RRSIG + ttl,
        )
        return found

    def _pieces_of(self, zone: ServedZone, owner: Owner, now: float) -> tuple[int, list[bytes]]:
        return self._pieces.get((zone.zone_id, owner[0])) or self._add_nsec(zone, owner, now)

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
