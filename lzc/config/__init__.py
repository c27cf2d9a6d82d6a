"""``lzc.toml`` as typed settings.

Every key has a default that is safe; unknown keys are errors, because a misspelt key that is
silently ignored is an outage that waits. Paths are relative to the file they stand in.
"""

from lzc.config.forms import Choice, Form, View
from lzc.config.loading import load, read_toml
from lzc.config.policies import Policy, PolicySection, SyncSettings
from lzc.config.provisioning import CatalogSection, ExportSection
from lzc.config.sections import (
    MOST_WORKERS,
    BuildSection,
    DnssecSection,
    HealthSection,
    LuaSection,
    SecondarySection,
    ServeSection,
    TotalLimitsSection,
    TsigSection,
    ZoneLimitsSection,
    ZoneSection,
    parse_endpoint,
)
from lzc.config.whole import Config

__all__ = [
    "MOST_WORKERS",
    "BuildSection",
    "CatalogSection",
    "Choice",
    "Config",
    "DnssecSection",
    "ExportSection",
    "Form",
    "HealthSection",
    "LuaSection",
    "Policy",
    "PolicySection",
    "SecondarySection",
    "ServeSection",
    "SyncSettings",
    "TotalLimitsSection",
    "TsigSection",
    "View",
    "ZoneLimitsSection",
    "ZoneSection",
    "load",
    "parse_endpoint",
    "read_toml",
]
