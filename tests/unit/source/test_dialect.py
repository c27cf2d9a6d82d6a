"""What ``dialect = "powerdns"`` reads as PowerDNS does, and what is told without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.faults import Fault, Severity
from lzc.source.halves import MIN_OCTETS
from lzc.source.state import OTHERWISE
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import PLACE, Zone
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")
LONG = "x" * 300
HINTED = "1 . ipv4hint=auto ipv6hint=auto"


def there(text: str, *, insert_whitespace: bool = False) -> tuple[Zone, list[Fault]]:
    """Read as PowerDNS does."""
    return read_zone_text(
        text.encode(), APEX, "z", insert_whitespace=insert_whitespace, powerdns=True
    )


def records(zone: Zone) -> list[str]:
    """Owner, TTL, type and RDATA of each record."""
    return [
        f"{wire_name.to_text(zone.owner(record))} {record[3]} {rr.to_text(record[1])} "
        + wire_rdata.to_text(record[1], record[2])
        for record in zone.records
    ]


def told(faults: list[Fault]) -> list[tuple[str, str, str]]:
    assert all(fault.message and fault.why and fault.fix for fault in faults)
    return [(str(fault.place), fault.rule, fault.severity.value) for fault in faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$ORIGIN a.example.org\nx 5 A 192.0.2.1\n", ["x.a.example.org. 5 A 192.0.2.1"]),
        ("$ORIGIN org\nx.example 5 CNAME y\n", ["x.example.org. 5 CNAME y.org."]),
        ("a 5 TXT v=spf1  -all ; c\n", ['a.example.org. 5 TXT "v=spf1  -all"']),
        ("a 5 TXT ( x ; c\n  y )\n", ['a.example.org. 5 TXT "x y"']),
        ("a 5 TXT x ( \ny\n)\n", ['a.example.org. 5 TXT "x  y"']),
        ("a 5 TXT a(b)c\n", ['a.example.org. 5 TXT "abc"']),
        ("a 5 TXT @\n", ['a.example.org. 5 TXT "example.org."']),
        ("a 5 TXT (@)\n", ['a.example.org. 5 TXT "@"']),
        ('a 5 TXT "x""y"z w\n', ['a.example.org. 5 TXT "x" "y" "z" "w"']),
        (f'a 5 TXT "{LONG}" ""\n', [f'a.example.org. 5 TXT "{LONG[:255]}" "{LONG[255:]}" ""']),
        (f"a 5 TXT {LONG}\n", [f'a.example.org. 5 TXT "{LONG[:255]}" "{LONG[255:]}"']),
        ("$TTL 1y\na A 192.0.2.1\n", ["a.example.org. 31536000 A 192.0.2.1"]),
        ("a 1Y A 192.0.2.1\n", ["a.example.org. 31536000 A 192.0.2.1"]),
        ("@ SOA a b 1 1y 3 4 5\n", ["example.org. 3600 SOA a.example.org. b.example.org. 1 "
                                   "31536000 3 4 5"]),
        ("@ SOA a b 1 2 3 4 5\na 7 NS b\nb A 192.0.2.1\n", [
            "example.org. 3600 SOA a.example.org. b.example.org. 1 2 3 4 5",
            "a.example.org. 7 NS b.example.org.", "b.example.org. 7 A 192.0.2.1"]),
        ("a 5 HTTPS 1 b\n", ["a.example.org. 5 HTTPS 1 b."]),
        ("a 5 KX 1 b.example.org\n", ["a.example.org. 5 KX 1 b.example.org."]),
        ("a 5 MB @\n", ["a.example.org. 5 MB example.org."]),
        ("$GENERATE 7-7 a$$ 5 TXT \\065  ${0,3,n}\n", ['a77.example.org. 5 TXT "065 007"']),
        (f"a 5 HTTPS {HINTED}\n", ["a.example.org. 5 HTTPS 1 ."]),
        (f"a 5 A 192.0.2.2\na 5 HTTPS {HINTED} alpn=h2\na 5 A 192.0.2.1\n", [
            "a.example.org. 5 A 192.0.2.2",
            'a.example.org. 5 HTTPS 1 . alpn="h2" ipv4hint="192.0.2.2,192.0.2.1"',
            "a.example.org. 5 A 192.0.2.1"]),
        ('a 5 SVCB 1 B.example.org ipv6hint="auto,::9"\nb 5 AAAA ::1\n', [
            'a.example.org. 5 SVCB 1 B.example.org. ipv6hint="::1"',
            "b.example.org. 5 AAAA ::1"]),
    ],
)  # fmt: skip
def test_read_as_on_powerdns(text: str, expected: list[str]) -> None:
    zone, faults = there(text)
    assert told(faults) == []
    assert records(zone) == expected


@pytest.mark.parametrize(
    ("strings", "whitespace", "code"),
    [
        (r'''"'a\nb'"''', False, r"'a\nb'"),
        (r'''"'a\\nb'"''', False, r"'a\\nb'"),
        (r'''"'a\065\'b'"''', False, r"'a\065\'b'"),
        (r'''"'ü\n'" "..'y'"''', False, r"'ü\n'..'y'"),
        ("""'a b'""", False, "'ab'"),
        (r"""'a\nb'""", False, r"'a\nb'"),
        (""""'a" " " "b'\"""", False, "'ab'"),
        (""""'a" "" "b'\"""", False, "'ab'"),
        (""""'a" " " "b'\"""", True, "'a" + 7 * " " + "b'"),
        (""""'a" "" "b'\"""", True, "'a" + 5 * " " + "b'"),
        (""""'a""b'\"""", True, "'a" + 3 * " " + "b'"),
    ],
)
def test_lua_sees_strings_as_they_are_written(
    strings: str, whitespace: bool, code: str
) -> None:  # fmt: skip
    zone, faults = there(f"a 5 LUA TXT {strings}\n", insert_whitespace=whitespace)
    assert faults == []
    assert zone.lua_sources[zone.records[0][PLACE]].code.decode() == code


