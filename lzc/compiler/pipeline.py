"""From ``lzc.toml`` to a live bundle: everything that is wrong in one run, or a bundle.

Nothing is written unless everything is right. What did not change is taken from the live bundle:
the octets of a bundle do not depend on how it was made.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import lzc
from lzc.bundle import current
from lzc.bundle.manifest import KEPT, BundleError
from lzc.bundle.serial_store import LastSerial, Move
from lzc.compiler.incremental import live_bundle, memory
from lzc.compiler.incremental.changes import Changes
from lzc.compiler.incremental.kept import Kept
from lzc.compiler.incremental.known_signatures import KnownSignatures
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import Memory
from lzc.compiler.inputs.sources import ConfigFile
from lzc.compiler.project import Compiled, Progress, Scope, compile_project
from lzc.config import Config
from lzc.faults import Fault, InputError, Place, Severity
from lzc.source.collector import collector_paused
from lzc.wire.name import to_text

Made = TypeVar("Made")

__all__ = ["BuildResult", "Compiled", "Progress", "build", "build_time", "check"]


@dataclass(frozen=True, slots=True)
class Step:
    """The next serial of a zone (lower-case wire name) that is on its way to another one."""

    apex: bytes
    serial: int
    move: Move


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A finished build: ``folder`` is that of the live bundle, ``seconds`` the time it took;
    ``kept`` are the zones that failed, ``failures`` is what is wrong with them; ``forms`` say what
    secondaries get that is not the zone as it is."""

    id: str
    folder: Path
    zones: int
    records: int
    checks: int
    warnings: list[Fault]
    seconds: float
    changes: Changes = field(default_factory=Changes)
    kept: list[Kept] = field(default_factory=list)
    failures: list[Fault] = field(default_factory=list)
    named_by_file: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)


def build(
    config: Config,
    output: Path | None = None,
    *,
    config_path: Path | None = None,
    progress: Progress | None = None,
    now: float | None = None,
    words: Sequence[str] = (),
    keep: bool | None = None,
    step: Step | None = None,
) -> BuildResult:
    """Build the project's bundle into ``output`` (default: as configured) and make it live.

    ``now`` (seconds since the epoch) decides serials and which keys are published; by default it is
    SOURCE_DATE_EPOCH, or the clock. With ``words``, names or files of zones, only these are built,
    and the others are as they are live. With ``keep`` (default: as configured), a zone that fails
    is as it is live, and `BuildResult.kept` has it. With a ``step``, its zone is built alone, and
    has that serial. Raises `InputError` with every fault found; then nothing was written; and
    `lzc.compiler.inputs.selection.UnknownZone`.
    """
    started = time.monotonic()
    folder = output if output is not None else config.output
    file = ConfigFile.of(config, config_path)
    report = progress or _silent
    moment = build_time() if now is None else now
    keep = config.build.keep_last_good if keep is None else keep
    stated = {} if step is None else {step.apex: step.serial}
    if step is not None:
        words, keep = [to_text(step.apex)], False
    try:
        with current.locked(folder), collector_paused():
            surroundings = memory.surroundings(config)
            known = KnownSignatures(folder, surroundings)
            scope = Scope(words, True, keep, stated, known)

            def make(live: LiveBundle, faults: list[Fault]) -> tuple[Compiled, str]:
                if words:
                    _stays_usable(folder, live, faults)
                compiled = compile_project(config, file, live, moment, report, faults, scope=scope)
                report("write", 0, 1)
                if step is not None:
                    live.serials.set_move(step.apex, step.move)
                identity = _write(folder, compiled, live, config)
                report("write", 1, 1)
                _remember(known, compiled, live, identity)
                return compiled, identity

            remembered = memory.load(folder, surroundings)
            compiled, identity = _after_those_before(folder, remembered, make)
    except current.OutputBusy as error:
        raise InputError.at(
            folder,
            "output-busy",
            "another build is writing to this folder",
            why="two builds at once could give the same serial to different content",
            fix="wait until it has finished, or build into another folder with -o",
        ) from error
    except OSError as error:
        raise InputError.at(
            error.filename or folder,
            "output-unwritable",
            f"the bundle cannot be written: {error.strerror or error}",
            fix="correct output in [build], or the folder's permissions and free space",
        ) from error
    return BuildResult(
        id=identity,
        folder=folder / identity,
        zones=len(compiled.memory.zones),
        records=compiled.records,
        checks=len(compiled.memory.checks),
        warnings=compiled.warnings,
        seconds=time.monotonic() - started,
        changes=compiled.changes,
        kept=compiled.kept,
        failures=compiled.failures,
        named_by_file=compiled.named_by_file,
        forms=compiled.forms,
    )


