"""DNS cookies (RFC 7873) in the form that servers agree on (RFC 9018).

A server cookie is 16 octets: version 1, three reserved, a 32-bit time, and the SipHash-2-4 of all
that, the client cookie and the client's address. Whoever knows the secret can check it, so all
servers behind one address take the same.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from siphash24 import siphash24

CLIENT_COOKIE: Final = 8
"""Octets of a client cookie."""
SECRET: Final = 16
"""Octets of a secret."""
LIFETIME: Final = 3600
"""Seconds for which a server cookie is good (RFC 9018 §4.3)."""
RENEWAL: Final = 1800
"""Age in seconds from which on a client gets a new cookie."""
AHEAD: Final = 300
"""Seconds that another server's clock may be ahead."""


def make(client_cookie: bytes, secret: bytes, address: bytes, now: float) -> bytes:
    """The server cookie (16 octets) for a client cookie (8 octets).

    ``secret`` has 16 octets, ``address`` is the client's, packed; ``now`` in seconds since the
    epoch, taken modulo 2**32.
    """
    head = b"\x01\x00\x00\x00" + (int(now) & 0xFFFFFFFF).to_bytes(4, "big")
    return head + _hash(client_cookie + head + address, secret)


def check(cookie: bytes, secret: bytes, address: bytes, now: float) -> bool:
    """True when a COOKIE option (client and server cookie) was made for this address with this
    secret, at most an hour ago. Parameters as for `make`."""
    if len(cookie) != 24 or cookie[8] != 1:
        return False
    if not -AHEAD <= age(cookie, now) <= LIFETIME:
        return False
    return compare_digest(_hash(cookie[:16] + address, secret), cookie[16:])


def age(cookie: bytes, now: float) -> int:
    """Seconds since the server cookie of a 24-octet COOKIE option was made, in serial number
    arithmetic (RFC 1982), so negative when it is from the future."""
    made = int.from_bytes(cookie[12:16], "big")
    return (int(now) - made + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def answer(cookie: bytes, secret: bytes, address: bytes, now: float) -> tuple[bool, bytes]:
    """What to make of the COOKIE option of a query: whether its server cookie is good, and the
    data of the COOKIE option to answer with. A good one younger than half an hour is kept."""
    good = check(cookie, secret, address, now)
    if good and age(cookie, now) < RENEWAL:
        return True, cookie
    client = cookie[:CLIENT_COOKIE]
    return good, client + make(client, secret, address, now)


def _hash(data: bytes, secret: bytes) -> bytes:
    digest: bytes = siphash24(data, key=secret).digest()
    return digest
