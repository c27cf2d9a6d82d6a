"""``lzc.toml`` as typed settings.

Every key has a default that is safe; unknown keys are errors, because a misspelt key that is
silently ignored is an outage that waits. Paths are relative to the file they stand in.
"""

from lzc.config.build import BuildSection, TotalLimitsSection, ZoneLimitsSection, ZoneSection
from lzc.config.dnssec import DnssecSection
from lzc.config.health import HealthSection
from lzc.config.lua import LuaSection
from lzc.config.secondary import SecondarySection
from lzc.config.serve import ServeSection
from lzc.config.toml import read_toml
from lzc.config.tsig import TsigSection
from lzc.config.values import parse_endpoint
from lzc.config.whole import Config, load

__all__ = [
    "BuildSection",
    "Config",
    "DnssecSection",
    "HealthSection",
    "LuaSection",
    "SecondarySection",
    "ServeSection",
    "TotalLimitsSection",
    "TsigSection",
    "ZoneLimitsSection",
    "ZoneSection",
    "load",
    "parse_endpoint",
    "read_toml",
]
