"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# An example takes as long as the machine takes.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
