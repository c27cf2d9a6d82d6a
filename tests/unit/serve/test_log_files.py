"""Files of the log that cannot be written are told before it is too late, and what is lost later is
counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lzc import config as settings
from lzc.faults import InputError
from lzc.serve.observe import log_output
from lzc.serve.observe.log_files import check_log_files
from lzc.serve.observe.log_format import TextFormatter, process_number, speak_as
from tests.unit.live_server import LiveServer, Project
from tests.unit.lzc_process import ended
from tests.unit.serve.test_new_settings import edit

ZONE = {"example.org": "www A 192.0.2.1\n"}
SERVE = '[serve]\nserver-id = "here"\n'


def faults(folder: Path, serve: str, before: str | None = None) -> list[str]:
    def config(text: str) -> settings.Config:
        (folder / "lzc.toml").write_text(f"[build]\n[serve]\n{text}")
        return settings.load(folder / "lzc.toml")

    had = None if before is None else config(before)
    try:
        check_log_files(config(serve), had)
    except InputError as error:
        return [str(fault) for fault in error.faults]
    return []


def test_each_file_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        'log = "logs/lzc.log"\nquery-log = 0.5\nquery-log-file = "queries/all"\n',
    )
    assert [one.partition(": ")[0] for one in found] == [
        f"{tmp_path}/lzc.toml:{line}:1" for line in (3, 5)
    ]
    assert f"log of [serve]: {tmp_path}/logs/lzc.log cannot be written" in found[0]
    assert f"mkdir -p {tmp_path}/logs" in found[0]
    assert f"mkdir -p {tmp_path}/queries" in found[1]
    (tmp_path / "logs").mkdir()
    assert "name a file in that folder" in faults(tmp_path, 'log = "./logs"\n')[0]


def test_what_is_no_fault_of_the_settings_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for fine in ("./log", "/dev/full", "./pipe"):
        assert not faults(tmp_path, f'log = "{fine}"\n')
    assert not faults(tmp_path, 'query-log-file = "no/folder"\n'), "without query-log"
    # As it is in use, and may come back: a disk that is not there for a while.
    gone = 'log = "gone/log"\n'
    assert not faults(tmp_path, gone, before=gone)
    assert faults(tmp_path, gone, before='log = "./log"\n')


def test_a_server_does_not_start_with_a_log_that_is_lost(tmp_path: Path) -> None:
    project = Project(tmp_path, '[serve]\nlog = "logs/lzc.log"\n')
    project.build(ZONE)
    done = ended("serve", "-c", str(tmp_path / "lzc.toml"))
    assert done.returncode == 1
    assert f"mkdir -p {tmp_path}/logs" in done.stderr


def test_a_reload_refuses_a_log_that_is_lost_and_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, SERVE)
    project.build(ZONE)
    with LiveServer(project) as server:
        answer = edit(server, SERVE, f'{SERVE}log = "logs/lzc.log"\nnsid = "other"\n')
        assert not answer["ok"]
        assert f"mkdir -p {tmp_path}/logs" in str(answer["error"])
        assert answer["settings"] == []
        (tmp_path / "logs").mkdir()
        assert "[serve] log" in server.control("reload")["settings"]


@pytest.fixture
def as_itself() -> Iterator[None]:
    yield
    speak_as("supervisor")


def test_each_process_counts_lines_that_are_lost_and_all_know_it(
    tmp_path: Path, as_itself: None
) -> None:
    before = log_output.lost_lines()
    handler = log_output.Handler(log_output.File(tmp_path / "no" / "log"))
    handler.setFormatter(TextFormatter("%(message)s"))
    line = logging.LogRecord("lzc", logging.INFO, "", 0, "a line", (), None)
    places = []
    for process in ("supervisor", "worker 0", "worker 255", "recorder", "checker", "observer"):
        speak_as(process)
        places.append(process_number())
        handler.emit(line)
    child = os.fork()
    if not child:
        handler.emit(line)
        os._exit(0)
    os.waitpid(child, 0)
    assert log_output.lost_lines() == before + 7
    assert len({*places}) == len(places)
    (tmp_path / "no").mkdir()
    handler.emit(line)
    assert log_output.lost_lines() == before + 7
