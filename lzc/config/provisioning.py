"""The tables of ``lzc.toml`` for what other servers are set up with: catalogs, and exports."""

from __future__ import annotations

from lzc.config.sections import Endpoint, lists
from lzc.config.table import Field, Table


class CatalogSection(Table):
    """``[catalog."name."]``: a catalog zone that is made at build (RFC 9432)."""

    zones: list[str] = Field(default=["*"])
    """Names of zones, or patterns as in ``[[secondary]]``: its members."""

    def has(self, zone: str) -> bool:
        """Whether it lists the zone; names with or without final dot, in any case."""
        return lists(self.zones, zone)


class ExportSection(Table):
    """``[export]``: what ``lzc export`` writes."""

    primary: list[Endpoint] = Field(default=[])
    """Where secondaries and resolvers reach this server, at most one of each family; default: the
    addresses of ``listen``."""
    templates: str | None = None
    """A folder with templates that count instead of those of lzc, by their names."""
