"""``lzc keys publish``, ``activate``, ``retire``, ``remove`` and ``revoke``: the steps of a key's
life, now or at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from lzc import config
from lzc.cli.keys.arguments import MOMENT, NUMBER, shell_name, told, zone_argument
from lzc.cli.keys.rows import describe
from lzc.cli.options import config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.keystore.stepping import Number, Taken, Wanted, take
from lzc.dnssec.life.moments import shown
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.wire import name as wire_name

_HELP: Final = {
    Step.PUBLISH: """Have the DNSKEY of keys in ZONE from a time on (Publish).

    It does not sign; that begins with activate.""",
    Step.ACTIVATE: """Have keys of ZONE sign from a time on (Activate).

    A key that signs is in the zone, too: Publish is no later.""",
    Step.RETIRE: """Have keys of ZONE sign no more from a time on (Inactive).

    The DNSKEY stays in the zone until it is removed, as signatures of it are in caches.""",
    Step.REMOVE: """Take keys of ZONE out of it (Delete), and out of the keystore.

    Their files go to a folder below removed/ in the keystore. With a time to come, the DNSKEY
    leaves the zone then, and the files stay.""",
    Step.REVOKE: """Have keys of ZONE say not to be trusted from a time on (Revoke).

    The DNSKEY gets the flag REVOKE of RFC 5011, and so another tag. There is no way back.""",
}


def _step_command(step: Step) -> click.Command:
    """The command that takes a step."""

    def run(
        config_path: Path,
        zone: bytes,
        numbers: tuple[Number, ...],
        at: tuple[int | None] | None,
        force: bool,
        output_format: str,
        purge: bool = False,
    ) -> None:
        settings = config.load(config_path)
        now = time.time()
        moment = int(now) if at is None else at[0]
        tags = [str(tag) if number is None else f"{number}+{tag}" for number, tag in numbers]
        when = None if at is None else f"--at={'never' if moment is None else shown(moment)}"
        words = [*tags, when, "--force" if force else None, "--purge" if purge else None]
        command = told(step, zone, *words)
        wanted = Wanted(zone, numbers, step, moment, force, purge, command)
        keystore = Keystore.of(settings)
        taken = take(keystore, wanted, now, Intervals.of(settings.key_policy(shell_name(zone))))
        _show(taken, keystore, now, output_format)

    run.__doc__ = _HELP[step]
    made: Callable[..., Any] = format_option(run)
    if step is Step.REMOVE:
        made = click.option("--purge", is_flag=True, help="Destroy the files instead.")(made)
    made = click.option(
        "--force", is_flag=True, help="Do it though the zone is not signed then, or the key in use."
    )(made)
    made = click.option(
        "--at",
        type=MOMENT,
        metavar="TIME",
        help="now, +3d, -12h, 2026-12-24T18:00:00Z, or never, which takes it back. [default: now]",
    )(made)
    made = click.argument(
        "numbers",
        metavar="TAG...",
        type=NUMBER,
        nargs=-1,
        required=True,
        help="Key tags, such as 4711; 13+4711 where two keys have the same.",
    )(made)
    return click.command(str(step))(config_option(zone_argument(made)))


STEPS: Final = tuple(map(_step_command, Step))
"""A command for each step."""


def _show(taken: list[Taken], keystore: Keystore, now: float, output_format: str) -> None:
    if output_format == "json":
        echo_json([_document(one, keystore, now) for one in taken])
        return
    for one in taken:
        zone, key = wire_name.to_text(one.before.zone), one.before
        tag = str(key.tag)
        if one.after is not None and one.after.tag != key.tag:
            tag += f" is {one.after.tag} now"
        echo(f"{zone} key {tag}:")
        if one.folder:
            echo(f"  its files are in {keystore.path / one.folder}")
        elif one.after is None:
            echo("  its files are destroyed")
        for line in (*one.also, *one.follows):
            echo(f"  {line}")


def _document(one: Taken, keystore: Keystore, now: float) -> dict[str, Any]:
    return {
        "zone": wire_name.to_text(one.before.zone),
        "tag": one.before.tag,
        "key": None if one.after is None else describe(one.after, [one.after], now),
        "dates": None if one.after is None else asdict(one.after.timing),
        "also": list(one.also),
        "follows": list(one.follows),
        "folder": str(keystore.path / one.folder) if one.folder else None,
    }
