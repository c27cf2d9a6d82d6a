"""Geo databases on disk: the supervisor watches them, workers read copies that nobody changes.

A worker maps a database into memory. One that is written over in place would change under its
hands, and where it is cut short kill it; so what workers read are private copies, made and tried
once by the supervisor when a file is new. A damaged file changes nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import random
import shutil
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle.verification import Stamp, marks
from lzc.contained import Ended, run_contained
from lzc.faults import Fault, InputError, Place
from lzc.foreign_text import shown
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import Quiet

if TYPE_CHECKING:
    from maxminddb import Reader

    from lzc.lua.engine.geo import Geo

SECONDS: Final = 10
"""Seconds of CPU time for all addresses that are tried; those of a good database take 0.01."""
_TRIED: Final = 512


def try_database(path: Path) -> None:
    """Look some addresses up, the same in each run. What is cut short, no database, or says more
    of an address than can be read raises `OSError`, `ValueError` or `RuntimeError`."""
    # Here, as the child must not wait for what another thread imports.
    import maxminddb  # noqa: F401

    size = path.stat().st_size
    try:
        run_contained(lambda _begin: _look_up(path), seconds=SECONDS, memory=size)
    except (Ended, MemoryError) as error:
        why = "its process ran out of memory" if isinstance(error, MemoryError) else error
        raise ValueError(f"addresses cannot be looked up in it: {why}") from error


def _look_up(path: Path) -> None:
    import maxminddb

    with maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT) as reader:
        rng = random.Random(1)
        six = reader.metadata().ip_version == 6
        for _ in range(_TRIED):
            reader.get(IPv4Address(rng.getrandbits(32)))
            if six:
                reader.get(IPv6Address(0x2 << 124 | rng.getrandbits(124)))


log = logging.getLogger("lzc")

POLL: Final = 1.0
"""Seconds between two looks at the files. A new one has to look the same twice: it may still be
being written."""


class GeoFiles:
    """The databases at ``paths``; copies go into ``folder``."""

    def __init__(self, paths: Sequence[Path], folder: Path) -> None:
        self._paths = tuple(paths)
        self._folder = folder
        self._copies: dict[Path, Path] = {}
        self._taken: dict[Path, Stamp | None] = {}
        self._seen: dict[Path, Stamp | None] = {}
        self._read_at: dict[Path, float] = {}
        self._problems: dict[Path, str] = {}
        self._superseded: list[Path] = []
        self._numbers = itertools.count()

    def open(self) -> None:
        """Copy and try all. Raises `InputError` with every file that cannot be used."""
        faults = []
        for path in self._paths:
            try:
                self._take(path, _stamp(path))
            except (OSError, ValueError, RuntimeError) as error:
                faults.append(unusable(path, error, "correct geoip in [serve] of lzc.toml"))
        if faults:
            raise InputError(faults)

    def others(self, paths: Sequence[Path]) -> GeoFiles:
        """Those at other paths, in their order: what is known of a path already is taken over, as
        it may be gone by now. Raises `InputError` with every new file that cannot be used."""
        made = GeoFiles(paths, self._folder)
        made._numbers = self._numbers
        faults = []
        for path in made._paths:
            if path in self._copies:
                made._copies[path] = self._copies[path]
                made._taken[path], made._seen[path] = self._taken[path], self._seen[path]
                made._read_at[path] = self._read_at[path]
                if path in self._problems:
                    made._problems[path] = self._problems[path]
                continue
            try:
                made._take(path, _stamp(path))
            except (OSError, ValueError, RuntimeError) as error:
                faults.append(unusable(path, error, "correct geoip in [serve] of lzc.toml"))
        if faults:
            made.give_up(self)
            raise InputError(faults)
        return made

    def give_up(self, kept: GeoFiles) -> None:
        """Remove the copies that ``kept`` does not have."""
        for copy in {*self._copies.values(), *self._superseded} - {*kept._copies.values()}:
            copy.unlink(missing_ok=True)

    def current(self) -> tuple[Path, ...]:
        """The copies to read, in the order of the paths."""
        return tuple(self._copies[path] for path in self._paths)

    def refresh(self, *, at_once: bool = False) -> bool:
        """Take what is new on disk: with ``at_once`` as it stands, otherwise when it has not
        changed since the call before. True when `current` changed."""
        changed = False
        for path in self._paths:
            stamp = _stamp(path)
            settled = at_once or stamp == self._seen.get(path)
            self._seen[path] = stamp
            if stamp == self._taken[path] or not settled:
                continue
            try:
                self._take(path, stamp)
                changed = True
                log.info("geo database %s: read anew", shown(path), extra=about(file=path))
            except (OSError, ValueError, RuntimeError) as error:
                # A disk that is full may have room in a moment, though the file stays as it is.
                if not isinstance(error, OSError):
                    self._taken[path] = stamp
                known, self._problems[path] = self._problems.get(path), _why(error)
                if self._problems[path] != known or self._taken[path] == stamp:
                    kept = "geo database %s: the one from before is kept: %s"
                    why = self._problems[path]
                    log.error(kept, shown(path), shown(why), extra=about(file=path, reason=why))
        return changed

    def report(self) -> list[dict[str, Any]]:
        """Of each file, for ``lzc ctl``: its ``path``, when what is in use was ``read`` (seconds
        since the epoch), and why what is there now is not (``error``, empty where it is)."""
        return [
            {
                "path": str(path),
                "read": self._read_at[path],
                "error": self._problems.get(path, ""),
            }
            for path in self._paths
        ]

    def forget_superseded(self) -> None:
        """Remove copies that no worker opens any more; who has one mapped keeps it."""
        for path in self._superseded:
            with contextlib.suppress(OSError):
                path.unlink()
        self._superseded.clear()

    def _take(self, path: Path, stamp: Stamp | None) -> None:
        copy = self._folder / f"geo-{next(self._numbers)}.mmdb"
        try:
            shutil.copyfile(path, copy)
            if _stamp(path) != stamp:
                raise ValueError("it is being written")
            try_database(copy)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        self._taken[path] = self._seen[path] = stamp
        self._read_at[path] = time.time()
        self._problems.pop(path, None)
        if path in self._copies:
            self._superseded.append(self._copies[path])
        self._copies[path] = copy


def _stamp(path: Path) -> Stamp | None:
    """What changes when the file does that a path leads to; `None` where there is none."""
    real = Path(os.path.realpath(path))
    try:
        return marks(real.parent, [real.name])
    except OSError:
        return None


def unusable(path: Path, error: Exception, fix: str) -> Fault:
    """What is wrong with the database at ``path``, which `try_database` or a copy failed with."""
    return Fault(
        Place(str(path)),
        "geo-database",
        f"the geo database cannot be read: {_why(error)}",
        fix=fix,
    )


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # maxminddb names the file that it read, and that is a copy.
    return "it is damaged, or not in MMDB format" if isinstance(error, RuntimeError) else str(error)


class SteadyReader:
    """A reader for `lzc.lua.engine.geo.Geo` to which an address in a damaged part is one not
    known."""

    def __init__(self, path: Path) -> None:
        import maxminddb

        self._reader: Reader = maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT)
        self._damage = maxminddb.InvalidDatabaseError
        self._quiet = Quiet()

    def get(self, ip_address: IPv4Address | IPv6Address, /) -> Any:
        """As `maxminddb.Reader.get`."""
        try:
            return self._reader.get(ip_address)
        except self._damage as error:
            now = time.monotonic()
            if not self._quiet.keeps(None, now):
                again = self._quiet.begin(None, now)
                log.error(
                    "geo database damaged at %s: %s%s",
                    *(shown(ip_address), shown(error), again),
                    extra=about(client=ip_address, reason=str(error)),
                )
            return None


def open_geo(paths: Sequence[Path]) -> Geo | None:
    """What records see of the databases, with a bounded memory of its own; `None` without any.
    Raises `InputError`."""
    if not paths:
        return None
    from lzc.lua.engine.geo import Geo

    try:
        return Geo([SteadyReader(path) for path in paths])
    except (OSError, ValueError, RuntimeError) as error:
        why = f"a copy cannot be read: {error}"
        raise InputError.at(paths[0], "geo-database", why) from error
