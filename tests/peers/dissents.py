"""Where BIND, NSD or Knot DNS answer otherwise than lzc, and why lzc does not follow them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.peers.mass_asking import Essence, Question, Record

YXDOMAIN: Final = 6


class Dissent(NamedTuple):
    """Where ``peers``, of all versions (``bind``) or of one (``bind-9.20``), differ from lzc in no
    more than ``fields``, when ``applies``: it takes the question, what lzc said, what the peer
    said, and the apexes of all zones."""

    peers: frozenset[str]
    fields: frozenset[str]
    why: str
    applies: Callable[[Question, Essence, Essence, frozenset[bytes]], bool]

    def is_by(self, peer: str) -> bool:
        """Whether a peer, with its version, is among these."""
        return peer in self.peers or peer.rpartition("-")[0] in self.peers


def _zone_of(name: bytes, apexes: frozenset[bytes]) -> bytes:
    while name not in apexes and name != wire_name.ROOT:
        name = wire_name.parent(name)
    return name


def _aliases(essence: Essence) -> list[Record]:
    return [record for record in essence.answer if record[1] == rrtype.CNAME]


def _no_ttl(section: frozenset[Record]) -> frozenset[tuple[bytes, int, bytes]]:
    return frozenset((owner, kind, rdata) for owner, kind, _, rdata in section)


def _crosses_zones(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return theirs.answer <= ours.answer and any(
        _zone_of(owner, apexes) != _zone_of(target, apexes)
        for owner, _, _, target in _aliases(ours)
    )


def _leads_round(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    owners = {record[0] for record in _aliases(ours)}
    return theirs.rcode == message.SERVFAIL and owners >= {r[3] for r in _aliases(ours)}


def _repeats_a_circle(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    owners = {record[0] for record in _aliases(ours)}
    return theirs.disorderly and owners >= {record[3] for record in _aliases(ours)}


def _has_soa_ttl_zero(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return question.qtype == rrtype.SOA and _no_ttl(ours.authority) == _no_ttl(theirs.authority)


def _lacks_addresses_of_the_zone(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    cuts = {record[0] for record in ours.authority if record[1] == rrtype.NS}
    return theirs.additional < ours.additional and not any(
        wire_name.is_subdomain(owner, cut)
        for owner, *_ in ours.additional - theirs.additional
        for cut in cuts
    )


def _lacks_glue_without_saying_so(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return ours.truncated and bool(ours.authority) and not (ours.answer or theirs.truncated)


def _both_truncated(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return ours.truncated and theirs.truncated


def _fits_when_packed_closer(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return ours.truncated and not theirs.truncated and ours.answer == theirs.answer


def _does_not_fit_in_other_case(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return theirs.truncated and not ours.truncated and question.name != question.name.lower()


def _ends_a_long_chain(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return len(_aliases(ours)) > len(_aliases(theirs)) == 5


def _too_long_after_an_alias(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return ours.rcode == YXDOMAIN and ours.answer == theirs.answer


def _other_addresses(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    pointing = (rrtype.NS, rrtype.MX, rrtype.SRV, rrtype.HTTPS)
    return ours.authoritative and question.qtype in pointing


def _proves_less_of_a_wildcard(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    less = _no_ttl(theirs.authority) < _no_ttl(ours.authority)
    return less and ours.rcode == message.NOERROR


def _proves_less_after_a_dname(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    less = theirs.authority < ours.authority
    return less and any(kind == rrtype.DNAME for _, kind, *_ in ours.answer)


def _proves_more_than_enough(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return theirs.authority > ours.authority


def _sorts_zero_octets_wrongly(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    denied = {owner for owner, kind, *_ in ours.authority - theirs.authority if kind == rrtype.NSEC}
    return bool(denied) and b"\1\0" in question.name + b"".join(denied)


def _denies_an_empty_wildcard(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    return not ours.answer and (ours.rcode, theirs.rcode) == (message.NOERROR, message.NXDOMAIN)


def _denies_a_target_that_exists(
    question: Question, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> bool:
    denied = (ours.rcode, theirs.rcode) == (message.NOERROR, message.NXDOMAIN)
    return denied and bool(_aliases(theirs)) and b"\0" in question.name[:-1]


DISSENTS: Final = (
    Dissent(
        frozenset({"bind", "knot"}),
        frozenset({"rcode", "answer", "authority", "additional"}),
        "RFC 1034 §4.3.2 step 3a: an alias sends the server back to step 2, which looks for the "
        "nearest zone, whichever that is. They end, or refer, where a chain leaves a zone.",
        _crosses_zones,
    ),
    Dissent(
        frozenset({"bind"}),
        frozenset({"rcode"}),
        "RFC 1034 §4.3.2 step 3a has no error for aliases in a circle: the answer holds what was "
        "found, and to notice is the resolver's part (§5.2.2).",
        _leads_round,
    ),
    Dissent(
        frozenset({"knot"}),
        frozenset({"disorderly"}),
        "RFC 2181 §5: an RRset is sent once; a DNAME in a circle is met more than once.",
        _repeats_a_circle,
    ),
    Dissent(
        frozenset({"bind"}),
        frozenset({"authority"}),
        "RFC 2308 §3: the SOA of a denial has the smaller of its TTL and MINIMUM, for SOA queries "
        "as for others.",
        _has_soa_ttl_zero,
    ),
    Dissent(
        frozenset({"bind"}),
        frozenset({"additional"}),
        "RFC 1034 §4.3.2 step 3b: the addresses of the name servers go along, those with "
        "authority as well as glue; minimal responses leave them out.",
        _lacks_addresses_of_the_zone,
    ),
    Dissent(
        frozenset({"bind", "nsd"}),
        frozenset({"truncated", "additional"}),
        "RFC 9471 §3.1: TC when the glue of a delegation does not fit.",
        _lacks_glue_without_saying_so,
    ),
    Dissent(
        frozenset({"bind", "nsd", "knot"}),
        frozenset({"answer", "authority", "additional"}),
        "RFC 2181 §9: what stands beside TC is not for use; lzc sends whole RRsets only.",
        _both_truncated,
    ),
    Dissent(
        frozenset({"bind", "nsd", "knot"}),
        frozenset({"truncated", "authority", "additional"}),
        "RFC 2181 §9: TC when something required does not fit. Others compress more: names that "
        "point into the RDATA of a DNAME.",
        _fits_when_packed_closer,
    ),
    Dissent(
        frozenset({"bind"}),
        frozenset({"truncated", "answer", "authority", "additional"}),
        "RFC 4343 §4.1: names compare without case, when compressed too; BIND minds it.",
        _does_not_fit_in_other_case,
    ),
    Dissent(
        frozenset({"knot"}),
        frozenset({"truncated", "answer", "authority"}),
        "RFC 1034 §3.6.2: chains should be followed; none says that five aliases are enough.",
        _ends_a_long_chain,
    ),
    Dissent(
        frozenset({"knot"}),
        frozenset({"rcode", "authority"}),
        "RFC 6604 §3: the RCODE is that of the last step, which is YXDOMAIN (RFC 6672 §2.2).",
        _too_long_after_an_alias,
    ),
    Dissent(
        frozenset({"bind", "nsd", "knot"}),
        frozenset({"additional"}),
        "RFC 1034 §4.3.2 step 6: addresses that will be wanted next go along as a courtesy. BIND "
        "and NSD cannot be told to leave out the authority section only; Knot DNS goes on after 16 "
        "names, makes some from wildcards, and adds those of HTTPS targets (RFC 9460 §4.1).",
        _other_addresses,
    ),
    Dissent(
        frozenset({"bind", "knot"}),
        frozenset({"authority"}),
        "RFC 4035 §3.1.3.4: that a wildcard has no such type is to be proven even when the "
        "wildcard is an empty non-terminal.",
        _proves_less_of_a_wildcard,
    ),
    Dissent(
        frozenset({"nsd"}),
        frozenset({"authority"}),
        "RFC 4035 §3.1.3.2: when one NSEC RR proves both, it should be the only one.",
        _proves_more_than_enough,
    ),
    Dissent(
        frozenset({"nsd"}),
        frozenset({"authority"}),
        "RFC 4035 §3.1.3.2: neither the name nor a wildcard exists, and both are to be proven, "
        "for a name that a DNAME leads to as well.",
        _proves_less_after_a_dname,
    ),
    Dissent(
        frozenset({"knot"}),
        frozenset({"authority"}),
        "RFC 4034 §6.1: a zero octet sorts before others, but after the end of a label.",
        _sorts_zero_octets_wrongly,
    ),
    Dissent(
        frozenset({"bind-9.20"}),
        frozenset({"rcode", "authority"}),
        "RFC 4592 §4.9: where the source of synthesis is an empty non-terminal the answer is "
        "NOERROR without data.",
        _denies_an_empty_wildcard,
    ),
    Dissent(
        frozenset({"knot-3.4", "knot-3.5"}),
        frozenset({"rcode", "answer", "authority"}),
        "RFC 6604 §3: the RCODE is that of the last step, and the alias leads to a name that "
        "exists. These say NXDOMAIN when a wildcard made the alias for a name with a zero octet.",
        _denies_a_target_that_exists,
    ),
)
