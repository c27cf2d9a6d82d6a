"""The incidents of the team of 900 sites, played on a real server: which alert of those that lzc
exports tells of each, how soon, and whether answers took longer.

python -m tests.soak incidents

Seconds are those of a Prometheus that scrapes, and looks at its rules, every 15. The exit code is 1
when another alert fired than those that should, or an answer was lost.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.soak.day.run import quantiles
from tests.soak.incidents.played import INCIDENTS, Played


def main(given: Sequence[str]) -> int:
    """1 when something was not as it has to be."""
    argparse.ArgumentParser(prog="python -m tests.soak incidents").parse_args(given)
    wrong = False
    print(f"{'incident':38} {'alert':24} {'after':>6}   p99 of answers before, after")
    for name, incident in INCIDENTS.items():
        with tempfile.TemporaryDirectory(prefix="lzc-incident-") as folder:
            played = incident.play(Path(folder))
        for alert, seconds in sorted(played.fired.items()):
            print(f"{name:38} {alert:24} {seconds:4.0f} s   {_latency(played)}", flush=True)
        if played.fired.keys() != incident.tells or played.early or played.lost:
            wrong = True
            print(f"{name:38} WRONG: {incident.tells} is wanted; {played.lost} lost", flush=True)
            print(f"{name:38} before it began: {played.early or 'none'}", flush=True)
    return int(wrong)


def _latency(played: Played) -> str:
    before, after = quantiles(played.before)[1], quantiles(played.after)[1]
    return f"{before:.2f}, {after:.2f} ms" if played.after else ""
