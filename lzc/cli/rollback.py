"""``lzc rollback``: make the content of an older bundle live again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lzc import config
from lzc.cli.build import change_lines
from lzc.cli.faults import fault_as_dict, show_faults
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.compiler import pipeline, rollback
from lzc.compiler.rollback import RolledBack
from lzc.faults import InputError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        output = config.load(ctx.params.get("config_path") or Path("lzc.toml")).output
    except (InputError, OSError):
        return []
    listed = (one for one in rollback.bundles(output) if not one.live)
    return [CompletionItem(one.id) for one in listed if one.id.startswith(incomplete)]


@click.command("rollback")
@click.argument(
    "wanted",
    required=False,
    metavar="[ID]",
    shell_complete=_complete,
    help="The bundle's id, or its beginning.  [default: the one that was live before]",
)
@config_option
@click.option(
    "--as-is",
    is_flag=True,
    help="Make the very bundle live, with its serials, which secondaries may not take.",
)
@click.option("--list", "only_list", is_flag=True, help="List the bundles, and change nothing.")
@format_option
def command(
    wanted: str | None, config_path: Path, as_is: bool, only_list: bool, output_format: str
) -> None:
    """Make the content of an older bundle live again.

    A bundle of that content is made, in which zones whose content is not the last that was handed
    out have greater serials, so that secondaries follow. Sources are neither read nor written: what
    they say is live again after the next build. The last word on stdout is the bundle's id.
    """
    settings = config.load(config_path)
    if only_list:
        _list(settings.output, output_format)
        return
    result = rollback.roll_back(settings, wanted, pipeline.build_time(), as_is=as_is)
    if output_format == "json":
        changes = result.changes
        echo_json(
            {
                "id": result.id,
                "of": result.of,
                "before": result.before,
                "zones": result.zones,
                "changed": [one.to_document() for one in changes.changed],
                "came": [one.to_document() for one in changes.came],
                "went": [one.to_document() for one in changes.went],
                "faults": [fault_as_dict(fault) for fault in result.warnings],
            }
        )
        return
    _show(result)


def _show(result: RolledBack) -> None:
    if result.warnings:
        show_faults(result.warnings, "text")
    for line in change_lines(result.changes, went="that bundle has no such zone"):
        echo(line)
    echo("the sources were not touched: what they say is live again with the next build")
    what = "the very bundle" if result.id == result.of else f"the content of {result.of}"
    echo(f"{result.zones} zone(s), {what} instead of {result.before or 'none'}: {result.id}")


def _list(output: Path, output_format: str) -> None:
    found = rollback.bundles(output)
    if output_format == "json":
        keys = ("id", "built_at", "zones", "live")
        echo_json({"bundles": [{key: getattr(one, key) for key in keys} for one in found]})
        return
    for one in found:
        echo(str(one))
