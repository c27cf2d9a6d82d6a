"""Which health checks are made: by what they would reach, and by what of them a query decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from lzc.health_check import Check
from lzc.lua.health.constants import Constants
from lzc.lua.health.reach import CheckReach, Refusal

_NONE = Constants()


@dataclass(frozen=True, slots=True)
class CheckRules:
    """``computed`` are the parts of a check (`lzc.lua.health.constants.PARTS`) that a query may
    decide; ``constants``, by the apex of a zone, what stands in the code of each."""

    reach: CheckReach = field(default_factory=CheckReach)
    computed: Collection[str] = ("address",)
    constants: Mapping[bytes, Constants] = field(default_factory=dict)

    def of_listed(self, check: Check) -> Refusal | None:
        """Why a check that a bundle lists is not made, or `None`."""
        target = check.known_address()
        return self.reach.refusal(target, written=True) if target else None

    def of_unlisted(self, check: Check, zone: bytes) -> Refusal | None:
        """Likewise of a check that the code of a zone asks for, and no bundle lists."""
        decided = self.constants.get(zone, _NONE).computed(check)
        too_much = [part for part in decided if part not in self.computed]
        if too_much:
            parts = " and ".join(too_much)
            quoted = ", ".join(f'"{part}"' for part in too_much)
            return Refusal(
                f"a query decides its {parts}",
                f"have a constant in the code of the zone, or list {quoted} under computed in"
                " [health] of lzc.toml",
                computed=True,
            )
        target = check.known_address()
        return self.reach.refusal(target, written=False) if target else None
