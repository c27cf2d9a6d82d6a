"""Back to the content of an older bundle, under serials that secondaries take for newer.

No source is read: what the bundle has is carried over, and only the serials of zones whose content
is not the last that was handed out are others.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import lzc
from lzc.bundle import current, found_serials, manifest, serial_store, shards, writer
from lzc.bundle.carried import carried, with_serial
from lzc.bundle.manifest import KEPT, ROLLBACK, BundleError, OtherFormat
from lzc.bundle.reader import Bundle
from lzc.bundle.serial_store import LastSerial, SerialStore
from lzc.bundle.shard import Shard
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo
from lzc.bundle.zone_keys import zone_keys
from lzc.compiler.deltas import MadeDeltas, make_deltas
from lzc.compiler.incremental.changes import Changes, ZoneChange
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.config import Config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, InputError, Place, Severity
from lzc.wire.name import to_text
from lzc.zone.serial import add, greater, next_serial

_SHORTEST: Final = 4
"""Digits of an id at least."""
_TOLD: Final = 20
"""Zones at most of which a lower serial is told."""
_KEYS_BACK: Final = (
    "put the keys back that the bundle was built with; or put the sources back, and build"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A bundle in the folder: when it was built, in seconds since the epoch, or copied without its
    times; how many zones it has; and whether it is live. ``zones`` is `None` for one that cannot be
    read."""

    id: str
    built_at: float
    zones: int | None
    live: bool

    def __str__(self) -> str:
        built = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.built_at))
        zones = "cannot be read" if self.zones is None else f"{self.zones} zone(s)"
        return f"{self.id} built {built}, {zones}{', live' if self.live else ''}"


@dataclass(frozen=True, slots=True)
class RolledBack:
    """``id`` is that of the bundle that is live now, ``of`` that of the one whose content it has,
    ``before`` of the one that was live, empty where none was usable."""

    id: str
    of: str
    before: str
    zones: int
    changes: Changes
    warnings: list[Fault] = field(default_factory=list)


def bundles(output: Path) -> list[Listed]:
    """All bundles in a folder, the newest first."""
    live = _live(output)
    found = []
    try:
        entries = [one for one in output.iterdir() if manifest.ID.fullmatch(one.name)]
    except OSError:
        return []
    for folder in entries:
        try:
            built_at = (folder / manifest.MANIFEST).stat().st_mtime
            zones = int(manifest.read(folder)[0].inputs["zones"])
        except (OSError, BundleError, KeyError, TypeError, ValueError):
            built_at, zones = folder.stat().st_mtime, None
        found.append(Listed(folder.name, built_at, zones, folder.name == live))
    return sorted(found, key=lambda one: (-one.built_at, one.id))


def roll_back(config: Config, wanted: str | None, now: float, *, as_is: bool = False) -> RolledBack:
    """Make the content of an older bundle live: of that whose id begins with ``wanted``, or of the
    one that was live before. ``now``, in seconds since the epoch, decides new serials. With
    ``as_is`` the very bundle is live again, with its serials, and warnings tell which of them
    secondaries do not take, and which zones the keystore has no keys for; without, that changes
    nothing. Raises `InputError`."""
    output = config.output
    try:
        if not output.is_dir():
            raise InputError(_nothing(output))
        with current.locked(output):
            serials = serial_store.load(output)
            found_serials.gather(output, serials)
            folder = _wanted(output, wanted, serials)
            with _opened(output, folder) as bundle:
                infos = list(bundle.zones())
                live, before = _live(output), _infos(output)
                unsigned = _without_keys(config, infos, before, now)
                if as_is:
                    warnings = _lower(infos, serials) + _told(unsigned)
                    os.utime(folder)
                    serials.cover(folder.name)
                    serials.save(output)
                    current.switch(output, folder.name)
                    changes = _changes(before, infos)
                    return RolledBack(folder.name, folder.name, live, len(infos), changes, warnings)
                if unsigned:
                    raise InputError(unsigned)
                last = {info.apex: serials.get(info.apex) for info in infos}
                zones = _renewed(config, bundle, infos, serials, now)
                deltas = _deltas(config, zones, last)
                identity = writer.write(
                    output,
                    zones,
                    bundle.checks,
                    version=lzc.__version__,
                    inputs=_inputs(bundle, zones),
                    constants=bundle.constants,
                    serials=serials,
                    deltas=deltas.kept,
                )
                changes = _changes(before, [zone.info for zone in zones])
                warnings = deltas.faults(output)
                return RolledBack(identity, folder.name, live, len(zones), changes, warnings)
    except current.OutputBusy as error:
        raise InputError.at(
            output,
            "output-busy",
            "a build is writing to this folder",
            why="two at once could give the same serial to different content",
            fix="wait until it has finished",
        ) from error
    except BundleError as error:
        raise InputError.at(output, "bundle-unusable", str(error), fix=_there(output)) from error
    except OSError as error:
        raise InputError.at(
            error.filename or output,
            "output-unwritable",
            f"the bundle cannot be written: {error.strerror or error}",
            why="what was live is live still",
            fix="correct the folder's permissions, or free space",
        ) from error


