"""``lzc build``: compile the project's zones into a bundle and make it the live one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from lzc import config
from lzc.cli.faults import fault_as_dict, show_faults
from lzc.cli.options import config_option, format_option
from lzc.cli.progress import progress_bar
from lzc.cli.screen import echo, echo_json
from lzc.cli.zone_names import complete_zones, known_zones
from lzc.compiler import pipeline
from lzc.compiler.incremental.changes import Changes, ZoneChange
from lzc.compiler.incremental.kept import Kept
from lzc.compiler.pipeline import BuildResult
from lzc.foreign_text import shown

SOME_KEPT: Final = 3
"""The exit code where zones failed, and the others went live."""
_SHOWN: Final = 20
"""Zones of a kind that are named for people."""


@click.command("build")
@config_option
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of bundles.  [default: output of [build]]",
)
@click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="ZONE",
    shell_complete=complete_zones,
    help="Build this zone alone, by its name or its file; the others stay as they are live."
    " May be given several times.",
)
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    config_path: Path,
    output: Path | None,
    zones: tuple[str, ...],
    output_format: str,
) -> None:
    """Compile the zones into a bundle and make it the live one.

    All faults of all zones are reported in one run, and then nothing is written; warnings do not
    stop the build. With keep-last-good in [build], a zone that fails stays as it is live, the
    others go live, and the exit code is 3. The last word on stdout is the bundle's id.
    """
    settings = config.load(config_path)

    def build() -> BuildResult:
        with progress_bar() as progress:
            return pipeline.build(
                settings, output, config_path=config_path, progress=progress, words=zones
            )

    result = known_zones(build, "--zone")
    if output_format == "json":
        echo_json(_document(result))
    else:
        _show(result)
    if result.kept:
        ctx.exit(SOME_KEPT)


def _document(result: BuildResult) -> dict[str, Any]:
    changes = result.changes
    return {
        "id": result.id,
        "folder": str(result.folder),
        "zones": result.zones,
        "records": result.records,
        "checks": result.checks,
        "seconds": round(result.seconds, 3),
        **{
            name: [one.to_document() for one in getattr(changes, name)]
            for name in ("changed", "came", "went")
        },
        "kept": [one.to_document() for one in result.kept],
        "named_by_file": result.named_by_file,
        "forms": result.forms,
        "faults": [fault_as_dict(fault) for fault in [*result.failures, *result.warnings]],
    }


def _show(result: BuildResult) -> None:
    told = [*result.failures, *result.warnings]
    if told:
        show_faults(told, "text")
    for line in kept_lines(result.kept):
        echo(line, err=True)
    for line in [*named_lines(result.named_by_file), *result.forms]:
        echo(line)
    for line in change_lines(result.changes):
        echo(line)
    echo(
        f"{result.zones} zone(s), {result.records} records, {result.checks} health check(s) in"
        f" {result.seconds:.2f} s: {result.id}"
    )


def kept_lines(kept: Sequence[Kept]) -> Iterator[str]:
    """Of each zone that failed, what became of it."""
    for one in kept:
        if one.serial is None:
            yield f"LEFT OUT    {shown(one.name)}, which is not live: {one.why}"
        else:
            yield f"KEPT        {shown(one.name)} as it was, with serial {one.serial}: {one.why}"


def named_lines(named: Sequence[str]) -> Iterator[str]:
    """The zones whose files do not end as those of zones do, for people."""
    if named:
        some = ", ".join(map(shown, named[:5]))
        more = f", and {len(named) - 5} more" if len(named) > 5 else ""
        yield f"named by files without .zone: {some}{more}"


def change_lines(changes: Changes, went: str = "it has no source any more") -> Iterator[str]:
    """What is not as it was, for people; nothing where there was nothing before. ``went`` is why
    zones are not served any more."""
    if not changes.known:
        return
    if not changes:
        yield "nothing changed"
    yield from _some("changed", changes.changed)
    yield from _some("came", changes.came)
    yield from _some("WENT", changes.went, f": not served any more, as {went}")


def _some(verb: str, zones: Sequence[ZoneChange], why: str = "") -> Iterator[str]:
    for one in zones[:_SHOWN]:
        name = shown(one.name)
        if one.after is None:
            yield f"{verb:<8} {name}{why}"
        elif one.before in (None, one.after):
            yield f"{verb:<8} {name}, serial {one.after}"
        else:
            said = f": {one.note}" if one.note else ""
            yield f"{verb:<8} {name}, serial {one.before} -> {one.after}{said}"
    if len(zones) > _SHOWN:
        yield f"{verb:<8} and {len(zones) - _SHOWN} more"
