"""The authoritative algorithm: RFC 1034 §4.3.2, as later RFCs have it.

One `AnswerLookup` answers one question. It follows CNAME and DNAME as long as the bundle is
authoritative for the target, and leaves what it found in `Sections`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lzc.answer.denial import NOTHING, Owner, prover_of, rrset_of
from lzc.answer.lua_answer import LuaAnswers, Snippets
from lzc.answer.match import Match, MatchKind, match
from lzc.answer.referral import add_addresses, refer
from lzc.answer.sections import Sections, signature_of
from lzc.answer.zone import HiddenZone, ServedZone, ServedZones, SigningFailure
from lzc.bundle import node as nodes
from lzc.bundle.node import HAS_CNAME, HAS_LUA
from lzc.lua.engine.execution import QueryContext
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from lzc.wire.message import RRset

MAX_CHAIN: Final = 16
"""CNAME and DNAME steps followed for one query; the answer ends with what was found by then."""

_ADDRESSED: Final = frozenset({rrtype.NS, rrtype.MX, rrtype.SRV, rrtype.SVCB, rrtype.HTTPS})
_NO_SNIPPETS: Final[dict[int, Snippets]] = {}


@dataclass(slots=True, eq=False)
class AnswerLookup:
    """Answers one question from the zones of a bundle.

    TCP decides how much ANY gets (RFC 8482: over UDP one RRset). `run` raises `LuaFailure` and
    `SigningFailure`, both SERVFAIL.
    """

    _zones: ServedZones
    _lua: LuaAnswers
    _qtype: int
    _asker: QueryContext
    sections: Sections

    def run(self, qname: bytes) -> bool:
        """Answer for a wire name, its case as asked; False when it is in none of the zones."""
        name = qname.lower()
        zone = self._zones.for_type(name, self._qtype)
        if zone is None:
            return False
        seen = {name}
        for _ in range(MAX_CHAIN):
            target = self._step(zone, qname, name)
            if target is None:
                break
            qname, name = target, target.lower()
            following = self._following(name)
            if following is None or name in seen:
                break
            zone = following
            seen.add(name)
        return True

    def _following(self, name: bytes) -> ServedZone | None:
        """The zone that an alias leads to; `None` where that is not ours, or out of service: that
        is for who asks for the target to meet, not for the zone of the alias. A catalog is not for
        who asks."""
        try:
            return self._zones.for_type(name, self._qtype)
        except (SigningFailure, HiddenZone):
            return None

    def _step(self, zone: ServedZone, qname: bytes, name: bytes) -> bytes | None:
        """Append what one zone says about one name; the target when a CNAME leads on."""
        key = wire_name.key_of(name, zone.apex)
        found = match(zone, key)
        kind = found.kind
        if kind is MatchKind.EXACT:
            return self._at_node(zone, qname, key, found, None)
        if kind is MatchKind.WILDCARD:
            wildcard = wire_name.relative_of_key(found.key) + zone.apex
            return self._at_node(zone, qname, key, found, wildcard)
        if kind is MatchKind.DELEGATION:
            if self._qtype == rrtype.DS and found.key == key:
                return self._at_node(zone, qname, key, found, None)
            if not self.sections.answer:
                self.sections.authoritative = False
            refer(self.sections, zone, found)
            return None
        if kind is MatchKind.DNAME:
            return self._redirect(zone, qname, found)
        self._missing(zone, key, found)
        return None

    def _missing(self, zone: ServedZone, key: bytes, found: Match) -> None:
        """Deny the name. Compact denial has it exist with nothing (RFC 9824 §3.1), and an NSEC RR
        at it; who says so is told that it does not (§5.1)."""
        sections = self.sections
        proven = sections.dnssec_ok and zone.signed
        owners = prover_of(zone).missing(zone, key, found.key) if proven else []
        if not (proven and zone.compact):
            sections.rcode = message.NXDOMAIN
        elif self._qtype == rrtype.NSEC:
            sections.add(sections.answer, zone, rrset_of(zone, owners[0]))
            return
        elif sections.compact_ok:
            sections.rcode = message.NXDOMAIN
        sections.deny(zone, owners)

    def _at_node(
        self, zone: ServedZone, qname: bytes, key: bytes, found: Match, wildcard: bytes | None
    ) -> bytes | None:
        qtype = self._qtype
        node = found.node
        owner = qname.lower()
        if qtype in (rrtype.ANY, rrtype.RRSIG):
            if not self._several(zone, qname, key, found, wildcard):
                tried = frozenset(self._lua.at(zone, found.key, node))
                self._no_data(zone, key, found, wildcard, tried)
            return None
        if qtype == rrtype.NSEC and zone.signed and prover_of(zone).rrtype == rrtype.NSEC:
            if zone.compact:
                (made,) = self._proof(zone, key, found, wildcard, NOTHING)
                self.sections.add(self.sections.answer, zone, rrset_of(zone, made))
            elif nodes.nsec(node):
                # Made from a wildcard as any other type (RFC 4592 §4.6).
                rrset = rrset_of(zone, (found.key, node, NOTHING))._replace(owner=owner)
                self._positive(zone, key, rrset, wildcard)
            else:
                self._no_data(zone, key, found, wildcard)
            return None
        if node[0] & HAS_CNAME and qtype != rrtype.CNAME:
            return self._alias(zone, key, nodes.rrset(node, owner, rrtype.CNAME), wildcard)
        lua = self._lua.at(zone, found.key, node) if node[0] & HAS_LUA else _NO_SNIPPETS
        # The bitmap lists LUA, as on PowerDNS, where a record answers for that type.
        without = NOTHING if qtype != rrtype.LUA else frozenset({rrtype.LUA})
        if lua and rrtype.CNAME in lua and qtype != rrtype.CNAME:
            alias = self._execute(zone, qname, rrtype.CNAME, lua[rrtype.CNAME])
            if alias is not None:
                return self._alias(zone, key, alias, wildcard)
            # Code that gives none leaves the answer to the others, as on PowerDNS.
            without = frozenset({rrtype.CNAME, qtype})
        answer = nodes.rrset(node, owner, qtype) if qtype != rrtype.LUA else None
        if qtype in lua:
            answer = merged(answer, self._execute(zone, qname, qtype, lua[qtype]))
            without |= {qtype}
        if answer is None:
            self._no_data(zone, key, found, wildcard, without)
            return None
        self._positive(zone, key, answer, wildcard)
        if qtype in _ADDRESSED:
            add_addresses(self.sections, zone, answer)
        return None

    def _execute(
        self, zone: ServedZone, qname: bytes, covered: int, snippets: Snippets
    ) -> RRset | None:
        self.sections.lua_ran = True
        return self._lua.rrset(zone, qname, covered, snippets, self._asker)

    def _positive(self, zone: ServedZone, key: bytes, rrset: RRset, wildcard: bytes | None) -> None:
        """Append an RRset to the answer; from a wildcard, with the proof that the name itself does
        not exist (RFC 4035 §3.1.3.3)."""
        sections = self.sections
        sections.add(sections.answer, zone, rrset, wildcard)
        if wildcard is not None and sections.dnssec_ok and zone.signed:
            sections.prove(
                zone, prover_of(zone).expanded(zone, key, wire_name.key_of(wildcard, zone.apex))
            )

    def _alias(
        self, zone: ServedZone, key: bytes, cname: RRset | None, wildcard: bytes | None
    ) -> bytes | None:
        if cname is None:
            return None
        self._positive(zone, key, cname, wildcard)
        # A LUA record there sees the case in which it was written.
        return cname.rdatas[0]

    def _no_data(
        self,
        zone: ServedZone,
        key: bytes,
        found: Match,
        wildcard: bytes | None,
        without: frozenset[int] = NOTHING,
    ) -> None:
        proven = self.sections.dnssec_ok and zone.signed
        owners = self._proof(zone, key, found, wildcard, without) if proven else []
        self.sections.deny(zone, owners)

    def _proof(
        self,
        zone: ServedZone,
        key: bytes,
        found: Match,
        wildcard: bytes | None,
        without: frozenset[int],
    ) -> list[Owner]:
        """What proves that the name, or its wildcard, has no such type."""
        prover = prover_of(zone)
        if wildcard is None:
            return prover.nodata(zone, key, found.node, without)
        return prover.wildcard_nodata(zone, key, found.key, found.node, without)

    def _redirect(self, zone: ServedZone, qname: bytes, found: Match) -> bytes | None:
        """DNAME (RFC 6672 §3): append it and the CNAME made from it."""
        sections = self.sections
        owner = wire_name.relative_of_key(found.key) + zone.apex
        dname = nodes.rrset(found.node, owner, rrtype.DNAME)
        if dname is None:
            raise ValueError("a node marked as holding a DNAME without one")
        if dname not in sections.answer:  # one that leads upwards may be met again
            sections.add(sections.answer, zone, dname)
        target = qname[: -len(owner)] + dname.rdatas[0]
        if len(target) > wire_name.MAX_NAME:
            sections.rcode = message.YXDOMAIN
            return None
        sections.answer.append(RRset(qname.lower(), rrtype.CNAME, dname.ttl, (target,)))
        return None if self._qtype in (rrtype.CNAME, rrtype.ANY) else target

    def _several(
        self, zone: ServedZone, qname: bytes, key: bytes, found: Match, wildcard: bytes | None
    ) -> bool:
        """ANY and RRSIG: over UDP what belongs to one RRset, over TCP all (RFC 8482 §4.1). False
        when there is nothing."""
        signatures_only = self._qtype == rrtype.RRSIG
        if signatures_only and not zone.signed:
            return False
        node, owner = found.node, qname.lower()
        lua = self._lua.at(zone, found.key, node) if node[0] & HAS_LUA else _NO_SNIPPETS
        static = [kind for kind in nodes.types(node) if kind != rrtype.LUA]
        any_found = False
        for kind in (*static, *sorted(set(lua) - set(static))):
            rrset = nodes.rrset(node, owner, kind) if kind in static else None
            if kind in lua:
                rrset = merged(rrset, self._execute(zone, qname, kind, lua[kind]))
            if rrset is None:
                continue
            any_found = True
            if signatures_only:
                made = signature_of(zone, rrset, self.sections.now, wildcard)
                self.sections.answer.append(made)
            else:
                self.sections.add(self.sections.answer, zone, rrset, wildcard)
            if not self._asker.tcp:
                break
        if any_found and wildcard is not None and self.sections.dnssec_ok and zone.signed:
            self.sections.prove(zone, prover_of(zone).expanded(zone, key, found.key))
        return any_found


def merged(static: RRset | None, made: RRset | None) -> RRset | None:
    """One RRset of the static RRs of a type and those that LUA records gave."""
    if static is None or made is None:
        return static or made
    # Either may have thousands.
    rdatas = tuple(dict.fromkeys(static.rdatas + made.rdatas))
    return static._replace(ttl=min(static.ttl, made.ttl), rdatas=rdatas)
