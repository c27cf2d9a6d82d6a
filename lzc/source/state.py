"""What reading a zone file keeps between its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from lzc.faults import Fault, Place, Severity, unpack
from lzc.source.lexer import ENTRY_LINES, Token
from lzc.source.limits import OVER_LIMIT, OverLimit, Spending
from lzc.source.names import NameTables
from lzc.source.reach import Reach
from lzc.zone.model import PLACE, LuaSource, Zone

MAX_ERRORS: Final = 10_000
"""Errors after which a zone is given up: nobody reads further."""

MAX_WARNINGS: Final = 1000
"""Warnings kept; more of them are left out."""


OTHERWISE: Final = "powerdns-reads-otherwise"
"""The rule of text that PowerDNS and RFC 1035 give two meanings."""

SETTING: Final = 'dialect = "powerdns" in [build]'
"""What has it read as PowerDNS reads it."""

_AHEAD: Final = 100_000
"""Lines that may be read in vain, for parentheses that are never closed."""
_FEW_LINES: Final = 20
"""Lines of an entry from then on."""
_LONGEST: Final = 1000
"""Characters of a message at most; a field may be as long as a file."""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class AtFault(Exception):
    """Nothing comes of an entry, or a file; why is in the state's ``faults``."""


class GivenUp(Exception):
    """No more of the zone is read; why is in the state's ``faults``."""


class TooManyFaults(GivenUp):
    """`MAX_ERRORS` is reached."""


@dataclass(slots=True)
class FileScope:
    """Where we are in one file. ``$INCLUDE`` starts a new scope, so that origin and owner are as
    before when it returns (RFC 1035 §5.1).

    ``owner`` is the node key a line with a blank owner means; None with ``owner_known`` false when
    no owner was named yet, and None with it true when the last one was at fault. ``folder`` is
    where relative ``$INCLUDE`` paths start. ``file_index`` is set when the file is read.
    """

    state: ReadState
    file: str
    names: NameTables
    folder: Path
    owner: bytes | None = None
    owner_known: bool = False
    file_index: int = -1

    def place(self, token: Token) -> Place:
        """The place of a field of this file."""
        return Place(self.file, token.line, token.column)

    def report(
        self, at: Token | Place, rule: str, message: str, why: str = "", fix: str = ""
    ) -> None:
        """Note an error at a field of this file, or wherever. Raises `TooManyFaults`."""
        place = at if isinstance(at, Place) else self.place(at)
        self.state.add(Fault(place, rule, _cut(message), why, _cut(fix)))

    def fail(
        self, at: Token | Place, rule: str, message: str, why: str = "", fix: str = ""
    ) -> NoReturn:
        """Note an error that ends an entry, or a file. Raises `AtFault`, or `TooManyFaults`."""
        self.report(at, rule, message, why, fix)
        raise AtFault

    def differs(
        self, at: Token | Place, message: str, why: str, fix: str, *, is_error: bool = True
    ) -> bool:
        """Note that PowerDNS reads this otherwise, as an error or a warning, unless the entry says
        that RFC 1035's reading is meant. Returns whether it was noted."""
        if OTHERWISE in self.state.ignored:
            return False
        if is_error:
            self.report(at, OTHERWISE, message, why, fix)
        else:
            self.warn(at, OTHERWISE, message, why, fix)
        return True

    def warn(self, at: Token | Place, rule: str, message: str, why: str, fix: str) -> None:
        """Note a warning, unless `MAX_WARNINGS` were noted before."""
        self.state.warnings += 1
        if self.state.warnings <= MAX_WARNINGS:
            place = at if isinstance(at, Place) else self.place(at)
            fault = Fault(place, rule, _cut(message), why, _cut(fix), Severity.WARNING)
            self.state.faults.append(fault)


class AutoHint(NamedTuple):
    """A record with ``ipv4hint=auto`` or ``ipv6hint=auto``: which of the zone's records
    it is, its owner (None: at fault), and the fields of its RDATA."""

    record: int
    owner: bytes | None
    scope: FileScope
    rrtype: int
    tokens: Sequence[Token]


@dataclass(slots=True)
class ReadState:
    """What all the files of one zone share.

    ``default_ttl`` is that of ``$TTL``, or the SOA minimum where the SOA came first without a TTL;
    ``last_ttl`` the last one written on a record. Both are None until known, and outlive an
    included file, as on other servers. ``open_files`` are the files being read, outermost first.
    ``reach`` says which files may be read, ``spending`` counts what is made of them;
    ``directives`` counts those that were understood, which tells a zone file from others.
    ``ahead`` are the lines that were read in vain, ``included`` the files that were read.
    ``in_halves`` lets a second process read half of a large file. ``lua_join`` stands between the
    strings of a LUA record; ``lua_files`` are the .lua files read so far, each with the strings
    that became of it, by path and by whether the covered type is LUA (None: at fault), and
    ``lua_faults`` the places of syntax errors that were reported. With ``powerdns`` files are read
    as PowerDNS reads them. ``ignored`` are the rules that the entry tells not to report;
    ``auto_hints`` are the SVCB and HTTPS records whose hints are yet to be filled in.
    """

    zone: Zone
    reach: Reach
    spending: Spending
    lua_join: bytes
    in_halves: bool
    powerdns: bool = False
    directives: int = 0
    ahead: int = 0
    included: set[Path] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    default_ttl: int | None = None
    last_ttl: int | None = None
    open_files: list[Path] = field(default_factory=list)
    lua_files: dict[tuple[Path, bool], tuple[LuaSource, bytes] | None] = field(default_factory=dict)
    lua_faults: set[Place] = field(default_factory=set)
    ignored: frozenset[str] = frozenset()
    auto_hints: list[AutoHint] = field(default_factory=list)
    tables: dict[bytes, NameTables] = field(default_factory=dict)

    def names(self, origin: bytes) -> NameTables:
        """The tables for names relative to ``origin`` (a wire name), kept over its changes."""
        tables = self.tables.get(origin)
        if tables is None:
            if len(self.tables) >= 256:
                self.tables.clear()
            tables = self.tables[origin] = NameTables(origin, self.zone.apex)
        return tables

    def entry_lines(self) -> int:
        """How many lines an entry may run over: few where many were forgotten to be closed, as what
        follows each of them would be read again and again."""
        return ENTRY_LINES if self.ahead < _AHEAD else _FEW_LINES

    def count_records(self) -> None:
        """Count the records that were read since. Raises `GivenUp` where they are too many."""
        records = self.zone.records
        try:
            self.spending.records(len(records))
        except OverLimit as error:
            raise self.over(unpack(records[-1][PLACE], self.zone.files), error) from error

    def over(self, place: Place, error: OverLimit) -> GivenUp:
        """Note the limit that was passed at ``place``; to be raised."""
        why = "lines that multiply others could take all of a machine's time and memory"
        self.faults.append(Fault(place, OVER_LIMIT, str(error), why, error.fix))
        self.errors += 1
        return GivenUp()

    def add(self, fault: Fault) -> None:
        """Note an error. Raises `TooManyFaults`."""
        self.faults.append(fault)
        self.errors += 1
        if self.errors >= MAX_ERRORS:
            raise TooManyFaults
