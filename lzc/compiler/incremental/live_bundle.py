"""What was before as the next bundle's beginning: serials, and zones that did not change. No damage
of it stops a build, and none costs a serial in silence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from lzc.bundle import current, found_serials, serial_store, verification
from lzc.bundle.manifest import BundleError, Manifest, OtherFormat
from lzc.bundle.serial_store import SerialStore
from lzc.compiler.incremental.memory import CATALOG, BuiltZone, Memory
from lzc.faults import Fault, Place, Severity

if TYPE_CHECKING:
    from lzc.bundle.writer import CompiledZone
    from lzc.bundle.zone_info import ZoneInfo
    from lzc.compiler.incremental.live_zones import LiveZones

_SAYS_VERSIONS: Final = 4
"""The first format of bundles that say of each zone as which version of PowerDNS it answers."""


class LiveBundle:
    """The live bundle in a folder of bundles; use it in a ``with`` statement. Its ``memory`` is
    what is remembered, if that is of this bundle, and this is the last that was made live. Raises
    `BundleError` where the bundle is damaged."""

    def __init__(
        self,
        output: Path | None = None,
        memory: Memory | None = None,
        serials: SerialStore | None = None,
        *,
        lost: bool = False,
        is_older: bool = False,
    ) -> None:
        """The live bundle in ``output``; without, nothing but the serials. ``lost`` is true where
        there were serials that these do not have, ``is_older`` where there is a bundle of an
        lzc that knew one version of PowerDNS alone."""
        self.is_older = is_older
        self.serials = SerialStore() if serials is None else serials
        self.lost = lost
        self.folder: Path | None = None
        self.id = ""
        self.memory = Memory()
        self._opened: LiveZones | None = None
        if output is None or not (output / current.CURRENT).is_symlink():
            return
        folder = current.live(output)
        self.manifest: Manifest
        self.manifest, self.id = verification.verify(folder, current.verified_dir(output))
        self.folder = folder
        if memory is not None and memory.bundle == self.id == self.serials.last_bundle:
            self.memory = memory

    @property
    def is_unusable(self) -> bool:
        """Whether there was a bundle, or may have been, and it cannot be read any more."""
        return self.folder is None and (bool(self.serials.bundles) or self.lost)

    @property
    def shards(self) -> int:
        """The number of its shards; 0 without a bundle."""
        return 0 if self.folder is None else self.manifest.shards

    @property
    def has_catalogs(self) -> bool:
        """Whether catalogs are among the zones that are remembered."""
        return any(one.settings[-1:] == (CATALOG,) for one in self.memory.zones.values())

    def zone(self, apex: bytes, zone_id: int) -> CompiledZone:
        """A zone as it is in the bundle, under another id. Raises `BundleError`."""
        known = self.memory.zones.get(apex)
        return self._zones.zone(apex, zone_id, None if known is None else known.plans)

    def info(self, apex: bytes) -> ZoneInfo | None:
        """What the bundle says of a zone, if it has it. Raises `BundleError`."""
        return None if self.folder is None else self._zones.info(apex)

    def transfer(self, apex: bytes) -> tuple[str, memoryview] | None:
        """The digest of a zone, and its transfer, if the bundle has it. Raises `BundleError`."""
        if self.folder is None:
            return None
        known = self.memory.zones.get(apex)
        if known is not None:
            digest = known.digest.hex()
        else:
            info = self._zones.info(apex)
            if info is None:
                return None
            digest = info.digest
        octets = self._zones.transfer(apex)
        return None if octets is None else (digest, octets)

    def apexes(self) -> list[bytes]:
        """The apexes of all its zones, ordered by their octets. Raises `BundleError`."""
        if self.memory.zones or self.folder is None:
            return list(self.memory.zones)
        return self._zones.apexes()

    def built(self, apex: bytes) -> BuiltZone | None:
        """What is known of a zone that the bundle has: what is remembered, or what the bundle tells
        of it (`LiveZones.built`). Raises `BundleError`."""
        known = self.memory.zones.get(apex)
        if known is not None or self.folder is None:
            return known
        return self._zones.built(apex)

    @property
    def _zones(self) -> LiveZones:
        if self._opened is None:
            # A build with nothing to do need not wait for what reads zones to be imported.
            from lzc.compiler.incremental.live_zones import LiveZones

            assert self.folder is not None
            self._opened = LiveZones(self.folder, self.manifest)
        return self._opened

    def close(self) -> None:
        """Let go of the bundle's files."""
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find(output: Path, remembered: Memory) -> tuple[LiveBundle, list[Fault]]:
    """The live bundle of a folder and the serials that were handed out, and warnings about what of
    it is damaged."""
    serials, lost, faults = _serials(output)
    try:
        return LiveBundle(output, remembered, serials, lost=lost), faults
    except BundleError as error:
        is_older = isinstance(error, OtherFormat) and error.number < _SAYS_VERSIONS
        live = LiveBundle(serials=serials, lost=lost, is_older=is_older)
        return live, [*faults, _unusable(output, error)]


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
