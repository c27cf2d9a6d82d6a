"""LUA records from the operator's code to RDATA, and where faults of the code are placed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.faults import Fault, Severity, unpack
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaCodeError
from lzc.source import inputs
from lzc.source.lua_record import strings_of
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.zone.model import PLACE, LuaRecord, Zone
from tests.unit.lua_programs import Programs
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")


def read(text: str, *, insert_whitespace: bool = True) -> Zone:
    zone, faults = read_zone_text(text.encode(), APEX, "z", insert_whitespace=insert_whitespace)
    assert faults == []
    return zone


def code(zone: Zone, index: int = 0) -> bytes:
    """The code that a record transfers, its strings put together."""
    return b"".join(LuaRecord.from_rdata(zone.records[index][2]).strings)


def source(zone: Zone, index: int = 0) -> bytes:
    """The code that the operator wrote."""
    return zone.lua_sources[zone.records[index][PLACE]].code


def where(zone: Zone, needle: bytes, index: int = 0) -> str:
    """The place of the first octet of ``needle`` in a record's source."""
    found = zone.lua_sources[zone.records[index][PLACE]]
    return str(unpack(found.place_at(found.code.index(needle)), zone.files))


def told(faults: list[Fault]) -> list[tuple[str, str]]:
    return [(str(fault.place), fault.rule) for fault in faults]


