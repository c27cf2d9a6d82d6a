"""What ``lzc diff`` says of transfers, and what then is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lzc.answer.transfer_kinds import Kind
from lzc.cli import group
from tests.unit.answer.test_incremental import ZONE, World, opened


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "project")
    made.build("a A 192.0.2.1\nlua LUA A \"'192.0.2.1'\"\n")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(made.now + 1)))
    monkeypatch.chdir(made.folder)
    return made


def diff(*arguments: str) -> list[str]:
    result = CliRunner().invoke(group, ["diff", *arguments])
    assert result.exit_code == 0, result.output
    return [line for line in result.stdout.splitlines() if line.startswith("~ transfer")]


def told(*arguments: str) -> Any:
    result = CliRunner().invoke(group, ["diff", *arguments, "--format", "json"])
    (zone,) = json.loads(result.stdout)["zones"]
    return zone["transfer"]


def sent(world: World, serial: int | None) -> tuple[Kind, int]:
    """What goes out, and its octets over TCP."""
    with world.opened() as bundle:
        plan = opened(bundle, serial)
        octets = sum(map(len, plan.messages()))
        plan.close()
        return plan.kind, octets


@pytest.mark.parametrize(
    "text",
    [
        "a A 192.0.2.2\nlua LUA A \"'192.0.2.1'\"\n",
        "a A 192.0.2.1\nlua LUA A \"'192.0.2.2'\"\nnew MX 1 a\n",
        "",
    ],
)
def test_it_is_what_goes_out_to_the_octet(world: World, text: str) -> None:
    before = world.serial()
    world.write(text)
    (line,), transfer = diff(), told()
    world.build()
    (kind, octets), (_, whole) = sent(world, before), sent(world, None)
    assert kind is Kind.IXFR
    assert line == f"~ transfer: IXFR, {octets} octets (the whole zone: {whole})"
    assert transfer == {"kind": "IXFR", "octets": octets, "whole": whole, "why": ""}


def test_why_the_whole_zone_goes_out_is_told(world: World) -> None:
    before = world.serial()
    whole_text = "".join(f'q{number} TXT "{"y" * 80}"\n' for number in range(40))
    path = world.folder / "zones" / f"{ZONE}.zone"
    world.write("")
    head = path.read_text().partition("p0 ")[0]
    path.write_text(head + whole_text)
    (line,) = diff()
    assert line.endswith(": what changes is no shorter")
    world.build()
    kind, octets = sent(world, before)
    assert kind is Kind.WHOLE
    assert line == f"~ transfer: the whole zone, {octets} octets: what changes is no shorter"


def test_without_history_or_a_sure_beginning_it_is_the_whole_zone(world: World) -> None:
    first = world.opened()
    world.build("a A 192.0.2.2\n")
    with first:
        world.roll_back(first.id, as_is=True)
    world.write("a A 192.0.2.3\n")
    (line,) = diff()
    assert line.endswith(": what the last serial stood for is not known for sure")
    toml = world.folder / "lzc.toml"
    toml.write_text(toml.read_text().replace("[lua]", "ixfr-builds = 0\n[lua]"))
    assert told()["why"] == "ixfr-builds is 0"
    assert told()["kind"] == "AXFR"


def test_between_two_bundles_and_without_a_new_serial_nothing_is_foreseen(world: World) -> None:
    before = world.opened()
    world.build("a A 192.0.2.2\n")
    with before, world.opened() as after:
        assert diff(str(before.path), str(after.path)) == []
        assert told(str(before.path), str(after.path)) is None