def test_faults_behind_escapes_stand_where_they_are() -> None:
    _, faults = there("a 5 LUA TXT \"'\\n'\" \"..'ü\\065' .. !\"\n")
    assert told(faults) == [("z:1:34", "lua-syntax", "error")]


@pytest.mark.parametrize(
    ("text", "column", "rule"),
    [
        ("$TTL 1h30m\n", 6, OTHERWISE),
        ("@ 5 SOA a b 1 2 1h1m 4 5\n", 17, OTHERWISE),
        ("$ORIGIN @\n", 9, OTHERWISE),
        ('a 5 MX 10 "b"\n', 11, OTHERWISE),
        ("(a) 5 A 192.0.2.1\n", 2, OTHERWISE),
        ('a 5 TXT x y "z"\n', 13, "bad-rdata"),
        (r'''a 5 LUA TXT "'ü\"'"''' + "\n", 16, "lua-syntax"),
    ],
)
def test_what_nobody_means_is_an_error(text: str, column: int, rule: str) -> None:
    _, faults = there(text)
    assert told(faults) == [(f"z:1:{column}", rule, "error")]
    if rule == OTHERWISE:
        _, faults = there(text[:-1] + " ; lzc: ignore powerdns-reads-otherwise\n")
        assert faults == []


@pytest.mark.parametrize("text", ["a 5 HTTPS 1 @\n", "a 5 KX 1 @\n"])
def test_an_origin_that_powerdns_does_not_know_is_an_error(text: str) -> None:
    _, (fault,) = there(text)
    assert (fault.rule, fault.severity) == ("bad-rdata", Severity.ERROR)


@pytest.mark.parametrize(
    ("text", "column", "severity"),
    [
        ("$ORIGIN example.org\n", 9, "error"),
        ("$ORIGIN a.Example.ORG\n", 9, "error"),
        ("$ORIGIN org\n", 9, "warning"),
        ("$TTL 1h30m\n", 6, "warning"),
        ("@ 5 SOA a b 1 2 1h1m 4 5\n", 17, "warning"),
        ("@ SOA a b 1 2 3 4 5\n", 1, "warning"),
        ("a 5 TXT v=spf1 -all\n", 9, "warning"),
        ("a 5 HTTPS 1 b.example.org\n", 13, "error"),
        ("a 5 HTTPS 1 b.example.net\n", 13, "warning"),
        (r'''a 5 LUA TXT "'ü\n'"''' + "\n", 16, "error"),
        (r'''a 5 LUA TXT "'a'" "..'\\n'"''' + "\n", 23, "warning"),
        (r'''a 5 LUA TXT "'a\092n'"''' + "\n", 16, "warning"),
        ("$GENERATE 1-2 a$$$ 5 A 192.0.2.1\n", 15, "warning"),
        ("$GENERATE 1-2 a$ 5 PTR ${0,3,n}\n", 24, "warning"),
    ],
)
def test_without_it_what_powerdns_reads_otherwise_is_told(
    text: str, column: int, severity: str
) -> None:  # fmt: skip
    _, faults = read_zone_text(text.encode(), APEX, "z")
    assert told(faults) == [(f"z:1:{column}", OTHERWISE, severity)]
    _, faults = read_zone_text(
        b"; lzc: ignore powerdns-reads-otherwise\n" + text.encode(), APEX, "z"
    )
    assert faults == []


