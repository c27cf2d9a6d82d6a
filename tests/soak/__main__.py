"""``python -m tests.soak NAME [ARGUMENT ...]``: a run that takes long."""

from __future__ import annotations

import importlib
import sys
from typing import Final

RUNS: Final = {
    "transfers": "20 zones change at eleven secondaries while lines are cut: are all equal?",
    "chaos": "45 zones, six secondaries, and faults made on purpose: is an answer ever wrong?",
    "checks": "health checks for a quarter of an hour: is one ever late, does memory grow?",
    "day": "900 sites, 240,000 queries an hour, three secondaries: is all well for half an hour?",
    "incidents": "records fail, probes time out, a serial nears its end: which alert tells?",
    "refresh": "PowerDNS as a secondary for as many refreshes as an hour has: one AXFR?",
    "damage": "every octet of an output folder flipped, and a build over it: is a serial lost?",
    "parity": "30,000 questions to PowerDNS of each version: is an answer of lzc ever another?",
    "again": "builds after changes at random, against builds from nothing: ever another octet?",
    "reloads": "settings changed fifty times under load: is a query ever lost?",
    "slow": "the tests on one core, beside loops that are busy on it",
    "outside": "the tests in a network of their own: does one send to anywhere but loopback?",
}
"""Each is a module beside this one, whose ``main`` takes the arguments and gives the exit code."""


def main() -> int:
    """Run what the first argument names."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in RUNS:
        print("usage: python -m tests.soak NAME [ARGUMENT ...]\n", file=sys.stderr)
        for known, what in RUNS.items():
            print(f"  {known:9} {what}", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"tests.soak.{name}").main(arguments))


if __name__ == "__main__":
    sys.exit(main())