def _live(output: Path) -> str:
    try:
        return current.live(output).name
    except BundleError:
        return ""


def _infos(output: Path) -> list[ZoneInfo] | None:
    """The zones of the live bundle; `None` where it cannot be read."""
    try:
        with current.open_live(output) as bundle:
            return list(bundle.zones())
    except BundleError:
        return None


def _wanted(output: Path, wanted: str | None, serials: SerialStore) -> Path:
    """The folder of the bundle that is meant. Raises `InputError`."""
    live = _live(output)
    there = [one.id for one in bundles(output)]
    if wanted is None:
        # In the order in which they were made live, or else, as copies have no such, were built.
        others = [one for one in there if one != live]
        ordered = [one for one in reversed(serials.bundles) if one in others] or others
        if not ordered:
            raise InputError(_nothing(output))
        return output / ordered[0]
    if wanted == live or (len(wanted) >= _SHORTEST and live.startswith(wanted)):
        said = f"bundle {live} is live already"
        raise InputError.at(output, "rollback-live", said, fix=_there(output))
    found = [one for one in there if one == wanted or one.startswith(wanted)]
    if len(found) == 1 and len(wanted) >= _SHORTEST:
        return output / found[0]
    if len(found) > 1 or (found and len(wanted) < _SHORTEST):
        said = f"{wanted} is the beginning of {len(found)} ids, or too short for one"
        raise InputError.at(output, "rollback-unknown", said, fix=_there(output))
    if any(one.startswith(wanted) for one in serials.bundles) and len(wanted) >= _SHORTEST:
        raise InputError.at(
            output,
            "rollback-pruned",
            f"bundle {wanted} was here, and is not any more",
            f"the last {writer.KEPT} bundles are kept",
            "copy it here again from where it was built, or put the sources back to what they were"
            f" and build; {_there(output)}",
        )
    said = f"there is no bundle {wanted} here, and never was, as far as is known"
    raise InputError.at(output, "rollback-unknown", said, fix=_there(output))


def _nothing(output: Path) -> Fault:
    return Fault(
        Place(str(output)),
        "rollback-nothing",
        "there is no bundle here but the live one, if that",
        "the content of an older bundle is what a rollback brings back",
        "put the sources back to what they were, and build",
    )


def _there(output: Path) -> str:
    listed = "; ".join(map(str, bundles(output)))
    return f"the bundles here are: {listed}" if listed else "there are no bundles here"


def _opened(output: Path, folder: Path) -> Bundle:
    try:
        return Bundle.open(folder, verified_dir=current.verified_dir(output))
    except OtherFormat as error:
        raise InputError.at(
            folder,
            "bundle-unusable",
            str(error),
            "another version of lzc wrote it, and can roll back to it",
            "put the sources back to what they were, and build",
        ) from error
    except BundleError as error:
        raise InputError.at(
            folder,
            "bundle-unusable",
            str(error),
            "answers from a damaged bundle could be wrong in any way",
            "copy the bundle again from where it was built, or roll back to another;"
            f" {_there(output)}",
        ) from error


def _renewed(
    config: Config, bundle: Bundle, infos: list[ZoneInfo], serials: SerialStore, now: float
) -> list[CompiledZone]:
    """The bundle's zones by their ids, with the serials that they are to have, which are in the
    store then. Raises `InputError` where there is none for some."""
    faults: list[Fault] = []
    count = shards.count(len(infos))
    by_apex = {info.apex: info for info in infos}
    zones = []
    opened: dict[int, Shard] = {}
    plans: dict[int, dict[bytes, bytes]] = {}
    try:
        for apex, zone_id in shards.ids(sorted(by_apex), count, range(count)).items():
            info = by_apex[apex]
            number = shards.of_zone_id(info.zone_id)
            if number not in opened:
                opened[number] = Shard(bundle.path, number, bundle.manifest)
                plans[number] = opened[number].all_plans()
            zone = carried(opened[number], info, zone_id, plans[number] if info.lua else {})
            last = serials.get(apex) or LastSerial(info.serial, info.digest, info.source_serial)
            try:
                serial = _next(config, info, last, now, moving=serials.move(apex) is not None)
            except ValueError as error:
                faults.append(_no_serial(bundle, info, last, error))
                continue
            if info.presigned and serial != info.serial:
                faults.append(_serial_is_signed(bundle, info, last))
                continue
            # What the source says now is no new wish of the operator's.
            source = info.source_serial if last.source is None else last.source
            zones.append(with_serial(zone, serial, source))
            serials.put(apex, LastSerial(serial, info.digest, source))
    finally:
        for shard in opened.values():
            shard.close()
    if faults:
        raise InputError(faults)
    return zones


def _deltas(
    config: Config, zones: list[CompiledZone], last: Mapping[bytes, LastSerial | None]
) -> MadeDeltas:
    """What becomes of the zones that are live; ``last`` are the serials before. Where they cannot
    be read, which may be why they are left, nothing is known of that."""
    try:
        with LiveBundle(config.output) as live:
            return make_deltas(config.build, zones, last, live.transfer)
    except BundleError:
        return make_deltas(config.build, (), last, lambda _apex: None)


