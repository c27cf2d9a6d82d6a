"""Builds again and again after changes at random, each against a build from nothing: is there ever
another octet, id or fault?

python -m tests.soak again [--runs 50] [--seed 100]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from lzc.source import inputs
from tests.unit.changing_project import World


def main(arguments: Sequence[str]) -> int:
    """Make the runs; an assertion of `World` ends them where two builds differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak again")
    parser.add_argument("--runs", type=int, default=50, help="sequences of 30 builds")
    parser.add_argument("--seed", type=int, default=100, help="that of the first")
    options = parser.parse_args(arguments)
    began, built = time.monotonic(), 0
    for seed in range(options.seed, options.seed + options.runs):
        # Files are known by their times in every other run, and by their content else.
        settled = 0 if seed % 2 else inputs.SETTLED
        with patch.object(inputs, "SETTLED", settled), tempfile.TemporaryDirectory() as folder:
            built += World(Path(folder), seed).live(30)
        print(f"seed {seed}: {built} builds alike, {time.monotonic() - began:.0f} s", flush=True)
    return 0
