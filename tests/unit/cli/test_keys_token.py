"""``lzc keys`` and a token that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest

from lzc.cli import group
from lzc.cli.keys import arguments
from lzc.dnssec.token.library import Library
from lzc.dnssec.token.sessions import Tokens
from tests.patience import PATIENCE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose token hangs for as long as a test lasts."""
    (tmp_path / "lzc.toml").write_text('[dnssec]\npkcs11-module = "/lib/hangs.so"\n')
    goes_on = threading.Event()

    def hang(*_: Any) -> None:
        goes_on.wait(PATIENCE)

    monkeypatch.setattr(arguments, "TOKEN_SECONDS", 0.01)
    monkeypatch.setattr(Tokens, "_library", lambda *_: Library("/lib/hangs.so"))
    monkeypatch.setattr(Tokens, "_at_most_twice", hang)
    yield tmp_path
    goes_on.set()


@pytest.mark.parametrize(
    "words",
    [
        "generate example.org --pkcs11 pkcs11:token=dns",
        "import example.org --pkcs11 pkcs11:token=dns;object=ksk --algorithm 13 --ksk",
    ],
)
def test_a_command_does_not_wait_for_good(project: Path, words: str) -> None:
    arguments = ["keys", *words.split(), "-c", str(project / "lzc.toml")]
    result = click.testing.CliRunner().invoke(group, arguments)
    assert result.exit_code == 1
    assert "the token takes longer than 0.01 s" in result.output
    assert "fix: see what keeps it" in result.output
    assert not list((project / "keys").glob("K*"))
