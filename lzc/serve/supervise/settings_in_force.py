"""The settings that a server runs with, and how ``lzc.toml`` differs from them by now.

A reload reads bundles, keys, secrets and geo databases anew; settings count from the next start on.
So a reload says which do not count yet, and what is wrong with a file that the next start would
refuse.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lzc import config as settings
from lzc.config import Config
from lzc.config.table import Table
from lzc.faults import InputError
from lzc.serve.supervise.blame import WATCHDOG

if TYPE_CHECKING:
    from lzc.serve.notify.secondary import NotifyTimes

log = logging.getLogger("lzc")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What to serve, and where. ``source`` is a folder of bundles or one bundle; ``ready`` is
    called with one line of text when the first answers can be had; ``file`` is what ``config`` was
    read from, where that is a link."""

    config: Config
    source: Path
    listen: list[str]
    workers: int
    ready: Callable[[str], None] = log.info
    watchdog: float = WATCHDOG
    file: Path | None = None
    notify_times: NotifyTimes | None = None

    def settings(self) -> SettingsInForce:
        """The settings that the server runs with."""
        config = self.config
        given = {
            "[serve] listen": self.listen != config.serve.listen,
            "[serve] workers": self.workers != config.serve.workers,
            "[build] output": self.source != config.output,
        }
        keys = frozenset(key for key, differs in given.items() if differs)
        return SettingsInForce(config, self.file or config.file, keys)


_OF_A_SERVER: Final = ("serve", "lua", "health")
"""The sections of which the server reads every key."""
_SHOWN: Final = 20


@dataclass(slots=True, eq=False)
class SettingsInForce:
    """``config`` as it was read from ``file``; ``given`` are the keys, as in `differences`, that
    the command line says something else about."""

    _config: Config
    _file: Path
    _given: frozenset[str]
    pending: str = ""

    def look(self) -> str:
        """What of the file does not count yet, in lines; empty where all of it does. `pending` has
        it from then on."""
        try:
            now = settings.load(self._file)
        except InputError as error:
            self.pending = (
                f"{self._file} cannot be used, and the next start of lzc serve would fail:\n{error}"
            )
            return self.pending
        found = [key for key in differences(self._config, now) if key not in self._given]
        self.pending = ""
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            self.pending = (
                f"{self._file} was changed, and lzc serve has to be started again for this to"
                f" count: {', '.join(found[:_SHOWN])}{more}"
            )
        return self.pending


def differences(before: Config, now: Config) -> list[str]:
    """The keys that a server reads and that differ, such as ``[serve] listen``; never what they
    say, which may be a secret."""
    found = [] if before.folder == now.folder else ["the folder that paths start from"]
    if before.build.output != now.build.output:
        found.append("[build] output")
    if before.dnssec.keystore != now.dnssec.keystore:
        found.append("[dnssec] keystore")
    for name in _OF_A_SERVER:
        found += _keys(f"[{name}]", getattr(before, name), getattr(now, name))
    if before.runs_lua != now.runs_lua and "[lua] enable" not in found:
        found.append('lua in [zone."NAME"]')
    found += _tables('[tsig."{}"]', before.tsig, now.tsig)
    found += _tables("[[secondary]] {}", _by_name(before), _by_name(now))
    return found


def _by_name(config: Config) -> dict[str, Table]:
    return {f"{one.name} ({one.address})": one for one in config.secondary}


def _tables(heading: str, before: Mapping[str, Table], now: Mapping[str, Table]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        where = heading.format(name)
        if name not in now:
            yield f"{where} (removed)"
        elif name not in before:
            yield f"{where} (new)"
        else:
            yield from _keys(where, before[name], now[name])


def _keys(where: str, before: Table, now: Table) -> Iterator[str]:
    for name, field in type(before).model_fields.items():
        if getattr(before, name) != getattr(now, name):
            yield f"{where} {field.alias}"
