"""Whether the signatures of an answer hold, as a validator sees it (RFC 4035 §5.3): by dnspython,
which shares no code with what made them. Not for the path of a query."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
from dns.rdatatype import CNAME, DNAME, DNSKEY, NS, RRSIG
from dns.rdtypes.ANY.RRSIG import RRSIG as Signature

KeyQuery = Callable[[bytes], bytes | None]
"""The answer, as wire, to a query for the DNSKEY RRset of a wire name; `None` for silence."""


class Validator:
    """Checks answers made at ``now``, in seconds since the epoch. ``ask_keys`` is called once for
    each name that signs."""

    def __init__(self, ask_keys: KeyQuery, now: float) -> None:
        self._ask_keys = ask_keys
        self._now = now
        self._keys: dict[dns.name.Name, dns.rrset.RRset | None] = {}

    def faults(self, wire: bytes) -> tuple[str, ...]:
        """Why RRsets of an answer are not secure, each in words; none where all are.

        The NS of a referral (RFC 4035 §2.2) and a CNAME made from a DNAME (RFC 6672 §5.3.1) have no
        RRSIG by rights. An RRset is secure if one of its RRSIGs is valid.
        """
        answer = dns.message.from_wire(wire)
        found: list[str] = []
        for section in (answer.answer, answer.authority):
            referral = section is answer.authority and not answer.answer
            redirected = [rrset.name for rrset in section if rrset.rdtype == DNAME]
            for rrset in section:
                made = rrset.rdtype == CNAME and any(
                    rrset.name != above and rrset.name.is_subdomain(above) for above in redirected
                )
                if rrset.rdtype != RRSIG and not made and not (referral and rrset.rdtype == NS):
                    found += self._faults_of(rrset, section)
        return tuple(dict.fromkeys(found))

    def _faults_of(self, rrset: dns.rrset.RRset, section: list[dns.rrset.RRset]) -> list[str]:
        what = f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)}"
        signatures = [
            cast(Signature, rdata)
            for other in section
            if (other.name, other.rdtype, other.covers) == (rrset.name, RRSIG, rrset.rdtype)
            for rdata in other
        ]
        if not signatures:
            return [f"no RRSIG over {what}"]
        faults = []
        for rrsig in signatures:
            fault = self._fault(rrset, rrsig)
            if fault is None:
                return []
            by = f"key {rrsig.key_tag} of {rrsig.signer}"
            faults.append(f"the RRSIG over {what} by {by} {fault}")
        return faults

    def _fault(self, rrset: dns.rrset.RRset, rrsig: Signature) -> str | None:
        if rrsig.inception > self._now:
            return f"does not hold before {_moment(rrsig.inception)}"
        if rrsig.expiration < self._now:
            return f"expired {_moment(rrsig.expiration)}"
        if not rrset.name.is_subdomain(rrsig.signer):
            return "is not that of its zone"
        keys = rrset if rrset.rdtype == DNSKEY else self._keys_of(rrsig.signer)
        if keys is None:
            return "has no DNSKEY RRset that is itself signed"
        if not any(
            (dns.dnssec.key_id(key), key.algorithm) == (rrsig.key_tag, rrsig.algorithm)
            for key in keys
        ):
            return "fits no DNSKEY of the zone"
        try:
            dns.dnssec.validate_rrsig(rrset, rrsig, {rrsig.signer: keys}, now=self._now)
        except dns.exception.DNSException:
            return "is wrong"
        return None

    def _keys_of(self, zone: dns.name.Name) -> dns.rrset.RRset | None:
        """The DNSKEY RRset of a zone, if one of its own keys signs it."""
        if zone not in self._keys:
            wire = self._ask_keys(zone.to_digestable())
            answer = [] if wire is None else dns.message.from_wire(wire).answer
            found = (one for one in answer if (one.name, one.rdtype) == (zone, DNSKEY))
            signed = (one for one in found if not self._faults_of(one, answer))
            self._keys[zone] = next(signed, None)
        return self._keys[zone]


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
