"""What somebody asks the status page for: a path and plain parameters, as nothing is a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

PATHS: Final = {
    "/": "",
    "/zones": "zones",
    "/keys": "keys",
    "/health": "health",
    "/secondaries": "secondaries",
    "/lua": "lua",
    "/refused": "refused",
}
"""The section that a path has alone, page by page; ``/`` has the beginning of each."""
FIRST: Final = 12
"""Rows of a section where all are shown."""
ON_A_PAGE: Final = 100
"""Rows of a section that is shown alone."""
_LONGEST: Final = 255
_REFRESH: Final = range(2, 3601)
_LAST: Final = 10_000


class Asked(NamedTuple):
    """``zone`` and ``check`` are parts of names that rows have to have in them; ``page`` is from 1;
    ``refresh`` is the seconds after which the page is to be loaded again, 0 for not at all."""

    section: str = ""
    zone: str = ""
    check: str = ""
    page: int = 1
    refresh: int = 0

    @property
    def rows(self) -> int:
        """How many rows of a section are shown."""
        return ON_A_PAGE if self.section else FIRST

    @property
    def first(self) -> int:
        """The row that is shown first, from 0."""
        return (self.page - 1) * ON_A_PAGE if self.section else 0

    def link(self, section: str, page: int = 1) -> str:
        """Where a section is, with what was asked for besides."""
        path = next(path for path, one in PATHS.items() if one == section)
        words: dict[str, str | int] = {
            "zone": self.zone,
            "check": self.check if section in ("", "health") else "",
            "page": page if page > 1 else 0,
            "refresh": self.refresh,
        }
        query = urlencode({name: one for name, one in words.items() if one})
        return f"{path}?{query}" if query else path


def asked_of(path: str, query: Mapping[str, str]) -> Asked:
    """What a request asks for; parameters that make no sense are as if they were not there."""
    return Asked(
        PATHS[path],
        query.get("zone", "").strip().lower()[:_LONGEST],
        query.get("check", "").strip().lower()[:_LONGEST],
        _number(query.get("page", ""), range(1, _LAST + 1), 1),
        _number(query.get("refresh", ""), _REFRESH, 0),
    )


def _number(text: str, valid: range, otherwise: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return otherwise
    return int(text) if int(text) in valid else otherwise
