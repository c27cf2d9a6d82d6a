"""Files that come with lzc but are not Python: the example project and the templates.

A wheel carries them inside the package; a checkout, editable installs included, has them beside it.
"""

from __future__ import annotations

from pathlib import Path

import click

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The folder ``fixtures`` or ``templates``. Raises `click.ClickException` where neither a wheel
    nor a checkout is installed."""
    for candidate in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise click.ClickException(f"this installation of lzc lacks its {name}; install it again")
