"""What lzc signs of `tests.peers.static_zones` is secure to unbound, in each way of denial: every
name, names beside and below, every type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from lzc.dnssec import ds
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.peers import static_zones
from tests.peers._peers import require
from tests.peers._peers import unbound as resolver
from tests.peers.dissents import YXDOMAIN
from tests.peers.mass_asking import Essence, Mode, Question, ask_all
from tests.peers.test_same_answers import TYPES, at_random, legal, made_of, names_of
from tests.unit.live_server import HEAD, LiveServer, Project

APEXES: Final = frozenset(map(wire_name.from_text, static_zones.ZONES))
FEW_TYPES: Final = (rrtype.A, rrtype.TXT, rrtype.DS)

BEYOND_UNBOUND: Final = {
    # It takes the NSEC RR of *.*.star for that of a wildcard with data; delv does not.
    "star.nasty.example.",
    # Having asked for this alias alone (RFC 9156), and got the denial of the zone that it leads to
    # along with it, it takes what is below for unsigned, from NSD as well.
    "cchilds.nasty.example.",
}
"""Names below which unbound calls bogus what is not."""
BEYOND_IN_HASHES: Final = {
    # It counts the labels of this name without its asterisk, and then looks for the proof that
    # *.up.exact2.wild does not exist where up.exact2.wild does not. delv does not.
    "*.up.exact2.wild.nasty.example.",
}
"""What it calls bogus besides with NSEC3."""


class Running(NamedTuple):
    """lzc serving the zones signed at ``port``, and a resolver with their DS as trust anchors."""

    port: int
    unbound: resolver.Unbound


DENIALS: Final = (
    Denial(),
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, 5, b"salt", opt_out=True),
    Denial(Way.NARROW),
    Denial(Way.COMPACT),
)


@pytest.fixture(scope="module", params=DENIALS, ids=str)
def denial(request: pytest.FixtureRequest) -> Denial:
    found: Denial = request.param
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, denial: Denial) -> Iterator[Running]:
    require("unbound")
    folder = tmp_path_factory.mktemp("validation")
    project = Project(folder)
    project.build(static_zones.ZONES, signed=static_zones.ZONES, denial=denial)
    keystore = Keystore(folder / "keys")
    anchors = [
        ds.to_text(apex, ds.ds_rdata(apex, key.dnskey))
        for apex in sorted(APEXES)
        for key in keystore.load(apex)
    ]
    with LiveServer(project) as server:
        ports = {zone.rstrip("."): server.port for zone in static_zones.ZONES}
        with resolver.unbound(folder / "unbound", ports, anchors) as unbound:
            yield Running(server.port, unbound)


def ends_here(question: Question, answer: Essence) -> bool:
    """False where a resolver has to go on to a server that is not here, has to ask a parent that is
    not, or goes round in a circle."""
    if not answer.authoritative or any(kind == rrtype.NS for _, kind, *_ in answer.authority):
        return False
    aliases = {owner: target for owner, kind, _, target in answer.answer if kind == rrtype.CNAME}
    last, steps = question.name.lower(), 0
    while last in aliases and steps <= len(aliases):
        last, steps = aliases[last], steps + 1
    if question.qtype == rrtype.DS and (last in APEXES or aliases):
        return False
    if question.qtype == rrtype.DNAME and aliases:
        # A resolver may put the DNAME it met on the way into the place of what was asked for.
        return False
    return steps <= len(aliases) and any(wire_name.is_subdomain(last, apex) for apex in APEXES)


def within_reach(question: Question, denial: Denial) -> bool:
    """False for what unbound gets wrong."""
    beyond = map(wire_name.from_text, BEYOND_UNBOUND)
    name = question.name.lower()
    if denial.is_hashed and name in map(wire_name.from_text, BEYOND_IN_HASHES):
        return False
    return not any(wire_name.is_subdomain(name, top) and name != top for top in beyond)


def asked(question: Question) -> resolver.Question:
    return resolver.Question(wire_name.to_text(question.name), rrtype.to_text(question.qtype))


def is_right(answer: Essence, verdict: resolver.Verdict, denial: Denial) -> bool:
    """Whether the resolver found the answer secure, and of the same RCODE. The RCODE at the end of
    an alias is for the resolver to find: it may know a shorter way. A proof with opt-out leaves
    open whether there is a delegation, and is not secure (RFC 5155 §9.2)."""
    if answer.rcode == YXDOMAIN:
        return verdict.rcode == YXDOMAIN  # never authentic: there is no end to validate
    alias = any(kind == rrtype.CNAME for _, kind, *_ in answer.answer)
    same = verdict.rcode == answer.rcode or (alias and verdict.rcode != message.SERVFAIL)
    open_ended = denial.opt_out and any(kind == rrtype.NSEC3 for _, kind, *_ in answer.authority)
    return (verdict.authentic or open_ended) and same


def test_every_answer_is_secure(running: Running, denial: Denial) -> None:
    whole = {apex: HEAD.format(serial=1) + text for apex, text in static_zones.ZONES.items()}
    names = frozenset(names_of(whole))
    # What is not there comes first: the resolver then denies from the NSEC RRs it has seen (RFC
    # 8198), and one that covers too much would hide names that exist.
    around = legal(set(made_of(names)) - names) + legal(at_random(names))
    questions = [Question(name, kind) for name in around for kind in FEW_TYPES]
    questions += [Question(name, kind) for name in legal(names) for kind in TYPES]
    answers = ask_all(running.port, questions, Mode(tcp=True, edns=True, dnssec=True))
    expected = {
        asked(question): answer
        for question, answer in zip(questions, answers, strict=True)
        if ends_here(question, answer) and within_reach(question, denial)
    }
    assert len(expected) > len(questions) / 2
    verdicts = running.unbound.ask(list(expected))
    wrong = {
        question: (verdicts[question], answer.rcode)
        for question, answer in expected.items()
        if not is_right(answer, verdicts[question], denial)
    }
    assert not wrong, "\n".join(f"{key}: {value}" for key, value in wrong.items())
    assert running.unbound.failures() == []
