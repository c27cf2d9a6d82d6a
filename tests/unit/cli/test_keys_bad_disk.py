"""A disk that fails at any moment of any command of keys: the keys are as before, or as after, the
message says which, and the next command finds a keystore that is whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click.testing
import pytest

from lzc import config
from lzc.cli import group
from lzc.dnssec.keystore.changes import AUDIT, LOCK, REMOVED
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.keystore.sealed_files import secret_of
from lzc.wire import name

ZONE: Final = name.from_text("example.org.")
TOML: Final = '[dnssec]\nkeystore = "keys"\nkeystore-key-file = "seal"\n'
WAYS: Final = ("open", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "remove")
"""Functions of the system that change a disk, as Python knows them."""
COMMANDS: Final = {
    "generate": "generate example.org --add --ksk",
    "import": "import example.org {other}",
    "publish": "publish example.org {ksk} --at +1d --force",
    "activate": "activate example.org {ksk} --at +1d --force",
    "retire": "retire example.org {zsk} --force",
    "remove": "remove example.org {zsk} --force",
    "purge": "remove example.org {zsk} --force --purge",
    "revoke": "revoke example.org {ksk} --force",
    "encrypt": "encrypt",
    "decrypt": "decrypt",
}
ERRORS: Final = {errno.ENOSPC: "No space left on device", errno.EIO: "Input/output error"}


def run(folder: Path, words: str) -> click.testing.Result:
    arguments = words.split()
    command = ["keys", arguments[0], "-c", str(folder / "lzc.toml"), *arguments[1:]]
    return click.testing.CliRunner().invoke(group, command)


def state_of(folder: Path) -> Any:
    """All that counts: keys with their dates, what is sealed, and what was taken out."""
    settings = config.load(folder / "lzc.toml")
    store = Keystore(folder / "keys", lambda: secret_of(settings))
    keys = store.load(ZONE)
    removed = folder / "keys" / REMOVED
    return (
        sorted((key.tag, key.flags, key.timing, store.is_sealed(key)) for key in keys),
        sorted(file.name for file in removed.rglob("*.private")) if removed.exists() else [],
    )


def project(folder: Path, verb: str) -> str:
    """A project with a KSK, a ZSK, and a key outside; the command in full."""
    folder.mkdir()
    (folder / "lzc.toml").write_text(TOML)
    (folder / "seal").write_text(f"{bytes(range(32)).hex()}\n")
    (folder / "seal").chmod(0o600)
    assert run(folder, "generate example.org --policy ksk-zsk --algorithm 15").exit_code == 0
    if verb != "decrypt":
        assert run(folder, "decrypt").exit_code == 0
    outside = Keystore(folder / "outside")
    outside.generate(ZONE, 13, (257,), 1)
    store = Keystore(folder / "keys", lambda: secret_of(config.load(folder / "lzc.toml")))
    ksk, zsk = sorted(store.load(ZONE), key=lambda key: -key.flags)
    (file,) = (folder / "outside").glob("*.private")
    return COMMANDS[verb].format(other=file, ksk=ksk.tag, zsk=zsk.tag)


class Failing:
    """The ``count``th change of a folder, and all after it, fail."""

    def __init__(self, folder: Path, count: int, number: int, monkeypatch: Any) -> None:
        self.left, self.folder, self.number = count, str(folder), number
        self.failed = ""
        self._handles: dict[int, str] = {}
        for way in WAYS:
            monkeypatch.setattr(os, way, self._wrapped(way, getattr(os, way)))

    def _wrapped(self, way: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *more: Any, **options: Any) -> Any:
            reads = way == "open" and not more[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            shown = self._handles.get(path, "") if isinstance(path, int) else os.fspath(path)
            if str(shown).startswith(self.folder) and not reads:
                self.left -= 1
                if self.left < 0:
                    self.failed = self.failed or f"{way} {shown}"
                    raise OSError(self.number, os.strerror(self.number), shown)
            found = call(path, *more, **options)
            if way == "open":
                self._handles[found] = str(shown)
            return found

        return wrapped


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("verb", COMMANDS)
def test_a_disk_that_fails_loses_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, number: int
) -> None:
    seen = set()
    command = project(tmp_path / "first", verb)
    for count in range(100):
        folder = tmp_path / f"project{count}"
        shutil.copytree(tmp_path / "first", folder)
        before = state_of(folder)
        with monkeypatch.context() as patch:
            disk = Failing(folder / "keys", count, number, patch)
            result = run(folder, command)
        after = state_of(folder)
        is_made = after != before
        where = f"{verb}, {disk.failed}: {result.output}"
        if not disk.failed:
            assert (result.exit_code, is_made) == (0, True), where
            break
        seen.add(is_made)
        assert result.exit_code == 1, where
        assert isinstance(result.exception, SystemExit), f"{where} {result.exception!r}"
        assert ERRORS[number] in result.output, where
        assert "    fix: " in result.output, where
        assert ("the change is made, but not finished" in result.output) == is_made, where
        # The next command finishes what was begun, and loses nothing.
        assert run(folder, "generate example.org --add --zsk --algorithm 15").exit_code == 0
        keys, removed = state_of(folder)
        assert {one[0] for one in after[0]} < {one[0] for one in keys}, where
        assert removed == after[1] if not is_made else set(removed) >= set(after[1])
        left = {file.name for file in (folder / "keys").iterdir()} - {REMOVED}
        assert {one for one in left if not one.startswith("K")} == {LOCK, AUDIT}, where
    else:
        pytest.fail("it never came to its end")
    assert seen == {True, False}
    assert count > 8
