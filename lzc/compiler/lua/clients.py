"""Whether code of a zone looks at the network of its clients."""

from __future__ import annotations

from typing import Final

from lzc.compiler.lua.programs import Programs
from lzc.lua.functions import CHECKING, OF_CLIENT

_SELECTORS: Final = frozenset((b"hashed", b"pickclosest"))
"""Selectors of health checks that do."""


def looks_at_clients(programs: Programs) -> bool:
    """Whether a record may answer clients of different networks (RFC 7871) differently."""
    for one in programs.chosen():
        if one.program.may_reach(OF_CLIENT):
            return True
        if one.program.may_reach(CHECKING) and not _SELECTORS.isdisjoint(one.program.literals()):
            return True
    return False
