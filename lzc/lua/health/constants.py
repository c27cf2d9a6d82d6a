"""What of health checks stands in a zone's code, as opposed to what a query decides.

A server begins checks that no bundle lists, where only a query says which address is meant. If the
query also said which port, which page or which text, it could look for open ports and read pages,
one letter a query. So these have to be constants, and the build says which there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from lzc import foreign_json
from lzc.health_check import Check

ADDRESS: Final = "address"
PARTS: Final = (ADDRESS, "port", "url", "options")
"""What a check is made of, as ``computed`` in ``[health]`` has it. Options are all the rest."""


def options_of(check: Check) -> str:
    """All of a check but its address, port and URL, as JSON."""
    return replace(check, address="", port=0, url="").to_json()


@dataclass(frozen=True, slots=True)
class Constants:
    """The ports, URLs and options of the checks of a zone that no query decides."""

    ports: frozenset[int] = frozenset()
    urls: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()

    def __or__(self, other: Constants) -> Constants:
        return Constants(
            self.ports | other.ports, self.urls | other.urls, self.options | other.options
        )

    def computed(self, check: Check) -> list[str]:
        """Which `PARTS` of a check that no bundle lists are none of these; always the address,
        where it has one."""
        found = [ADDRESS] if check.address else []
        if check.url:
            if check.url not in self.urls:
                found.append("url")
        elif check.port not in self.ports:
            found.append("port")
        if options_of(check) not in self.options:
            found.append("options")
        return found

    def to_json(self) -> str:
        """Canonical JSON; nothing where there are none."""
        if self == Constants():
            return ""
        document = {
            "ports": sorted(self.ports),
            "urls": sorted(self.urls),
            "options": [foreign_json.parse(one) for one in sorted(self.options)],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_document(cls, document: Any) -> Constants:
        """Read what `to_json` wrote, parsed. Raises `ValueError`, `TypeError` or `KeyError`."""
        ports, urls = document["ports"], document["urls"]
        if not all(type(one) is int for one in ports) or not all(type(one) is str for one in urls):
            raise TypeError("constants of health checks must be numbers and texts")
        options = [Check.from_document(one).to_json() for one in document["options"]]
        return cls(frozenset(ports), frozenset(urls), frozenset(options))


def of_checks(checks: Iterable[Check]) -> Constants:
    """Those of checks that a build found: no query decides what they are."""
    every = list(checks)
    return Constants(
        frozenset(check.port for check in every if not check.url),
        frozenset(check.url for check in every if check.url),
        frozenset(map(options_of, every)),
    )
