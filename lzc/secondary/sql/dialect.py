"""The SQL of the databases that PowerDNS has backends for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs: the backend's name and that of the database, how a script begins, what stands
    behind a ``SELECT`` that asks no table, and how operators run the script."""

    backend: str
    title: str
    begin: tuple[str, ...]
    from_nothing: str
    usage: str

    def literal(self, value: str | int | bool | None) -> str:
        """A value, whatever the server's settings are about escapes. Raises `ValueError` for a text
        that no database keeps."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, int):
            return str(value)
        if "\0" in value:
            raise ValueError(f"{value!r} has an octet of zero")
        plain = value.isascii() and value.isprintable()
        doubled = value.replace("'", "''")
        # In SQLite a backslash is one, everywhere.
        if plain and ("\\" not in value or self.backend == "gsqlite3"):
            return f"'{doubled}'"
        if self.backend == "gpgsql":
            return f"E'{''.join(map(_escaped, doubled))}'"
        octets = value.encode().hex().upper()
        if self.backend == "gsqlite3":
            return f"CAST(X'{octets}' AS TEXT)"
        # What a backslash is depends on sql_mode there, what hexadecimal digits are does not.
        return f"_utf8mb4 X'{octets}'"

    def same(self, column: str, value: str) -> str:
        """The condition that a text is this one, octet by octet."""
        literal = self.literal(value)
        if self.backend == "gmysql":
            # By its collation, letters are the same in either case.
            return f"CAST({column} AS BINARY) = CAST({literal} AS BINARY)"
        if self.backend == "gsqlite3":
            return f"{column} = {literal} COLLATE BINARY"
        return f"{column} = {literal}"


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isascii() and character.isprintable():
        return character
    return f"\\U{ord(character):08X}"


DIALECTS: Final = {
    one.backend: one
    for one in (
        Dialect(
            "gsqlite3",
            "SQLite",
            (".bail on", "BEGIN IMMEDIATE;"),
            "",
            "sqlite3 /var/lib/powerdns/pdns.sqlite3 < {file}",
        ),
        Dialect(
            "gpgsql", "PostgreSQL", ("BEGIN;",), "", "psql -v ON_ERROR_STOP=1 -f {file} powerdns"
        ),
        Dialect(
            "gmysql",
            "MariaDB or MySQL",
            ("START TRANSACTION;",),
            " FROM DUAL",
            "mysql powerdns < {file}",
        ),
    )
}
"""By backend."""
