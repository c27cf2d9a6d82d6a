"""A build that is killed at any moment leaves a whole live bundle, and the next one cleans up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import current, verification
from lzc.compiler.pipeline import build
from tests.patience import PATIENCE, SOON
from tests.unit.compiling import HEAD

NOW = 1_800_000_000.0

_WATCHED = {
    *("open", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.utime")
}
"""Audit events (PEP 578) of what changes the file system; each is raised before it happens."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zones").mkdir()
    (tmp_path / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\n')
    return tmp_path


def _change(project: Path, content: int, zones: int = 1) -> None:
    for number in range(zones):
        (project / "zones" / f"z{number}.example.zone").write_text(
            HEAD + f"www A 192.0.2.{content % 256}\nn TXT {content}\n"
        )


def _build(project: Path) -> str:
    return build(config.load(project / "lzc.toml"), now=NOW).id


def _build_and_die(project: Path, prepare: Callable[[], None]) -> int:
    """The exit status of a build in a child process, killed as ``prepare`` arranges there."""
    child = os.fork()
    if not child:
        try:
            prepare()
            _build(project)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _kill_before(step: int, output: Path) -> Callable[[], None]:
    def prepare() -> None:
        left = step

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in _WATCHED and any(str(output) in str(each) for each in arguments):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    return prepare


def _assert_whole(output: Path) -> str:
    identity = verification.verify(current.live(output))[1]
    with current.open_live(output) as bundle:
        assert len(bundle) >= 1
    return identity


def _assert_clean(output: Path) -> None:
    hidden = {path.name for path in output.iterdir() if path.name.startswith(".")}
    assert hidden == {".inputs", ".lock", ".verified"}
    shown = {path.name for path in output.iterdir()} - hidden
    assert {"current", "serials", "serials.copy"} < shown
    assert len(shown) <= 3 + 3


@pytest.mark.parametrize("zones", [1, 34])
def test_killed_before_any_change_to_the_file_system(project: Path, zones: int) -> None:
    """Of 34 zones one changes, so that the new bundle shares files with the old one."""
    output = project / "build"
    _change(project, 0, zones)
    for content in range(4):
        _change(project, content)
        before = _build(project)
    seen = set()
    for step in range(200):
        _change(project, 100 + step)
        status = _build_and_die(project, _kill_before(step, output))
        after = _assert_whole(output)
        seen.add(after != before)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        before = _build(project)
        _assert_whole(output)
        _assert_clean(output)
    assert status == 0
    assert step > 15
    assert seen == {False, True}


def test_killed_before_there_is_any_bundle(project: Path) -> None:
    _change(project, 1)
    for step in range(0, 200, 3):
        output = project / f"build{step}"
        (project / "lzc.toml").write_text(
            f'[build]\nsources = ["zones/*.zone"]\noutput = "build{step}"\n'
        )
        status = _build_and_die(project, _kill_before(step, output))
        if (output / "current").is_symlink():
            _assert_whole(output)
        if status == 0:
            break
        _build(project)
        _assert_whole(output)
        _assert_clean(output)
    assert status == 0


def test_killed_at_fifteen_moments_with_several_processes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lzc.compiler.workers.POOL_OCTETS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    output = project / "build"
    _change(project, 0, zones=60)
    started = time.monotonic()
    _build(project)
    duration = time.monotonic() - started
    killed = 0
    for moment in range(15):
        _change(project, moment + 1, zones=60)
        child = os.fork()
        if not child:
            try:
                _build(project)
                os._exit(0)
            finally:
                os._exit(1)
        time.sleep(duration * moment / 12)
        os.kill(child, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        _assert_whole(output)
        _wait_for_lock(output)
        _build(project)
        _assert_whole(output)
        _assert_clean(output)
    assert killed >= 1


def _wait_for_lock(output: Path) -> None:
    """Processes of a killed build notice that it is gone, and let go of its lock."""
    import fcntl

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with (output / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(SOON)
    raise AssertionError("the lock of a killed build is still held")
