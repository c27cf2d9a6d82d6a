"""Names of tokens and of the keys in them: PKCS #11 URIs (RFC 7512).

Key files hold them, so what does not belong there is refused: a PIN, and a library that is to be
loaded, which ``lzc.toml`` names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

SCHEME: Final = "pkcs11:"
_OF_TOKEN: Final = ("token", "manufacturer", "serial", "model")
_PATH: Final = (*_OF_TOKEN, "object", "id", "type")
"""What the path of a URI may name (RFC 7512 §2.3), as far as lzc goes by it."""
_WORD: Final = re.compile(r"(?:[A-Za-z0-9\-._~\[\]:@!$'()*+,=&/?|]|%[0-9A-Fa-f]{2})*")


class InvalidUri(ValueError):
    """A PKCS #11 URI that cannot be used. The message never holds what may be a PIN."""


@dataclass(frozen=True, slots=True)
class TokenUri:
    """What a URI says. ``text`` is the URI as it was written; it has no secret. ``token``,
    ``manufacturer``, ``serial`` and ``model`` say which token, ``object`` (its label) and ``id``
    which key in it, where they are given. ``pin_source`` names the file with the PIN."""

    text: str
    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    object: str | None = None
    id: bytes | None = None
    pin_source: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def place(self) -> tuple[str | None, ...]:
        """What says which token it is."""
        return self.token, self.manufacturer, self.serial, self.model

    @property
    def names_key(self) -> bool:
        """Whether it says which key in the token."""
        return self.object is not None or self.id is not None

    def of_object(self, label: str) -> TokenUri:
        """The URI of the key with this label in the token."""
        path, mark, query = self.text.partition("?")
        return parse(f"{path.rstrip(';')};object={quote(label, safe='-._~')}{mark}{query}")


def parse(text: str) -> TokenUri:
    """What a PKCS #11 URI says. Raises `InvalidUri`."""
    if not text.startswith(SCHEME):
        raise InvalidUri("not a PKCS #11 URI, such as pkcs11:token=dns;object=example-ksk")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    found = _attributes(path, ";")
    asked = _attributes(query, "&")
    for name in ("pin-source", "pin-value"):
        # Labels of BIND have them there, as the library behind it takes them everywhere.
        if name in found and name not in asked:
            asked[name] = found.pop(name)
    for name in found:
        if name not in _PATH:
            known = ", ".join(_PATH)
            raise InvalidUri(f"{name[:40]} does not tell lzc which key it is; {known} do")
    if found.pop("type", b"private") != b"private":
        raise InvalidUri("type is to be private, or left out: it is a private key that signs")
    if "pin-value" in asked:
        raise InvalidUri(
            "pin-value would leave the PIN in files and logs; name a file: pkcs11-pin-file in"
            " [dnssec], or pin-source"
        )
    for name in asked:
        if name != "pin-source":
            raise InvalidUri(f"{name[:40]} is not taken from a URI; lzc.toml says it in [dnssec]")
    if not found.keys() & set(_OF_TOKEN):
        raise InvalidUri("the URI names no token: token=LABEL is missing")
    texts = {name: _text(name, value) for name, value in found.items() if name != "id"}
    source = asked.get("pin-source")
    return TokenUri(
        text,
        **texts,
        id=found.get("id"),
        pin_source=None if source is None else _text("pin-source", source),
    )


def _attributes(part: str, separator: str) -> dict[str, bytes]:
    """The attributes of a path or a query, without their percent signs."""
    found: dict[str, bytes] = {}
    for one in filter(None, part.split(separator)):
        name, equals, value = one.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InvalidUri("its parts are not NAME=VALUE")
        if name in found:
            raise InvalidUri(f"{name[:40]} stands in it twice")
        if not _WORD.fullmatch(value):
            raise InvalidUri(f"{name[:40]} has a character that is to be written as %XX")
        found[name] = unquote_to_bytes(value)
    return found


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise InvalidUri(f"{name} is not UTF-8") from error
    if not text or "\0" in text:
        raise InvalidUri(f"{name} is empty, or has an octet of zeros")
    return text
