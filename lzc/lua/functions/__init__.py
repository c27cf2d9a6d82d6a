"""The functions of PowerDNS in LUA records: a pair of files each, or for a few that share what they
are. The module describes them; the Lua beside it is what runs.

A function is there because its pair is: nothing else lists it by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from lzc.lua.definition.function import Function, Functions
from lzc.lua.definition.record import Examination
from lzc.lua.syntax.tree import Call


def _described() -> Iterator[Function]:
    for stem in sorted(file.stem for file in Path(__file__).parent.glob("*.lua")):
        yield from import_module(f"{__name__}.{stem}").FUNCTIONS


FUNCTIONS: Final = Functions((function.name, function) for function in _described())
"""Every function by its name."""

CHECKING: Final = tuple(
    name.encode() for name, found in FUNCTIONS.items() if found.options is not None
)
"""The names of those that ask for health checks."""

INCLUDING: Final = tuple(name.encode() for name, found in FUNCTIONS.items() if found.includes)
"""The names of those that run another record."""

OF_CLIENT: Final = (
    b"bestwho",
    b"ecswho",
    *(name.encode() for name, found in FUNCTIONS.items() if found.of_client),
)
"""What depends on the network of the client (RFC 7871): variables, and the names of functions."""

OF_NAME: Final = (
    b"qname",
    *(name.encode() for name, found in FUNCTIONS.items() if found.of_name),
)
"""Likewise, on the name that is asked for."""

OF_ZONE: Final = tuple(name.encode() for name, found in FUNCTIONS.items() if found.of_zone)
OF_DATABASES: Final = tuple(name.encode() for name, found in FUNCTIONS.items() if found.of_database)
"""The names of those that lead to other records of the zone, and to values of geo databases."""


def meant(record: Examination, call: Call) -> Function | None:
    """The function that a call of a record means, be it through a local; `None` for any other."""
    return FUNCTIONS.get(record.function_name(call.function) or "")
