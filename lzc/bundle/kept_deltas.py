"""What a build has of deltas, kept beside those of the builds before."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lzc.bundle import delta_file
from lzc.bundle.current import sync_folder
from lzc.bundle.delta_file import Delta
from lzc.bundle.delta_store import FOLDER, files

_FRESH: Final = ".new"
_DIGITS: Final = 10


@dataclass(slots=True)
class KeptDeltas:
    """The deltas of a build, to be kept beside those before: of the last ``builds`` builds with
    any, and ``octets`` of all. ``failure`` says why they could not be."""

    deltas: list[Delta]
    builds: int
    octets: int
    failure: OSError | None = None

    def save(self, output: Path) -> None:
        """Bring them to disk, and remove what is too old. To be called under
        `lzc.bundle.current.locked`, before the bundle is live."""
        try:
            self._save(output)
        except OSError as error:
            self.failure = error

    def _save(self, output: Path) -> None:
        known = files(output)
        if self.deltas and self.builds:
            folder = output / FOLDER
            folder.mkdir(mode=0o755, exist_ok=True)
            number = 1 + max((int(path.name[:_DIGITS]) for path in known), default=0)
            name, parts = delta_file.encode(self.deltas)
            final = folder / f"{number:0{_DIGITS}}-{name}"
            if sum(map(len, parts)) <= self.octets:
                fresh = folder / _FRESH
                with fresh.open("wb") as out:
                    out.writelines(parts)
                    out.flush()
                    os.fsync(out.fileno())
                fresh.replace(final)
                sync_folder(folder)
                known.append(final)
        _prune(known, self.builds, self.octets)


def _prune(known: list[Path], builds: int, octets: int) -> None:
    for place, path in enumerate(reversed(known)):
        with suppress(OSError):
            octets -= path.stat().st_size
            if place >= builds or octets < 0:
                path.unlink()
