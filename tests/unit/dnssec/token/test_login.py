"""Logging in to a token: with a PIN that is wrong as seldom as can be, so that it is not locked."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import TokenFlag

from lzc.dnssec.token.library import Library, Pin, Unreachable
from lzc.dnssec.token.uri import parse
from tests.patience import PATIENCE

URI = parse("pkcs11:token=dns;object=ksk")
LOGIN = TokenFlag.LOGIN_REQUIRED


class FakeToken:
    """A token that says what it is told to, and counts what PINs it is given."""

    def __init__(self, flags: TokenFlag = LOGIN, error: Exception | None = None) -> None:
        self.flags = flags
        self.error = error
        self.tried: list[str] = []
        self.slot = self
        self.label, self.serial = "dns", b"1"
        self.manufacturer_id = self.model = "fake"

    def get_mechanisms(self) -> list[Any]:
        return []

    def open(self, *, rw: bool, user_pin: str = "") -> object:
        self.tried.append(user_pin)
        if self.error is not None and user_pin:
            raise self.error
        return f"session {rw}"


def library_of(token: FakeToken) -> Library:
    library = Library("/lib/fake.so")
    library._pid = os.getpid()
    library._lib = type("Lib", (), {"get_tokens": lambda _: [token]})()
    return library


def pin(secret: str | None, folder: Path | None = None) -> Pin:
    return Pin(lambda _: secret, folder)


@pytest.mark.parametrize("flag", [TokenFlag.USER_PIN_FINAL_TRY, TokenFlag.USER_PIN_LOCKED])
def test_where_one_more_wrong_pin_would_lock_it_none_is_tried(flag: TokenFlag) -> None:
    token = FakeToken(LOGIN | flag)
    with pytest.raises(Unreachable, match="is locked after wrong PINs, or would be") as error:
        library_of(token).session(URI, pin("24680"))
    assert error.value.faults[0].rule == "token-pin"
    assert token.tried == []


def test_where_some_were_wrong_and_it_is_not_the_last_it_is_tried() -> None:
    token = FakeToken(LOGIN | TokenFlag.USER_PIN_COUNT_LOW)
    assert library_of(token).session(URI, pin("24680")).session == "session False"
    assert token.tried == ["24680"]


@pytest.mark.parametrize(
    "error", [pkcs11.PinIncorrect(), pkcs11.PinInvalid(), pkcs11.PinLenRange()]
)
def test_a_pin_that_is_refused_is_not_tried_again(error: Exception) -> None:
    """Another one is."""
    token = FakeToken(error=error)
    library = library_of(token)
    for secret in ("1", "1", "2", "2"):
        with pytest.raises(Unreachable, match="refuses the PIN") as caught:
            library.session(URI, pin(secret))
        assert secret not in str(caught.value.faults[0].message).split()
    assert token.tried == ["1", "2"]


def test_without_a_pin_it_says_what_to_set() -> None:
    token = FakeToken()
    with pytest.raises(Unreachable, match="wants a PIN"):
        library_of(token).session(URI, pin(None))
    assert token.tried == []


def test_a_token_without_logins_wants_none() -> None:
    token = FakeToken(TokenFlag(0))
    assert library_of(token).writing(URI, pin(None)) == "session True"


def test_who_is_logged_in_needs_no_more() -> None:
    token = FakeToken(error=pkcs11.UserAlreadyLoggedIn())
    assert library_of(token).writing(URI, pin("1")) == "session True"
    assert token.tried == ["1", ""]


def test_processes_log_in_one_after_the_other(tmp_path: Path) -> None:
    """Each sees what the wrong PIN of the one before left: so none of many workers, who all read
    the same wrong PIN, is the one who locks the token."""
    token = FakeToken()
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    failures: list[Unreachable] = []

    def log_in() -> None:
        try:
            library_of(token).session(URI, pin("1", tmp_path))
        except Unreachable as error:
            failures.append(error)

    other = threading.Thread(target=log_in)
    other.start()
    token.flags |= TokenFlag.USER_PIN_FINAL_TRY
    os.close(handle)
    other.join(PATIENCE)
    assert len(failures) == 1
    assert token.tried == []


def test_where_there_is_no_keystore_there_is_nobody_to_wait_for(tmp_path: Path) -> None:
    token = FakeToken()
    library_of(token).session(URI, pin("1", tmp_path / "none"))
    assert token.tried == ["1"]
