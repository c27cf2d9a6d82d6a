"""The sections of an answer under construction, each RRset followed by its RRSIGs."""

from __future__ import annotations

from dataclasses import dataclass, field

from lzc.answer.denial import Owner, rrset_of
from lzc.answer.zone import ServedZone
from lzc.wire import message, rrtype
from lzc.wire.message import RRset


@dataclass(slots=True, eq=False)
class Sections:
    """What an answer will say.

    ``dnssec_ok`` puts RRSIGs beside the RRsets of signed zones and proofs beside denials.
    ``glue`` is the number of RRsets at the head of ``additional`` that must not be left out without
    the TC bit (RFC 9471 §3). ``lua_ran`` tells that the answer holds for this client and moment
    only. ``room`` is how many octets the message may have: what surely goes beyond them need not
    be looked for. ``compact_ok``: who asks takes NXDOMAIN with compact denial (RFC 9824 §5.1).
    """

    dnssec_ok: bool
    now: float
    room: int
    rcode: int = message.NOERROR
    authoritative: bool = True
    answer: list[RRset] = field(default_factory=list)
    authority: list[RRset] = field(default_factory=list)
    additional: list[RRset] = field(default_factory=list)
    glue: int = 0
    lua_ran: bool = False
    compact_ok: bool = False

    def add(
        self, section: list[RRset], zone: ServedZone, rrset: RRset, signed_as: bytes | None = None
    ) -> None:
        """Append an authoritative RRset with its RRSIGs. ``signed_as`` is the wildcard that the
        RRset was made from (RFC 4035 §3.1.3.3); else it is signed as what it is."""
        section.append(rrset)
        if self.dnssec_ok and zone.signed:
            section.append(signature_of(zone, rrset, self.now, signed_as))

    def deny(
        self,
        zone: ServedZone,
        owners: list[Owner],
    ) -> None:
        """Append what a negative answer needs: the SOA, and the NSEC or NSEC3 RRs of ``owners``."""
        ttl = zone.negative_ttl
        self.authority.append(zone.soa._replace(ttl=ttl))
        if self.dnssec_ok and zone.signed:
            # The TTL goes down, the signature is the one over the RRset as the zone has it.
            made = signature_of(zone, zone.soa, self.now, None)
            self.authority.append(made._replace(ttl=ttl))
            self.prove(zone, owners)

    def prove(
        self,
        zone: ServedZone,
        owners: list[Owner],
    ) -> None:
        """Append NSEC or NSEC3 RRs with their RRSIGs to the authority section, each once."""
        for owner in owners:
            rrset = rrset_of(zone, owner)
            if rrset not in self.authority:
                self.add(self.authority, zone, rrset)


def signature_of(zone: ServedZone, rrset: RRset, now: float, signed_as: bytes | None) -> RRset:
    """The RRSIG RRset over an RRset. With compact denial, what comes from a wildcard is signed as
    if it stood at its name (RFC 9824 §3.3)."""
    expanded = signed_as is not None and zone.compact
    owner = rrset.owner if signed_as is None or expanded else signed_as
    made = zone.signatures(owner, rrset, now, expanded)
    return RRset(rrset.owner, rrtype.RRSIG, rrset.ttl, made)
