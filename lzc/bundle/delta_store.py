"""The files of deltas beside the bundles, and the way through them from one serial of a zone to
another.

Nothing depends on them: where one is damaged or gone, secondaries get whole zones. A delta counts
where it leads to what the live bundle has, by serial and digest; what leads to anything else (a
bundle that never went live, content that a rollback left) is passed over.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lzc.bundle import delta_file
from lzc.bundle.delta_file import NAME, Content, DeltaFile, Step
from lzc.bundle.manifest import BundleError

FOLDER: Final = "deltas"
_ZONES: Final = 1024
"""Zones of which the deltas are remembered."""
_KEPT: Final = 1 << 20
"""Octets of sequences that are kept in memory, and an eighth of them of a single one."""


def files(output: Path) -> list[Path]:
    """The files of deltas beside the bundles, the oldest first."""
    try:
        names = sorted(filter(NAME.fullmatch, os.listdir(output / FOLDER)))  # noqa: PTH208
    except OSError:
        return []
    return [output / FOLDER / name for name in names]


class DeltaStore:
    """The deltas of one folder of bundles, as they are when they are first asked for. ``problems``
    are what is wrong with some of the files; whoever tells of them takes them away. ``kept`` are
    whole sequences in memory, by apex, the serial before and the one after."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._files: list[Path] | None = None
        self._zones: dict[bytes, list[Step]] = {}
        self._right: set[Path] = set()
        self._damaged: set[Step] = set()
        self.problems: list[str] = []
        self.kept: dict[tuple[bytes, int, int], bytes] = {}
        self._kept_octets = 0

    def keep(self, way: tuple[bytes, int, int], made: bytes) -> None:
        """Keep what a zone has on its way between two serials, where that is small: all its
        secondaries ask for the same, one after the other."""
        if len(made) > _KEPT // 8:
            return
        while self._kept_octets + len(made) > _KEPT:
            self._kept_octets -= len(self.kept.pop(next(iter(self.kept))))
        self.kept[way] = made
        self._kept_octets += len(made)

    def way(self, apex: bytes, serial: int, now: Content) -> list[Step] | None:
        """The deltas that lead from what the zone was under a serial to what it is ``now``, in
        order; `None` where there are none, or where it was two things under that serial."""
        steps = self.steps(apex)
        into: dict[Content, Step] = {step.after: step for step in steps}
        found: list[Step] = []
        at = now
        while at.serial != serial:
            step = into.pop(at, None)
            if step is None or step in self._damaged:
                return None
            found.append(step)
            at = step.before
        told = {one for step in steps for one in (step.before, step.after) if one.serial == serial}
        return found[::-1] if len(told) == 1 else None

    def steps(self, apex: bytes) -> list[Step]:
        """All deltas of a zone, the oldest first."""
        known = self._zones.get(apex)
        if known is None:
            if self._files is None:
                self._files = files(self._output)
            mark = delta_file.zone_mark(apex)
            known = [step for path in list(self._files) for step in self._steps_in(path, mark)]
            if len(self._zones) >= _ZONES:
                self._zones.clear()
            self._zones[apex] = known
        return known

    def _steps_in(self, path: Path, mark: bytes) -> list[Step]:
        try:
            with DeltaFile(path) as file:
                if path not in self._right:
                    file.verify_head()
                    self._right.add(path)
                return list(file.steps(mark))
        except BundleError as error:
            assert self._files is not None
            self._files.remove(path)
            # Builds remove what is too old, whoever has a bundle open that knew it.
            if path.exists():
                self.problems.append(str(error))
            return []

    def give_up(self, step: Step, error: BundleError) -> None:
        """A delta is damaged, and counts no more."""
        if step not in self._damaged:
            self._damaged.add(step)
            self.problems.append(str(error))
