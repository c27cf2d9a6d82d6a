"""What ``lzc diff`` tells of transfers: what a build of the sources would have secondaries get."""

from __future__ import annotations

from collections.abc import Callable

from lzc.bundle import serial_store
from lzc.bundle.manifest import BundleError
from lzc.cli.diff.side import LIVE, Side
from lzc.compare.bundles import ZoneChange
from lzc.compiler.foreseen_deltas import Foreseen, foresee
from lzc.zone.serial import greater

Foresee = Callable[[ZoneChange], Foreseen | None]


def foreseeing(before: Side, after: Side) -> Foresee:
    """What is foreseen of a zone that changes: nothing unless its serial rises, from what is live
    to sources that are built into that very folder."""
    bundle, made = before.bundle, after.made
    if before.path != LIVE or bundle is None or made is None:
        return lambda _change: None
    folder = bundle.path.parent
    if made.config.output.resolve() != folder.resolve():
        return lambda _change: None
    serials = serial_store.load(folder)
    zones = {zone.info.apex: zone for zone in made.zones}

    def live(apex: bytes) -> tuple[str, memoryview] | None:
        view = bundle.zone(apex)
        return None if view is None else (view.info.digest, bundle.transfer(view))

    def foreseen(change: ZoneChange) -> Foreseen | None:
        serial, zone = change.serial, zones.get(change.apex)
        if serial is None or zone is None or not greater(serial.after, serial.before):
            return None
        try:
            return foresee(made.config.build, zone, serials.get(change.apex), live)
        except BundleError:
            return None  # the build says so, and gives no delta

    return foreseen
