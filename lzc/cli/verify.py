"""``lzc verify``: is a bundle, to the last octet, what was built?"""

from __future__ import annotations

from pathlib import Path

import click

from lzc import config
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.bundle.unusable import usable
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo, echo_json


@click.command("verify")
@click.argument(
    "folder",
    required=False,
    type=click.Path(path_type=Path),
    help="A bundle, or a folder of bundles (its live one).  [default: output of [build]]",
)
@config_option
@format_option
def command(folder: Path | None, config_path: Path, output_format: str) -> None:
    """Hash every file of a bundle and compare with its manifest, whose hash is the bundle's id."""
    where = folder if folder is not None else config.load(config_path).output
    with usable(where, config_path, given=folder is not None):
        path = current.locate(where) if folder is not None else current.live(where)
        with Bundle.open(path) as bundle:
            zones = len(bundle)
            identity = bundle.id
            octets = sum(entry.size for entry in bundle.manifest.files.values())
    if output_format == "json":
        echo_json({"id": identity, "zones": zones, "octets": octets})
    else:
        echo(f"{zones} zone(s), {octets} octets, undamaged: {identity}")
