"""``$INCLUDE`` and ``$GENERATE``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.faults import Fault, Place
from lzc.source.generate import format_number, parse_range, substitute
from lzc.source.state import OTHERWISE
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import Zone
from tests.unit.zone_text import read_zone_text

IGNORED = " ; lzc: ignore powerdns-reads-otherwise\n"
APEX = wire_name.from_text("example.org.")


def read(folder: Path, **files: str) -> tuple[Zone, list[Fault]]:
    """Read ``zones/main`` of a project with these files; ``__`` stands for ``/``."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_zone(folder / "zones/main", APEX, shown_as="zones/main", root=folder)


def owners(zone: Zone) -> list[str]:
    return [
        wire_name.to_text(zone.owner(record)).removesuffix("example.org.")
        for record in zone.records
    ]


def test_an_included_file_stands_beside_the_one_that_includes_it(tmp_path: Path) -> None:
    zone, faults = read(
        tmp_path,
        zones__main="$TTL 5\n$INCLUDE sub/a\n$INCLUDE ../b\n",
        zones__sub__a="$INCLUDE c\n",
        zones__sub__c="c A 192.0.2.1\n",
        b="\nb A nonsense\nb A 192.0.2.2\n",
    )
    assert owners(zone) == ["c.", "b."]
    assert [zone.place(record) for record in zone.records] == [
        Place("zones/sub/c", 1, 1),
        Place("b", 3, 1),
    ]
    assert [fault.place for fault in faults] == [Place("b", 2, 5)]


def test_origin_and_owner_are_as_before_after_an_include(tmp_path: Path) -> None:
    zone, faults = read(
        tmp_path,
        zones__main="a 5 A 192.0.2.1\n$INCLUDE inc in ; lzc: ignore powerdns-reads-otherwise\n"
        " A 192.0.2.2\nb A 192.0.2.3\n",
        zones__inc="  7 A 192.0.2.4\nx A 192.0.2.5\n$ORIGIN deep\ny A 192.0.2.6\n",
    )
    assert faults == []
    assert owners(zone) == ["a.", "a.", "x.in.", "y.deep.in.", "a.", "b."]
    assert [record[3] for record in zone.records] == [5, 7, 7, 7, 7, 7]


def test_a_ttl_set_in_an_included_file_stays(tmp_path: Path) -> None:
    zone, faults = read(
        tmp_path, zones__main="$INCLUDE inc\na A 192.0.2.1\n", zones__inc="$TTL 9\n"
    )
    assert faults == []
    assert [record[3] for record in zone.records] == [9]


def test_a_file_may_be_included_twice_but_not_by_itself(tmp_path: Path) -> None:
    zone, faults = read(
        tmp_path,
        zones__main="$TTL 5\n$INCLUDE a one\n$INCLUDE a two\n".replace("\n", IGNORED),
        zones__a="x A 192.0.2.1\n$INCLUDE b\n",
        zones__b="  $INCLUDE\n".strip() + " ../zones/a\n",
    )
    assert owners(zone) == ["x.one.", "x.two."]
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/b:1:10", "include-cycle"),
        ("zones/b:1:10", "include-cycle"),
    ]


def test_files_that_include_each_other_too_deep(tmp_path: Path) -> None:
    chain = {f"zones__f{number}": f"$INCLUDE f{number + 1}\n" for number in range(40)}
    _, faults = read(tmp_path, zones__main="$INCLUDE f0\n", **chain)
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/f30:1:10", "include-depth")
    ]


@pytest.mark.parametrize("path", ["../../secret", "/etc/hostname", "link"])
def test_an_include_may_not_leave_the_project(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("a 5 A 192.0.2.1\n")
    (tmp_path / "project/zones").mkdir(parents=True)
    (tmp_path / "project/zones/link").symlink_to(tmp_path / "secret")
    zone, faults = read(tmp_path / "project", zones__main=f"$INCLUDE {path}\n")
    assert zone.records == []
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/main:1:10", "include-outside")
    ]


@pytest.mark.parametrize("path", ["missing", ".", '"a b"'])
def test_an_include_that_cannot_be_read(tmp_path: Path, path: str) -> None:
    _, faults = read(tmp_path, zones__main=f"\n$INCLUDE {path}\n")
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/main:2:10", "file-unreadable")
    ]


@pytest.mark.parametrize("path", ["a\\999", "a\\000b"])
def test_an_include_of_what_is_no_path(tmp_path: Path, path: str) -> None:
    _, faults = read(tmp_path, zones__main=f"$INCLUDE {path}\n")
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("zones/main:1:10", "include-unreadable")
    ]


