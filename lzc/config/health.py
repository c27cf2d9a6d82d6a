"""``[health]``: what health checks may reach."""

from __future__ import annotations

from typing import Literal

from lzc.config.table import Field, Table
from lzc.config.values import Network


class HealthSection(Table):
    """``[health]``: what health checks may reach."""

    allow: list[Network] = Field(default=[])
    """Networks that checks may reach, though link-local, or private and not written in a zone."""
    deny: list[Network] = Field(default=[])
    """Networks that no check reaches, whatever else is said."""
    computed: list[Literal["address", "port", "url", "options"]] = Field(default=["address"])
    """What of a check a query may decide; the rest has to stand in the zone's code."""
