"""Files with secrets that belong to a stranger."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lzc import config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import InputError
from lzc.file_owner import stranger
from lzc.wire import name

ZONE = name.from_text("example.org.")
OURS = os.geteuid()
"""Whose the files of tests are."""


def be(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def test_files_of_ours_and_of_root_are_no_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.touch()
    status = file.stat()
    assert stranger(status, file) == ""
    others = os.stat_result((*status[:4], 4711, *status[5:]))
    assert stranger(others, file) == "number 4711"
    roots = os.stat_result((*status[:4], 0, *status[5:]))
    be(monkeypatch, 4712)
    assert stranger(roots, file) == ""
    assert stranger(others, file) == "number 4711"


def test_root_takes_files_of_the_owner_of_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.touch()
    be(monkeypatch, 0)
    assert stranger(file.stat(), file) == ""


def test_a_key_of_a_stranger_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore = Keystore(tmp_path / "keys")
    keystore.generate(ZONE, 15, [257], 0)
    be(monkeypatch, 4711)
    monkeypatch.setattr(
        "lzc.dnssec.keystore.key_files.stranger", lambda _, path: "" if path.is_dir() else "eve"
    )
    with pytest.raises(InputError) as caught:
        keystore.load(ZONE)
    (fault,) = caught.value.faults
    assert fault.rule == "key-owner"
    assert fault.message == "the private key belongs to another user (eve)"
    assert fault.fix.startswith(f"chown 4711 {fault.place.file}")


def test_a_keystore_and_a_secret_of_a_stranger_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore = Keystore(tmp_path / "keys")
    keystore.generate(ZONE, 15, [257], 0)
    monkeypatch.setattr("lzc.dnssec.keystore.key_files.stranger", lambda *_: "eve")
    with pytest.raises(InputError, match="keystore-owner"):
        keystore.load(ZONE)
    (tmp_path / "lzc.toml").write_text('[tsig."a."]\nsecret-file = "a.tsig"\n')
    (tmp_path / "a.tsig").touch(0o600)
    monkeypatch.setattr("lzc.config.secret_files.stranger", lambda *_: "eve")
    with pytest.raises(InputError, match="tsig-secret-owner"):
        config.load(tmp_path / "lzc.toml").tsig_secret("a.")
