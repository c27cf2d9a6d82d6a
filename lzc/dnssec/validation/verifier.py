"""Answers judged from trusted keys on: signatures, chains of aliases, denials, referrals.

RFC 4035 §5, RFC 5155 §8, RFC 6672 §5.3, RFC 6840 §4 and §5, RFC 9824.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, cast

import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.rdatatype import ANY, CNAME, DNAME, DS, NS, RRSIG, SOA
from dns.rdatatype import NSEC as NSEC_TYPE
from dns.rdatatype import NSEC3 as NSEC3_TYPE
from dns.rdtypes.ANY.CNAME import CNAME as Alias
from dns.rdtypes.ANY.DNAME import DNAME as Redirection

from lzc.dnssec.validation.denial import Denial, above
from lzc.dnssec.validation.memory import Memory
from lzc.dnssec.validation.names import ordered
from lzc.dnssec.validation.nsec3_denial import HashedLink, Nsec3Denial
from lzc.dnssec.validation.nsec_denial import Link, NsecDenial
from lzc.dnssec.validation.reading import KEPT, Reader, Reply
from lzc.dnssec.validation.signature_check import SignatureCheck, ZoneKeys
from lzc.dnssec.validation.words import rrset_name, rrsigs_over, signatures

MAX_CHAIN: Final = 16
"""Aliases in an answer after which a server may leave the rest to the resolver."""

_NEVER: Final = float("inf")
RRset: TypeAlias = dns.rrset.RRset
Name: TypeAlias = dns.name.Name


class State(Enum):
    """What a validator makes of an answer (RFC 4035 §4.3)."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"


class Verdict(NamedTuple):
    """A state, and in words the problems, or why the answer is insecure. ``until``: when the first
    signature expires that it needs, in seconds since the epoch; infinity without one. ``links``
    are the NSEC and NSEC3 RRs whose signatures hold, by the apex of their zone."""

    state: State
    reasons: tuple[str, ...] = ()
    until: float = _NEVER
    links: Mapping[Name, Sequence[Link | HashedLink]] = MappingProxyType({})


class Verifier:
    """Judges answers at ``now``, in seconds since the epoch.

    ``zones`` are those whose names are looked at, by apex: the keys of a zone that is signed, and
    `None` for one that is not. Of other names nothing is said.
    """

    def __init__(self, zones: Mapping[Name, ZoneKeys | None], check: SignatureCheck) -> None:
        self.zones = zones
        self.check = check
        self._reader = Reader()
        self._links: Memory[int, tuple[Link | HashedLink, RRset]] = Memory(KEPT)

    def read(self, wire: bytes) -> Reply:
        """An answer in wire format. Raises `ValueError`."""
        return self._reader.read(wire)

    def judge(self, qname: Name, qtype: int, wire: bytes) -> Verdict:
        """The verdict on the answer to a question that was asked with DO."""
        try:
            reply = self.read(wire)
        except ValueError as error:
            return Verdict(State.BOGUS, (str(error),))
        return self.judge_reply(qname, qtype, reply)

    def judge_reply(self, qname: Name, qtype: int, reply: Reply) -> Verdict:
        """The same of an answer that `read` gave."""
        rcode = reply.rcode
        if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN):
            return Verdict(
                State.BOGUS, (f"answered {dns.rcode.to_text(dns.rcode.Rcode.make(rcode))}",)
            )
        case = _Case(self, reply, ordered(qname), qtype)
        case.look()
        problems = tuple(dict.fromkeys(case.problems))
        insecure = tuple(dict.fromkeys(case.insecure))
        state = State.BOGUS if problems else State.INSECURE if insecure else State.SECURE
        return Verdict(state, problems or insecure, case.until, case.links)

    def link_of(self, rrset: RRset) -> Link | HashedLink:
        """What an NSEC or NSEC3 RRset that `read` gave says. Raises `ValueError`."""
        known = self._links.find(id(rrset))
        if known is None:
            made = Link.of(rrset) if rrset.rdtype == NSEC_TYPE else HashedLink.of(rrset)
            known = made, rrset
            self._links.put(id(rrset), known)
        return known[0]

    def zone_of(self, name: Name, rdtype: int = 0) -> Name | None:
        """The apex of the zone that an RRset is in; DS is the parent's (RFC 4035 §2.4)."""
        if rdtype == DS and name != dns.name.root:
            found = self.zone_of(name.parent())
            if found is not None:
                return found
        while name not in self.zones:
            if name == dns.name.root:
                return None
            name = name.parent()
        return name


