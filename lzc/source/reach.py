"""Which files the sources of a project may read, and opening them so that no link leads elsewhere.

A zone file can name any path in ``$INCLUDE`` and ``$FILE``, and may be a symbolic link itself. What
is read is published, and quoted where it is at fault: so secrets are refused wherever they are
reached from. Paths are looked at with all links resolved; a file is then opened folder by folder
without following any, so that a link put in its way meanwhile leads nowhere. Folders and files are
known by device and inode too, which finds them under another name: a hard link, another mount, a
file system that does not tell upper case from lower.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_PRIVATE_KEY: Final = re.compile(r"K.+\+\d{3}\+\d{5}\.(?:private|state)", re.IGNORECASE)
"""A key as BIND names its file, wherever it lies."""
_FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Identity = tuple[int, int]
"""Device and inode."""


class Refusal(NamedTuple):
    """Why a file may not be read: the end of its rule, and what a fault says."""

    rule: str
    message: str
    why: str
    fix: str


class Refused(Exception):
    """A file that may not be read turned up when it was opened."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Guarded:
    """A file, or a folder with all that is in it, that no source may read: ``what`` it is in
    words, and its identity where it is there."""

    path: str
    what: str
    is_folder: bool
    identity: Identity | None = None

    @classmethod
    def at(cls, path: str | os.PathLike[str], what: str, *, is_folder: bool = False) -> Guarded:
        """The file or folder at a path, links followed."""
        real = os.path.realpath(path)
        try:
            found = Path(real).stat()
        except OSError:
            return cls(real, what, is_folder)
        return cls(real, what, is_folder, (found.st_dev, found.st_ino))


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be read: files in and below ``folders``, and those right in the folders ``beside``,
    but nothing ``guarded``, and below a folder nothing hidden. All paths are resolved. ``root`` is
    the project's folder, ``listed`` are the folders of ``include-from`` as they are written."""

    root: str
    folders: tuple[str, ...]
    beside: tuple[str, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    listed: tuple[str, ...] = ()

    @classmethod
    def whole(cls, root: str | os.PathLike[str]) -> Reach:
        """Everything in a folder that is not hidden."""
        real = os.path.realpath(root)
        return cls(real, (real,))

    def refusal(self, path: str, *, is_code: bool) -> Refusal | None:
        """Why ``$INCLUDE``, or ``$FILE`` (``is_code``), may not read the file at a resolved path;
        ``None`` where it may. Whether it exists is not asked."""
        bases = [folder for folder in self.folders if _is_in(path, folder)]
        guarded = self._refusal_of_guarded(path)
        if guarded is not None:
            return guarded
        if bases:
            return None if any(not _is_hidden(path, base) for base in bases) else _HIDDEN
        folder, _, name = path.rpartition("/")
        if folder in self.beside:
            if name.startswith("."):
                return _HIDDEN
            return None if path.endswith(".lua") or not is_code else _NO_CODE
        if not _is_in(path, self.root):
            return _OUTSIDE
        if _is_hidden(path, self.root):
            return _HIDDEN
        return self._not_listed(path)

    def open(self, path: str) -> int:
        """A descriptor to read the regular file at a resolved path. Raises `Refused` where it is
        guarded, or turns out to be, and `OSError`."""
        refusal = self._refusal_of_guarded(path)
        if refusal is not None:
            raise Refused(refusal)
        folders = {one.identity: one for one in self._folders_for(path) if one.identity is not None}
        handle = open_regular(path, folders)
        try:
            found = os.fstat(handle)
            for one in self._links_of(path) if found.st_nlink > 1 else self._files():
                if one.identity == (found.st_dev, found.st_ino):
                    raise Refused(_guarded(one))
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _files(self) -> Iterator[Guarded]:
        return (one for one in self.guarded if not one.is_folder)

    def _folders_for(self, path: str) -> Iterator[Guarded]:
        """The guarded folders that count for a path: not those in which its sources lie."""
        bases = [folder for folder in self.folders if _is_in(path, folder)]
        for one in self.guarded:
            if one.is_folder and not any(_is_in(base, one.path) for base in bases):
                yield one

    def _links_of(self, path: str) -> Iterator[Guarded]:
        """Whatever a file with several names might be."""
        yield from self._files()
        for folder in self._folders_for(path):
            try:
                entries = list(os.scandir(folder.path))
            except OSError:
                continue
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                yield Guarded(entry.path, folder.what, True, (found.st_dev, found.st_ino))

    def _refusal_of_guarded(self, path: str) -> Refusal | None:
        for one in self._files():
            if one.path == path:
                return _guarded(one)
        for one in self._folders_for(path):
            if _is_in(path, one.path):
                return _guarded(one)
        name = path.rpartition("/")[2]
        if _PRIVATE_KEY.fullmatch(name):
            return _guarded(Guarded(path, "a private key", False))
        if name.lower().endswith(".toml"):
            return _guarded(Guarded(path, "a TOML file: such hold settings, and secrets", False))
        return None

    def _not_listed(self, path: str) -> Refusal:
        folder = Path(path).parent.relative_to(self.root)
        names = ", ".join(f'"{name}"' for name in (*self.listed, folder))
        return Refusal(
            "not-listed",
            f"leads to the folder {folder}, which is none of those that zone files may read",
            "folders beside those of the zone files may hold anything, secrets too",
            f"add to [build] in lzc.toml: include-from = [{names}]",
        )


_HIDDEN: Final = Refusal(
    "hidden",
    "leads to a hidden file, or into a hidden folder",
    "those hold settings and secrets of other programs",
    "copy the file to where no name starts with a dot",
)
_NO_CODE: Final = Refusal(
    "not-listed",
    "is not named .lua",
    "what lies beside the folders of zone files may be anything, and other languages look like Lua",
    "rename it, or move it to the zone files or to a folder of include-from",
)
_OUTSIDE: Final = Refusal(
    "outside",
    "leads out of the project's folder",
    "a zone file may not pull in what the project does not hold: builds would differ, "
    "and other files could leak",
    "copy the file into the project",
)


def _guarded(one: Guarded) -> Refusal:
    return Refusal(
        "secret",
        f"leads into {one.what}" if one.is_folder else f"leads to {one.what}",
        "what zone files read is published, and shown where it is at fault",
        "take it out; if it is no secret, move it to the zone files",
    )


def open_regular(path: str, refused: dict[Identity, Guarded] | None = None) -> int:
    """A descriptor to read the regular file at an absolute path that has no links. Raises `OSError`
    for any link, and for what is no regular file without opening it (a device may act on it, a
    FIFO may wait); raises `Refused` for a folder on the way that is among ``refused``."""
    *folders, name = path.strip("/").split("/")
    place = os.open("/", _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
            if refused:
                found = os.fstat(place)
                one = refused.get((found.st_dev, found.st_ino))
                if one is not None:
                    raise Refused(_guarded(one))
        _regular(os.stat(name, dir_fd=place, follow_symlinks=False))
        handle = os.open(name, _FILE, dir_fd=place)
    finally:
        os.close(place)
    try:
        _regular(os.fstat(handle))
    except OSError:
        os.close(handle)
        raise
    return handle


def _regular(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise OSError("a symbolic link took its place while it was read")
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a file")


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_hidden(path: str, base: str) -> bool:
    below = path[len(base.rstrip("/")) :].strip("/").split("/")
    return any(part.startswith(".") for part in below)
