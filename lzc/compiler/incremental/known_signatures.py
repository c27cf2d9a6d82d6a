"""Which signatures of presigned zones were found right before, so that the next build need not do
their mathematics again.

One file a zone, beside the bundles. It counts for nothing unless it was written by this very
program for this project, and is whole; without it all signatures are checked. Whether a signature
is valid at the time is not remembered: that is looked at in each build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = ".signatures"

DIGEST: Final = 16
"""Octets by which an RRset with its signatures and the keys of its zone is known."""
_MAGIC: Final = b"lzc signatures 1\n"
_HEAD: Final = len(_MAGIC) + 2 * 32


@dataclass(frozen=True, slots=True)
class KnownSignatures:
    """What is remembered of zones by builds into a folder of bundles; ``surroundings`` is as in
    `lzc.compiler.incremental.memory`. With ``read_only`` what is found now is not remembered."""

    output: Path
    surroundings: bytes
    read_only: bool = False

    def of(self, apex: bytes) -> frozenset[bytes]:
        """What is known of a zone; nothing where the file is missing, damaged, or of something
        else."""
        try:
            data = self._path(apex).read_bytes()
        except OSError:
            return frozenset()
        payload = memoryview(data)[_HEAD:]
        if data[:_HEAD] != self._head(apex, payload):
            return frozenset()
        octets = bytes(payload)
        return frozenset(octets[at : at + DIGEST] for at in range(0, len(octets), DIGEST))

    def save(self, made: Mapping[bytes, Collection[bytes]]) -> None:
        """Replace what is known of zones, by their apex. Where that cannot be written, the next
        build computes it again."""
        if self.read_only:
            return
        with suppress(OSError):
            for apex, known in made.items():
                self._replace(apex, b"".join(sorted(known)))

    def keep(self, apexes: Collection[bytes]) -> None:
        """Forget all zones but these. Raises `OSError`."""
        folder = self.output / FOLDER
        if not folder.is_dir():
            return
        names = {self._path(apex).name for apex in apexes}
        for path in folder.iterdir():
            if path.name not in names:
                path.unlink()

    def _replace(self, apex: bytes, payload: bytes) -> None:
        path = self._path(apex)
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as out:
            out.writelines((self._head(apex, payload), payload))
        fresh.replace(path)

    def _path(self, apex: bytes) -> Path:
        # A zone's name may be too long, and hold anything.
        return self.output / FOLDER / hashlib.sha256(apex).hexdigest()

    def _head(self, apex: bytes, payload: bytes | memoryview) -> bytes:
        surroundings = hashlib.sha256(self.surroundings + apex).digest()
        return b"".join((_MAGIC, surroundings, hashlib.sha256(payload).digest()))
