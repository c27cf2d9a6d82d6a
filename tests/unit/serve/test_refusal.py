"""A bundle that is refused is tried again, and nobody has to notice: it is served as soon as it can
be, and until then status and log say what is served, how old that is, and why."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lzc.bundle import current
from lzc.serve.supervise.bundle_trial import AGAIN, SAME_FILES, Refusal, files_of
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_crashing_bundle import CRASH, crashed, have_crash, next_bundle


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    made = Project(tmp_path / "project")
    made.build({"example.org": "www A 192.0.2.1\n"})
    have_crash(made)
    return made


def serves(server: LiveServer, address: str) -> None:
    server.wait_for(lambda: server.answers("www.example.org") == [address])
    server.wait_for(lambda: server.control("status")["refused"] is None)


def test_a_link_that_arrives_before_its_folder_and_files_one_by_one(
    project: Project, tmp_path: Path
) -> None:
    """As a copy from CI does, with `rsync` say."""
    before = current.live(project.output)
    identity = next_bundle(project, 2)
    elsewhere = (project.output / identity).rename(tmp_path / identity)
    os.utime(before / "manifest.json", (time.time() - 7200,) * 2)
    with LiveServer(project) as server:
        current.switch(project.output, identity)
        refused = server.wait_for(lambda: server.control("status")["refused"])
        assert identity in refused["why"]
        said = f"BUNDLE REFUSED, still serving {before.name}, built 2 h ago: "
        server.wait_for(lambda: server.logged(said))
        folder = project.output / identity
        folder.mkdir()
        for name in ("manifest.json", "checks.json"):
            shutil.copy(elsewhere / name, folder / name)
        server.wait_for(lambda: "is missing" in str(server.control("status")["refused"]))
        for name in ("zones-00.lmdb", "transfers-00.bin"):
            (folder / name).write_bytes((elsewhere / name).read_bytes()[:-4])
        server.wait_for(lambda: "octets, the manifest says" in str(server.control("status")))
        refused = server.control("status")["refused"]
        assert refused["bundle"] == identity
        assert refused["since"] <= refused["at"]
        assert refused["tries"] >= 1
        for name in ("zones-00.lmdb", "transfers-00.bin"):
            shutil.copy(elsewhere / name, folder / name)
        serves(server, "192.0.2.2")
        server.wait_for(lambda: server.logged("s after it was refused first"))


def test_a_worker_that_hangs_while_a_bundle_is_loaded_holds_it_up_for_a_moment(
    project: Project,
) -> None:
    identity = next_bundle(project, 2)
    with LiveServer(project, inject=CRASH, watchdog=1.5) as server:
        have_crash(project, f"serve:{identity}", by="SIGSTOP")
        current.switch(project.output, identity)
        server.wait_for(lambda: crashed(project))
        have_crash(project)
        serves(server, "192.0.2.2")
        server.wait_for(lambda: server.logged("worker 0 ended while it was loaded (SIGKILL)"))


ONCE = """
import os, signal
from pathlib import Path
from lzc.bundle.reader import Bundle
from lzc.serve.worker.serving import Serving

def killed_once(kind, where):
    as_before = kind.__init__

    def init(self, *arguments, **options):
        try:
            (Path(args["source"]) / where).unlink()
        except FileNotFoundError:
            as_before(self, *arguments, **options)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    kind.__init__ = init

