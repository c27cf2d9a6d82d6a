"""``[build]`` and ``[zone."…"]``: what to compile."""

from __future__ import annotations

from typing import Literal

from lzc.config.table import Field, Table

Serial = Literal["date", "increment", "unixtime", "keep"]
"""How a zone's serial is chosen."""


class ZoneLimitsSection(Table):
    """``[build.zone-limits]``: what one zone may take."""

    records: int = Field(default=5_000_000, ge=1)
    generated: int = Field(default=1_000_000, ge=0)
    """Records made by ``$GENERATE``."""
    includes: int = Field(default=10_000, ge=0)
    """Files read by ``$INCLUDE`` and ``$FILE``, each as often as it is read."""
    repeated: int = Field(default=16 * 2**20, ge=0)
    """Octets of files that ``$INCLUDE`` reads not for the first time."""
    octets: int = Field(default=512 * 2**20, ge=1)
    """Octets read from files and made by ``$GENERATE``; an octet of Lua code that it makes counts
    as 64."""


class TotalLimitsSection(Table):
    """``[build.total-limits]``: what all zones of a build may take together."""

    records: int = Field(default=20_000_000, ge=1)
    generated: int = Field(default=5_000_000, ge=0)
    includes: int = Field(default=1_000_000, ge=0)
    repeated: int = Field(default=256 * 2**20, ge=0)
    octets: int = Field(default=4 * 2**30, ge=1)


class BuildSection(Table):
    """``[build]``: what to compile and where to put it."""

    sources: list[str] = Field(default=[])
    include_from: list[str] = Field(default=["lua"])
    """Folders beside those of the sources that ``$INCLUDE`` and ``$FILE`` may read."""
    output: str = "build"
    serial: Serial = "date"
    zone_limits: ZoneLimitsSection = ZoneLimitsSection()
    total_limits: TotalLimitsSection = TotalLimitsSection()


class ZoneSection(Table):
    """``[zone."example.org"]``: what is particular to a zone; ``None`` is the general value."""

    source: str | None = None
    dnssec: bool = False
    strip_dnssec: bool = False
    """Drop what another signer added to the source: signatures, denial of existence, its keys."""
    lua: bool | None = None
    serial: Serial | None = None
