"""The library of a token (PKCS #11), and the sessions in it.

The library, its logins and its sessions belong to the process that opened them, and are of no use
to one that it forks (PKCS #11 v2.40 §6.7): so they are opened when a process first needs them, anew
after a fork, and once more when something fails, as after a restart of what is behind the library.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lzc.dnssec.token.uri import TokenUri
from lzc.faults import Fault, InputError, Place

if TYPE_CHECKING:
    import pkcs11

UNREACHABLE: Final = "token-unreachable"
"""The rule of the faults of tokens that are not there, or do not work."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Unreachable(InputError):
    """A key in a token cannot be used now."""

    @classmethod
    def of(cls, uri: TokenUri, rule: str, problem: str, fix: str) -> Unreachable:
        """The one of a key, or of a token."""
        why = "without it nothing signs with this key"
        return cls(Fault(Place(str(uri)), rule, problem, why, fix))


@dataclass(frozen=True, slots=True)
class Pin:
    """The PIN of a token: ``read`` gives it, of the file that a URI names in pin-source, or else of
    the one in the settings. ``folder`` is one that all have who log in with it: they do so one
    after the other, as otherwise each may be the one whose wrong PIN locks the token."""

    read: Callable[[str | None], str | None] = field(default=lambda _: None, repr=False)
    folder: Path | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else logs in meanwhile."""
        try:
            handle = None if self.folder is None else os.open(self.folder, _FOLDER)
        except OSError:
            # Without a keystore there are no others.
            handle = None
        if handle is None:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


NO_PIN: Final = Pin()
"""Where there is none."""


class Session(NamedTuple):
    """One with a token that is open, what it can do, and the keys that were found in it."""

    session: pkcs11.Session
    mechanisms: frozenset[Any]
    keys: dict[TokenUri, Any]


class Library:
    """A library in this process. For one thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._pid = 0
        self._lib: Any = None
        self._sessions: dict[tuple[str | None, ...], Session] = {}
        self._refused: dict[tuple[str | None, ...], bytes] = {}

    def session(self, uri: TokenUri, pin: Pin) -> Session:
        """The session of reading with a token, logged in. Raises `Unreachable`, `PKCS11Error`."""
        self._begin()
        found = self._sessions.get(uri.place)
        if found is None:
            token, session = self._open(uri, pin, rw=False)
            mechanisms = frozenset(token.slot.get_mechanisms())
            found = self._sessions[uri.place] = Session(session, mechanisms, {})
        return found

    def writing(self, uri: TokenUri, pin: Pin) -> pkcs11.Session:
        """A session of writing with a token."""
        self._begin()
        return self._open(uri, pin, rw=True)[1]

    def _open(self, uri: TokenUri, pin: Pin, *, rw: bool) -> tuple[pkcs11.Token, pkcs11.Session]:
        # What a token says of wrong PINs counts for the next one who tries.
        with pin.turn():
            token = self._token(uri)
            return token, self._log_in(uri, token, pin, rw=rw)

    def forget(self) -> None:
        """Let go of the library: what comes next loads it anew."""
        from pkcs11 import PKCS11Error

        self._sessions.clear()
        lib, self._lib = self._lib, None
        if lib is not None:
            # It may not be usable any more, which is why it goes.
            with suppress(PKCS11Error):
                lib.finalize()

    def _begin(self) -> None:
        import pkcs11

        if self._pid != os.getpid():
            # What the parent opened is not ours: neither its handles nor its logins.
            self.forget()
            self._refused.clear()
            self._pid = os.getpid()
        if self._lib is None:
            self._lib = pkcs11.lib(self.path)

    def _token(self, uri: TokenUri) -> pkcs11.Token:
        found = [
            token
            for token in self._lib.get_tokens()
            if all(
                wanted in (None, has)
                for wanted, has in (
                    (uri.token, token.label),
                    (uri.serial, token.serial.decode("utf-8", "replace").rstrip()),
                    (uri.manufacturer, token.manufacturer_id),
                    (uri.model, token.model),
                )
            )
        ]
        if len(found) != 1:
            raise Unreachable.of(
                uri,
                UNREACHABLE,
                f"{len(found)} tokens fit the URI" if found else "there is no such token",
                "plug it in, start what serves it, or correct pkcs11-module in [dnssec]"
                if not found
                else "name one of them, as by its serial",
            )
        token: pkcs11.Token = found[0]
        return token

    def _log_in(
        self,
        uri: TokenUri,
        token: pkcs11.Token,
        pin: Pin,
        *,
        rw: bool,
    ) -> pkcs11.Session:
        import pkcs11

        if not token.flags & pkcs11.TokenFlag.LOGIN_REQUIRED:
            return token.open(rw=rw)
        secret = pin.read(uri.pin_source)
        if secret is None:
            problem = "the token wants a PIN, and lzc.toml names none"
            raise Unreachable.of(uri, "token-pin", problem, "set pkcs11-pin-file in [dnssec]")
        ident = sha256(secret.encode()).digest()
        if self._refused.get(uri.place) == ident:
            # Tokens lock themselves after some wrong ones.
            raise _wrong_pin(uri)
        if token.flags & (pkcs11.TokenFlag.USER_PIN_FINAL_TRY | pkcs11.TokenFlag.USER_PIN_LOCKED):
            raise Unreachable.of(
                uri,
                "token-pin",
                "the token is locked after wrong PINs, or would be by one more: lzc does not try",
                "log in with its own tool, which resets that, and correct pkcs11-pin-file",
            )
        try:
            return token.open(rw=rw, user_pin=secret)
        except pkcs11.UserAlreadyLoggedIn:
            # A login is the process's, for all of its sessions.
            return token.open(rw=rw)
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            self._refused[uri.place] = ident
            raise _wrong_pin(uri) from error


def _wrong_pin(uri: TokenUri) -> Unreachable:
    return Unreachable.of(
        uri,
        "token-pin",
        "the token refuses the PIN; this process tries it once only, lest the token be locked",
        "correct pkcs11-pin-file of [dnssec], or what pin-source in the URI names",
    )
