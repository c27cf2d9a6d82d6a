"""From ``lzc.toml`` to a live bundle: everything that is wrong in one run, or a bundle.

The steps are sources, keys, live serials, zones (in several processes where that pays), and the
bundle. Nothing is written unless everything is right.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lzc
from lzc.build import sources
from lzc.build.secondary_checks import ZoneTraits, check_secondaries, takers
from lzc.build.serials import LiveZone
from lzc.build.sources import ConfigFile, ZoneSource
from lzc.build.zone_job import ZoneJob, ZoneResult, build_zone
from lzc.bundle import current, shards, writer
from lzc.bundle.manifest import BundleError
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneKey
from lzc.config import Config
from lzc.dnssec.keystore import Keystore
from lzc.lua.health import MOST_CHECKS, Check
from lzc.source.zonefile import collector_paused
from lzc.zone.place import Fault, InputError, Place, Severity

Progress = Callable[[str, int, int], None]
"""Told the step under way, how much of it is done, and out of how much."""

_POOL_ZONES = 8
_POOL_OCTETS = 2_000_000
"""From so many zones and octets of sources on, several processes are faster than one."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole project, compiled: ``zones`` by apex, the health checks its LUA records ask for,
    and warnings."""

    zones: list[CompiledZone]
    checks: list[Check]
    warnings: list[Fault]

    @property
    def records(self) -> int:
        """Records of all zones, each SOA once."""
        return sum(zone.info.records for zone in self.zones)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A finished build: ``folder`` is that of the live bundle, ``seconds`` the time it took."""

    id: str
    folder: Path
    zones: int
    records: int
    checks: int
    warnings: list[Fault]
    seconds: float


def build(
    config: Config,
    output: Path | None = None,
    *,
    config_path: Path | None = None,
    progress: Progress | None = None,
    now: float | None = None,
) -> BuildResult:
    """Build the project's bundle into ``output`` (default: as configured) and make it live.

    ``now`` (seconds since the epoch) decides serials and which keys are published; by default it is
    SOURCE_DATE_EPOCH, or the clock. Raises `InputError` with every fault found; then nothing was
    written.
    """
    started = time.monotonic()
    folder = output if output is not None else config.output
    file = ConfigFile.of(config, config_path)
    report = progress or _silent
    try:
        with writer.locked(folder), collector_paused():
            compiled = _compile(config, file, folder, report, now)
            report("write", 0, 1)
            identity = writer.write(
                folder,
                sorted(compiled.zones, key=lambda zone: zone.info.zone_id),
                compiled.checks,
                version=lzc.__version__,
                inputs=_inputs(compiled),
            )
            report("write", 1, 1)
    except writer.OutputBusy as error:
        raise InputError(
            [
                Fault(
                    Place(str(folder)),
                    "output-busy",
                    "another build is writing to this folder",
                    why="two builds at once could give the same serial to different content",
                    fix="wait until it has finished, or build into another folder with -o",
                )
            ]
        ) from error
    except OSError as error:
        raise InputError(
            [
                Fault(
                    Place(str(error.filename or folder)),
                    "output-unwritable",
                    f"the bundle cannot be written: {error.strerror or error}",
                    fix="correct output in [build], or the folder's permissions and free space",
                )
            ]
        ) from error
    return BuildResult(
        id=identity,
        folder=folder / identity,
        zones=len(compiled.zones),
        records=compiled.records,
        checks=len(compiled.checks),
        warnings=compiled.warnings,
        seconds=time.monotonic() - started,
    )


def check(
    config: Config,
    output: Path | None = None,
    *,
    config_path: Path | None = None,
    progress: Progress | None = None,
    now: float | None = None,
) -> Compiled:
    """Everything that `build` does, but write. Raises `InputError`."""
    folder = output if output is not None else config.output
    file = ConfigFile.of(config, config_path)
    return _compile(config, file, folder, progress or _silent, now)


