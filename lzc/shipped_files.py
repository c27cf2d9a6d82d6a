"""What is shipped beside the code: fixtures and templates."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """The folder ``fixtures`` or ``templates``: a wheel carries them inside the package, a checkout
    has them beside it. Raises `FileNotFoundError` where neither is installed."""
    package = Path(__file__).resolve().parent
    for candidate in (package / f"_{name}", package.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"this installation of lzc lacks its {name}; install it again")