class Project:
    """A folder with zone files and code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "zones").mkdir()

    def write(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, text: str) -> tuple[Zone, list[Fault]]:
        self.write("zones/z", text)
        return read_zone(self.folder / "zones" / "z", APEX, shown_as="zones/z", root=self.folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_is_transferred_is_rewritten_and_the_source_is_kept() -> None:
    zone = read("w 1 LUA A \"pickrandom( {'192.0.2.1', '192.0.2.2'} ) -- one of two\"\n")
    assert code(zone) == b"pickrandom({'192.0.2.1','192.0.2.2'})"
    assert source(zone) == b"pickrandom( {'192.0.2.1', '192.0.2.2'} ) -- one of two"


def test_every_way_to_write_a_record_gives_the_same_rdata() -> None:
    texts = [
        "w 1 LUA TXT \"'a' .. 'b'\"",
        'w 1 IN LUA TXT ( "\'a\'"\n  ".." "\'b\'" )',
        "w 1 LUA TXT \"'a'\\032..\\ 'b'\"",
        'w 1 LUA TXT "\\"a\\" .. \\"b\\""',
        "w 1 TYPE65402 TXT \"'a'..'b'\"",
        "w 1 TYPE65402 \\# 11 0010 08 2761272e2e276227",
        "w 1 LUA \\# 12 0010 03 276127 05 2e2e276227",
        "$GENERATE 1-1 w 1 LUA TXT \"'a' .. 'b'\"",
    ]
    assert {read(text + "\n").records[0][2] for text in texts} == {b"\x00\x10\x08'a'..'b'"}


def test_insert_whitespace_says_what_several_strings_mean() -> None:
    text = 'w 1 LUA TXT "\'ab" "cd\'"\n'
    assert source(read(text)) == b"'ab   cd'"
    assert source(read(text, insert_whitespace=False)) == b"'abcd'"


def test_code_over_255_octets_is_cut_between_tokens() -> None:
    long = ";if true then return '" + "x" * 200 + "' end return '" + "y" * 90 + "'"
    zone = read(f'w 1 LUA TXT "{long}"\n')
    strings = LuaRecord.from_rdata(zone.records[0][2]).strings
    assert len(strings) == 2
    assert max(map(len, strings)) <= 255


@pytest.mark.parametrize(
    "text",
    [
        'w 1 LUA TXT "a !b"',
        'v 1 A 192.0.2.1\n 1 LUA TXT ( "a"\n\n  "..!b" )',
        'w 1 LUA TXT "\\"\\\\\\"\\".. !b"',
        'w 1 LUA TXT "\\039\\\'.. !b"',
        "w 1 LUA TXT \"'ü€'..!b\"",
        'w 1 LUA TXT ( "\'ü\\252\'" "..\\ !b" )',
        "w 1 LUA TXT x..!b",
        'w 1 LUA LUA "x = 1 y = !b"',
        "w 1 LUA TXT \";return '\\255\u2028'..!b\"",
        "$GENERATE 10-11 w$ 1 LUA TXT \"'$-$' .. !b\"",
        "$GENERATE 8-11 w$ 1 LUA TXT ( \"'ü${2,9}'\" \"..'$'.. !b\" )",
        '$GENERATE 8-11 w$ 1 LUA TXT "\'\\"\\$ $\' .. !b"',
    ],
)
def test_a_syntax_error_is_placed_where_it_stands(text: str) -> None:
    ignored = " ; lzc: ignore powerdns-reads-otherwise\n"
    before = text[: text.index("!")]
    place = f"z:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"
    zone, faults = read_zone_text((text + ignored).encode(), APEX, "z")
    assert told(faults) == [(place, "lua-syntax")]
    assert all(fault.message and fault.why and fault.fix for fault in faults)
    assert [record for record in zone.records if record[1] == rr.LUA] == []


def test_a_syntax_error_in_hexadecimal_digits() -> None:
    _, faults = read_zone_text(b"w 1 LUA \\# 8 0010 05 61 2e2e2162\n", APEX, "z")
    assert told(faults) == [("z:1:29", "lua-syntax")]


def test_what_is_never_closed_is_named_by_its_place() -> None:
    _, faults = read_zone_text(b'w 1 LUA A ( ";if x then"\n  "return 1" )\n', APEX, "z")
    assert told(faults) == [("z:2:12", "lua-syntax")]
    assert "z:1:15" in faults[0].message


def test_syntax_errors_are_told_with_all_other_faults() -> None:
    text = b'a 1 LUA A "x y"\nb 1 A nonsense\nc 1 LUA A ";return"\nd 1 LUA A ";end"\n'
    _, faults = read_zone_text(text, APEX, "z")
    assert [(fault.place.line, fault.rule) for fault in faults] == [
        (1, "lua-syntax"),
        (2, "bad-rdata"),
        (4, "lua-syntax"),
    ]


def test_places_of_code_follow_lines_escapes_and_characters() -> None:
    zone = read('w 1 LUA TXT ( "f(\\"ü\\") .. x"\n"  .. y" )\n')
    assert [where(zone, at) for at in (b"f", b'"', b")", b"x", b"y")] == [
        "z:1:16",
        "z:1:18",
        "z:1:23",
        "z:1:28",
        "z:2:7",
    ]


def test_code_in_a_file(project: Project) -> None:
    project.write("zones/lua/www.lua", "-- Grüße\nlocal a = \"x\"\r\nreturn a .. 'y'\n")
    zone, faults = project.read('w 1 LUA TXT $FILE "lua/www.lua"\nv 1 LUA A $file lua/www.lua\n')
    assert faults == []
    assert code(zone, 0) == code(zone, 1)
    assert b"Gr" not in code(zone)
    assert where(zone, b"local") == "zones/lua/www.lua:2:1"
    assert where(zone, b"'y'") == "zones/lua/www.lua:3:13"


def test_a_file_is_read_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("zones/a.lua", "'a'")
    opened: list[str] = []
    as_before = inputs.read

    def read_noting(path: str, real: Path, *arguments: Any) -> Any:
        opened.append(real.name)
        return as_before(path, real, *arguments)

    monkeypatch.setattr(inputs, "read", read_noting)
    _, faults = project.read('$GENERATE 1-9 w$ 1 LUA TXT $FILE "a.lua"\nv 1 LUA A $FILE a.lua\n')
    assert faults == []
    assert opened.count("a.lua") == 1


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("'a' .. 'b'", b"'a'"),
        ("pickrandom({'192.0.2.1'})\n", b"pickrandom"),
        ("f(), g()", b"f(),"),
        ("return 'a'", b";return"),
        (";return 'a'", b";return"),
        ("local a = 1; return a", b";local"),
        ("-- only\n'a'", b"'a'"),
        ("\ufeffreturn 'a'", b";return"),
    ],
)
def test_a_file_is_an_expression_or_a_chunk(project: Project, text: str, start: bytes) -> None:
    project.write("zones/a.lua", text)
    zone, faults = project.read('w 1 LUA TXT $FILE "a.lua"\n')
    assert faults == []
    assert code(zone).startswith(start)


def test_a_file_of_shared_code_is_a_chunk_without_return(project: Project) -> None:
    project.write("zones/a.lua", "eu = {'192.0.2.1'}\nus = {'192.0.2.2'}\n")
    zone, faults = project.read('config 1 LUA LUA $FILE "a.lua"\n')
    assert faults == []
    assert code(zone) == b"eu={'192.0.2.1'}us={'192.0.2.2'}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local x = 1\nreturn x ..\n", "2:12"),
        ("pickrandom({'a',\n  'ü' 'b'})", "2:7"),
        ("return 'ü' ..\r\n  !", "2:3"),
        ("\ufeffx !", "1:3"),
    ],
)
def test_a_syntax_error_in_a_file_is_placed_there_once(
    project: Project, text: str, place: str
) -> None:
    project.write("zones/a.lua", text)
    lines = ['w 1 LUA A $FILE "a.lua"', 'v 1 LUA A $FILE "a.lua"', 'u 1 LUA LUA $FILE "a.lua"']
    _, faults = project.read("\n".join(lines[:2]) + "\n")
    assert told(faults) == [(f"zones/a.lua:{place}", "lua-syntax")]


def test_a_path_starts_at_the_file_it_stands_in(project: Project) -> None:
    project.write("zones/part/hosts.inc", 'w 1 LUA TXT $FILE "../../code/a.lua"\n')
    project.write("code/a.lua", "'a' .. b")
    zone, faults = project.read("$INCLUDE part/hosts.inc\n")
    assert faults == []
    assert where(zone, b"b") == "code/a.lua:1:8"


def test_generated_records_may_have_files(project: Project) -> None:
    project.write("zones/site1.lua", "'one'")
    project.write("zones/site2.lua", "'two'")
    zone, faults = project.read('$GENERATE 1-2 w$ 1 LUA TXT $FILE "site$.lua"\n')
    assert faults == []
    assert [code(zone, 0), code(zone, 1)] == [b"'one'", b"'two'"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "lua-file-unreadable"),
        (b"", "lua-file-empty"),
        (b" \n\t\r\n", "lua-file-empty"),
        (b"--" + b"x" * 65535, "lua-file-too-large"),
        ("'a'".encode("utf-16"), "not-utf-8"),
    ],
)
def test_files_without_code(project: Project, content: bytes | None, rule: str) -> None:
    if content is not None:
        project.write("zones/a.lua", content)
    _, faults = project.read('x 1 A 192.0.2.1\nw 1 LUA A $FILE "a.lua"\nv 1 LUA A $FILE "a.lua"\n')
    assert told(faults) == [("zones/z:2:17", rule)]


def test_a_folder_is_no_code(project: Project) -> None:
    (project.folder / "zones" / "a.lua").mkdir()
    _, faults = project.read('w 1 LUA A $FILE "a.lua"\n')
    assert told(faults) == [("zones/z:1:17", "lua-file-unreadable")]


@pytest.mark.parametrize("path", ["../../secret.lua", "link.lua", "/etc/passwd", "up/secret.lua"])
def test_no_file_outside_of_the_project_is_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "secret.lua").write_text("'secret'")
    project = Project(tmp_path / "project")
    os.symlink(tmp_path / "secret.lua", project.folder / "zones" / "link.lua")
    os.symlink(tmp_path, project.folder / "zones" / "up")
    _, faults = project.read(f'w 1 LUA A $FILE "{path}"\n')
    assert told(faults) == [("zones/z:1:17", "lua-file-outside")]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("w 1 LUA A $FILE", 11),
        ('w 1 LUA A $FILE "a.lua" "b.lua"', 25),
        ('w 1 LUA NOPE $FILE "a.lua"', 9),
        ("w 1 LUA A", 9),
        ("w 1 LUA", 5),
        ('w 1 LUA A "\\999"', 11),
        ('w 1 LUA A "x" "\\999"', 15),
        ("w 1 LUA \\# 3 0001", 12),
        ("w 1 LUA \\# 2 0001", 14),
        ("w 1 LUA \\# 5 0001 03 27", 12),
    ],
)
def test_records_that_are_not_well_formed(project: Project, line: str, column: int) -> None:
    _, faults = project.read(line + "\n")
    assert told(faults) == [(f"zones/z:1:{column}", "bad-rdata")]


def test_the_word_in_quotes_is_code(project: Project) -> None:
    _, faults = project.read('w 1 LUA A "$FILE" "a.lua"\n')
    assert told(faults) == [("zones/z:1:12", "lua-syntax")]


def ignored(text: str) -> dict[int, set[str]]:
    zone, faults = read_zone_text(text.encode(), APEX, "z")
    assert faults == []
    return {
        unpack(place, zone.files).line: set(rules) for place, rules in zone.suppressions.items()
    }


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ('w 1 LUA A "x" ; lzc: ignore lua-a', {1: {"lua-a"}}),
        (
            'w 1 LUA A "x" ;lzc:ignore lua-a,lua-b , lua-c ; because',
            {1: {"lua-a", "lua-b", "lua-c"}},
        ),
        (
            'w 1 LUA A ( "x" ; lzc: ignore lua-a\n "+y" ; lzc: ignore lua-b\n)',
            {1: {"lua-a", "lua-b"}},
        ),
        ('w 1 LUA A (\n ; lzc: ignore lua-a\n "x" )', {1: {"lua-a"}}),
        ('; lzc: ignore lua-a\nw 1 LUA A "x"\nv 1 LUA A "x"', {2: {"lua-a"}}),
        ("; lzc: ignore lua-a\r\n; lzc: ignore lua-b\r\nw 1 A 192.0.2.1", {3: {"lua-a", "lua-b"}}),
        ('w 1 A 192.0.2.1\n ; lzc: ignore lua-a\n 1 LUA A "x"\nv 1 A 192.0.2.1', {3: {"lua-a"}}),
        ('; lzc: ignore lua-a\n\nw 1 LUA A "x"', {}),
        ('; lzc: ignore lua-a\n; and more\nw 1 LUA A "x"', {}),
        ('w 1 TXT "; lzc: ignore lua-a"', {}),
        ("w 1 A 192.0.2.1 ; lzc: ignore mx-alias", {1: {"mx-alias"}}),
        ("; see lzc: ignore lua-a\nw 1 A 192.0.2.1", {}),
        ('$GENERATE 1-2 w$ 1 LUA A "x" ; lzc: ignore lua-a', {1: {"lua-a"}}),
        ("; lzc: ignore lua-a", {}),
    ],
)
def test_comments_beside_a_record_suppress_rules(text: str, rules: dict[int, set[str]]) -> None:
    assert ignored(text + "\n") == rules


def test_the_records_around_a_comment_are_read_as_without_it() -> None:
    lines = ["a 1 A 192.0.2.1", " 1 A 192.0.2.2", "b 1 A 192.0.2.3"] * 50
    plain = read("\n".join(lines))
    lines[70] += " ; lzc: ignore lua-a"
    assert read("\n".join(lines)).records == plain.records


@pytest.mark.parametrize("comment", ["lzc: ignroe lua-a", "lzc: ignore", "lzc: ignore a b", "lzc:"])
def test_comments_to_lzc_that_mean_nothing_are_told(comment: str) -> None:
    _, faults = read_zone_text(f"w 1 A 192.0.2.1 ; {comment}\n".encode(), APEX, "z")
    assert told(faults) == [("z:1:17", "suppression-unclear")]
    assert faults[0].severity is Severity.WARNING


TOKENS = st.sampled_from(
    [
        *(
            "'a'",
            "''",
            "'1 -'",
            "'it''s'",
            "'[['",
            "' \\' '",
            '"x"',
            '"-- 1"',
            '"\'"',
            "'\"'",
            '""',
            "[[y]]",
            "[=[z]=]",
            "'ü'",
        ),
        *("1", "20", "0x1F", "1e5", "3.5", "f", "x1", "{", "}", "(", ")", "[", "]", ",", ";", "=="),
        *("..", "...", "+", "-", "--", "=", "return", "local", "if", "then", "end", "not", "1..2"),
        *("f{'a',1}", "t['k']", "('%d'):rep(3)", "pickrandom({'192.0.2.1',3})", "-- 'c", "\n"),
    ]
)


def rewritten(code: bytes, covered: int) -> object:
    """The strings that code becomes, the long way, or where it fails."""
    try:
        return Program(code, covered).strings
    except LuaCodeError as error:
        return error.offset


def read_strings(code: bytes, covered: int) -> object:
    """The same as records are read."""
    try:
        rdata = strings_of(code, covered == rr.LUA)
    except LuaCodeError as error:
        return error.offset
    return list(LuaRecord.from_rdata(b"\x00\x01" + rdata).strings)


@given(
    st.lists(st.tuples(TOKENS, st.sampled_from(["", " ", "  "])), max_size=12),
    st.sampled_from([rr.A, rr.LUA]),
)
@settings(max_examples=300)
def test_code_of_a_shape_seen_before_is_rewritten_as_any(
    tokens: list[tuple[str, str]], covered: int
) -> None:
    code = "".join(token + blank for token, blank in tokens).encode()
    assert read_strings(code, covered) == rewritten(code, covered)


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=150)
def test_programs_of_a_shape_seen_before_are_rewritten_as_any(seed: int, plain: bool) -> None:
    code = Programs(seed, plain=plain).record()
    assert read_strings(code, rr.A) == rewritten(code, rr.A)
    other = code.replace(b"1", b"23").replace(b"a", b"bc")
    assert read_strings(other, rr.A) == rewritten(other, rr.A)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('w 1 LUA TXT ( "\'a\'.."\n "' + "n" * 255 + '" )', "z:2:3"),
        ('w 1 LUA TXT "x + größe"', "z:1:18"),
    ],
)
def test_code_that_no_secondary_would_get_whole(text: str, place: str) -> None:
    _, faults = read_zone_text(text.encode() + b"\n", APEX, "z")
    assert told(faults) == [(place, "lua-not-transferable")]
