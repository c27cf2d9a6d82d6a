"""Code of LUA records that is not to run before the next bundle, for it stopped a worker; and the
zones it is of, whose other code has to have run to its end before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from lzc.wire import name as wire_name


@dataclass(slots=True)
class Quarantine:
    """``codes`` (`lzc.serve.worker.guard.code_id`) by the name that was asked for, ``zones`` by
    apex."""

    codes: dict[int, str] = field(default_factory=dict)
    zones: set[bytes] = field(default_factory=set)

    def add(self, code: int, name: str, apex: bytes) -> None:
        """Code of a zone stopped a worker that was asked for a name."""
        self.codes[code] = name
        self.zones.add(apex)

    def clear(self) -> None:
        """Another bundle is live."""
        self.codes.clear()
        self.zones.clear()

    def to_message(self) -> dict[str, Any]:
        """For a worker."""
        return {"codes": [*self.codes], "zones": [apex.hex() for apex in self.zones]}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """What `to_message` gave, but for the names."""
        zones = {bytes.fromhex(apex) for apex in message["zones"]}
        return cls(dict.fromkeys(message["codes"], ""), zones)

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        return {
            "quarantine": [
                {"code": f"{code:016x}", "name": name} for code, name in self.codes.items()
            ],
            "held_zones": sorted(wire_name.to_text(apex) for apex in self.zones),
        }
