"""The health checks that a zone's LUA records ask for.

They are found by running each record once and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lzc.config import LuaSection
from lzc.lua.health import Check
from lzc.zone.model import Record, Zone
from lzc.zone.place import Fault


def discover(
    zone: Zone, lua_records: Sequence[Record], settings: LuaSection
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks of a zone, and what is wrong with the code that asks for them."""
    return frozenset(), []
