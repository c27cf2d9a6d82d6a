"""``lzc check``: all that ``lzc build`` does, but for writing."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lzc import config
from lzc.build import pipeline
from lzc.cli.faults import fault_as_dict, show_faults
from lzc.cli.options import config_option, format_option
from lzc.cli.progress import progress_bar


@click.command("check")
@config_option
@format_option
def command(config_path: Path, output_format: str) -> None:
    """Read, check and compile the zones as build does, but write nothing.

    Exits with 1 when a build would fail; warnings do not count.
    """
    settings = config.load(config_path)
    with progress_bar() as progress:
        result = pipeline.check(settings, config_path=config_path, progress=progress)
    if output_format == "json":
        click.echo(
            json.dumps(
                {
                    "zones": len(result.zones),
                    "records": result.records,
                    "checks": len(result.checks),
                    "faults": [fault_as_dict(fault) for fault in result.warnings],
                },
                indent=2,
            )
        )
        return
    if result.warnings:
        show_faults(result.warnings, "text")
    click.echo(f"{len(result.zones)} zone(s), {result.records} records: no errors")
