"""The sites: a zone each, one in three with LUA records and health checks, some of them signed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from tests.soak.chaos.zones import ChaosZone

SITES: Final = 900
RATE: Final = 240_000 / 3600
"""Queries a second, of all sites together."""
MORTAL: Final = [(f"127.0.9.{number}", f"127.0.9.{number + 100}") for number in range(1, 9)]
"""Pairs of targets of which the first dies now and then; those of all other sites always live."""
_ECDSA: Final = 13


def made(count: int, mortal_port: int) -> list[ChaosZone]:
    """So many, of every kind; ``mortal_port`` is that of targets that may die."""
    found = []
    for number in range(count):
        kind = number % 20
        lua, signed = kind >= 10, kind % 10 >= 7
        if number % 200 < 20 and lua:
            pair, port = MORTAL[number % len(MORTAL)], mortal_port
        else:
            net = f"127.{32 + (number >> 8)}.{number & 255}"
            pair, port = (f"{net}.1", f"{net}.2"), 0
        name = f"site{number}.example"
        algorithm = _ECDSA if signed else 0
        found.append(ChaosZone(name, lua, algorithm, 20, targets=pair, port=port))
    return found


def popularity(sites: Sequence[ChaosZone], chance: random.Random) -> list[float]:
    """How often each is asked for: the next one on a list in random order less often than the one
    before it, as with sites of the world (Zipf's law)."""
    ranks = list(range(1, len(sites) + 1))
    chance.shuffle(ranks)
    return [1 / rank for rank in ranks]
