"""Private keys at rest: sealed by a passphrase, or by a key in a file.

A sealed file has the name of the clear one, lines of its own format, and as much as AES-256-GCM
hides: nobody reads the key, and no file passes for another. The key is made of a passphrase by
scrypt (RFC 7914), once for all files with one salt.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lzc.dnssec.keystore.bindfile import InvalidKeyFile, parse_fields

HEADER: Final = "Lzc-sealed-key"
KEY_OCTETS: Final = 32
_VERSION: Final = "v1"
_SALT, _NONCE = 16, 12
_COST: Final = 2**15
"""scrypt's N; with r = 8 and p = 1 it takes 32 MiB and about 0.1 s."""


class WrongSecret(InvalidKeyFile):
    """A sealed file that a secret does not open: it is of another secret, or damaged."""


def is_sealed(text: str) -> bool:
    """Whether the text of a private file is sealed."""
    return text.startswith(f"{HEADER}:")


class Secret:
    """What opens and seals the private files of a keystore. It never shows in ``repr``."""

    __slots__ = ("_keys", "_passphrase", "_plain", "_salt")

    def __init__(self, *, passphrase: bytes = b"", key: bytes = b"") -> None:
        """Either a passphrase, or a key of 32 octets."""
        if bool(passphrase) == bool(key) or len(key) not in (0, KEY_OCTETS):
            raise ValueError("a secret is a passphrase, or a key of 32 octets")
        self._passphrase = passphrase
        self._plain = key
        self._salt = b""
        self._keys: dict[bytes, AESGCM] = {}

    def __repr__(self) -> str:
        return "Secret()"

    def seal(self, name: str, text: str) -> str:
        """The text of the sealed file of this name."""
        if not self._salt and self._passphrase:
            self._salt = secrets.token_bytes(_SALT)
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._cipher(self._salt).encrypt(nonce, text.encode(), _bound(name))
        fields = {
            HEADER: _VERSION,
            "Cipher": "AES-256-GCM",
            "Key": "scrypt" if self._passphrase else "file",
            **({"Salt": _base64(self._salt)} if self._passphrase else {}),
            "Nonce": _base64(nonce),
            "Data": _base64(sealed),
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def unseal(self, name: str, text: str) -> str:
        """The text that was sealed for a file of this name. Raises `InvalidKeyFile`, which says no
        more than that it cannot be opened."""
        fields = parse_fields(text)
        version, line = fields.get(HEADER, ("", 0))
        if version != _VERSION:
            raise InvalidKeyFile(f"sealed key format {version[:20]} is unknown to this lzc", line)
        how, line = fields.get("Key", ("", 0))
        if how not in ("scrypt", "file"):
            raise InvalidKeyFile(
                f"sealed with {how[:20] or 'nothing'}, which lzc does not know", line
            )
        if (how == "scrypt") != bool(self._passphrase):
            needs = "passphrase" if how == "scrypt" else "key"
            raise WrongSecret(f"the private key is sealed with a {needs}", line)
        salt = _octets(fields, "Salt") if self._passphrase else b""
        nonce, data = _octets(fields, "Nonce"), _octets(fields, "Data")
        try:
            plain = self._cipher(salt).decrypt(nonce, data, _bound(name))
        except (InvalidTag, ValueError):
            raise WrongSecret(
                "the private key cannot be opened: it was sealed with another secret, or for a file"
                " of another name, or it is damaged"
            ) from None
        if salt and not self._salt:
            # Those that are sealed from now on have it, too, and are opened at the same cost.
            self._salt = salt
        return plain.decode("utf-8", "replace")

    def _cipher(self, salt: bytes) -> AESGCM:
        found = self._keys.get(salt)
        if found is None:
            key = self._plain
            if self._passphrase:
                key = Scrypt(salt, KEY_OCTETS, _COST, 8, 1).derive(self._passphrase)
            found = self._keys[salt] = AESGCM(key)
        return found


def _bound(name: str) -> bytes:
    """What a sealed text belongs to, besides its secret."""
    return f"lzc sealed key {_VERSION} {name}".encode()


def _octets(fields: dict[str, tuple[str, int]], name: str) -> bytes:
    value, line = fields.get(name, ("", 0))
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise InvalidKeyFile(f"{name} is missing, or not base64", line)
    return found


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
