"""Files that an export writes into a folder, or what they would change there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from lzc.cli.screen import echo
from lzc.faults import InputError


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write each file, by its name, and say so. Raises `InputError`."""
    for name, text in files.items():
        file = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            fix = "name another folder with -o, or correct its permissions"
            raise InputError.at(file, "file-unwritable", problem, fix=fix) from error
        echo(f"wrote {file}")


def show_changes(folder: Path, files: Mapping[str, str]) -> None:
    """Print, as a unified diff, what `write` would change, and that it would be nothing where that
    is so. Raises `InputError`."""
    found = [line for name, text in files.items() for line in _changes(folder / name, text)]
    echo("\n".join(found) or f"nothing would change in {folder}")


def _changes(file: Path, text: str) -> Iterator[str]:
    before, name = "", str(file)
    try:
        before = file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        name = "/dev/null"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        fix = "name another folder with -o, or correct its permissions"
        raise InputError.at(file, "file-unreadable", problem, fix=fix) from error
    old, new = before.splitlines(), text.splitlines()
    yield from difflib.unified_diff(old, new, name, str(file), lineterm="")
    if old == new and before != text:
        yield f"{file}: line ends differ"
