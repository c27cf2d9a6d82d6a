"""``lzc demo`` runs the whole road, checks what it sees, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

LZC = Path(sys.executable).with_name("lzc")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What it printed, and the folder in which it made its own."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [str(LZC), "demo"],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder


def test_it_shows_each_step(demo: tuple[str, Path]) -> None:
    output, _ = demo
    for step in ("keys generate", "build", "serve", "Questions", "Transfers"):
        assert step in output


def test_signed_answers_are_validated(demo: tuple[str, Path]) -> None:
    output, _ = demo
    assert re.search(r"static\.example\.org\. A \(.*\) -> 192\.0\.2\.80 \[signed\]", output)
    assert re.search(r"nothing\.example\.org\. A \(.*\) -> NXDOMAIN \[signed\]", output)


def test_lua_answers_depend_on_the_client(demo: tuple[str, Path]) -> None:
    output, _ = demo
    assert "country.det.example.org. A (subnet 192.0.2.0/24) -> 192.0.2.41 [signed]" in output
    assert "country.det.example.org. A (subnet 203.0.113.0/24) -> 192.0.2.42 [signed]" in output


def test_transfers_take_the_key(demo: tuple[str, Path]) -> None:
    output, _ = demo
    assert re.search(r"AXFR example\.org: \d+ records, [1-9]\d* of them LUA, serial \d+", output)
    assert "AXFR example.org without TSIG: refused" in output


def test_nothing_stays(demo: tuple[str, Path]) -> None:
    assert list(demo[1].iterdir()) == []
