"""As many questions to each version of PowerDNS, and to lzc as that version, plans and Lua alike.

python -m tests.soak parity [--questions 30000] [--seed 4] [--version 4.7]

Records, subnets and names are those of ``tests/peers/test_lua_generated.py``, whose seed is 4; each
round draws others. What differs on purpose has its number in ``lzc help differences``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.test_lua_differential import AllDown, serving
from tests.peers.test_lua_generated import below_wildcards, differences, from_subnets, zone_text
from tests.unit.own_network import moved_to_own_network

NAMES: Final = 2000
"""Names below wildcards in a round."""
SHOWN: Final = 20


def compare(release: Release, least: int, seed: int) -> tuple[int, list[str]]:
    """How many questions were asked, at least so many, and what differs."""
    count, round_, found = 0, seed, list[str]()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        moved_to_own_network(),
        tempfile.TemporaryDirectory(prefix="lzc-soak-") as folder,
        serving(Path(folder), zone_text(), AllDown(), 3600, release) as both,
    ):
        while count < least:
            choose = random.Random(round_)
            for asked in (from_subnets(choose), below_wildcards(choose, NAMES)):
                found += differences(both, asked)
                count += len(asked)
            round_ += 1
    return count, found


def main(given: Sequence[str]) -> int:
    """1 when an answer differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak parity")
    parser.add_argument("--questions", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--version", choices=[release.version for release in POWERDNS])
    arguments = parser.parse_args(given)
    chosen = [one for one in POWERDNS if arguments.version in (None, one.version)]
    differ = 0
    for release in chosen:
        begun = time.monotonic()
        count, found = compare(release, arguments.questions, arguments.seed)
        seconds = time.monotonic() - begun
        print(f"{release}: {len(found)} of {count} answers differ, {seconds:.0f} s", flush=True)
        for line in found[:SHOWN]:
            print(f"  {line}")
        differ += len(found)
    return int(differ > 0)
