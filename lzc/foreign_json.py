"""JSON that comes from a file or a socket: whatever it holds, reading it ends with a value or with
`ValueError`.

The decoder of Python fails in other ways too: text that nests a thousand levels deep is a
`RecursionError`, and NaN, which is no JSON, a number that compares as none does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NoReturn

MOST: Final = 256 * 2**20
"""Octets that a file may have at most: a list of two million health checks."""


def parse(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text in UTF-8 (RFC 8259). Raises `ValueError`, and nothing else."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError("values are nested too deep") from None


def read(path: Path, most: int = MOST) -> Any:
    """The value in a file of up to ``most`` octets. Raises `OSError` and `ValueError`."""
    with path.open("rb") as file:
        octets = file.read(most + 1)
    if len(octets) > most:
        raise ValueError(f"longer than {most} octets")
    return parse(octets)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)
