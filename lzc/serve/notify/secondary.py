"""A secondary, and when to tell it what: a state machine that is given the time.

For each zone: NOTIFY, again and again until it is answered; then the secondary is asked for the
SOA, with growing pauses, until its serial is ours. It gets time to transfer before it is notified
once more. Of a secondary that answers nothing for a while one zone after the other is tried, and
the first answer wakes all of them.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lzc.answer.transfer_access import grant_of
from lzc.config import SecondarySection, parse_endpoint
from lzc.foreign_text import shown
from lzc.serve.notify import message as messages
from lzc.serve.notify.zone_at_secondary import (
    PLACED,
    QUIET,
    KeptZone,
    Phase,
    Words,
    ZoneAtSecondary,
)
from lzc.serve.observe.log_lines import Quiet
from lzc.wire.tsig import TsigKey

WINDOW: Final = 100
"""Zones of one secondary under way at once, at most: ten thousand zones are not ten thousand
datagrams."""
SHOWN: Final = 200
"""Zones of a secondary that its status lists, those behind first."""
_AFRESH: Final = 16
"""The window of one that has come back."""
_ENOUGH: Final = 3
"""Requests without an answer, in a row, that are no bad luck."""
_ODD: Final = 4
"""Requests about one zone without an answer, while others get one, that are worth a word."""
_LOST: Final = "no answer"
_SPREAD: Final = 0.2
"""By how much of itself a pause may be shorter or longer."""


@dataclass(frozen=True, slots=True)
class NotifyTimes:
    """Seconds. ``first``: how long an answer is waited for, and the first pause before another try,
    which doubles up to ``longest``. ``settle``: from an answered NOTIFY to the first look at the
    serial, which doubles too. ``patience``: from there to another NOTIFY. ``silence``: without any
    answer, after which a secondary is lost, and then one request goes out every ``probe``."""

    first: float = 1.0
    longest: float = 60.0
    settle: float = 0.5
    patience: float = 15.0
    silence: float = 4.0
    probe: float = 2.0


class NotifiedSecondary:
    """A server of ``[[secondary]]`` with its zones; ``keys`` are all TSIG keys, by lower-case wire
    name. All times are those of one clock, in seconds.

    ``chance`` gives numbers from 0 to 1, by which pauses are spread.
    Who sends takes `orders`, and again at `next_due`; he tells what came with `answered`, and logs
    what is in ``words``. ``source`` is the address that requests leave from, where it is known.
    """

    def __init__(
        self,
        section: SecondarySection,
        keys: Mapping[bytes, TsigKey],
        times: NotifyTimes | None = None,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self._chance = chance
        self._grant = grant_of(section)
        self.section = section
        self.address = parse_endpoint(section.address)
        self.key = self._key_in(keys)
        self.source = ""
        self.zones: dict[bytes, ZoneAtSecondary] = {}
        self.words = Words(f"{shown(section.name)} ({section.address})", self.zones)
        self.lost_since: float | None = None
        self._times = times or NotifyTimes()
        self._queue: deque[ZoneAtSecondary] = deque()
        self._looks: deque[ZoneAtSecondary] = deque()
        self._under_way = 0
        self._window = WINDOW
        self._narrowed = 0.0
        self._due: list[tuple[float, int, int, ZoneAtSecondary]] = []
        self._order = itertools.count()
        self._unanswered = 0
        self._silent_from: float | None = None
        self._doubted: ZoneAtSecondary | None = None
        self._probe_at = 0.0
        self._quiet = Quiet(QUIET / 10)
        self._said_back = True
        self._kept: dict[bytes, KeptZone] = {}
        self._past = 0.0
        self._silent_before: float | None = None

    def restore(self, zones: dict[bytes, KeptZone], silent: float, past: float) -> None:
        """Before the first `update`: what a server before knew, and since when nothing is known to
        have come; ``past`` is added to our clock for seconds since the epoch. It is told until the
        secondary answers, and nothing else comes of it."""
        self._kept, self._past, self._silent_before = zones, past, silent

    def take_keys(self, keys: Mapping[bytes, TsigKey]) -> None:
        """These are the keys from now on: another one may be what zones rest for."""
        before, self.key = self.key, self._key_in(keys)
        if self.key != before:
            for zone in self.zones.values():
                if zone.phase is Phase.RESTING:
                    self._queue_up(zone)

    def update(
        self,
        serials: Mapping[bytes, int],
        now: float = 0.0,
        soas: Mapping[bytes, tuple[int, bytes]] | None = None,
    ) -> list[ZoneAtSecondary]:
        """Take the zones and serials of a bundle, with TTL and RDATA of their SOA records as far as
        they are known; gives those whose requests no longer count."""
        gone = [self.zones.pop(apex) for apex in list(self.zones) if apex not in serials]
        for apex, serial in serials.items():
            known = self.zones.get(apex)
            if (known is not None and known.serial == serial) or not self._grant.names(apex):
                continue
            fresh = ZoneAtSecondary(apex, serial, since=now, soa=soas.get(apex) if soas else None)
            if known is not None:
                gone.append(known)
                fresh.theirs, fresh.told, fresh.before = known.theirs, known.told, known.before
                if not known.current:
                    fresh.since = known.since
            elif (kept := self._kept.get(apex)) is not None:
                fresh.before = kept.serial
                fresh.told = None if kept.told is None else min(now, kept.told - self._past)
                if kept.behind is not None:
                    fresh.since = min(now, kept.behind - self._past)
            self.zones[apex] = fresh
            self._queue.append(fresh)
        self._kept = {}
        for zone in gone:
            self._enter(zone, Phase.DONE)
        if self._doubted in gone:
            self._doubted = None
        if all(zone.phase is Phase.DONE for zone in self.zones.values()):
            self.lost_since = None
        return gone

    def orders(self, now: float) -> Iterator[ZoneAtSecondary]:
        """The zones to ask about now, each at most once; ``polls`` says what."""
        while self._due and self._due[0][0] <= now:
            _, _, turn, zone = heapq.heappop(self._due)
            if turn == zone.turn:
                self._time_is_up(zone, now)
        self.words.say(now, self._advice())
        while (zone := self._next(now)) is not None:  # type: ignore[assignment]
            zone.asked = now
            zone.unsent = ""
            if self._silent_from is None:
                self._silent_from = now
            self._enter(zone, Phase.ASKED, now + self._times.first)
            yield zone

    def request(self, zone: ZoneAtSecondary, message_id: int, now: float) -> messages.Request:
        """What to send about a zone, at ``now``, seconds since the epoch."""
        key = None if zone.bare and zone.polls else self.key
        what = message_id, zone.apex, key, now
        software = self.section.software
        made = messages.Request(*what, polls=zone.polls, soa=zone.soa, software=software)
        zone.request = made
        return made

    def next_due(self) -> float | None:
        """When `orders` may have more; `None`: not before something comes."""
        while self._due and self._due[0][2] != self._due[0][3].turn:
            heapq.heappop(self._due)
        times = list(self.words.due())
        if self._due:
            times.append(self._due[0][0])
        if self.lost_since is not None and self._queue and not self._under_way:
            times.append(self._probe_at)
        return min(times) if times else None

    def answered(self, zone: ZoneAtSecondary, reply: messages.Reply, now: float) -> None:
        """The answer to the request about a zone has come."""
        self._window = min(WINDOW, self._window * 2)
        refused, zone.refused = zone.refused, None
        bare, zone.bare = zone.bare, False
        if refused is not None and zone.polls:
            if messages.is_about_the_key(reply) and self.key is not None and not bare:
                # Knot DNS answers so to whom its acl does not let in with the key, whatever it has:
                # without one it answers as it does anybody.
                zone.refused, zone.bare = refused, True
                self._enter(zone, Phase.QUEUED)
                self._queue.appendleft(zone)
                self.heard(now)
                return
            reply = messages.refusal_explained(refused, reply)
            # What is not signed is good for an explanation, no more.
            if reply.serial is not None and not bare:
                zone.theirs, zone.told = reply.serial, now
                if zone.current:
                    # It came for it by itself.
                    reply = messages.Reply(serial=reply.serial)
        zone.kind, zone.problem = reply.kind, reply.problem
        if zone.hint and reply.kind in (messages.REFUSES_SOA, messages.NO_ZONE):
            zone.problem = f"{reply.said or reply.problem}, though it was sent: {zone.hint}"
        if reply.kind == messages.REFUSES_NOTIFY and refused is None and not zone.polls:
            # Which of the reasons it is, the answer to a query for the SOA tells.
            zone.refused, zone.polls = reply, True
            self._enter(zone, Phase.QUEUED)
            self._queue.appendleft(zone)
        elif reply.problem:
            self.words.about(reply.kind, now)
            zone.polls = False
            self._rest(zone, now)
        elif not zone.polls:
            zone.acked = now
            zone.polls, zone.looks = True, 0
            self._enter(zone, Phase.SETTLING, now + self._times.settle)
        else:
            self._told(zone, reply.serial, now)
        self.heard(now)

    def heard(self, now: float) -> None:
        """The secondary is there: it answered, or came by itself."""
        if self._doubted is not None:
            self.words.about(_LOST, now)
        self._unanswered = 0
        self._silent_from = self._doubted = self._silent_before = None
        if self.lost_since is None:
            return
        away, self.lost_since = now - self.lost_since, None
        self._window = _AFRESH
        for zone in self.zones.values():
            # Asked, for one that came by itself: what it was sent while it was away is lost.
            if zone.phase in (Phase.RESTING, Phase.ASKED):
                zone.attempts, zone.polls = 0, zone.current
                self._queue_up(zone)
        if not self._said_back:
            self._said_back = True
            self.words.tell(
                logging.INFO, f"answers again after {away:.0f} s: {self.words.behind()}"
            )

    def transferred(
        self, apex: bytes, serial: int, now: float, hint: str = "", alone: bool = True
    ) -> None:
        """It was sent a whole zone: a good moment to ask whether it has it. ``hint`` says why it
        may not want to. Not ``alone``: it or another that has its address and key, so that this
        is no sign of its life, and of use only where it waits for it to take the zone."""
        zone = self.zones.get(apex)
        if alone:
            self.heard(now)
        elif zone is None or zone.acked is None:
            return
        if zone is None or zone.current or not messages.is_current(serial, zone.serial):
            return
        zone.hint = hint
        if zone.phase is not Phase.ASKED and zone.phase is not Phase.DONE:
            zone.polls = True
            self._enter(zone, Phase.RESTING, now + self._times.settle / 2)

    def unusable(self, zone: ZoneAtSecondary, why: str, now: float) -> None:
        """Nothing can be sent, for a reason of ours."""
        zone.kind, zone.problem = "unusable", why
        self.words.about(zone.kind, now)
        self._enter(zone, Phase.RESTING, now + self._times.longest)

    def remind(self) -> None:
        """A worker was lost, and what this one asked it after a NOTIFY may have got no answer: tell
        it again of what it does not have yet, without the time it would have to take it."""
        for zone in self.zones.values():
            if zone.phase is Phase.RESTING and zone.acked is not None and not zone.current:
                zone.acked, zone.polls, zone.attempts = None, False, 0
                self._queue_up(zone)

    def status(self, now: float) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        zones = sorted(
            self.zones.values(), key=lambda zone: (zone.current, not zone.ahead, zone.apex)
        )
        ahead = sum(zone.ahead for zone in zones)
        return {
            "zones": len(zones),
            "current": sum(zone.current for zone in zones) - ahead,
            "ahead": ahead,
            "silent": None if self.lost_since is None else now - self.lost_since,
            "notify_from": self.source,
            "states": [zone.status() for zone in zones[:SHOWN]],
        }

    def _next(self, now: float) -> ZoneAtSecondary | None:
        if self.lost_since is not None:
            if self._under_way or now < self._probe_at:
                return None
            self._probe_at = now + self._times.probe
        while self._looks:
            zone = self._looks.popleft()
            if zone.phase is Phase.SETTLING:
                return zone
        while self._queue and self._under_way < self._window:
            zone = self._queue.popleft()
            if zone.phase is Phase.QUEUED:
                return zone
        return None

    def _enter(self, zone: ZoneAtSecondary, phase: Phase, until: float | None = None) -> None:
        """Move a zone to another phase, which ends by itself at ``until``."""
        self._under_way += (phase in PLACED) - (zone.phase in PLACED)
        zone.phase = phase
        zone.turn += 1
        if until is not None:
            heapq.heappush(self._due, (until, next(self._order), zone.turn, zone))

    def _queue_up(self, zone: ZoneAtSecondary) -> None:
        self._enter(zone, Phase.QUEUED)
        self._queue.append(zone)

    def _time_is_up(self, zone: ZoneAtSecondary, now: float) -> None:
        if zone.phase is Phase.ASKED:
            self._no_answer(zone, now)
        elif zone.phase is Phase.SETTLING and self.lost_since is None:
            self._looks.append(zone)
        else:
            self._queue_up(zone)

    def _no_answer(self, zone: ZoneAtSecondary, now: float) -> None:
        what = "query for the SOA" if zone.polls else "NOTIFY"
        zone.kind, zone.problem = _LOST, zone.unsent or f"no answer to {what}"
        self._unanswered += 1
        if now - self._narrowed >= self._times.first:
            self._narrowed = now
            self._window = max(1, self._window // 2)
        others_answer = self._silent_from is None or self._silent_from > zone.asked
        if others_answer:
            zone.attempts += 1
            if zone.attempts == _ODD:
                self.words.about(_LOST, now)
        elif self._unanswered >= _ENOUGH and self.lost_since is None:
            assert self._silent_from is not None
            if now - self._silent_from >= self._times.silence and not self._in_doubt(zone, now):
                self._lose(now)
        if self.lost_since is not None:
            zone.polls = zone.current
            self._queue_up(zone)
        elif zone.current:
            self._enter(zone, Phase.DONE)
        else:
            # It may be restarting, and have forgotten the NOTIFY that it answered.
            zone.acked = None
            # While nothing answers, tries are few enough: the window shuts.
            self._enter(zone, Phase.RESTING, now + self._pause(self._times.first, zone.attempts))

    def _in_doubt(self, zone: ZoneAtSecondary, now: float) -> bool:
        """Whether it may be that it does not answer about these zones alone: one that it has is
        asked about then."""
        if self._doubted is not None:
            return self._doubted is not zone
        self._doubted = next((one for one in self.zones.values() if one.phase is Phase.DONE), None)
        if self._doubted is None:
            return False
        self._doubted.polls = True
        self._enter(self._doubted, Phase.QUEUED)
        self._queue.appendleft(self._doubted)
        return True

    def _lose(self, now: float) -> None:
        self.lost_since, self._doubted = self._silent_from, None
        if self._silent_before is not None and self.lost_since is not None:
            self.lost_since = min(self.lost_since, self._silent_before)
        self._probe_at = now + self._times.probe - self._times.first
        if not self._quiet.keeps(_LOST, now):
            again = self._quiet.begin(_LOST, now)
            self._said_back = False
            self.words.tell(logging.WARNING, f"does not answer: {self.words.behind()}{again}")

    def look(self, now: float) -> None:
        """Tell how often it ceased to answer without a word of it, once that time is over."""
        for _, more in self._quiet.over(now):
            behind = self.words.behind()
            self.words.tell(
                logging.WARNING, f"ceased to answer {more} more times: {behind}", more=more
            )

    def _told(self, zone: ZoneAtSecondary, serial: int | None, now: float) -> None:
        """The secondary told its serial."""
        zone.theirs, zone.told, zone.before = serial, now, None
        if zone.current:
            zone.attempts = 0
            if zone.ahead:
                zone.kind = "ahead"
                zone.problem = f"ahead, as it has {serial}; it takes nothing up to that"
                self.words.about(zone.kind, now)
            self._enter(zone, Phase.DONE)
            return
        zone.kind = "no serial" if serial is None else "behind"
        zone.problem = "no SOA in its answer" if serial is None else "behind"
        zone.looks += 1
        if zone.acked is None:
            # It restarted, or what it seemed to transfer went to another at its address.
            zone.polls = False
            self._queue_up(zone)
        elif now - zone.acked < self._times.patience:
            pause = self._pause(self._times.settle, zone.looks)
            self._enter(zone, Phase.RESTING, now + pause)
        else:
            zone.polls = False
            self.words.about(zone.kind, now)
            self._rest(zone, now)

    def _rest(self, zone: ZoneAtSecondary, now: float) -> None:
        """Something went wrong: try again, after a pause that doubles each time."""
        self._enter(zone, Phase.RESTING, now + self._pause(self._times.first, zone.attempts))
        zone.attempts += 1

    def _pause(self, first: float, attempts: int) -> float:
        # Spread, so that many zones and secondaries do not come in step again and again.
        spread = 1.0 + _SPREAD * (2.0 * self._chance() - 1.0)
        return float(min(first * 2.0 ** min(attempts, 16), self._times.longest)) * spread

    def _key_in(self, keys: Mapping[bytes, TsigKey]) -> TsigKey | None:
        return None if self._grant.key is None else keys.get(self._grant.key)

    def _advice(self) -> str:
        left = f"it left from {self.source}" if self.source else "the kernel chose where it leaves"
        return (
            f"{left}; where the secondary has another address of this server as the primary's, put"
            " that into notify-source in [serve]"
        )
