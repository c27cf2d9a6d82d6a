"""``[tsig."…"]``: shared secrets."""

from __future__ import annotations

import base64
from typing import Literal

from lzc.config.table import Table
from lzc.faults import Fault, Place
from lzc.wire.tsig import ALGORITHMS


class TsigSection(Table):
    """``[tsig."name."]``: a shared secret of RFC 8945."""

    algorithm: Literal[tuple(ALGORITHMS)] = "hmac-sha256"  # type: ignore[valid-type]
    secret: str | None = None
    secret_file: str | None = None


def from_base64(text: str | bytes) -> bytes:
    """The octets of a secret in base64; none where it is empty, which protects nothing, or not
    base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def no_base64(place: Place, name: str) -> Fault:
    """The fault of a TSIG secret that is empty or not base64; ``name`` is that of its key."""
    return Fault(
        place,
        "tsig-secret",
        f"the secret of TSIG key {name} is empty, or not base64",
        fix="make one with: openssl rand -base64 32",
    )
