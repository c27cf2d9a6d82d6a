"""Changes of the keystore: made by one process at a time, whole or not at all, and told in a log.

The files of a change are written beside the others, with a plan of what becomes of which, in a
folder that is then renamed to `COMMITTED`: from that moment on the change is made, for whoever
reads the keystore by way of `Overlay`, whatever happens to the process. What is left is to move the
files to their places, which can be done again and again, and is, by the next who changes anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.faults import Fault, InputError, Place

LOCK: Final = ".lock"
PREPARING: Final = ".preparing"
COMMITTED: Final = ".change"
AUDIT: Final = "audit.log"
REMOVED: Final = "removed"
"""Folder of keys that were taken out, a folder for each time."""
_PLAN: Final = "plan"
_LONGEST: Final = 65536
"""Octets of a line of the log at most, of another change."""

Token = tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Change:
    """What one step changes; nothing is written before it is committed. ``now`` is in seconds since
    the epoch, ``command`` what somebody ran."""

    folder: Path
    now: float
    command: str
    _files: dict[str, str] = field(default_factory=dict, repr=False)
    _moves: dict[str, str] = field(default_factory=dict)
    _drops: dict[str, None] = field(default_factory=dict)
    _entries: list[dict[str, Any]] = field(default_factory=list)

    def put(self, name: str, text: str) -> None:
        """Write a file, or replace one; ``name`` is its path in the keystore."""
        self._files[name] = text
        self._drops.pop(name, None)

    def drop(self, name: str) -> None:
        """Destroy a file, if it is there."""
        if name not in self._files:
            self._drops[name] = None

    def move(self, name: str, into: str) -> None:
        """Move a file, if it is there, into a folder of the keystore."""
        self._moves[name] = f"{into}/{name}"

    def tell(self, zone: str, tags: Iterable[int], did: str) -> None:
        """A line of the audit log: what becomes of which keys of a zone."""
        self._entries.append({"zone": zone, "tags": list(tags), "did": did})

    def commit(self) -> None:
        """Make the change. Raises `InputError` when it is not made, and nothing is left of it, or
        when it is, but not everything has come to its place."""
        if not (self._files or self._moves or self._drops):
            return
        self._prepare()
        try:
            sync(self.folder)
            finish(self.folder)
        except OSError as error:
            raise InputError.at(
                self.folder,
                "keystore-unfinished",
                f"the change is made, but not finished: {error.strerror}",
                why="files of the keystore are not in their places yet, or the audit log lacks it",
                fix="see to free space and permissions; the next change of any key finishes it",
            ) from error

    def _prepare(self) -> None:
        staging = self.folder / PREPARING
        file = staging
        try:
            make_folder(staging)
            numbered = {str(number): name for number, name in enumerate(self._files)}
            for number, name in numbered.items():
                file = self.folder / name
                _write(staging / number, self._files[name])
            plan = {
                "put": numbered,
                "move": self._moves,
                "drop": list(self._drops),
                "audit": self._audit(),
            }
            file = staging / _PLAN
            _write(file, json.dumps(plan))
            sync(staging)
            staging.rename(self.folder / COMMITTED)
        except OSError as error:
            shutil.rmtree(staging, ignore_errors=True)
            raise InputError(unwritable(file, error)) from error

    def _audit(self) -> list[str]:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now))
        who: dict[str, Any] = {"uid": os.getuid(), "user": _user(os.getuid())}
        if os.environ.get("SUDO_USER"):
            who["sudo-user"] = os.environ["SUDO_USER"]
        ident = secrets.token_hex(8)
        return [
            json.dumps(
                {"time": moment, **who, "command": self.command, **entry, "change": ident},
            )
            for entry in self._entries
        ]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def changing(folder: Path, now: float, command: str) -> Iterator[Change]:
    """A change of the keystore in an existing ``folder``, committed when the block ends, and not
    made at all when the block raises. Waits while another process changes it. What the block reads
    of the keystore stays as it is until then. Raises `InputError`."""
    with _locked(folder):
        change = Change(folder, now, command)
        yield change
        change.commit()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    file = folder / LOCK
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(unwritable(file, error)) from error
    try:
        try:
            _give(handle, folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
            finish(folder)
            shutil.rmtree(folder / PREPARING, ignore_errors=True)
        except OSError as error:
            raise InputError(unwritable(folder, error)) from error
        yield
    finally:
        os.close(handle)


def finish(folder: Path) -> None:
    """Bring to their places the files of a change that was committed; who calls this has the lock.
    Raises `OSError`, and `InputError` for a plan that is damaged."""
    committed = folder / COMMITTED
    plan = _plan(folder)
    if plan is not None:
        for name, target in plan.moves.items():
            _make_way(folder, target)
            with suppress(FileNotFoundError):
                (folder / name).replace(folder / target)
                sync((folder / target).parent)
        for name in plan.drops:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        for number, name in plan.files.items():
            _make_way(folder, name)
            with suppress(FileNotFoundError):
                (committed / number).replace(folder / name)
                if "/" in name:
                    sync((folder / name).parent)
        sync(folder)
        _append(folder / AUDIT, plan.audit)
        (committed / _PLAN).unlink()
    if committed.exists():
        # Without a plan all has been done.
        shutil.rmtree(committed)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of which file, by the names of files in the keystore; ``files`` are by those in
    the folder of the change."""

    files: Mapping[str, str]
    moves: Mapping[str, str]
    drops: tuple[str, ...]
    audit: tuple[str, ...]


