"""The settings that a server runs with, and how ``lzc.toml`` differs from them by now.

A reload takes what the file says. Of some keys the server cannot, as it is bound to what they said
when it began; they are named, and count from the next start on. A file that cannot be used changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
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


RELOADED: Final = frozenset(
    (
        *("workers", "edns_client_subnet", "geoip", "udp_payload_size", "nsid", "server_id"),
        *("version", "cookie_secret_file", "require_cookie", "packet_cache", "tcp_idle_timeout"),
        *("tcp_connections", "tcp_connections_per_client", "tcp_connections_per_network"),
        *("tsig_required", "allow_transfer", "notify_source", "health_grace"),
        *("publish", "flatten_interval"),
        *("tls_certificate_file", "tls_key_file", "tls_client_ca_file"),
        *("http", "http_token_file", "http_compat", "log", "log_format"),
        *("query_log", "query_log_file", "dnstap", "dnstap_sample", "dnstap_messages"),
    )
)
"""The keys of ``[serve]`` that a running server takes anew. Of the others (by which it is reached,
and whatever is forgotten here) it says that they have to wait: nothing is to be taken for applied
because somebody forgot to say that it is not."""
_OF_A_SERVER: Final = ("serve", "lua", "health")
"""The sections of which the server reads every key."""
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What the file says by now. ``config`` is what the server can run with from now on: the file,
    but for keys that ``wait`` for the next start; `None` where it cannot be used, for which
    ``broken`` is why. ``changed`` are the keys that are to change."""

    config: Config | None = None
    changed: tuple[str, ...] = ()
    wait: tuple[str, ...] = ()
    broken: str = ""


@dataclass(slots=True, eq=False)
class SettingsInForce:
    """``config`` as it was read from ``file``; ``given`` are the keys, as in `differences`, that
    the command line says something else about. ``pending`` says in lines what of the file does not
    count yet; it is empty where all of it does."""

    config: Config
    _file: Path
    _given: frozenset[str]
    pending: str = ""

    def look(self) -> Found:
        """Read the file anew."""
        try:
            now = settings.load(self._file)
        except InputError as error:
            return Found(
                broken=f"{self._file} cannot be used, and the next start of lzc serve would fail:"
                f"\n{error}"
            )
        before, kept = self.config, {}
        for name, field in type(now.serve).model_fields.items():
            if name not in RELOADED or f"[serve] {field.alias}" in self._given:
                kept[name] = getattr(before.serve, name)
        usable = now.but(
            serve=now.serve.but(**kept),
            # Where bundles come from, wherever its path begins.
            build=now.build.but(output=str(before.output)),
        )
        wait = [key for key in differences(usable, now) if key not in self._given]
        return Found(usable, tuple(differences(before, usable)), tuple(wait))

    def take(self, config: Config) -> None:
        """The server runs with these from now on."""
        self.config = config

    def tell(self, found: Found, refused: str = "", problem: str = "") -> str:
        """Remember, and return, what of that does not count: where the change was ``refused``,
        nothing of it; ``problem`` is with a part of it, or with a file that it names."""
        pending = found.broken
        if refused:
            pending = f"{self._file} was changed, but the settings stay as they were: {refused}"
        elif found.wait:
            pending = (
                f"{self._file} was changed, and lzc serve has to be started again for this to"
                f" count: {shown_keys(found.wait)}"
            )
        self.pending = "\n".join(one for one in (pending, problem) if one)
        return self.pending


def shown_keys(keys: Sequence[str]) -> str:
    """Some keys, and how many more."""
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def differences(before: Config, now: Config) -> list[str]:
    """The keys that a server reads and that differ, such as ``[serve] listen``; never what they
    say, which may be a secret."""
    found = [] if before.folder == now.folder else ["the folder that paths start from"]
    if before.output != now.output:
        found.append("[build] output")
    if before.keystore != now.keystore:
        found.append("[dnssec] keystore")
    secrets = ("keystore_passphrase_file", "keystore_key_file")
    for name in (*secrets, "pkcs11_module", "pkcs11_pin_file"):
        if getattr(before.dnssec, name) != getattr(now.dnssec, name):
            found.append(f"[dnssec] {name.replace('_', '-')}")
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
