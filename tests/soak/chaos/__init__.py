"""Chaos: zones that change all the time, secondaries of four kinds, and faults made on purpose.

python -m tests.soak chaos [--minutes 20] [--seed N]

Everything runs on loopback and is ended with the run. Each answer, of the server and of its
secondaries, is held against what can be right at that time: every record says which generation of
its zone it is of. A fault ends before the next begins, but for those of secondaries, which come
beside the others; that of one that was ended is over when it has its zones again. The exit code is
1 when an answer was wrong or lost, when a serial stood for two contents, when a build or a reload
was refused without a reason, when a secondary was not equal in the end, or was behind for more than
three seconds (times the load, on a machine that has more to do than it can) after its faults had
ended.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.soak.chaos import faults
from tests.soak.chaos.report import table, verdict
from tests.soak.chaos.run import Size, make_faults, running
from tests.soak.chaos.secondaries import ALL


def main(given: Sequence[str]) -> int:
    """1 when something was not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak chaos")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--fault", action="append", choices=list(faults.PRIMARY))
    parser.add_argument("--keep", action="store_true", help="the folder, with all logs")
    arguments = parser.parse_args(given)
    chosen = tuple(arguments.fault or faults.PRIMARY)
    size = Size(False, arguments.seed, arguments.minutes, ALL, primary=chosen)
    print(f"seed {arguments.seed}", flush=True)
    # Servers are ended on the way out, whoever says so.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="lzc-chaos-"))
    with running(folder, size) as soak:
        make_faults(soak)
        slowness = max(soak.slowness, soak.overshoot)
    print(table(soak))
    wrong = verdict(soak, slowness)
    print(f"slowness of this machine, by its load  {slowness:.1f}")
    print("\n".join(wrong) or "all as it has to be")
    if arguments.keep or wrong:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder)
    return int(bool(wrong))
