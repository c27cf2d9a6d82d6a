"""Every fault of a zone file: its place to the column, and that reading goes on after it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lzc.faults import Place, Severity
from lzc.source import state as source_state
from lzc.source import zonefile
from lzc.source.limits import Limits, Spending
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")
GOOD = b"good 1 A 192.0.2.1\n"


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        (b"www 1 IN AAA 192.0.2.1", 10, "unknown-type"),
        (b"www 1 IN  A 192.0.2.300", 13, "bad-rdata"),
        (b"www 1 A 192.0.2.1 192.0.2.2", 19, "bad-rdata"),
        (b"www 1 A", 7, "bad-rdata"),
        (b"www 1 AAAA 192.0.2.1", 12, "bad-rdata"),
        (b"www 1 MX mail", 10, "bad-rdata"),
        (b"www 1 MX ten mail", 10, "bad-rdata"),
        (b"www 1 CNAME a..b", 13, "bad-rdata"),
        (b"www 1 CNAME " + b"x" * 64, 13, "bad-rdata"),
        (b'www 1 TXT "a" "b\\999"', 15, "bad-rdata"),
        (b"www 1 TXT " + b"x" * 256, 11, "bad-rdata"),
        (b'www 1 LUA NOPE "x"', 11, "bad-rdata"),
        (b"www 1 LUA A", 11, "bad-rdata"),
        (b"www 1 A \\# 3 c00002", 14, "bad-rdata"),
        (b"www 1 TYPE1 \\# 4 c000020", 18, "bad-rdata"),
        (b"www 1 SOA a b 1 2 3 4", 21, "bad-rdata"),
        (b"www 1 HTTPS 1 . alpn=", 17, "bad-rdata"),
        (b"www 5x A 192.0.2.1", 5, "bad-ttl"),
        (b"www 2147483648 A 192.0.2.1", 5, "bad-ttl"),
        (b"www 99999999999999999999999 A 192.0.2.1", 5, "bad-ttl"),
        (b"www 1 CH A 192.0.2.1", 7, "class-not-in"),
        (b"www 1 CLASS3 A 192.0.2.1", 7, "class-not-in"),
        (b"www 1 ANY 192.0.2.1", 7, "type-not-data"),
        (b"www 1 AXFR", 7, "type-not-data"),
        (b"www 1 OPT x", 7, "type-not-data"),
        (b"www 1 IN", 7, "type-missing"),
        (b"www", 1, "type-missing"),
        (b'www 1 "A" 192.0.2.1', 7, "type-missing"),
        (b"www.example.com. 1 A 192.0.2.1", 1, "out-of-zone"),
        (b"org. 1 A 192.0.2.1", 1, "out-of-zone"),
        (b". 1 A 192.0.2.1", 1, "out-of-zone"),
        (b"a..b 1 A 192.0.2.1", 1, "bad-owner"),
        (b".a 1 A 192.0.2.1", 1, "bad-owner"),
        (b"a\\25 1 A 192.0.2.1", 1, "bad-owner"),
        (b"y" * 64 + b" 1 A 192.0.2.1", 1, "bad-owner"),
        (b"a." * 122 + b"b 1 A 192.0.2.1", 1, "bad-owner"),
        (b'"www" 1 A 192.0.2.1', 1, "bad-owner"),
        (b"www 1 A 192.0.2.1 )", 19, "unbalanced-parenthesis"),
        (b"www 1 A 192.0.2.1 (", 19, "unbalanced-parenthesis"),
        (b'www 1 TXT "open', 11, "unclosed-string"),
        ('gr\u00fcn 1 TXT "open'.encode(), 12, "unclosed-string"),
        (b"www 1 TXT open\\", 15, "backslash-at-line-end"),
        (b"www 1 A 192.0.2.1\x0b", 18, "control-character"),
        (b"www 1 A\x00\x00192.0.2.1", 8, "control-character"),
        (b"www 1 A\r192.0.2.1", 8, "carriage-return"),
        (b"$ORIGIN", 1, "bad-directive"),
        (b"$ORIGIN a b", 11, "bad-directive"),
        (b"$ORIGIN a..b", 9, "bad-origin"),
        (b"$TTL 1 2", 8, "bad-directive"),
        (b"$TTL soon", 6, "bad-ttl"),
        (b"$ORIGN a", 1, "unknown-directive"),
        (b"  $ORIGIN a", 3, "unknown-type"),
        (b"$INCLUDE", 1, "bad-directive"),
        (b"$INCLUDE other", 10, "file-unreadable"),
        (b"$INCLUDE ../other", 10, "include-outside"),
        (b"$GENERATE 1-2 a A", 1, "bad-directive"),
        (b"$GENERATE 2-1 a$ A 192.0.2.$", 11, "bad-generate"),
        (b"$GENERATE 1 a$ A 192.0.2.$", 11, "bad-generate"),
        (b"$GENERATE 1-2/0 a$ A 192.0.2.$", 11, "bad-generate"),
        (b"$GENERATE 0-1000000 a$ A 192.0.2.$", 11, "bad-generate"),
        (b"$GENERATE 1-2 a${-5} A 192.0.2.$", 15, "bad-generate"),
        (b"$GENERATE 1-2 a$ A 192.0.2.${1,", 20, "bad-generate"),
        (b"$GENERATE 255-256 a$ A 192.0.2.$", 24, "bad-rdata"),
        (b"$GENERATE 1-2 a$ AA 192.0.2.$", 18, "unknown-type"),
        (b"$GENERATE 1-2 a$.com. A 192.0.2.$", 15, "out-of-zone"),
    ],
)
def test_a_fault_has_its_place_and_the_rest_is_read(line: bytes, column: int, rule: str) -> None:
    zone, faults = read_zone_text(GOOD + b"\n" + line + b"\n" + GOOD, APEX, "z")
    assert all(f"``{fault.rule}``" in (zonefile.__doc__ or "") for fault in faults)
    found = [(str(fault.place), fault.rule) for fault in faults if fault.severity == "error"]
    assert found == [(f"z:3:{column}", rule)]
    good = [record for record in zone.records if record[0] == b"good"]
    assert [zone.place(record).line for record in good] == [1, 4]


def test_every_fault_of_a_file_is_told_in_one_run() -> None:
    text = b"a A 192.0.2.1\nb 1 B c\nd 1x CH A 1\n e 1 A\nf 1 A f\n"
    _, faults = read_zone_text(text, APEX, "z")
    assert [(fault.place.line, fault.place.column, fault.rule) for fault in faults] == [
        (1, 1, "ttl-missing"),
        (2, 5, "unknown-type"),
        (3, 3, "bad-ttl"),
        (3, 6, "class-not-in"),
        (4, 2, "unknown-type"),
        (5, 7, "bad-rdata"),
    ]


def test_a_missing_ttl_is_told_once() -> None:
    _, faults = read_zone_text(b"a A 192.0.2.1\nb A 192.0.2.1\n", APEX, "z")
    assert [fault.rule for fault in faults] == ["ttl-missing"]


def test_a_first_line_without_owner() -> None:
    _, faults = read_zone_text(b"\n  1 A 192.0.2.1\n  1 A 192.0.2.2\n", APEX, "z")
    assert [(fault.place, fault.rule) for fault in faults] == [(Place("z", 2, 3), "owner-missing")]


def test_lines_below_a_faulty_owner_are_not_given_to_another() -> None:
    text = GOOD + b"a..b 1 A 192.0.2.2\n 1 A 192.0.2.3\n 1 A nonsense\n"
    zone, faults = read_zone_text(text, APEX, "z")
    assert [record[0] for record in zone.records] == [b"good"]
    assert [(fault.place.line, fault.rule) for fault in faults] == [
        (2, "bad-owner"),
        (4, "bad-rdata"),
    ]


def test_lines_below_a_broken_string_keep_its_owner() -> None:
    zone, _ = read_zone_text(b'good 1 A 192.0.2.1\nt 1 TXT "a\n 1 A 192.0.2.2\n', APEX, "z")
    assert [record[0] for record in zone.records] == [b"good", b"t"]


def test_a_string_over_several_lines_is_one_fault() -> None:
    text = (
        b"www 1 LUA A ( \";if x then\n   return '192.0.2.1'\n  end\" )\n"
        + GOOD
        + b'b 1 TXT "x" "y\n'
    )
    zone, faults = read_zone_text(text, APEX, "z")
    assert [(fault.place, fault.rule) for fault in faults] == [
        (Place("z", 1, 15), "unclosed-string"),
        (Place("z", 5, 13), "unclosed-string"),
    ]
    assert [zone.place(record) for record in zone.records] == [Place("z", 4, 1)]


def test_a_parenthesis_left_open_hides_only_its_record() -> None:
    text = b"@ 1 SOA a b (\n 1 2 3 4 5\n\n" + GOOD + b"$ORIGIN x\nb 1 A 192.0.2.1\n"
    zone, faults = read_zone_text(text, APEX, "z")
    assert [(fault.place, fault.rule) for fault in faults] == [
        (Place("z", 1, 13), "unbalanced-parenthesis")
    ]
    assert [record[0] for record in zone.records] == [b"good", b"x\x00b"]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (b"a 1 CNMAE b", "did you mean CNAME?"),
        (b"a 1 AAA 2001:db8::1", "did you mean AAAA?"),
        (b"a 1 A 2001:db8::1", "an IPv6 address stands in an AAAA record"),
        (b"a 1 AAAA 192.0.2.1", "an IPv4 address stands in an A record"),
        (b"a 1 MX mail", "write a preference first: 10 mail"),
        (b"$INCLUD x", "did you mean $INCLUDE?"),
        (b" $TTL 5", "a directive starts in column 1: remove the white space before it"),
    ],
)
def test_messages_say_what_to_do(line: bytes, fix: str) -> None:
    _, faults = read_zone_text(GOOD + line, APEX, "z")
    assert [fault.fix for fault in faults] == [fix]


def test_out_of_zone_explains_the_origin() -> None:
    _, faults = read_zone_text(b"$ORIGIN com.\nwww 1 A 192.0.2.1\n", APEX, "z")
    assert "www.com." in faults[0].message
    assert "$ORIGIN is com." in faults[0].why


def test_names_that_are_not_ascii_are_warned_of() -> None:
    _, faults = read_zone_text("grün 1 A 192.0.2.1\n".encode(), APEX, "z")
    assert [(fault.rule, fault.severity) for fault in faults] == [
        ("name-not-ascii", Severity.WARNING)
    ]
    assert faults[0].fix == "write xn--grn-ioa"


def test_utf_16_is_recognised() -> None:
    zone, faults = read_zone_text("a 1 A 192.0.2.1".encode("utf-16"), APEX, "z")
    assert [fault.rule for fault in faults] == ["not-utf-8"]
    assert zone.records == []


def test_a_file_that_is_no_zone_file_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_state, "MAX_ERRORS", 20)
    _, faults = read_zone_text(b"what is this\n" * 1000, APEX, "z")
    assert len(faults) == 21
    assert faults[-1].rule == "too-many-faults"


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    zone, faults = read_zone(tmp_path / "no.zone", APEX, shown_as="zones/no.zone")
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/no.zone", "file-unreadable")
    ]
    assert zone.records == []


def test_warnings_do_not_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_state, "MAX_WARNINGS", 3)
    monkeypatch.setattr(source_state, "MAX_ERRORS", 5)
    zone, faults = read_zone_text("grün 1 A 192.0.2.1\n".encode() * 10, APEX, "z")
    assert len(zone.records) == 10
    assert [fault.rule for fault in faults] == ["name-not-ascii"] * 3


def test_generated_names_that_are_not_ascii_are_warned_of_once() -> None:
    zone, faults = read_zone_text("$GENERATE 1-9 ü$ 1 A 192.0.2.$\n".encode(), APEX, "z")
    assert len(zone.records) == 9
    assert [fault.rule for fault in faults] == ["name-not-ascii"]


def test_columns_of_a_line_of_many_fields_are_counted_once() -> None:
    # Counted from the line's start for each of its fields, this would take minutes.
    text = "t 1 TXT " + "ü " * 500_000 + "(\n"
    _, faults = read_zone_text(text.encode(), APEX, "z")
    assert [(fault.place.column, fault.rule) for fault in faults] == [
        (1_000_009, "unbalanced-parenthesis")
    ]


def test_a_field_of_a_whole_disk_takes_no_more_memory_than_it_has(tmp_path: Path) -> None:
    text = GOOD + b"t 1 TXT " + b"x" * 20_000_000 + b'\nu 1 TXT "' + b"y" * 20_000_000 + b'"\n'
    (tmp_path / "z").write_bytes(text)
    # A file is given the room that it may take, before it is known how much it takes.
    spending = Spending(Limits(zone=(1, 0, 0, 0, len(text))))
    tracemalloc.start()
    _, faults = read_zone(tmp_path / "z", APEX, spending=spending)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [fault.place.line for fault in faults] == [2, 3]
    assert peak < 8 * len(text)


def test_a_name_of_a_whole_disk_is_refused_at_once() -> None:
    _, faults = read_zone_text(b"t 1 CNAME " + b"a." * 1_000_000, APEX, "z")
    assert [(fault.place.column, fault.rule) for fault in faults] == [(11, "bad-rdata")]


def test_parentheses_without_end_are_given_up_before_the_file_ends() -> None:
    text = b"t 1 TXT (\n" * 6000 + GOOD
    zone, faults = read_zone_text(text, APEX, "z")
    assert [zone.place(record).line for record in zone.records] == [6001]
    assert {fault.rule for fault in faults} == {"unbalanced-parenthesis"}
    assert len(faults) == 6000
