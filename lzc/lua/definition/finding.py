"""What a rule found in a record's code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """``rule`` is an id of `lzc.lua.lint.rules`, ``offset`` where in the code it was found (octets,
    from 0); ``why`` and ``fix`` are empty where those of the rule say it all."""

    offset: int
    rule: str
    message: str
    why: str = ""
    fix: str = ""
