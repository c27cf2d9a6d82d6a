"""``lzc export``: files for other programs."""

from __future__ import annotations

import click

from lzc.cli.export.prometheus import command as prometheus


@click.group()
def command() -> None:
    """Write files for other programs: prometheus."""


command.add_command(prometheus, "prometheus")
