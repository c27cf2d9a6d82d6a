"""Requests for a zone (RFC 5936, RFC 1995) over TCP, and who may send it when: places, shared among
TSIG keys and among the addresses of their holders.

A request that was found right gets a place, or waits for one, or is refused at once. A place that
becomes free goes to whoever holds the fewest. Who does not take what was sent gives way to those
who wait, and waits again himself; while nobody waits, a slow link may be as slow as it is.
What is short needs no place: it is no more than some answers, and a change of a zone is not to wait
for another zone's million records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import lt
from typing import Final, NamedTuple, Protocol

from lzc.answer.tls_client import TlsClient
from lzc.wire import rrtype
from lzc.wire.message import question_end

PLACES: Final = 8
WAITING: Final = 256
"""Requests that wait, of all holders."""
WINDOW: Final = 2.0
"""Seconds over which a reader is judged."""
SHORT: Final = 1 << 18
"""Octets up to which a transfer needs no place."""
SLOW: Final = 65536
"""Octets a second; whoever takes less gives way to those who wait."""


class Transfer(Protocol):
    """A zone on its way out. ``key``: name of the TSIG key that asked for it, empty for none."""

    key: bytes

    @property
    def octets(self) -> int:
        """About how long it is, TSIG aside."""

    def at_once(self) -> bytes | None:
        """The only message, without its length, where it is an answer like any other: it waits for
        no place, and `messages` is not asked for. `None` where it is more."""

    def done(self) -> None:
        """All that `at_once` gave is with the kernel; to be closed next."""

    def messages(self) -> Iterator[bytes]:
        """The messages, each with its 16-bit length in front; or nothing, to be called again."""

    def refuse(self, now: float) -> bytes:
        """SERVFAIL in its place; the time is for TSIG."""

    def close(self) -> None:
        """Let go of the bundle, whether or not all was sent."""


OpenTransfer = Callable[[bytes, bytes, float, TlsClient | None], Transfer | bytes | None]
"""(query, packed client, now, who is at the other end of TLS) -> the transfer, or one message that
refuses it, or silence. The last is `None` for a connection in the clear."""


def asks_for_transfer(query: bytes) -> bool:
    """True for an opcode QUERY with one question of type AXFR or IXFR."""
    end = question_end(query)
    if not end or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return False
    return int.from_bytes(query[end - 4 : end - 2], "big") in (rrtype.AXFR, rrtype.IXFR)


class Holder(NamedTuple):
    """Whose place it is: the TSIG key's name (empty: none) and the packed address."""

    key: bytes
    address: bytes


class Sending(Protocol):
    """A transfer, as far as places are concerned. None of these may call back at once."""

    def taken(self) -> int:
        """Octets that the client has taken so far."""

    def stuck(self) -> bool:
        """True while it waits for its client to take what was sent."""

    def go_on(self) -> None:
        """It has a place now."""

    def give_way(self) -> None:
        """It has no place any more, and waits for another."""

    def give_up(self) -> None:
        """It has no place any more, and no room to wait."""


@dataclass(slots=True)
class _Place:
    holder: Holder
    since: float
    looked: float
    taken: int
    slow: bool = False


