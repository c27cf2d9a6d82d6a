"""A bundle that crashes who opens it harms nobody who serves another, and is not opened again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from lzc.bundle import current, manifest, verification
from lzc.bundle.manifest import BundleError, FileEntry, Manifest
from lzc.bundle.reader import Bundle
from lzc.contained import Begin, Contained, Home
from lzc.serve.supervise.bundle_trial import Condemned, OpeningCrashes, try_bundle
from lzc.wire.rdata import soa_serial
from tests.patience import PATIENCE
from tests.unit.live_server import LiveServer, Project

CRASH = """
import os, signal
from pathlib import Path
from lzc.bundle.reader import Bundle
from lzc.serve.worker.serving import Serving

def crashes(kind, where):
    as_before = kind.__init__

    def init(self, *arguments, **options):
        given = [getattr(one, "folder", one) for one in arguments]
        folder = next(one for one in given if isinstance(one, Path))
        known = (Path(args["source"]) / "crashes").read_text().split()
        if any(line.startswith(where + folder.name) for line in known):
            with (Path(args["source"]) / "crashed").open("a") as out:
                out.write(f"{where}{folder.name}\\n")
            os.kill(os.getpid(), getattr(signal, known[0]))
        as_before(self, *arguments, **options)

    kind.__init__ = init

crashes(Bundle, "open:")
crashes(Serving, "serve:")
"""
"""Processes end themselves where the library would crash: when they open what the file lists."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.build({"example.org": "www A 192.0.2.1\n"})
    have_crash(made)
    return made


def have_crash(project: Project, *what: str, by: str = "SIGBUS") -> None:
    (project.output / "crashes").write_text("\n".join([by, *what]))
    (project.output / "crashed").touch()


def crashed(project: Project) -> list[str]:
    return (project.output / "crashed").read_text().split()


def next_bundle(project: Project, number: int) -> str:
    """Another bundle, which is not live yet."""
    before = current.live(project.output).name
    identity = project.build({"example.org": f"www A 192.0.2.{number}\n"}, serial=number)
    current.switch(project.output, before)
    return identity


@pytest.mark.parametrize(("where", "workers_died"), [("open", 0), ("serve", 2)])
def test_it_is_refused_for_good_and_the_one_before_goes_on(
    project: Project, where: str, workers_died: int
) -> None:
    """In the child that tries it, or in workers where that child found nothing."""
    identity = next_bundle(project, 2)
    with LiveServer(project, workers=2, inject=CRASH) as server:
        pids = [one["pid"] for one in server.control("status")["workers"]]
        have_crash(project, f"{where}:{identity}")
        current.switch(project.output, identity)
        server.wait_for(lambda: server.control("status")["refused"])
        refused = server.control("status")["refused"]["why"]
        assert identity in refused
        assert "opening this bundle crashes the process" in refused
        assert "SIGBUS" in refused
        assert "build it again" in refused
        before = len(crashed(project))
        assert before == max(workers_died, 1)
        assert not server.control("reload")["ok"]
        assert server.control("reload")["error"] == refused
        server.wait_for(lambda: all(w["ready"] for w in server.control("status")["workers"]))
        after = [one["pid"] for one in server.control("status")["workers"]]
        assert len({*pids} - {*after}) == workers_died
        time.sleep(1.2)
        assert len(crashed(project)) == before
        assert server.answers("www.example.org") == ["192.0.2.1"]
        project.build({"example.org": "www A 192.0.2.3\n"}, serial=3)
        server.wait_for(lambda: server.answers("www.example.org") == ["192.0.2.3"])
        assert server.control("status")["refused"] is None


def test_it_is_tried_again_when_its_files_change(project: Project, tmp_path: Path) -> None:
    identity = next_bundle(project, 2)
    with LiveServer(project, inject=CRASH) as server:
        have_crash(project, f"open:{identity}")
        current.switch(project.output, identity)
        server.wait_for(lambda: server.control("status")["refused"])
        have_crash(project)
        assert not server.control("reload")["ok"]
        folder = project.output / identity
        shutil.copytree(folder, tmp_path / "again")
        shutil.rmtree(folder)
        (tmp_path / "again").rename(folder)
        server.wait_for(lambda: server.answers("www.example.org") == ["192.0.2.2"])
        assert server.control("status")["refused"] is None


def test_who_was_killed_from_outside_blames_no_bundle(project: Project) -> None:
    """Memory ran out, say: that is over when the machine has some again."""
    identity = next_bundle(project, 2)
    with LiveServer(project, inject=CRASH) as server:
        have_crash(project, f"open:{identity}", by="SIGKILL")
        current.switch(project.output, identity)
        server.wait_for(lambda: server.control("status")["refused"])
        assert "memory runs out" in server.control("status")["refused"]["why"]
        have_crash(project)
        assert server.control("reload")["ok"]
        assert server.answers("www.example.org") == ["192.0.2.2"]


@pytest.mark.parametrize("where", ["open", "serve"])
def test_with_none_before_it_the_server_ends_and_says_so(project: Project, where: str) -> None:
    identity = current.live(project.output).name
    have_crash(project, f"{where}:{identity}")
    server = LiveServer(project, workers=2, inject=CRASH)
    server.reader.start()
    assert server.process.wait(PATIENCE) == 1
    server.reader.join(PATIENCE)
    said = "\n".join(server.log)
    assert f"{project.output / identity}: error: " in said
    assert "opening this bundle crashes the process" in said
    assert "[bundle-crashes]" in said
    assert "fix: run: lzc build" in said
    assert len(crashed(project)) <= 2
    assert not server.logged("starting another")


