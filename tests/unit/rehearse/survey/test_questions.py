"""What a zone is asked for."""

from __future__ import annotations

from pathlib import Path

from lzc.rehearse.survey.questions import KnownName, of_records, of_view, questions
from lzc.wire import rrtype
from lzc.wire.name import from_text, to_text
from tests.unit.answering import HEAD, World

APEX = from_text("example.org.")
TEXT = (
    HEAD
    + """\
$TTL 60
a.b.ent A 192.0.2.1
*.wild A 192.0.2.2
lua LUA TXT "word"
sub NS ns.sub
sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub A 192.0.2.3
old DNAME www
www.old A 192.0.2.4
"""
)


def asked(name: KnownName, *, below_another: bool = False) -> set[tuple[str, str]]:
    return {
        (to_text(question.qname).removesuffix("example.org."), rrtype.to_text(question.qtype))
        for question in questions(name, APEX, below_another=below_another)
    }


def test_the_names_of_a_bundle_are_those_of_a_transfer(tmp_path: Path) -> None:
    """But for what LUA records answer for, which other software does not know."""
    world = World(tmp_path, {"example.org.": TEXT})
    view = world.bundle.zone(APEX)
    assert view is not None
    ours = list(of_view(view))
    records = []
    for name in ours:
        owner = from_text("example.org.") if not name.key else None
        for kind in name.fixed | ({rrtype.LUA} if name.key == b"lua" else set()):
            records.append((owner or _owner(name.key), kind))
    theirs = of_records(APEX, records)
    expected = [
        name._replace(types=name.fixed) if name.key != b"lua" else KnownName(name.key)
        for name in ours
    ]
    assert theirs == expected


def _owner(key: bytes) -> bytes:
    labels = key.split(b"\0")[::-1]
    return b"".join(bytes((len(label),)) + label for label in labels) + APEX


def test_owners_of_nsec3_are_no_names() -> None:
    records = [(APEX, 6), (b"\x20" + b"a" * 32 + APEX, 50), (b"\x20" + b"a" * 32 + APEX, 46)]
    assert [name.key for name in of_records(APEX, records)] == [b""]


def test_a_name_is_asked_for_what_it_has_and_has_not() -> None:
    name = KnownName(b"www", frozenset({1, 16}), frozenset({1}))
    assert asked(name) == {
        *[("www.", kind) for kind in ("A", "TXT", "AAAA", "DS", "ANY")],
        *[("lzc-verify.www.", "A"), ("www\\001.", "A")],
    }
    certain = {q.qtype for q in questions(name, APEX, below_another=False) if q.certain}
    assert certain == {1}


def test_any_tells_nothing_of_a_name_with_one_rrset() -> None:
    alone = KnownName(b"www", frozenset({1}), frozenset({1}))
    assert ("www.", "ANY") not in asked(alone)
    assert ("www.", "ANY") in asked(alone._replace(fixed=frozenset()))


def test_an_apex_is_asked_for_its_keys_and_for_a_ds_only_where_that_is_known() -> None:
    apex = KnownName(b"", frozenset({6, 2}), frozenset({6, 2}))
    kinds = {kind for owner, kind in asked(apex) if not owner}
    assert {"DNSKEY", "NSEC3PARAM", "CDS", "CDNSKEY"} <= kinds
    assert "DS" not in kinds
    assert ("", "DS") in asked(apex, below_another=True)


def test_a_delegation_is_asked_for_its_ds_and_for_names_below() -> None:
    cut = KnownName(b"sub", frozenset({2}), frozenset({2}), cut=True)
    assert {("sub.", "DS"), ("sub.", "A"), ("lzc-verify.sub.", "A")} <= asked(cut)
    hidden = KnownName(b"sub\0ns", frozenset({1}), frozenset({1}), hidden=True)
    assert asked(hidden) == {("ns.sub.", "A")}


def test_a_wildcard_is_asked_for_what_it_makes() -> None:
    wildcard = KnownName(b"wild\0*", frozenset({1}), frozenset({1}))
    assert {
        ("*.wild.", "A"),
        ("lzc-verify.wild.", "A"),
        ("lzc-verify.wild.", "AAAA"),
        ("x.lzc-verify.wild.", "A"),
        ("lzc-verify.*.wild.", "A"),
    } <= asked(wildcard)


def test_no_name_is_too_long() -> None:
    longest = from_text(".".join(["a" * 63] * 3 + ["b" * 49, "example.org."]))
    assert len(longest) == 255
    key = b"b" * 49 + (b"\0" + b"a" * 63) * 3
    for question in questions(KnownName(key, frozenset({1})), APEX, below_another=False):
        assert len(question.qname) <= 255
        assert max(map(len, to_text(question.qname).split("."))) <= 63
