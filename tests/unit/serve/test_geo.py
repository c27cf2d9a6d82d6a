"""Geo databases change under a running server; a damaged one changes nothing."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path
from unittest import mock

import maxminddb
import pytest
from click.testing import CliRunner

from fixtures.geo import make_geo
from lzc.cli.ctl import command as ctl
from lzc.faults import InputError
from lzc.serve.worker import geo_files
from lzc.serve.worker.geo_files import GeoFiles, SteadyReader, open_geo
from tests.unit.live_server import UNHURRIED, LiveServer, Project

EXAMPLE = Path(make_geo.__file__).with_name("example.mmdb")
HERE = b"\x7f\0\0\1"


def database(path: Path, place: make_geo.Location) -> None:
    """Put a database in which we are at a place where ``path`` is, as updaters do it."""
    fresh = path.with_suffix(".new")
    with mock.patch.object(make_geo, "NETWORKS", [("127.0.0.0/8", place)]):
        make_geo.make(fresh)
    fresh.replace(path)


def country(files: GeoFiles) -> object:
    geo = open_geo(files.current())
    assert geo is not None
    return geo.lookup(HERE).get("country")


def shown_by(command: str, project: Project) -> str:
    return CliRunner().invoke(ctl, [command, "-c", str(project.config)]).output


def files_at(folder: Path, *paths: Path) -> GeoFiles:
    (folder / "copies").mkdir()
    files = GeoFiles(paths, folder / "copies")
    files.open()
    return files


def test_a_new_file_is_taken_when_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    files = files_at(tmp_path, path)
    assert country(files) == "JP"
    assert not files.refresh()
    database(path, make_geo.LONDON)
    assert not files.refresh()
    assert files.refresh()
    assert country(files) == "GB"
    assert len(list((tmp_path / "copies").iterdir())) == 2
    files.forget_superseded()
    assert len(list((tmp_path / "copies").iterdir())) == 1
    assert not files.refresh()


def test_readers_do_not_see_a_file_that_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    files = files_at(tmp_path, path)
    geo = open_geo(files.current())
    assert geo is not None
    path.write_bytes(b"")
    assert geo.lookup(HERE)["country"] == "JP"


@pytest.mark.parametrize("what", ["cut", "empty", "missing", "text", "folder"])
def test_a_damaged_file_leaves_the_one_from_before_and_the_next_is_taken(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    files = files_at(tmp_path, path)
    good = path.read_bytes()
    path.unlink()
    match what:
        case "cut":
            path.write_bytes(good[: len(good) // 2])
        case "empty":
            path.touch()
        case "text":
            path.write_text("no database")
        case "folder":
            path.mkdir()
    assert not files.refresh()
    assert not files.refresh()
    assert not files.refresh(at_once=True)
    assert country(files) == "JP"
    if what == "folder":
        path.rmdir()
    database(path, make_geo.LONDON)
    assert files.refresh(at_once=True)
    assert country(files) == "GB"
    assert [one.name for one in (tmp_path / "copies").iterdir()] != []


def test_what_is_wrong_with_each_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.mmdb").write_text("no database")
    (tmp_path / "cut.mmdb").write_bytes(EXAMPLE.read_bytes()[:3000])
    names = ["missing.mmdb", "text.mmdb", "cut.mmdb"]
    with pytest.raises(InputError) as caught:
        files_at(tmp_path, *(tmp_path / name for name in names))
    assert [str(fault) for fault in caught.value.faults] == [
        f"{tmp_path / name}: error: the geo database cannot be read: {why} [geo-database]\n"
        "    fix: correct geoip in [serve] of lzc.toml"
        for name, why in zip(
            names,
            ["No such file or directory", *["it is damaged, or not in MMDB format"] * 2],
            strict=True,
        )
    ]


def test_the_first_file_that_knows_a_field_counts_and_any_may_change(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mmdb", tmp_path / "b.mmdb"
    first.write_bytes(EXAMPLE.read_bytes())
    database(second, make_geo.TOKYO)
    files = files_at(tmp_path, second, first)
    assert country(files) == "JP"
    database(second, make_geo.SYDNEY)
    assert files.refresh(at_once=True)
    assert country(files) == "AU"


def test_a_copy_for_which_there_is_no_room_is_made_once_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    files = files_at(tmp_path, path)
    database(path, make_geo.LONDON)
    with monkeypatch.context() as full:
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        full.setattr(shutil, "copyfile", mock.Mock(side_effect=error))
        for _ in range(3):
            assert not files.refresh(at_once=True)
    assert country(files) == "JP"
    assert files.report()[0]["error"] == "No space left on device"
    assert caplog.text.count("No space left on device") == 1
    assert files.refresh()
    assert country(files) == "GB"
    assert files.report()[0]["error"] == ""


def test_files_that_cannot_be_read_at_the_start_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "x.mmdb").write_text("x")
    files = GeoFiles([tmp_path / "x.mmdb", tmp_path / "y.mmdb"], tmp_path)
    with pytest.raises(InputError) as caught:
        files.open()
    assert [fault.place.file for fault in caught.value.faults] == [
        str(tmp_path / "x.mmdb"),
        str(tmp_path / "y.mmdb"),
    ]


def test_an_address_in_a_damaged_part_is_one_not_known() -> None:
    reader = SteadyReader(EXAMPLE)
    broken = mock.Mock()
    broken.get.side_effect = maxminddb.InvalidDatabaseError("bad pointer")
    with mock.patch.object(reader, "_reader", broken):
        assert reader.get(mock.Mock()) is None


def test_without_databases_there_is_no_geo() -> None:
    assert open_geo([]) is None


def test_a_running_server_follows_its_databases(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    project = Project(tmp_path, f'{UNHURRIED}[serve]\ngeoip = ["{path}"]\n')
    project.build({"example.org": 'here LUA TXT "countryCode()"\n'})
    with LiveServer(project, workers=2) as server:

        def here() -> set[str]:
            return {*(text for _ in range(8) for text in server.answers("here.example.org", "TXT"))}

        assert here() == {'"jp"'}
        database(path, make_geo.LONDON)
        server.wait_for(lambda: here() == {'"gb"'})
        path.write_bytes(b"broken")
        server.wait_for(lambda: server.logged("the one from before is kept"))
        assert server.control("reload")["ok"]
        assert here() == {'"gb"'}
        stale = f"GEO STALE   {path}: it is damaged, or not in MMDB format; the one read "
        for command in ("reload", "status"):
            assert stale in shown_by(command, project)
        os.kill(server.control("status")["workers"][0]["pid"], 9)
        server.wait_for(lambda: server.control("status")["workers"][0]["ready"])
        assert here() == {'"gb"'}
        database(path, make_geo.SYDNEY)
        server.wait_for(lambda: here() == {'"au"'})
        assert f"geo         {path}, read " in shown_by("status", project)


def test_a_file_that_crashes_or_hangs_its_reader_is_damaged_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    files = files_at(tmp_path, path)
    monkeypatch.setattr(geo_files, "SECONDS", 1)

    def endless(_: Path) -> None:
        while True:
            pass

    def crash(_: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for fault in (endless, crash, lambda _: bytearray(2**40)):
        monkeypatch.setattr(geo_files, "_look_up", fault)
        database(path, make_geo.LONDON)
        assert not files.refresh(at_once=True)
        assert country(files) == "JP"
        assert "cannot be looked up" in files.report()[0]["error"]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def nested(levels: int) -> bytes:
    """A database in which each list holds ten times the one before."""

    def text(value: str) -> bytes:
        return bytes((0x40 | len(value),)) + value.encode()

    def fields(values: dict[str, bytes]) -> bytes:
        return bytes((0xE0 | len(values),)) + b"".join(
            text(name) + value for name, value in values.items()
        )

    data, before = text("x"), 0
    for _ in range(levels):
        pointer = bytes((0x20 | before >> 8, before & 255))
        before = len(data)
        data += b"\x0a\x04" + 10 * pointer
    last = len(data)
    data += fields({"x": bytes((0x20 | before >> 8, before & 255))})
    tree = 2 * (1 + 16 + last).to_bytes(3, "big")
    about = fields(
        {
            "binary_format_major_version": b"\xa2\0\2",
            "binary_format_minor_version": b"\xa2\0\0",
            "build_epoch": b"\x08\x02" + bytes(7) + b"\1",
            "database_type": text("T"),
            "description": fields({"en": text("t")}),
            "ip_version": b"\xa2\0\4",
            "languages": b"\1\4" + text("en"),
            "node_count": b"\xc4\0\0\0\1",
            "record_size": b"\xa2\0\x18",
        }
    )
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + about


def test_a_kilobyte_that_stands_for_more_than_any_memory_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    path.write_bytes(nested(1))
    files = files_at(tmp_path, path)
    for levels in (12, 40):
        path.write_bytes(nested(levels))
        assert not files.refresh(at_once=True)
        assert files.report()[0]["error"]
