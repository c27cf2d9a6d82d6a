"""Where the files of this checkout are."""

from __future__ import annotations

from pathlib import Path
from typing import Final


def _root(here: Path) -> Path:
    return next(folder for folder in here.parents if (folder / "pyproject.toml").is_file())


ROOT: Final = _root(Path(__file__).resolve())
