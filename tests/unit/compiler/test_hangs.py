"""A build outlives the code that it runs: what hangs, crashes or takes all memory is named with its
place, and the rest of the project is gone through all the same. The hang is put into the engine, so
that no library has to hang for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lzc import config
from lzc.compiler import pipeline, workers
from lzc.compiler.lua import trials
from lzc.contained import Contained
from lzc.faults import Fault, InputError
from lzc.lua.engine.engine import Engine
from tests.unit import lint_project

CONFIG = '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'


@pytest.fixture(autouse=True)
def injected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Code that names one of these does it, in C as it were."""
    evaluate = Engine.evaluate

    def hanging(self: Engine, code: bytes, *rest: Any) -> list[bytes]:
        if b"HANG" in code or (b"COUNTED" in code and self._count):
            while True:
                pass
        if b"CRASH" in code:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        return evaluate(self, code, *rest)

    trials.end()
    monkeypatch.setattr(Engine, "evaluate", hanging)
    monkeypatch.setattr(trials, "Contained", lambda work, **_: Contained(work, seconds=0.2))
    yield
    trials.end()


def check(folder: Path, zones: dict[str, str]) -> list[Fault]:
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(CONFIG)
    for name, body in zones.items():
        (folder / "zones" / f"{name}.zone").write_text(lint_project.TOP + body)
    try:
        return list(pipeline.check(config.load(folder / "lzc.toml")).warnings)
    except InputError as error:
        return list(error.faults)


def told(faults: list[Fault]) -> list[tuple[str, str]]:
    return [(Path(fault.place.file).name, fault.rule) for fault in faults]


FIRST = """\
a LUA A "'192.0.2.1'"
b LUA A ";local HANG return '192.0.2.1'"
c LUA A ";local CRASH return '192.0.2.1'"
d LUA A "('x')()"
"""


def test_what_does_not_come_back_is_told_with_its_place_and_so_is_all_else(tmp_path: Path) -> None:
    faults = check(tmp_path, {"first.example": FIRST, "second.example": "d LUA A \"('x')()\"\n"})
    top = lint_project.TOP.count("\n")
    assert [
        (*one, fault.place.line - top) for one, fault in zip(told(faults), faults, strict=True)
    ] == [
        ("first.example.zone", "lua-hangs", 2),
        ("first.example.zone", "lua-hangs", 3),
        ("first.example.zone", "lua-fails", 4),
        ("second.example.zone", "lua-fails", 1),
    ]
    assert "it did not come back within 0.2 s of CPU time" in faults[0].message
    assert "its process crashed (SIGSEGV)" in faults[1].message


def test_in_several_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POOL_OCTETS", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    names = [f"z{number}.example" for number in range(10)]
    faults = check(tmp_path, dict.fromkeys(names, FIRST))
    expected = ["lua-hangs", "lua-hangs", "lua-fails"]
    assert told(faults) == [(f"{name}.zone", rule) for name in names for rule in expected]


def test_a_zone_of_which_much_hangs_is_not_tried_to_its_end(tmp_path: Path) -> None:
    body = "".join(f"h{n} LUA A \";local HANG return '192.0.2.{n}'\"\n" for n in range(100))
    found = told(check(tmp_path, {"first.example": body}))
    assert found == [("first.example.zone", "lua-hangs")] * trials.MOST_ENDED


def test_what_hangs_where_instructions_are_counted_is_told(tmp_path: Path) -> None:
    body = "n LUA A \";for i = 1, #qname:toString() do local COUNTED end return '192.0.2.1'\"\n"
    assert told(check(tmp_path, {"first.example": body})) == [("first.example.zone", "lua-hangs")]


def test_a_build_leaves_no_process_and_holds_no_lock(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "lzc.toml").write_text(CONFIG)
    (tmp_path / "zones" / "a.example.zone").write_text(
        lint_project.TOP + FIRST.splitlines()[0] + "\n"
    )
    loaded = config.load(tmp_path / "lzc.toml")
    for _ in range(2):
        pipeline.build(loaded)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
