"""Options that commands share, and arguments that are more than text.

``@config_option`` passes ``config_path: Path``; the command gives it to `lzc.config.load`.
``@format_option`` passes ``output_format: str``, ``"text"`` or ``"json"``; faults that end the
command follow it too (`lzc.cli.faults`).
``@socket_option`` passes ``socket_path: Path | None``, ``@bundle_option`` passes
``bundle_path: Path | None``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class ReadParam(click.ParamType[Any]):
    """What a function reads from text; its `ValueError` is wrong usage."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read the argument."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _note_format(ctx: click.Context, _: click.Parameter, value: str) -> str:
    # Contexts share `meta` with their parents, which is how the group learns of it.
    ctx.meta["lzc.format"] = value
    return value


config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("lzc.toml"),
    metavar="FILE",
    help="The project's configuration.",
)

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    is_eager=True,
    callback=_note_format,
    help="How data and faults are printed.",
)

bundle_option = click.option(
    "--bundle",
    "bundle_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A bundle, or a folder of bundles (its live one).  [default: output of [build]]",
)

socket_option = click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path),
    help="The server's control socket; lzc.toml is not read then.  [default: as lzc.toml says]",
)
