"""What workers tell the supervisor without a word: that they get on and with what, and counters.

Anonymous shared memory, mapped before the first fork. Each worker writes its own slot only, and a
slot outlives its process, so that the supervisor can read what a killed worker was doing, and that
the next one counts on from there.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Sequence
from typing import Final

from lzc.serve.ipc import traffic, zone_table
from lzc.serve.ipc.zone_table import ZoneTable

INSTRUCTIONS: Final = (10, 20, 50, 100, 200, 400, 600, 800, 900, 1000, 10_000, 100_000)
"""VM instructions of an execution of a LUA record: upper bounds, each included."""
BY_INSTRUCTIONS: Final = (
    *(f"lua_instructions_{most}" for most in INSTRUCTIONS),
    "lua_instructions_more",
)
"""Counters of executions that took so many, as far as those are known that were counted."""

COUNTERS: Final = (
    "queries_udp",
    "queries_tcp",
    "cache_hits",
    "servfail",
    "truncated",
    "silent",
    "lua",
    "lua_errors",
    "send_errors",
    "transfers",
    "tcp_connections",
    "tcp_refused",
    "errors",
    "lua_instructions",
    "lua_memory",
    "lua_time",
    "lua_quarantine",
    "lua_held",
    "lua_syntax",
    "lua_runtime",
    "lua_result",
    "lua_us",
    "lua_plans",
    "cache_misses",
    "cache_entries",
    "cache_evictions",
    "signatures_made",
    "signatures_kept",
    "signatures_us",
    "do_queries",
    "cookie_queries",
    "malformed",
    "do_queries_tcp",
    "cookie_queries_tcp",
    "do_queries_tls",
    "cookie_queries_tls",
    "tls_handshakes",
    "tls_failed",
    "lua_counted",
    "lua_counted_sum",
    *BY_INSTRUCTIONS,
)
"""Counters of a worker, in the order they lie in its slot. ``silent``: queries that got no answer
on purpose; ``tcp_connections``: accepted so far; ``tcp_refused``: of these, closed because there
were too many, and transfers for which there was no room; ``errors``: unexpected exceptions; of the
``lua_errors``, ``lua_instructions``, ``lua_memory`` and ``lua_time`` hit that limit, and
``lua_quarantine`` were not run for what the code had done before, and ``lua_held`` for what other
code of the zone had done; ``lua_syntax`` did not compile, ``lua_runtime`` raised an error, and
``lua_result`` gave what is no RDATA of their type. ``lua_us``: microseconds that executions took;
``lua_plans``: answers that a plan chose. ``cache_…``: of the packet cache of UDP, ``cache_entries``
as it is now, ``cache_evictions`` for others' sake. ``signatures_made``: RRSIGs, in
``signatures_us`` microseconds; ``signatures_kept``: those that had been made before, where one was
asked for again. ``do_queries``: with the DO bit (RFC 3225); ``cookie_queries``: with a COOKIE
option (RFC 7873), of these ``…_tcp`` over TCP and ``…_tls`` over TLS; ``malformed``: messages that
were no well-formed query. ``tls_handshakes``: those that were done, ``tls_failed``: those that were
not, and connections that broke off within a record. ``lua_counted``: executions of LUA records
whose VM instructions were counted; ``lua_counted_sum``: about how many all executions took, as
those say."""

NOW: Final = frozenset({"cache_entries"})
"""Those that say what is, and not how often: with its process, what it says is gone."""

_SLOT: Final = 2048
_HEARTBEAT: Final = 0
_LUA_CODE: Final = 1
_LUA_ZONE: Final = 2
_EDITION: Final = 3
_COUNTERS: Final = 4
_TRIES: Final = 100
_NAME: Final = 512
_NAME_MAX: Final = 255
_QUERY: Final = 1024
_QUERY_WORD: Final = _QUERY // 8
_QUERY_MAX: Final = _SLOT - _QUERY


class Scoreboard:
    """The slots of ``workers`` workers. Each field has one writer and is read without a lock:
    aligned 8-octet stores do not tear on the machines Python runs on. ``used`` are those that were
    asked for so far: what a worker counted stays when there are fewer."""

    def __init__(self, workers: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, workers * _SLOT))
        self._traffic = memoryview(mmap.mmap(-1, workers * traffic.WORDS * 8))
        self._zones = memoryview(mmap.mmap(-1, workers * zone_table.WORDS * 8))
        self._slots: dict[int, Slot] = {}
        self.used: Collection[Slot] = self._slots.values()

    def slot(self, worker: int) -> Slot:
        """The slot of one worker, from 0."""
        made = self._slots.get(worker)
        if made is None:
            made = self._slots[worker] = self._make(worker)
        return made

    def _make(self, worker: int) -> Slot:
        octets = self._memory[worker * _SLOT : (worker + 1) * _SLOT]
        size = traffic.WORDS * 8
        counted = self._traffic[worker * size : (worker + 1) * size].cast("Q")
        size = zone_table.WORDS * 8
        zones = self._zones[worker * size : (worker + 1) * size]
        return Slot(octets.cast("Q"), octets, counted, ZoneTable(zones.cast("Q"), zones))


class Slot:
    """One worker's part of the scoreboard."""

    __slots__ = ("_before", "_octets", "_traffic", "_traffic_before", "_words", "zones")

    def __init__(
        self,
        words: memoryview[int],
        octets: memoryview[int],
        traffic: memoryview[int],
        zones: ZoneTable,
    ) -> None:
        self._words = words
        self._octets = octets
        self._traffic = traffic
        self.zones = zones
        self._count_on()

    def beat(self, monotonic: float) -> None:
        """Say that work gets on; ``monotonic`` is the time in seconds, kept in µs."""
        self._words[_HEARTBEAT] = int(monotonic * 1e6)

    def last_beat(self) -> float:
        """The time of the last `beat`, monotonic seconds; 0 when there was none."""
        return self._words[_HEARTBEAT] / 1e6

    def note(self, query: bytes) -> None:
        """Say which query is answered from now on, which is a sign of life too."""
        # A call for every query that no cache answers: it has 0.2 µs.
        if len(query) > _QUERY_MAX:
            query = query[:_QUERY_MAX]
        self._octets[_QUERY : _QUERY + len(query)] = query

    def done(self) -> None:
        """Say that the query that was noted last is answered."""
        self._words[_QUERY_WORD] = 0

    def at_work(self) -> bytes | None:
        """The query that is answered now, or its beginning: what follows the question counts for
        nothing."""
        return bytes(self._octets[_QUERY:]) if self._words[_QUERY_WORD] else None

    def progress(self) -> tuple[int, bytes]:
        """Something that stays the same only while nothing gets on: a worker may be busy for as
        long as it likes, but not with one thing."""
        return self._words[_HEARTBEAT], bytes(self._octets[_QUERY:])

    def reset(self) -> None:
        """Make the slot ready for a new process; the counters go on."""
        self._words[_HEARTBEAT] = 0
        self._words[_LUA_CODE] = 0
        self._words[_QUERY_WORD] = 0
        self.vacate()
        self._count_on()

    def vacate(self) -> None:
        """There is no process now: of what is, as against how often something was, nothing is."""
        self._words[_EDITION] = 0
        for name in NOW:
            self._words[_COUNTERS + COUNTERS.index(name)] = 0
        self.zones.vacate()

    def _count_on(self) -> None:
        """What is counted from now on is added to what the slot has."""
        self._before = [0 if name in NOW else number for name, number in self.counters().items()]
        self._traffic_before = list(self._traffic)
        self.zones.begin()

    def enter_lua(self, code_id: int, qname: bytes, apex: bytes) -> None:
        """Note which code runs, for which query name and in which zone, before it runs."""
        end = _NAME + len(qname)
        self._octets[_NAME:end] = qname
        # The apex is the end of the name.
        self._words[_LUA_ZONE] = len(apex)
        self._words[_LUA_CODE] = code_id

    def leave_lua(self) -> None:
        """Note that no code runs any more."""
        self._words[_LUA_CODE] = 0

    def running_lua(self) -> tuple[int, bytes, bytes] | None:
        """Identifier of the code that runs, the wire name it was asked for, and the apex of its
        zone."""
        code_id = self._words[_LUA_CODE]
        if not code_id:
            return None
        raw = bytes(self._octets[_NAME : _NAME + _NAME_MAX])
        end = 0
        while end < _NAME_MAX and raw[end]:
            end += 1 + raw[end]
        qname = raw[: end + 1]
        return code_id, qname, qname[len(qname) - self._words[_LUA_ZONE] :].lower()

    def write_counters(self, values: Sequence[int]) -> None:
        """Publish the counters of this process, in the order of `COUNTERS`."""
        words = self._words
        words[_EDITION] += 1
        for index, (value, before) in enumerate(zip(values, self._before, strict=True), _COUNTERS):
            words[index] = value + before
        words[_EDITION] += 1

    def counters(self) -> dict[str, int]:
        """The published counters by name, as they were at one time: what is the difference of two
        would fall otherwise. Of a worker that died while it wrote, as far as it came."""
        words = self._words
        for _ in range(_TRIES):
            edition = words[_EDITION]
            found = {name: words[_COUNTERS + i] for i, name in enumerate(COUNTERS)}
            # It is odd while somebody writes.
            if not edition & 1 and words[_EDITION] == edition:
                break
        return found

    def write_traffic(self, numbers: Sequence[int]) -> None:
        """Publish what `lzc.serve.ipc.traffic.table` gave of this process."""
        words = self._traffic
        for index, (number, before) in enumerate(zip(numbers, self._traffic_before, strict=True)):
            words[index] = number + before

    def traffic(self) -> list[int]:
        """The published table of queries and answers."""
        return list(self._traffic)
