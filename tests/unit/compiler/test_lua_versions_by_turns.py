"""Zones, and the secondaries of one, may be of any version of PowerDNS by turns: a build makes the
Lua states that try their code once for each version, as memory of those given up is not there again
before long."""

from __future__ import annotations

from typing import Any

import pytest

from lzc.compiler.lua import trials
from lzc.powerdns_versions import KNOWN

MEMORY = 64 * 2**20


@pytest.mark.parametrize("made", [trials._discovery, trials._answers, trials._meter])
def test_states_are_made_once_for_each_version_whatever_their_order(made: Any) -> None:
    made.cache_clear()
    before = [made(1000, MEMORY, version) for version in KNOWN]
    assert [made(1000, MEMORY, version) for version in KNOWN] == before
    assert made.cache_info().misses == len(KNOWN)
    made.cache_clear()
