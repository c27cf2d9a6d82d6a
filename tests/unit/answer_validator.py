"""Judges a signed answer as a validating resolver does: RFC 4035 §5, in a few lines."""

from __future__ import annotations

import base64
from typing import Any

import dns.dnssec
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from lzc.wire import edns
from tests.unit.answering import NOW

NSEC = dns.rdatatype.NSEC
NSEC3 = dns.rdatatype.NSEC3
OPT_OUT = 1
CNAME = dns.rdatatype.CNAME


class Bogus(AssertionError):
    """What a validator would refuse, and why."""


class Validator:
    """Knows the DNSKEY RRsets of zones by apex."""

    def __init__(self, keys: dict[dns.name.Name, dns.rrset.RRset]) -> None:
        self.keys: dict[dns.name.Name, Any] = dict(keys)

    def judge(self, answer: dns.message.Message) -> None:
        """Raise `Bogus` unless the answer is secure, or an insecure referral that is proven."""
        question = answer.question[0]
        expanded = self._check_signatures(answer)
        for name, encloser in expanded:
            self._judge_expanded(answer, name, encloser)
        name = question.name
        for _ in range(20):
            follow = [r for r in answer.answer if r.name == name and r.rdtype == CNAME]
            if not follow or question.rdtype in (CNAME, dns.rdatatype.ANY):
                break
            name = follow[0][0].target
        found = [r for r in answer.answer if r.name == name and r.rdtype != 46]
        if found or question.rdtype == dns.rdatatype.RRSIG:
            return
        if not any(name.is_subdomain(zone) for zone in self.keys):
            return
        cuts = [r for r in answer.authority if r.rdtype == dns.rdatatype.NS]
        if cuts:
            self._judge_referral(answer, cuts[0].name)
        elif answer.rcode() == dns.rcode.NXDOMAIN:
            self._judge_missing(answer, name)
        elif answer.rcode() == dns.rcode.NOERROR:
            self._judge_no_data(answer, name, question.rdtype)

    def _check_signatures(
        self, answer: dns.message.Message
    ) -> list[tuple[dns.name.Name, dns.name.Name]]:
        expanded = []
        for section in (answer.answer, answer.authority):
            dnames = [r for r in section if r.rdtype == dns.rdatatype.DNAME]
            for rrset in section:
                if rrset.rdtype == dns.rdatatype.RRSIG:
                    continue
                if rrset.rdtype == dns.rdatatype.NS and section is answer.authority:
                    continue
                if rrset.rdtype == CNAME and any(
                    rrset.name.is_subdomain(d.name) and rrset.name != d.name for d in dnames
                ):
                    continue
                signatures = [
                    r
                    for r in section
                    if r.rdtype == 46 and r.name == rrset.name and r.covers == rrset.rdtype
                ]
                if not signatures:
                    raise Bogus(f"no RRSIG over {rrset.name} {rrset.rdtype}")
                if signatures[0].ttl != rrset.ttl:
                    raise Bogus(f"TTL of the RRSIG over {rrset.name} differs")
                dns.dnssec.validate(rrset, signatures[0], self.keys, now=NOW)
                labels = len(rrset.name) - 1
                made_for = signatures[0][0].labels
                if rrset.name.labels[0] != b"*" and made_for < labels:
                    encloser = dns.name.Name(rrset.name.labels[-made_for - 1 :])
                    expanded.append((rrset.name, encloser))
        return expanded

    def _nsecs(self, answer: dns.message.Message) -> list[dns.rrset.RRset]:
        return [rrset for rrset in answer.authority if rrset.rdtype == NSEC]

    def _covering(self, answer: dns.message.Message, name: dns.name.Name) -> dns.rrset.RRset | None:
        for rrset in self._nsecs(answer):
            after = rrset[0].next
            apex = self._signer(answer, rrset)
            if not name.is_subdomain(apex):
                continue
            if rrset.name < name and (name < after or after == apex):
                # An NSEC of a cut or a DNAME says nothing about names below it (RFC 6840 §4.1).
                types = _types(rrset)
                if name.is_subdomain(rrset.name) and ("DNAME" in types or _cut(types)):
                    continue
                return rrset
        return None

    def _covered(self, answer: dns.message.Message, name: dns.name.Name) -> bool:
        rrset = self._covering(answer, name)
        return rrset is not None and not rrset[0].next.is_subdomain(name)

    def _signer(self, answer: dns.message.Message, rrset: dns.rrset.RRset) -> dns.name.Name:
        signatures = [
            r
            for r in answer.authority
            if r.name == rrset.name and r.rdtype == 46 and r.covers == 47
        ]
        signer: dns.name.Name = signatures[0][0].signer
        return signer

    def _judge_expanded(
        self, answer: dns.message.Message, name: dns.name.Name, encloser: dns.name.Name
    ) -> None:
        if not self._covered(answer, name):
            raise Bogus(f"{name} came from *.{encloser}, but may itself exist")

    def _judge_referral(self, answer: dns.message.Message, cut: dns.name.Name) -> None:
        here = [r for r in answer.authority if r.name == cut]
        if any(r.rdtype == dns.rdatatype.DS for r in here):
            return
        proof = [r for r in here if r.rdtype == NSEC]
        if not proof or "DS" in _types(proof[0]) or "NS" not in _types(proof[0]):
            raise Bogus(f"nothing says that {cut} is insecure")

    def _judge_missing(self, answer: dns.message.Message, name: dns.name.Name) -> None:
        if not self._covered(answer, name):
            raise Bogus(f"no NSEC covers {name}")
        wildcard = dns.name.Name((b"*", *self._encloser(answer, name).labels))
        if not self._covered(answer, wildcard):
            raise Bogus(f"no NSEC covers {wildcard}")

    def _encloser(self, answer: dns.message.Message, name: dns.name.Name) -> dns.name.Name:
        cover = self._covering(answer, name)
        assert cover is not None
        shared = [other.fullcompare(name)[2] for other in (cover.name, cover[0].next)]
        return dns.name.Name(name.labels[-max(shared) :])

    def _judge_no_data(
        self, answer: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> None:
        wanted = dns.rdatatype.to_text(rdtype)
        for rrset in self._nsecs(answer):
            if rrset.name == name:
                self._judge_bitmap(rrset, wanted)
                return
        cover = self._covering(answer, name)
        if cover is None:
            raise Bogus(f"nothing proves that {name} has no {wanted}")
        if cover[0].next.is_subdomain(name):
            return
        wildcard = dns.name.Name((b"*", *self._encloser(answer, name).labels))
        for rrset in self._nsecs(answer):
            if rrset.name == wildcard:
                self._judge_bitmap(rrset, wanted)
                return
        ent = self._covering(answer, wildcard)
        if ent is None or not ent[0].next.is_subdomain(wildcard):
            raise Bogus(f"nothing proves that {wildcard} has no {wanted}")

    def _judge_bitmap(self, rrset: dns.rrset.RRset, wanted: str) -> None:
        types = _types(rrset)
        if wanted in types or "CNAME" in types:
            raise Bogus(f"the NSEC of {rrset.name} says that {wanted} or CNAME exists")
        if wanted != "DS" and _cut(types):
            raise Bogus(f"the NSEC of {rrset.name} is that of a cut")
        if wanted == "DS" and "SOA" in types and len(rrset.name) > 3:
            raise Bogus(f"the NSEC of {rrset.name} is that of the child side")


class HashedValidator(Validator):
    """Judges proofs with NSEC3: RFC 5155 §8."""

    def _matching(self, answer: dns.message.Message, name: dns.name.Name) -> dns.rrset.RRset | None:
        for rrset in answer.authority:
            if rrset.rdtype == NSEC3 and rrset.name.labels[0].upper() == _hash(name, rrset):
                return rrset
        return None

    def _covering(self, answer: dns.message.Message, name: dns.name.Name) -> dns.rrset.RRset | None:
        for rrset in answer.authority:
            if rrset.rdtype != NSEC3:
                continue
            owner, after = rrset.name.labels[0].upper(), base64.b32hexencode(rrset[0].next)
            hashed = _hash(name, rrset)
            inside = owner < hashed < after if owner < after else hashed > owner or hashed < after
            if inside:
                return rrset
        return None

    def _closest(
        self, answer: dns.message.Message, name: dns.name.Name
    ) -> tuple[dns.name.Name, dns.rrset.RRset]:
        """§8.3: the closest encloser, and what covers the next closer name."""
        closer = name
        while closer.labels[0]:
            encloser = closer.parent()
            there = self._matching(answer, encloser)
            if there is not None:
                types = _types3(there)
                if "DNAME" in types or _cut(types):
                    raise Bogus(f"{encloser} proves nothing of what is below it")
                cover = self._covering(answer, closer)
                if cover is None:
                    raise Bogus(f"{closer}, below {encloser}, may exist")
                return encloser, cover
            closer = encloser
        raise Bogus(f"no closest encloser of {name}")

    def _judge_expanded(
        self, answer: dns.message.Message, name: dns.name.Name, encloser: dns.name.Name
    ) -> None:
        closer = dns.name.Name(name.labels[-len(encloser.labels) - 1 :])
        if self._covering(answer, closer) is None:
            raise Bogus(f"{name} came from *.{encloser}, but {closer} may exist")

    def _judge_referral(self, answer: dns.message.Message, cut: dns.name.Name) -> None:
        if any(r.rdtype == dns.rdatatype.DS for r in answer.authority):
            return
        there = self._matching(answer, cut)
        if there is not None:
            types = _types3(there)
            if "DS" in types or "SOA" in types or "NS" not in types:
                raise Bogus(f"nothing says that {cut} is insecure")
        elif not self._closest(answer, cut)[1][0].flags & OPT_OUT:
            raise Bogus(f"{cut} is neither there nor left out")

    def _judge_missing(self, answer: dns.message.Message, name: dns.name.Name) -> None:
        encloser, _ = self._closest(answer, name)
        wildcard = dns.name.Name((b"*", *encloser.labels))
        if self._covering(answer, wildcard) is None:
            raise Bogus(f"{wildcard} may exist")

    def _judge_no_data(
        self, answer: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> None:
        wanted = dns.rdatatype.to_text(rdtype)
        there = self._matching(answer, name)
        if there is None:
            encloser, cover = self._closest(answer, name)
            there = self._matching(answer, dns.name.Name((b"*", *encloser.labels)))
            if there is None and cover[0].flags & OPT_OUT:
                return  # §8.6, and for empty non-terminals that are left out
        if there is None:
            raise Bogus(f"nothing proves that {name} has no {wanted}")
        types = _types3(there)
        if wanted in types or "CNAME" in types:
            raise Bogus(f"the NSEC3 of {name} says that {wanted} or CNAME exists")
        if wanted != "DS" and _cut(types):
            raise Bogus(f"the NSEC3 of {name} is that of a cut")


class CompactValidator(Validator):
    """Judges proofs of compact denial: RFC 9824."""

    def _judge_missing(self, answer: dns.message.Message, name: dns.name.Name) -> None:
        """NXDOMAIN is for those who set CO alone (§5.1)."""
        if not answer.ednsflags & edns.CO:
            raise Bogus("NXDOMAIN without CO")
        self._judge_no_data(answer, name, dns.rdatatype.NONE)
        if not denies_existence(answer, name):
            raise Bogus(f"{name} exists, by its NSEC")


def denies_existence(answer: dns.message.Message, name: dns.name.Name) -> bool:
    """Whether an NSEC RR says that a name does not exist (RFC 9824 §3.1)."""
    found = [rrset for rrset in answer.authority if (rrset.name, rrset.rdtype) == (name, NSEC)]
    return any("NXNAME" in _types(rrset) for rrset in found)


def _hash(name: dns.name.Name, rrset: dns.rrset.RRset) -> bytes:
    rdata: Any = rrset[0]
    hashed = dns.dnssec.nsec3_hash(name, rdata.salt, rdata.iterations, rdata.algorithm)
    return hashed.upper().encode()


def _types3(rrset: dns.rrset.RRset) -> set[str]:
    return set(rrset[0].to_text().split()[5:])


def _types(rrset: dns.rrset.RRset) -> set[str]:
    return set(rrset[0].to_text().split()[1:])


def _cut(types: set[str]) -> bool:
    return "NS" in types and "SOA" not in types
