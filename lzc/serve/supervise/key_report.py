"""The keys of all zones of a bundle, looked at by a child: it may take long, and the supervisor
opens no bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.contained import Begin, Contained, Ended, Home
from lzc.dnssec.keystore import Keystore
from lzc.faults import Fault
from lzc.serve.worker.zone_keys import zone_keys
from lzc.wire import name as wire_name

SECONDS: Final = 10.0
"""Seconds of CPU time that the keys of a zone may take."""

ZoneFaults = Mapping[str, tuple[Fault, ...]]
"""By the name of the zone, with its final dot."""


class KeysUnknown(Exception):
    """The keys of a bundle could not be looked at."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What is in the keystore for a bundle: zones that it does not sign, and what to warn of."""

    errors: ZoneFaults = field(default_factory=dict)
    warnings: ZoneFaults = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    folder: Path
    stamps: Path
    keystore: Path
    now: float


def report_keys(folder: Path, stamps: Path, keystore: Path, now: float) -> KeyReport:
    """Look at the keys of a verified bundle, as of ``now``. Raises `KeysUnknown`. Takes a while:
    call it in a thread."""
    child: Contained[_Request, KeyReport] = Contained(_report, seconds=SECONDS)
    try:
        return child.ask(_Request(folder, stamps, keystore, now))
    except (BundleError, Ended, OSError, MemoryError) as error:
        raise KeysUnknown(f"the keys of the zones cannot be looked at: {error}") from error
    finally:
        child.close()


def _report(request: _Request, begin: Begin, _home: Home) -> KeyReport:
    keystore = Keystore(request.keystore)
    errors: dict[str, tuple[Fault, ...]] = {}
    warnings: dict[str, tuple[Fault, ...]] = {}
    with Bundle.open(request.folder, verified_dir=request.stamps) as bundle:
        for number, info in enumerate(bundle.zones()):
            begin(number)
            if not info.signed:
                continue
            found = zone_keys(keystore, info, request.now)
            name = wire_name.to_text(info.apex)
            if found.errors:
                errors[name] = found.errors
            elif found.warnings:
                warnings[name] = found.warnings
    return KeyReport(errors, warnings)
