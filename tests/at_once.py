"""Run all tests, a room at a time in a process of its own, several beside each other.

python -m tests.at_once [--outside] [--measured]

As many run at a time as this process may use cores, four at most, and beside them those that wait
rather than compute. What the tests of a room say is shown when they have ended; the exit code is 0
where all went well. With --outside each has a
network of its own, where a packet to anywhere but loopback is a failure (`tests.soak.outside`).
With --measured, coverage counts what tests/unit enters, and leaves files to combine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from tests.soak.outside import MEASURED, PYTEST

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = "test_*.py"
MOST: Final = 4
"""Processes beside each other. More would have too little patience with real servers."""
WAITING: Final = "tests/soak/"
"""Rooms of tests that last for minutes whatever the machine, and take a small part of a core."""


def rooms() -> dict[str, list[str]]:
    """The files of tests of each room, by its folder; first those that take longest: with real
    servers, then where most is written."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob(TESTS)):
        parts = path.relative_to(ROOT).parts
        room = "/".join(parts[: 2 if parts[1] == "peers" else 3][: len(parts) - 1])
        found.setdefault(room, []).append(str(path.relative_to(ROOT)))
    sizes = {room: sum((ROOT / file).stat().st_size for file in found[room]) for room in found}
    return {room: found[room] for room in sorted(found, key=lambda it: (-_peers(it), -sizes[it]))}


def _peers(room: str) -> bool:
    return room == "tests/peers"


def waits(room: str) -> bool:
    """Whether it is one of `WAITING`."""
    return room.startswith(WAITING)


def command(room: str, files: Sequence[str], outside: bool, measured: bool) -> list[str]:
    """What runs the tests of a room."""
    measured = measured and not _peers(room) and not waits(room)
    # A folder as a whole where it is one, so that pytest's own words for it are short.
    wanted = files if room == "tests/unit" else [room]
    if outside:
        runner = [sys.executable, "-m", "tests.soak", "outside"]
        return [*runner, *(["--measured"] if measured else []), *wanted]
    return [*(MEASURED if measured else PYTEST), *wanted]


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.at_once")
    parser.add_argument("--outside", action="store_true", help="see what leaves loopback")
    parser.add_argument("--measured", action="store_true", help="count what is entered")
    options = parser.parse_args(arguments)
    commands = {
        room: command(room, files, options.outside, options.measured)
        for room, files in rooms().items()
    }
    return beside_each_other(
        commands, min(MOST, len(os.sched_getaffinity(0))), [*filter(waits, commands)]
    )


def beside_each_other(
    commands: Mapping[str, Sequence[str]], at_a_time: int, waiting: Collection[str] = ()
) -> int:
    """Run commands by name, in their order, and show what each said; those ``waiting`` begin at
    once, and are none of so many ``at_a_time``. 0 where all ended with 0, 130 after Ctrl-C,
    otherwise 1."""
    failed = []
    with ThreadPoolExecutor(at_a_time) as pool, ThreadPoolExecutor(len(waiting) or 1) as more:
        waited_for = {
            (more if name in waiting else pool).submit(_run, words): name
            for name, words in commands.items()
        }
        try:
            for ended in as_completed(waited_for):
                code, seconds, said = ended.result()
                name = waited_for[ended]
                print(f"\n{name}, {seconds:.0f} s:\n\n{said}", end="", flush=True)
                if code:
                    failed.append(f"{name} (exit code {code})")
        except KeyboardInterrupt:
            # Those that run were told by the same Ctrl-C.
            for each in (pool, more):
                each.shutdown(cancel_futures=True)
            return 130
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nall went well", flush=True)
    return int(bool(failed))


def _run(words: Sequence[str]) -> tuple[int, float, str]:
    """Exit code, seconds, and what was said. Not by a pipe, which a process left behind would keep
    open."""
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        begun = time.monotonic()
        code = subprocess.run(words, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT).returncode
        said.seek(0)
        return code, time.monotonic() - begun, said.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
