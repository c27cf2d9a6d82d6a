"""Watches LUA records at work, so that one that never ends can be named and kept from running.

LuaJIT can spend seconds in a C function (a pathological pattern) where no instruction limit
applies. The worker is stuck then; the supervisor reads from the scoreboard which code it was in,
replaces the process, and tells the successor not to run that code again. Whoever wrote it may have
written more of the kind: of that zone, only code that once ran to its end is run from then on.

Code that merely took all the time or memory it may have rests after it, and so does code that takes
long again and again (`lzc.serve.worker.penalties`): whoever asks for it does not keep other names
from being answered.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, Protocol, TypeVar

from lzc.answer.lua_answer import LuaEvaluator
from lzc.lua.engine.execution import Counted, Include, LuaFailure, QueryContext
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.ipc.zone_table import ZoneCount, ZoneCounts
from lzc.serve.worker.instruction_counts import InstructionCounts
from lzc.serve.worker.penalties import AHEAD, SLOW, Penalties
from lzc.serve.worker.quarantine import Marks

_CODES: Final = 65536
_COUNTED_FINELY: Final = 2000
"""Of an execution whose instructions are counted, so many are one by one, at most."""
_COUNTING: Final = 3e-6
"""Seconds that it takes to count one of them, on a slow machine."""

T = TypeVar("T")

LIMITS: Final = ("instructions", "memory", "time", "quarantine", "held")
"""Kinds of `LuaFailure` that are no fault in what code says."""
KINDS: Final = (*LIMITS, "syntax", "runtime", "result")
"""All kinds, each counted as ``lua_…`` in `lzc.serve.ipc.scoreboard.COUNTERS`."""


class MeasuredEvaluator(LuaEvaluator, Protocol):
    """An evaluator that tells which of its time no execution is to blame for, and, of some
    executions, how many instructions they took."""

    @property
    def swept(self) -> float:
        """Seconds spent so far on garbage that other executions left."""

    def sample(self, each: int, counted: Counted) -> None:
        """As `lzc.lua.engine.engine.Engine.sample`."""


def code_id(zone: bytes, code: bytes) -> int:
    """A number from 1 to 2**64 - 1 that stands for a record's joined code in a zone (its apex).
    The same code in another zone may include something else, and is not to be blamed for that."""
    return int.from_bytes(hashlib.blake2b(zone + code, digest_size=8).digest(), "big") or 1


class GuardedEngine:
    """An engine that notes on the scoreboard what it runs, and refuses code of ``quarantine``, and
    in the zones ``held`` what is not ``proven`` to end, as what ran to its end is from then on.
    Without ``shares``, code that takes long may take all of a worker's time."""

    def __init__(
        self,
        engine: MeasuredEvaluator,
        slot: Slot,
        quarantine: Collection[int],
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
        *,
        shares: bool = True,
        held: Collection[bytes] = (),
        proven: Marks | set[int] | None = None,
    ) -> None:
        self._held = set(held)
        self._proven = set() if proven is None else proven
        self._clock = clock
        self._cpu = cpu
        self._beat = slot.beat
        self._engine = engine
        self._evaluate = engine.evaluate
        self._enter = slot.enter_lua
        self._leave = slot.leave_lua
        self._quarantine = set(quarantine)
        self.penalties = Penalties(SLOW if shares else math.inf)
        self._together = AHEAD if shares else math.inf
        self._query: QueryContext | None = None
        self._first = b""
        self._since = 0.0
        self._fast: dict[tuple[bytes, bytes], tuple[int, ZoneCount]] = {}
        # Zone, code, seconds, and whether these are its own CPU time, of what has run last.
        self._last = b"", b"", 0.0, True
        self.kinds: Counter[str] = Counter()
        # Fast code is charged what the clock says, as to ask for CPU time takes longer.
        self.zones = ZoneCounts()
        self.instructions = InstructionCounts()
        # Seconds that went into counting instructions, which are no record's.
        self._for_counting = 0.0
        self.runs = 0
        self.failures = 0
        self.sample()

    def quarantine(self, ident: int) -> None:
        """Do not run this code any more."""
        self._quarantine.add(ident)
        self._fast = {key: known for key, known in self._fast.items() if known[0] != ident}

    def go_on_from(self, before: GuardedEngine) -> None:
        """Count on, where the engine of the bundle before ended."""
        self.runs, self.failures, self.kinds = before.runs, before.failures, before.kinds
        self.zones, self.instructions = before.zones, before.instructions
        self.zones.begin()

    def sample(self) -> None:
        """Have instructions of some of the next executions counted. To be called with each
        heartbeat."""
        self._engine.sample(self.instructions.one_in(self.runs), self._counted)

    def _counted(self, zone: bytes, instructions: int, executions: int) -> None:
        self._for_counting += min(instructions, _COUNTED_FINELY) * _COUNTING
        self.instructions.add(instructions, executions)
        self.zones[zone].took(instructions, executions)

    def hold(self, zone: bytes) -> None:
        """Run no code of this zone any more that never ran to its end."""
        self._held.add(zone)

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `lzc.lua.engine.engine.Engine.evaluate`; `LuaFailure` for code in quarantine or at
        rest. Several records at a name are asked about the same ``query``, one after the other."""
        if query is not self._query:
            self._query, self._first, self._since = query, code, -1.0
        else:
            self._one_more(query[1])
        key = query[1], code
        known = self._fast.get(key)
        if known is None:
            return self._evaluate_watched(code, query, include)
        self.runs += 1
        ident, counted = known
        counted.executions += 1
        self._enter(ident, query[0], query[1])
        began = self._clock()
        try:
            return self._evaluate(code, query, include)
        except LuaFailure as failure:
            if failure.kind in ("time", "memory"):
                self.penalties.offended(ident, query[1], self._clock())
                del self._fast[key]
            self._failed(failure, query[1])
            raise
        finally:
            self._leave()
            now = self._clock()
            counted.seconds += now - began
            self._last = *key, now - began, False
            if now - began > SLOW:
                self._beat(now)
            if now - began > self.penalties.slow:
                # It, or the machine was busy: its own time is taken from now on.
                self.penalties.watch(ident, now)
                self._fast.pop(key, None)

    def _evaluate_watched(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `evaluate`, for code that was slow before or has not run yet."""
        ident = code_id(query[1], code)
        if ident in self._quarantine:
            why = "quarantined: it stopped a worker"
            raise self._failed(LuaFailure("quarantine", why), query[1])
        if query[1] in self._held and ident not in self._proven:
            why = "other code of its zone stopped a worker, and this never ran to its end"
            raise self._failed(LuaFailure("held", f"held back: {why}"), query[1])
        if self.penalties.resting(ident, query[1], self._clock()):
            why = "resting: it took too much time or memory"
            raise self._failed(LuaFailure("quarantine", why), query[1])
        self.runs += 1
        counted = self.zones[query[1]]
        counted.executions += 1
        self._enter(ident, query[0], query[1])
        began, swept = self._cpu(), self._engine.swept + self._for_counting
        offended = ended = False
        try:
            found = self._evaluate(code, query, include)
            ended = True
        except LuaFailure as failure:
            offended = failure.kind in ("time", "memory")
            ended = failure.kind not in LIMITS
            self._failed(failure, query[1])
            raise
        else:
            return found
        finally:
            self._leave()
            if ended:
                self._proven.add(ident)
            swept = self._engine.swept + self._for_counting - swept
            took, now = self._cpu() - began - swept, self._clock()
            counted.seconds += max(took, 0.0)
            self._last = query[1], code, took, True
            fast = self.penalties.took(ident, query[1], took, now)
            if offended:
                self.penalties.offended(ident, query[1], now)
            elif fast:
                if len(self._fast) >= _CODES:
                    self._fast.clear()
                self._fast[query[1], code] = ident, counted
            self._beat(now)

    def _one_more(self, zone: bytes) -> None:
        """Each of the records at a name may be fast, and all of them slow: the first is blamed, as
        without it none is run."""
        now = self._cpu()
        if self._since < 0:
            self._since = now
        elif now - self._since > self._together:
            self.penalties.offended(code_id(zone, self._first), zone, self._clock())
            self._fast.pop((zone, self._first), None)
            why = "the records at this name take too much time"
            raise self._failed(LuaFailure("time", why), zone)

    def forgive(self) -> None:
        """Forget how long code took: what comes next is answered as by a worker that has begun."""
        self.penalties = Penalties(self.penalties.slow)
        self._fast.clear()
        self._last = b"", b"", 0.0, True

    def meter(self, code: bytes, zone: bytes, work: Callable[[], T]) -> T:
        """What ``work`` gives, in time that the code of a zone is charged for, together with what
        it took to run it just before."""
        runs, last = self.runs, self._last
        began = self._cpu()
        try:
            return work()
        finally:
            took, now = self._cpu() - began, self._clock()
            if self.runs == runs:
                self.zones[zone].seconds += took
            # Where it is run by the work itself, that is all of its time.
            known = self.runs == runs and last[:2] == (zone, code)
            before, own = last[2:] if known else (0.0, True)
            slow = self.penalties.slow
            if took + before > slow:
                ident = code_id(zone, code)
                if not own and took <= slow:
                    # Or the machine was busy: the next time is its own.
                    self.penalties.watch(ident, now)
                else:
                    # What is slow alone was charged already.
                    more = before if own and before <= slow else 0.0
                    self.penalties.charge(ident, zone, took + more, now)
                self._fast.pop((zone, code), None)
                self._beat(now)
            self._last = zone, code, took + before, own

    def unreadable(self, zone: bytes, times: int) -> None:
        """So many results of a zone's code were no RDATA of their type."""
        self.failures += times
        self.kinds["result"] += times
        self.zones[zone].failures += times

    def _failed(self, failure: LuaFailure, zone: bytes) -> LuaFailure:
        self.failures += 1
        self.zones[zone].failures += 1
        self.kinds[failure.kind] += 1
        return failure
