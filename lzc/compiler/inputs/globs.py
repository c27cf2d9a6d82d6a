"""What the globs of ``sources`` match.

``**`` is looked through here, as the one of the standard library follows links to folders wherever
they lead: two of them that lead upwards make it look through 2**40 paths.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_ANY_FOLDERS: Final = "**"


def matches(root: Path, pattern: str) -> list[str]:
    """What a pattern matches below a folder, in any order, as paths relative to it. Hidden names
    are matched by what starts with a dot only; ``**`` stands for any folders, each looked through
    once however many links lead to it."""
    parts = pattern.split("/")
    if _ANY_FOLDERS in parts:
        fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
        start = "/".join(parts[:fixed])
        prefix = f"{start}/" if start or pattern.startswith("/") else ""
        return list(_through(root / (prefix or "."), prefix, parts[fixed:], set()))
    folder, _, names = pattern.rpartition("/")
    if not folder or glob.has_magic(folder) or names.startswith("."):
        return glob.glob(pattern, root_dir=root)  # noqa: PTH207
    # The usual case, of 10,000 files in half of the time.
    try:
        found = os.listdir(root / folder)  # noqa: PTH208
    except OSError:
        return []
    if names[:1] == "*" and not glob.has_magic(names[1:]):
        matching = [name for name in found if name.endswith(names[1:])]
    else:
        matching = fnmatch.filter(found, names)
    return [f"{folder}/{name}" for name in matching if name[0] != "."]


def _through(
    folder: Path, prefix: str, parts: list[str], seen: set[tuple[int, int, int]]
) -> Iterator[str]:
    """What ``parts`` of a pattern match in a folder, whose path is ``prefix``."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    part, *rest = parts
    if part == _ANY_FOLDERS:
        status = folder.stat() if entries else None
        mark = (len(parts), status.st_dev, status.st_ino) if status is not None else None
        if mark is None or mark in seen:
            return
        seen.add(mark)
        yield from _through(folder, prefix, rest or ["*"], seen)
    for entry in entries:
        if entry.name.startswith(".") and not part.startswith("."):
            continue
        if part != _ANY_FOLDERS and not fnmatch.fnmatch(entry.name, part):
            continue
        path = f"{prefix}{entry.name}"
        if part == _ANY_FOLDERS or rest:
            if entry.is_dir():
                below = parts if part == _ANY_FOLDERS else rest
                yield from _through(folder / entry.name, f"{path}/", below, seen)
        else:
            yield path
