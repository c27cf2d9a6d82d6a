"""How ``lzc query`` shows an answer: as dig does, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dns.dnssec
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lzc.rehearse.rehearsal import Answer

_SECTIONS = ("answer", "authority", "additional")


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer that was read; ``reasons`` say why it failed, if it did."""

    message: dns.message.Message
    size: int
    tcp: bool
    reasons: tuple[str, ...]

    @property
    def status(self) -> str:
        """The RCODE's mnemonic."""
        return dns.rcode.to_text(self.message.rcode())

    def as_dict(self) -> dict[str, Any]:
        """The answer for scripts. ``data`` is presentation format; ``subnet`` is the client subnet
        with its scope, or null; ``reasons`` say why the status is SERVFAIL."""
        message = self.message
        questions = [
            {"name": question.name.to_text(), "type": _type_of(question)}
            for question in message.question
        ]
        shown: dict[str, Any] = {
            "status": self.status,
            "flags": dns.flags.to_text(message.flags).lower().split(),
            "question": questions[0] if questions else None,
        }
        for section in _SECTIONS:
            shown[section] = [
                {
                    "name": rrset.name.to_text(),
                    "ttl": rrset.ttl,
                    "type": _type_of(rrset),
                    "data": rdata.to_text(),
                }
                for rrset in getattr(message, section)
                for rdata in rrset
            ]
        subnet = self._subnet()
        shown["subnet"] = (
            {"address": subnet.address, "source": subnet.srclen, "scope": subnet.scopelen}
            if subnet
            else None
        )
        shown["size"] = self.size
        shown["transport"] = "tcp" if self.tcp else "udp"
        shown["reasons"] = list(self.reasons)
        return shown

    def as_text(self) -> str:
        """The answer as dig prints it."""
        message = self.message
        counts = [len(message.question)]
        counts += [sum(map(len, getattr(message, section))) for section in _SECTIONS]
        names = ("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL")
        counts[3] += message.edns >= 0
        lines = [
            f";; ->>HEADER<<- opcode: QUERY, status: {self.status}, id: {message.id}",
            f";; flags: {dns.flags.to_text(message.flags).lower()}; "
            + ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True)),
        ]
        if message.edns >= 0:
            flags = " do" if message.ednsflags & dns.flags.DO else ""
            lines += ["", ";; OPT PSEUDOSECTION:"]
            lines.append(f"; EDNS: version: {message.edns}, flags:{flags}; udp: {message.payload}")
            subnet = self._subnet()
            if subnet:
                where = f"{subnet.address}/{subnet.srclen}/{subnet.scopelen}"
                lines.append(f"; CLIENT-SUBNET: {where}")
        lines += ["", ";; QUESTION SECTION:"]
        lines += [f";{rrset.name}\t\tIN\t{_type_of(rrset)}" for rrset in message.question]
        for section in _SECTIONS:
            rrsets = getattr(message, section)
            if rrsets:
                lines += ["", f";; {section.upper()} SECTION:"]
                lines += [
                    f"{rrset.name}\t{rrset.ttl}\tIN\t{_type_of(rrset)}\t{rdata}"
                    for rrset in rrsets
                    for rdata in rrset
                ]
        lines += ["", f";; MSG SIZE: {self.size} ({'TCP' if self.tcp else 'UDP'})"]
        return "\n".join(lines)

    def signatures(self) -> list[dict[str, Any]]:
        """The RRSIGs of answer and authority: what they sign, with which key."""
        return [
            {
                "name": rrset.name.to_text(),
                "type": dns.rdatatype.to_text(rdata.type_covered),
                "key": rdata.key_tag,
                "algorithm": dns.dnssec.algorithm_to_text(rdata.algorithm),
                "zone": rdata.signer.to_text(),
            }
            for rrset in (*self.message.answer, *self.message.authority)
            if rrset.rdtype == dns.rdatatype.RRSIG
            for rdata in rrset
        ]

    def scope_and_signatures(self) -> list[str]:
        """For whom the answer holds, and who signed it, in words."""
        lines = []
        subnet = self._subnet()
        if subnet is not None and subnet.scopelen:
            lines.append(f"ECS scope {subnet.scopelen}: for clients in the same network only")
        elif subnet is not None:
            lines.append("ECS scope 0: the same answer for every client")
        signers: dict[str, list[str]] = {}
        for made in self.signatures():
            key = f"key {made['key']} ({made['algorithm']}) of {made['zone']}"
            signers.setdefault(key, []).append(f"{made['type']} of {made['name']}")
        lines += [f"signed with {key}: {', '.join(what)}" for key, what in signers.items()]
        return lines

    def _subnet(self) -> dns.edns.ECSOption | None:
        found = (one for one in self.message.options if isinstance(one, dns.edns.ECSOption))
        return next(found, None)


def read(answer: Answer) -> Shown:
    """Take an answer apart."""
    wire = answer.wire
    return Shown(dns.message.from_wire(wire), len(wire), answer.tcp, answer.reasons)


def _type_of(rrset: dns.rrset.RRset) -> str:
    return dns.rdatatype.to_text(rrset.rdtype)
