"""What ``lzc query`` and ``lzc test`` answer with: a bundle and the settings, but no server."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from lzc.answer.settings import ResponderSettings
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.config import Config, parse_endpoint
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.cache import SignatureCache
from lzc.faults import Fault, InputError
from lzc.health_check import Check
from lzc.lua.engine.execution import EngineSettings, Log
from lzc.lua.engine.geo import Geo
from lzc.lua.health.reach import Refusal
from lzc.rehearse.assumed import RefusalOf
from lzc.rehearse.rehearsal import SignersAt, Staging
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.transport.sockets import own_address_refusal
from lzc.serve.worker.geo_files import SteadyReader, try_database, unusable
from lzc.serve.worker.keyring import Signers

_TIMES: Final = 16
"""Times whose signers are kept: tests name few."""


def stage(
    config: Config,
    bundle: Bundle,
    geo_files: Sequence[Path] = (),
    *,
    tell: Callable[[Fault], None],
    log: Log | None = None,
) -> Staging:
    """Set up what the server would have; ``geo_files`` instead of the configured databases, if
    there are any. ``tell`` takes what is wrong with the keys of a zone, ``log`` what records log.
    Raises `InputError`."""

    return Staging(
        bundle,
        ResponderSettings.from_config(config),
        EngineSettings.from_config(config.lua) if config.runs_lua else None,
        _signers(config, bundle, tell),
        _geo(config, geo_files),
        log,
        _refusals(config, bundle),
        listen=tuple(ip_address(parse_endpoint(text)[0]) for text in config.serve.listen),
    )


def _signers(config: Config, bundle: Bundle, tell: Callable[[Fault], None]) -> SignersAt:
    """The signers as a server has them at a time. Each fault of the keys is told once."""
    keystore, cache = Keystore.of(config), SignatureCache()
    told: set[Fault] = set()

    def tell_new(_apex: bytes, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            if fault not in told:
                told.add(fault)
                tell(fault)

    @lru_cache(_TIMES)
    def signers(now: float) -> tuple[Signers, Container[bytes]]:
        made = Signers(bundle, keystore, cache, told=tell_new, clock=lambda: now)
        return made, made.out

    return signers


def _refusals(config: Config, bundle: Bundle) -> RefusalOf:
    """Which checks the server would not make, as its checker decides."""
    rules = replace(CheckPolicy.from_config(config).rules, constants=bundle.constants)
    listed = frozenset(bundle.checks)

    def refusal(check: Check, zone: bytes) -> Refusal | None:
        if check in listed:
            return rules.of_listed(check)
        unlisted = rules.of_unlisted(check, zone)
        return unlisted or own_address_refusal(check.address, rules.reach)

    return refusal


def open_bundle(config: Config, path: Path | None) -> Bundle:
    """The bundle in a folder, or the project's live one. Raises `BundleError`."""
    if path is None:
        return current.open_live(config.output)
    return Bundle.open(current.locate(path))


def _geo(config: Config, files: Sequence[Path]) -> Geo | None:
    """The geo databases. Raises `InputError` for those that are unusable."""
    paths = list(files) or [config.path(name) for name in config.serve.geoip]
    if not paths:
        return None
    readers = []
    faults = []
    for path in paths:
        try:
            try_database(path)
            readers.append(SteadyReader(path))
        except (OSError, ValueError, RuntimeError) as error:
            fix = "correct --geo" if files else "correct geoip in [serve] of lzc.toml"
            faults.append(unusable(path, error, fix))
    if faults:
        raise InputError(faults)
    return Geo(readers)
