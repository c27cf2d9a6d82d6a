"""A zone file read by two processes gives what one process reads: records, faults, places."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.faults import Fault
from lzc.source import halves, zonefile
from lzc.source.bulk import read_lines
from lzc.source.second_process import SecondProcess
from lzc.source.zonefile import read_zone
from lzc.zone.model import Zone
from tests.unit.compiling import HEAD, wire

APEX = wire("example.org")
PLAIN = "".join(f"host{i} 300 A 192.0.2.{i % 256}\n" for i in range(100))


@pytest.fixture(autouse=True)
def _small_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zonefile, "MIN_OCTETS", 0)
    monkeypatch.setattr(halves, "MIN_OCTETS", 0)
    monkeypatch.setattr(halves, "LEAD", 120)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of records that each second process contributed."""
    counts: list[int] = []
    result = SecondProcess.result

    def counted(process: SecondProcess) -> Any:
        columns = result(process)
        if columns is not None:
            counts.append(len(columns[0]))
        return columns

    monkeypatch.setattr(SecondProcess, "result", counted)
    return counts


def _both(folder: Path, text: str | bytes) -> tuple[Zone, list[Fault]]:
    """What two processes read, which is what one reads."""
    path = folder / "zone"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    alone, faults_alone = read_zone(path, APEX, shown_as="zone")
    zone, faults = read_zone(path, APEX, shown_as="zone", in_halves=True)
    assert zone.records == alone.records
    assert zone.lua_sources == alone.lua_sources
    assert zone.suppressions == alone.suppressions
    assert zone.files == alone.files
    assert faults == faults_alone
    return zone, faults


def test_the_second_half_comes_from_another_process(tmp_path: Path, taken: list[int]) -> None:
    zone, _ = _both(tmp_path, HEAD + PLAIN)
    assert len(zone.records) == 103
    assert len(taken) == 1
    assert 30 < taken[0] < 60


@pytest.mark.parametrize(
    "line",
    [
        '{n} 300 TXT ( "a"\nb c\n d )\n',
        '{n} TXT "a\\"b" ; comment (\n',
        "{n} A 192.0.2.1\n\t60 AAAA 2001:db8::1\n  MX 10 {n}\n",
        "; {n}\n{n} IN 1h CNAME a.b.{n}\n\n",
        "{n} TXT x ; lzc: ignore duplicate-record\n",
        "{n} LUA A \"pickrandom({{'192.0.2.1'}})\"\n",
        "{n} LUA A (\"pickrandom({{'192.0.2.1',\"\n \"'192.0.2.2'}})\")\n",
        "{n}.sub.{n} NS ns.{n}.example.org.\r\n",
        "{n} TYPE65000 \\# 2 abcd\n",
    ],
)
def test_records_of_every_form_are_taken_over(tmp_path: Path, taken: list[int], line: str) -> None:
    # Lines of growing length put the border at every offset of an entry.
    for shift in range(0, 40, 3):
        text = "".join(line.format(n=f"n{i}") for i in range(40))
        _both(tmp_path, HEAD + "x" * (shift + 1) + " A 192.0.2.1\n" + text)
    assert taken


@pytest.mark.parametrize(
    "late",
    [
        "$TTL 60\n",
        "$ORIGIN sub.example.org.\n",
        "$GENERATE 1-3 g$ A 192.0.2.$\n",
        "host A 192.0.2.256\n",
        "host.example.com. A 192.0.2.1\n",
        "hést A 192.0.2.1\n",
        "host TXT (\n",
        'host TXT "\n',
        "host TXT ; lzc: disregard\n",
        'host LUA A $FILE "code.lua"\n',
        'host LUA A $FILE "missing.lua"\n',
    ],
)
@pytest.mark.parametrize("at", [10, 50, 90])
def test_what_a_second_process_may_not_decide_is_read_in_order(
    tmp_path: Path, late: str, at: int
) -> None:
    (tmp_path / "code.lua").write_text("return '192.0.2.1'\n")
    lines = PLAIN.splitlines(keepends=True)
    _both(tmp_path, HEAD + "".join(lines[:at]) + late + "".join(lines[at:]))


def test_a_ttl_that_only_the_first_half_knows_is_taken_from_there(
    tmp_path: Path, taken: list[int]
) -> None:
    bare = "".join(f"host{i} A 192.0.2.1\n" for i in range(100))
    head = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n" + "a 70 A 192.0.2.1\n" * 8
    zone, faults = _both(tmp_path, head + bare)
    assert not faults
    assert zone.records[-1][3] == 70
    assert not taken


def test_without_default_ttl_records_with_their_own_are_taken_over(
    tmp_path: Path, taken: list[int]
) -> None:
    _both(tmp_path, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n" + PLAIN)
    assert taken


def test_an_soa_that_sets_the_default_ttl_after_the_guess_spoils_it(
    tmp_path: Path, taken: list[int]
) -> None:
    bare = "".join(f"host{i} A 192.0.2.1\n" for i in range(50))
    _both(tmp_path, PLAIN[:1500] + "@ SOA a b 1 2 3 4 5\n" + PLAIN[1500:1530].lstrip() + bare)
    assert not taken


def test_too_many_faults_end_the_second_process_too(tmp_path: Path) -> None:
    _, faults = _both(tmp_path, HEAD + PLAIN + "x A bad\n" * 30_000)
    assert faults[-1].rule == "too-many-faults"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_killed_second_process_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[int]
) -> None:
    parent = os.getpid()

    def killed(*arguments: Any, **options: Any) -> Any:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return read_lines(*arguments, **options)

    monkeypatch.setattr("lzc.source.halves.read_lines", killed)
    zone, _ = _both(tmp_path, HEAD + PLAIN)
    assert len(zone.records) == 103
    assert not taken


_LINES = st.sampled_from(
    [
        "a A 192.0.2.1\n",
        "bb 60 IN A 192.0.2.2\n",
        "\tTXT x\n",
        " 30 AAAA ::1\n",
        "c TXT ( d\ne )\n",
        '"q" TXT x\n',
        "f A x\n",
        "\n",
        "; (\n",
        "$TTL 5\n",
        "$ORIGIN g\n",
        "@ SOA a b 1 2 3 4 5\n",
        "h LUA A \"'192.0.2.1'\"\n",
        "i TXT (\n",
        "j\n",
        "k TXT )\r\n",
        "l A 192.0.2.1 ; lzc: ignore x\n",
    ]
)


@settings(max_examples=60)
@given(lines=st.lists(_LINES, max_size=40), weight=st.integers(0, 4))
def test_any_lines_give_the_same_both_ways(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], weight: int
) -> None:
    text = "".join(lines) + PLAIN[: 400 * weight] + "\n" + "".join(reversed(lines))
    _both(tmp_path_factory.mktemp("zone"), HEAD * (weight % 2) + text)
