"""Transfers counted by zone and secondary, and refusals by reason; strangers fill none of this."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from lzc.answer.refusal import Reason
from lzc.serve.observe.transfer_report import BROKEN_OFF, DONE, Event
from lzc.serve.observe.zone_transfers import Measure
from lzc.wire import name as wire_name
from lzc.wire import rrtype

STRANGER: Final = ""
"""The name under which all are counted who are no secondary."""
_MOST: Final = 100_000
_KINDS: Final = {rrtype.AXFR: "AXFR", rrtype.IXFR: "IXFR", rrtype.SOA: "SOA"}
_OF_TSIG: Final = frozenset(
    one.value
    for one in (
        Reason.UNKNOWN_KEY,
        Reason.BAD_SIGNATURE,
        Reason.BAD_TIME,
        Reason.MALFORMED_TSIG,
    )
)


class TransferCounts:
    """``done`` is by zone, name of the secondary, what was sent (the values of
    `lzc.answer.transfer_kinds.Kind`), and how it ended; ``refused`` by
    name, type that was asked for, and reason (the values of `lzc.answer.refusal.Reason`);
    ``tsig`` by name and reason; ``octets`` and ``seconds`` of transfers that were done, by name and
    transport. Of what has no zone of ours, none is named."""

    def __init__(self) -> None:
        self.done: Counter[tuple[str, str, str, str]] = Counter()
        self.refused: Counter[tuple[str, str, str]] = Counter()
        self.tsig: Counter[tuple[str, str]] = Counter()
        self.octets: Counter[tuple[str, str]] = Counter()
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def note_measure(self, names: Iterable[str], measure: Measure, count: int) -> None:
        """So many transfers of the same zone to secondaries of these names took this each."""
        for name in tuple(names) or (STRANGER,):
            self.octets[name, measure.transport] += measure.octets * count
            self.seconds[name, measure.transport] += measure.seconds * count

    def note(self, names: Iterable[str], event: Event, count: int) -> None:
        """Something happened so often with the secondaries of these names; with none, a
        stranger."""
        kind = _KINDS.get(event.asked, "other")
        for name in tuple(names) or (STRANGER,):
            if event.what not in (DONE, BROKEN_OFF):
                self.refused[name, kind, event.what] += count
                if event.what in _OF_TSIG:
                    self.tsig[name, event.what] += count
                continue
            which = (wire_name.to_text(event.apex), name, event.kind or kind, event.what)
            if which in self.done or len(self.done) < _MOST:
                self.done[which] += count
