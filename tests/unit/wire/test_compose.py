"""Composing messages: compression, and what is left out when they grow too long."""

import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.wire import edns, message, name, rdata
from lzc.wire import rrtype as rr
from lzc.wire.compose import Blob, Item, compose
from lzc.wire.message import RRset, parse_message, parse_query

QNAME = name.from_text("wWw.example.org.")
QUESTION = QNAME + b"\x00\x01\x00\x01"
WWW = QNAME.lower()
APEX = name.from_text("example.org.")
OPT = edns.build(1232)
FLAGS = message.QR | message.AA


def addresses(owner: bytes, count: int) -> RRset:
    return RRset(owner, rr.A, 300, tuple(bytes((192, 0, 2, last)) for last in range(count)))


def rrset(owner: str, kind: int, *texts: str) -> RRset:
    values = tuple(rdata.from_presentation(kind, text.encode(), APEX) for text in texts)
    return RRset(name.from_text(owner, APEX), kind, 300, values)


NS = rrset("@", rr.NS, "ns1", "ns2.example.net.")
GLUE = rrset("ns1", rr.A, "192.0.2.53")


def test_the_case_of_the_question_is_kept() -> None:
    assert compose(1, FLAGS, QUESTION, [addresses(WWW, 1)])[12 : 12 + len(QNAME)] == QNAME


def test_owners_that_are_the_qname_point_to_it() -> None:
    wire = compose(1, FLAGS, QUESTION, [addresses(WWW, 2)])
    assert len(wire) == 12 + len(QUESTION) + 2 * 16
    assert wire[12 + len(QUESTION) :][:2] == b"\xc0\x0c"


def test_a_blob_goes_in_as_it_stands() -> None:
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x00"
    assert compose(1, FLAGS, QUESTION, [Blob(1, record)]) == compose(
        1, FLAGS, QUESTION, [addresses(WWW, 1)]
    )


def test_names_of_rfc_1035_types_are_compressed_and_no_others() -> None:
    compressed = compose(1, FLAGS, QUESTION, [rrset("www", rr.MX, "10 mail")])
    assert compressed.endswith(b"\x00\x09" + b"\x00\x0a\x04mail\xc0\x10")
    kept = compose(1, FLAGS, QUESTION, [rrset("www", rr.SRV, "1 2 3 mail")])
    assert kept.endswith(b"\x04mail" + APEX)


def test_sections_and_counts() -> None:
    wire = compose(
        7,
        FLAGS,
        QUESTION,
        [addresses(WWW, 2)],
        [NS],
        [GLUE],
        [rrset("ns1", rr.AAAA, "::1")],
        opt=OPT,
    )
    assert wire[:12] == b"\x00\x07\x84\x00" + b"\x00\x01\x00\x02\x00\x02\x00\x03"
    assert wire.endswith(OPT)


def test_a_message_without_a_question() -> None:
    wire = compose(7, FLAGS | message.REFUSED, b"", opt=OPT)
    assert wire == b"\x00\x07\x84\x05" + bytes(6) + b"\x00\x01" + OPT


owners = st.sampled_from(["@", "www", "WWW", "a.b", "deep.a.b", "x.example.net.", "."])
rrsets = st.one_of(
    st.builds(lambda o, t: rrset(o, rr.NS, *t), owners, st.lists(owners, min_size=1, max_size=3)),
    st.builds(lambda o, t: rrset(o, rr.MX, f"10 {t}"), owners, owners),
    st.builds(lambda o, a, b: rrset(o, rr.SOA, f"{a} {b} 1 2 3 4 5"), owners, owners, owners),
    st.builds(lambda o, t: rrset(o, rr.SRV, f"1 2 3 {t}"), owners, owners),
    st.builds(lambda o, n: addresses(name.from_text(o, APEX), n), owners, st.integers(1, 8)),
)


def folded(sets: list[RRset]) -> list[tuple[bytes, int, bytes]]:
    return [(s.owner.lower(), s.rrtype, value.lower()) for s in sets for value in s.rdatas]


@given(st.lists(rrsets, max_size=5), st.lists(rrsets, max_size=3), st.lists(rrsets, max_size=4))
def test_what_is_composed_reads_back(
    answer: list[RRset], authority: list[RRset], additional: list[RRset]
) -> None:
    wire = compose(1, FLAGS, QUESTION, answer, authority, (), additional)
    read = parse_message(wire)
    for section, sets in (
        (read.answer, answer),
        (read.authority, authority),
        (read.additional, additional),
    ):
        assert [(r.owner.lower(), r.rrtype, r.rdata.lower()) for r in section] == folded(sets)
    assert len(dns.message.from_wire(wire).question) == 1