def _stays_usable(folder: Path, live: LiveBundle, faults: list[Fault]) -> None:
    """Zones that are not built stay as they are live: where that cannot be read, they would go.
    Raises `InputError`."""
    if live.is_unusable:
        told = [replace(fault, severity=Severity.ERROR) for fault in faults]
        raise InputError(
            [
                *told,
                Fault(
                    Place(str(folder / current.CURRENT)),
                    "live-bundle-needed",
                    "the live bundle cannot be used, and the zones that are not named would stay as"
                    " they are in it",
                    "a bundle without them would answer for these zones alone",
                    "build all zones, which is what is done without --zone",
                ),
            ]
        )


def check(
    config: Config,
    output: Path | None = None,
    *,
    config_path: Path | None = None,
    progress: Progress | None = None,
    now: float | None = None,
    any_serial: bool = False,
    words: Sequence[str] = (),
    remembered: bool = False,
) -> Compiled:
    """Everything that `build` does, but write; with ``words`` of the zones that these name, and of
    no others. No zone that fails is kept. With ``any_serial``, serials that cannot go live are
    taken as they are, with a warning; zones that are as the last build ``remembered`` them are not
    made. Raises `InputError`, and `lzc.compiler.inputs.selection.UnknownZone`."""
    folder = output if output is not None else config.output
    file = ConfigFile.of(config, config_path)
    moment = build_time() if now is None else now
    known = KnownSignatures(folder, memory.surroundings(config), read_only=True)

    def make(live: LiveBundle, faults: list[Fault]) -> Compiled:
        return compile_project(
            config,
            file,
            live,
            moment,
            progress or _silent,
            faults,
            any_serial=any_serial,
            scope=Scope(words, known_signatures=known),
        )

    taken = memory.load(folder, memory.surroundings(config)) if remembered else Memory()
    with collector_paused():
        return _after_those_before(folder, taken, make)


def build_time() -> float:
    """SOURCE_DATE_EPOCH where it is set, as reproducible builds want it, or the clock."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return time.time()
    if not (text.isascii() and text.isdigit()):
        raise InputError.at(
            Place("SOURCE_DATE_EPOCH"),
            "source-date-epoch",
            f"{text!r} is not a number of seconds",
            fix="unset the variable, or set it to the output of: date +%s",
        )
    return float(text)


def _after_those_before(
    folder: Path, remembered: Memory, make: Callable[[LiveBundle, list[Fault]], Made]
) -> Made:
    """Have something made from what is found of the builds before; without their live bundle, where
    that shows only then that it is damaged."""
    live, faults = live_bundle.find(folder, remembered)
    try:
        with live:
            return make(live, faults)
    except BundleError as error:
        # What was hashed once is not hashed again, and so it was not seen.
        with suppress(OSError):
            (current.verified_dir(folder) / live.id).unlink()
        live, faults = live_bundle.find_serials(folder, error)
        with live:
            return make(live, faults)


def _write(folder: Path, compiled: Compiled, live: LiveBundle, config: Config) -> str:
    """Have a bundle of it live, and give its id."""
    base, zones = compiled.beside(live)
    last = {apex: live.serials.get(apex) for apex in compiled.made}
    for apex, zone in compiled.made.items():
        info = zone.info
        live.serials.put(apex, LastSerial(info.serial, info.digest, info.source_serial))
    inputs = _inputs(compiled)
    if base is not None and base.checks and not zones and _is_told(inputs, live):
        if live.serials.stale:
            live.serials.save(folder)
        return live.id
    # Where nothing changed, nothing is written.
    from lzc.bundle import writer
    from lzc.compiler.deltas import make_deltas

    deltas = make_deltas(config.build, compiled.zones, last, live.transfer)
    identity = writer.write(
        folder,
        zones,
        () if base is not None and base.checks else compiled.checks,
        version=lzc.__version__,
        inputs=inputs,
        base=base,
        constants=compiled.constants,
        serials=live.serials,
        deltas=deltas.kept,
    )
    compiled.warnings.extend(deltas.faults(folder))
    return identity


def _remember(known: KnownSignatures, compiled: Compiled, live: LiveBundle, identity: str) -> None:
    remembered = replace(compiled.memory, bundle=identity)
    if remembered != live.memory:
        # Without it the next build makes everything, that is all.
        with suppress(OSError):
            remembered.save(known.output, known.surroundings)
            known.keep([apex for apex, one in remembered.zones.items() if one.is_presigned])


def _inputs(compiled: Compiled) -> dict[str, Any]:
    content = [apex + one.digest for apex, one in compiled.memory.zones.items()]
    inputs: dict[str, Any] = {
        "zones": len(compiled.memory.zones),
        "records": compiled.records,
        "content": hashlib.sha256(b"".join(content)).hexdigest(),
    }
    if compiled.kept or compiled.still_kept:
        fresh = [one.to_document() for one in compiled.kept]
        inputs[KEPT] = [*compiled.still_kept, *fresh]
    return inputs


def _is_told(inputs: dict[str, Any], live: LiveBundle) -> bool:
    """Whether the live bundle says of the same zones that they were kept, and why."""
    return bool(live.manifest.inputs.get(KEPT, []) == inputs.get(KEPT, []))


def _silent(step: str, done: int, total: int) -> None:
    """Report nothing."""
