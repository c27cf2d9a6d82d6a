"""What a LUA record was asked, and what it said."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lzc.health_check import Check
from lzc.lua.engine.execution import LuaFailure
from lzc.lua.engine.geo import GeoFields
from lzc.lua.health.reach import Refusal
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype

_CHUNK: Final = re.compile(r'\[string ".*?"\]:(\d+): ', re.DOTALL)
"""How Lua starts a message: the name of the chunk, which is its code, and the line."""

_TEXTS: Final = 256
"""Texts that are kept: thousands of answers by chance have few different records."""


@dataclass(frozen=True, slots=True)
class IncludedRecord:
    """An ``include()``: the owner of the record, and its code or `None` where there is none."""

    name: str
    code: bytes | None


@dataclass(slots=True)
class Execution:
    """One LUA record that was asked, by its plan or by running its code.

    ``owner`` is where the record stands, ``qname`` the name it answered for; ``code`` is joined as
    it runs. ``plan`` is the operation of the record's plan (`lzc.lua.plan`), empty without one;
    ``ran`` tells that the code was run, for want of a plan or as the plan left this query to it.
    ``results`` are what it gave, in presentation form; ``failure`` why it gave nothing, with the
    ``line`` of the code (0: unknown). ``checks`` are those it asked for, with the status it got
    (`None`: not known yet); ``refused`` those of them that a server does not make; ``places`` the
    addresses it had located. ``instructions`` of ``limit`` are `None` where none were counted.
    ``chance`` tells that it drew random numbers; ``outcomes`` are all results that were seen, and
    how often, in ``runs`` answers to the same query with other random numbers; one, without chance.
    """

    owner: str
    qname: str
    covered: str
    ttl: int
    code: bytes
    plan: str = ""
    ran: bool = False
    results: tuple[str, ...] = ()
    failure: str = ""
    line: int = 0
    checks: dict[Check, bool | None] = field(default_factory=dict)
    refused: dict[Check, Refusal] = field(default_factory=dict)
    places: dict[str, GeoFields] = field(default_factory=dict)
    includes: list[IncludedRecord] = field(default_factory=list)
    instructions: int | None = None
    limit: int = 0
    chance: bool = False
    runs: int = 1
    outcomes: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @property
    def outcome(self) -> tuple[str, ...]:
        """What it gave, or why it gave nothing."""
        return (f"SERVFAIL: {self.failure}",) if self.failure else self.results


def place_of(error: LuaFailure) -> tuple[str, int]:
    """Message and line of a failure; the line counts from 1, and is 0 where Lua tells none."""
    found = _CHUNK.match(error.message)
    message = _CHUNK.sub("", error.message)
    return f"{error.kind}: {message}", int(found[1]) if found else 0


@lru_cache(_TEXTS)
def text_of_rdata(covered: int, rdata: bytes) -> str:
    """RDATA as a record returns it: TXT of one string without the quotes around it."""
    text = wire_rdata.to_text(covered, rdata)
    if covered == rrtype.TXT and rdata and rdata[0] + 1 == len(rdata):
        return text[1:-1]
    return text