def test_a_successor_that_cannot_open_it_is_not_started_in_a_loop(project: Project) -> None:
    identity = current.live(project.output).name
    with LiveServer(project, workers=2, inject=CRASH) as server:
        have_crash(project, f"serve:{identity}")
        first, second = server.control("status")["workers"]
        kill(first["pid"])
        server.wait_for(lambda: server.logged("worker 0 is not started again with this bundle"))
        time.sleep(1.2)
        assert len(crashed(project)) == 1
        assert server.answers("www.example.org") == ["192.0.2.1"]
        assert identity in server.control("status")["refused"]["why"]
        have_crash(project)
        project.build({"example.org": "www A 192.0.2.3\n"}, serial=3)
        server.wait_for(lambda: server.answers("www.example.org") == ["192.0.2.3"])
        workers = server.wait_for(
            lambda: (
                all(w["ready"] for w in server.control("status")["workers"])
                and server.control("status")["workers"]
            )
        )
        assert workers[1]["pid"] == second["pid"]


def test_where_no_worker_is_left_the_bundle_before_is_served(project: Project) -> None:
    with LiveServer(project, inject=CRASH) as server:
        identity = project.build({"example.org": "www A 192.0.2.2\n"}, serial=2)
        server.wait_for(lambda: server.answers("www.example.org") == ["192.0.2.2"])
        have_crash(project, f"serve:{identity}")
        kill(server.control("status")["workers"][0]["pid"])
        server.wait_for(lambda: server.logged("BUNDLE REFUSED, serving the one before it"))
        server.wait_for(lambda: server.control("status")["workers"][0]["ready"])
        assert server.answers("www.example.org") == ["192.0.2.1"]
        assert identity in server.control("status")["refused"]["why"]


def test_where_no_worker_and_no_bundle_is_left_the_server_ends(project: Project) -> None:
    with LiveServer(project, inject=CRASH) as server:
        have_crash(project, f"serve:{current.live(project.output).name}")
        kill(server.control("status")["workers"][0]["pid"])
        assert server.process.wait(PATIENCE) == 1
        server.reader.join(PATIENCE)
        assert server.logged("[bundle-crashes]")
        assert len(crashed(project)) == 1


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def hostile(project: Project) -> Path:
    """A bundle of which a part is missing, and whose manifest says that this is all."""
    folder = current.live(project.output)
    content, _ = manifest.read(folder)
    name = manifest.zones_file(0)
    made = project.output / "made"
    shutil.copytree(folder, made)
    file = made / name
    file.chmod(0o644)
    octets = file.read_bytes()[: file.stat().st_size // 8192 * 4096]
    file.write_bytes(octets)
    entries = dict(content.files)
    entries[name] = FileEntry(len(octets), hashlib.sha256(octets).hexdigest())
    encoded = Manifest(entries, content.lzc, content.inputs).encode()
    (made / manifest.MANIFEST).chmod(0o644)
    (made / manifest.MANIFEST).write_bytes(encoded)
    return made.rename(project.output / manifest.bundle_id(encoded))


def _open(folder: Path, _begin: Begin, _home: Home) -> int:
    with Bundle.open(folder) as bundle:
        return len(bundle)


def test_a_bundle_whose_manifest_agrees_with_what_is_missing_is_no_bundle(
    project: Project,
) -> None:
    """In a child: it was the end of whoever opened it (SIGBUS)."""
    folder = hostile(project)
    verification.verify(folder)
    child = Contained(_open)
    with pytest.raises(BundleError, match="more pages than are there"):
        child.ask(folder)
    child.close()
    with pytest.raises(BundleError, match="more pages than are there"):
        try_bundle(folder, project.output / ".verified")


@pytest.mark.parametrize("name", ["zones-00.lmdb", "transfers-00.bin", "checks.json"])
@pytest.mark.parametrize("size", [-1, 1])
def test_what_was_verified_once_and_changed_its_size_is_not_opened(
    project: Project, name: str, size: int
) -> None:
    folder = current.live(project.output)
    stamps = current.verified_dir(project.output)
    verification.verify(folder, stamps)
    file = folder / name
    file.chmod(0o644)
    file.write_bytes((file.read_bytes() + b"\0" * size)[: file.stat().st_size + size])
    with pytest.raises(BundleError, match="octets, the manifest says"):
        Bundle.open(folder, verified_dir=stamps)


@pytest.mark.parametrize("name", ["zones-00.lmdb", "transfers-00.bin"])
def test_what_is_cut_between_verification_and_opening_is_not_mapped(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = current.live(project.output)
    as_before = verification.verify

    def verify(*arguments: Path) -> object:
        found = as_before(*arguments)
        (folder / name).chmod(0o644)
        (folder / name).write_bytes((folder / name).read_bytes()[:-4])
        return found

    monkeypatch.setattr(verification, "verify", verify)
    with pytest.raises(BundleError, match="size changed since it was verified"):
        Bundle.open(folder)


def test_the_condemned_are_known_until_their_files_change(project: Project) -> None:
    folder = current.live(project.output)
    condemned = Condemned()
    assert condemned.why(folder) == ""
    condemned.add(folder, "it crashes")
    assert condemned.why(folder) == "it crashes"
    other = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_bytes(json.dumps(other).encode())
    assert condemned.why(folder) == ""
    condemned.add(project.output / "gone", "it is gone")
    assert condemned.why(project.output / "gone") == "it is gone"


def test_a_trial_gives_the_serials_and_soa_records(project: Project) -> None:
    found = try_bundle(current.live(project.output), current.verified_dir(project.output))
    apex = b"\x07example\x03org\x00"
    assert found.serials == {apex: 1}
    [(ttl, rdata)] = found.soas.values()
    assert (soa_serial(rdata), ttl > 0) == (1, True)
    with pytest.raises(BundleError):
        try_bundle(project.output / "none", current.verified_dir(project.output))
    assert issubclass(OpeningCrashes, BundleError)
