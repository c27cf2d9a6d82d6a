"""``lzc build``: compile the project's zones into a bundle and make it the live one."""

from __future__ import annotations

from pathlib import Path

import click

from lzc import config
from lzc.cli.faults import fault_as_dict, show_faults
from lzc.cli.options import config_option, format_option
from lzc.cli.progress import progress_bar
from lzc.cli.screen import echo, echo_json
from lzc.compiler import pipeline


@click.command("build")
@config_option
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of bundles.  [default: output of [build]]",
)
@format_option
def command(config_path: Path, output: Path | None, output_format: str) -> None:
    """Compile the zones into a bundle and make it the live one.

    All faults of all zones are reported in one run, and then nothing is written; warnings do not
    stop the build. The last word on stdout is the bundle's id.
    """
    settings = config.load(config_path)
    with progress_bar() as progress:
        result = pipeline.build(settings, output, config_path=config_path, progress=progress)
    if output_format == "json":
        echo_json(
            {
                "id": result.id,
                "folder": str(result.folder),
                "zones": result.zones,
                "records": result.records,
                "checks": result.checks,
                "seconds": round(result.seconds, 3),
                "faults": [fault_as_dict(fault) for fault in result.warnings],
            },
        )
        return
    if result.warnings:
        show_faults(result.warnings, "text")
    echo(
        f"{result.zones} zone(s), {result.records} records, {result.checks} health check(s) in"
        f" {result.seconds:.2f} s: {result.id}"
    )
