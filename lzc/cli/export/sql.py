"""``lzc export sql``: what PowerDNS's generic SQL backends are to hold."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import click

from lzc import config
from lzc.cli.export import files
from lzc.cli.export.secondaries import chosen, output_option, secondary_option, secrets_option
from lzc.cli.faults import show_faults
from lzc.cli.options import config_option
from lzc.cli.screen import echo
from lzc.faults import Fault
from lzc.foreign_text import shown

BACKENDS = ("gsqlite3", "gpgsql", "gmysql")


@click.command("sql")
@config_option
@click.option(
    "--backend",
    required=True,
    type=click.Choice(BACKENDS),
    help="The backend of PowerDNS, which is that of SQLite, PostgreSQL, or MariaDB and MySQL.",
)
@secondary_option
@output_option
@secrets_option
@click.option(
    "--zones",
    "with_records",
    is_flag=True,
    help="Write the zones of the live bundle with their records, for a PowerDNS without transfers.",
)
@click.option(
    "--diff",
    "dsn",
    metavar="DSN",
    help="Show which rows would come, go and change in this database, and write nothing.",
)
def command(
    config_path: Path,
    backend: str,
    name: str | None,
    output: Path,
    secrets: bool,
    with_records: bool,
    dsn: str | None,
) -> None:
    """Write SQL for PowerDNS that has its zones in a database.

    For each secondary that runs it there is a folder of its name, with powerdns-BACKEND.sql: zones
    of type SLAVE, keys of TSIG, and metadata; or, with --zones, zones of type NATIVE with all their
    records. Run twice, it changes nothing more. DSN is the file of SQLite, what libpq takes, or
    mysql://USER:PASSWORD@HOST:PORT/DATABASE.
    """
    from lzc.bundle import current
    from lzc.bundle.unusable import usable
    from lzc.dnssec.keystore.keystore import Keystore
    from lzc.secondary.sql import export, wanted
    from lzc.secondary.sql.dialect import DIALECTS
    from lzc.secondary.zones import Zones

    settings = config.load(config_path)
    sections = chosen(settings, config_path, "powerdns", name)
    if dsn is not None and len(sections) > 1:
        raise click.BadParameter("--diff is about one of them: say which", param_hint="--secondary")
    zones, keystore, now = Zones.of(settings, config_path), Keystore.of(settings), time.time()
    dialect, made, warnings = DIALECTS[backend], [], list[Fault]()
    with ExitStack() as stack:
        for section in sections:
            if with_records:
                stack.enter_context(usable(settings.output, config_path))
                bundle = stack.enter_context(current.open_live(settings.output))
                state, said = wanted.with_records(
                    settings, section, zones, keystore, now, bundle, secrets=secrets
                )
            else:
                state, said = wanted.of_secondary(
                    settings, section, zones, keystore, now, secrets=secrets
                )
            warnings += said
            if dsn is not None:
                lines = [shown(line) for line in export.difference(dialect, dsn, state)]
                echo("\n".join(lines) or "nothing would change")
            else:
                made.append(export.script(settings, section, dialect, state, secrets=secrets))
    if warnings:
        show_faults(warnings, "text")
    if dsn is None:
        files.write_all(output, made)
