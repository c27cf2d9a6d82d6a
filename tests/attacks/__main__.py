"""``python -m tests.attacks NAME...|all [--full] [--turns N] [--before CHECKOUT]``"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.attacks import endless_sources, health_reach, hostile_zone, messages, servers
from tests.attacks.attacks import ATTACKS, FULL, LIMITED, SHORT, Report, Size
from tests.bench import inputs

OTHERS: Final[dict[str, tuple[Callable[[list[str]], None], frozenset[str]]]] = {
    "health_reach": (health_reach.main, frozenset(("--full", "--before"))),
    "endless_sources": (endless_sources.main, frozenset(("--before",))),
    "hostile_zone": (hostile_zone.main, frozenset(("--full",))),
    "messages": (messages.main, frozenset(("--full",))),
}
"""Attacks that have a server of their own, or none, and a report of their own, with the options
that they take; each can be run by itself too."""


def main() -> None:
    """Make the attacks that were named, on each server in turn, and print what was seen."""
    known = [*ATTACKS, *OTHERS]
    parser = argparse.ArgumentParser(prog="python -m tests.attacks")
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"all, or: {', '.join(known)}")
    parser.add_argument("--full", action="store_true", help="not the short form of the tests")
    parser.add_argument("--turns", type=int, default=1, help="how often each server is attacked")
    parser.add_argument("--before", type=Path, help="a checkout of another version of lzc")
    arguments = parser.parse_args()
    names = known if "all" in arguments.names else arguments.names
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no attack is called {unknown[0]}; there are: {', '.join(known)}")
    on_servers = [name for name in names if name in ATTACKS]
    if on_servers:
        _attack_servers(on_servers, arguments)
    for name in names:
        if name in OTHERS:
            print(f"\n{name}")
            attack, taken = OTHERS[name]
            attack([one for one in _options(arguments) if one.partition("=")[0] in taken])


def _options(arguments: argparse.Namespace) -> list[str]:
    options = ["--full"] if arguments.full else []
    return options + ([f"--before={arguments.before}"] if arguments.before else [])


def _attack_servers(names: list[str], arguments: argparse.Namespace) -> None:
    servers.to_load_core()
    size = FULL if arguments.full else SHORT
    print(
        f"{'attack':10} {'server':11} {'sent':>6} {'lost':>5} {'p50':>8} {'p99':>8} {'max':>8} ms"
    )
    with servers.many_files():
        for name in names:
            _attack(name, size, arguments.before, arguments.turns)


def _attack(name: str, size: Size, before: Path | None, turns: int) -> None:
    signed = name == "expensive"
    extra = f"[serve]\ntcp-connections = {LIMITED}\n" if name == "limits" else ""
    with (
        tempfile.TemporaryDirectory(prefix=f"lzc-attack-{name}-") as folder,
        contextlib.ExitStack() as stack,
    ):
        here = Path(folder)
        zone = here / "zone"
        inputs.static_zone(zone, size.names)
        attacked = []
        for label, checkout in (("now", None), ("before", before)):
            if checkout is not None or label == "now":
                made = servers.project(
                    here / label, zone, signed=signed, extra=extra, checkout=checkout
                )
                lzc = servers.lzc(made, size.names, checkout)
                attacked.append(stack.enter_context(lzc))
        if not signed and shutil.which("nsd"):
            attacked.append(stack.enter_context(servers.nsd(here / "nsd", zone, size.names)))
        for _ in range(turns):
            for one in attacked:
                _print(name, ATTACKS[name](one, size))


def _print(name: str, report: Report) -> None:
    seen = report.seen
    more = ", ".join(f"{what} {value:,.1f}" for what, value in report.more.items())
    print(
        f"{name:10} {report.server:11} {seen.sent:6} {seen.lost:5} {seen.p50:8.2f} {seen.p99:8.2f}"
        f" {seen.longest:8.2f}  kills {report.kills}, {more}"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
