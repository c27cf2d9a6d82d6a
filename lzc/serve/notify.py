"""Tells secondaries about new serials until they have them.

For each secondary and zone: NOTIFY, again and again with growing pauses, until it is answered; then
ask for the SOA until its serial is ours. Most zones of most secondaries are done in a second; the
bounded window keeps ten thousand zones from being ten thousand datagrams at once, and shrinks to
one while a secondary does not answer.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final

from lzc.config import SecondarySection, parse_endpoint
from lzc.foreign_text import shown
from lzc.serve import notify_message as messages
from lzc.serve.mishaps import Mishaps
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

log = logging.getLogger("lzc")

WINDOW: Final = 100
"""Zones of one secondary under way at once, at most."""
SHOWN: Final = 200
"""Zones of a secondary that its status lists, those behind first."""
_READ_BURST: Final = 256
_QUIET: Final = 60.0
_LOUD: Final = 4
"""Attempts after which a failing zone is logged, one in `_QUIET` seconds for each secondary."""


@dataclass(frozen=True, slots=True)
class NotifyTimes:
    """Seconds: how long an answer is waited for, which is also the first pause before another try;
    the pause doubles up to ``longest``; and how long after an acknowledged NOTIFY the secondary is
    asked for its serial."""

    first: float = 1.0
    longest: float = 60.0
    settle: float = 0.5


class Phase(Enum):
    """Where a zone stands. Only in the two of them that hold a place in the window are datagrams
    under way; a zone that failed rests without one, so that it keeps no other waiting."""

    QUEUED = "queued"
    ASKED = "asked"
    SETTLING = "settling"
    RESTING = "resting"
    DONE = "done"


_PLACED: Final = (Phase.ASKED, Phase.SETTLING)


@dataclass(slots=True, eq=False)
class Zone:
    """One zone at one secondary. ``request`` is the last one sent, ``polls`` whether it asks for
    the serial; ``acked`` whether NOTIFY of ``serial`` was answered; ``turn`` tells the timer that
    counts from those that were overtaken."""

    apex: bytes
    serial: int
    secondary: Secondary
    phase: Phase = Phase.QUEUED
    acked: bool = False
    theirs: int | None = None
    problem: str = ""
    attempts: int = 0
    request: messages.Request | None = None
    polls: bool = False
    turn: int = 0

    @property
    def current(self) -> bool:
        """True when the secondary has our serial or a later one."""
        return self.theirs is not None and messages.is_current(self.theirs, self.serial)


class Secondary:
    """A server of ``[[secondary]]`` with its zones."""

    def __init__(self, section: SecondarySection, key: TsigKey | None) -> None:
        self.section = section
        self.name = section.name
        self.endpoint = section.address
        self.address = parse_endpoint(section.address)
        self.key = key
        self._patterns = [pattern.rstrip(".").lower() for pattern in section.zones]
        self.zones: dict[bytes, Zone] = {}
        self.queue: deque[Zone] = deque()
        self.under_way = 0
        self.window = WINDOW
        self.complained = -_QUIET

    def lists(self, apex: bytes) -> bool:
        """True when the secondary is to have a zone."""
        if "*" in self._patterns:
            return True
        zone = wire_name.to_text(apex).rstrip(".").lower()
        return any(fnmatchcase(zone, pattern) for pattern in self._patterns)

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        zones = sorted(self.zones.values(), key=lambda zone: (zone.current, zone.apex))
        return {
            "name": self.name,
            "address": self.endpoint,
            "zones": len(zones),
            "current": sum(zone.current for zone in zones),
            "states": [
                {
                    "zone": wire_name.to_text(zone.apex),
                    "serial": zone.serial,
                    "secondary_serial": zone.theirs,
                    "acknowledged": zone.acked,
                    "current": zone.current,
                    "attempts": zone.attempts,
                    "error": zone.problem,
                }
                for zone in zones[:SHOWN]
            ],
        }


class Notifier:
    """All NOTIFYs of a server. Needs a running event loop."""

    def __init__(
        self,
        sections: Iterable[SecondarySection],
        keys: Mapping[bytes, TsigKey],
        times: NotifyTimes | None = None,
    ) -> None:
        self._times = times or NotifyTimes()
        self._loop = asyncio.get_running_loop()
        self.secondaries = [
            Secondary(section, _key(section, keys)) for section in sections if section.notify
        ]
        self._sockets: dict[int, socket.socket] = {}
        self._by_id: dict[tuple[int, str, int], Zone] = {}
        self._due: list[tuple[float, int, int, Zone]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._mishaps = Mishaps()

    def take_keys(self, keys: Mapping[bytes, TsigKey]) -> None:
        """Sign with these secrets from now on."""
        for secondary in self.secondaries:
            secondary.key = _key(secondary.section, keys)

    def update(self, serials: Mapping[bytes, int]) -> None:
        """Take the zones and serials of a bundle; zones whose serial is new are told."""
        for secondary in self.secondaries:
            for apex in [apex for apex in secondary.zones if apex not in serials]:
                self._retire(secondary.zones.pop(apex))
            for apex, serial in serials.items():
                known = secondary.zones.get(apex)
                if (known is not None and known.serial == serial) or not secondary.lists(apex):
                    continue
                fresh = Zone(apex, serial, secondary)
                if known is not None:
                    self._retire(known)
                    fresh.theirs = known.theirs
                secondary.zones[apex] = fresh
                secondary.queue.append(fresh)
            self._fill(secondary)

    def status(self) -> list[dict[str, Any]]:
        """The state of every secondary."""
        return [secondary.status() for secondary in self.secondaries]

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
        for sock in self._sockets.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _fill(self, secondary: Secondary) -> None:
        while secondary.queue and secondary.under_way < secondary.window:
            zone = secondary.queue.popleft()
            if zone.phase is Phase.QUEUED:
                self._send(zone, polls=False)

    def _enter(self, zone: Zone, phase: Phase, delay: float | None = None) -> None:
        """Move a zone to another phase, which ends by itself after ``delay`` seconds."""
        zone.secondary.under_way += (phase in _PLACED) - (zone.phase in _PLACED)
        zone.phase = phase
        zone.turn += 1
        if delay is None:
            return
        when = self._loop.time() + delay
        heapq.heappush(self._due, (when, next(self._order), zone.turn, zone))
        if self._timer is None or self._timer.when() > when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0][0] <= now + 0.001:
            _, _, turn, zone = heapq.heappop(self._due)
            if turn == zone.turn:
                self._time_is_up(zone)
        if self._due and self._timer is None:
            self._timer = self._loop.call_at(self._due[0][0], self._tick)

    def _time_is_up(self, zone: Zone) -> None:
        if zone.phase is Phase.SETTLING:
            self._send(zone, polls=True)
        elif zone.phase is Phase.ASKED:
            what = "SOA query" if zone.polls else "NOTIFY"
            zone.problem = zone.problem or f"no answer to {what}"
            secondary = zone.secondary
            secondary.window = max(1, secondary.window // 2)
            self._rest(zone)
        else:
            self._enter(zone, Phase.QUEUED)
            zone.secondary.queue.append(zone)
            self._fill(zone.secondary)

    def _send(self, zone: Zone, *, polls: bool) -> None:
        """Send NOTIFY, or a query for the SOA."""
        secondary = zone.secondary
        self._forget(zone)
        if secondary.key is None and secondary.section.tsig is not None:
            # Never unsigned: the secondary would refuse it, or worse, take it.
            zone.problem = f"the secret of TSIG key {secondary.section.tsig} cannot be used"
            self._enter(zone, Phase.RESTING, self._times.longest)
            return
        make = messages.ask_serial if polls else messages.notify
        host, port = secondary.address
        message_id = random.getrandbits(16)
        while (message_id, host, port) in self._by_id:
            message_id = (message_id + 1) & 0xFFFF
        zone.request = make(message_id, zone.apex, secondary.key, time.time())
        zone.polls = polls
        zone.problem = ""
        self._by_id[message_id, host, port] = zone
        try:
            self._socket(host).sendto(zone.request.wire, (host, port))
        except OSError as error:
            zone.problem = f"cannot be sent: {error.strerror}"
        self._enter(zone, Phase.ASKED, self._times.first)

    def _rest(self, zone: Zone) -> None:
        """Something went wrong: try again, after a pause that doubles each time. The request still
        stands, as a late answer is an answer."""
        pause: float = self._times.first * 2.0 ** min(zone.attempts, 16)
        self._enter(zone, Phase.RESTING, min(pause, self._times.longest))
        zone.attempts += 1
        if zone.attempts == _LOUD:
            self._complain(zone)
        self._fill(zone.secondary)

    def _complain(self, zone: Zone) -> None:
        secondary = zone.secondary
        now = self._loop.time()
        if now - secondary.complained < _QUIET:
            return
        secondary.complained = now
        log.warning(
            "secondary %s (%s) does not take %s serial %d: %s (see: lzc ctl status)",
            shown(secondary.name),
            secondary.endpoint,
            wire_name.to_text(zone.apex),
            zone.serial,
            shown(zone.problem),
        )

    def _received(self, sock: socket.socket) -> None:
        try:
            for _ in range(_READ_BURST):
                reply, source = sock.recvfrom(4096)
                zone = self._by_id.get((int.from_bytes(reply[:2], "big"), source[0], source[1]))
                if zone is None or zone.request is None:
                    continue
                if messages.belongs(reply, zone.request):
                    self._take(zone, messages.read(reply, zone.request, zone.apex, time.time()))
        except BlockingIOError:
            pass
        except OSError as error:
            self._mishaps.note("reading answers to NOTIFY", error)

    def _take(self, zone: Zone, reply: messages.Reply) -> None:
        """An answer has come: go on to the next step."""
        self._forget(zone)
        secondary = zone.secondary
        secondary.window = min(WINDOW, secondary.window * 2)
        zone.problem = reply.problem
        if reply.problem:
            self._rest(zone)
        elif not zone.polls:
            zone.acked = True
            self._enter(zone, Phase.SETTLING, self._times.settle)
        else:
            zone.theirs = reply.serial
            if zone.current:
                self._enter(zone, Phase.DONE)
            else:
                zone.problem = "no SOA in its answer" if reply.serial is None else "behind"
                self._rest(zone)
        self._fill(secondary)

    def _forget(self, zone: Zone) -> None:
        if zone.request is not None:
            message_id = int.from_bytes(zone.request.wire[:2], "big")
            self._by_id.pop((message_id, *zone.secondary.address), None)
            zone.request = None

    def _retire(self, zone: Zone) -> None:
        """The zone is gone, or has a newer serial."""
        self._forget(zone)
        self._enter(zone, Phase.DONE)

    def _socket(self, host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self._sockets.get(family)
        if sock is None:
            sock = self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            self._loop.add_reader(sock, self._received, sock)
        return sock


def _key(section: SecondarySection, keys: Mapping[bytes, TsigKey]) -> TsigKey | None:
    if section.tsig is None:
        return None
    return keys.get(wire_name.from_text(section.tsig, wire_name.ROOT).lower())
