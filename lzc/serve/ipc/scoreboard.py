"""What workers tell the supervisor without a word: that they get on and with what, and counters.

One anonymous shared mapping, made before the first fork. Each worker writes its own slot only, and
a slot outlives its process, so that the supervisor can read what a killed worker was doing.
"""

from __future__ import annotations

import mmap
from typing import Final

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
)
"""Counters of a worker, in the order they lie in its slot. ``silent``: queries that got no answer
on purpose; ``tcp_connections``: accepted so far; ``tcp_refused``: of these, closed because there
were too many, and transfers for which there was no room; ``errors``: unexpected exceptions; of the
``lua_errors``, ``lua_instructions``, ``lua_memory`` and ``lua_time`` hit that limit, and
``lua_quarantine`` were not run for what the code had done before, and ``lua_held`` for what other
code of the zone had done."""

_SLOT: Final = 1024
_HEARTBEAT: Final = 0
_LUA_CODE: Final = 1
_LUA_ZONE: Final = 2
_COUNTERS: Final = 4
_NAME: Final = 192
_NAME_MAX: Final = 255
_QUERY: Final = 512
_QUERY_WORD: Final = _QUERY // 8
_QUERY_MAX: Final = _SLOT - _QUERY


class Scoreboard:
    """The slots of ``workers`` workers. Each field has one writer and is read without a lock:
    aligned 8-octet stores do not tear on the machines Python runs on."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * _SLOT)
        self._words = memoryview(self._memory).cast("Q")

    def slot(self, worker: int) -> Slot:
        """The slot of one worker, from 0."""
        start = worker * _SLOT // 8
        octets = memoryview(self._memory)[worker * _SLOT : (worker + 1) * _SLOT]
        return Slot(self._words[start : start + _SLOT // 8], octets)


class Slot:
    """One worker's part of the scoreboard."""

    __slots__ = ("_octets", "_words")

    def __init__(self, words: memoryview[int], octets: memoryview[int]) -> None:
        self._words = words
        self._octets = octets

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

    def write_counters(self, values: list[int]) -> None:
        """Publish the counters, in the order of `COUNTERS`."""
        words = self._words
        for index, value in enumerate(values, _COUNTERS):
            words[index] = value

    def counters(self) -> dict[str, int]:
        """The published counters by name."""
        return {name: self._words[_COUNTERS + i] for i, name in enumerate(COUNTERS)}
