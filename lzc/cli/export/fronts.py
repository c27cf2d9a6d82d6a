"""``lzc export dnsdist``, ``recursor`` and ``unbound``: what stands before this server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from lzc import config
from lzc.cli.export import files
from lzc.cli.export.secondaries import diff_option, output_option
from lzc.cli.options import config_option

PROGRAMS: Final = {
    "dnsdist": """Write what dnsdist needs to stand before lzc.

    dnsdist.conf has a pool with this server, the zones that it is asked for, and the subnets of
    clients where LUA records answer by these, but in no message that is signed.
    """,
    "recursor": """Write what PowerDNS Recursor needs to ask lzc for its zones.

    recursor.yml is for versions from 5.0 on, recursor.conf and recursor-zones.txt for older ones:
    the zones, and the subnets of clients where LUA records answer by these.
    """,
    "unbound": """Write what unbound needs to ask lzc for its zones.

    unbound.conf has the zones, and the subnets of clients where LUA records answer by these.
    """,
}
"""What the command says of itself, by program."""


def _command(program: str) -> click.Command:
    @click.command(program, help=PROGRAMS[program])
    @config_option
    @output_option
    @diff_option
    def command(config_path: Path, output: Path, only_diff: bool) -> None:
        from lzc.secondary import fronts
        from lzc.secondary.zones import Zones

        settings = config.load(config_path)
        made = fronts.provision(settings, program, Zones.of(settings, config_path))
        if only_diff:
            files.show_all_changes(output, made.files)
        else:
            files.write_all(output, made.files)

    return command


dnsdist, recursor, unbound = map(_command, PROGRAMS)
