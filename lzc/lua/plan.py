"""Plans: what LUA records of common forms choose among, and how, as data.

A plan is made at build time (`lzc.lua.idioms`) and answers as its record would, without Lua. It is
JSON: ``v`` the version of this format, ``type`` the type answered for, ``data`` the RDATA of all
there is to choose from, in hex and each once, and ``do`` an operation, an array that starts with
its name. Items are places in ``data``::

    ["fixed", [item …]]                       all of them
    ["random", [item …]]                      one of them
    ["hashed", [item …]]                      one, by the client's hash
    ["sample", count, [item …]]               so many of them, in random order
    ["weighted", "random" | "hashed", [[weight, item] …]]    in the order they are walked
    ["ring", [[weight, item, text] …]]        one, by the client's hash on a ring (`lzc.lua.ring`)
    ["closest", [[item, address] …]]          the nearest one; addresses in hex
    ["up", selector, backup, [[[item, address, check] …] …]]  sets of candidates, by their checks
    ["if", [[condition, operation] …], operation]            the first that holds, or the last

Conditions are ``["netmask", [[network, bits] …]]``, ``["country", [code …]]``, ``continent`` and
``region`` likewise, and ``["asnum", [number …]]``. A check is an object of those fields of
`lzc.lua.health.Check` that are not as usual. An operation may be null: that is left to Lua.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from lzc.lua.health import Check, HealthView
from lzc.lua.lookup2 import client_hash

if TYPE_CHECKING:
    from lzc.lua.engine import GeoView
    from lzc.lua.ring import Rings

VERSION: Final = 1

Outcome = tuple[int, ...]
"""Places in `Plan.rdatas`, in the order of the answer, none twice; empty for NODATA."""

Select = Callable[[bytes], Outcome | None]
"""The outcome for a client (its packed address, or that of its network in ECS); `None`: run Lua."""

_PLACES: Final = 32_768
_DECISIONS: Final = 65_536
_KEPT_CHOICES: Final = 64
_RR_HEAD: Final = 12
_CNAME: Final = 5
_FIELDS: Final = {"country": 0, "continent": 1, "region": 2, "asnum": 5}

_Candidates = tuple[tuple[int, bytes], ...]
_Condition = Callable[[bytes], bool]


def plan_key(code: bytes, covered: int) -> bytes:
    """The 16 octets under which a bundle has the plan of a record's joined ``code``."""
    return blake2b(covered.to_bytes(2, "big") + code, digest_size=16).digest()


