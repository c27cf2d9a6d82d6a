"""Plans: what LUA records of common forms choose among, and how, as data; and what they choose.

A plan is made at build time (`lzc.lua.recognition.recogniser`) and answers as its record would,
without Lua. It is JSON: ``v`` the version of this format, ``as`` the version of PowerDNS whose
answers it gives, which texts are read by, ``type`` the type answered for, ``data`` the RDATA of all
there is to choose from, in hex and each once, and ``do`` an operation, an array that starts with
its name. Items are positions in ``data``, from 0::

    ["fixed", [item …]]                       all of them
    ["random", [item …]]                      one of them
    ["hashed", [item …]]                      one, by the client's hash
    ["sample", count, [item …]]               so many of them, in random order
    ["weighted", "random" | "hashed" | "named", [[weight, item] …]]    in the order they are walked;
                                              "named": by the hash of the QNAME
    ["ring", [[weight, item, text] …]]        one, by the client's hash: `lzc.lua.engine.ring`
    ["closest", [[item, address] …]]          the nearest one; addresses in hex
    ["magic"]                                 the nearest of the addresses in the QNAME
    ["up", selector, backup, [[[item, address, check] …] …], first, strict]
                                              sets of candidates, by their checks
    ["weights", [[item, address, check] …]]   candidates, by the weights that checks found
    ["text", [part …]]                        the RDATA that a text is
    ["forward" | "forward6", networks | null, fallback | null, digits, labels]
                                              an address from the QNAME
    ["reverse" | "reverse6", pattern, {address: name …}, zeros]          a name from the QNAME
    ["if", [[condition, operation] …], operation]              the first that holds, or the last

Conditions are ``["netmask", [[network, bits] …]]``, ``["country", [code …]]``, ``continent`` and
``region`` likewise, ``["asnum", [number …]]``, ``["code", "country" …, text]`` for a code that is
equal to the text, ``["octets", 4 | 16]`` for the family of the address, ``["not", condition]``, and
``["every" | "some", [condition …]]``. Parts of a text are ``["is", text]``, ``country``,
``continent`` and ``region`` for a code, ``latlon``, ``latlonloc``, ``["geo", attribute]``,
``client``, ``name`` (the QNAME), and ``["label", number]``. A check is an object of those fields of
`lzc.health_check.Check` that are not as usual; ``strict`` leaves it to Lua to fail where none has
completed, and ``first`` has those of the first set alone for a backup. Without a ``fallback``, what
is in no network is NODATA; ``digits`` are "ten" where eight of them make an address behind two
other characters only, and "ending" where they do at the end of a label; ``labels`` is how many
stand behind those that are read, 0 for those of the apex; ``zeros`` keep hyphens from the ends of
an address. An operation may be null: that is left to Lua.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from lzc import foreign_json
from lzc.health_check import Check
from lzc.powerdns_versions import LATEST, Version, shown
from lzc.wire import rrtype

VERSION: Final = 2

_RR_HEAD: Final = 12
_OF_NAMES: Final = frozenset(("forward", "forward6", "reverse", "reverse6"))
_PARTS_OF_NAMES: Final = frozenset(("is", "name", "label"))
"""Parts that are the same whoever asks."""

Outcome = tuple[int | bytes, ...]
"""Positions in `Plan.rdatas`, or RDATA that are not among them, in the order of the answer, none
twice; empty for NODATA."""

Select = Callable[[bytes, bytes, bytes], Outcome | None]
"""The outcome for a client (its packed address, or that of its network in ECS), a QNAME (a wire
name, its case as asked) and the apex of its zone; `None`: run Lua."""

Text = Callable[[bytes, bytes, bytes], bytes | None]
"""A text, likewise, that is to be read as RDATA; `NOTHING` for NODATA."""

NOTHING: Final = b"\0nothing"
"""No text: known by its identity."""

Candidates = tuple[tuple[Outcome, bytes], ...]
"""Outcomes of one RDATA each, with packed addresses."""


class Checked(NamedTuple):
    """A candidate: the outcome that it alone is, with its packed address; what is checked of it."""

    candidate: tuple[Outcome, bytes]
    check: Check


def plan_key(code: bytes, covered: int, apex: bytes, version: Version, encloser: int) -> bytes:
    """The 16 octets under which a bundle has the plan of a record's joined ``code`` for a version
    of PowerDNS; ``encloser`` as in `lzc.lua.engine.execution.QueryContext`. Zones share their
    plans, but for code that includes what another zone may have otherwise."""
    where = apex if b"include" in code else b""
    head = bytes((*version, encloser if reads_labels(code) else 0)) + covered.to_bytes(2, "big")
    return blake2b(head + where + code, digest_size=16).digest()


def reads_labels(code: bytes) -> bool:
    """Whether the plan of a record depends on how many labels its owner has."""
    return b"createForward" in code


def encode(
    covered: int, rdatas: Sequence[bytes], operation: list[Any], version: Version = LATEST
) -> bytes:
    """A plan as octets, always the same for the same plan."""
    document = {
        "v": VERSION,
        "as": shown(version),
        "type": covered,
        "data": [rdata.hex() for rdata in rdatas],
        "do": operation,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def checks_in(encoded: bytes) -> set[Check]:
    """All that a plan asks about, whoever the client is."""
    return checks_of(foreign_json.parse(encoded)["do"])


def checks_of(operation: list[Any]) -> set[Check]:
    """All that an operation of a plan asks about."""
    found: set[Check] = set()
    waiting = [operation]
    while waiting:
        name, *arguments = waiting.pop() or ["fixed"]
        if name == "if":
            waiting += [way for _, way in arguments[0]]
            waiting.append(arguments[1])
        elif name in ("up", "weights"):
            for entries in arguments[2] if name == "up" else arguments[:1]:
                found.update(Check.from_document(check) for _, _, check in entries)
    return found


def is_fixed(operation: Any) -> bool:
    """True where an operation has but one outcome for a QNAME, whoever asks."""
    name = operation[0]
    if name == "text":
        return all(part[0] in _PARTS_OF_NAMES for part in operation[1])
    if name == "weighted":
        return bool(operation[1] == "named")
    return name == "fixed" or name in _OF_NAMES


def widest(operation: Any, sizes: list[int]) -> int:
    """How many octets the RRs of a random outcome take at most, owners being pointers, and 0 where
    all that are possible take the same; ``sizes`` are those of the RDATA."""
    if operation is None:
        return 0
    name, *arguments = operation
    if name == "if":
        ways = [way for _, way in arguments[0]]
        return max(widest(way, sizes) for way in (*ways, arguments[1]))
    if name not in ("random", "sample", "weighted", "closest", "up", "weights"):
        return 0
    if name == "weighted" and arguments[0] != "random":
        return 0
    count = 1
    if name == "up":
        items = [item for candidates in arguments[2] for item, _, _ in candidates]
    elif name == "weights":
        items = [item for item, _, _ in arguments[0]]
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


class Reader:
    """Checks the items of a plan for type ``covered`` with ``count`` RDATA, for a ``version`` of
    PowerDNS; ``is_open`` once it turned out that there may be others."""

    def __init__(self, covered: int, count: int, version: Version) -> None:
        self.covered = covered
        self.version = version
        self.is_open = False
        self._count = count
        # One name has one CNAME.
        self._most = 1 if covered == rrtype.CNAME else None

    def item(self, value: Any) -> int:
        """The position of an RDATA. Raises `ValueError` for any other value."""
        if type(value) is not int or not 0 <= value < self._count:
            raise ValueError(f"item {value!r}")
        return value

    def outcome(self, items: Sequence[Any]) -> Outcome:
        """The outcome that all these items are."""
        return tuple(dict.fromkeys(map(self.item, items)))[: self._most]

    def singles(self, items: Sequence[Any]) -> list[Outcome]:
        """The outcomes that each of these is; one at least. Raises `ValueError`."""
        if not items:
            raise ValueError("nothing to choose from")
        return [(self.item(item),) for item in items]

    def candidates(self, entries: Sequence[tuple[Any, str, Any]]) -> list[Checked]:
        """Likewise with what is checked of each. Raises `ValueError` or `TypeError`."""
        singles = self.singles([item for item, _, _ in entries])
        return [
            Checked((single, bytes.fromhex(address)), Check.from_document(check))
            for single, (_, address, check) in zip(singles, entries, strict=True)
        ]
