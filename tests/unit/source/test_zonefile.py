"""What zone files mean (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5)."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import dns.zonefile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.faults import Place
from lzc.source import bulk
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")
SOA = b"@ 3600 IN SOA ns1 host 1 10800 3600 604800 300\n"


def records(text: bytes) -> list[tuple[str, int, str, str]]:
    """Owner, TTL, type and RDATA of each record of a text that is not at fault."""
    zone, faults = read_zone_text(text, APEX, "z")
    assert faults == []
    return [
        (
            wire_name.to_text(zone.owner(record)),
            record[3],
            rr.to_text(record[1]),
            wire_rdata.to_text(record[1], record[2]),
        )
        for record in zone.records
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"www 300 IN A 192.0.2.1",
        b"www IN 300 A 192.0.2.1",
        b"www 300 A 192.0.2.1",
        b"www 5m a 192.0.2.1",
        b"www\t5M\tin\tA\t192.0.2.1   ; a comment",
        b"WWW 300 IN A 192.0.2.1;comment",
        b"www.example.org. 300 IN A 192.0.2.1",
        b"www 300 ( IN ; one\n A ; two\n 192.0.2.1 )",
        b"www 300 CLASS1 TYPE1 \\# 4 c0000201",
        b"w\\119w 300 A 192.0.2.1",
        b"$ORIGIN www\n@ 300 A 192.0.2.1",
        b"$TTL 5m\nwww A 192.0.2.1",
        b"$ttl 300\nwww IN A 192.0.2.1",
        b"\xef\xbb\xbfwww 300 IN A 192.0.2.1",
    ],
)
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_the_many_ways_to_write_one_record(line: bytes, ending: bytes) -> None:
    assert records(line + ending) == [("www.example.org.", 300, "A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        (b"a 1 A 192.0.2.1\n  1 A 192.0.2.2\n\n; c\n\t1 A 192.0.2.3\n", ["a"] * 3),
        (b"a 1 A 192.0.2.1\n$ORIGIN sub\n 1 A 192.0.2.2\n@ 1 A 192.0.2.3\n", ["a", "a", "sub"]),
        (b"a.B.c 1 A 192.0.2.1\n* 1 A 192.0.2.2\n", ["a.b.c", "*"]),
        (b"\\$x 1 A 192.0.2.1\n\\@ 1 A 192.0.2.2\n", ["\\$x", "\\@"]),
    ],
)
def test_owners(text: bytes, owners: list[str]) -> None:
    assert [record[0] for record in records(text)] == [f"{each}.example.org." for each in owners]


def test_the_apex_can_be_written_in_three_ways() -> None:
    text = b"@ 1 A 192.0.2.1\nexample.org. 1 A 192.0.2.2\nEXAMPLE.org. 1 A 192.0.2.3"
    assert {record[0] for record in records(text)} == {"example.org."}


@pytest.mark.parametrize(
    ("apex", "keys"),
    [(".", [b"org\x00example\x00a", b"org\x00b", b""]), ("org.", [b"example\x00a", b"b", b""])],
)
def test_the_root_and_top_level_domains(apex: str, keys: list[bytes]) -> None:
    text = f"a.example.org. 1 A 192.0.2.1\nb.org. 1 A 192.0.2.2\n{apex} 1 A 192.0.2.3\n"
    zone, faults = read_zone_text(text.encode(), wire_name.from_text(apex), "z")
    assert faults == []
    assert [record[0] for record in zone.records] == keys


def test_targets_keep_their_case_and_know_the_final_dot() -> None:
    text = (
        b"a 1 CNAME Www\nb 1 CNAME www.\nc 1 CNAME www.example.net.\nd 1 CNAME www.sub\n"
        b"e 1 MX 10 mail\nf 1 SRV 1 2 3 host\ng 1 CNAME @\nh 1 MX 0 .\ni 1 PTR w\\.w\n"
    )
    assert [record[3] for record in records(text)] == [
        "Www.example.org.",
        "www.",
        "www.example.net.",
        "www.sub.example.org.",
        "10 mail.example.org.",
        "1 2 3 host.example.org.",
        "example.org.",
        "0 .",
        "w\\.w.example.org.",
    ]


@pytest.mark.parametrize(
    ("written", "strings"),
    [
        (b'"a b"', (b"a b",)),
        (b"plain", (b"plain",)),
        (b'"a" b "c;d(" ; e', (b"a", b"b", b"c;d(")),
        (b'"say \\"hi\\" \\\\ \\200"', (b'say "hi" \\ \xc8',)),
        (b'""', (b"",)),
        (b'( "a"\n  "b" )', (b"a", b"b")),
        (b'"a""b"', (b"a", b"b")),
        ('"grün"'.encode(), ("grün".encode(),)),
    ],
)
def test_strings(written: bytes, strings: tuple[bytes, ...]) -> None:
    zone, faults = read_zone_text(b"t 1 TXT " + written + b"\n", APEX, "z")
    assert faults == []
    content = b"".join(bytes((len(string),)) + string for string in strings)
    assert [record[2] for record in zone.records] == [content]


@pytest.mark.parametrize(
    ("text", "ttls"),
    [
        (b"$TTL 7\na A 192.0.2.1\nb 9 A 192.0.2.1\nc A 192.0.2.1\n", [7, 9, 7]),
        (b"a 9 A 192.0.2.1\nb A 192.0.2.1\n$TTL 5\nc A 192.0.2.1\n", [9, 9, 5]),
        (
            b"; lzc: ignore powerdns-reads-otherwise\n"
            b"@ SOA n h 1 2 3 4 60\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1\n",
            [60, 60, 5, 60],
        ),
        (SOA + b"a A 192.0.2.1\n", [3600, 3600]),
        (b"a 0 A 192.0.2.1\nb 1w2d3h4m5s A 192.0.2.1\n", [0, 788645]),
        (b"a 2147483647 A 192.0.2.1\n", [2147483647]),
    ],
)
def test_ttls_that_are_not_written(text: bytes, ttls: list[int]) -> None:
    assert [record[1] for record in records(text)] == ttls


def test_lua_records() -> None:
    text = (
        b"a 60 IN LUA A \"pickrandom({'192.0.2.1'})\"\n"
        b'b 60 IN LUA TXT ( ";return"\n  " \'x\'" )\n'
        b"c 60 IN TYPE65402 \\# 6 0001 03 276127\n"
    )
    zone, faults = read_zone_text(text, APEX, "z")
    assert faults == []
    assert [LuaRecord.from_rdata(record[2], record[3]) for record in zone.records] == [
        LuaRecord(rr.A, (b"pickrandom({'192.0.2.1'})",), 60),
        LuaRecord(rr.TXT, (b";return'x'",), 60),
        LuaRecord(rr.A, (b"'a'",), 60),
    ]


def test_a_parameter_with_a_quoted_value_is_one_field() -> None:
    text = b'w 1 HTTPS 1 . alpn="h2,h3" port=8443\n'
    text += b't 1 TXT a="b c" ; lzc: ignore powerdns-reads-otherwise\n'
    assert [record[3] for record in records(text)] == [
        '1 . alpn="h2,h3" port="8443"',
        '"a=" "b c"',
    ]


def test_places_are_those_of_the_first_field() -> None:
    text = b"$TTL 1\na A 192.0.2.1\n   A 192.0.2.2\n(\n\n  b A\n 192.0.2.3 )\nc A 192.0.2.4"
    zone, _ = read_zone_text(text, APEX, "z")
    assert [zone.place(record) for record in zone.records] == [
        Place("z", 2, 1),
        Place("z", 3, 4),
        Place("z", 6, 3),
        Place("z", 8, 1),
    ]


def test_lines_are_counted_over_chunks_and_long_entries() -> None:
    filler = b"".join(b"h%d 1 IN A 10.0.%d.%d\n" % (n, n >> 8, n & 255) for n in range(20_000))
    text = (
        filler + b"t 1 TXT ( a\n" + (b";" + b"c" * 99 + b"\n") * 4000 + b")\nlast 1 A 192.0.2.1\n"
    )
    zone, faults = read_zone_text(text, APEX, "z")
    assert faults == []
    assert zone.place(zone.records[19_999]) == Place("z", 20_000, 1)
    assert zone.place(zone.records[-1]).line == text.count(b"\n")


def test_the_garbage_collector_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(SOA)
    assert gc.isenabled()
    read_zone(tmp_path / "z", APEX)
    assert gc.isenabled()


labels = st.text("abcXYZ019-_", min_size=1, max_size=12)
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
owners = st.one_of(st.just(""), st.just("@"), names, names.map(lambda n: n + ".example.org."))
targets = st.one_of(names, names.map(lambda name: name + "."), st.just("@"), st.just("."))
blanks = st.sampled_from([" ", "\t", "  ", " \t "])
comments = st.sampled_from(["", " ; note", ";", '\t; "quoted (', " "])
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'))
contents = st.one_of(
    st.ip_addresses(v=4).map(lambda address: ("A", str(address))),
    st.ip_addresses(v=6).map(lambda address: ("AAAA", str(address))),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR", "DNAME"]), targets),
    st.tuples(st.integers(0, 65535), targets).map(lambda mx: ("MX", f"{mx[0]} {mx[1]}")),
    targets.map(lambda name: ("SRV", f"0 5 5060 {name}")),
    texts.map(lambda text: ("TXT", f'"{text[:200]}"')),
    labels.map(lambda text: ("TXT", text)),
    labels.map(lambda text: ("TXT", f'"{text}" {text}')),
    labels.map(lambda text: ("CAA", f'0 issue "{text}"')),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A well-formed record on one line."""
    rrtype, content = draw(contents)
    fields = [str(draw(st.integers(0, 90_000)))] if draw(st.booleans()) else []
    if draw(st.booleans()):
        fields.insert(draw(st.integers(0, len(fields))), "IN")
    fields = [draw(owners), *fields, rrtype, content]
    return draw(blanks).join(fields) + draw(comments)


