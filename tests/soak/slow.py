"""Run the tests with a part of one core: no test may depend on how fast its machine is.

python -m tests.soak slow [--busy 1] [--short] [--outside] [ARGUMENT OF PYTEST ...]

Everything is bound to one core, the busy loops as well. The short form runs the tests that wait for
servers, clocks or limits of time. With --outside, what leaves loopback is seen as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SHORT: Final = (
    "tests/unit/lua/test_sandbox.py",
    "tests/unit/serve/test_guard.py",
    "tests/unit/serve/test_notify.py",
    "tests/unit/serve/test_supervision.py",
)
BUSY: Final = "while True: pass"


def main(arguments: Sequence[str]) -> int:
    """Exit code of pytest."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak slow")
    parser.add_argument("--busy", type=int, default=1, help="loops beside the tests")
    parser.add_argument("--short", action="store_true", help="only tests that wait")
    parser.add_argument("--outside", action="store_true", help="see what leaves loopback, too")
    options, rest = parser.parse_known_args(arguments)
    core = min(os.sched_getaffinity(0))
    # Those that are started from here on have it too.
    os.sched_setaffinity(0, {core})
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy)]
    print(f"core {core}, beside {options.busy} busy loop(s)", flush=True)
    try:
        chosen = [*(SHORT if options.short else ()), *rest]
        runner = ("tests.soak", "outside") if options.outside else ("pytest",)
        return subprocess.run([sys.executable, "-m", *runner, *chosen], cwd=ROOT).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
