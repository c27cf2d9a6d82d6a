"""Expectations as operators write them: ``[[test]]`` tables of a TOML file."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final

from lzc.config.faults import describe, locate
from lzc.config.table import Before, Field, Table, ValidationError, read_by
from lzc.faults import Fault, InputError, Place
from lzc.lua.engine.geo import GeoFields
from lzc.rehearse.assumed import (
    LOOPBACK,
    PLACE_FIELDS,
    Address,
    Circumstances,
    Network,
    Target,
    check_moment,
    check_place,
    statuses,
)
from lzc.rehearse.expectation import RCODES, Expectation, Rules
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype

_CONTENT: Final = ("answers", "must", "may", "one_of", "sometimes", "must_not")
_EXPECTING: Final = (*_CONTENT, "rcode", "ttl", "signed")

MOST_CLIENTS: Final = 10_000
"""Clients, each in its circumstances, that one test may stand for."""


def _listed(value: Any) -> Any:
    """One value stands for a list of one."""
    return [value] if isinstance(value, str | dict) else value


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: 2026-12-24T18:00:00Z, or +01:00 in place of Z")
    return check_moment(moment)


def _rcode(text: str) -> str:
    if text not in RCODES:
        raise ValueError(f"an RCODE is one of {', '.join(RCODES)}")
    return text


Words = Annotated[list[str], Before(_listed)]
Addresses = Annotated[list[Annotated[str, read_by(ipaddress.ip_address)]], Before(_listed)]
Networks = Annotated[list[Annotated[str, read_by(ipaddress.ip_network)]], Before(_listed)]
Targets = Annotated[list[Annotated[str, read_by(Target.parse)]], Before(_listed)]


class PlaceTable(Table):
    """``place``: where the client is."""

    country: str | None = None
    continent: str | None = None
    region: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None
    asn: int | None = Field(default=None, ge=0)

    def fields(self) -> GeoFields:
        """As geo databases have it."""
        said = vars(self).items()
        return {PLACE_FIELDS[name]: value for name, value in said if value is not None}


def _on_the_map(place: PlaceTable) -> PlaceTable:
    check_place(place.fields())
    return place


Places = Annotated[list[Annotated[PlaceTable, _on_the_map]], Before(_listed)]


class TestTable(Table):
    """``[[test]]``. Of what is expected, `None` is what is not said."""

    __test__ = False

    title: str = ""
    name: str
    type: str = "A"
    client: Addresses = Field(default=[])
    local: Addresses = Field(default=[])
    subnet: Networks = Field(default=[])
    place: Places = Field(default=[])
    down: Targets = Field(default=[])
    up: Targets = Field(default=[])
    unknown: Targets = Field(default=[])
    time: Annotated[datetime, _aware] | None = None
    tcp: bool = False
    rcode: Annotated[str, _rcode] | None = None
    answers: Words | None = None
    must: Words = Field(default=[])
    may: Words | None = None
    one_of: Words | None = None
    sometimes: Words | None = None
    must_not: Words = Field(default=[])
    ttl: int | None = Field(default=None, ge=0, le=2**31 - 1)
    signed: bool | None = None


class TestFile(Table):
    """A whole file."""

    __test__ = False

    test: list[TestTable] = Field(default=[])


def read_expectations(
    file: str, text: str, data: dict[str, Any], now: float, is_served: Callable[[bytes], bool]
) -> list[Expectation]:
    """The expectations of a file; ``data`` is its ``text`` as the TOML parser has it. ``now``
    (seconds since the epoch) is the time of tests that name none; ``is_served`` tells whether a
    lower-case wire name is in one of the zones. Raises `InputError` with every fault found."""
    faults: list[Fault] = []
    try:
        tables = TestFile.read(data).test
    except ValidationError as error:
        for problem in error.problems:
            faults.append(replace(describe(file, text, TestFile, problem), rule="test-value"))
        raise InputError(sorted(faults, key=lambda fault: fault.place)) from error
    found = [
        _Reader(file, text, number, table, now, is_served, faults).expectation()
        for number, table in enumerate(tables)
    ]
    if not tables:
        place, fix = Place(file, 1, 1), "write tests as [[test]] tables"
        faults.append(Fault(place, "test-none", "holds no tests", fix=fix))
    if faults:
        raise InputError(sorted(faults, key=lambda fault: fault.place))
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what needs more than its own value to be read of a test, the one with this number in
    its file; notes what is wrong in ``faults``."""

    file: str
    text: str
    number: int
    table: TestTable
    now: float
    is_served: Callable[[bytes], bool]
    faults: list[Fault]

    def fault(self, key: str, rule: str, what: str, fix: str = "") -> None:
        """Note what is wrong with the value of a key, or (without) with the test as a whole."""
        self.faults.append(Fault(self.place(key), rule, what, fix=fix))

    def place(self, key: str = "") -> Place:
        """Where a key stands, or the test."""
        return locate(self.file, self.text, ("test", self.number, *[key] * bool(key)))

    def expectation(self) -> Expectation:
        """The whole test."""
        table = self.table
        qname, qtype = self.question()
        said = any(getattr(table, name) not in (None, []) for name in _EXPECTING)
        # An empty list says that nothing may come, in these; in others it says nothing.
        if not said and [] not in (table.answers, table.may):
            known = ", ".join(sorted(name.replace("_", "-") for name in _EXPECTING))
            self.fault("", "test-expects-nothing", "the test expects nothing", f"add {known}")
        if table.answers is not None and any(getattr(table, name) for name in _CONTENT[1:]):
            self.fault(
                "answers",
                "test-contradiction",
                "answers lists everything that comes; nothing can be said besides",
                "leave out must, may, one-of, sometimes and must-not, or answers",
            )
        lists: dict[str, Any] = {name: self.rdatas(name, qtype) for name in _CONTENT}
        rcode = RCODES[table.rcode or "NOERROR"]
        rules = Rules(rcode, ttl=table.ttl, signed=table.signed, **lists)
        wanted = rules.must.union(*(lists[name] or frozenset() for name in _CONTENT[2:5]))
        for rdata in sorted(rules.must_not & wanted):
            what = f"{wire_rdata.to_text(qtype, rdata)} is wanted and unwanted at once"
            self.fault("must-not", "test-contradiction", what, "remove it from one list")
        title = table.title or f"{table.name} {table.type}"
        return Expectation(title, self.place(), qname, qtype, self.clients(), rules)

    def question(self) -> tuple[bytes, int]:
        """The name and the type that are asked for."""
        table = self.table
        qname, qtype = wire_name.ROOT, rrtype.A
        try:
            qname = wire_name.from_text(table.name, wire_name.ROOT)
        except wire_name.InvalidName as error:
            self.fault("name", "test-value", f"{table.name}: {error}")
        else:
            if not self.is_served(qname.lower()) and table.rcode != "REFUSED":
                what = f"{table.name} is in none of the zones"
                fix = 'correct the name, or expect rcode = "REFUSED"'
                self.fault("name", "test-name", what, fix)
        try:
            qtype = rrtype.from_text(table.type)
        except ValueError as error:
            self.fault("type", "test-value", str(error))
        return qname, qtype

    def rdatas(self, name: str, qtype: int) -> frozenset[bytes] | None:
        """A list of RDATA in presentation format, TXT with or without its quotes."""
        texts: list[str] | None = getattr(self.table, name)
        if texts is None:
            return None
        key = name.replace("_", "-")
        if texts and qtype in (rrtype.ANY, rrtype.RRSIG, rrtype.LUA):
            what = f"the content of an answer to {self.table.type} cannot be tested"
            self.fault(key, "test-value", what, "ask for each type by itself")
            return frozenset()
        found = set()
        for text in texts:
            is_bare = qtype == rrtype.TXT and not text.startswith('"')
            whole = json.dumps(text, ensure_ascii=False) if is_bare else text
            try:
                rdata = wire_rdata.from_presentation(qtype, whole.encode(), wire_name.ROOT)
                found.add(wire_rdata.canonical(qtype, rdata))
            except wire_rdata.InvalidRdata as error:
                what = f"{text!r} is no RDATA of type {self.table.type}: {error}"
                self.faults.append(Fault(self.element(key, text), "test-value", what))
        return frozenset(found)

    def element(self, key: str, value: str) -> Place:
        """Where a text stands that the value of a key holds; the key, if it is written in a way of
        its own."""
        place = self.place(key)
        written = re.escape(json.dumps(value, ensure_ascii=False)) + "|" + re.escape(f"'{value}'")
        lines = self.text.splitlines()
        for number, line in enumerate(lines[place.line - 1 :], place.line):
            start = place.column if number == place.line else 0
            match = re.compile(written).search(line, start)
            if match:
                return Place(self.file, number, match.start() + 1)
            if number > place.line and re.match(r"\s*(?:\[\[?\w|[\w-]+\s*=)", line):
                break
        return place

    def clients(self) -> tuple[Circumstances, ...]:
        """Every client at every address of its family, with every subnet, in every place."""
        table = self.table
        health: tuple[tuple[Target, bool | None], ...] = ()
        try:
            health = statuses(
                *(list(map(Target.parse, one)) for one in (table.down, table.up, table.unknown))
            )
        except ValueError as error:
            self.fault("", "test-contradiction", str(error))
        asked = self.asked()
        count = len(asked) * max(1, len(table.subnet)) * max(1, len(table.place))
        if count > MOST_CLIENTS:
            self.fault(
                "",
                "test-too-many",
                f"each client with each subnet in each place: {count} questions; {MOST_CLIENTS} are"
                " asked at most",
                "write several tests, each with some of them",
            )
            return ()
        subnets: list[Network | None] = [ipaddress.ip_network(text) for text in table.subnet]
        places: list[GeoFields | None] = [each.fields() for each in table.place]
        return tuple(
            Circumstances(
                self.now if table.time is None else table.time.timestamp(),
                client,
                subnet,
                health,
                place,
                table.time is not None,
                table.signed is not None,
                table.tcp,
                local,
            )
            for (client, local), subnet, place in itertools.product(
                asked, subnets or [None], places or [None]
            )
        )

    def asked(self) -> list[tuple[Address, Address | None]]:
        """Each client with each address that it asks; `None` for one that the server listens on."""
        local = list(map(ipaddress.ip_address, self.table.local))
        found: list[tuple[Address, Address | None]] = []
        for client in map(ipaddress.ip_address, self.table.client or [str(LOOPBACK)]):
            mine: list[Address | None]
            mine = [address for address in local if address.version == client.version]
            if local and not mine:
                what = f"a client at {client} can ask none of these"
                fix = "add an address of its family, IPv4 or IPv6, or leave the client out"
                self.fault("local", "test-contradiction", what, fix)
            found += ((client, address) for address in mine or [None])
        return found
