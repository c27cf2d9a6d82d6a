"""Plans at work: from the octets of a plan to what chooses for a client."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from lzc import foreign_json
from lzc.health_check import HealthView
from lzc.lua.health.options import SELECTORS
from lzc.lua.plan import health as plan_health
from lzc.lua.plan import names as plan_names
from lzc.lua.plan import text as plan_text
from lzc.lua.plan.format import VERSION, is_fixed, widest
from lzc.lua.plan.locations import Contest, Decision, Places
from lzc.lua.plan.lookup2 import client_hash, name_hash
from lzc.lua.plan.outcome import Candidates, Outcome, Select
from lzc.lua.plan.reader import Reader
from lzc.wire import rrtype

if TYPE_CHECKING:
    from lzc.lua.engine.engine import GeoView
    from lzc.lua.engine.ring import Rings

_MAGIC: Final = 1024


class Plan:
    """A plan ready to use: ``rdatas`` to choose among, and what to ask for a choice.

    ``widest`` is how many octets the RRs of a random outcome take at most (owners being pointers),
    or 0 where all that are possible take the same; ``fixed`` tells that there is but one outcome
    for a QNAME, whoever asks; ``is_open`` that outcomes may hold other RDATA than ``rdatas``.
    """

    __slots__ = ("covered", "fixed", "is_open", "rdatas", "select", "widest")

    def __init__(
        self,
        covered: int,
        rdatas: tuple[bytes, ...],
        select: Select,
        operation: Any,
        *,
        is_open: bool,
    ) -> None:
        self.covered = covered
        self.rdatas = rdatas
        self.select = select
        self.is_open = is_open
        self.widest = widest(operation, [len(rdata) for rdata in rdatas])
        self.fixed = is_fixed(operation)


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
        self._places = Places(geo, 0, 0) if forgets else Places(geo)

    def load(self, encoded: bytes) -> Plan:
        """A plan from its octets. Raises `ValueError` for damage and other versions."""
        try:
            document = foreign_json.parse(encoded)
            if document["v"] != VERSION:
                raise ValueError(f"version {document['v']} of plans")
            rdatas = tuple(map(bytes.fromhex, document["data"]))
            covered = int(document["type"])
            reader = Reader(covered, len(rdatas))
            operation = document["do"]
            select = self._operation(operation, reader)
            return Plan(covered, rdatas, select, operation, is_open=reader.is_open)
        except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no plan: {error}") from error

    def _operation(self, operation: Any, reader: Reader) -> Select:
        if operation is None:
            return lambda who, qname, apex: None
        name, *arguments = operation
        if name == "fixed":
            outcome = reader.outcome(arguments[0])
            return lambda who, qname, apex: outcome
        if name in ("random", "hashed"):
            return self._pick(name, reader.singles(arguments[0]))
        make = _OPERATIONS.get(name)
        if make is None:
            raise ValueError(f"operation {name!r}")
        return make(self, reader, name, *arguments)

    def _pick(self, name: str, singles: list[Outcome]) -> Select:
        count = len(singles)
        if not count:
            raise ValueError("nothing to choose from")
        if name == "hashed":
            return lambda who, qname, apex: singles[client_hash(who) % count]
        random = self._random
        return lambda who, qname, apex: singles[int(random() * count)]

    def _sample(self, reader: Reader, _name: str, size: int, items: list[int]) -> Select:
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

    def _weighted(
        self, reader: Reader, _name: str, how: str, pairs: list[tuple[int, int]]
    ) -> Select:
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

    def _ring(self, reader: Reader, _name: str, points: list[tuple[int, int, str]]) -> Select:
        from lzc.lua.engine.ring import Rings

        if self._rings is None:
            self._rings = Rings()
        owner = self._rings.owner
        key = b"".join(b"%d %b\0" % (weight, text.encode("latin-1")) for weight, _, text in points)
        singles = reader.singles([item for _, item, _ in points])
        return lambda who, qname, apex: singles[owner(key, client_hash(who)) - 1]

    def _read_closest(self, reader: Reader, _name: str, entries: list[tuple[int, str]]) -> Select:
        return self._closest(
            tuple(((reader.item(item),), bytes.fromhex(address)) for item, address in entries)
        )

    def _closest(self, candidates: Candidates) -> Select:
        if not candidates:
            raise ValueError("nothing to choose from")
        contest = Contest(candidates)
        nearest, random = self._places.nearest, self._random

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome:
            found: tuple[Outcome, ...] = nearest(contest, who)
            return found[0] if len(found) == 1 else found[int(random() * len(found))]

        return select

    def _magic(self, reader: Reader, _name: str) -> Select:
        reader.is_open = True
        nearest, random, covered = self._places.nearest, self._random, reader.covered

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
        _name: str,
        selector: str,
        backup: str,
        sets: list[list[tuple[int, str, Any]]],
        strict: bool,
    ) -> Select:
        _check_selectors(selector, backup)
        every = [reader.candidates(candidates) for candidates in sets]
        return plan_health.up(self._health, self._ways(reader), selector, backup, every, strict)

    def _weights(
        self,
        reader: Reader,
        _name: str,
        selector: str | None,
        backup: str,
        entries: list[tuple[int, str, Any]],
        strict: bool,
    ) -> Select:
        _check_selectors(selector or "random", backup)
        candidates = reader.candidates(entries)
        ways = self._ways(reader)
        return plan_health.weights(self._health, ways, selector, backup, candidates, strict)

    def _ways(self, reader: Reader) -> plan_health.Ways:
        return plan_health.Ways(lambda name, candidates: self._among(name, candidates, reader))

    def _among(self, name: str, candidates: Candidates, reader: Reader) -> Select:
        if name == "all":
            outcome = reader.outcome([item for (item,), _ in candidates])
            return lambda who, qname, apex: outcome
        if name == "empty":
            return lambda who, qname, apex: ()
        if name == "pickclosest":
            return self._closest(candidates)
        return self._pick(name, [outcome for outcome, _ in candidates])

    def _text(self, reader: Reader, _name: str, parts: list[list[Any]]) -> Select:
        reader.is_open = True
        make = plan_text.joined(parts, self._places)
        covered, content = reader.covered, plan_text.content

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
            text = make(who, qname)
            return None if text is None else content(covered, text)

        return select

    def _forward(
        self, reader: Reader, name: str, networks: list[Any] | None, instead: str | None
    ) -> Select:
        make = plan_names.FORWARD[name]
        if networks is not None and instead is not None:
            make = plan_names.only_in(make, networks, instead)
        return _from_name(make, reader)

    def _reverse(
        self, reader: Reader, name: str, pattern: str, exceptions: dict[str, str]
    ) -> Select:
        return _from_name(plan_names.REVERSE[name](pattern, exceptions), reader)

    def _if(
        self, reader: Reader, _name: str, branches: list[tuple[Any, Any]], otherwise: Any
    ) -> Select:
        places = self._places
        decision = Decision([places.condition(*condition) for condition, _ in branches])
        ways = [self._operation(operation, reader) for _, operation in branches]
        ways.append(self._operation(otherwise, reader))
        branch = places.branch
        return lambda who, qname, apex: ways[branch(decision, who)](who, qname, apex)


_OPERATIONS: Final[dict[str, Callable[..., Select]]] = {
    "sample": Planner._sample,
    "weighted": Planner._weighted,
    "ring": Planner._ring,
    "closest": Planner._read_closest,
    "magic": Planner._magic,
    "up": Planner._up,
    "weights": Planner._weights,
    "text": Planner._text,
    "forward": Planner._forward,
    "forward6": Planner._forward,
    "reverse": Planner._reverse,
    "reverse6": Planner._reverse,
    "if": Planner._if,
}


def _from_name(make: plan_names.FromName, reader: Reader) -> Select:
    reader.is_open = True
    covered, content = reader.covered, plan_text.content

    def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
        text = make(qname, apex)
        return None if text is None else content(covered, text)

    return select


def _check_selectors(*names: str) -> None:
    for name in names:
        if name not in SELECTORS:
            raise ValueError(f"selector {name!r}")
