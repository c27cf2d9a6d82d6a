"""What the settings say about health checks, as the checker wants it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lzc.config import Config
from lzc.lua.health.reach import CheckReach
from lzc.lua.health.rules import CheckRules
from lzc.serve.health.unlisted import DEFAULT_LIMIT, DEFAULT_SHARE


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """``interval`` is the seconds between two runs of a check that names none. There may be
    ``unlisted`` checks that no bundle lists, ``share`` of them of one zone. ``rules`` say which
    checks are made, those of the bundle's zones yet to be filled in."""

    interval: float = 5.0
    unlisted: int = DEFAULT_LIMIT
    share: int = DEFAULT_SHARE
    rules: CheckRules = field(default_factory=CheckRules)

    @classmethod
    def from_config(cls, config: Config) -> CheckPolicy:
        """What ``[lua]`` and ``[health]`` say."""
        lua, health = config.lua, config.health
        return cls(
            float(lua.health_check_interval),
            lua.unlisted_health_checks,
            min(lua.unlisted_health_checks_per_zone, lua.unlisted_health_checks),
            CheckRules(CheckReach.from_config(health), frozenset(health.computed)),
        )
