"""Keys in tokens are looked for before they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lzc.contained import Ended
from lzc.dnssec.token.library import UNREACHABLE, Unreachable
from lzc.dnssec.token.sessions import Tokens
from lzc.dnssec.token.uri import TokenUri, parse
from lzc.dnssec.token.waiting import Waiting
from lzc.serve.supervise.token_watch import Lying, TokenWatch


class FakeTokens(Tokens):
    """Tokens of which files in a folder say what is wrong with them; ``tried`` has a line for each
    look at one."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def waiting_as(self, _waiting: Waiting) -> Tokens:
        return self

    def reach(self, uri: TokenUri, _algorithm: int, *, anew: bool = False) -> None:
        assert anew
        with (self._folder / "tried").open("a") as tried:
            tried.write(f"{uri}\n")
        problem = self._folder / f"{uri.token}.{uri.object}"
        if problem.exists():
            raise Unreachable.of(uri, problem.read_text(), "gone", "bring it back")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[TokenWatch]:
    found = TokenWatch(FakeTokens(tmp_path))
    yield found
    found.close()


def lying(token: str, key: str) -> Lying:
    return Lying(parse(f"pkcs11:token={token};object={key}"), 13)


KEYS = {
    "a.example.": [lying("one", "ksk"), lying("one", "a")],
    "b.example.": [lying("one", "ksk"), lying("one", "b")],
    "c.example.": [lying("two", "c")],
}


def test_a_key_that_is_gone_is_told_with_its_zone(watch: TokenWatch, tmp_path: Path) -> None:
    assert watch.look(KEYS) == {}
    (tmp_path / "one.b").write_text("token-key")
    found = watch.look(KEYS)
    assert list(found) == ["b.example."]
    assert [fault.rule for fault in found["b.example."]] == ["token-key"]
    (tmp_path / "one.b").unlink()
    assert watch.look(KEYS) == {}


def test_a_token_that_does_not_answer_is_asked_once(watch: TokenWatch, tmp_path: Path) -> None:
    (tmp_path / "one.ksk").write_text(UNREACHABLE)
    found = watch.look(KEYS)
    assert list(found) == ["a.example.", "b.example."]
    tried = (tmp_path / "tried").read_text().splitlines()
    assert tried == ["pkcs11:token=one;object=ksk", "pkcs11:token=two;object=c"]


def test_without_keys_in_tokens_there_is_no_child(watch: TokenWatch) -> None:
    assert watch.look({}) == {}
    assert not watch._child._pid


def test_a_library_that_crashes_takes_nobody_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    tokens = FakeTokens(tmp_path)
    monkeypatch.setattr(tokens, "reach", lambda *_, **__: os.abort(), raising=False)
    watch = TokenWatch(tokens)
    with pytest.raises(Ended):
        watch.look(KEYS)
    watch.close()
