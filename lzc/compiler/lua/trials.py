"""Code of LUA records is run by a build in a child process, for it may not come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from lzc.contained import Begin, Contained, Ended, Home
from lzc.powerdns_versions import KNOWN, Version

if TYPE_CHECKING:
    from lzc.compiler.lua.discover import (
        Answers,
        Circumstance,
        Discovery,
        Exploration,
        Meter,
        Outcome,
    )
    from lzc.lua.engine.execution import QueryContext, StoredRecords

MOST_ENDED: Final = 3
"""Codes of a zone that are ended at most, as each takes seconds: the rest of it is not tried."""
FACTOR: Final = 10
"""Counting ends at so many times the limit of instructions."""
_BATCH: Final = 256
"""Codes of one request: those beside one that is ended are run again."""

T = TypeVar("T")


class Trial(NamedTuple):
    """Joined code, and what it is asked."""

    code: bytes
    queries: Sequence[QueryContext]


class _Request(NamedTuple):
    """``limit`` is that of the instructions to count with, or `None`: the code is explored, or has
    to answer."""

    trials: Sequence[Trial]
    included: Mapping[bytes, bytes]
    exec_limit: int
    memory_limit: int
    version: Version
    limit: int | None
    answers: bool = False


@dataclass(slots=True, eq=False)
class Trials:
    """Runs the code of one zone. ``lookup`` is what ``dblookup`` asks; ``included`` what
    ``include`` finds. ``ended`` has, for each code that had to be ended, the reason."""

    _included: Mapping[bytes, bytes]
    _lookup: StoredRecords
    _exec_limit: int
    _memory_limit: int
    _version: Version
    ended: dict[bytes, str] = field(default_factory=dict)

    def explore(self, trials: Sequence[Trial]) -> list[list[Exploration] | None]:
        """What `Discovery.explore` gives for each query of each; `None` for what was ended, or not
        tried for what others did."""
        return self._run(trials, None)

    def worst(self, trials: Sequence[Trial], limit: int) -> list[int | None]:
        """What `Meter.worst` gives for each, in the same way."""
        return self._run(trials, limit)

    def answers(
        self, trials: Sequence[Trial]
    ) -> list[list[dict[Circumstance, frozenset[Outcome]]] | None]:
        """What `Answers.of` gives for each query of each, in the same way."""
        return self._run(trials, None, answers=True)

    def _run(
        self, trials: Sequence[Trial], limit: int | None, *, answers: bool = False
    ) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(trials), _BATCH):
            found += self._batch(trials[start : start + _BATCH], limit, answers)
        return found

    def _batch(self, trials: Sequence[Trial], limit: int | None, answers: bool) -> list[Any]:
        child = _child(self._memory_limit)
        while len(self.ended) < MOST_ENDED:
            left = [one for one in trials if one.code not in self.ended]
            limits = self._exec_limit, self._memory_limit
            request = _Request(left, self._included, *limits, self._version, limit, answers)
            try:
                given = iter(child.ask(request, self._lookup))
            except Ended as ended:
                if not 0 <= ended.at < len(left):
                    raise
                self.ended[left[ended.at].code] = ended.why
                continue
            return [None if one.code in self.ended else next(given) for one in trials]
        return [None] * len(trials)


_children: Final[dict[int, Contained[_Request, list[Any]]]] = {}
"""By the limit of memory: one, but for tests."""


def end() -> None:
    """End the child, if there is one; the next trial starts another."""
    while _children:
        _children.popitem()[1].close()


def _child(memory_limit: int) -> Contained[_Request, list[Any]]:
    if memory_limit not in _children:
        # Before the fork, so that no child has to; projects without LUA records need not wait.
        import lzc.compiler.lua.discover  # noqa: F401
        from lzc.lua.engine.state import SPARE_MEMORY

        # As each version, two engines explore, two count, and three answer.
        states = 7 * len(KNOWN)
        _children[memory_limit] = Contained(_work, memory=states * (memory_limit + SPARE_MEMORY))
    return _children[memory_limit]


def _work(request: _Request, begin: Begin, home: Home) -> list[Any]:
    """In the child."""
    include: Callable[[bytes], bytes | None] = request.included.get
    found: list[Any] = []
    if request.answers:
        from lzc.lua.functions import CHECKING, INCLUDING

        answers = _answers(request.exec_limit, request.memory_limit, request.version)
        answers.look_in(home)
        for number, (code, queries) in enumerate(request.trials):
            answers.begin = partial(begin, number)
            checks = any(name in code for name in (*CHECKING, *INCLUDING))
            found.append([answers.of(code, query, include, checks=checks) for query in queries])
        return found
    if request.limit is None:
        discovery = _discovery(request.exec_limit, request.memory_limit, request.version)
        discovery.look_in(home)
        for number, (code, queries) in enumerate(request.trials):
            discovery.begin = partial(begin, number)
            found.append([discovery.explore(code, query, include) for query in queries])
        return found
    meter = _meter(request.limit, request.memory_limit, request.version)
    for number, (code, queries) in enumerate(request.trials):
        meter.begin = partial(begin, number)
        found.append(meter.worst(code, queries, include))
    return found


@lru_cache(maxsize=len(KNOWN))
def _discovery(exec_limit: int, memory_limit: int, version: Version) -> Discovery:
    """The Lua states for all the zones that a process builds: each costs milliseconds, and the
    memory of one that is given up is not there again soon. Zones, and the secondaries of one, may
    be of any version by turns."""
    from lzc.compiler.lua.discover import Discovery
    from lzc.lua.engine.execution import EngineSettings

    return Discovery(
        EngineSettings(exec_limit=exec_limit, memory_limit=memory_limit, powerdns=version)
    )


@lru_cache(maxsize=len(KNOWN))
def _answers(exec_limit: int, memory_limit: int, version: Version) -> Answers:
    """Likewise."""
    from lzc.compiler.lua.discover import Answers
    from lzc.lua.engine.execution import EngineSettings

    return Answers(
        EngineSettings(exec_limit=exec_limit, memory_limit=memory_limit, powerdns=version)
    )


@lru_cache(maxsize=len(KNOWN))
def _meter(limit: int, memory_limit: int, version: Version) -> Meter:
    """Likewise."""
    from lzc.compiler.lua.discover import Meter

    return Meter(limit * FACTOR, memory_limit, version)