killed_once(Bundle, "open")
killed_once(Serving, "serve")
"""
"""Whoever opens or serves a bundle while a file is there takes that, and is killed."""


@pytest.mark.parametrize("where", ["open", "serve"])
@pytest.mark.parametrize("workers", [1, 2])
def test_who_is_killed_while_a_bundle_is_loaded_has_it_refused_nowhere(
    project: Project, where: str, workers: int
) -> None:
    """The worker, or the child that tries it before: another does it, in the same reload."""
    with LiveServer(project, workers=workers, inject=ONCE) as server:
        pids = [one["pid"] for one in server.control("status")["workers"]]
        (project.output / where).touch()
        answer = server.control("reload")
        assert answer["ok"], answer
        assert not (project.output / where).exists()
        server.wait_for(lambda: all(w["ready"] for w in server.control("status")["workers"]))
        after = [one["pid"] for one in server.control("status")["workers"]]
        assert len({*pids} - {*after}) == (where == "serve")
        assert not server.logged("BUNDLE REFUSED")
        said = "ended while it was loaded (SIGKILL), for which another takes its place"
        assert server.logged(said) == (where == "serve")


def test_workers_that_are_killed_each_time_are_why_a_bundle_is_not_served(
    project: Project,
) -> None:
    """Memory runs out, say, and does so again: whoever looks finds it refused, and why."""
    identity = next_bundle(project, 2)
    with LiveServer(project, inject=CRASH) as server:
        have_crash(project, f"serve:{identity}", by="SIGKILL")
        current.switch(project.output, identity)
        refused = server.wait_for(lambda: server.control("status")["refused"])
        assert "worker 0 ended while it was loaded (SIGKILL), and so did" in refused["why"]
        assert len(crashed(project)) == 2
        have_crash(project)
        serves(server, "192.0.2.2")


def test_one_in_which_workers_hang_again_is_refused_for_good(project: Project) -> None:
    identity = next_bundle(project, 2)
    with LiveServer(project, inject=CRASH, watchdog=1.5) as server:
        have_crash(project, f"serve:{identity}", by="SIGSTOP")
        current.switch(project.output, identity)
        server.wait_for(lambda: "nobody opens it again" in str(server.control("status")["refused"]))
        assert len(crashed(project)) == 2
        server.wait_for(lambda: server.control("status")["workers"][0]["ready"])
        time.sleep(AGAIN + 1)
        assert len(crashed(project)) == 2
        assert server.answers("www.example.org") == ["192.0.2.1"]


def test_who_goes_back_to_what_is_served_is_refused_nothing(project: Project) -> None:
    before = current.live(project.output).name
    with LiveServer(project) as server:
        current.switch(project.output, "0" * 32)
        server.wait_for(lambda: server.control("status")["refused"])
        current.switch(project.output, before)
        server.wait_for(lambda: server.control("status")["refused"] is None)
        assert server.control("status")["bundle"] == before


def test_a_reload_of_the_same_bundle_makes_it_no_younger(project: Project) -> None:
    with LiveServer(project) as server:
        first = server.control("status")
        assert server.control("reload")["ok"]
        again = server.control("status")
        assert first["loaded_at"] == again["loaded_at"]
        assert first["built_at"] == again["built_at"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(
        "lzc.serve.supervise.bundle_trial.time",
        SimpleNamespace(monotonic=lambda: now[0], time=time.time),
    )
    return now


def test_files_that_are_damaged_are_hashed_again_when_they_change(
    tmp_path: Path, clock: list[float]
) -> None:
    (tmp_path / "file").write_text("damaged")
    refused = Refusal()
    assert not refused.is_due()
    refused.note(tmp_path, "damaged", clock[0], files_of(tmp_path), loud=True)
    clock[0] += AGAIN + 1
    assert not refused.is_due()
    (tmp_path / "file").write_text("whole again")
    assert refused.is_due()
    refused.note(tmp_path, "damaged", clock[0], files_of(tmp_path), loud=True)
    clock[0] += AGAIN + SAME_FILES + 1
    assert refused.is_due()


def test_what_takes_long_to_try_is_tried_less_often(tmp_path: Path, clock: list[float]) -> None:
    refused = Refusal()
    refused.note(tmp_path, "a worker died", clock[0] - 5, None, loud=True)
    clock[0] += 49
    assert not refused.is_due()
    clock[0] += 2
    assert refused.is_due()
    refused.note(tmp_path, "a worker died", clock[0] - 5, None, loud=True)
    refused.soon()
    assert refused.is_due()


def test_a_reason_is_logged_once_and_another_not_at_once(
    tmp_path: Path, clock: list[float]
) -> None:
    refused = Refusal()
    assert refused.note(tmp_path, "1 octet", clock[0], None, loud=False)
    assert not refused.note(tmp_path, "2 octets", clock[0], None, loud=False)
    clock[0] += 60
    assert refused.note(tmp_path, "3 octets", clock[0], None, loud=False)
    clock[0] += 60
    assert not refused.note(tmp_path, "3 octets", clock[0], None, loud=False)
    assert refused.note(tmp_path, "3 octets", clock[0], None, loud=True)
    assert refused.note(tmp_path / "other", "3 octets", clock[0], None, loud=False)
