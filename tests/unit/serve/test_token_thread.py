"""A worker waits for a token only so long, whatever becomes of what it asked for."""

from __future__ import annotations

import os
import threading

import pytest

from lzc.dnssec.token.sessions import UNREACHABLE, Tokens, Unreachable
from lzc.dnssec.token.uri import parse
from lzc.dnssec.token.waiting import TooLong
from lzc.serve.worker.token_thread import TokenThread
from tests.patience import PATIENCE

URI = parse("pkcs11:token=dns;object=ksk")
AT_ONCE = 0.01


def test_work_is_done_in_one_thread_and_gives_what_it_gives() -> None:
    tokens = TokenThread(PATIENCE)
    first, second = (tokens(threading.get_ident) for _ in range(2))
    assert first == second != threading.get_ident()
    with pytest.raises(ValueError, match="no"):
        tokens(lambda: int("no"))
    assert tokens(lambda: 1) == 1


def test_what_never_comes_back_is_waited_for_once() -> None:
    comes_back, asked = threading.Event(), []
    tokens = TokenThread(AT_ONCE, rest=0)

    def hang() -> None:
        asked.append(1)
        comes_back.wait(PATIENCE)

    with pytest.raises(TooLong, match=r"takes longer than 0\.01 s"):
        tokens(hang)
    for _ in range(3):
        with pytest.raises(TooLong, match="has not answered for 0 s"):
            tokens(hang)
    assert asked == [1]
    comes_back.set()
    tokens._late.done.wait(PATIENCE)  # type: ignore[union-attr]
    assert TokenThread.__call__(tokens, lambda: "back") == "back"


def test_a_slow_token_rests() -> None:
    tokens = TokenThread(AT_ONCE, rest=PATIENCE)
    slow = threading.Event()
    with pytest.raises(TooLong):
        tokens(lambda: slow.wait(PATIENCE))
    slow.set()
    tokens._late.done.wait(PATIENCE)  # type: ignore[union-attr]
    with pytest.raises(TooLong, match=r"took longer than 0\.01 s, and is asked again in \d+ s"):
        tokens(lambda: 1)


def test_a_child_does_not_wait_for_the_thread_of_its_parent() -> None:
    tokens = TokenThread(PATIENCE)
    assert tokens(lambda: 1) == 1
    child = os.fork()
    if not child:
        os._exit(tokens(lambda: 7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_token_that_takes_too_long_is_one_that_cannot_be_reached() -> None:
    def too_long(_: object) -> object:
        raise TooLong("the token takes longer than 1 s")

    pytest.importorskip("pkcs11")
    with pytest.raises(Unreachable, match="takes longer") as found:
        Tokens("/lib/none.so", waiting=too_long).sign(URI, 13, b"data")  # type: ignore[arg-type]
    assert found.value.faults[0].rule == UNREACHABLE
