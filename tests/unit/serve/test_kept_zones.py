"""A server says which zones of its bundle failed, and of which bundle it has the content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lzc.cli.ctl.kept import kept_lines
from lzc.cli.ctl.secondaries import secondary_lines
from lzc.serve.supervise.kept_zones import SHOWN, kept_zones, tell_kept
from tests.peers._peers.process import free_port
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.status_html import read, rows
from tests.unit.serve.test_metrics import Metrics, values_in
from tests.unit.several_zones import BROKEN, SeveralZones


class Served(Project):
    """What a server needs of a project that is there already."""

    def __init__(self, zones: SeveralZones) -> None:
        self.folder, self.output, self.config = zones.folder, zones.output, zones.path


@pytest.fixture
def zones(tmp_path: Path) -> SeveralZones:
    made = SeveralZones(tmp_path)
    made.build()
    return made


@pytest.fixture
def server(zones: SeveralZones) -> Iterator[LiveServer]:
    zones.write("lua.example", BROKEN)
    zones.build()
    with LiveServer(Served(zones)) as started:
        yield started


def failed(server: LiveServer) -> dict[str, float]:
    found = values_in(server.control("metrics")["text"])
    return {name: value for name, value in found.items() if "failed_source" in name}


def test_log_and_status_name_each_zone_and_why(zones: SeveralZones, server: LiveServer) -> None:
    assert server.logged("ZONE KEPT lua.example. with serial 5, as its source failed: zones/lua.ex")
    status = server.control("status")
    (line,) = kept_lines(status)
    assert line.startswith("KEPT        lua.example. with serial 5: zones/lua.example.zone:5:")
    assert server.answers("any.lua.example") in (["192.0.2.1"], ["192.0.2.2"])
    zones.write("late.example", BROKEN)
    zones.build()
    assert server.control("reload")["ok"]
    assert server.logged("ZONE LEFT OUT late.example.: its source failed, and it was not live")
    assert kept_lines(server.control("status"))[1].startswith("LEFT OUT    late.example., whose")
    family = "lzc_zones_with_failed_source"
    assert failed(server) == {f'{family}{{state="{state}"}}': 1 for state in ("kept", "left out")}
    zones.write("lua.example", "")
    zones.file("late.example").unlink()
    zones.build()
    assert server.control("reload")["ok"]
    assert kept_lines(server.control("status")) == []
    server.wait_for(lambda: not any(failed(server).values()))


def test_a_rollback_is_told(zones: SeveralZones, server: LiveServer) -> None:
    live = zones.live()
    zones.write("lua.example", "")
    zones.build()
    zones.roll_back(live)
    assert server.control("reload")["ok"]
    assert server.logged(f"has the content of {live} again")
    status = server.control("status")
    assert kept_lines(status)[0] == f"ROLLBACK    this bundle has the content of {live} again"


def test_status_has_all_of_many_and_names_some(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {f"z{number:02}.example": BROKEN for number in range(30)}
    zones = SeveralZones(tmp_path, {"signed.example": "", **broken})
    zones.build()
    found = kept_zones(zones.output / zones.live())
    assert (found["count"], found["left_out"]) == (30, 30)
    assert [one["zone"] for one in found["zones"]] == [f"{name}." for name in broken]
    *lines, last = kept_lines({"kept": found})
    assert (len(lines), last) == (20, "            and 10 more zones, whose sources failed, too")
    tell_kept(zones.output / zones.live())
    assert caplog.messages[SHOWN:] == ["ZONES FAILED: and 10 more, kept or left out"]


def test_the_page_has_none_of_many_as_served(zones: SeveralZones) -> None:
    names = [f"z{number:02}.example" for number in range(30)]
    for name in names:
        zones.write(name, "")
    zones.build()
    for name in names:
        zones.write(name, BROKEN)
    zones.build()
    port = free_port()
    zones.path.write_text(f'{zones.path.read_text()}\n[serve]\nhttp = "127.0.0.1:{port}"\n')
    with LiveServer(Served(zones)) as server:
        server.wait_for(lambda: server.logged("http: metrics at"))
        found = rows(read(Metrics(port).get("/zones")[2]), "zones")
    states = {row[0].rstrip("."): row[1] for row in found}
    assert [name for name in names if not states[name].startswith("▲ kept")] == []
    assert states["plain.example"] == "✓ served"


def test_lists_of_a_status_say_how_many_more_there_are() -> None:
    behind = {"serial": 2, "secondary_serial": 1, "error": "", "current": False}
    states = [{"zone": f"z{number}.", **behind} for number in range(200)]
    transfers = {"done": 0, "refused": {}, "last": None, "last_refusal": None, "hint": ""}
    one = {"name": "ns2", "address": "192.0.2.1:53", "notify": True, "transfers": transfers}
    one |= {"zones": 1000, "current": 300, "ahead": 1, "silent": None, "states": states}
    lines = secondary_lines({"secondaries": [one], "strangers": []})
    assert sum(" serial 2, it has 1" in line for line in lines) == 20
    assert lines[-1] == "            and 679 more zones behind"
    few = {**one, "zones": 302, "states": states[:1]}
    assert len(secondary_lines({"secondaries": [few], "strangers": []})) == 3
