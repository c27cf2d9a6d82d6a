"""What the soak with chaos takes for wrong: an answer of a generation that is not there, or not yet
or no more, of two generations at once, unsigned or signed by another, and a serial that stands for
two contents."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from tests.soak.chaos import zones
from tests.soak.chaos.model import Ledger
from tests.soak.chaos.probe import Judge, make
from tests.soak.chaos.zones import ChaosZone, Question

ZONE = ChaosZone("plain.example", lua=False)
SIGNED = ChaosZone("ecdsa.example", lua=False, algorithm=13)


def answered(question: Question, *records: str, rcode: int = 0) -> bytes:
    """An answer with these records, each with its type in front; one of SOA is in the authority
    section unless it was asked for."""
    message = dns.message.make_response(make(question, 1, False))
    message.flags |= dns.flags.AA
    message.set_rcode(dns.rcode.Rcode.make(rcode))
    for record in records:
        rrtype, text = record.split(" ", 1)
        name = f"{question.zone.name}." if rrtype == "SOA" else question.name
        mine = rrtype == "SOA" and question.rrtype != "SOA"
        section = message.authority if mine else message.answer
        message.find_rrset(
            section,
            dns.name.from_text(name),
            dns.rdataclass.IN,
            dns.rdatatype.from_text(rrtype),
            create=True,
        ).add(dns.rdata.from_text("IN", rrtype, text))
    return message.to_wire()


def soa(generation: int, serial: int = 1) -> str:
    return f"SOA ns1.plain.example. g{generation}.hostmaster.plain.example. {serial} 1 1 1 1"


def judged(question: Question, wire: bytes, *, floor: int = 3, excused: bool = False) -> Judge:
    """What is made of it where generation 3 was acknowledged, and 5 is the newest."""
    ledger = Ledger([question.zone.name])
    ledger.floor[question.zone.name] = 3
    ledger.ceiling[question.zone.name] = 5
    judge = Judge("UDP", ledger, {}, primary=True)
    judge.take(question, wire, floor, question.zone is SIGNED, excused)
    return judge


WWW = Question(ZONE, "www", "A")
APEX = Question(ZONE, "", "SOA")
GOOD = [
    (WWW, ["A 10.0.4.1", "A 10.0.4.2"], 0),
    (APEX, [soa(3)], 0),
    (Question(ZONE, "p1", "A"), ["A 10.0.5.7"], 0),
    (Question(ZONE, "p1", "A"), [soa(4)], 3),
    (Question(ZONE, "www", "AAAA"), [soa(4)], 0),
    (Question(ZONE, "x.wild", "TXT"), ['TXT "g=5"'], 0),
]
WRONG = [
    (WWW, ["A 10.0.2.1", "A 10.0.2.2"], 0),
    (WWW, ["A 10.0.6.1", "A 10.0.6.2"], 0),
    (WWW, ["A 10.0.4.1"], 0),
    (WWW, ["A 10.0.4.1", "A 10.0.5.2"], 0),
    (WWW, [soa(4)], 3),
    (WWW, [], 5),
    (APEX, [], 0),
    (Question(ZONE, "p1", "A"), [soa(5)], 3),
    (Question(ZONE, "p1", "A"), ["A 10.0.4.7"], 0),
    (Question(ZONE, "www", "AAAA"), [soa(4)], 3),
    (Question(ZONE, "x.wild", "TXT"), ['TXT "g=none"'], 0),
]


@pytest.mark.parametrize(("question", "records", "rcode"), GOOD)
def test_right_answers_are_right(question: Question, records: list[str], rcode: int) -> None:
    assert judged(question, answered(question, *records, rcode=rcode)).counts["wrong"] == 0


@pytest.mark.parametrize(("question", "records", "rcode"), WRONG)
def test_wrong_answers_are_found(question: Question, records: list[str], rcode: int) -> None:
    assert judged(question, answered(question, *records, rcode=rcode)).counts["wrong"] == 1


def test_what_was_acknowledged_after_the_query_left_is_not_asked_of_its_answer() -> None:
    wire = answered(WWW, "A 10.0.2.1", "A 10.0.2.2")
    assert judged(WWW, wire, floor=2).counts["wrong"] == 0


def test_a_failure_is_wrong_unless_it_is_excused() -> None:
    wire = answered(WWW, rcode=2)
    assert judged(WWW, wire).counts["wrong"] == 1
    assert judged(WWW, wire, excused=True).counts["wrong"] == 0


def test_an_answer_without_its_signature_is_wrong() -> None:
    question = Question(SIGNED, "www", "A")
    judge = judged_signed(question, answered(question, "A 10.0.4.1", "A 10.0.4.2"))
    assert judge.counts["validated"] == judge.counts["wrong"] == 1


def judged_signed(question: Question, wire: bytes) -> Judge:
    name = dns.name.from_text(SIGNED.name)
    ledger = Ledger([SIGNED.name])
    ledger.ceiling[SIGNED.name] = 5
    judge = Judge(
        "UDP",
        ledger,
        {SIGNED.name: dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.DNSKEY)},
        primary=True,
    )
    judge.take(question, wire, 0, True, False)
    return judge


def test_a_serial_stands_for_one_content() -> None:
    ledger = Ledger(["plain.example"])
    assert ledger.seen("plain.example", 7, 4) == ""
    assert ledger.seen("plain.example", 8, 4) == ""
    assert "serial 7" in ledger.seen("plain.example", 7, 5)


def test_zones_are_forty_five_and_of_every_kind() -> None:
    made = zones.made(short=False)
    assert len({one.name for one in made}) == 45
    kinds = {(one.lua, one.algorithm) for one in made}
    assert kinds == {(lua, number) for lua in (False, True) for number in (0, 13, 15)}
    assert kinds == {(one.lua, one.algorithm) for one in zones.made(short=True)}
