"""All tests are run, room by room beside each other, and no failure of any is lost."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests import at_once
from tests.at_once import beside_each_other, command, rooms

ROOT = Path(__file__).resolve().parents[2]
WAYS = [(outside, measured) for outside in (False, True) for measured in (False, True)]


def says(text: str, code: int) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


def waits(own: Path, other: Path) -> list[str]:
    code = (
        f"import os, time\nopen({str(own)!r}, 'w').close()\n"
        f"while not os.path.exists({str(other)!r}): time.sleep(0.01)"
    )
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("codes", [(0, 0), (3, 0), (0, 4), (3, 4)])
def test_all_are_run_and_each_failure_is_told(
    codes: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    commands = {f"room{number}": says(f"said{number}", code) for number, code in enumerate(codes)}
    assert beside_each_other(commands, 2) == any(codes)
    shown = capfd.readouterr().out
    for number, code in enumerate(codes):
        assert f"said{number}" in shown
        assert (f"room{number} (exit code {code})" in shown) == (code != 0)


def test_they_run_beside_each_other(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert beside_each_other({"one": waits(one, other), "other": waits(other, one)}, 2) == 0


def test_one_that_waits_is_none_of_those_that_run_at_a_time(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "other", "waiting")]
    one, other, waiting = files
    commands = {
        "one": waits(one, waiting),
        "other": waits(other, waiting),
        "waiting": waits(waiting, other),
    }
    assert beside_each_other(commands, 1, {"waiting"}) == 0


def test_one_that_leaves_a_process_behind_is_not_waited_for(tmp_path: Path) -> None:
    left = tmp_path / "left"
    code = (
        "import os, signal\npid = os.fork()\n"
        f"if pid: open({str(left)!r}, 'w').write(str(pid))\nelse: signal.pause()"
    )
    assert beside_each_other({"leaving": [sys.executable, "-c", code]}, 1) == 0
    os.kill(int(left.read_text()), signal.SIGKILL)


def test_no_test_is_left_out_or_run_twice() -> None:
    named = [file for files in rooms().values() for file in files]
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) == len(files)
    assert {*named} == files
    # A command that names a folder runs what is in it.
    for room, inside in rooms().items():
        words = command(room, inside, outside=False, measured=False)
        assert room in words or {*inside} <= {*words}
        assert {str(path.relative_to(ROOT)) for path in (ROOT / room).glob("test_*.py")} <= {
            *inside
        }


@pytest.mark.parametrize(("outside", "measured"), WAYS)
def test_what_is_asked_for_holds_for_each_room_but_peers_are_not_measured(
    outside: bool, measured: bool
) -> None:
    for room, files in rooms().items():
        words = command(room, files, outside, measured)
        measures = bool({"coverage", "--measured"} & {*words})
        assert measures == (measured and room.startswith("tests/unit"))
        assert ("outside" in words) == outside


def test_an_exit_code_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "rooms", lambda: {"tests/nowhere": ["tests/nowhere/test_x.py"]})
    assert at_once.main([]) == 1