class _Shares:
    """How many each holder has, and may have at most."""

    __slots__ = ("_most", "_of")

    def __init__(self, limit: int) -> None:
        # A key's holders are several servers as a rule, of which each is to get something; half
        # is the most that one server has from another key's or address's patience.
        most, half = max(1, limit * 3 // 4), max(1, limit // 2)
        self._most = limit, most, most, half
        self._of: Counter[object] = Counter()

    def room(self, holder: Holder) -> bool:
        """Whether this holder may have one more."""
        return all(map(lt, map(self._of.__getitem__, _counted(holder)), self._most))

    def held(self, holder: Holder) -> tuple[int, int]:
        """By its key, and by its address."""
        _, key, address, _ = _counted(holder)
        return self._of[key], self._of[address]

    def change(self, holder: Holder, by: int) -> None:
        """One more or one less."""
        for one in _counted(holder):
            self._of[one] += by
            if not self._of[one]:
                del self._of[one]


def _counted(holder: Holder) -> tuple[object, object, object, object]:
    """What has a limit of its own: all, a key, an address, and one with the other."""
    return "all", ("key", holder.key), ("address", holder.address), holder


class TransferPlaces:
    """The places of a worker. Times are seconds of one clock.

    A key has three quarters of the places at most, an address too, and one address with one key
    half of them; the room to wait is divided alike.
    """

    def __init__(self, places: int = PLACES, waiting: int = WAITING) -> None:
        self._places: dict[Sending, _Place] = {}
        self._shares = _Shares(places)
        self._waiting: dict[Sending, Holder] = {}
        self._room = _Shares(waiting)
        self._short: set[Sending] = set()

    def __len__(self) -> int:
        """Places taken now."""
        return len(self._places)

    @property
    def sending(self) -> bool:
        """True while any transfer is under way, with a place or without."""
        return bool(self._places or self._short)

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._waiting)

    def ask(self, one: Sending, holder: Holder, now: float, octets: int) -> bool:
        """Ask for a place for a transfer of so many octets: `Sending.go_on` is called now or later.
        False where there is no room to wait either."""
        if octets <= SHORT:
            self._short.add(one)
            one.go_on()
            return True
        if self._shares.room(holder):
            self._take(one, holder, now)
            one.go_on()
            return True
        waits = self._wait(one, holder)
        self._displace(now)
        return waits

    def leave(self, one: Sending, now: float) -> None:
        """It is done, or gone: its place is another's. Also for who waits, or has neither."""
        self._short.discard(one)
        place = self._places.pop(one, None)
        if place is not None:
            self._shares.change(place.holder, -1)
            while (following := self._following()) is not None:
                self._begin(following, now)
        elif one in self._waiting:
            self._stop_waiting(one)

    def look(self, now: float) -> None:
        """See who does not take what was sent, and give the places of these to who waits. To be
        called about once a second."""
        for one, place in self._places.items():
            seconds = now - place.looked
            if seconds >= WINDOW:
                taken = one.taken()
                place.slow = one.stuck() and taken - place.taken < SLOW * seconds
                place.looked, place.taken = now, taken
        self._displace(now)

    def _displace(self, now: float) -> None:
        """Slow readers give way: first who holds the most, and of these who has for the longest."""
        if not self._waiting:
            return
        slow = [one for one, place in self._places.items() if place.slow and one.stuck()]
        slow.sort(key=lambda one: self._places[one].since)
        slow.sort(key=lambda one: self._shares.held(self._places[one].holder), reverse=True)
        losers: list[tuple[Sending, Holder]] = []
        for one in slow:
            holder = self._places[one].holder
            self._shares.change(holder, -1)
            follower = self._following()
            if follower is None:
                self._shares.change(holder, 1)
                continue
            del self._places[one]
            self._begin(follower, now)
            losers.append((one, holder))
        for one, holder in losers:
            if self._wait(one, holder):
                one.give_way()
            else:
                one.give_up()

    def _take(self, one: Sending, holder: Holder, now: float) -> None:
        self._places[one] = _Place(holder, now, now, one.taken())
        self._shares.change(holder, 1)

    def _wait(self, one: Sending, holder: Holder) -> bool:
        if not self._room.room(holder):
            return False
        self._room.change(holder, 1)
        self._waiting[one] = holder
        return True

    def _stop_waiting(self, one: Sending) -> Holder:
        holder = self._waiting.pop(one)
        self._room.change(holder, -1)
        return holder

    def _begin(self, one: Sending, now: float) -> None:
        self._take(one, self._stop_waiting(one), now)
        one.go_on()

    def _following(self) -> Sending | None:
        """Who waits and may have a place: whose key has the fewest, then whose address, then who
        has waited for the longest."""
        first: dict[Holder, Sending] = {}
        for one, holder in self._waiting.items():
            first.setdefault(holder, one)
        free = [holder for holder in first if self._shares.room(holder)]
        return first[min(free, key=self._shares.held)] if free else None
