"""Whatever a file or a socket holds, reading JSON ends in a value or in `ValueError`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lzc import foreign_json
from lzc.bundle import check_list, manifest, verification
from lzc.bundle.manifest import BundleError
from lzc.config import load
from lzc.faults import InputError
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.saved_state import SavedHealth
from tests.unit.live_server import LiveServer, Project

ODD = [
    b"",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"\xff\xfe[]",
    b"1" * 5000,
    b'"\xed\xa0\x80"',
    b"NaN",
    b"[-Infinity]",
    b"[] []",
    b"\0",
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_what_is_no_json_or_too_much_is_a_value_error(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ValueError):
        foreign_json.parse(text)
    (tmp_path / "file").write_bytes(text)
    with pytest.raises(ValueError):
        foreign_json.read(tmp_path / "file")


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"[1,2]")
    assert foreign_json.read(tmp_path / "file", 5) == [1, 2]
    with pytest.raises(ValueError, match="longer than 4 octets"):
        foreign_json.read(tmp_path / "file", 4)


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_who_reads_files_says_so(tmp_path: Path, text: bytes) -> None:
    folder = tmp_path / manifest.bundle_id(text)
    folder.mkdir()
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match="not a manifest"):
        manifest.read(folder)
    (folder / "checks.json").write_bytes(text)
    with pytest.raises(ValueError):
        check_list.read(folder / "checks.json")
    (tmp_path / ".health").write_bytes(text)
    assert health_state.load(tmp_path / ".health", 0.0) == SavedHealth()


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_stamp_that_cannot_be_read_is_none(tmp_path: Path, text: bytes) -> None:
    project = Project(tmp_path)
    folder = project.output / project.build({"example.org": "www A 192.0.2.1\n"})
    stamp = project.output / ".verified" / folder.name
    stamp.write_bytes(text)
    verification.verify(folder, stamp.parent)
    assert json.loads(stamp.read_bytes())


def test_lzc_toml_may_nest_as_deep_as_it_likes(tmp_path: Path) -> None:
    (tmp_path / "lzc.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(InputError, match="nested too deep"):
        load(tmp_path / "lzc.toml")


def test_the_control_socket_answers_what_is_no_request(tmp_path: Path) -> None:
    import socket

    project = Project(tmp_path)
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project) as server:
        for text in (b"[" * 4000, b'{"do":' * 600, b"NaN", b"[]", b'{"do": []}', b"\xff"):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(60)
                sock.connect(str(project.output / "control.sock"))
                sock.sendall(text + b"\n")
                assert b'"ok": false' in sock.recv(4096)
        for seconds in ("1" + "0" * 400, "[]", "1e400", '"x"'):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(60)
                sock.connect(str(project.output / "control.sock"))
                force = f'"do": "force", "target": "192.0.2.1", "state": "up", "seconds": {seconds}'
                sock.sendall(f"{{{force}}}\n".encode())
                assert b'"ok": false' in sock.recv(4096)
        assert server.control("status")["ok"]
        assert not any("Traceback" in line or "Error" in line for line in server.log)