@dataclass(slots=True, eq=False)
class _Case:
    """One answer that is being looked at."""

    _by: Verifier
    _answer: Reply
    _qname: Name
    _qtype: int
    problems: list[str] = field(default_factory=list)
    insecure: list[str] = field(default_factory=list)
    until: float = _NEVER
    links: dict[Name, list[Link | HashedLink]] = field(default_factory=dict)

    def look(self) -> None:
        """Find problems, and reasons why the answer is insecure."""
        for section in (self._answer.answer, self._answer.authority):
            for rrset in section:
                if rrset.rdtype != RRSIG:
                    self._look_at(rrset, section)
        self._prove_wildcards()
        name, whole = self._follow()
        if not whole:
            self._deny(name)
        elif self._answer.rcode == dns.rcode.NXDOMAIN and self._has_data(name):
            self.problems.append(f"NXDOMAIN, and the answer has data of {name}")

    # The signatures

    def _look_at(self, rrset: RRset, section: Sequence[RRset]) -> None:
        made = rrsigs_over(section, rrset.name, rrset.rdtype)
        apex = self._signing_zone(rrset, made)
        if apex is None:
            self.insecure.append(f"there is no trust anchor for {rrset.name}")
            return
        keys = self._by.zones[apex]
        if keys is None:
            self.insecure.append(f"zone {apex} is not signed")
            return
        if self._needs_none(rrset, section, apex):
            return
        held = self._by.check.look(rrset, made, keys)
        self.problems += held.problems
        self.until = min(self.until, held.until)
        if held.problems or section is not self._answer.authority:
            return
        if rrset.rdtype in (NSEC_TYPE, NSEC3_TYPE):
            self._take_link(rrset, made, apex)

    def _take_link(self, rrset: RRset, made: RRset | None, apex: Name) -> None:
        """Take an NSEC or NSEC3 RR whose signature holds for one that proves something."""
        if any(_expanded_from(rrset, rrsig.labels) for rrsig in signatures(made)):
            # Somebody had a wildcard's own RR made for that name.
            what = rrset_name(rrset.name, rrset.rdtype)
            self.problems.append(f"{what} comes from a wildcard, and denies nothing")
            return
        try:
            if rrset.rdtype == NSEC3_TYPE and rrset.name.parent() != apex:
                raise ValueError
            link = self._by.link_of(rrset)
        except ValueError:
            self.problems.append(f"the owner of NSEC3 {rrset.name} is no hash")
            return
        if isinstance(link, HashedLink) and link.has_unknown_flags:
            # RFC 5155 §8.2
            what = rrset_name(rrset.name, rrset.rdtype)
            self.problems.append(f"{what} has flags that are unknown: validators ignore it")
            return
        self.links.setdefault(apex, []).append(link)

    def _signing_zone(self, rrset: RRset, made: RRset | None) -> Name | None:
        """The zone that has to sign an RRset. At a cut both zones have an NSEC."""
        apex = self._by.zone_of(rrset.name, rrset.rdtype)
        if rrset.rdtype == NSEC_TYPE and apex == rrset.name and apex != dns.name.root:
            for rrsig in signatures(made):
                if rrsig.signer == self._by.zone_of(apex.parent()):
                    return rrsig.signer
        return apex

    def _needs_none(self, rrset: RRset, section: Sequence[RRset], apex: Name) -> bool:
        """Whether an RRset of a signed zone has no RRSIG by rights: the NS of a referral (RFC 4035
        §2.2), and a CNAME made from a DNAME (RFC 6672 §5.3.1)."""
        if rrset.rdtype == NS and section is self._answer.authority:
            return self._is_referral(rrset, apex)
        if rrset.rdtype != CNAME:
            return False
        redirection = _redirection(section, rrset.name)
        if redirection is None or rrsigs_over(section, rrset.name, CNAME) is not None:
            return False
        target = _redirected(rrset.name, redirection)
        if target != cast(Alias, rrset[0]).target:
            self.problems.append(f"{rrset.name} CNAME is not what {redirection.name} DNAME makes")
        return True

    def _is_referral(self, servers: RRset, apex: Name) -> bool:
        parent = apex if servers.name != apex else None
        if parent is None and apex != dns.name.root:
            parent = self._by.zone_of(apex.parent())
        if parent is None:
            return False
        # Answers of the child itself may bring its NS along, with their RRSIG.
        return rrsigs_over(self._answer.authority, servers.name, NS) is None and not any(
            rrset.rdtype == SOA for rrset in self._answer.authority
        )

    # What the answer says

    def _follow(self) -> tuple[Name, bool]:
        """The name at the end of the aliases, and whether the answer has its data, or ends there
        by rights."""
        name = self._qname
        seen = {name}
        answer = self._answer.answer
        for _ in range(MAX_CHAIN + 1):
            if self._has_data(name):
                return name, True
            target = self._target(name)
            if target is None:
                break
            if target in seen:
                return target, True
            seen.add(target)
            left = self._by.zone_of(name) != self._by.zone_of(target)
            name = target
            if left and not self._has_more(name):
                # Another zone's: the resolver asks for it itself.
                return name, True
        else:
            return name, True
        if self._answer.rcode == dns.rcode.YXDOMAIN and _redirection(answer, name) is not None:
            return name, True
        return name, False

    def _has_data(self, name: Name) -> bool:
        for rrset in self._answer.answer:
            if rrset.name != name:
                continue
            if self._qtype == ANY and rrset.rdtype != RRSIG:
                return True
            if rrset.rdtype == self._qtype:
                return True
        return False

    def _target(self, name: Name) -> Name | None:
        for rrset in self._answer.answer:
            if rrset.rdtype == CNAME and rrset.name == name:
                return ordered(cast(Alias, rrset[0]).target)
        return None

    def _has_more(self, name: Name) -> bool:
        """Whether the answer says anything about a name."""
        if self._has_data(name) or self._target(name) is not None:
            return True
        zone = self._by.zone_of(name)
        return zone is not None and any(
            rrset.name == zone or (rrset.rdtype == NS and name.is_subdomain(rrset.name))
            for rrset in self._answer.authority
        )

    # Denial

    def _denial(self, apex: Name) -> Denial | None:
        """The usable proofs of a zone."""
        links = self.links.get(apex, [])
        plain = [link for link in links if isinstance(link, Link)]
        if plain:
            return NsecDenial(apex, plain)
        hashed = [link for link in links if isinstance(link, HashedLink)]
        if not hashed:
            return None
        found = Nsec3Denial(apex, hashed)
        unusable = found.unusable()
        if unusable is not None:
            self.problems += unusable.problems
            return None
        return found

    def _signed_zone(self, name: Name, rdtype: int = 0) -> Name | None:
        apex = self._by.zone_of(name, rdtype)
        if apex is None:
            self.insecure.append(f"there is no trust anchor for {name}")
        elif self._by.zones[apex] is None:
            self.insecure.append(f"zone {apex} is not signed")
            apex = None
        return apex

    def _prove_wildcards(self) -> None:
        for rrset, labels in _expanded(self._answer.answer):
            apex = self._by.zone_of(rrset.name, rrset.rdtype)
            if apex is None or self._by.zones[apex] is None or labels < len(apex) - 1:
                continue
            denial = self._denial(apex)
            encloser = above(rrset.name, labels + 1)
            if denial is None:
                self.problems.append(
                    f"{rrset_name(rrset.name, rrset.rdtype)} comes from *.{encloser}, and nothing"
                    f" shows that {rrset.name} does not exist"
                )
                continue
            proof = denial.no_closer(rrset.name, encloser)
            self.problems += proof.problems
            self.insecure += [proof.insecure] if proof.insecure else []

    def _deny(self, name: Name) -> None:
        """Look at what proves that the answer has no data for the name at its end."""
        cut = self._cut_above(name)
        if cut is not None:
            self._refer(cut)
            return
        apex = self._signed_zone(name, self._qtype)
        if apex is None:
            return
        if self._qtype == DS and name == apex != dns.name.root:
            self.insecure.append(f"there is no trust anchor for the zone above {apex}")
            return
        if not any((one.rdtype, one.name) == (SOA, apex) for one in self._answer.authority):
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(self._qtype))
            self.problems.append(f"no data for {name} {kind}, and no SOA beside that")
        denial = self._denial(apex)
        missing = self._answer.rcode == dns.rcode.NXDOMAIN
        if denial is None:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(self._qtype))
            what = f"{name} does not exist" if missing else f"{name} has no {kind}"
            self.problems.append(f"nothing shows that {what}: no NSEC or NSEC3 that holds")
            return
        proof = denial.no_name(name) if missing else denial.no_data(name, self._qtype)
        self.problems += proof.problems
        self.insecure += [proof.insecure] if proof.insecure else []

    def _cut_above(self, name: Name) -> Name | None:
        """The delegation that the answer refers to, if it is a referral for that name."""
        for rrset in self._answer.authority:
            if rrset.rdtype != NS or not name.is_subdomain(rrset.name):
                continue
            apex = self._by.zone_of(rrset.name)
            if apex is not None and self._is_referral(rrset, apex):
                return rrset.name
        return None

    def _refer(self, cut: Name) -> None:
        parent = self._by.zone_of(cut, DS)
        apex = self._signed_zone(cut, DS) if parent is not None else None
        if apex is None:
            return
        if any((rrset.name, rrset.rdtype) == (cut, DS) for rrset in self._answer.authority):
            return
        denial = self._denial(apex)
        if denial is None:
            self.problems.append(f"nothing shows that {cut} has no DS: no NSEC or NSEC3 that holds")
            return
        proof = denial.no_signer(cut)
        self.problems += proof.problems
        self.insecure += [proof.insecure] if proof.insecure else []