def test_generate_makes_what_bind_makes() -> None:
    """The expected records are those that named-compilezone 9.18 printed for these lines, but for
    strings: a quoted one stays one string here, as PowerDNS has it."""
    text = rb"""$TTL 5
$GENERATE 1-3 h$ A 10.0.0.$
$GENERATE 10-14/2 a${-5,3,d}b$$ 60 IN A 10.0.0.${1}
$GENERATE 254-256 ${0,0,x}z MX "10 m${0,4,X}"
$GENERATE 18-19 ${0,5,n}.r PTR p${0,5,N}.
$GENERATE 18-19 ${0,6,n}q PTR p${0,0,n}
$GENERATE 1-2 u\$$ TXT foo$
$GENERATE 4000-4000 o${0,0,o} CNAME d${0,10}
$GENERATE 1-2 s$ 30 TXT "a $"
"""
    zone, faults = read_zone_text(text, APEX, "z")
    assert {fault.rule for fault in faults} == {OTHERWISE}
    made = [
        f"{owner} {record[3]} {rr.to_text(record[1])} {wire_rdata.to_text(record[1], record[2])}"
        for owner, record in zip(owners(zone), zone.records, strict=True)
    ]
    assert made == [
        "h1. 5 A 10.0.0.1",
        "h2. 5 A 10.0.0.2",
        "h3. 5 A 10.0.0.3",
        "a005b\\$. 60 A 10.0.0.11",
        "a007b\\$. 60 A 10.0.0.13",
        "a009b\\$. 60 A 10.0.0.15",
        "fez. 5 MX 10 m00FE.example.org.",
        "ffz. 5 MX 10 m00FF.example.org.",
        "100z. 5 MX 10 m0100.example.org.",
        "2.1.0.r. 5 PTR p2.1.0.",
        "3.1.0.r. 5 PTR p3.1.0.",
        "2.1.0.q. 5 PTR p2.1.example.org.",
        "3.1.0.q. 5 PTR p3.1.example.org.",
        'u\\$1. 5 TXT "foo1"',
        'u\\$2. 5 TXT "foo2"',
        "o7640. 5 CNAME d0000004000.example.org.",
        's1. 30 TXT "a 1"',
        's2. 30 TXT "a 2"',
    ]
    assert {zone.place(record).line for record in zone.records} == set(range(2, 10))


def test_generated_lua_records() -> None:
    text = b"$GENERATE 1-2 g$ 60 LUA A \"pickrandom({'192.0.2.$'})\"\n"
    zone, faults = read_zone_text(text, APEX, "z")
    assert faults == []
    assert [record[2][3:] for record in zone.records] == [
        b"pickrandom({'192.0.2.1'})",
        b"pickrandom({'192.0.2.2'})",
    ]


def test_ranges() -> None:
    assert list(parse_range(b"1-3")) == [1, 2, 3]
    assert list(parse_range(b"0-10/4")) == [0, 4, 8]
    assert list(parse_range(b"7-7")) == [7]


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        (b"a$b$", b"a7b7"),
        (b"\\$$", b"$7"),
        (b"$$$", b"$7"),
        (b"\\\\$", b"\\\\7"),
        (b"${3}", b"10"),
        (b"${-7,3}", b"000"),
        (b"${9,0,x}${9,2,X}", b"1010"),
        (b"none", b"none"),
    ],
)
def test_placeholders(template: bytes, filled: bytes) -> None:
    assert substitute(template, 7) == filled


def test_numbers_as_labels() -> None:
    assert format_number(0x1A, 0, "n") == b"a.1"
    assert format_number(0x1A, 7, "N") == b"A.1.0.0"
    assert format_number(0, 1, "n") == b"0"


@pytest.mark.parametrize(
    ("rrtype", "field", "content"),
    [
        ("HINFO", '"PC$ Linux"', '"PC1" "Linux"'),
        ("CAA", r'"0 issue \"c$\""', '0 issue "c1"'),
        ("NAPTR", r'"1 1 \"S\" \"x$\" \"\" ."', '1 1 "S" "x1" "" .'),
        ("MX", '"10 mail$.e."', "10 mail1.e."),
        ("TXT", '"number $"', '"number 1"'),
    ],
)
def test_generate_takes_several_fields_in_one_pair_of_quotes(
    rrtype: str, field: str, content: str
) -> None:
    zone, faults = read_zone_text(
        f"$TTL 5\n$GENERATE 1-1 a$ {rrtype} {field}\n".encode(), APEX, "z"
    )
    assert faults == []
    (record,) = zone.records
    assert wire_rdata.to_text(record[1], record[2]) == content


def test_what_generate_makes_of_quotes_may_be_at_fault_too() -> None:
    text = rb'$GENERATE 1-9 a$ 5 HINFO "\"x$ y"'
    _, faults = read_zone_text(text, APEX, "z")
    assert [(fault.place.column, fault.rule) for fault in faults] == [(26, "bad-generate")]


def test_zeros_in_front_of_a_ttl_do_not_matter() -> None:
    zone, faults = read_zone_text(b"a 000000000000300 A 192.0.2.1\n", APEX, "z")
    assert faults == []
    assert zone.records[0][3] == 300
