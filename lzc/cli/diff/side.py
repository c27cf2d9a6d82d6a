"""The two sides of ``lzc diff``: what an argument stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from lzc import config as settings
from lzc.bundle import current
from lzc.bundle.manifest import MANIFEST
from lzc.bundle.reader import Bundle
from lzc.bundle.writer import CompiledZone
from lzc.compare.bundles import CheckChange, Snapshot, ZoneChange, of_bundle, of_compiled
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, Severity

if TYPE_CHECKING:
    from lzc.compiler.foreseen_deltas import Foreseen

LIVE: Final = "live"
"""The argument that stands for the configured live bundle."""


class Made(NamedTuple):
    """Sources, compiled."""

    config: settings.Config
    zones: Sequence[CompiledZone]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared: its content, what it is, where it is, and the bundle's id
    (empty for sources); ``keystore`` where sources have one, and ``faults`` for which they could
    not be built, though they can be compared. ``bundle`` is an open one, ``made`` what sources
    became."""

    state: Snapshot
    kind: str
    path: str
    id: str = ""
    keystore: Keystore | None = None
    faults: tuple[Fault, ...] = ()
    bundle: Bundle | None = None
    made: Made | None = None


class Comparison(NamedTuple):
    """Two sides and what differs between them: zones and health checks. ``insert_whitespace`` says
    how the strings of LUA records join into code, ``foresee`` what secondaries get of a zone."""

    before: Side
    after: Side
    zones: Iterable[ZoneChange]
    checks: Iterable[CheckChange]
    insert_whitespace: bool
    foresee: Callable[[ZoneChange], Foreseen | None] = lambda _change: None


def side(argument: str, config_path: Path, stack: ExitStack) -> Side:
    """What an argument means. Raises `BundleError`, and `InputError` for broken sources."""
    path = Path(argument)
    if argument == LIVE:
        output = settings.load(config_path).output
        link = output / current.CURRENT
        if not link.is_symlink():
            return Side(Snapshot(), "nothing", f"{output}: no bundle was built yet")
        return _bundle(current.live(output), LIVE, stack)
    if path.suffix == ".toml" and path.is_file():
        return sources(path)
    if (path / "lzc.toml").is_file():
        return sources(path / "lzc.toml")
    if not (path / MANIFEST).is_file() and not (path / current.CURRENT).is_symlink():
        raise click.BadParameter(
            f"{argument} is neither a bundle, nor a folder of bundles, nor sources (lzc.toml)",
            param_hint="A and B",
        )
    return _bundle(current.locate(path), argument, stack)


def _bundle(folder: Path, shown_as: str, stack: ExitStack) -> Side:
    stamps = current.verified_dir(folder.parent)
    bundle = Bundle.open(folder, verified_dir=stamps if stamps.is_dir() else None)
    stack.enter_context(bundle)
    return Side(of_bundle(bundle), "bundle", shown_as, bundle.id, bundle=bundle)


def sources(path: Path) -> Side:
    """Sources, compiled as a build would, but in memory, and whatever their serials. Raises
    `InputError`."""
    from lzc.cli.progress import progress_bar
    from lzc.compiler import pipeline, serials

    config = settings.load(path)
    with progress_bar() as progress:
        compiled = pipeline.check(config, config_path=path, progress=progress, any_serial=True)
    state = of_compiled(compiled.zones, compiled.checks)
    faults = tuple(
        replace(one, severity=Severity.ERROR)
        for one in compiled.warnings
        if one.rule in serials.RULES
    )
    keystore, made = Keystore.of(config), Made(config, compiled.zones)
    return Side(state, "sources", os.fspath(path), "", keystore, faults, made=made)
