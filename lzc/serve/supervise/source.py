"""Where the bundles of a server come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lzc.bundle import current
from lzc.bundle.manifest import BundleError


@dataclass(frozen=True, slots=True)
class Source:
    """Where bundles come from: ``path`` is a folder with ``current`` in it, or one bundle for good.
    ``stamps`` is where verifications are remembered: what the supervisor has hashed, workers need
    not hash again."""

    path: Path
    stamps: Path

    @classmethod
    def at(cls, path: Path, private: Path) -> Source:
        """The source at ``path``; stamps go beside the bundles, or where that cannot be written
        below the folder ``private``."""
        several = (path / current.CURRENT).is_symlink()
        output = path if several else Path(os.path.realpath(path)).parent
        stamps = current.verified_dir(output)
        if os.access(stamps if stamps.is_dir() else output, os.W_OK):
            return cls(path, stamps)
        # Whoever makes that when the other is gone, and so are we, fails.
        return cls(path, private / "stamps")

    def locate(self) -> Path:
        """The folder of the bundle that is live. Raises `BundleError`."""
        folder = current.locate(self.path)
        if not folder.is_dir():
            raise BundleError(f"{folder}: no bundle here")
        return folder

    def mark(self) -> str:
        """Something that changes when another bundle becomes live."""
        try:
            # The text, not where it leads.
            return os.readlink(self.path / current.CURRENT)  # noqa: PTH115
        except OSError:
            return ""
