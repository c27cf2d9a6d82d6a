"""Files that an export writes into a folder, or what they would change there."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from lzc.cli.screen import echo
from lzc.faults import InputError
from lzc.secondary.exported import ExportedFile


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write each file, by its name, and say so. Raises `InputError`."""
    write_all(folder, [ExportedFile(name, text) for name, text in files.items()])


def write_all(folder: Path, files: list[ExportedFile]) -> None:
    """Write each file, and say so; those that are secret for their owner alone, in folders that are
    likewise where they are made. Raises `InputError`."""
    for one in files:
        file = folder / one.name
        try:
            if one.secret:
                folder.mkdir(parents=True, exist_ok=True)
                _make_private(file.parent)
                _write_secret(file, one.text)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(one.text)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            fix = "name another folder with -o, or correct its permissions"
            raise InputError.at(file, "file-unwritable", problem, fix=fix) from error
        echo(f"wrote {file}")


def _make_private(folder: Path) -> None:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)


def _write_secret(file: Path, text: str) -> None:
    """Put a new file in its place: whoever has the old one open reads nothing of it."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def show_changes(folder: Path, files: Mapping[str, str]) -> None:
    """Print, as a unified diff, what `write` would change, and that it would be nothing where that
    is so. Raises `InputError`."""
    show_all_changes(folder, [ExportedFile(name, text) for name, text in files.items()])


def show_all_changes(folder: Path, files: list[ExportedFile]) -> None:
    """As `show_changes`; of what is secret, or lies there for its owner alone, whether it would
    change. Raises `InputError`."""
    found = [line for one in files for line in _changes(folder / one.name, one)]
    echo("\n".join(found) or f"nothing would change in {folder}")


def _changes(file: Path, one: ExportedFile) -> Iterator[str]:
    before, name, text = "", str(file), one.text
    secret = one.secret
    try:
        before = file.read_bytes().decode("utf-8", "surrogateescape")
        secret |= not file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except FileNotFoundError:
        name = "/dev/null"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        fix = "name another folder with -o, or correct its permissions"
        raise InputError.at(file, "file-unreadable", problem, fix=fix) from error
    if secret:
        if before != text:
            yield f"{file}: {'new' if name == '/dev/null' else 'differs'}, not shown: it is secret"
        return
    old, new = before.splitlines(), text.splitlines()
    yield from difflib.unified_diff(old, new, name, str(file), lineterm="")
    if old == new and before != text:
        yield f"{file}: line ends differ"
