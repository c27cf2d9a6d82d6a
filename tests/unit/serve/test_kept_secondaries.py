"""What is known of secondaries outlives the server, and nobody is believed who may have written it
instead."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.message
import dns.tsigkeyring
import pytest

from lzc.cli.ctl.secondaries import secondary_lines
from lzc.cli.ctl.zones_there import lines as zone_lines
from lzc.config import SecondarySection
from lzc.serve.ipc import kept_file
from lzc.serve.notify import kept_state
from lzc.serve.notify.details import details
from lzc.serve.notify.kept_state import Kept, collect, load, restore
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.observe.transfer_report import DONE, Event, TransferReport
from lzc.serve.observe.zone_transfers import Measure
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.patience import PATIENCE
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project
from tests.unit.serve.test_notify_secondary import Play

ORG = wire_name.from_text("example.org.")
COM = wire_name.from_text("example.com.")
NOW = 1_800_000_000.0
SECTION = SecondarySection(name="ns2", address="127.0.0.1:9")
OTHER = SecondarySection(name="ns3", address="127.0.0.2:9")
TOOK = Measure("tls", 1.5, 12345, 99)
EXPIRE = 604800


async def known(*sections: SecondarySection) -> Secondaries:
    """Of ns2: it told 7 of one zone 100 seconds ago, is behind with another for 3,000, was sent
    that 200 seconds ago, and is silent for 50."""
    secondaries = Secondaries(sections)
    secondaries.start({})
    loop_now = asyncio.get_running_loop().time()
    secondaries.update({ORG: 7, COM: 9})
    one = secondaries.notified[0]
    one.zones[ORG].theirs, one.zones[ORG].told = 7, loop_now - 100
    one.zones[COM].theirs, one.zones[COM].told = 8, loop_now - 100
    one.zones[COM].since = loop_now - 3000
    report = TransferReport()
    event = Event(DONE, bytes((127, 0, 0, 1)), rrtype.AXFR, COM, b"", serial=8, kind="AXFR")
    report.note(event, TOOK)
    message = report.take()
    assert message is not None
    secondaries.transfers.take(message)
    secondaries.transfers.table_of(sections[0]).zones[COM].at = NOW - 200
    one.lost_since = loop_now - 50
    return secondaries


def document(*sections: SecondarySection) -> dict[str, Any]:
    async def make() -> dict[str, Any]:
        secondaries = await known(*sections)
        try:
            found = list(collect(secondaries, NOW, asyncio.get_running_loop().time()))
        finally:
            secondaries.close()
        return {"format": 1, "secondaries": found}

    return asyncio.run(make())


def after(kept: Kept, seconds: float, *sections: SecondarySection) -> list[dict[str, Any]]:
    """What a server that starts so much later tells, before anybody answered."""

    async def tell() -> list[dict[str, Any]]:
        secondaries = Secondaries(sections)
        secondaries.start({})
        loop_now = asyncio.get_running_loop().time()
        try:
            restore(secondaries, kept, NOW + seconds, loop_now)
            secondaries.update({ORG: 7, COM: 9})
            for one in secondaries.notified:
                one._silent_from = loop_now
                one._lose(loop_now)
            expires = dict.fromkeys(("example.org.", "example.com."), EXPIRE)
            return details(secondaries, None, None, expires, NOW + seconds, loop_now)
        finally:
            secondaries.close()

    return asyncio.run(tell())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = kept_state.path_beside(tmp_path / "control.sock")
    kept_file.write(path, document(SECTION, OTHER))
    return path


def test_what_was_known_is_told_until_there_is_an_answer(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ns2, ns3 = after(load(file), 3600, SECTION, OTHER)
    com, org = sorted(ns2["states"], key=lambda state: state["zone"])
    assert (org["secondary_serial"], com["secondary_serial"]) == (7, 8)
    assert org["told"] == com["told"] == pytest.approx(NOW - 100, abs=1)
    assert not org["current"] and not com["current"]  # nobody has asked it yet
    assert com["behind_for"] == pytest.approx(3000 + 3600, abs=1)
    assert ns2["silent"] == pytest.approx(50 + 3600, abs=1)
    # From the later of its silence and what it lacks it counts until the zone expires.
    assert com["expires_in"] == pytest.approx(EXPIRE - 6600, abs=1)
    assert org["expires_in"] == pytest.approx(EXPIRE - 3650, abs=1)
    assert com["last"] == {"serial": 8, "at": NOW - 200, "kind": "AXFR", **TOOK._asdict()}
    assert ns2["transfers"]["last"]["zone"] == "example.com."
    # Of one that was not silent it is known until it was saved.
    assert ns3["silent"] == pytest.approx(3600, abs=1)
    assert [state["secondary_serial"] for state in ns3["states"]] == [None, None]


def test_a_clock_that_was_set_back_makes_nothing_later_than_now(file: Path) -> None:
    [ns2] = after(load(file), -86400, SECTION)
    assert ns2["silent"] == pytest.approx(0, abs=1)
    for state in ns2["states"]:
        assert state["behind_for"] >= 0 and state["told"] <= NOW - 86400 + 1


def test_of_another_secondary_nothing_is_believed(file: Path) -> None:
    for other in (
        SecondarySection(name="ns2", address="127.0.0.1:10"),
        SecondarySection(name="ns9", address="127.0.0.1:9"),
    ):
        [found] = after(load(file), 0, other)
        assert [state["secondary_serial"] for state in found["states"]] == [None, None]
        assert found["transfers"]["last"] is None


def test_an_answer_ends_what_was_remembered() -> None:
    play = Play({ORG: 7})
    play.secondary.restore({}, play.now - 5000, 0.0)
    play.down = True
    play.run(30)
    assert play.secondary.status(play.now)["silent"] == pytest.approx(5030, abs=1)
    play.down = False
    play.run(120)
    assert play.secondary.status(play.now)["silent"] is None
    assert play.secondary.zones[ORG].current
    play.down = True
    play.secondary.update({ORG: 8}, play.now)
    play.run(30)
    assert play.secondary.status(play.now)["silent"] <= 31


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-20]),
    "of another version": lambda file: file.write_text('{"format":2,"secondaries":[]}'),
    "no document": lambda file: file.write_text("[]"),
    "no serial": lambda file: file.write_text(file.read_text().replace("[7,", "[-7,")),
    "no time": lambda file: file.write_text(file.read_text().replace("[7,", '[7,"x",')),
    "others may write it": lambda file: file.chmod(0o622),
    "another user's": lambda file: os.chown(file, 65534, 65534),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_that_is_damaged_or_not_ours_is_as_good_as_none(
    file: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if kind == "another user's" and os.geteuid():
        pytest.skip("needs root to give a file away")
    assert load(file)
    DAMAGE[kind](file)
    assert load(file) == {}
    [record] = caplog.records
    assert "nothing is known of secondaries until they have answered" in record.getMessage()


def test_what_is_kept_has_a_bound(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_state, "MOST", 2)
    [ns2, _] = document(SECTION, OTHER)["secondaries"]
    # That which was heard of last.
    assert list(ns2[5]) in ([ORG.hex()], [COM.hex()])
    monkeypatch.setattr(kept_state, "MOST", 1)
    assert load(file) == {}
    assert "too many zones" in caplog.text


def test_what_cannot_be_saved_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a folder where the file is to be, for a while; nothing new is heard meanwhile."""
    monkeypatch.setattr(kept_state, "_SAVE", 0.01)
    path = kept_state.path_beside(tmp_path / "control.sock")
    path.mkdir()

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - it is a thread that writes
            await asyncio.sleep(0.01)

    async def keep() -> None:
        secondaries = await known(SECTION)
        state = kept_state.KeptState(path, secondaries)
        task = asyncio.create_task(state.keep())
        try:
            async with asyncio.timeout(PATIENCE):
                await until(lambda: bool(secondaries.unsaved))
                assert str(path) in secondaries.unsaved
                assert shown({"secondaries_unsaved": secondaries.unsaved}) == [
                    f"NOT SAVED   what is known of secondaries: {secondaries.unsaved}"
                ]
                path.rmdir()
                await until(lambda: not secondaries.unsaved and path.exists())
        finally:
            task.cancel()
            secondaries.close()

    def shown(answer: dict[str, Any]) -> list[str]:
        empty: dict[str, Any] = {"secondaries": [], "strangers": []}
        told = secondary_lines(answer | empty)
        assert zone_lines(answer | empty, every=False)[:1] == told
        return told

    caplog.set_level("INFO")
    asyncio.run(keep())
    assert load(path)
    said = [one for one in caplog.messages if "saved" in one]
    assert len(said) == 2
    assert said[0].startswith(f"what is known of secondaries cannot be saved: {path}")
    assert said[1] == "what is known of secondaries is saved again"
    assert secondary_lines({"secondaries": [], "strangers": [], "secondaries_unsaved": ""}) == []


