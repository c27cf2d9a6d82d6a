"""Zones that another signer signed, served as they are (RFC 4035 §3.1, RFC 5155 §7.2)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial, Way, label
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.rehearse.survey.anchors import own_anchors
from lzc.rehearse.survey.inspection import Asked, Findings, Inspection, TrustedZones
from lzc.rehearse.survey.questions import of_view
from lzc.wire.name import from_text, to_text
from tests.unit.answer.test_dnssec import NAMES, ORG, TYPES, csk
from tests.unit.answering import HEAD, NOW, World, lines, rcode
from tests.unit.presigned_text import presigned

PLAIN = "\n".join(line for line in ORG.splitlines() if " LUA " not in line) + "\n"
"""The zone of the tests of signed answers, without records that are run."""

DENIALS = (
    NSEC_CHAIN,
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, 2, b"salt"),
    Denial(Way.NSEC3, opt_out=True),
)


class Worlds(NamedTuple):
    """The same zone, signed as it is asked for, and beforehand."""

    live: World
    stored: World


@pytest.fixture(scope="module", params=DENIALS, ids=str)
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    key = csk("example.org.")
    denial: Denial = request.param
    live = World(
        tmp_path_factory.mktemp("live"),
        {"example.org.": PLAIN},
        keys={"example.org.": [key]},
        denial=denial,
    )
    text = presigned(PLAIN, [key], denial)
    stored = World(tmp_path_factory.mktemp("stored"), {"example.org.": text}, presigned=True)
    return Worlds(live, stored)


def said(answer: dns.message.Message) -> list[object]:
    sections: list[object] = [rcode(answer), int(answer.flags)]
    for section in (answer.answer, answer.authority, answer.additional):
        sections.append(lines(section, signatures=True))
    return sections


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_the_signer(worlds: Worlds, name: str) -> None:
    """Ed25519 gives the same signature each time, so that all of an answer is the same."""
    qname = "example.org" if name == "@" else f"{name}.example.org"
    for qtype in (*TYPES, "ANY", "RRSIG", "NSEC3PARAM"):
        for dnssec in (False, True):
            for tcp in (False, True):
                ours, theirs = (world.ask(qname, qtype, dnssec=dnssec, tcp=tcp) for world in worlds)
                if worlds.stored.bundle.zone(ZONE).info.denial.opt_out and dnssec:  # type: ignore[union-attr]
                    # What the signer makes for names that its chain leaves out is not there.
                    assert said(theirs)[:3] == said(ours)[:3]
                else:
                    assert said(theirs) == said(ours)
    assert worlds.stored.failures == []


ZONE = from_text("example.org.")


def test_every_answer_is_verified(worlds: Worlds) -> None:
    found = inspect(worlds.stored)
    assert found.problems == []
    assert found.secure + sum(found.insecure.values()) == found.questions
    view = worlds.stored.bundle.zone(ZONE)
    assert view is not None
    assert bool(found.insecure) == view.info.denial.opt_out


def inspect(world: World) -> Findings:
    view = world.bundle.zone(ZONE)
    assert view is not None

    class Answers:
        def ask(self, qname: bytes, qtype: int) -> Asked:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(qtype))
            return Asked(world.ask(to_text(qname), kind, dnssec=True, tcp=True).to_wire())

    apex, check = dns.name.from_text("example.org."), SignatureCheck(NOW)
    anchors = {apex: own_anchors(apex, view.info)}
    zones = TrustedZones(anchors, frozenset(), Answers(), check)
    inspection = Inspection(ZONE, zones, Answers(), check)
    return inspection.look(list(of_view(view)), lambda _: None)


def test_a_name_below_what_opt_out_leaves_out_is_denied_by_what_there_is(tmp_path: Path) -> None:
    """Nothing can be made for `ent`, which is above delegations alone that are not signed."""
    text = PLAIN + "cut.ent9 NS ns1\n"
    denial = Denial(Way.NSEC3, opt_out=True)
    stored = presigned(text, [csk("example.org.")], denial)
    world = World(tmp_path, {"example.org.": stored}, presigned=True)
    for name in ("x.ent9", "ent9", "cut.ent9", "x.cut.ent9", "y.x.ent9"):
        for qtype in ("A", "DS"):
            assert rcode(world.ask(f"{name}.example.org", qtype, dnssec=True)) != "SERVFAIL"
    assert inspect(world).problems == []
    assert world.failures == []


def test_a_transfer_has_all_that_the_source_has(worlds: Worlds) -> None:
    view = worlds.stored.bundle.zone(ZONE)
    assert view is not None
    octets = bytes(worlds.stored.bundle.transfer(view))
    found: list[str] = []
    while octets:
        size = int.from_bytes(octets[:2], "big")
        answer = dns.message.from_wire(octets[2 : 2 + size], one_rr_per_rrset=True)
        found += [rrset.to_text() for rrset in answer.answer]
        octets = octets[2 + size :]
    assert found[0] == found[-1]
    kinds = {line.split()[3] for line in found}
    assert {"SOA", "RRSIG", "DNSKEY", "A"} <= kinds
    assert ("NSEC3" in kinds) == ("NSEC3PARAM" in kinds) == view.info.denial.is_hashed
    assert len(found) == view.info.records + 1


def test_nothing_is_made_where_the_gap_begins_at_a_wildcard(tmp_path: Path) -> None:
    """What lzc makes then where it signs itself would have no signature here."""
    ents = "".join(f"cut.e{number} NS ns1\n" for number in range(60))
    text = HEAD + "$TTL 60\n* A 192.0.2.1\nb A 192.0.2.2\n" + ents
    stored = presigned(text, [csk("example.org.")], Denial(Way.NSEC3, opt_out=True))
    world = World(tmp_path, {"example.org.": stored}, presigned=True)
    denied = set()
    for number in range(60):
        for qtype in ("A", "DS"):
            answer = world.ask(f"e{number}.example.org", qtype, dnssec=True)
            assert rcode(answer) == "NOERROR"
            denied |= {r.name for r in answer.authority if r.rdtype == dns.rdatatype.NSEC3}
    assert world.failures == []
    wildcard = Denial(Way.NSEC3).hash(from_text("*.example.org."))
    assert dns.name.from_wire(label(wildcard) + ZONE, 0)[0] in denied
