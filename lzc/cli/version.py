"""``lzc version``: which lzc this is, and what it runs on."""

from __future__ import annotations

import platform
import re
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

import click

import lzc
from lzc import foreign_json
from lzc.bundle.manifest import FORMAT
from lzc.cli.options import format_option
from lzc.cli.screen import echo, echo_json
from lzc.foreign_text import shown

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_USUAL: Final = frozenset(
    {
        *("aiohttp", "click", "cryptography", "dnspython", "geoip2", "jinja2", "lmdb", "lupa"),
        *("rich", "siphash24"),
    }
)
"""Libraries, where lzc runs from its sources, which nobody installed."""
_TIMEOUT: Final = 10
"""Seconds that git may take."""


@click.command("version")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="And the commit, Python, LuaJIT, bundle format, libraries.",
)
@format_option
def command(verbose: bool, output_format: str) -> None:
    """Show the version of lzc, and with -v what a report of a fault should say."""
    found = {"lzc": lzc.__version__} | (_all() if verbose else {})
    if output_format == "json":
        echo_json(found)
        return
    width = max(map(len, found))
    for name, value in found.items():
        echo(f"{name:<{width}}  {shown(value)}" if verbose else f"lzc {value}")


def _all() -> dict[str, str]:
    from lzc.lua.engine.state import luajit_version

    return {
        "commit": _commit() or "unknown",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "luajit": luajit_version(),
        "bundle format": str(FORMAT),
        **{name: _version(name) for name in _dependencies()},
    }


def _dependencies() -> list[str]:
    """The names of the libraries that lzc needs, without those of its extras."""
    needed: list[str] = []
    with suppress(metadata.PackageNotFoundError):
        needed = [one for one in metadata.requires("lzc") or [] if "extra ==" not in one]
    return sorted({found[0] for one in needed if (found := _NAME.match(one))} or _USUAL)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not there"


def _commit() -> str:
    """That which pip installed from, or that of the repository which lzc runs from."""
    with suppress(metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        text = metadata.distribution("lzc").read_text("direct_url.json")
        return str(foreign_json.parse(text or "{}")["vcs_info"]["commit_id"])
    root = Path(lzc.__file__).parent.parent
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - git, about the folder that lzc is in
            [*command, "--exclude=*"], capture_output=True, text=True, check=True, timeout=_TIMEOUT
        )
        return done.stdout.strip()
    return ""