def build_time() -> float:
    """SOURCE_DATE_EPOCH where it is set, as reproducible builds want it, or the clock."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return time.time()
    if not (text.isascii() and text.isdigit()):
        raise InputError(
            [
                Fault(
                    Place("SOURCE_DATE_EPOCH"),
                    "source-date-epoch",
                    f"{text!r} is not a number of seconds",
                    fix="unset the variable, or set it to the output of: date +%s",
                )
            ]
        )
    return float(text)


def _compile(
    config: Config, file: ConfigFile, folder: Path, report: Progress, now: float | None
) -> Compiled:
    moment = build_time() if now is None else now
    zones, faults = sources.find(config, file)
    live, more = _live_zones(folder)
    faults += more
    jobs: list[ZoneJob] = []
    keystore = Keystore(config.keystore)
    ids = shards.zone_ids((zone.apex for zone in zones), shards.count(len(zones)))
    for zone_id, source in zip(ids, zones, strict=True):
        keys, more = _keys(keystore, source, config, file, moment)
        faults += more
        jobs.append(
            ZoneJob(
                zone_id,
                source,
                config.folder,
                keys,
                live.get(source.apex),
                config.lua,
                moment,
                takers(config, source.name),
            )
        )
    results: list[ZoneResult] = []
    with collector_paused():
        report("zones", 0, len(jobs))
        for result in _run(jobs):
            results.append(result)
            faults += result.faults
            report("zones", len(results), len(jobs))
    traits = [ZoneTraits(source.name, source.signed) for source in zones]
    faults += check_secondaries(config, file, traits)
    checks = sorted({check for result in results for check in result.checks}, key=Check.to_json)
    faults += _too_many(checks, zones, results)
    # Zones and records that share a .lua file each find the same in it.
    faults = list(dict.fromkeys(faults))
    if any(fault.severity is Severity.ERROR for fault in faults):
        raise InputError(faults)
    return Compiled([result.zone for result in results if result.zone is not None], checks, faults)


def _too_many(
    checks: Sequence[Check], zones: Sequence[ZoneSource], results: Sequence[ZoneResult]
) -> list[Fault]:
    """A fault where there are more health checks than a server makes."""
    if len(checks) <= MOST_CHECKS:
        return []
    # Results are in the order of their zones.
    most = max(range(len(results)), key=lambda place: len(results[place].checks))
    return [
        Fault(
            Place(str(zones[most].path)),
            "too-many-checks",
            f"the LUA records ask for {len(checks)} different health checks, and a server makes"
            f" {MOST_CHECKS} at most; {len(results[most].checks)} of them are of this zone",
            why="the others would never be made, and their targets be taken for down",
            fix="have records that check the same target do so with the same options, or put zones"
            " on several servers",
        )
    ]


def _live_zones(folder: Path) -> tuple[Mapping[bytes, LiveZone], list[Fault]]:
    """Serials and digests of the live bundle's zones; none when there is no bundle."""
    if not (folder / current.CURRENT).is_symlink():
        return {}, []
    try:
        with current.open_live(folder) as bundle:
            return {
                info.apex: LiveZone(info.serial, info.digest, info.source_serial)
                for info in bundle.zones()
            }, []
    except BundleError as error:
        return {}, [
            Fault(
                Place(str(folder / current.CURRENT)),
                "live-bundle-damaged",
                str(error),
                why="without its serials the new ones could be lower, and secondaries would keep"
                " the old zones",
                fix="copy the bundle back from a server or from CI; or remove `current` and set"
                " each SOA serial above the one that is served",
            )
        ]


def _keys(
    keystore: Keystore, source: ZoneSource, config: Config, file: ConfigFile, now: float
) -> tuple[tuple[ZoneKey, ...], list[Fault]]:
    if not source.signed:
        return (), []
    try:
        keys = keystore.load(source.apex)
    except InputError as error:
        return (), list(error.faults)
    name = source.name.rstrip(".") or "."
    place = file.place(f'[zone."{name}"]', name)
    if not keys:
        return (), [
            Fault(
                place,
                "keys-missing",
                f"zone {name} is to be signed, but has no keys in {config.dnssec.keystore}",
                fix=f"lzc keys generate -c {file.shown_as} {name}",
            )
        ]
    if not any(key.timing.is_active(now) for key in keys):
        return (), [
            Fault(
                place,
                "keys-inactive",
                f"zone {name} is to be signed, but none of its {len(keys)} key(s) is active now",
                why="its answers would carry no signatures, which is bogus below a DS",
                fix=f"lzc keys generate -c {file.shown_as} {name}, or correct the keys' times",
            )
        ]
    return tuple(
        ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey)
        for key in keys
        if key.is_published(now)
    ), []


def _run(jobs: Sequence[ZoneJob]) -> Iterator[ZoneResult]:
    """The results in the order of the jobs."""
    cores = len(os.sched_getaffinity(0))
    processes = min(cores, len(jobs))
    if processes < 2 or len(jobs) < _POOL_ZONES or not _is_large(jobs):
        for job in jobs:
            yield build_zone(replace(job, in_halves=cores > 1))
        return
    gc.freeze()
    # Fork, as the children start with everything imported: 10 instead of 400 ms each.
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("fork"), initializer=_end_with_parent
    ) as pool:
        chunk = max(1, min(64, len(jobs) // (processes * 4)))
        try:
            yield from pool.map(build_zone, jobs, chunksize=chunk)
        except BrokenProcessPool as error:
            raise InputError(
                [
                    Fault(
                        Place("lzc build"),
                        "build-process-killed",
                        "a process of the build was killed",
                        why="the system does so when memory runs out",
                        fix="give the build more memory, or split the largest zones",
                    )
                ]
            ) from error


def _is_large(jobs: Sequence[ZoneJob]) -> bool:
    total = 0
    for job in jobs:
        total += job.source.path.stat().st_size
        if total >= _POOL_OCTETS:
            return True
    return False


def _end_with_parent() -> None:
    """A build that is killed must not leave processes that hold its lock."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _inputs(compiled: Compiled) -> dict[str, Any]:
    digest = hashlib.sha256()
    for zone in compiled.zones:
        digest.update(zone.info.apex + bytes.fromhex(zone.info.digest))
    return {
        "zones": len(compiled.zones),
        "records": compiled.records,
        "content": digest.hexdigest(),
    }


def _silent(step: str, done: int, total: int) -> None:
    """Report nothing."""
