"""Who is at the other end of a TLS connection, as far as its certificate says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TlsClient:
    """A client over TLS, who need not have shown a certificate. ``pin``: the SHA-256 of the public
    key in it (SubjectPublicKeyInfo, RFC 7858 §4.2), empty without one; ``names``: its DNS names, in
    lower case, where it is valid and a CA that is trusted vouches for it; ``problem``: why they do
    not count where they do not."""

    pin: bytes = b""
    names: frozenset[str] = frozenset()
    problem: str = ""
