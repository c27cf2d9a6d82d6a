"""Run all tests, in two processes beside each other: those of lzc alone, and those with peers.

python -m tests.at_once [--outside] [--measured]

What the tests of lzc alone say is shown as it is said, what the others say afterwards. The exit
code is 0 where both are well. With --outside each has a network of its own, where a packet to
anywhere but loopback is a failure (`tests.soak.outside`). With --measured, coverage counts what the
tests of lzc alone enter, and leaves files to combine.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.soak.outside import MEASURED, PYTEST, ended

ROOT: Final = Path(__file__).resolve().parents[1]
ALONE: Final = "tests/unit"
WITH_PEERS: Final = "tests/peers"


def commands(outside: bool, measured: bool) -> tuple[list[str], list[str]]:
    """What runs the tests of lzc alone, and those with peers."""
    if outside:
        runner = [sys.executable, "-m", "tests.soak", "outside"]
        return [*runner, *(["--measured"] if measured else []), ALONE], [*runner, WITH_PEERS]
    return [*(MEASURED if measured else PYTEST), ALONE], [*PYTEST, WITH_PEERS]


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.at_once")
    parser.add_argument("--outside", action="store_true", help="see what leaves loopback")
    parser.add_argument("--measured", action="store_true", help="count what is entered")
    options = parser.parse_args(arguments)
    return beside_each_other(*commands(options.outside, options.measured))


def beside_each_other(shown: Sequence[str], kept: Sequence[str]) -> int:
    """Run two commands; what the second says follows when both have ended. The first exit code that
    is not 0, or 0."""
    with tempfile.TemporaryFile("w+") as said:
        second = subprocess.Popen(kept, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        first = ended(subprocess.Popen(shown, cwd=ROOT))
        print(f"\nbeside it ran: {shlex.join(kept)}", flush=True)
        second_code = ended(second)
        said.seek(0)
        shutil.copyfileobj(said, sys.stdout)
    return first or second_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
