"""The script for a secondary, or what it would change."""

from __future__ import annotations

from collections.abc import Iterator

from lzc.config import Config, SecondarySection
from lzc.secondary.exported import ExportedFile, folder_name
from lzc.secondary.rendering import render
from lzc.secondary.sql import changes, live
from lzc.secondary.sql.dialect import Dialect
from lzc.secondary.sql.script import statements
from lzc.secondary.sql.state import State


def script(
    config: Config, section: SecondarySection, dialect: Dialect, state: State, *, secrets: bool
) -> ExportedFile:
    """The file, for its owner alone with ``secrets``. Raises `InputError`."""
    name = f"powerdns-{dialect.backend}.sql"
    records = any(one.records is not None for one in state.domains)
    values = {
        "secondary": section,
        "dialect": dialect,
        "what": "Zones with their records" if records else "What makes PowerDNS a secondary",
        "usage": dialect.usage.format(file=name),
        "statements": statements(dialect, state),
    }
    text = render(config, "powerdns.sql", values)
    return ExportedFile(f"{folder_name(section.name)}/{name}", text, secret=secrets)


def difference(dialect: Dialect, dsn: str, state: State) -> Iterator[str]:
    """A line for each row that would come, go or change. Raises `InputError`."""
    with live.opened(dialect.backend, dsn) as select:
        yield from changes.changes(select, state)
