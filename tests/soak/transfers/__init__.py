"""Transfers: every version of every secondary follows zones that change at random, over TCP and
over TLS, while lines are cut and servers end.

python -m tests.soak transfers [--changes 50] [--zones 20] [--seed N] [--peer bind-9.20 ...]

Everything runs on loopback and is ended with the run. In the end, each secondary is to have each
zone record by record (names without case). It prints what each took, by its own log, and what came
between. The exit code is 1 where one is not equal, or where an answer was wrong on the way.
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

from tests.peers._peers.releases import RELEASES
from tests.soak.transfers.run import Size, table, transfers


def main(given: Sequence[str]) -> int:
    """1 when something was not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak transfers")
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--zones", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--peer", action="append", choices=list(RELEASES))
    parser.add_argument("--keep", action="store_true", help="the folder, with all logs")
    arguments = parser.parse_args(given)
    print(f"seed {arguments.seed}", flush=True)
    # Servers are ended on the way out, whoever says so.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="lzc-transfers-"))
    peers = [RELEASES[name] for name in arguments.peer or RELEASES]
    size = Size(arguments.changes, arguments.zones, arguments.seed)
    found = transfers(folder, peers, size)
    print(table(found))
    print("\n".join(found.findings) or "all are equal")
    if arguments.keep or found.findings:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder)
    return int(bool(found.findings))
