"""What a worker tells the supervisor about transfers: gathered between two heartbeats."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lzc.answer.refusal import Refusal
from lzc.answer.transfer_kinds import Kind, Sent
from lzc.serve.observe.transfer_log import TransferLog
from lzc.serve.observe.zone_transfers import Measure

MOST: Final = 100
"""Different events told at once; others are left out."""
MOST_DONE: Final = 10_000
"""The same of transfers that were done, and of queries for SOA records."""
DONE: Final = "done"
BROKEN_OFF: Final = "broken-off"
ASKED: Final = "asked"


class Event(NamedTuple):
    """A transfer, or that there was none: ``what`` is `DONE`, `BROKEN_OFF`, `ASKED` of a query for
    the SOA with TSIG, or the value of a `lzc.answer.refusal.Reason`. ``serial`` and ``lua`` are of
    the zone that was sent, ``kind`` is a `lzc.answer.transfer_kinds.Kind`, empty where nothing was;
    the rest as in `Refusal`. Everything but the names and the address is ours."""

    what: str
    client: bytes
    asked: int
    apex: bytes
    key: bytes
    ahead: int = 0
    detail: str = ""
    serial: int = 0
    lua: bool = False
    kind: str = ""


class TransferReport:
    """Events since they were taken last, each with how often it happened; ``begun`` are lines about
    transfers, which wait for somebody to write them."""

    def __init__(self) -> None:
        self.begun = TransferLog()
        self._events: dict[Event, int] = {}
        self._asked: dict[Event, int] = {}
        self._measures: dict[Event, Measure] = {}

    def refused(self, refusal: Refusal) -> None:
        """A secondary, or who takes himself for one, was turned away."""
        self.note(Event(refusal.reason.value, *refusal[1:]))

    def sent(self, sent: Sent) -> None:
        """A secondary got an answer of one message."""
        which = sent.client, sent.asked, sent.apex, sent.key
        if sent.kind is Kind.SOA:
            # Apart, so that these leave the others their room.
            event = Event(ASKED, *which)
            if event in self._asked or len(self._asked) < MOST_DONE:
                self._asked[event] = self._asked.get(event, 0) + 1
            return
        self.note(Event(DONE, *which, serial=sent.serial, lua=sent.lua, kind=sent.kind.value))

    def note(self, event: Event, measure: Measure | None = None) -> None:
        """Something happened; of a transfer that was done, what it took."""
        # Who was sent a zone is no stranger who could fill this.
        most = MOST_DONE if event.what == DONE else MOST
        if event in self._events or len(self._events) < most:
            self._events[event] = self._events.get(event, 0) + 1
            if measure is not None:
                self._measures[event] = measure

    def take(self) -> dict[str, Any] | None:
        """The message to the supervisor; `None` when there is nothing to tell."""
        if not self._events and not self._asked:
            return None
        events = [
            [
                *(value.hex() if isinstance(value, bytes) else value for value in one),
                self._measures.get(one),
                count,
            ]
            for each in (self._events, self._asked)
            for one, count in each.items()
        ]
        self._events, self._asked, self._measures = {}, {}, {}
        return {"event": "transfers", "events": events}


def events_of(message: dict[str, Any]) -> list[tuple[Event, Measure | None, int]]:
    """What a message says: events, what the last of each took, and how often each happened."""
    octets = bytes.fromhex
    return [
        (
            Event(what, octets(client), asked, octets(apex), octets(key), *rest),
            None if measure is None else Measure(*measure),
            count,
        )
        for what, client, asked, apex, key, *rest, measure, count in message["events"]
    ]