def _redirection(section: Sequence[RRset], name: Name) -> RRset | None:
    """The DNAME of a section that redirects a name."""
    for rrset in section:
        if rrset.rdtype == DNAME and rrset.name != name and name.is_subdomain(rrset.name):
            return rrset
    return None


def _redirected(name: Name, dname: RRset) -> Name | None:
    """What a DNAME makes of a name (RFC 6672 §2.2); `None` where that is too long."""
    target = cast(Redirection, dname[0]).target
    try:
        return name.relativize(dname.name).concatenate(target)
    except dns.name.NameTooLong:
        return None


def _expanded(section: Sequence[RRset]) -> Iterator[tuple[RRset, int]]:
    """The RRsets that were made from a wildcard, and the labels of its parent, without the root
    (RFC 4035 §5.3.2)."""
    for rrset in section:
        if rrset.rdtype == RRSIG:
            continue
        labels = {
            rrsig.labels for rrsig in signatures(rrsigs_over(section, rrset.name, rrset.rdtype))
        }
        least = min(labels, default=len(rrset.name))
        if _expanded_from(rrset, least):
            yield rrset, least


def _expanded_from(rrset: RRset, labels: int) -> bool:
    """Whether an RRset with so many labels in its RRSIG was made from a wildcard."""
    return labels < len(rrset.name) - 1 - rrset.name.is_wild()