def _plan(folder: Path) -> Plan | None:
    """The plan of a change that is made and not finished. Raises `OSError`, `InputError`."""
    file = folder / COMMITTED / _PLAN
    try:
        text = file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        plain = foreign_json.parse(text)
        return Plan(plain["put"], plain["move"], tuple(plain["drop"]), tuple(plain["audit"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError.at(
            file,
            "keystore-damaged",
            "the plan of a change that was begun cannot be read",
            why="which keys there are depends on it",
            fix="bring the keystore back from where you keep a copy",
        ) from error


@dataclass(frozen=True, slots=True)
class Overlay:
    """The keystore as the last change that was made leaves it, though its files may not be in their
    places: ``fresh`` are names in the keystore and where these files are, ``gone`` names of files
    that count no more."""

    folder: Path
    fresh: Mapping[str, Path]
    gone: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> Overlay:
        """As things are. Raises `OSError`, `InputError`."""
        plan = _plan(folder)
        if plan is None:
            return cls(folder, {}, frozenset())
        fresh = {name: folder / COMMITTED / number for number, name in plan.files.items()}
        gone = {*plan.moves, *plan.drops} - fresh.keys()
        return cls(folder, fresh, frozenset(gone))

    def names(self) -> list[str]:
        """The names of all files. Raises `OSError`."""
        found = set(os.listdir(self.folder))  # noqa: PTH208 - pathlib hides errors
        found.update(name for name in self.fresh if "/" not in name)
        return sorted(found - self.gone)

    def path(self, file: Path) -> Path:
        """Where a file of the keystore can be read now."""
        fresh = self.fresh.get(file.name) if self.fresh else None
        return fresh if fresh is not None and fresh.exists() else file


def token(folder: Path) -> Token:
    """What is another one after each change: whoever read something between two that are equal read
    it as it was at one time."""
    # For each zone, of which there are ten thousand: paths as objects take three times as long.
    return _mark(f"{folder}/{COMMITTED}"), _mark(f"{folder}/{AUDIT}")


def end_of_log(folder: Path) -> int:
    """Where the audit log ends, in octets; 0 where there is none, or nobody may look."""
    try:
        return (folder / AUDIT).stat().st_size
    except OSError:
        return 0


def zones_told(folder: Path, since: int) -> tuple[set[str], int]:
    """The zones in whole lines of the audit log behind ``since`` octets, and where these end. A log
    that has become shorter is one that was begun anew."""
    if end_of_log(folder) == since:
        return set(), since
    try:
        with (folder / AUDIT).open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            since = since if since <= size else 0
            opened.seek(since)
            lines = opened.read().splitlines(keepends=True)
    except OSError:
        return set(), since
    found = set()
    for line in lines:
        if not line.endswith(b"\n"):
            break
        since += len(line)
        with suppress(ValueError, KeyError, TypeError):
            found.add(str(foreign_json.parse(line)["zone"]))
    return found, since


def _mark(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def make_folder(folder: Path) -> None:
    """Make a folder in one that exists, for the owner of that. Raises `OSError`."""
    folder.mkdir(0o700)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _give(handle, folder.parent)
    finally:
        os.close(handle)


def _make_way(folder: Path, name: str) -> None:
    """Make the folders in which a file of the keystore is to lie."""
    for one in reversed(Path(name).parents[:-1]):
        with suppress(FileExistsError):
            make_folder(folder / one)


def _give(handle: int, folder: Path) -> None:
    """Give what root makes to the owner of the folder it is in: the server of a keystore, which is
    not root, is to read it. Raises `OSError`."""
    if os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid:
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        _give(descriptor, file.parent)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _append(file: Path, entries: Iterable[str]) -> None:
    """Put lines at the end of a log, unless they stand there: whoever did it before may have been
    killed right after. Half a line is of one who was killed in the middle."""
    lines = [f"{entry}\n".encode() for entry in entries]
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        _give(descriptor, file.parent)
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - max(map(len, lines), default=0) - _LONGEST))
        before = opened.read().splitlines(keepends=True)
        torn = len(before.pop()) if before and not before[-1].endswith(b"\n") else 0
        opened.truncate(size - torn)
        opened.seek(0, os.SEEK_END)
        # Each line is unlike any other, as no two changes have the same id.
        done = lines.index(before[-1]) + 1 if before and before[-1] in lines else 0
        opened.writelines(lines[done:])
        opened.flush()
        os.fsync(opened.fileno())


def sync(folder: Path) -> None:
    """See to it that the names in a folder are on the disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(file: Path, error: OSError) -> Fault:
    """The fault of a file of the keystore that cannot be written."""
    return Fault(
        Place(str(file)),
        "key-unwritable",
        f"cannot be written: {error.strerror}",
        fix="correct keystore in [dnssec] of lzc.toml, the folder's permissions, or free space;"
        " nothing of the key was kept",
    )
