"""What a build finds of those before it: no damage stops it, and none costs a serial in silence."""

from __future__ import annotations

from pathlib import Path

from lzc.bundle import current, found_serials, serial_store
from lzc.bundle.manifest import BundleError, OtherFormat
from lzc.bundle.serial_store import SerialStore
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import Memory
from lzc.faults import Fault, Place, Severity


def find(output: Path, remembered: Memory) -> tuple[LiveBundle, list[Fault]]:
    """The live bundle of a folder and the serials that were handed out, and warnings about what of
    it is damaged."""
    serials, lost, faults = _serials(output)
    try:
        return LiveBundle(output, remembered, serials, lost=lost), faults
    except BundleError as error:
        return LiveBundle(serials=serials, lost=lost), [*faults, _unusable(output, error)]


def find_serials(output: Path, error: BundleError) -> tuple[LiveBundle, list[Fault]]:
    """As `find`, without the live bundle: ``error`` says what is wrong with that."""
    serials, lost, faults = _serials(output)
    return LiveBundle(serials=serials, lost=lost), [*faults, _unusable(output, error)]


def _serials(output: Path) -> tuple[SerialStore, bool, list[Fault]]:
    """What is known of serials, whether any may be lost, and what is damaged."""
    serials = serial_store.load(output)
    told = found_serials.gather(output, serials)
    link = output / current.CURRENT
    gone = link.is_symlink() and not link.exists()
    lost = not told or (not serials.whole and (bool(serials.problems) or gone))
    return serials, lost, [_damaged(*problem, whole=serials.whole) for problem in serials.problems]


def _damaged(path: Path, problem: str, *, whole: bool) -> Fault:
    others = "the other file has them all" if whole else "the others are looked for in the bundles"
    return Fault(
        Place(str(path)),
        "serials-damaged",
        problem,
        f"it holds the serials that were handed out; no other harm is done, as {others}",
        "lzc build writes it anew; find out what damages files here",
        Severity.WARNING,
    )


def _unusable(output: Path, error: BundleError) -> Fault:
    other = isinstance(error, OtherFormat)
    return Fault(
        Place(str(output / current.CURRENT)),
        "live-bundle-format" if other else "live-bundle-damaged",
        str(error),
        "nothing is taken over from it but serials, which go on: every zone is built again",
        "lzc build replaces it" + ("" if other else "; find out what damages files here"),
        Severity.WARNING,
    )
