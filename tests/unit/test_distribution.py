"""The distribution is called lzc-dns: on PyPI the name lzc belongs to somebody else's game, which
nothing that lzc says may have installed. The import and the command are lzc."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import lzc

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALLS_A_STRANGER = re.compile(
    r"\b(?:pip3?|pipx|uvx?|poetry|pdm|easy_install)\b[^\n;&|`]*"
    r"\b(?:install|add|run|inject|download)\b[^\n;&|`]*"
    r"(?<![\w./=-])lzc(?![\w/-]|\.\w)"
)


def read_by_operators() -> Iterator[Path]:
    """All texts that are shipped, or stand beside what is."""
    for name in ("README.md", "CHANGELOG.md", "pyproject.toml"):
        yield ROOT / name
    for folder in (".ci", ".github", "lzc", "templates", "fixtures", "findings"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and file.suffix not in {".mmdb", ".pyc", ".lock"}:
                yield file


def test_the_distribution_has_its_own_name_and_the_command_keeps_its() -> None:
    assert PROJECT["name"] == "lzc-dns"
    assert PROJECT["scripts"] == {"lzc": "lzc.__main__:main"}
    assert PROJECT["version"] == lzc.__version__


def test_what_is_installed_goes_by_that_name() -> None:
    installed = metadata.distribution("lzc-dns")
    assert installed.version == lzc.__version__
    assert [(point.name, point.value) for point in installed.entry_points] == [
        ("lzc", "lzc.__main__:main")
    ]
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.distribution("lzc")


def test_nothing_says_to_install_the_game() -> None:
    texts = {file: file.read_bytes().decode(errors="replace") for file in read_by_operators()}
    assert len(texts) > 200
    assert [str(file) for file, text in texts.items() if INSTALLS_A_STRANGER.search(text)] == []


@pytest.mark.parametrize(
    ("line", "strangers"),
    [
        ("pip install lzc", True),
        ("pip3 install --upgrade lzc.", True),
        ("run: pip install 'lzc[dev]'", True),
        ("pipx install lzc==0.1.0", True),
        ("uv tool install lzc", True),
        ("pip install lzc-dns", False),
        ("pip install --requirement lzc.txt && lzc build", False),
        ("pip install dnspython; lzc demo", False),
        ("pip install ./lzc", False),
    ],
)
def test_a_line_that_installs_the_game_is_seen(line: str, strangers: bool) -> None:
    assert bool(INSTALLS_A_STRANGER.search(line)) == strangers