def test_a_server_says_so_at_its_end(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n',
    )
    project.build({"example.org": ""})
    with LiveServer(project) as server:
        assert server.control("status")["secondaries_unsaved"] == ""
        assert server.control("secondaries")["secondaries_unsaved"] == ""
        assert "\nlzc_secondaries_unsaved 0" in server.control("metrics")["text"]
        (project.output / ".control.secondaries").mkdir()
        server.stop()
        assert server.logged("what is known of secondaries cannot be saved: ")


def test_a_server_knows_after_a_restart_what_it_sent_before(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        f'[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:1"\ntsig = "{TSIG_NAME}"\n'
        "notify = false\n",
    )
    project.build({"example.org": ""}, serial=7)
    query = dns.message.make_query("example.org", "AXFR")
    query.use_tsig(dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}), TSIG_NAME)

    def last(server: LiveServer) -> Any:
        [one] = server.control("secondaries")["secondaries"]
        return one["states"] and one["states"][0]["last"]

    with LiveServer(project) as server:
        wire = query.to_wire()
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as tcp:
            tcp.sendall(len(wire).to_bytes(2, "big") + wire)
            assert tcp.recv(65536)[5] & 15 == 0
        before = server.wait_for(lambda: last(server))
    [kept] = tmp_path.rglob(".*.secondaries")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with LiveServer(project) as server:
        assert last(server) == before
    kept.write_text("x")
    with LiveServer(project) as server:
        assert not last(server)
        assert server.logged("nothing is known of secondaries until they have answered")
    # And the next one is right again.
    assert json.loads(kept.read_text())["format"] == 1
