"""``lzc export``: files for other programs."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "powerdns": ("lzc.cli.export.secondaries", "powerdns"),
    "bind": ("lzc.cli.export.secondaries", "bind"),
    "nsd": ("lzc.cli.export.secondaries", "nsd"),
    "knot": ("lzc.cli.export.secondaries", "knot"),
    "sql": ("lzc.cli.export.sql", "command"),
    "catalog": ("lzc.cli.export.secondaries", "catalog"),
    "recursor": ("lzc.cli.export.fronts", "recursor"),
    "unbound": ("lzc.cli.export.fronts", "unbound"),
    "dnsdist": ("lzc.cli.export.fronts", "dnsdist"),
    "prometheus": ("lzc.cli.export.prometheus", "command"),
}
"""Its commands, with the module of each and what it is there."""


class _Exports(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Exports)
def command() -> None:
    """Write files for other programs: secondaries, resolvers, prometheus."""
