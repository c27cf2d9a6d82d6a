"""What becomes of zones whose serial rises, as deltas for IXFR (RFC 1995).

Where a delta cannot be made, or would be no shorter than the zone, secondaries get the whole zone:
nothing of it stops a build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lzc.bundle.delta_file import Content, Delta
from lzc.bundle.delta_store import FOLDER
from lzc.bundle.kept_deltas import KeptDeltas
from lzc.bundle.manifest import BundleError
from lzc.bundle.serial_store import LastSerial
from lzc.bundle.writer import CompiledZone
from lzc.config import BuildSection
from lzc.faults import Fault, Place, Severity
from lzc.image.delta import Octets, difference
from lzc.wire.name import to_text
from lzc.zone.serial import greater

Live = Callable[[bytes], tuple[str, Octets] | None]
"""Gives the digest and the transfer of a zone as it is live; raises `BundleError`."""
_WHOLE = "secondaries get whole zones instead, so nothing is wrong but the octets"


@dataclass(frozen=True, slots=True)
class MadeDeltas:
    """``kept`` is to be saved with the bundle, ``damage`` is what was found in the live one."""

    kept: KeptDeltas
    damage: list[str]

    def faults(self, output: Path) -> list[Fault]:
        """Warnings, once it was saved into a folder of bundles, or not."""
        found = [
            Fault(
                Place(str(output)),
                "live-bundle-damaged",
                text,
                f"what changed cannot be told from it; {_WHOLE}",
                "find out what damages files here",
                Severity.WARNING,
            )
            for text in self.damage
        ]
        failure = self.kept.failure
        if failure is not None:
            found.append(
                Fault(
                    Place(str(failure.filename or output / FOLDER)),
                    "deltas-unwritable",
                    f"the deltas for IXFR cannot be written: {failure.strerror or failure}",
                    _WHOLE,
                    "correct the folder's permissions, or free space",
                    Severity.WARNING,
                )
            )
        return found


def make_deltas(
    settings: BuildSection,
    zones: Iterable[CompiledZone],
    last: Mapping[bytes, LastSerial | None],
    live: Live,
) -> MadeDeltas:
    """The deltas of zones that go live; ``last`` are their last serials before. Only what is live
    under that serial, where nothing else ever was, is a beginning that secondaries surely have."""
    made = MadeDeltas(KeptDeltas([], settings.ixfr_builds, settings.ixfr_octets), [])
    for zone in zones if settings.ixfr_builds else ():
        given = last.get(zone.info.apex)
        if given is None or not given.sure or not greater(zone.info.serial, given.serial):
            continue
        try:
            delta = _delta(zone, given, live, settings.ixfr_octets)
        except BundleError as error:
            made.damage.append(str(error))
            continue
        if delta is not None:
            made.kept.deltas.append(delta)
    return made


def _delta(zone: CompiledZone, given: LastSerial, live: Live, octets: int) -> Delta | None:
    info = zone.info
    before = live(info.apex)
    if before is None or before[0] != given.digest:
        return None
    most = min(octets, info.transfer_length)
    try:
        made = difference([before[1]], zone.messages, info.apex, most)
    except ValueError as error:
        raise BundleError(f"the transfer of {to_text(info.apex)} is not whole: {error}") from error
    if made is None or serial_of(made.before) != given.serial:
        return None
    contents = Content(given.serial, bytes.fromhex(given.digest))
    return Delta(
        info.apex, contents, Content(info.serial, bytes.fromhex(info.digest)), made.blocks()
    )


def serial_of(soa: bytes) -> int:
    """The serial of an SOA RR in wire form."""
    return int.from_bytes(soa[-20:-16], "big")
