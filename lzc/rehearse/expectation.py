"""What an operator expects of an answer, and whether it is so.

An expectation is held against every answer that chance can bring to one client, so that a weight of
1 in 100 does not go unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lzc.faults import Place
from lzc.rehearse.assumed import Circumstances
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata

RCODES: Final = {
    "NOERROR": message.NOERROR,
    "FORMERR": message.FORMERR,
    "SERVFAIL": message.SERVFAIL,
    "NXDOMAIN": message.NXDOMAIN,
    "NOTIMP": message.NOTIMP,
    "REFUSED": message.REFUSED,
    "YXDOMAIN": message.YXDOMAIN,
}

_SHOWN: Final = 4
"""Different wrong answers that a failure tells."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What has to hold. RDATA is canonical (RFC 4034 §6.2), that of the asked type.

    ``answers``: exactly these in every answer; ``must``: these in every answer; ``one_of``: exactly
    one of these in every answer; ``sometimes``: each of these in an answer that chance can bring;
    ``must_not``: in none. With ``may``, ``one_of`` or ``sometimes`` (``closed``) nothing else may
    come than what these and ``must`` list. `None`: nothing said. ``rcode``; ``ttl`` in seconds, of
    the RRset, or of the SOA where there is none; ``signed``: valid RRSIGs over all, or none.
    """

    rcode: int = message.NOERROR
    answers: frozenset[bytes] | None = None
    must: frozenset[bytes] = frozenset()
    may: frozenset[bytes] | None = None
    one_of: frozenset[bytes] | None = None
    sometimes: frozenset[bytes] | None = None
    must_not: frozenset[bytes] = frozenset()
    ttl: int | None = None
    signed: bool | None = None

    @property
    def closed(self) -> frozenset[bytes] | None:
        """All that may come, or `None` where anything may."""
        listed = [each for each in (self.may, self.one_of, self.sometimes) if each is not None]
        return self.must.union(*listed) if listed else None


@dataclass(frozen=True, slots=True)
class Expectation:
    """One ``[[test]]``: a question, the clients that ask it, and the rules for what they get.
    ``place`` is where it stands; ``qname`` a wire name."""

    title: str
    place: Place
    qname: bytes
    qtype: int
    clients: tuple[Circumstances, ...]
    rules: Rules

    @property
    def question(self) -> str:
        """Name and type in presentation format."""
        return f"{wire_name.to_text(self.qname)} {rrtype.to_text(self.qtype)}"


class Seen(NamedTuple):
    """What matters of an answer, and the seed that brings it. ``ttl`` is `None` in an answer
    without RRset and SOA; ``insecure`` is why RRsets are not secure, in words."""

    seed: int
    rcode: int
    rdatas: frozenset[bytes]
    ttl: int | None
    signatures: int
    insecure: tuple[str, ...] = ()


class Failure(NamedTuple):
    """A rule that does not hold: what was expected, what came instead, in how many of the runs,
    and the seed of the first such run."""

    expected: str
    got: str
    runs: int
    seed: int


def see(wire: bytes, qtype: int, seed: int, insecure: tuple[str, ...] = ()) -> Seen:
    """Take an answer of ours apart; ``insecure``: see `Seen`. Raises `FormatError`."""
    parsed = message.parse_message(wire)
    matching = [rr for rr in parsed.answer if rr.rrtype == qtype]
    soas = [rr for rr in parsed.authority if rr.rrtype == rrtype.SOA]
    return Seen(
        seed,
        parsed.rcode,
        frozenset(wire_rdata.canonical(qtype, rr.rdata) for rr in matching),
        next((rr.ttl for rr in (*matching, *soas)), None),
        sum(rr.rrtype == rrtype.RRSIG for rr in (*parsed.answer, *parsed.authority)),
        insecure,
    )


def judge(rules: Rules, qtype: int, answers: Sequence[Seen]) -> list[Failure]:
    """The rules that do not hold in all of the answers (at least one), each once."""
    found: dict[str, list[tuple[str, int]]] = {}
    for seen in answers:
        for expected, got in _complaints(rules, qtype, seen):
            found.setdefault(expected, []).append((got, seen.seed))
    failures = [
        Failure(expected, _some([got for got, _ in cases]), len(cases), cases[0][1])
        for expected, cases in found.items()
    ]
    everything = frozenset[bytes]().union(*(seen.rdatas for seen in answers))
    for rdata in sorted((rules.sometimes or frozenset()) - everything):
        expected = f"{wire_rdata.to_text(qtype, rdata)} in some answers"
        failures.append(Failure(expected, _texts(qtype, everything), len(answers), answers[0].seed))
    return failures


def _some(texts: list[str]) -> str:
    """The first few of the different texts."""
    different = list(dict.fromkeys(texts))
    more = len(different) - _SHOWN
    shown = " or ".join(different[:_SHOWN])
    return f"{shown} or {more} others" if more > 0 else shown


def _complaints(rules: Rules, qtype: int, seen: Seen) -> list[tuple[str, str]]:
    """What was expected of one answer and what came instead."""
    if seen.rcode != rules.rcode:
        return [(_rcode(rules.rcode), _rcode(seen.rcode))]
    found = []
    got = _texts(qtype, seen.rdatas)
    if rules.answers is not None and seen.rdatas != rules.answers:
        exactly = "exactly " if rules.answers else ""
        found.append((f"{exactly}{_texts(qtype, rules.answers)}", got))
    if not rules.must <= seen.rdatas:
        missing = rules.must - seen.rdatas
        found.append((f"{_texts(qtype, missing)} in every answer", got))
    if rules.one_of is not None and len(rules.one_of & seen.rdatas) != 1:
        found.append((f"one of {_texts(qtype, rules.one_of)}", got))
    if rules.must_not & seen.rdatas:
        found.append((f"never {_texts(qtype, rules.must_not & seen.rdatas)}", got))
    allowed = rules.closed
    if allowed is not None and not seen.rdatas <= allowed:
        found.append((f"nothing but {_texts(qtype, allowed)}", got))
    if rules.ttl is not None and seen.ttl != rules.ttl:
        found.append((f"TTL {rules.ttl}", "no TTL" if seen.ttl is None else f"TTL {seen.ttl}"))
    if rules.signed and (seen.insecure or not seen.signatures):
        found.append(("valid signatures", "; ".join(seen.insecure) or "nothing that is signed"))
    if rules.signed is False and seen.signatures:
        found.append(("no signatures", f"{seen.signatures} RRSIG record(s)"))
    return found


def _texts(qtype: int, rdatas: frozenset[bytes]) -> str:
    return ", ".join(sorted(wire_rdata.to_text(qtype, rdata) for rdata in rdatas)) or "no answer"


def _rcode(rcode: int) -> str:
    return next((name for name, code in RCODES.items() if code == rcode), f"RCODE{rcode}")
