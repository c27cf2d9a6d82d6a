"""Run the tests in a network of their own: no test may send a packet to anywhere but loopback.

python -m tests.soak outside [--measured] [ARGUMENT OF PYTEST ...]

What leaves loopback goes nowhere, is told with the test that ran at that time, and is a failure. A
test that makes a network for itself may send there what it likes: it ends there. Where this machine
allows no such network, the tests run without it, or not at all with ``CI=true``. With --measured,
coverage counts what they enter.
"""

from __future__ import annotations

import bisect
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.away import NOT_ALLOWED, Sent, Watch, own_network

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = "tests.soak.outside"
PYTEST: Final = (sys.executable, "-m", "pytest")
MEASURED: Final = (sys.executable, "-m", "coverage", "run", "-m", "pytest")
BEFORE: Final = "before the first test"


def main(arguments: Sequence[str]) -> int:
    """Exit code of pytest; 1 where something was sent, too."""
    unshare = own_network()
    if unshare is not None:
        ids = (str(os.geteuid()), str(os.getegid()))
        command = [*unshare, sys.executable, "-m", HERE, *ids, *arguments]
        return _run(command)
    if os.environ.get("CI") == "true":
        print(f"what leaves loopback cannot be seen: {NOT_ALLOWED}", file=sys.stderr)
        return 1
    print(f"WHAT LEAVES LOOPBACK IS NOT WATCHED: {NOT_ALLOWED}", file=sys.stderr)
    return _run(_pytest(arguments))


def inside(user: str, group: str, arguments: Sequence[str]) -> int:
    """The same, where the network is ours to change. The tests are of that user and group."""
    # Whoever is root only here shall not be root in the tests, which would do other things then.
    as_before = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
    with tempfile.NamedTemporaryFile("r") as begun:
        # In one word: pytest takes a second one for a path, and looks for its settings there.
        told = ("-p", HERE, f"--begun={begun.name}")
        with Watch() as watch:
            code = _run([*(as_before if user != "0" else ()), *_pytest([*told, *arguments])])
        lines = report(watch.sent(), begun.read().splitlines())
    if code < 0:
        lines.append(f"pytest was ended by signal {-code}: of the tests left, nothing is known")
    print("\n".join(lines) or "nothing was sent to anywhere but loopback", flush=True)
    return code if code > 0 else bool(lines)


def report(sent: Sequence[Sent], begun: Sequence[str]) -> list[str]:
    """What was sent, how often, and during which test. ``begun``: when each test began, in
    nanoseconds since 1970, and its name."""
    tests = [(int(when), name) for when, _, name in (line.partition(" ") for line in begun)]
    counts = Counter[tuple[str, str]]()
    for one in sent:
        index = bisect.bisect_right(tests, one.when, key=lambda test: test[0])
        counts[one.what, f"while {tests[index - 1][1]} ran" if index else BEFORE] += 1
    return [
        f"SENT OUTSIDE OF LOOPBACK: {what}, {count} packet(s), {when}"
        for (what, when), count in counts.items()
    ]


def _pytest(arguments: Sequence[str]) -> list[str]:
    rest = [one for one in arguments if one != "--measured"]
    return [*(PYTEST if rest == [*arguments] else MEASURED), *rest]


def _run(command: Sequence[str]) -> int:
    return ended(subprocess.Popen(command, cwd=ROOT))


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process, that Ctrl-C ends in its own time."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def pytest_addoption(parser: pytest.Parser) -> None:
    """pytest has this module as a plugin, which notes when each test begins."""
    parser.addoption("--begun", help="file that says when which test began")


def pytest_configure(config: pytest.Config) -> None:
    """Have it noted from the first test on."""
    config.pluginmanager.register(Begun(Path(config.getoption("--begun"))))


class Begun:
    """Notes when each test begins."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A line for a test that begins now."""
        with self._file.open("a") as file:
            file.write(f"{time.time_ns()} {nodeid}\n")


if __name__ == "__main__":
    sys.exit(inside(sys.argv[1], sys.argv[2], sys.argv[3:]))
