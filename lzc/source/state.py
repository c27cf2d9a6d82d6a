"""What reading a zone file keeps between its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lzc.source.lexer import Token
from lzc.source.names import NameTables
from lzc.zone.model import LuaSource, Zone
from lzc.zone.place import Fault, Place, Severity

MAX_ERRORS: Final = 10_000
"""Errors after which a zone is given up: nobody reads further."""


MAX_WARNINGS: Final = 1000
"""Warnings kept; more of them are left out."""


class TooManyFaults(Exception):
    """`MAX_ERRORS` is reached; what was found is in the state's ``faults``."""


@dataclass(slots=True)
class FileScope:
    """Where we are in one file. ``$INCLUDE`` starts a new scope, so that origin and owner are as
    before when it returns (RFC 1035 §5.1).

    ``owner`` is the node key a line with a blank owner means; None with ``owner_known`` false when
    no owner was named yet, and None with it true when the last one was at fault. ``folder`` is
    where relative ``$INCLUDE`` paths start; None where the text has none.
    """

    file: str
    file_index: int
    names: NameTables
    folder: Path | None = None
    owner: bytes | None = None
    owner_known: bool = False

    def place(self, token: Token) -> Place:
        """The place of a field of this file."""
        return Place(self.file, token.line, token.column)


@dataclass(slots=True)
class ReadState:
    """What all the files of one zone share.

    ``default_ttl`` is that of ``$TTL``, or the SOA minimum where the SOA came first without a TTL;
    ``last_ttl`` the last one written on a record. Both are None until known, and outlive an
    included file, as on other servers. ``open_files`` are the files being read, outermost first.
    ``lua_join`` stands between the strings of a LUA record; ``lua_files`` are the .lua files read
    so far, by path and by whether the covered type is LUA (None: at fault), and ``lua_faults`` the
    places of syntax errors that were reported.
    """

    zone: Zone
    root: Path | None = None
    faults: list[Fault] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    default_ttl: int | None = None
    last_ttl: int | None = None
    open_files: list[Path] = field(default_factory=list)
    lua_join: bytes = b""
    lua_files: dict[tuple[Path, bool], LuaSource | None] = field(default_factory=dict)
    lua_faults: set[Place] = field(default_factory=set)
    tables: dict[bytes, NameTables] = field(default_factory=dict)

    def names(self, origin: bytes) -> NameTables:
        """The tables for names relative to ``origin`` (a wire name), kept over its changes."""
        tables = self.tables.get(origin)
        if tables is None:
            if len(self.tables) >= 256:
                self.tables.clear()
            tables = self.tables[origin] = NameTables(origin, self.zone.apex)
        return tables

    def report(self, place: Place, rule: str, message: str, why: str = "", fix: str = "") -> None:
        """Note an error. Raises `TooManyFaults`."""
        self.add(Fault(place, rule, message, why, fix))

    def warn(self, place: Place, rule: str, message: str, why: str = "", fix: str = "") -> None:
        """Note a warning, unless `MAX_WARNINGS` were noted before."""
        self.warnings += 1
        if self.warnings <= MAX_WARNINGS:
            self.faults.append(Fault(place, rule, message, why, fix, Severity.WARNING))

    def add(self, fault: Fault) -> None:
        """Note an error. Raises `TooManyFaults`."""
        self.faults.append(fault)
        self.errors += 1
        if self.errors >= MAX_ERRORS:
            raise TooManyFaults
