"""A few lines that ask for work without end are told what they are, and where."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lzc.cli import group
from lzc.compiler import workers
from lzc.faults import Fault, FaultList, Place, Severity
from lzc.source import lua_record, state
from lzc.source.limits import Limits, Spending
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.zone.model import Zone
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")
HEAD = "$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"
LARGE = Limits()
SMALL = Limits(zone=(1000, 500, 50, 2000, 100_000), build=(5000, 1500, 120, 5000, 200_000))


def read(
    folder: Path, files: dict[str, str], limits: Limits = SMALL
) -> tuple[Zone, list[Fault], tuple[int, ...]]:
    for name, text in files.items():
        (folder / name).write_text(text)
    spending = Spending(limits)
    zone, faults = read_zone(folder / "z", APEX, shown_as="z", spending=spending)
    return zone, faults, spending.counts


NESTED = {f"f{at}": f"$INCLUDE f{at + 1}\n" * 20 for at in range(6)}


@pytest.mark.parametrize(
    ("files", "place", "words", "key"),
    [
        (
            {"z": HEAD + "$INCLUDE f0\n", **NESTED, "f6": "a A 192.0.2.1\n"},
            "f5:",
            "more than 50 files read by $INCLUDE and $FILE",
            "includes",
        ),
        (
            {"z": HEAD + "$GENERATE 1-200 a$ A 192.0.2.$\n" * 100},
            "z:7:11",
            "more than 500 records made by $GENERATE",
            "generated",
        ),
        (
            {"z": HEAD + "$GENERATE 0-999999 a$ A 192.0.2.1\n"},
            "z:5:11",
            "more than 500 records made by $GENERATE",
            "generated",
        ),
        (
            {"z": HEAD + "".join(f"a{at} A 192.0.2.1\n" for at in range(2000))},
            "z:2004:1",
            "more than 1000 records",
            "records",
        ),
        (
            {"z": HEAD + "$INCLUDE b\n" * 100, "b": "a A 192.0.2.1\n" * 20},
            "z:13:10",
            "more than 2000 octets of files that it includes again",
            "repeated",
        ),
        ({"z": HEAD + "a TXT x\n" * 20_000}, "z", "more than 100000 octets", "octets"),
        (
            {"z": HEAD + "$GENERATE 1-499 a$ TXT " + ("x" * 250 + " ") * 9 + "\n"},
            "z:5:11",
            "more than 100000 octets",
            "octets",
        ),
        (
            {"z": HEAD + "$GENERATE 1-499 a$ LUA A \"'192.0.2.$'\"\n"},
            "z:5:11",
            "more than 100000 octets",
            "octets",
        ),
        (
            {"z": HEAD + "$GENERATE 1-100 a$ LUA A $FILE l$.lua\n"}
            | {f"l{at}.lua": "'192.0.2.1'" for at in range(101)},
            "z:5:32",
            "more than 50 files",
            "includes",
        ),
    ],
)
def test_a_zone_takes_no_more_than_it_may(
    tmp_path: Path, files: dict[str, str], place: str, words: str, key: str
) -> None:
    _, faults, _ = read(tmp_path, files)
    (fault,) = [one for one in faults if one.severity is Severity.ERROR]
    assert fault.rule == "over-limit"
    assert str(fault.place).startswith(place)
    assert words in fault.message
    assert fault.fix.startswith(f"where this is meant, raise {key} in [build.zone-limits]")


def test_what_takes_as_much_as_it_may_is_read(tmp_path: Path) -> None:
    text = (
        HEAD
        + "$GENERATE 1-500 a$ A 192.0.2.1\n"
        + "".join(f"b{at} A 192.0.2.1\n" for at in range(497))
    )
    zone, faults, used = read(tmp_path, {"z": text})
    assert faults == []
    assert len(zone.records) == 1000
    assert used[:4] == (1000, 500, 0, 0)


def test_a_large_generate_is_refused_before_it_makes_anything(tmp_path: Path) -> None:
    zone, faults, _ = read(tmp_path, {"z": HEAD + "$GENERATE 0-600 a$ A 192.0.2.1\n"})
    assert [fault.rule for fault in faults] == ["over-limit"]
    assert len(zone.records) == 3


def test_large_code_in_a_file_is_rewritten_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[int] = []
    as_before = lua_record.strings_of

    def strings_of(code: bytes, is_included: bool) -> bytes:
        rewritten.append(len(code))
        return as_before(code, is_included)

    monkeypatch.setattr("lzc.source.lua_record.strings_of", strings_of)
    code = "\n".join(f"x{at} = 'y'" for at in range(1000))
    text = HEAD + '$GENERATE 1-30 a$ LUA LUA $FILE "l.lua"\nb LUA LUA $FILE l.lua\n'
    zone, faults, _ = read(tmp_path, {"z": text, "l.lua": code}, LARGE)
    assert faults == []
    assert len(zone.records) == 34
    assert rewritten == [len(code)]


def project(folder: Path, zones: int, body: str, settings: str) -> Path:
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(f'[build]\nsources = ["zones/*.zone"]\n{settings}')
    for number in range(zones):
        (folder / f"zones/z{number}.example.zone").write_text(HEAD + body)
    return folder


def check(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    command = ["check", "-c", str(folder / "lzc.toml"), "--format", "json", *arguments]
    result = CliRunner().invoke(group, command, catch_exceptions=False)
    faults: list[dict[str, Any]] = json.loads(result.output)["faults"]
    return faults


@pytest.mark.parametrize("in_pool", [False, True])
def test_the_zones_of_a_build_take_no_more_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_pool: bool
) -> None:
    if in_pool:
        monkeypatch.setattr(workers, "POOL_OCTETS", 0)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    body = "$GENERATE 1-100 a$ A 192.0.2.1\n"
    folder = project(tmp_path, 20, body, "[build.total-limits]\ngenerated = 1050\n")
    faults = check(folder)
    assert {fault["rule"] for fault in faults} == {"over-limit"}
    assert len(faults) >= 9
    for fault in faults:
        assert fault["line"] == 5
        assert "the zones of this build take more than 1050 records made" in fault["message"]
        assert "raise generated in [build.total-limits] of lzc.toml, now 1050" in fault["fix"]


def test_zones_that_are_not_built_again_count_too(tmp_path: Path) -> None:
    body = "$GENERATE 1-100 a$ A 192.0.2.1\n"
    folder = project(tmp_path, 3, body, "[build.total-limits]\ngenerated = 350\n")
    arguments = ["build", "-c", str(folder / "lzc.toml")]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    (folder / "zones/z0.example.zone").write_text(HEAD + body + "$GENERATE 1-60 b$ A 192.0.2.1\n")
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 1
    assert "zones/z0.example.zone:6:11: error: the zones of this build take" in result.output
    (folder / "zones/z0.example.zone").write_text(HEAD + body + "$GENERATE 1-50 b$ A 192.0.2.1\n")
    assert CliRunner().invoke(group, arguments).exit_code == 0


def test_settings_raise_the_limits(tmp_path: Path) -> None:
    body = "$GENERATE 1-100 a$ A 192.0.2.1\n"
    folder = project(tmp_path, 1, body, "[build.zone-limits]\ngenerated = 99\n")
    (fault,) = check(folder)
    assert fault["rule"] == "over-limit"
    text = (folder / "lzc.toml").read_text().replace("99", "100")
    (folder / "lzc.toml").write_text(text)
    assert check(folder) == []


def test_both_ways_to_read_a_large_file_count_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lzc.source.zonefile.MIN_OCTETS", 100_000)
    monkeypatch.setattr("lzc.source.halves.MIN_OCTETS", 100_000)
    text = HEAD + "".join(f"a{at} A 192.0.2.1\n" for at in range(20_000))
    (tmp_path / "z").write_text(text)
    found = []
    for limit in (20_003, 20_002):
        for in_halves in (False, True):
            spending = Spending(Limits(zone=(limit, 1, 1, 1, 1 << 30)))
            _, faults = read_zone(
                tmp_path / "z", APEX, shown_as="z", in_halves=in_halves, spending=spending
            )
            found.append((limit, [fault.message for fault in faults], spending.counts[0]))
    assert found[0] == found[1] == (20_003, [], 20_003)
    assert found[2] == found[3]
    assert found[2][1] == ["the zone takes more than 20002 records"]


def cpu(text: str) -> float:
    began = time.process_time()
    read_zone_text((HEAD + text).encode(), APEX, "z")
    return time.process_time() - began


@pytest.mark.parametrize(
    "make",
    [
        lambda size: "a A 192.0.2.1 ; lzc: x" + " " * size + "y\n",
        lambda size: "; lzc:" + " \t" * (size // 2) + "\n",
        lambda size: "; lzc: ignore a" + " , a" * (size // 4) + "!\n",
        lambda size: "a TXT " + "x " * (size // 2) + "\n",
        lambda size: "a TXT (" + "\n" * size + "\n",
        lambda size: "a A 192.0.2.1" + " " * size + "\\\n",
        lambda size: 'a TXT "' + "\\" * size + "\n",
        lambda size: "x" * size + " A 192.0.2.1\na " + "x" * size + "\n$" + "x" * size + "\n",
    ],
)
def test_reading_takes_time_in_proportion(make: object) -> None:
    """Against itself, whatever the machine: where it is quadratic, 16 times is 256."""
    assert callable(make)
    small, large = make(20_000), make(320_000)
    factor = min(cpu(large) / max(cpu(small), 0.001) for _ in range(3))
    assert factor < 100


@pytest.mark.parametrize(
    "text",
    [
        '"' + "x" * 100_000 + '" A 192.0.2.1\n',
        "x" * 100_000 + " A 192.0.2.1\n",
        "a HTTPS 1 . " + "1" * 100_000 + "\n",
        "a MX " + "1" * 100_000 + "\n",
        "$ORIGIN " + "1" * 100_000 + "\n",
        "$GENERATE " + "1" * 100_000 + " a A b\n",
        "a A ( ; lzc: " + "x" * 100_000 + "\n 192.0.2.1 )\n",
    ],
)
def test_no_message_is_as_long_as_a_file(text: str) -> None:
    _, faults = read_zone_text((HEAD + text).encode(), APEX, "z")
    assert faults
    assert max(len(str(fault)) for fault in faults) < 2500


def test_a_million_errors_are_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_ERRORS", 3000)
    folder = project(tmp_path, 5, "a A nonsense\n" * 5000, "")
    arguments = ["check", "-c", str(folder / "lzc.toml"), "--format"]
    said = CliRunner().invoke(group, [*arguments, "text"]).output
    assert said.count(": error: ") == 1001
    assert "error: 9001 more errors are not told [more-faults]" in said
    assert said.endswith("lzc: 10001 error(s), 0 warning(s)\n")
    assert CliRunner().invoke(group, [*arguments, "github"]).output.count("\n") == 1001
    assert (
        len(json.loads(CliRunner().invoke(group, [*arguments, "json"]).output)["faults"]) == 10_001
    )


def test_of_many_faults_the_first_of_each_severity_are_told() -> None:
    found = FaultList(2)
    for number in range(5):
        found.add([Fault(Place("z", number), "r", "m", severity=Severity.WARNING)])
        found.add([Fault(Place("z", number), "r", "m", severity=Severity.WARNING)])
    told = found.told()
    assert [fault.place.line for fault in told] == [0, 1, 0]
    assert told[-1].severity is Severity.WARNING
    found.add([Fault(Place("z", 9), "r", "m")])
    assert [fault.severity for fault in found.told()].count(Severity.ERROR) == 1
