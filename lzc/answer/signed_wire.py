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
from lzc.dnssec.signing.cache import Head, Unsigned, window
from lzc.dnssec.signing.signer import labels_of
from lzc.lua.plan.format import Outcome
from lzc.wire import rrtype
from lzc.wire.message import RRset

MAX_KEPT: Final = 16384
"""Entries of each kind at most; beyond, all are dropped and made again on demand."""
MAX_AROUND: Final = 2048
"""Likewise of what denials of names have in common: some 1,000 octets each."""
MAX_RESULT: Final = 4096
"""Octets of a result of LUA records that is kept, in presentation form and on the wire."""
MAX_HEADS: Final = 4096
"""Likewise of what goes before signatures."""
KEPT_FOR: Final = 60
"""Seconds after which they are made anew from the signer, which knows when a key retires."""

_IN: Final = b"\x00\x01"
_RRSIG: Final = b"\x00\x2e" + _IN
_QNAME: Final = b"\xc0\x0c"
_WILDCARD: Final = b"\x01*"
_NSEC3: Final = rrtype.NSEC3

SignedRRs = tuple[int, bytes, Unsigned | None, bytes]
"""How many RRs, and their octets before and behind a signature that is yet to be made, if there is
one."""


class _Around(NamedTuple):
    """What denials of names with one closest encloser have in common, for one place of the apex in
    the message: ``rrs`` RRs, those that stand ``before`` and ``behind`` the one that is of the
    name, and what their NSEC or NSEC3 RRs are known by. ``pointer`` leads to the apex; ``fixed``
    are type, class and TTL of an NSEC or NSEC3 RR."""

    prover: Prover
    encloser: bytes
    rrs: int
    before: bytes
    behind: bytes
    known: frozenset[bytes]
    pointer: bytes
    fixed: bytes


class _Piece(NamedTuple):
    """An NSEC or NSEC3 RR, or an SOA RR, with its RRSIGs: how many ``rrs``, and their ``parts``
    between which a pointer to the apex goes. Behind these goes a signature that is yet to be made,
    if there is one."""

    rrs: int
    parts: list[bytes]
    unsigned: Unsigned | None