def _next(config: Config, info: ZoneInfo, last: LastSerial, now: float, *, moving: bool) -> int:
    """The serial of a zone with this content. Raises `ValueError` where there is none."""
    if last.digest == info.digest:
        return last.serial
    if moving:
        # As in `lzc.compiler.serials.choose`.
        return add(last.serial, 1)
    section = config.zone_section(to_text(info.apex))
    policy = (section and section.serial) or config.build.serial
    serial = next_serial("increment" if policy == "keep" else policy, last.serial, now)
    if serial < last.serial:
        raise ValueError(f"{last.serial} would be followed by {serial}")
    return serial


def _no_serial(bundle: Bundle, info: ZoneInfo, last: LastSerial, error: ValueError) -> Fault:
    return Fault(
        Place(str(bundle.path)),
        "serial-overflow",
        f"zone {to_text(info.apex)} gets no serial greater than {last.serial}: {error}",
        "serials go round at 4294967295; that should be a decision, as not every script copes",
        "put the sources back to what they were and build, which says how to move the serial; or"
        " make the very bundle live with --as-is, after which secondaries keep what they have",
    )


def _serial_is_signed(bundle: Bundle, info: ZoneInfo, last: LastSerial) -> Fault:
    return Fault(
        Place(str(bundle.path)),
        "presigned-serial",
        f"zone {to_text(info.apex)} is presigned, and had serial {last.serial} since: under"
        f" {info.serial}, which its signature is over, secondaries would not take it",
        "another serial would make the zone bogus",
        "sign its older content again with a greater serial and build; or make the very bundle live"
        " with --as-is, after which secondaries keep what they have",
    )


def _inputs(bundle: Bundle, zones: list[CompiledZone]) -> dict[str, Any]:
    content = [zone.info.apex + bytes.fromhex(zone.info.digest) for zone in zones]
    inputs = {
        "zones": len(zones),
        "records": sum(zone.info.records for zone in zones),
        "content": hashlib.sha256(b"".join(sorted(content))).hexdigest(),
        ROLLBACK: bundle.id,
    }
    kept = bundle.manifest.inputs.get(KEPT)
    return inputs | ({KEPT: kept} if kept else {})


def _without_keys(
    config: Config, infos: list[ZoneInfo], before: list[ZoneInfo] | None, now: float
) -> list[Fault]:
    """What is wrong with keys that the zones are signed with, but for those that are live now with
    the same keys, which it makes no worse."""
    keystore = Keystore.of(config)
    live = {info.apex: info.keys for info in before or ()}
    found = []
    for info in infos:
        if info.signed and not info.presigned and live.get(info.apex) != info.keys:
            errors = zone_keys(keystore, info, now).errors
            found += [replace(fault, fix=_KEYS_BACK) for fault in errors]
    return found


def _told(faults: list[Fault]) -> list[Fault]:
    """As warnings, some of them."""
    told = [replace(fault, severity=Severity.WARNING) for fault in faults[:_TOLD]]
    if len(faults) > _TOLD:
        more = f"{len(faults) - _TOLD} more about keys of zones"
        why = "a server refuses the bundle, or answers SERVFAIL for these zones"
        told.append(Fault(Place("lzc"), faults[0].rule, more, why, faults[0].fix, Severity.WARNING))
    return told


def _lower(infos: list[ZoneInfo], serials: SerialStore) -> list[Fault]:
    """Warnings about zones that secondaries will not take, as they know a greater serial."""
    found = []
    for info in infos:
        last = serials.get(info.apex)
        if last is not None and last.serial != info.serial and greater(last.serial, info.serial):
            found.append((info, last))
    faults = [
        _warning(
            to_text(info.apex),
            f"zone {to_text(info.apex)} is live with serial {info.serial}, and {last.serial} was"
            " handed out",
        )
        for info, last in found[:_TOLD]
    ]
    if len(found) > _TOLD:
        more = f"{len(found) - _TOLD} more zones are live with serials lower than handed out"
        faults.append(_warning("lzc", more))
    return faults


def _warning(place: str, message: str) -> Fault:
    return Fault(
        Place(place),
        "serial-lower",
        message,
        "secondaries keep the greater serial, and the content that they have with it",
        "without --as-is, and in each build, serials are above all that were handed out",
        Severity.WARNING,
    )


def _changes(before: list[ZoneInfo] | None, after: list[ZoneInfo]) -> Changes:
    found = Changes(before is not None)
    if before is None:
        return found
    olds, news = {one.apex: one for one in before}, {one.apex: one for one in after}
    for apex, new in sorted(news.items()):
        old = olds.get(apex)
        if old is None:
            found.came.append(ZoneChange(to_text(apex), None, new.serial))
        elif (old.serial, old.digest, old.keys) != (new.serial, new.digest, new.keys):
            found.changed.append(ZoneChange(to_text(apex), old.serial, new.serial))
    for apex, old in sorted(olds.items()):
        if apex not in news:
            found.went.append(ZoneChange(to_text(apex), old.serial, None))
    return found
