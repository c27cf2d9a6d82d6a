"""How long tests wait for what has to come.

No test may depend on how fast its machine is. Whatever is waited for is waited for with this
patience, which only shows how long it takes to find out that something is broken: it is long enough
for a machine on which everything takes a hundred times as long. What must not come is not waited
for with a pause, but until something later has come. `tests/unit/test_patience.py` holds this.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 120.0
"""Seconds. pytest's own ``timeout`` for a whole test is a multiple."""

SOON: Final = 0.02
"""Seconds between two looks whether what is waited for has come."""
