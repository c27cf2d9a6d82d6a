"""What is known of secondaries, in a file that outlives the server: what each told of each zone,
its last transfers, and since when it is silent. The next start asks all of them anyway; until they
have answered, and where one does not, this is what `lzc ctl secondaries` can tell, and when its
zones expire.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.serve.ipc import kept_file
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.notify.zone_at_secondary import KeptZone
from lzc.serve.observe.zone_transfers import Measure, ZoneTransfers

log = logging.getLogger("lzc")

MOST: Final = 100_000
"""Zones at secondaries that are kept, shared among the secondaries; of more, those that were heard
of last."""
_FORMAT: Final = 1
_SAVE: Final = 60.0
"""Seconds between two looks whether there is something to save."""
_WORDS: Final = kept_file.Words(
    "what was known of secondaries", "nothing is known of secondaries until they have answered"
)


@dataclass(frozen=True, slots=True)
class KeptSecondary:
    """Times are seconds since the epoch. ``silent``: since when nothing is known to have come from
    it; ``last`` and ``refusal`` as in `lzc.serve.observe.transfer_watch.Peer`."""

    silent: float
    last: dict[str, Any] | None
    refusal: dict[str, Any] | None
    zones: dict[bytes, KeptZone]
    transfers: dict[bytes, ZoneTransfers]


Kept = dict[tuple[str, str], KeptSecondary]
"""By name and address."""


def path_beside(socket: Path) -> Path:
    """The file of the server with this control socket."""
    return socket.with_name(f".{socket.stem}.secondaries")


def load(path: Path) -> Kept:
    """Read the file; nothing where it is missing, damaged, or not ours alone."""
    found = kept_file.read(path, _decode, _WORDS)
    return found[0] if found is not None else {}


def restore(secondaries: Secondaries, kept: Kept, now: float, loop_now: float) -> None:
    """Have secondaries begin with what was kept of those that are still there, by name and address.
    ``now`` is in seconds since the epoch, ``loop_now`` the time of the event loop."""
    for section in secondaries.sections:
        one = kept.get((section.name, section.address))
        if one is not None:
            secondaries.transfers.restore(section, one.last, one.refusal, one.transfers)
    for notified in secondaries.notified:
        one = kept.get((notified.section.name, notified.section.address))
        if one is not None:
            # A clock that was set back makes nothing later than now.
            silent = loop_now - max(0.0, now - one.silent)
            notified.restore(one.zones, silent, now - loop_now)


def collect(secondaries: Secondaries, now: float, loop_now: float) -> Iterator[list[Any]]:
    """The secondaries for the file, one at a time."""
    most = MOST // max(1, len(secondaries.sections))
    notified = {(one.section.name, one.section.address): one for one in secondaries.notified}
    past = now - loop_now
    for section in secondaries.sections:
        one = notified.get((section.name, section.address))
        last, refusal, table = secondaries.transfers.kept_of(section)
        zones: dict[bytes, list[Any]] = {}
        silent = now
        if one is not None:
            silent = now if one.lost_since is None else one.lost_since + past
            for apex, there in one.zones.items():
                told = None if there.told is None else there.told + past
                behind = None if there.current else there.since + past
                zones[apex] = [there.known, told, behind, None]
        for apex, each in table.zones.items():
            if each.at or each.error:
                zones.setdefault(apex, [None, None, None, None])[3] = _transfers(each)
        known = [one for one in zones.items() if one[1][1] is not None or one[1][3] is not None]
        known.sort(key=_heard, reverse=True)
        yield [
            *(section.name, section.address, silent, last, refusal),
            {apex.hex(): found for apex, found in known[:most]},
        ]


def _heard(one: tuple[bytes, list[Any]]) -> float:
    _, (_, told, _, transfers) = one
    return float(max(told or 0.0, *((transfers[3], transfers[7]) if transfers else (0.0,))))


def _transfers(one: ZoneTransfers) -> list[Any]:
    measure = None if one.measure is None else list(one.measure)
    return [
        *(one.serial, one.kind, measure, one.at, one.times, one.since),
        *(one.error, one.error_at, one.hint),
    ]


def _decode(document: Any) -> Kept:
    if document["format"] != _FORMAT:
        raise ValueError("of another version")
    kept: Kept = {}
    left = MOST
    for name, address, silent, last, refusal, zones in document["secondaries"]:
        there, transfers = {}, {}
        for key, (serial, told, behind, taken) in zones.items():
            left -= 1
            if left < 0:
                raise ValueError("too many zones")
            apex = bytes.fromhex(key)
            there[apex] = KeptZone(_serial(serial), _time(told), _time(behind))
            if taken is not None:
                transfers[apex] = _taken(*taken)
        kept[str(name), str(address)] = KeptSecondary(
            float(silent),
            last and {**_about(last), "serial": int(last["serial"]), "kind": str(last["kind"])},
            refusal
            and {**_about(refusal), "reason": str(refusal["reason"]), "why": str(refusal["why"])},
            there,
            transfers,
        )
    return kept


def _about(one: dict[str, Any]) -> dict[str, Any]:
    return {"zone": str(one["zone"]), "at": float(one["at"])}


def _serial(serial: Any) -> int | None:
    if serial is not None and not 0 <= int(serial) < 2**32:
        raise ValueError("no serial")
    return None if serial is None else int(serial)


def _time(at: Any) -> float | None:
    return None if at is None else float(at)


def _taken(
    serial: Any,
    kind: Any,
    measure: Any,
    at: Any,
    times: Any,
    since: Any,
    error: Any,
    error_at: Any,
    hint: Any,
) -> ZoneTransfers:
    took = None
    if measure is not None:
        transport, seconds, octets, records = measure
        took = Measure(str(transport), float(seconds), int(octets), int(records))
    return ZoneTransfers(
        *(_serial(serial) or 0, str(kind), took, float(at), int(times), float(since)),
        *(str(error), float(error_at), str(hint)),
    )


@dataclass(slots=True, eq=False)
class KeptState:
    """Keeps what is known of secondaries in a file; where it cannot be written, it is tried again
    and again, and they are told (`Secondaries.unsaved`)."""

    file: Path
    secondaries: Secondaries
    _saved: tuple[int, int] | None = None
    _writing: threading.Lock = field(default_factory=threading.Lock)

    async def begin(self) -> None:
        """Take what was kept."""
        kept = await asyncio.to_thread(load, self.file)
        restore(self.secondaries, kept, time.time(), asyncio.get_running_loop().time())

    async def keep(self) -> None:
        """Save again and again what changed; never returns."""
        while True:
            await asyncio.sleep(_SAVE)
            mark = self.secondaries.mark()
            if mark == self._saved:
                continue
            loop, found = asyncio.get_running_loop(), []
            for one in collect(self.secondaries, time.time(), loop.time()):
                found.append(one)
                await asyncio.sleep(0)
            await asyncio.to_thread(self._write, found)
            if not self.secondaries.unsaved:
                self._saved = mark

    def end(self) -> None:
        """Save what is known at last."""
        loop_now = asyncio.get_running_loop().time()
        self._write(list(collect(self.secondaries, time.time(), loop_now)))

    def _write(self, found: list[list[Any]]) -> None:
        if not found and not self.file.exists():
            return
        why = ""
        try:
            # The thread of `keep` may be at it yet when the server ends.
            with self._writing:
                kept_file.write(self.file, {"format": _FORMAT, "secondaries": found})
        except OSError as error:
            why = f"{error.filename or self.file}: {error.strerror or error}"
        if why != self.secondaries.unsaved:
            self.secondaries.unsaved = why
            if why:
                log.error("what is known of secondaries cannot be saved: %s", shown(why))
            else:
                log.info("what is known of secondaries is saved again")
