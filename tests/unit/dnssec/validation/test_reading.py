"""Answers are read as dnspython reads them, and what comes again is read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from lzc.dnssec.validation import reading, signature_check
from lzc.dnssec.validation.memory import Memory
from lzc.dnssec.validation.reading import Reader, Signature
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.dnssec.validation.trust import chain, ds_of_rdata
from lzc.dnssec.validation.verifier import State, Verifier
from tests.unit.answer.test_dnssec import NAMES, ORG, TYPES, csk
from tests.unit.answering import NOW, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return World(folder, {"example.org.": ORG}, keys={"example.org.": [csk("example.org.")]})


def _wire(world: World, name: str, qtype: str) -> bytes:
    qname = "example.org" if name == "@" else f"{name}.example.org"
    return world.ask(qname, qtype, dnssec=True, tcp=True).to_wire(max_size=65535)


@pytest.mark.parametrize("name", NAMES)
def test_every_rrset_is_the_one_that_dnspython_reads(world: World, name: str) -> None:
    reader = Reader()
    for qtype in (*TYPES, "ANY"):
        wire = _wire(world, name, qtype)
        plain, read = dns.message.from_wire(wire), reader.read(wire)
        assert read.rcode == plain.rcode()
        for mine, theirs in ((read.answer, plain.answer), (read.authority, plain.authority)):
            assert [_told(rrset) for rrset in mine] == [_told(rrset) for rrset in theirs]


def _told(rrset: dns.rrset.RRset) -> Any:
    """All that a validator looks at."""
    rdatas: Any = list(rrset)
    if rrset.rdtype == dns.rdatatype.RRSIG:
        rdatas = [tuple(getattr(one, field) for field in Signature._fields) for one in rrset]
    return rrset.name, rrset.rdtype, rrset.rdclass, rrset.covers, rrset.ttl, rdatas


def test_what_comes_again_is_the_same_object(world: World) -> None:
    reader = Reader()
    wire = _wire(world, "www", "A")
    assert reader.read(wire).answer[0] is reader.read(wire).answer[0]


@pytest.mark.parametrize("cut", [1, 5, 30, 60])
def test_what_is_no_message_is_told(world: World, cut: int) -> None:
    with pytest.raises(ValueError, match="no message"):
        Reader().read(_wire(world, "www", "A")[:-cut])


def test_rdata_that_is_none_is_told(world: World) -> None:
    wire = dns.message.make_response(dns.message.make_query("www.example.org", "A")).to_wire()
    wire = wire[:6] + b"\0\1" + wire[8:] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\2ab"
    with pytest.raises(ValueError, match="no message"):
        Reader().read(wire)


def _verifier(world: World) -> Verifier:
    check = SignatureCheck(NOW)
    apex = dns.name.from_text("example.org.")
    anchors = [ds_of_rdata(apex, key.dnskey) for key in world.keys[apex.to_digestable()]]
    found = chain(apex, _wire(world, "@", "DNSKEY"), anchors, check)
    return Verifier({apex: found.keys}, check)


def test_a_signature_is_computed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more where any octet of it, or of what it is over, is another."""
    verifier = _verifier(world)
    computed = 0
    real = signature_check._mathematics

    def counted(*arguments: object) -> str | None:
        nonlocal computed
        computed += 1
        found: str | None = real(*arguments)  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(signature_check, "_mathematics", counted)
    qname = dns.name.from_text("www.example.org.")
    wire = _wire(world, "www", "AAAA")
    assert verifier.judge(qname, dns.rdatatype.AAAA, wire).state is State.SECURE
    first = computed
    assert first > 0
    for _ in range(5):
        assert verifier.judge(qname, dns.rdatatype.AAAA, wire).state is State.SECURE
    assert computed == first
    answer = dns.message.from_wire(wire)
    made = next(rrset for rrset in answer.authority if rrset.rdtype == dns.rdatatype.RRSIG)
    rdata = made[0]
    made.remove(rdata)  # type: ignore[no-untyped-call]
    made.add(rdata.replace(signature=rdata.signature[:-1] + bytes((rdata.signature[-1] ^ 1,))))
    changed = answer.to_wire(max_size=65535)
    assert verifier.judge(qname, dns.rdatatype.AAAA, changed).state is State.BOGUS
    assert computed == first + 1


def test_no_more_is_kept_than_there_is_room_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "KEPT", 4)
    reader = Reader()
    for name in NAMES:
        reader.read(_wire(world, name, "A"))
    assert len(reader._known) <= 8


def test_what_is_found_again_stays() -> None:
    memory: Memory[int, str] = Memory(4)
    memory.put(0, "kept")
    for number in range(1, 100):
        memory.put(number, "passing")
        assert memory.find(0) == "kept"
    assert memory.find(50) is None
    assert memory.find(99) == "passing"
    assert len(memory) <= 8
