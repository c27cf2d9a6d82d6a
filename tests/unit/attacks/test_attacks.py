"""The short form of the attacks: whatever the machine, nobody is killed, and who asks again gets
his answer."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks import __main__ as command
from tests.attacks import servers
from tests.attacks.attacks import ATTACKS, LIMITED, PER_CLIENT, SHORT, Report
from tests.attacks.servers import Attacked
from tests.bench import harness, inputs
from tests.patience import PATIENCE

# A machine may be so slow that clients have nothing said for long.
PATIENT = "[serve]\ntcp-idle-timeout = 120\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacks")
    inputs.static_zone(folder / "zone", SHORT.names)
    project = servers.project(folder / "lzc", folder / "zone", extra=PATIENT)
    with servers.lzc(project, SHORT.names) as running:
        yield running


def attacked(name: str, server: Attacked) -> Report:
    with servers.many_files():
        report = ATTACKS[name](server, SHORT)
    end = time.monotonic() + PATIENCE
    while harness.question(server.port, f"host1.{inputs.ZONE}", 1.0) is None:
        assert time.monotonic() < end
    assert server.kills == 0, server.log.read_text()
    assert report.seen.sent
    return report


def test_every_attack_can_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(command.__file__).parent
    alone = {one.stem for one in folder.glob("[a-z]*.py") if "\ndef main(" in one.read_text()}
    assert set(command.OTHERS) == alone
    said = {name: ["none"] for name in command.OTHERS}
    for name, (_, taken) in command.OTHERS.items():
        made = functools.partial(said.__setitem__, name), taken
        monkeypatch.setitem(command.OTHERS, name, made)
    monkeypatch.setattr("sys.argv", ["attacks", *command.OTHERS, "--full", "--before", "/old"])
    command.main()
    assert said["health_reach"] == ["--full", "--before=/old"]
    assert said["messages"] == said["hostile_zone"] == ["--full"]
    assert said["endless_sources"] == ["--before=/old"]
    monkeypatch.setattr("sys.argv", ["attacks", "no-such"])
    with pytest.raises(SystemExit):
        command.main()
    error = capsys.readouterr().err
    assert all(name in error for name in ["no-such", *command.OTHERS, *ATTACKS])


@pytest.mark.parametrize("name", ["pipelines", "sustained"])
def test_pipelined_queries_are_all_answered(server: Attacked, name: str) -> None:
    assert attacked(name, server).more["unanswered"] == 0


def test_expensive_answers_are_all_given(tmp_path: Path) -> None:
    inputs.static_zone(tmp_path / "zone", 5000)
    made = servers.project(tmp_path / "lzc", tmp_path / "zone", signed=True, extra=PATIENT)
    with servers.lzc(made, 5000) as server:
        assert attacked("expensive", server).more["unanswered"] == 0


def test_one_client_has_no_more_connections_than_it_may(server: Attacked) -> None:
    assert attacked("connects", server).more["open"] <= PER_CLIENT


def test_the_limit_of_connections_holds(tmp_path: Path) -> None:
    inputs.static_zone(tmp_path / "zone", 100)
    extra = f"{PATIENT}tcp-connections = {LIMITED}\n"
    made = servers.project(tmp_path / "lzc", tmp_path / "zone", extra=extra)
    with servers.lzc(made, 100) as server:
        assert attacked("limits", server).more["open"] <= LIMITED


def test_who_does_not_read_a_zone_keeps_no_other_from_it(server: Attacked) -> None:
    more = attacked("transfers", server).more
    assert math.isfinite(more["other key, s"]) and math.isfinite(more["other address, s"])


def test_requests_without_a_key_are_refused_while_others_wait(server: Attacked) -> None:
    more = attacked("requests", server).more
    assert more["refused at once"] == more["asked"] > 0