@pytest.mark.parametrize(
    "text",
    [
        "$ORIGIN a\n",
        "$ORIGIN @\n",
        "$ORIGIN example.org.\n",
        "a 5 HTTPS 1 b\n",
        "a 5 HTTPS 1 @\n",
        "a 5 HTTPS 1 b.example.org.\n",
        'a 5 TXT "x"y\n',
        r'''a 5 LUA TXT "'a\065\.\"'"''' + "\n",
        r"""a 5 LUA TXT "'\"\\n\"'" """ + "\n",
        "$TTL 1h\n",
    ],
)
def test_without_it_plain_text_has_one_meaning(text: str) -> None:
    _, faults = read_zone_text(text.encode(), APEX, "z")
    assert faults == []


@pytest.mark.parametrize(
    "text",
    [f'a 5 TXT "{LONG}"\n', "a 5 HTTPS 1 . ipv4hint=auto\n", "a 5 HTTPS 1 . ipv6hint=auto\n"],
)
def test_without_it_the_fix_names_the_setting(text: str) -> None:
    _, (fault,) = read_zone_text(text.encode(), APEX, "z")
    assert fault.rule == "bad-rdata"
    assert 'dialect = "powerdns" in [build]' in fault.fix


def test_owner_and_origin_go_on_after_an_include(tmp_path: Path) -> None:
    (tmp_path / "z").write_text("a 5 A 192.0.2.1\n$INCLUDE i\n  A 192.0.2.3\nc A 192.0.2.4\n")
    (tmp_path / "i").write_text("b A 192.0.2.2\n$ORIGIN s.example.org\n")
    zone, faults = read_zone(tmp_path / "z", APEX, shown_as="z", powerdns=True)
    assert faults == []
    assert [one.split(" ")[0] for one in records(zone)] == [
        "a.example.org.",
        "b.example.org.",
        "b.example.org.",
        "c.s.example.org.",
    ]
    (tmp_path / "i").write_text("b A 192.0.2.2\n$ORIGIN s.example.org.\n")
    zone, faults = read_zone(tmp_path / "z", APEX, shown_as="z")
    assert told(faults) == [("z:2:10", OTHERWISE, "warning")]
    assert records(zone)[2:] == ["a.example.org. 5 A 192.0.2.3", "c.example.org. 5 A 192.0.2.4"]


@pytest.mark.parametrize("powerdns", [False, True])
def test_the_origin_of_an_include_is_none_on_powerdns(tmp_path: Path, powerdns: bool) -> None:
    (tmp_path / "z").write_text("$INCLUDE i s\n")
    (tmp_path / "i").write_text("b 5 A 192.0.2.2\n")
    _, faults = read_zone(tmp_path / "z", APEX, shown_as="z", powerdns=powerdns)
    assert told(faults) == [("z:1:12", OTHERWISE, "error" if powerdns else "warning")]


def test_a_mandatory_hint_without_addresses_is_an_error() -> None:
    _, faults = there("a 5 HTTPS 1 . mandatory=ipv4hint ipv4hint=auto\n")
    assert [(fault.rule, fault.place.line) for fault in faults] == [("bad-rdata", 1)]


def test_large_files_are_read_the_same_in_halves(tmp_path: Path) -> None:
    lines = [f"n{at} A 192.0.2.{at % 250}\n" for at in range(MIN_OCTETS // 20)]
    for at in (10, len(lines) - 10):
        lines[at] += f"h{at} HTTPS 1 n{at}.example.org ipv4hint=auto\nt{at} TXT a  b\n"
    (tmp_path / "z").write_text("$TTL 5\n" + "".join(lines))
    assert (tmp_path / "z").stat().st_size > MIN_OCTETS
    alone = read_zone(tmp_path / "z", APEX, powerdns=True)
    halves = read_zone(tmp_path / "z", APEX, powerdns=True, in_halves=True)
    assert alone[0].records == halves[0].records
    assert alone[1] == halves[1] == []
