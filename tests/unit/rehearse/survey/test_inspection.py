"""A zone looked at name by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from lzc.dnssec.key import SigningKey
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.dnssec.validation.trust import ds_of_rdata
from lzc.rehearse.survey.inspection import Asked, Findings, Inspection, NoAnswer, TrustedZones
from lzc.rehearse.survey.questions import of_view
from lzc.wire.name import from_text, to_text
from tests.unit.answer.test_dnssec import CHILD, NET, ORG, csk
from tests.unit.answering import NOW, World

ZONES = {"example.org.": ORG, "example.net.": NET, "child.example.org.": CHILD}
Change = Callable[[bytes, int, dns.message.Message], None]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("bundle")
    return World(folder, ZONES, keys={name: [csk(name)] for name in ZONES})


class Answers:
    """Asks a world, and changes answers on the way."""

    def __init__(self, world: World, change: Change | None = None) -> None:
        self._world = world
        self._change = change

    def ask(self, qname: bytes, qtype: int) -> Asked:
        kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(qtype))
        answer = self._world.ask(to_text(qname), kind, dnssec=True, tcp=True)
        if self._change is not None:
            self._change(qname, qtype, answer)
        return Asked(answer.to_wire(max_size=65535))


def inspect(
    world: World,
    change: Change | None = None,
    name: str = "example.org.",
    keys: list[SigningKey] | None = None,
) -> Findings:
    apex = from_text(name)
    check, asker = SignatureCheck(NOW), Answers(world, change)
    anchors = {}
    for zone, own in world.keys.items():
        at = dns.name.from_wire(zone, 0)[0]
        used = keys if keys is not None and zone == apex else own
        anchors[at] = [ds_of_rdata(at, key.dnskey) for key in used]
    zones = TrustedZones(anchors, frozenset(), asker, check)
    view = world.bundle.zone(apex)
    assert view is not None
    return Inspection(apex, zones, asker, check).look(list(of_view(view)), lambda _: None)


@pytest.mark.parametrize("name", ZONES)
def test_what_we_sign_is_secure(world: World, name: str) -> None:
    found = inspect(world, name=name)
    assert found.problems == []
    assert found.bogus == 0
    assert found.secure == found.questions > 0
    assert found.until > NOW


def test_every_failure_is_counted_with_its_question(world: World) -> None:
    def change(qname: bytes, _qtype: int, answer: dns.message.Message) -> None:
        if qname == from_text("www.example.org."):
            answer.set_rcode(dns.rcode.SERVFAIL)

    found = inspect(world, change)
    assert {problem.question for problem in found.problems} >= {
        "www.example.org. A",
        "www.example.org. TXT",
        "www.example.org. AAAA",
    }
    assert {problem.text for problem in found.problems} == {"answered SERVFAIL"}
    assert found.bogus == len(found.problems)


def test_data_that_does_not_come_is_told_though_its_denial_is_proven(
    world: World, tmp_path: Path
) -> None:
    """As if a server had an older zone, with a name less."""
    text = "\n".join(line for line in ORG.splitlines() if not line.startswith("www TXT"))
    older = World(tmp_path, {**ZONES, "example.org.": text}, keys=_same_keys(world))

    def change(qname: bytes, qtype: int, answer: dns.message.Message) -> None:
        kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(qtype))
        other = older.ask(to_text(qname), kind, dnssec=True, tcp=True)
        answer.sections[:] = other.sections
        answer.flags = other.flags

    found = inspect(world, change)
    told = {problem.question: problem.text for problem in found.problems}
    assert told["www.example.org. TXT"] == "the zone has it, and the answer does not"


def _same_keys(world: World) -> dict[str, list[SigningKey]]:
    return {to_text(apex): keys for apex, keys in world.keys.items()}


def test_a_name_that_some_nsec_denies_is_told(world: World, tmp_path: Path) -> None:
    """A server that answers for a name, while the NSEC of another says that it does not exist:
    resolvers that keep denials (RFC 8198) go by that."""
    text = "\n".join(line for line in ORG.splitlines() if not line.startswith("c1 "))
    older = World(tmp_path, {**ZONES, "example.org.": text}, keys=_same_keys(world))

    def change(qname: bytes, qtype: int, answer: dns.message.Message) -> None:
        if (qname, qtype) == (from_text("lzc-verify.alias.example.org."), 1):
            other = older.ask(to_text(qname), "A", dnssec=True, tcp=True)
            answer.sections[:] = other.sections
            answer.flags = other.flags

    found = inspect(world, change)
    (problem,) = found.problems
    assert problem.question == "c1.example.org."
    assert problem.text.startswith("the NSEC of *.alias.example.org. says that nothing is before")


def test_a_type_that_the_bitmap_denies_is_told(world: World, tmp_path: Path) -> None:
    text = "\n".join(line for line in ORG.splitlines() if not line.startswith("www TXT"))
    older = World(tmp_path, {**ZONES, "example.org.": text}, keys=_same_keys(world))

    def change(qname: bytes, qtype: int, answer: dns.message.Message) -> None:
        if qname == from_text("www.example.org.") and not answer.answer:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(qtype))
            other = older.ask(to_text(qname), kind, dnssec=True, tcp=True)
            answer.sections[:] = other.sections

    found = inspect(world, change)
    (problem,) = found.problems
    assert problem == (
        "www.example.org. TXT",
        "the NSEC of www.example.org. denies TXT, which is answered",
    )


def test_a_type_that_only_the_bitmap_has_is_told(world: World, tmp_path: Path) -> None:
    """Which nobody would ask for, were it not listed: nothing denies it."""
    newer = World(
        tmp_path,
        {**ZONES, "example.org.": f"{ORG}\nwww LOC 1 N 1 E 1m\n"},
        keys=_same_keys(world),
    )

    def change(qname: bytes, qtype: int, answer: dns.message.Message) -> None:
        if qname == from_text("www.example.org.") and not answer.answer:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(qtype))
            other = newer.ask(to_text(qname), "AAAA" if kind == "LOC" else kind, dnssec=True)
            answer.sections[:] = other.sections

    (problem,) = inspect(world, change).problems
    assert problem == (
        "www.example.org. LOC",
        "the NSEC of www.example.org. lists LOC, and the answer has none",
    )


def test_a_zone_whose_ds_leads_nowhere_is_told_once(world: World) -> None:
    other = csk("example.org.")
    found = inspect(world, keys=[other])
    assert found.untrusted
    assert found.questions == found.bogus == 1
    (problem,) = found.problems
    assert problem.question == "example.org. DNSKEY"
    again = Findings()
    again.add(found)
    again.add(inspect(world, keys=[other]))
    assert again.bogus == 1


def test_silence_is_told(world: World) -> None:
    class Silent(Answers):
        def ask(self, qname: bytes, qtype: int) -> Asked:
            if qname == from_text("www.example.org."):
                raise NoAnswer("no answer within 3 times 2 s")
            return super().ask(qname, qtype)

    apex = dns.name.from_text("example.org.")
    check, asker = SignatureCheck(NOW), Silent(world)
    anchors = {apex: [ds_of_rdata(apex, key.dnskey) for key in world.keys[apex.to_digestable()]]}
    view = world.bundle.zone(apex.to_digestable())
    assert view is not None
    zones = TrustedZones(anchors, frozenset(), asker, check)
    some = [name for name in of_view(view) if name.key == b"www"]
    found = Inspection(apex.to_digestable(), zones, asker, check).look(some, lambda _: None)
    assert {problem.text for problem in found.problems} == {"no answer within 3 times 2 s"}
