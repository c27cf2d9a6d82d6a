"""The day of a team of 900 sites: 240,000 queries an hour, health checks, signatures, three
PowerDNS secondaries, Prometheus; builds, reloads, a worker that is killed, targets that die.

python -m tests.soak day [--minutes 30] [--seed N] [--workers 2] [--zones 900]

Each question is asked once over UDP, and has to be answered within two seconds; each answer is held
against what can be right at that time. The exit code is 1 when an answer was wrong, late or lost,
when a build, a reload or a scrape failed, when a secondary was not equal in the end or took more
than five seconds for a change, when a process grew, or an alert fired. Seconds are times the load,
on a machine that has more to do than it can.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.soak.day.report import table, verdict
from tests.soak.day.run import Size, live, running
from tests.soak.day.sites import SITES


def main(given: Sequence[str]) -> int:
    """1 when something was not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak day")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--zones", type=int, default=SITES)
    parser.add_argument("--keep", action="store_true", help="the folder, with all logs")
    arguments = parser.parse_args(given)
    print(f"seed {arguments.seed}", flush=True)
    # Servers are ended on the way out, whoever says so.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="lzc-day-"))
    size = Size(arguments.minutes, arguments.seed, arguments.zones, arguments.workers)
    with running(folder, size) as day:
        live(day)
        slowness = max(1.0, os.getloadavg()[2] / (os.cpu_count() or 1))
    print(table(day))
    wrong = verdict(day, slowness)
    print("\n".join(wrong) or "all as it has to be")
    if arguments.keep or wrong:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder)
    return int(bool(wrong))
