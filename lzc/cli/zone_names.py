"""Names of zones on the command line: those of the project, offered when a shell completes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Made = TypeVar("Made")


def complete_zones(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The zones of the project whose names begin like what was typed; none where ``lzc.toml``
    cannot be read, of which the command itself will tell."""
    from click.shell_completion import CompletionItem

    from lzc import config
    from lzc.compiler.inputs import sources
    from lzc.faults import InputError

    path = ctx.params.get("config_path") or Path("lzc.toml")
    try:
        settings = config.load(path)
        found, _ = sources.find(settings, sources.ConfigFile.of(settings, path))
    except (InputError, OSError, ValueError):
        return []
    typed = incomplete.lower()
    names = (source.name.rstrip(".") or "." for source in found)
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def known_zones(work: Callable[[], Made], param_hint: str) -> Made:
    """What ``work`` gives; a word in it that names no zone is wrong usage."""
    try:
        return work()
    except ValueError as error:
        # Here, as most commands name no zone.
        from lzc.compiler.inputs.selection import UnknownZone

        if not isinstance(error, UnknownZone):
            raise
        raise click.BadParameter(str(error), param_hint=param_hint) from None
