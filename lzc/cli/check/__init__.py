"""``lzc check``: all that ``lzc build`` does, but for writing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lzc import config
from lzc.cli.build import named_lines
from lzc.cli.check.fault_formats import Sources, to_github, to_sarif
from lzc.cli.faults import fault_as_dict, shortened, show_faults
from lzc.cli.options import config_option
from lzc.cli.progress import progress_bar
from lzc.cli.screen import echo, echo_commands, echo_json
from lzc.cli.zone_names import complete_zones, known_zones
from lzc.compiler import pipeline
from lzc.compiler.pipeline import Compiled
from lzc.faults import Fault, InputError, Severity
from lzc.lua.lint.rules import RULES
from lzc.powerdns_versions import KNOWN, LIMITED_SINCE, Version, shown, version_of


def _version(_ctx: click.Context, _option: click.Parameter, text: str | None) -> Version | None:
    if text is None:
        return None
    product, _, number = text.partition("-")
    try:
        version = version_of(number)
    except ValueError:
        version = (0, 0)
    if product != "powerdns" or version not in KNOWN:
        known = ", ".join(f"powerdns-{shown(one)}" for one in KNOWN)
        raise click.BadParameter(f"{text!r}: the versions are {known}")
    return version


@click.command("check")
@click.argument(
    "zones",
    nargs=-1,
    metavar="[ZONE|FILE]...",
    shell_complete=complete_zones,
    help="Zones to check, by their names or files.  [default: all]",
)
@config_option
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="How faults are printed: sarif is SARIF 2.1.0, github are workflow commands.",
)
@click.option(
    "--against",
    metavar="powerdns-X.Y",
    callback=_version,
    help="Say what this version of PowerDNS would answer otherwise, and nothing else.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--rules", is_flag=True, help="List the rules for LUA records, and check nothing.")
@click.pass_context
def command(
    ctx: click.Context,
    zones: tuple[str, ...],
    config_path: Path,
    output_format: str,
    against: Version | None,
    strict: bool,
    rules: bool,
) -> None:
    """Read, check and compile the zones as build does, but write nothing.

    A zone that fails is an error whether or not a build would keep what is live of it. Exits with 1
    for any error; warnings do not count unless --strict is given.
    """
    if rules:
        _show_rules(output_format)
        return
    compiled: Compiled | None = None
    faults: Sequence[Fault]
    try:
        settings = config.load(config_path, against=against)

        def check() -> Compiled:
            with progress_bar() as progress:
                return pipeline.check(
                    settings, config_path=config_path, progress=progress, words=zones
                )

        compiled = known_zones(check, "[ZONE|FILE]...")
        faults = compiled.warnings
        if against is not None:
            told = {"lua-version-differs"}
            if against >= LIMITED_SINCE:
                # Versions before end nothing, however long it takes.
                told.add("lua-instructions")
            faults = [fault for fault in faults if fault.rule in told]
    except InputError as error:
        faults = error.faults
    _show(faults, compiled, output_format, config_path)
    if any(strict or fault.severity is Severity.ERROR for fault in faults):
        ctx.exit(1)


def _show(
    faults: Sequence[Fault], compiled: Compiled | None, output_format: str, config_path: Path
) -> None:
    if output_format == "sarif":
        echo_json(to_sarif(faults, Sources(config_path)))
    elif output_format == "github":
        if faults:
            echo_commands(to_github(shortened(faults), Sources(config_path)))
    elif compiled is None:
        show_faults(faults, output_format)
    elif output_format == "json":
        echo_json(
            {
                "zones": len(compiled.zones),
                "records": compiled.records,
                "checks": len(compiled.checks),
                "named_by_file": compiled.named_by_file,
                "forms": compiled.forms,
                "faults": [fault_as_dict(fault) for fault in faults],
            },
        )
    else:
        if faults:
            show_faults(faults, "text")
        for line in [*named_lines(compiled.named_by_file), *compiled.forms]:
            echo(line)
        echo(f"{len(compiled.zones)} zone(s), {compiled.records} records: no errors")


def _show_rules(output_format: str) -> None:
    if output_format not in ("text", "json"):
        raise click.UsageError("--rules is printed as text or json")
    if output_format == "json":
        listed = [
            {
                "rule": rule.id,
                "severity": str(rule.severity),
                **{name: getattr(rule, name) for name in ("summary", "why", "fix", "ignorable")},
            }
            for rule in RULES.values()
        ]
        echo_json({"rules": listed})
        return
    for rule in RULES.values():
        echo(f"{rule.id} ({rule.severity}): {rule.summary}")
        echo(f"    why: {rule.why}")
        echo(f"    fix: {rule.fix}")
