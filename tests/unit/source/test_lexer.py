"""Entries of zone files: where they end and what their fields are."""

from __future__ import annotations

from typing import Any

import pytest

from lzc.source import bulk, names
from lzc.source import ttl as ttl_text
from lzc.source.lexer import Entry, Token, read_entry
from lzc.wire import name as wire_name
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")


def test_fields_have_lines_and_columns() -> None:
    entry = read_entry(b'skipped\n\ta (\n  "b c" ;d\n\n e\\ f) g\r\nnext', 8, 2, "z")
    assert entry.tokens == [
        Token(b"a", False, 2, 2),
        Token(b"b c", True, 3, 3),
        Token(b"e\\ f", False, 5, 2),
        Token(b"g", False, 5, 8),
    ]
    assert entry.blank
    assert (entry.end, entry.next_line) == (35, 6)
    assert entry.faults == []


def test_columns_count_characters() -> None:
    entry = read_entry("ü 1 TXT ü x".encode(), 0, 1, "z")
    assert [token.column for token in entry.tokens] == [1, 3, 5, 9, 11]


@pytest.mark.parametrize("text", [b"\n", b"  \n", b"; c\n", b"\r\n", b" ()\n"])
def test_entries_without_fields(text: bytes) -> None:
    entry = read_entry(text, 0, 1, "z")
    assert (entry.tokens, entry.end, entry.next_line) == ([], len(text), 2)


def test_parentheses_may_nest() -> None:
    entry = read_entry(b"a ( b ( c\n) d\n) e\nf\n", 0, 1, "z")
    assert [token.text for token in entry.tokens] == [b"a", b"b", b"c", b"d", b"e"]


def test_tables_of_names_that_are_full_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(b"h.s%d 1 CNAME t.u%d\n" % (number, number) for number in range(20))
    whole = read_zone_text(text, APEX, "z")
    monkeypatch.setattr(names, "MAX_KEPT", 3)
    assert read_zone_text(text, APEX, "z") == whole


def test_the_fast_path_reads_what_is_simple(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("not simple")

    monkeypatch.setattr(bulk, "read_entry", refuse)
    text = (
        b"a 1 IN A 192.0.2.1 ; comment\n  AAAA 2001:db8::1\nb.c 1 MX 1 d.\n\n; comment\n"
        b'e 1 TXT "f ; (g)" ; h\ni 1 LUA A "pickrandom({})"\r\nj 1 SRV 1 2 3 k.l'
    )
    zone, faults = read_zone_text(text, APEX, "z")
    assert (len(zone.records), faults) == (6, [])


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"0", 0), (b"1h30m", 5400), (b"1W", 604800), (b"2147483647", 2**31 - 1)]
)
def test_ttls(text: bytes, seconds: int) -> None:
    assert ttl_text.parse(text) == seconds


@pytest.mark.difference("D-39")
@pytest.mark.parametrize("text", [b"", b"-1", b"1h2", b"h", b"1 h", b"2147483648", b"9" * 5000])
def test_what_is_no_ttl(text: bytes) -> None:
    with pytest.raises(ValueError, match="TTL"):
        ttl_text.parse(text)


@pytest.mark.parametrize("apart", [1, 52])
def test_lines_are_not_read_again_and_again_for_parentheses_that_are_never_closed(
    apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []

    def counted(*arguments: Any) -> Entry:
        entry = read_entry(*arguments)
        looked_at.append(entry.ahead)
        return entry

    monkeypatch.setattr("lzc.source.bulk.read_entry", counted)
    text = ("a A ( 192.0.2.1\n" + "b A 192.0.2.1\n" * (apart - 1)) * 3000
    _, faults = read_zone_text(text.encode(), APEX, "z")
    assert sum(fault.rule == "unbalanced-parenthesis" for fault in faults) == 3000
    assert sum(looked_at) < 200_000
