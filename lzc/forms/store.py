"""Where a published zone is kept: one LMDB file, which is written by one process and read by all.

Who reads has the zone as it was when he began, however long he takes. A zone that is made anew gets
another file, which is named by its serial then; there is one at a time. Tables:

=========  =========================================================================================
``names``  ``a`` and the key of a name, or ``b`` and a hash of NSEC3, to its entry (`entry`)
``due``    when the first signature of an entry expires, u32, and its key, to nothing
``deltas`` a number u64 to serial before u32, serial after u32, 32 octets of SHA-256, and a
           difference sequence (`lzc.bundle.delta_file`)
``meta``   ``state``: JSON; ``soa``: the SOA RR, its owner ``C0 0C``; ``signatures``: RRSIG RRs over
           it
=========  =========================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import lmdb

from lzc import foreign_json
from lzc.bundle.current import sync_folder

NAME: Final = b"a"
HASH: Final = b"b"

_FILE: Final = re.compile(r"[0-9]{10}\.lmdb")
_NEW: Final = "new"
MAP: Final = 1 << 36
"""Octets of address space, of which only those are taken that are written."""
_TABLES: Final = ("names", "due", "deltas", "meta")
_DELTA: Final = struct.Struct(">II32s")
KEPT: Final = 200
"""Deltas that are kept of a zone."""
KEPT_OCTETS: Final = 1 << 24
"""And octets of these."""

DAMAGE: Final = (lmdb.Error, OSError, ValueError, KeyError, TypeError, struct.error, IndexError)
"""What reading a store may raise, be it damaged or not to be had now."""
_DAMAGED: Final = (
    *(lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.NotFoundError),
    *(lmdb.IncompatibleError, lmdb.VersionMismatchError, lmdb.BadValsizeError),
    *(ValueError, KeyError, TypeError, struct.error, IndexError),
)


def is_damage(error: BaseException) -> bool:
    """Whether something of `DAMAGE` says that a store is not what was written."""
    return isinstance(error, _DAMAGED)


@dataclass(frozen=True, slots=True)
class State:
    """Of a published zone. ``serial`` is its own; ``source_serial`` and ``source_digest`` are those
    of the zone in the bundle that it was made from; ``keys`` tells the keys that signed it, empty
    for an unsigned one; ``denial`` how it denies; ``found`` is a hash of what its LUA records gave;
    ``rrs`` and ``octets`` are those of a transfer without the SOA."""

    serial: int
    source_serial: int
    source_digest: str
    keys: str = ""
    denial: str = ""
    found: str = ""
    rrs: int = 0
    octets: int = 0


def files(folder: Path) -> list[Path]:
    """The stores in the folder of a form, the last at the end."""
    try:
        names = sorted(filter(_FILE.fullmatch, os.listdir(folder)))  # noqa: PTH208
    except OSError:
        return []
    return [folder / name for name in names]


class FormStore:
    """An open store; close it, or use it in a ``with`` statement. Not for a process that is forked
    while it is open."""

    def __init__(self, path: Path, *, write: bool = False, fresh: bool = False) -> None:
        """Raises what `DAMAGE` lists. ``fresh``: nothing of it need be on disk before `publish`."""
        self.path = path
        if not fresh and not path.stat().st_size:
            raise ValueError(f"{path}: it is empty")
        options: dict[str, Any] = {"sync": not fresh, "metasync": not fresh}
        if not write:
            options = {"readonly": True, "create": False}
        self._env = lmdb.open(
            os.fsencode(path),
            map_size=MAP,
            subdir=False,
            max_dbs=len(_TABLES),
            max_readers=1024,
            readahead=False,
            **options,
        )
        try:
            if not fresh and not self._fits():
                raise ValueError(f"{path}: it is cut short")
            if write:
                # A process that was killed reads no more, and keeps no pages.
                self._env.reader_check()
            self.names, self.due, self.deltas, self.meta = (
                self._env.open_db(table.encode(), create=write) for table in _TABLES
            )
        except (ValueError, lmdb.Error):
            self._env.close()
            raise

    def _fits(self) -> bool:
        """Whether all pages are there that may be pointed to: to read one that is not ends the
        process."""
        pages: int = self._env.info()["last_pgno"] + 1
        return pages * int(self._env.stat()["psize"]) <= self.path.stat().st_size

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """A new store for the folder, which counts once it is `publish`ed."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _NEW
        _remove(path)
        return cls(path, write=True, fresh=True)

    def publish(self, folder: Path, serial: int) -> Path:
        """Close it, and have it count from now on, instead of all others of the folder. ``serial``
        is that of the form, which no other store ever had: so whoever reads another one does not
        take this for it."""
        self._env.sync(True)
        self.close()
        before = files(folder)
        path = folder / f"{serial:010}.lmdb"
        self.path.replace(path)
        with suppress(OSError):
            Path(f"{self.path}-lock").unlink()
        sync_folder(folder)
        for one in before:
            _remove(one)
        return path

    def close(self) -> None:
        """Let go of it."""
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reading(self) -> Any:
        """A transaction: the zone as it is now."""
        return self._env.begin(buffers=False)

    def writing(self) -> Any:
        """A transaction that changes it."""
        return self._env.begin(write=True)

    def state(self, transaction: Any) -> State:
        """What it holds."""
        return State(**foreign_json.parse(transaction.get(b"state", db=self.meta)))

    def put_state(
        self, transaction: Any, state: State, soa: bytes, signatures: list[bytes]
    ) -> None:
        """It holds this from now on."""
        put = transaction.put
        put(b"state", json.dumps(asdict(state)).encode(), db=self.meta)
        put(b"soa", soa, db=self.meta)
        put(b"signatures", b"".join(signatures), db=self.meta)

    def soa(self, transaction: Any) -> tuple[bytes, bytes]:
        """The SOA RR and the joined RRSIG RRs over it."""
        get = transaction.get
        return get(b"soa", db=self.meta), get(b"signatures", db=self.meta)

    def entries(self, transaction: Any) -> Iterator[bytes]:
        """All of them: names first, then hashes."""
        with transaction.cursor(db=self.names) as cursor:
            for _, entry in cursor:
                yield entry

    def add_delta(self, transaction: Any, before: int, after: int, blocks: bytes) -> None:
        """What changed, of which the oldest go where there are many."""
        sha256 = hashlib.sha256(blocks).digest()
        with transaction.cursor(db=self.deltas) as cursor:
            last = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
            value = _DELTA.pack(before, after, sha256) + blocks
            cursor.put((last + 1).to_bytes(8, "big"), value)
            octets = kept = 0
            more = cursor.last()
            while more and kept < KEPT and octets < KEPT_OCTETS:
                octets += len(cursor.value())
                kept += 1
                more = cursor.prev()
            while more:
                cursor.delete()
                more = cursor.prev()

    def way(self, transaction: Any, serial: int, now: int) -> list[bytes] | None:
        """Difference sequences from a serial to the one it has ``now``, in order; `None` where
        they are not known. Raises `ValueError` for damage."""
        found: list[bytes] = []
        at = now
        with transaction.cursor(db=self.deltas) as cursor:
            more = cursor.last()
            while more and at != serial:
                value = cursor.value()
                before, after, sha256 = _DELTA.unpack_from(value)
                blocks = value[_DELTA.size :]
                if after != at:
                    return None
                if hashlib.sha256(blocks).digest() != sha256:
                    raise ValueError(f"{self.path}: the delta to serial {after} is damaged")
                found.append(blocks)
                at = before
                more = cursor.prev()
        return found[::-1] if at == serial else None


def _remove(path: Path) -> None:
    for one in (path, Path(f"{path}-lock")):
        one.unlink(missing_ok=True)
