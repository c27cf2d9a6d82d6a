"""The private files of a keystore, sealed or in the clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lzc.config import Config
from lzc.dnssec.keystore import bindfile, key_files
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.sealing import Secret, WrongSecret, is_sealed
from lzc.faults import InputError
from lzc.wire import name as wire_name


def secret_of(config: Config) -> Secret | None:
    """What seals the private files of a project; `None` where nothing does. Raises `InputError`."""
    passphrase, key = config.keystore_passphrase(), config.keystore_key()
    if passphrase is not None:
        return Secret(passphrase=passphrase)
    return None if key is None else Secret(key=key)


class Seal:
    """Seals and opens the texts of private files. ``secret`` gives what does, once it is needed; it
    may raise `InputError`, as all methods do then."""

    def __init__(self, secret: Callable[[], Secret | None]) -> None:
        self._secret_of = secret
        self._secret: Secret | None = None

    def secret(self) -> Secret | None:
        """What seals; `None` where nothing does."""
        if self._secret is None:
            self._secret = self._secret_of()
        return self._secret

    def close(self, name: str, text: str) -> str:
        """What is written into the file of this name."""
        secret = self.secret()
        return text if secret is None else secret.seal(name, text)

    def open(self, file: Path, text: str) -> str:
        """The text of a file, in the clear. Raises `InputError`."""
        if not is_sealed(text):
            return text
        secret = self.secret()
        if secret is None:
            raise InputError.at(
                file,
                "key-sealed",
                "the private key is sealed, and lzc.toml does not say with what",
                why="it cannot sign",
                fix="name the secret: keystore-passphrase-file or keystore-key-file in [dnssec]",
            )
        try:
            return secret.unseal(file.name, text)
        except WrongSecret as error:
            raise InputError.at(
                file,
                "key-sealed",
                str(error),
                why="it cannot sign",
                fix="have keystore-passphrase-file or keystore-key-file in [dnssec] name the secret"
                " that it was sealed with",
            ) from error
        except InvalidKeyFile as error:
            zone = bindfile.zone_of(file.stem) or wire_name.ROOT
            raise InputError(key_files.damaged(file, zone, error)) from error
