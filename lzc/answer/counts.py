"""What is counted on the way of an answer, for whoever shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class AnswerCounts:
    """Of one responder: ``malformed`` messages, no well-formed queries; answers that the plan of a
    LUA record chose (``plans``; what somebody keeps is not chosen again); and by apex, results of
    LUA records that are no RDATA of their type (``unreadable``)."""

    malformed: int = 0
    plans: int = 0
    unreadable: Counter[bytes] = field(default_factory=Counter)
