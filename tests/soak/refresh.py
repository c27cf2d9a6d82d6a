"""As many refreshes of a signed zone as an hour has: PowerDNS transfers it once.

python -m tests.soak refresh [--refreshes 1800] [--version 4.7]

A refresh of two seconds is the shortest that can be told apart; an hour has 1,800 of them. Without
``--version`` all versions of PowerDNS are run beside each other.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.refreshing import REFRESH, Refreshing

HOUR: Final = 3600 // REFRESH


def refresh(release: Release, count: int) -> tuple[int, float]:
    """AXFRs in so many refreshes, and the seconds that these took."""
    with tempfile.TemporaryDirectory(prefix="lzc-soak-") as folder:
        pair = Refreshing(Path(folder), release)
        with pair.run():
            begun = time.monotonic()
            pair.await_checks(count)
            return pair.transfers(), time.monotonic() - begun


def main(given: Sequence[str]) -> int:
    """1 when a version transferred the zone more than once."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak refresh")
    parser.add_argument("--refreshes", type=int, default=HOUR)
    parser.add_argument("--version", choices=[release.version for release in POWERDNS])
    arguments = parser.parse_args(given)
    chosen = [one for one in POWERDNS if arguments.version in (None, one.version)]
    with ThreadPoolExecutor(len(chosen)) as pool, contextlib.redirect_stdout(io.StringIO()):
        runs = [(one, pool.submit(refresh, one, arguments.refreshes)) for one in chosen]
        results = [(one, run.result()) for one, run in runs]
    for release, (transfers, seconds) in results:
        print(f"{release}: {transfers} AXFR in {arguments.refreshes} refreshes, {seconds:.0f} s")
    return int(any(transfers != 1 for _, (transfers, _) in results))