@given(st.lists(lines(), max_size=12))
@settings(max_examples=150)
def test_dnspython_reads_the_same(body: list[str]) -> None:
    # dnspython refuses data beside CNAME and DNAME; PTR is written in the same way.
    text = SOA.decode() + re.sub("[CD]NAME", "PTR", "\n".join(body)) + "\n"
    zone, faults = read_zone_text(b"$TTL 60\n" + text.encode(), APEX, "z")
    assert faults == []
    ours = {
        (wire_name.to_text(zone.owner(record)), record[1], record[2].lower())
        for record in zone.records
    }
    rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=60, origin="example.org.")
    theirs = {
        (str(rrset.name).lower(), int(rrset.rdtype), rdata.to_wire().lower())
        for rrset in rrsets
        for rdata in rrset
    }
    assert ours == theirs


@given(st.lists(lines(), max_size=12))
@settings(max_examples=150)
def test_records_survive_being_printed_and_read_again(body: list[str]) -> None:
    zone, faults = read_zone_text(("$TTL 60\n" + SOA.decode() + "\n".join(body)).encode(), APEX, "")
    assert faults == []
    printed = "\n".join(
        f"{wire_name.to_text(zone.owner(record))} {record[3]} IN {rr.to_text(record[1])} "
        f"{wire_rdata.to_text(record[1], record[2])}"
        for record in zone.records
    )
    again, faults = read_zone_text(printed.encode(), APEX, "")
    assert faults == []
    assert [record[:4] for record in again.records] == [record[:4] for record in zone.records]


@given(
    st.lists(lines(), max_size=8),
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 3),
            st.sampled_from([*' \t\n\r"();\\@$.A*', "..", "\x00", "ü", "x" * 64, "\r\n", "IN"]),
        ),
        max_size=5,
    ),
)
@settings(max_examples=300)
def test_the_fast_path_reads_as_the_lexer_does(
    body: list[str], damage: list[tuple[int, int, str]]
) -> None:
    text = SOA.decode() + "\n".join(body) + "\n"
    for at, removed, inserted in damage:
        text = text[:at] + inserted + text[at + removed :]
    fast = read_zone_text(text.encode(), APEX, "z")
    assert fast == _read_by_lexer(text.encode())


def _read_by_lexer(text: bytes) -> tuple[object, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "KINDS", {})
        return read_zone_text(text, APEX, "z")


@given(st.binary(max_size=300))
def test_no_input_raises(text: bytes) -> None:
    zone, faults = read_zone_text(text, APEX, "z")
    last = text.count(b"\n") + 1
    assert all(1 <= zone.place(record).line <= last for record in zone.records)
    assert all(1 <= fault.place.line <= last and fault.place.column >= 1 for fault in faults)
