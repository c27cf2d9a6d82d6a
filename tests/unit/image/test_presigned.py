"""What another signer added to a zone, and whether it is that zone's."""

from __future__ import annotations

import pytest

from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial, Way
from lzc.image.compile import compile_zone
from lzc.image.presigned import take_aside
from lzc.wire.name import from_text
from tests.unit.answer.test_dnssec import csk
from tests.unit.answering import HEAD
from tests.unit.presigned_text import presigned
from tests.unit.zone_text import read_zone_text

TEXT = (
    HEAD
    + """\
$TTL 600
www A 192.0.2.1
b.ent A 192.0.2.2
sub NS ns.sub
ns.sub A 192.0.2.3
"""
)
NSEC3 = Denial(Way.NSEC3)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return csk("example.org.")


def faults(text: str) -> list[str]:
    """What is told of a zone file, as it is taken aside and compiled."""
    zone, problems = read_zone_text(text.encode(), from_text("example.org."), "z")
    assert not problems, problems
    zone.records.sort()
    aside, found = take_aside(zone)
    if not found:
        draft = compile_zone(zone, 0, signed=True, lua=False, presigned=aside)
        found = draft.faults
    assert {fault.rule for fault in found} <= {"presigned-denial"}
    return [fault.message.removeprefix("zone example.org. ") for fault in found]


def lines(text: str, *words: str) -> list[str]:
    """The lines that have all of the words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]


@pytest.mark.parametrize("denial", [NSEC_CHAIN, NSEC3, Denial(Way.NSEC3, 1, b"x", opt_out=True)])
def test_what_a_signer_wrote_is_that_zones(key: SigningKey, denial: Denial) -> None:
    assert faults(presigned(TEXT, [key], denial)) == []


def test_names_in_capitals_in_an_nsec_record_are_kept_as_they_are_signed(key: SigningKey) -> None:
    """RFC 6840 §5.1: they are not made lower case for the signature."""
    text = presigned(TEXT, [key])
    (before,) = lines(text, "example.org. 300 IN NSEC b.ent")
    changed = text.replace(before, before.replace("NSEC b.ent.example", "NSEC B.Ent.Example"))
    assert changed != text
    assert faults(changed) == []
    zone, _ = read_zone_text(changed.encode(), from_text("example.org."), "z")
    zone.records.sort()
    aside, _ = take_aside(zone)
    draft = compile_zone(zone, 0, signed=True, lua=False, presigned=aside)
    assert b"\1B\3Ent\7Example" in draft.apex_nsec


def test_a_chain_with_a_name_less_or_more_is_told(key: SigningKey) -> None:
    whole = presigned(TEXT, [key])
    less = presigned(TEXT.replace("www A 192.0.2.1\n", ""), [key])
    address = "www.example.org. 600 IN A 192.0.2.1\n"
    assert sorted(faults(less + address)) == [
        "has no NSEC record for www.example.org.",
        "says that example.org. comes after sub.example.org., and it is www.example.org.",
    ]
    more = whole.replace(address, "")
    assert "has an NSEC record at www.example.org., where nothing else is" in faults(more)


def test_a_bitmap_with_a_type_less_is_told(key: SigningKey) -> None:
    text = presigned(TEXT, [key]) + 'www.example.org. 600 IN TXT "new"\n'
    assert faults(text) == [
        "says that there are A RRSIG NSEC at www.example.org., and there are A TXT RRSIG NSEC"
    ]


def test_an_nsec_record_at_glue_is_told(key: SigningKey) -> None:
    text = presigned(TEXT, [key])
    text += "ns.sub.example.org. 300 IN NSEC www.example.org. A RRSIG NSEC\n"
    assert faults(text) == ["has an NSEC record at ns.sub.example.org., which is not authoritative"]


def test_two_chains_are_told(key: SigningKey) -> None:
    text = presigned(TEXT, [key], NSEC3)
    other = presigned(TEXT, [key])
    both = text + "\n".join(lines(other, " NSEC ")) + "\n"
    assert faults(both) == ["has NSEC and NSEC3 records"]
    salted = presigned(TEXT, [key], Denial(Way.NSEC3, salt=b"x"))
    both = text + "\n".join(lines(salted, " NSEC3 ")) + "\n"
    assert faults(both) == ["has NSEC3 records of several chains"]
    first = lines(other, "IN NSEC b.ent")[0]
    assert faults(f"{other}{first.replace('b.ent', 'www')}\n") == [
        "has two NSEC records at example.org."
    ]


def test_hashes_that_lack_or_are_of_nothing_are_told(key: SigningKey) -> None:
    text = presigned(TEXT, [key], NSEC3)
    (own,) = [line for line in lines(text, " IN NSEC3 ") if line.endswith(" A RRSIG")][:1]
    told = faults(text.replace(f"{own}\n", ""))
    assert len(told) == 2
    assert any(one.startswith("has no NSEC3 record for ") for one in told)
    assert any(one.endswith("whose next hash is not the next one") for one in told)
    more = presigned(TEXT + "new A 192.0.2.9\n", [key], NSEC3)
    (told_of,) = faults(more.replace("new.example.org. 600 IN A 192.0.2.9\n", ""))
    assert told_of.endswith("which is the hash of no name that is to have one")
    (told_of,) = faults(text + 'www.example.org. 600 IN TXT "new"\n')
    assert told_of.endswith("that there are A RRSIG, and there are A TXT RRSIG")
    assert told_of.startswith("says at ")


def test_parameters_that_are_not_those_of_the_chain_are_told(key: SigningKey) -> None:
    text = presigned(TEXT, [key], NSEC3)
    (told,) = lines(text, "IN NSEC3PARAM")
    what = "has an NSEC3PARAM record that is not that of its NSEC3 records"
    assert faults(text.replace(told, told.replace("1 0 0 -", "1 0 5 aa"))) == [what]
    assert faults(text.replace(f"{told}\n", "")) == [what]
    (some, *_) = lines(text, "IN NSEC3 ")
    assert faults(text.replace(some, f"not-a-hash.{some.partition('.')[2]}")) == [
        "has NSEC3 records that are none: not-a-hash.example.org. is no hash"
    ]