def test_names_past_the_reach_of_a_pointer_are_written_out() -> None:
    big = RRset(WWW, rr.TXT, 1, tuple(b"\xff" + bytes(255) for _ in range(64)))
    late = rrset("late", rr.NS, "deep.late", "deep.late")
    wire = compose(1, FLAGS, QUESTION, [big, late])
    assert [r.rdata for r in parse_message(wire).answer[64:]] == list(late.rdatas)


def test_what_fits_exactly_is_not_truncated() -> None:
    answer = [addresses(WWW, 4)]
    size = len(compose(1, FLAGS, QUESTION, answer, opt=OPT))
    whole = parse_message(compose(1, FLAGS, QUESTION, answer, opt=OPT, max_size=size))
    assert len(whole.answer) == 4
    assert not whole.flags & message.TC
    short = parse_message(compose(1, FLAGS, QUESTION, answer, opt=OPT, max_size=size - 1))
    assert short.answer == ()
    assert short.flags & message.TC
    assert short.additional[0].rrtype == rr.OPT


def test_room_for_tsig_is_left() -> None:
    answer = [addresses(WWW, 4)]
    size = len(compose(1, FLAGS, QUESTION, answer))
    assert len(compose(1, FLAGS, QUESTION, answer, max_size=size + 9, tsig_room=9)) == size
    short = compose(1, FLAGS, QUESTION, answer, max_size=size + 8, tsig_room=9)
    assert parse_message(short).flags & message.TC


@pytest.mark.parametrize("section", ["answer", "authority", "glue"])
def test_required_rrsets_that_do_not_fit_truncate(section: str) -> None:
    kept, lost = addresses(WWW, 1), addresses(APEX, 40)
    sections: dict[str, list[Item]] = {section: [kept, lost, kept]}
    wire = compose(
        1,
        FLAGS,
        QUESTION,
        sections.get("answer", ()),
        sections.get("authority", ()),
        sections.get("glue", ()),
        [kept],
        max_size=512,
    )
    read = parse_message(wire)
    assert read.flags & message.TC
    assert len(read.answer + read.authority + read.additional) == 1


def test_extras_that_do_not_fit_are_left_out_one_by_one() -> None:
    lost = addresses(name.from_text("lost.example.org."), 40)
    small = rrset("sub.lost", rr.NS, "lost")
    wire = compose(1, FLAGS, QUESTION, [addresses(WWW, 1)], (), (), [lost, small], max_size=512)
    read = parse_message(wire)
    assert not read.flags & message.TC
    assert [(r.owner, r.rdata) for r in read.additional] == [
        (name.from_text("sub.lost.example.org."), name.from_text("lost.example.org."))
    ]


@given(
    st.lists(rrsets, max_size=6),
    st.lists(rrsets, max_size=4),
    st.lists(rrsets, max_size=4),
    st.integers(60, 600),
)
@settings(max_examples=200)
def test_no_limit_is_exceeded_and_no_rrset_is_cut(
    answer: list[RRset], authority: list[RRset], additional: list[RRset], limit: int
) -> None:
    wire = compose(1, FLAGS, QUESTION, answer, authority, (), additional, opt=OPT, max_size=limit)
    assert len(wire) <= limit
    read = parse_message(wire)
    required = folded([*answer, *authority])
    got = [(r.owner.lower(), r.rrtype, r.rdata.lower()) for r in read.answer + read.authority]
    assert got == required[: len(got)]
    assert bool(read.flags & message.TC) == (len(got) < len(required))
    whole = {0}
    for item in [*answer, *authority]:
        whole.add(max(whole) + len(item.rdatas))
    assert len(got) in whole
    assert read.additional[-1].rrtype == rr.OPT


def test_a_response_to_a_query_with_the_longest_name_holds_the_opt_in_512_octets() -> None:
    longest = name.from_labels([b"a" * 63] * 3 + [b"b" * 61])
    asked = parse_query(b"\0\1\0\0\0\1\0\0\0\0\0\0" + longest + b"\0\1\0\1")
    wire = compose(1, FLAGS, asked.question, [addresses(longest, 99)], opt=OPT, max_size=512)
    assert len(wire) <= 512
    assert wire.endswith(OPT)
