"""``lzc diff``: what differs between two bundles, or between a bundle and the sources."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from lzc import config as settings
from lzc.bundle.unusable import usable
from lzc.cli.faults import show_faults
from lzc.cli.options import config_option, format_option
from lzc.cli.zone_names import complete_zones
from lzc.faults import Fault, InputError
from lzc.wire import name as wire_name


@click.command("diff")
@click.argument("before", metavar="[A]", default="live", help="What there was.  [default: live]")
@click.argument(
    "after",
    metavar="[B]",
    required=False,
    help="What there is now.  [default: the sources of the configuration]",
)
@config_option
@click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_zones,
    help="Only this zone; may be given again.",
)
@click.option(
    "--exit-code", is_flag=True, help="Exit with 1 when they differ, with 2 when comparing failed."
)
@format_option
def command(
    before: str,
    after: str | None,
    config_path: Path,
    zones: tuple[str, ...],
    exit_code: bool,
    output_format: str,
) -> None:
    """Show what differs between A and B, zone by zone.

    Each is a bundle, a folder of bundles (its live one), `live` for the live bundle of the
    configuration, or sources: an lzc.toml or the folder it is in. Sources are compiled in memory;
    nothing is written. Without A and B: what would lzc build change? Health checks are left out
    with --zone, as they may be shared by zones. Sources that a build would refuse for a serial are
    compared all the same; then the exit code is 1.
    """
    try:
        differs, faults = _diff(before, after, config_path, _apexes(zones), output_format)
    except InputError as error:
        if not exit_code:
            raise
        show_faults(error.faults, output_format)
        click.get_current_context().exit(2)
    if faults and output_format != "json":
        show_faults(faults, output_format)
    if faults or (differs and exit_code):
        click.get_current_context().exit(1)


def _diff(
    before: str,
    after: str | None,
    config_path: Path,
    apexes: frozenset[bytes] | None,
    output_format: str,
) -> tuple[bool, list[Fault]]:
    """Show what differs, and tell whether anything does, and for what the sources could not be
    built."""
    # What --help does without.
    from lzc.cli.diff import as_json, as_text
    from lzc.cli.diff.foreseeing import foreseeing
    from lzc.cli.diff.side import LIVE, Comparison, side, sources
    from lzc.compare.bundles import compare, compare_checks

    with ExitStack() as stack, usable(Path(before), config_path, given=before != LIVE):
        old = side(before, config_path, stack)
        if after is None:
            new = sources(config_path)
        else:
            with usable(Path(after), config_path, given=after != LIVE):
                new = side(after, config_path, stack)
        insert_whitespace = _insert_whitespace(config_path)
        if apexes is not None:
            # A misspelt zone must not look like one that did not change.
            known = {info.apex for each in (old, new) for info in each.state.zones()}
            missing = ", ".join(sorted(map(wire_name.to_text, apexes - known)))
            if missing:
                raise click.BadParameter(f"neither side has {missing}", param_hint="--zone")
        meaning = partial(as_text.layout_of, insert_whitespace=insert_whitespace)
        changes = compare(old.state, new.state, meaning, apexes)
        # Checks belong to no zone in particular: several may ask for the same.
        sides = ((), ()) if apexes else (old.state.checks, new.state.checks)
        checks = compare_checks(*sides)
        show = as_json.show if output_format == "json" else as_text.show
        foresee = foreseeing(old, new)
        differs = show(Comparison(old, new, changes, checks, insert_whitespace, foresee))
        return differs, [*old.faults, *new.faults]


def _apexes(names: Sequence[str]) -> frozenset[bytes] | None:
    if not names:
        return None
    found = set()
    for name in names:
        try:
            found.add(wire_name.from_text(name, wire_name.ROOT).lower())
        except wire_name.InvalidName as error:
            raise click.BadParameter(f"{name}: {error}", param_hint="--zone") from error
    return frozenset(found)


def _insert_whitespace(config_path: Path) -> bool:
    """How strings join into code: as the configuration says, where there is one."""
    said = settings.load(config_path).lua.insert_whitespace if config_path.is_file() else None
    return said is not False