class SignedWire:
    """Signatures over static RRsets, and the signed RRs of denials, for all zones of a bundle.

    All methods raise `SigningFailure` when a zone has no active key here.
    """

    __slots__ = ("_answers", "_around", "_heads", "_pieces", "_results", "_since", "_until")

    def __init__(self) -> None:
        self._answers: dict[tuple[int, bytes, int], tuple[int, bytes]] = {}
        self._heads: dict[tuple[ServedZone, int, bytes], Head | None] = {}
        self._pieces: dict[tuple[int, bytes | None], _Piece] = {}
        self._around: dict[tuple[int, bytes, int], _Around] = {}
        self._results: dict[tuple[bytes | int | Outcome, ...], tuple[int, bytes]] = {}
        self._since = self._until = 0.0

    def _refresh(self, now: float) -> None:
        self._answers.clear()
        self._heads.clear()
        self._pieces.clear()
        self._around.clear()
        self._results.clear()
        self._since = now
        self._until = min(now + KEPT_FOR, window(now).valid_until)

    def over_blob(
        self, zone: ServedZone, key: bytes, name: bytes, count: int, blob: bytes, now: float
    ) -> SignedRRs:
        """The RRSIGs over a static RRset at the QNAME ``name``, given as the blob of its node with
        ``count`` RRs."""
        if not self._since <= now < self._until:
            self._refresh(now)
        # Labels of a node key end at 0. Type, class and TTL are taken as they stand.
        head = self._head(zone, key.count(b"\x00") + 1 if key else 0, blob[2:10], now)
        if head is None or name.startswith(_WILDCARD):
            return (*self._over_blob(zone, key, name, blob, now), None, b"")
        rrset = name + blob[2:] if count == 1 else nodes.with_owner(blob, name)
        cache, key = head.cache, head.mark + rrset
        signature = cache.lasting.find(key)
        if signature is None:
            return 1, _QNAME + head.rr, Unsigned(cache.lasting, head, key), b""
        cache.kept += 1
        return 1, b"".join((_QNAME, head.rr, signature)), None, b""

    def _over_blob(
        self, zone: ServedZone, key: bytes, name: bytes, blob: bytes, now: float
    ) -> tuple[int, bytes]:
        """The same where that takes more, as there are several keys, or names in the RDATA."""
        ident = zone.zone_id, key, int.from_bytes(blob[2:4], "big")
        found = self._answers.get(ident)
        if found is None:
            rdatas = tuple(nodes.rdatas(blob))
            rrset = RRset(name, ident[2], int.from_bytes(blob[6:10], "big"), rdatas)
            found = self.of_rrset(zone, rrset, now)
            if len(self._answers) >= MAX_KEPT:
                self._answers.clear()
            self._answers[ident] = found
        return found

    def _head(self, zone: ServedZone, depth: int, fixed: bytes, now: float) -> Head | None:
        """What goes before the one signature over RRsets with the ``fixed`` fields type, class and
        TTL, at names ``depth`` labels below the apex that are no wildcards."""
        try:
            return self._heads[zone, depth, fixed]
        except KeyError:
            rrtype, ttl = int.from_bytes(fixed[:2], "big"), int.from_bytes(fixed[4:], "big")
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            head = zone.head(rrtype, ttl, labels_of(zone.apex) + depth, now)
            if head is not None:
                # Names that are new are signed by the keys of the moment.
                self._until = min(self._until, head.until)
            self._heads[zone, depth, fixed] = head
            return head

    def of_lua(
        self, zone: ServedZone, name: bytes, qtype: int, ttl: int, texts: list[bytes], now: float
    ) -> tuple[int, bytes]:
        """What LUA records gave for the QNAME ``name``, in presentation form, as RRs with their
        RRSIGs: how many, and their wire format. Raises `LuaFailure` for what is no RDATA."""
        if not self._since <= now < self._until:
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
        if not self._since <= now < self._until:
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
    ) -> SignedRRs:
        """The authority section of a denial: SOA, the NSEC or NSEC3 RRs of ``owners``, and all
        their RRSIGs, for owners without types that are left out, and for a message with the apex at
        ``apex_offset``."""
        if not self._since <= now < self._until:
            self._refresh(now)
        pointer = (0xC000 | apex_offset).to_bytes(2, "big")
        count, parts, unsigned = self._pieces.get((zone.zone_id, None)) or self._add_soa(zone, now)
        wire = [pointer.join(parts)]
        for owner in owners:
            if unsigned is not None:
                # The others can wait no longer.
                wire.append(unsigned.signature())
            more, parts, unsigned = self._piece(zone, owner, now)
            count += more
            wire.append(pointer.join(parts))
        return count, b"".join(wire), unsigned, b""

    def missing(
        self, zone: ServedZone, key: bytes, encloser: bytes, apex_offset: int, now: float
    ) -> SignedRRs:
        """The authority section of an answer that there is no such name, as `denial` has it; names
        are node keys, ``encloser`` is the closest one. Of a flood of random names nothing is kept
        here that is of one name only, and no more done for each than one RR and its signatures."""
        if not self._since <= now < self._until:
            self._refresh(now)
        ident = (zone.zone_id, encloser, apex_offset)
        around = self._around.get(ident) or self._add_around(zone, encloser, apex_offset, now)
        prover = around.prover
        owner = prover.closer(zone, key, around.encloser)
        if owner[0] in around.known:
            # One RR says several things.
            return around.rrs, around.before, None, around.behind
        if prover.passing:
            return self._passing(zone, key, owner, around, now)
        more, parts, unsigned = self._piece(zone, owner, now)
        before = around.before + around.pointer.join(parts)
        return around.rrs + more, before, unsigned, around.behind

    def _passing(
        self, zone: ServedZone, key: bytes, owner: Owner, around: _Around, now: float
    ) -> SignedRRs:
        """What `missing` gives with the RR of an ``owner``, which is of this name alone."""
        prover, _, count, before, behind, _, pointer, fixed = around
        relative, rdata = prover.relative(owner), prover.rdata(zone, owner)
        rr = b"".join((fixed, len(rdata).to_bytes(2, "big"), rdata))
        depth = 1 if prover.rrtype == _NSEC3 else key.count(b"\x00") + 1
        head = None if relative.startswith(_WILDCARD) else self._head(zone, depth, fixed, now)
        if head is None:
            rrset = RRset(relative + zone.apex, prover.rrtype, zone.negative_ttl, (rdata,))
            rrs = [before, relative, pointer, rr]
            made = zone.signatures(rrset.owner, rrset, now, True)
            for rrsig in made:
                rrs += (relative, pointer, _RRSIG, fixed[4:], len(rrsig).to_bytes(2, "big"), rrsig)
            return count + 1 + len(made), b"".join(rrs), None, behind
        cache = head.cache
        signed = b"".join((head.mark, relative, zone.apex, rr))
        wire = b"".join((before, relative, pointer, rr, relative, pointer, head.rr))
        signature = cache.passing.find(signed)
        if signature is None:
            return count + 2, wire, Unsigned(cache.passing, head, signed), behind
        cache.kept += 1
        return count + 2, wire + signature, None, behind

    def _add_around(
        self, zone: ServedZone, encloser: bytes, apex_offset: int, now: float
    ) -> _Around:
        prover = prover_of(zone)
        pointer = (0xC000 | apex_offset).to_bytes(2, "big")
        ttl = zone.negative_ttl.to_bytes(4, "big")
        ident = (zone.zone_id, encloser, apex_offset)
        encloser, owners, others = prover.enclosing(zone, encloser)
        count, before = _finished(self.denial(zone, owners, apex_offset, now))
        behind = b""
        known = {owner[0] for owner in owners}
        for owner in others:
            if owner[0] not in known:
                more, parts, unsigned = self._piece(zone, owner, now)
                behind += _finished((more, pointer.join(parts), unsigned, b""))[1]
                count += more
                known.add(owner[0])
        if len(self._around) >= MAX_AROUND:
            self._around.clear()
        found = self._around[ident] = _Around(
            prover,
            encloser,
            count,
            before,
            behind,
            frozenset(known),
            pointer,
            prover.rrtype.to_bytes(2, "big") + _IN + ttl,
        )
        return found

    def _piece(self, zone: ServedZone, owner: Owner, now: float) -> _Piece:
        ident = zone.zone_id, owner[0]
        found = self._pieces.get(ident) or self._add_nsec(zone, owner, now)
        if found.unsigned is not None:
            store, head, key = found.unsigned
            signature = store.find(key)
            if signature is not None:
                head.cache.kept += 1
                *parts, last = found.parts
                found = self._keep(ident, _Piece(found.rrs, [*parts, last + signature], None))
        return found

    def _add_soa(self, zone: ServedZone, now: float) -> _Piece:
        ttl = zone.negative_ttl.to_bytes(4, "big")
        signed = [
            _RRSIG + ttl + len(rdata).to_bytes(2, "big") + rdata
            for rdata in zone.signatures(zone.apex, zone.soa, now)
        ]
        made = _Piece(1 + len(signed), [*zone.soa_parts, *signed], None)
        return self._keep((zone.zone_id, None), made)

    def _add_nsec(self, zone: ServedZone, owner: Owner, now: float) -> _Piece:
        rrset = rrset_of(zone, owner)
        relative = rrset.owner[: len(rrset.owner) - len(zone.apex)]
        ttl = zone.negative_ttl.to_bytes(4, "big")
        fixed, rdata = rrset.rrtype.to_bytes(2, "big") + _IN + ttl, rrset.rdatas[0]
        rr = fixed + len(rdata).to_bytes(2, "big") + rdata
        head = zone.head(rrset.rrtype, rrset.ttl, labels_of(rrset.owner), now)
        if head is not None:
            passing = head.cache.passing
            unsigned = Unsigned(passing, head, b"".join((head.mark, rrset.owner, rr)))
            made = _Piece(2, [relative, rr + relative, head.rr], unsigned)
        else:
            rrs = [rr]
            for rrsig in zone.signatures(rrset.owner, rrset, now):
                rrs.append(_RRSIG + ttl + len(rrsig).to_bytes(2, "big") + rrsig)
            parts = [relative, *(one + relative for one in rrs[:-1]), rrs[-1]]
            made = _Piece(len(rrs), parts, None)
        return self._keep((zone.zone_id, owner[0]), made)

    def _keep(self, key: tuple[int, bytes | None], piece: _Piece) -> _Piece:
        if len(self._pieces) >= MAX_KEPT:
            self._pieces.clear()
        self._pieces[key] = piece
        return piece


def _finished(rrs: SignedRRs) -> tuple[int, bytes]:
    """RRs with the signature that they lack."""
    count, before, unsigned, behind = rrs
    return count, before + (b"" if unsigned is None else unsigned.signature()) + behind