def encode(covered: int, rdatas: Sequence[bytes], operation: list[Any]) -> bytes:
    """A plan as octets, always the same for the same plan."""
    document = {
        "v": VERSION,
        "type": covered,
        "data": [rdata.hex() for rdata in rdatas],
        "do": operation,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class Plan:
    """A plan ready to use: ``rdatas`` to choose among, and what to ask for a choice.

    ``widest`` is how many octets the RRs of a random outcome take at most (owners being pointers),
    or 0 where all that are possible take the same; ``fixed`` tells that there is but one outcome,
    whoever asks.
    """

    __slots__ = ("covered", "fixed", "rdatas", "select", "widest")

    def __init__(
        self, covered: int, rdatas: tuple[bytes, ...], select: Select, operation: Any
    ) -> None:
        self.covered = covered
        self.rdatas = rdatas
        self.select = select
        self.widest = _widest(operation, [len(rdata) for rdata in rdatas])
        self.fixed = operation[0] == "fixed"


class Planner:
    """Reads plans, which then choose by the same circumstances as `lzc.lua.engine.Engine`.

    ``random`` gives numbers from 0 up to 1. A planner lives as long as its engine: what a place is
    found to be is kept.
    """

    def __init__(
        self, geo: GeoView | None, health: HealthView, random: Callable[[], float]
    ) -> None:
        self._geo = geo
        self._health = health
        self._random = random
        self._rings: Rings | None = None
        # One memory for all plans each, so that thousands of plans take no more than one does.
        self._place = lru_cache(_PLACES)(self._read_place)
        self._nearest = lru_cache(_DECISIONS)(self._find_nearest)
        self._branch = lru_cache(_DECISIONS)(self._find_branch)

    def load(self, encoded: bytes) -> Plan:
        """A plan from its octets. Raises `ValueError` for damage and other versions."""
        try:
            document = json.loads(encoded)
            if document["v"] != VERSION:
                raise ValueError(f"version {document['v']} of plans")
            rdatas = tuple(map(bytes.fromhex, document["data"]))
            covered = int(document["type"])
            reader = _Reader(len(rdatas), 1 if covered == _CNAME else None)
            operation = document["do"]
            return Plan(covered, rdatas, self._operation(operation, reader), operation)
        except (KeyError, TypeError, IndexError, RecursionError) as error:
            raise ValueError(f"no plan: {error}") from error

    def _operation(self, operation: Any, reader: _Reader) -> Select:
        if operation is None:
            return lambda who: None
        name, *arguments = operation
        if name == "fixed":
            outcome = reader.outcome(arguments[0])
            return lambda who: outcome
        if name in ("random", "hashed"):
            return self._pick(name, reader.singles(arguments[0]))
        if name == "sample":
            return self._sample(int(arguments[0]), list(arguments[1]), reader)
        if name == "weighted":
            return self._weighted(arguments[0], arguments[1], reader)
        if name == "ring":
            return self._ring(arguments[0], reader)
        if name == "closest":
            pairs = tuple((item, bytes.fromhex(address)) for item, address in arguments[0])
            return self._closest(pairs, reader)
        if name == "up":
            return self._up(arguments[0], arguments[1], arguments[2], reader)
        if name == "if":
            return self._if(arguments[0], arguments[1], reader)
        raise ValueError(f"operation {name!r}")

    def _pick(self, name: str, singles: list[Outcome]) -> Select:
        count = len(singles)
        if not count:
            raise ValueError("nothing to choose from")
        if name == "hashed":
            return lambda who: singles[client_hash(who) % count]
        random = self._random
        return lambda who: singles[int(random() * count)]

    def _sample(self, size: int, items: list[int], reader: _Reader) -> Select:
        random, count = self._random, len(items)
        if not 0 <= size <= count:
            raise ValueError("size of a sample")

        def select(who: bytes) -> Outcome:
            left = items.copy()
            for place in range(size):
                other = place + int(random() * (count - place))
                left[place], left[other] = left[other], left[place]
            return reader.outcome(left[:size])

        return select

    def _weighted(self, name: str, pairs: list[tuple[int, int]], reader: _Reader) -> Select:
        sums = list(accumulate(weight for weight, _ in pairs))
        singles = reader.singles([item for _, item in pairs])
        total = sums[-1]
        if total <= 0:
            raise ValueError("weights")
        if name == "hashed":
            return lambda who: singles[bisect_right(sums, client_hash(who) % total)]
        random = self._random
        return lambda who: singles[bisect_right(sums, int(random() * total))]

    def _ring(self, points: list[tuple[int, int, str]], reader: _Reader) -> Select:
        from lzc.lua.ring import Rings

        if self._rings is None:
            self._rings = Rings()
        owner = self._rings.owner
        key = b"".join(b"%d %b\0" % (weight, text.encode("latin-1")) for weight, _, text in points)
        singles = reader.singles([item for _, item, _ in points])
        return lambda who: singles[owner(key, client_hash(who)) - 1]

    def _closest(self, candidates: _Candidates, reader: _Reader) -> Select:
        if not candidates:
            raise ValueError("nothing to choose from")
        contest = _Contest([((reader.item(item),), address) for item, address in candidates])
        nearest, random = self._nearest, self._random

        def select(who: bytes) -> Outcome:
            found = nearest(contest, who)
            return found[0] if len(found) == 1 else found[int(random() * len(found))]

        return select

    def _find_nearest(self, contest: _Contest, who: bytes) -> tuple[Outcome, ...]:
        here = self._place(who)
        latitude, longitude = here[3], here[4]
        least = float("inf")
        nearest: list[Outcome] = []
        for single, address in contest.candidates:
            place = self._place(address)
            dy, dx = latitude - place[3], longitude - place[4]
            # From the east to the west only, as PowerDNS does.
            if dx > 180:
                dx = 360 - dx
            distance = dy * dy + dx * dx
            if distance < least:
                least, nearest = distance, [single]
            elif distance == least:
                nearest.append(single)
        return tuple(nearest)

    def _up(
        self, selector: str, backup: str, sets: list[list[tuple[int, str, Any]]], reader: _Reader
    ) -> Select:
        every = [
            [
                (reader.item(item), bytes.fromhex(address), Check.from_document(check))
                for item, address, check in candidates
            ]
            for candidates in sets
        ]
        health = self._health
        made: dict[tuple[str, _Candidates], Select] = {}

        def choice() -> Select:
            name, candidates = backup, [entry for entries in every for entry in entries]
            for entries in every:
                up = [entry for entry in entries if health.status(entry[2])]
                if up:
                    name, candidates = selector, up
                    break
            pairs = tuple((item, address) for item, address, _ in candidates)
            found = made.get((name, pairs))
            if found is None:
                if len(made) >= _KEPT_CHOICES:
                    made.clear()
                found = made[name, pairs] = self._among(name, pairs, reader)
            return found

        # Statuses are asked for when the first query comes, as a record does.
        generation = 0
        current: Select | None = None

        def select(who: bytes) -> Outcome | None:
            nonlocal generation, current
            newest = health.generation()
            if newest != generation or current is None:
                current = choice()
                generation = newest
            return current(who)

        return select

    def _among(self, name: str, candidates: _Candidates, reader: _Reader) -> Select:
        items = [item for item, _ in candidates]
        if name == "all":
            outcome = reader.outcome(items)
            return lambda who: outcome
        if name == "empty":
            return lambda who: ()
        if name == "pickclosest":
            return self._closest(candidates, reader)
        if name in ("random", "hashed"):
            return self._pick(name, reader.singles(items))
        raise ValueError(f"selector {name!r}")

    def _if(self, branches: list[tuple[Any, Any]], otherwise: Any, reader: _Reader) -> Select:
        decision = _Decision([self._condition(*condition) for condition, _ in branches])
        ways = [self._operation(operation, reader) for _, operation in branches]
        ways.append(self._operation(otherwise, reader))
        branch = self._branch
        return lambda who: ways[branch(decision, who)](who)

    def _find_branch(self, decision: _Decision, who: bytes) -> int:
        conditions = decision.conditions
        for place, holds in enumerate(conditions):
            if holds(who):
                return place
        return len(conditions)

    def _condition(self, name: str, wanted: list[Any]) -> _Condition:
        if name == "netmask":
            networks: dict[int, list[tuple[int, int]]] = {4: [], 16: []}
            for text, bits in wanted:
                network = bytes.fromhex(text)
                shift = len(network) * 8 - bits
                networks[len(network)].append((int.from_bytes(network, "big") >> shift, shift))

            def contained(who: bytes) -> bool:
                number = int.from_bytes(who, "big")
                return any(number >> shift == base for base, shift in networks[len(who)])

            return contained
        field = _FIELDS[name]
        values = frozenset(value.encode() if isinstance(value, str) else value for value in wanted)
        place = self._place
        return lambda who: place(who)[field] in values

    def _read_place(self, packed: bytes) -> tuple[Any, ...]:
        fields = self._geo.lookup(packed) if self._geo is not None else {}
        return (
            _code(fields.get("country")),
            _code(fields.get("continent")),
            _code(fields.get("region")),
            float(fields.get("latitude", 0)),
            float(fields.get("longitude", 0)),
            fields.get("asn"),
        )


def _widest(operation: Any, sizes: list[int]) -> int:
    """What `Plan.widest` is; ``sizes`` are those of the RDATA."""
    if operation is None:
        return 0
    name, *arguments = operation
    if name == "if":
        ways = [way for _, way in arguments[0]]
        return max(_widest(way, sizes) for way in (*ways, arguments[1]))
    if name in ("fixed", "hashed", "ring") or (name == "weighted" and arguments[0] == "hashed"):
        return 0
    count = 1
    if name == "up":
        items = [item for candidates in arguments[2] for item, _, _ in candidates]
    elif name == "closest":
        items = [item for item, _ in arguments[0]]
    elif name == "weighted":
        items = [item for _, item in arguments[1]]
    else:
        items = arguments[-1]
        count = arguments[0] if name == "sample" else 1
    found = sorted([_RR_HEAD + sizes[item] for item in items], reverse=True)
    even = found[0] == found[-1] and (count == 1 or len(set(items)) == len(items))
    return 0 if even else sum(found[:count])


def _code(value: Any) -> bytes | None:
    return None if value is None else str(value).encode().lower()


class _Contest:
    """Candidates and where they are; compared by identity, as what memories are kept by."""

    __slots__ = ("candidates",)

    def __init__(self, candidates: list[tuple[Outcome, bytes]]) -> None:
        self.candidates = candidates


class _Decision:
    """Conditions, tried in order; compared by identity."""

    __slots__ = ("conditions",)

    def __init__(self, conditions: list[_Condition]) -> None:
        self.conditions = conditions


class _Reader:
    """Checks the items of a plan; ``most`` is how many RRs an answer may have."""

    def __init__(self, count: int, most: int | None) -> None:
        self._count = count
        self._most = most

    def item(self, value: Any) -> int:
        if type(value) is not int or not 0 <= value < self._count:
            raise ValueError(f"item {value!r}")
        return value

    def outcome(self, items: Sequence[Any]) -> Outcome:
        return tuple(dict.fromkeys(map(self.item, items)))[: self._most]

    def singles(self, items: Sequence[Any]) -> list[Outcome]:
        return [(self.item(item),) for item in items]
