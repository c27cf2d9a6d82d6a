"""A private key that lies in a token, and is used there."""

from __future__ import annotations

from dataclasses import dataclass, field

from lzc.dnssec.token.sessions import Tokens
from lzc.dnssec.token.uri import TokenUri


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What there is of a private key here: where it lies, and its public half. ``public`` is the
    Public Key field of its DNSKEY; ``tokens`` are where it is found."""

    uri: TokenUri
    algorithm: int
    public: bytes
    tokens: Tokens = field(repr=False, compare=False)

    def sign(self, data: bytes) -> bytes:
        """The Signature field of an RRSIG over octets. Raises `Unreachable`."""
        return self.tokens.sign(self.uri, self.algorithm, data)

    def reach(self) -> None:
        """Raises `Unreachable` where the token does not let the key sign now."""
        self.tokens.reach(self.uri, self.algorithm)
