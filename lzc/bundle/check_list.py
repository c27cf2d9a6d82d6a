"""The health checks of a bundle, and what of others stands in the code of its zones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lzc import foreign_json
from lzc.health_check import Check
from lzc.lua.health.constants import Constants
from lzc.wire import name as wire_name


@dataclass(frozen=True, slots=True)
class CheckList:
    """``checks`` are made in any case; ``constants``, by the apex of a zone, are what those have to
    be made of that only a query asks for. Zones whose code asks for none are left out."""

    checks: tuple[Check, ...] = ()
    constants: Mapping[bytes, Constants] = field(default_factory=dict)

    def to_octets(self) -> bytes:
        """Canonical JSON, one line."""
        document = {
            "checks": [
                foreign_json.parse(text) for text in sorted({one.to_json() for one in self.checks})
            ],
            "constants": {
                wire_name.to_text(apex): foreign_json.parse(text)
                for apex, one in self.constants.items()
                if (text := one.to_json())
            },
        }
        return json.dumps(document, sort_keys=True).encode() + b"\n"


EMPTY = CheckList().to_octets()
"""The file of a bundle without checks."""


def read(path: Path) -> CheckList:
    """Read the file. Raises `OSError`, and `ValueError`, `TypeError` or `KeyError` for what is no
    such list."""
    document = foreign_json.read(path)
    constants = {
        wire_name.from_text(name, wire_name.ROOT): Constants.from_document(one)
        for name, one in document["constants"].items()
    }
    return CheckList(tuple(map(Check.from_document, document["checks"])), constants)
