"""A database of PowerDNS as it is now: read, and never written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from lzc.faults import InputError

Select = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Answers a query, whose values are ``?`` in it."""
_MYSQL_PORT: Final = 3306


@contextmanager
def opened(backend: str, dsn: str) -> Iterator[Select]:
    """The database of a backend while the block runs: a file for gsqlite3, what libpq takes for
    gpgsql, ``mysql://user:password@host:port/database?unix_socket=PATH`` for gmysql. Raises
    `InputError` where it cannot be read."""
    connect, errors = _OPENERS[backend](dsn)
    try:
        with closing(connect()) as connection:

            def select(query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                cursor = connection.cursor()
                written = query if backend == "gsqlite3" else query.replace("?", "%s")
                cursor.execute(written, tuple(values))
                return [tuple(row) for row in cursor.fetchall()]

            if backend == "gmysql":
                connection.cursor().execute("START TRANSACTION READ ONLY")
            elif backend == "gpgsql":
                connection.read_only = True
            yield select
    except errors as error:
        raise InputError.at(
            f"--diff ({backend})",
            "database-unreadable",
            f"the database cannot be read: {str(error).strip()}",
            "there is nothing to compare with",
            "correct what --diff names, or the rights there; the schema has to be that of PowerDNS",
        ) from error


Opener = tuple[Callable[[], Any], tuple[type[Exception], ...]]


def _sqlite(dsn: str) -> Opener:
    from pathlib import Path

    uri = f"{Path(dsn).absolute().as_uri()}?mode=ro"
    return lambda: sqlite3.connect(uri, uri=True), (sqlite3.Error,)


def _postgres(dsn: str) -> Opener:
    try:
        import psycopg
    except ImportError as error:
        raise _without_driver("psycopg", error) from error
    return lambda: psycopg.connect(dsn), (psycopg.Error,)


def _mysql(dsn: str) -> Opener:
    try:
        import pymysql
    except ImportError as error:
        raise _without_driver("pymysql", error) from error
    try:
        parts = urlsplit(dsn)
        if parts.scheme not in ("mysql", "mariadb") or len(parts.path) < 2:
            raise ValueError("it begins with mysql://, and ends with /DATABASE")
        port = parts.port or _MYSQL_PORT
    except ValueError as error:
        raise InputError.at(
            "--diff (gmysql)",
            "database-name",
            f"the database cannot be told: {error}",
            fix="write mysql://USER:PASSWORD@HOST:PORT/DATABASE, with ?unix_socket=PATH or without",
        ) from error
    socket = dict(parse_qsl(parts.query)).get("unix_socket")

    def connect() -> Any:
        return pymysql.connect(
            host=parts.hostname or "localhost",
            port=port,
            user=None if parts.username is None else unquote(parts.username),
            password=unquote(parts.password or ""),
            database=unquote(parts.path[1:]),
            unix_socket=socket,
        )

    return connect, (pymysql.MySQLError, OSError)


_OPENERS: Final[dict[str, Callable[[str], Opener]]] = {
    "gsqlite3": _sqlite,
    "gpgsql": _postgres,
    "gmysql": _mysql,
}


def _without_driver(module: str, error: ImportError) -> InputError:
    return InputError.at(
        "--diff",
        "no-driver",
        f"{module} cannot be imported: {error}",
        "databases of this kind are read by it",
        "install lzc with its extra: pip install 'lzc-dns[sql]'",
    )
