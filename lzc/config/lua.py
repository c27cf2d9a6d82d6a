"""``[lua]``: how LUA records run."""

from __future__ import annotations

from typing import Literal

from lzc.config.table import Field, Table


class LuaSection(Table):
    """``[lua]``: whether and how LUA records run."""

    enable: bool = False
    mode: Literal["isolated", "shared"] = "isolated"
    insert_whitespace: bool = True
    exec_limit: int = Field(default=1000, ge=0)
    """VM instructions an execution may take; 0: no limit."""
    memory_limit: int = Field(default=64 * 2**20, ge=2**20)
    """Octets one Lua state may hold."""
    time_limit: float = Field(default=0.1, ge=0)
    """Seconds of CPU time an execution may take; 0: no limit."""
    health_check_interval: int = Field(default=5, ge=1)
    """Seconds between two runs of a check."""
    unlisted_health_checks: int = Field(default=2000, ge=0, le=32768)
    """Checks at most that no bundle lists, as a query decides what they look at; 0: none."""
    unlisted_health_checks_per_zone: int = Field(default=200, ge=0, le=32768)
    """How many of these one zone may have."""
