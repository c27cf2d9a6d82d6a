"""What is known of health, and what operators said, in a file that outlives the server.

Results that are older than some minutes say nothing any more; the word of an operator holds until
it expires. A damaged file is as good as none.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.serve.ipc import kept_file
from lzc.serve.ipc.health_table import DOWN, FORCES, UP, Health

log = logging.getLogger("lzc")

FRESH: Final = 300.0
"""Seconds that results may be old (the file's time of modification) to be used after a start."""
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Force:
    """An operator's word on a target: one of `FORCES` but ``auto``, until then (seconds since the
    epoch; 0: until it is taken back), ``seconds`` long when it was given."""

    state: str
    until: float = 0.0
    seconds: float = 0.0

    def remaining(self, now: float) -> float | None:
        """Seconds it still holds, not above 0 when it is over; `None`: for good. A clock that was
        set back makes it no longer than it was meant to be."""
        return None if not self.until else min(self.until - now, self.seconds)


@dataclass(frozen=True, slots=True)
class Known:
    """A check with its results: ``check`` is kept of those that no bundle lists, with the apex of
    the zone whose code asks for it."""

    health: Health
    problem: str = ""
    failures: int = 0
    check: Check | None = None
    zone: bytes = b""


@dataclass(frozen=True, slots=True)
class SavedHealth:
    """All of it: results by the key of their check, operators' words by their target."""

    known: Mapping[bytes, Known] = field(default_factory=dict)
    forced: Mapping[str, Force] = field(default_factory=dict)


def path_beside(socket: Path) -> Path:
    """The file of the server with this control socket."""
    return socket.with_name(f".{socket.stem}.health")


_WORDS: Final = kept_file.Words("what was known of health", "nothing is known or forced at first")


def load(path: Path, now: float) -> SavedHealth:
    """Read the file; nothing is known where it is missing, damaged, or not ours alone."""
    found = kept_file.read(path, _decode, _WORDS)
    if found is None:
        return SavedHealth()
    state, written = found
    forced = {
        target: force
        for target, force in state.forced.items()
        if (left := force.remaining(now)) is None or left > 0
    }
    return SavedHealth(state.known if abs(now - written) <= FRESH else {}, forced)


def save(path: Path, state: SavedHealth) -> None:
    """Replace the file, for its owner alone. Raises `OSError`."""
    kept_file.write(path, _encode(state))


def _encode(state: SavedHealth) -> dict[str, Any]:
    known = {
        key.hex(): [
            [one.health.since, one.health.latency, one.health.checked],
            [one.health.found, one.health.weight, one.failures],
            one.problem,
            None if one.check is None else one.check.to_json(),
            one.zone.hex(),
        ]
        for key, one in state.known.items()
    }
    forced = {
        target: [force.state, force.until, force.seconds] for target, force in state.forced.items()
    }
    return {"format": _FORMAT, "known": known, "forced": forced}


def _decode(document: Any) -> SavedHealth:
    if document["format"] != _FORMAT:
        raise ValueError("of another version")
    known = {}
    for key, (times, numbers, problem, check, *zone) in document["known"].items():
        since, latency, checked = (float(one) for one in times)
        found, weight, failures = (int(one) for one in numbers)
        identity = bytes.fromhex(key)
        if len(identity) != 16 or found not in (UP, DOWN) or not 0 <= weight < 2**63:
            raise ValueError("no health check")
        health = Health(found, since, latency, checked, weight, found)
        named = None if check is None else Check.from_json(check)
        if named is not None and named.key() != identity:
            raise ValueError("a check under another's key")
        # The first files had no zone, and an operator's word outlives an upgrade.
        apex = bytes.fromhex("".join(zone))
        known[identity] = Known(health, str(problem), failures, named, apex)
    forced = {}
    for target, (state, until, seconds) in document["forced"].items():
        if state not in FORCES[1:]:
            raise ValueError("no state")
        forced[str(target)] = Force(state, float(until), float(seconds))
    return SavedHealth(known, forced)


_SAVE: Final = 10.0
"""Seconds between two looks whether what is known has to be saved."""


@dataclass(slots=True, eq=False)
class Saving:
    """Saves what ``collect`` gives, in a thread, where ``mark`` gives another value than before.
    ``tell`` is called with why that fails, and with an empty text when it does no longer;
    ``problem`` is what it was told last. Without a ``file``, nothing is saved."""

    _file: Path | None
    _collect: Callable[[], SavedHealth]
    _mark: Callable[[], tuple[int, ...]]
    _tell: Callable[[str], None]
    problem: str = ""
    _saved: tuple[int, ...] = ()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # The event loop's own threads may all be waiting for resolvers.
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "health"))

    async def save(self) -> None:
        """Save what changed since the last time."""
        if self._file is None:
            return
        async with self._lock:
            why = ""
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._writer, self._write, self._file)
            except OSError as error:
                why = f"{error.filename or self._file}: {error.strerror or error}"
        if why != self.problem:
            self.problem = why
            if why:
                log.error("what is known of health, and forced, cannot be saved: %s", shown(why))
            else:
                log.info("what is known of health, and forced, is saved again")
            self._tell(why)

    async def keep(self) -> None:
        """Save again and again; never returns."""
        while self._file is not None:
            await asyncio.sleep(_SAVE)
            await self.save()

    def _write(self, file: Path) -> None:
        mark = self._mark()
        if mark != self._saved:
            known = self._collect()
            if known.known or known.forced or file.exists():
                save(file, known)
            self._saved = mark
        elif file.exists():
            # What it holds is still so.
            os.utime(file)
