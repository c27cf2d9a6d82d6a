"""All tests are run in two processes, of which neither failure is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import at_once
from tests.at_once import ALONE, WITH_PEERS, beside_each_other, commands

ROOT = Path(__file__).resolve().parents[2]
WAYS = [(outside, measured) for outside in (False, True) for measured in (False, True)]


def says(text: str, code: int) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 0), (0, 4), (3, 4)])
def test_both_are_run_and_a_failure_of_either_is_one(
    first: int, second: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        beside_each_other(says("the first", first), says("the second", second)) == first or second
    )
    shown = capfd.readouterr().out
    assert shown.index("the first") < shown.index("beside it ran") < shown.rindex("the second")


def test_they_run_beside_each_other(tmp_path: Path) -> None:
    # Each waits for the other.
    code = (
        "open({!r}, 'w').close()\nimport os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"
    )
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    waiting = [[sys.executable, "-c", code.format(*both)] for both in ((one, other), (other, one))]
    assert beside_each_other(*waiting) == 0


@pytest.mark.parametrize(("outside", "measured"), WAYS)
def test_the_tests_with_peers_are_never_measured(outside: bool, measured: bool) -> None:
    alone, with_peers = commands(outside, measured)
    assert alone[-1] == ALONE
    assert with_peers[-1] == WITH_PEERS
    assert not {"coverage", "--measured"} & set(with_peers)
    assert bool({"coverage", "--measured"} & set(alone)) == measured
    assert ("outside" in alone, "outside" in with_peers) == (outside, outside)


def test_together_they_are_all_tests() -> None:
    folders = {path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/**/test_*.py")}
    assert {f"tests/{name}" for name in folders} == {ALONE, WITH_PEERS}


def test_an_exit_code_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "commands", lambda *_: (says("x", 0), says("y", 5)))
    assert at_once.main([]) == 5
