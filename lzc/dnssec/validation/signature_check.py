"""Whether the RRSIGs over an RRset hold: RFC 4035 §5.3, and §2.2 for what is missing.

Canonical forms and keys are read by dnspython, which shares no code with what made the signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

import dns.dnssec
import dns.exception
import dns.name
import dns.rdatatype
import dns.rrset
from cryptography.exceptions import InvalidSignature
from dns.dnssecalgs import get_algorithm_cls_from_dnskey
from dns.dnssecalgs.base import GenericPublicKey
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG

from lzc.dnssec import algorithms
from lzc.dnssec.validation.memory import Memory
from lzc.dnssec.validation.names import of_labels, ordered
from lzc.dnssec.validation.reading import FIELDS
from lzc.dnssec.validation.words import (
    dnskeys,
    key_name,
    moment,
    rrset_name,
    signatures,
    tag_of,
)

REVOKED: Final = 0x0080
"""DNSKEY flag of a key that signs nothing but its own revocation (RFC 5011 §2.1)."""
_ZONE_KEY: Final = 0x0100
_RR: Final = Struct(">HHI")
KEPT: Final = 4096
"""RRsets whose verdict is kept, at least: an SOA stands in many answers."""


class ZoneKeys:
    """The DNSKEY RRset of a zone, and what it says of signatures (RFC 4034 §2.1.1).

    ``algorithms`` are those that every RRset of the zone is to be signed with (RFC 4035 §2.2).
    """

    __slots__ = ("_by_ident", "_loaded", "algorithms", "apex", "rrset")

    def __init__(self, apex: dns.name.Name, rrset: dns.rrset.RRset) -> None:
        self.apex = ordered(apex)
        self.rrset = rrset
        self.algorithms = frozenset(
            int(key.algorithm)
            for key in dnskeys(rrset)
            if key.flags & _ZONE_KEY and not key.flags & REVOKED and key.protocol == 3
        )
        self._loaded: dict[int, tuple[GenericPublicKey, DNSKEY]] = {}
        self._by_ident: dict[tuple[int, int], dns.rrset.RRset] = {}
        for key in dnskeys(rrset):
            ident = tag_of(key), int(key.algorithm)
            same = self._by_ident.setdefault(
                ident, dns.rrset.RRset(apex, rrset.rdclass, rrset.rdtype)
            )
            same.add(key, rrset.ttl)

    def of(self, tag: int, algorithm: int) -> dns.rrset.RRset | None:
        """The keys with that tag and algorithm."""
        return self._by_ident.get((tag, algorithm))

    def loaded(self, key: DNSKEY) -> GenericPublicKey:
        """A key that checks signatures, made once: that takes as long as the check of one. Raises
        `ValueError`, `dns.exception.UnsupportedAlgorithm`."""
        found = self._loaded.get(id(key))
        if found is None:
            kind = get_algorithm_cls_from_dnskey(key).public_cls
            found = self._loaded[id(key)] = kind.from_dnskey(key), key
        return found[0]


class Held(NamedTuple):
    """What was found of an RRset: the problems, in words, until when its signatures hold, in
    seconds since the epoch (infinity without one), and tag and algorithm of the keys that made
    those which do."""

    problems: tuple[str, ...]
    until: float = float("inf")
    by: frozenset[tuple[int, int]] = frozenset()


class _Known(NamedTuple):
    """What was found of an RRset, and of what: nothing else has the ids of these while it lasts."""

    held: Held
    rrset: dns.rrset.RRset
    made: dns.rrset.RRset
    keys: ZoneKeys


class SignatureCheck:
    """Checks RRSIGs at ``now``, seconds since the epoch. What was found of an RRset is kept for
    when the same object is met again, as those of `lzc.dnssec.validation.reading.Reader` are,
    unless told that none is (``once``)."""

    def __init__(self, now: float, *, once: bool = False) -> None:
        self.now = now
        self._once = once
        self._known: Memory[tuple[int, int, int], _Known] = Memory(KEPT)

    def look(self, rrset: dns.rrset.RRset, made: dns.rrset.RRset | None, keys: ZoneKeys) -> Held:
        """What is wrong with the RRSIGs ``made`` over an RRset of the zone whose keys those are.

        An RRset holds if each algorithm of the DNSKEY RRset has a valid RRSIG.
        """
        if made is None or not made:
            return Held((f"no RRSIG over {rrset_name(rrset.name, rrset.rdtype)}",))
        if self._once:
            return self._look(rrset, made, keys)
        ident = id(rrset), id(made), id(keys)
        known = self._known.find(ident)
        if known is None:
            known = _Known(self._look(rrset, made, keys), rrset, made, keys)
            self._known.put(ident, known)
        return known.held

    def _look(self, rrset: dns.rrset.RRset, made: dns.rrset.RRset, keys: ZoneKeys) -> Held:
        faults: dict[int, list[str]] = {}
        valid: dict[int, int] = {}
        by: set[tuple[int, int]] = set()
        for rrsig in signatures(made):
            algorithm = int(rrsig.algorithm)
            fault = self._fault(rrset, rrsig, keys)
            if fault is None:
                valid[algorithm] = max(rrsig.expiration, valid.get(algorithm, 0))
                by.add((rrsig.key_tag, algorithm))
            else:
                what = rrset_name(rrset.name, rrset.rdtype)
                named = f"the RRSIG over {what} by {key_name(rrsig.key_tag, algorithm)}"
                faults.setdefault(algorithm, []).append(f"{named} {fault}")
        problems = []
        for algorithm in sorted(keys.algorithms - valid.keys()):
            problems += faults.pop(algorithm, []) or [
                f"no RRSIG over {rrset_name(rrset.name, rrset.rdtype)} of algorithm"
                f" {algorithms.to_text(algorithm)}, which the DNSKEY RRset of {keys.apex} has"
            ]
        if not valid:
            problems += [fault for several in faults.values() for fault in several]
        if made.ttl != rrset.ttl:
            what = rrset_name(rrset.name, rrset.rdtype)
            problems.append(f"{what} has TTL {rrset.ttl}, and its RRSIG TTL {made.ttl}")
        until = min(valid.values(), default=float("inf"))
        return Held(tuple(dict.fromkeys(problems)), until, frozenset(by))

    def _fault(self, rrset: dns.rrset.RRset, rrsig: RRSIG, keys: ZoneKeys) -> str | None:
        """Why a signature does not hold; `None` if it does."""
        if ordered(rrsig.signer) != keys.apex:
            return f"has signer {rrsig.signer}, and the zone is {keys.apex}"
        if not rrset.name.is_subdomain(keys.apex):
            return f"is of zone {keys.apex}, in which the name is not"
        labels = len(rrset.name) - 1 - rrset.name.is_wild()
        if rrsig.labels > labels:
            return f"is over a name of {rrsig.labels} labels, and this has {labels}"
        if rrset.ttl > rrsig.original_ttl:
            return f"is over TTL {rrsig.original_ttl}, and the TTL is {rrset.ttl}"
        if rrsig.expiration < rrsig.inception:
            return f"expires {moment(rrsig.expiration)}, before it begins"
        if rrsig.inception > self.now:
            return f"is not valid before {moment(rrsig.inception)}"
        if rrsig.expiration < self.now:
            return f"expired {moment(rrsig.expiration)}"
        fitting = keys.of(rrsig.key_tag, int(rrsig.algorithm))
        if fitting is None:
            return f"is by a key that is not in the DNSKEY RRset of {keys.apex}"
        fault = _key_fault(rrset, rrsig, dnskeys(fitting))
        if fault is not None:
            return fault
        return _mathematics(rrset, rrsig, fitting, keys)


def _mathematics(
    rrset: dns.rrset.RRset, rrsig: RRSIG, fitting: dns.rrset.RRset, keys: ZoneKeys
) -> str | None:
    """Whether one of the keys that fit has made the signature (RFC 4035 §5.3.3)."""
    fault = "is wrong: it is not over these octets"
    try:
        signed = _signed_octets(rrset, rrsig)
    except (dns.exception.DNSException, ValueError):
        return fault
    for key in dnskeys(fitting):
        if not dns.dnssec.default_policy.ok_to_validate(key):
            continue
        try:
            keys.loaded(key).verify(rrsig.signature, signed)
        except dns.exception.UnsupportedAlgorithm:
            fault = "is of an algorithm that cannot be checked here"
        except (InvalidSignature, dns.exception.DNSException, ValueError):
            continue
        else:
            return None
    return fault


def _signed_octets(rrset: dns.rrset.RRset, rrsig: RRSIG) -> bytes:
    """What a signature is over (RFC 4034 §3.1.8.1): the RRSIG without it, and the RRs in canonical
    form and order, at the wildcard that they come from."""
    owner = rrset.name
    if rrsig.labels < len(owner) - 1:
        # Also of a wildcard that was made from one further up (RFC 4035 §5.3.2).
        owner = of_labels((b"*", *owner.labels[-1 - rrsig.labels :]))
    head = FIELDS.pack(
        rrsig.type_covered,
        rrsig.algorithm,
        rrsig.labels,
        rrsig.original_ttl,
        rrsig.expiration,
        rrsig.inception,
        rrsig.key_tag,
    )
    rr = owner.to_digestable() + _RR.pack(rrset.rdtype, rrset.rdclass, rrsig.original_ttl)
    parts = [head, ordered(rrsig.signer).to_digestable()]
    for rdata in sorted({one.to_digestable() for one in rrset}):
        parts += (rr, len(rdata).to_bytes(2, "big"), rdata)
    return b"".join(parts)


def _key_fault(rrset: dns.rrset.RRset, rrsig: RRSIG, fitting: Sequence[DNSKEY]) -> str | None:
    """Why none of the keys that fit a signature may have made it."""
    if all(not key.flags & _ZONE_KEY or key.protocol != 3 for key in fitting):
        return "is by a key that is not for zones"
    if rrset.rdtype != dns.rdatatype.DNSKEY and all(key.flags & REVOKED for key in fitting):
        return "is by a key that is revoked"
    if not any(dns.dnssec.default_policy.ok_to_validate(key) for key in fitting):
        return f"is of algorithm {Algorithm.to_text(rrsig.algorithm)}, which validators refuse"
    return None
