"""A build over bundles that other versions of lzc left: serials go on.

``formats`` holds a project and what 0.1.0 (format 3), the two formats before it and the one behind
it made of it, one bundle each. The keys of the signed zone were never kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import current, manifest, verification
from lzc.bundle.manifest import MANIFEST
from lzc.bundle.serial_store import COPY, FILE
from lzc.compiler.pipeline import BuildResult, build
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from tests.unit.command_line import lzc
from tests.unit.compiling import wire

FORMATS = Path(__file__).parent / "formats"
KINDS = ["1", "2", "3", "4"]
WRITTEN = 1_796_000_600.0
"""When the bundles were."""
GIVEN = {"lua.example": 2026113000, "plain.example": 2026113001, "signed.example": 2026113000}


@pytest.fixture(params=KINDS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return _project(tmp_path, request.param)


def _project(folder: Path, kind: str) -> Path:
    shutil.copytree(FORMATS / "zones", folder / "zones")
    shutil.copy(FORMATS / "lzc.toml", folder)
    shutil.copytree(FORMATS / kind, folder / "build", symlinks=True)
    Keystore(folder / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], WRITTEN)
    return folder


def _build(project: Path) -> BuildResult:
    path = project / "lzc.toml"
    return build(config.load(path), config_path=path, now=WRITTEN + 3600)


def _serials(project: Path) -> dict[str, int]:
    with current.open_live(project / "build") as bundle:
        return {name: view.info.serial for name in GIVEN if (view := bundle.zone(wire(name)))}


def _change_all(project: Path) -> None:
    for path in (project / "zones").iterdir():
        path.write_text(path.read_text() + "new A 192.0.2.200\n")


def test_what_did_not_change_keeps_its_serial(project: Path) -> None:
    result = _build(project)
    assert _serials(project) == GIVEN
    assert {fault.rule for fault in result.warnings} <= {"live-bundle-format"}
    verification.verify(result.folder)
    assert _build(project).warnings == []


def test_what_changed_rises(project: Path) -> None:
    _change_all(project)
    _build(project)
    assert _serials(project) == {name: serial + 1 for name, serial in GIVEN.items()}


def test_each_file_of_an_old_bundle_may_be_damaged(project: Path, tmp_path: Path) -> None:
    _change_all(project)
    bundle = (project / "build" / "current").resolve()
    for name in sorted(path.name for path in bundle.iterdir()):
        octets = (bundle / name).stat().st_size
        for position in range(0, octets, 1 + octets // 4):
            other = tmp_path / "other"
            shutil.copytree(project, other, symlinks=True)
            path = other / "build" / bundle.name / name
            content = bytearray(path.read_bytes())
            content[position] ^= 1
            path.write_bytes(content)
            result = _build(other)
            assert not [one for one in result.warnings if one.rule == "serial-lost"]
            after = _serials(other)
            assert all(after[zone] > serial for zone, serial in GIVEN.items())
            shutil.rmtree(other)


@pytest.mark.parametrize("with_file", [True, False])
def test_after_a_newer_lzc_the_serials_go_on_too(tmp_path: Path, with_file: bool) -> None:
    """Its format is one that nobody knows yet; where it has the file of serials, that is enough."""
    project = _project(tmp_path, "3")
    _build(project)
    output = project / "build"
    live = current.live(output)
    document = json.loads((live / MANIFEST).read_bytes())
    document["format"] = 99
    if with_file:
        document["files"] = {"everything.dat": {"sha256": "0" * 64, "size": 1}}
        for path in live.iterdir():
            path.unlink()
    (live / MANIFEST).write_text(json.dumps(document))
    newer = output / manifest.bundle_id((live / MANIFEST).read_bytes())
    live.rename(newer)
    (output / "current").unlink()
    (output / "current").symlink_to(newer.name)
    if not with_file:
        for name in (FILE, COPY):
            (output / name).unlink()
    _change_all(project)
    result = _build(project)
    assert "live-bundle-format" in {fault.rule for fault in result.warnings}
    assert _serials(project) == {name: serial + 1 for name, serial in GIVEN.items()}


@pytest.mark.parametrize("command", ["verify", "diff", "query", "serve", "test"])
def test_what_commands_say_to_do_about_an_older_format_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(WRITTEN) + 3600))
    project = _project(tmp_path, "2")
    arguments = ["www.plain.example"] if command == "query" else []
    if command == "test":
        (project / "tests.toml").write_text(
            '[[test]]\nname = "www.plain.example"\nanswer = ["192.0.2.80"]\n'
        )
    said = lzc(project, command, *arguments)
    assert said.exit_code == 1
    assert "bundle format 2" in said.output
    assert "lzc build" in said.output.rpartition("fix:")[2]
    built = lzc(project, "build")
    assert built.exit_code == 0
    assert "[live-bundle-format]" in built.output
    if command in ("verify", "diff", "query"):
        assert lzc(project, command, *arguments).exit_code == 0
