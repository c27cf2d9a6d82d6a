"""Plans at work: from the octets of a plan to what chooses for a client."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from lzc import foreign_json
from lzc.health_check import HealthView
from lzc.lua.engine.geo import GeoView
from lzc.lua.health.options import SELECTORS
from lzc.lua.plan import health as plan_health
from lzc.lua.plan import names as plan_names
from lzc.lua.plan import text as plan_text
from lzc.lua.plan.format import (
    NOTHING,
    VERSION,
    Candidates,
    Outcome,
    Reader,
    Select,
    Text,
    is_fixed,
    widest,
)
from lzc.lua.plan.health import SelectCache
from lzc.lua.plan.locations import Contest, Decision, Geolocator
from lzc.lua.plan.lookup2 import client_hash, name_hash
from lzc.powerdns_versions import version_of
from lzc.wire import rrtype

if TYPE_CHECKING:
    from lzc.lua.engine.ring import Rings

_MAGIC: Final = 1024


@dataclass(slots=True, eq=False)
class Plan:
    """A plan ready to use: ``rdatas`` to choose among, and what to ask for a choice.

    ``widest`` is how many octets the RRs of a random outcome take at most (owners being pointers),
    or 0 where all that are possible take the same; ``fixed`` tells that there is but one outcome
    for a QNAME, whoever asks; ``is_open`` that outcomes may hold other RDATA than ``rdatas``.
    """

    covered: int
    rdatas: tuple[bytes, ...]
    select: Select
    widest: int
    fixed: bool
    is_open: bool


class Planner:
    """Reads plans, which then choose by the same circumstances as `lzc.lua.engine.engine.Engine`.

    ``random`` gives numbers from 0 up to 1. A planner lives as long as its engine: where an address
    is found to be is kept, unless it ``forgets``.
    """

    def __init__(
        self,
        geo: GeoView | None,
        health: HealthView,
        random: Callable[[], float],
        *,
        forgets: bool = False,
    ) -> None:
        self._health = health
        self._random = random
        self._rings: Rings | None = None
        self._geolocator = Geolocator(geo, 0, 0) if forgets else Geolocator(geo)

    def load(self, encoded: bytes) -> Plan:
        """A plan from its octets. Raises `ValueError` for damage and other versions."""
        try:
            document = foreign_json.parse(encoded)
            if document["v"] != VERSION:
                raise ValueError(f"version {document['v']} of plans")
            rdatas = tuple(map(bytes.fromhex, document["data"]))
            covered = int(document["type"])
            reader = Reader(covered, len(rdatas), version_of(document["as"]))
            operation = document["do"]
            select = self._operation(operation, reader)
            size = widest(operation, [len(rdata) for rdata in rdatas])
            return Plan(covered, rdatas, select, size, is_fixed(operation), reader.is_open)
        except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no plan: {error}") from error

    def _operation(self, operation: Any, reader: Reader) -> Select:
        if operation is None:
            return lambda who, qname, apex: None
        name, *arguments = operation
        if name in plan_names.TEXTS:
            return _read(plan_names.TEXTS[name](*arguments), reader)
        make = _OPERATIONS.get(name)
        if make is None:
            raise ValueError(f"operation {name!r}")
        return make(self, reader, *arguments)

    def _fixed(self, reader: Reader, items: list[int]) -> Select:
        outcome = reader.outcome(items)
        return lambda who, qname, apex: outcome

    def _pick_random(self, reader: Reader, items: list[int]) -> Select:
        singles, random, count = reader.singles(items), self._random, len(items)
        return lambda who, qname, apex: singles[int(random() * count)]

    def _pick_hashed(self, reader: Reader, items: list[int]) -> Select:
        singles, count = reader.singles(items), len(items)
        return lambda who, qname, apex: singles[client_hash(who) % count]

    def _sample(self, reader: Reader, size: int, items: list[int]) -> Select:
        random, count = self._random, len(items)
        if type(size) is not int or not 0 <= size <= count:
            raise ValueError("size of a sample")

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome:
            left = items.copy()
            for place in range(size):
                other = place + int(random() * (count - place))
                left[place], left[other] = left[other], left[place]
            return reader.outcome(left[:size])

        return select

    def _weighted(self, reader: Reader, how: str, pairs: list[tuple[int, int]]) -> Select:
        sums = list(accumulate(weight for weight, _ in pairs))
        singles = reader.singles([item for _, item in pairs])
        total = sums[-1]
        if type(total) is not int or total <= 0:
            raise ValueError("weights")
        if how == "hashed":
            return lambda who, qname, apex: singles[bisect_right(sums, client_hash(who) % total)]
        if how == "named":
            return lambda who, qname, apex: singles[
                bisect_right(sums, name_hash(qname.lower()) % total)
            ]
        if how != "random":
            raise ValueError(f"weighted {how!r}")
        random = self._random
        return lambda who, qname, apex: singles[bisect_right(sums, int(random() * total))]

    def _ring(self, reader: Reader, points: list[tuple[int, int, str]]) -> Select:
        from lzc.lua.engine.ring import Rings

        if self._rings is None:
            self._rings = Rings()
        owner = self._rings.owner
        key = b"".join(b"%d %b\0" % (weight, text.encode("latin-1")) for weight, _, text in points)
        singles = reader.singles([item for _, item, _ in points])
        return lambda who, qname, apex: singles[owner(key, client_hash(who)) - 1]

    def _read_closest(self, reader: Reader, entries: list[tuple[int, str]]) -> Select:
        singles = reader.singles([item for item, _ in entries])
        addresses = [bytes.fromhex(address) for _, address in entries]
        return self._closest(tuple(zip(singles, addresses, strict=True)))

    def _closest(self, candidates: Candidates) -> Select:
        contest = Contest(candidates)
        nearest, random = self._geolocator.nearest, self._random

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome:
            found: tuple[Outcome, ...] = nearest(contest, who)
            return found[0] if len(found) == 1 else found[int(random() * len(found))]

        return select

    def _magic(self, reader: Reader) -> Select:
        reader.is_open = True
        nearest, random, covered = self._geolocator.nearest, self._random, reader.covered

        @lru_cache(_MAGIC)
        def contest_in(qname: bytes) -> Contest | None:
            candidates = plan_names.candidates_of(qname)
            return Contest(candidates) if candidates and covered == rrtype.A else None

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
            contest = contest_in(qname)
            if contest is None:
                return None
            found: tuple[Outcome, ...] = nearest(contest, who)
            return found[0] if len(found) == 1 else found[int(random() * len(found))]

        return select

    def _up(
        self,
        reader: Reader,
        selector: str,
        backup: str,
        sets: list[list[tuple[int, str, Any]]],
        first: bool,
        strict: bool,
    ) -> Select:
        _check_selectors(selector, backup)
        every = [reader.candidates(candidates) for candidates in sets]
        spare = [entry for entries in (every[:1] if first else every) for entry in entries]
        cache = self._cache(reader)
        return plan_health.up(self._health, cache, selector, backup, every, spare, strict)

    def _weights(self, reader: Reader, entries: list[tuple[int, str, Any]]) -> Select:
        return plan_health.weights(self._health, self._cache(reader), reader.candidates(entries))

    def _cache(self, reader: Reader) -> SelectCache:
        return SelectCache(lambda name, candidates: self._among(name, candidates, reader))

    def _among(self, name: str, candidates: Candidates, reader: Reader) -> Select:
        if name == "pickclosest":
            return self._closest(candidates)
        items = [] if name == "empty" else [item for (item,), _ in candidates]
        return _SELECTORS[name](self, reader, items)

    def _text(self, reader: Reader, parts: list[list[Any]]) -> Select:
        return _read(plan_text.joined(parts, self._geolocator), reader)

    def _if(self, reader: Reader, branches: list[tuple[Any, Any]], otherwise: Any) -> Select:
        geolocator = self._geolocator
        decision = Decision([geolocator.condition(*condition) for condition, _ in branches])
        ways = [self._operation(operation, reader) for _, operation in branches]
        ways.append(self._operation(otherwise, reader))
        branch = geolocator.branch
        return lambda who, qname, apex: ways[branch(decision, who)](who, qname, apex)


_OPERATIONS: Final[dict[str, Callable[..., Select]]] = {
    "fixed": Planner._fixed,
    "random": Planner._pick_random,
    "hashed": Planner._pick_hashed,
    "sample": Planner._sample,
    "weighted": Planner._weighted,
    "ring": Planner._ring,
    "closest": Planner._read_closest,
    "magic": Planner._magic,
    "up": Planner._up,
    "weights": Planner._weights,
    "text": Planner._text,
    "if": Planner._if,
}

_SELECTORS: Final[dict[str, Callable[..., Select]]] = {
    "all": Planner._fixed,
    "empty": Planner._fixed,
    "random": Planner._pick_random,
    "hashed": Planner._pick_hashed,
}
"""How a selector of health checks chooses among items, but for that of the nearest."""


def _read(make: Text, reader: Reader) -> Select:
    """What a text says that is made for each query."""
    reader.is_open = True
    covered, version, content = reader.covered, reader.version, plan_text.content

    def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
        text = make(who, qname, apex)
        if text is None or text is NOTHING:
            return None if text is None else ()
        return content(covered, text, version)

    return select


def _check_selectors(*names: str) -> None:
    for name in names:
        if name not in SELECTORS:
            raise ValueError(f"selector {name!r}")
