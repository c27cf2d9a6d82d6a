"""Metrics of a running server for Prometheus's rules, on a clock that is faster than ours.

A scrape every `STEP` seconds stands for one every 15: so ten minutes of rules take one. What is in
the samples is as lzc gave it; what counts seconds by itself (a lag, an age) would be too small.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final

from lzc.cli.export.prometheus import rendered
from tests.patience import PATIENCE
from tests.peers._peers import find
from tests.unit.serve.test_metrics import Metrics

STEP: Final = 1.5
EACH: Final = 15
"""Seconds of the rules' clock between two scrapes, and between two looks at the rules."""
_FIRING: Final = 'count by (alertname) (ALERTS{alertstate="firing"})'
_ASKED: Final = re.compile(r"expr: .*?, time: (\S+),(.*?)(?=expr: |\Z)", re.DOTALL)


class Recording:
    """Of one server, whose ``metrics`` these are."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._rules = rendered("lzc")["lzc.rules.yml"]
        self._used = frozenset(re.findall(r"lzc_\w+", self._rules))
        self._scrapes: list[dict[str, float]] = []

    def __len__(self) -> int:
        return len(self._scrapes)

    def scrape(self) -> None:
        """One more."""
        values = self._metrics.values()
        used = {name: one for name, one in values.items() if name.partition("{")[0] in self._used}
        self._scrapes.append({**used, "up": 1.0})

    def fired(self, folder: Path) -> dict[str, int]:
        """The alerts that fire at any time, with the number of the first scrape at which they do;
        as promtool finds them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lzc.rules.yml").write_text(self._rules)
        # What no alert is called: for each look, promtool tells what there is instead.
        nothing = [{"labels": '{alertname="none"}', "value": 1}]
        looks = [
            {"expr": _FIRING, "eval_time": f"{number * EACH}s", "exp_samples": nothing}
            for number in range(len(self))
        ]
        one = {
            "interval": f"{EACH}s",
            "input_series": self._series(),
            "promql_expr_test": looks,
        }
        document = {
            "rule_files": ["lzc.rules.yml"],
            "evaluation_interval": f"{EACH}s",
            "tests": [one],
        }
        file = folder / "test.yml"
        file.write_text(json.dumps(document))
        program = find("promtool")
        assert program is not None, "there is no promtool"
        done = subprocess.run(
            [program, "test", "rules", str(file)], capture_output=True, text=True, timeout=PATIENCE
        )
        said = done.stdout + done.stderr
        found: dict[str, int] = {}
        seen = 0
        for time, told in _ASKED.findall(said):
            seen += 1
            for alert in re.findall(r'alertname="(\w+)"', told[told.index("got:") :]):
                found.setdefault(alert, _seconds(time) // EACH)
        assert seen == len(self), said
        return found

    def _series(self) -> list[dict[str, str]]:
        names = dict.fromkeys(name for scrape in self._scrapes for name in scrape)
        return [
            {
                "series": _with_job(name),
                "values": " ".join(
                    "_" if name not in scrape else repr(scrape[name]) for scrape in self._scrapes
                ),
            }
            for name in names
        ]


def _with_job(name: str) -> str:
    metric, _, labels = name.partition("{")
    return f'{metric}{{job="lzc",instance="a"{"," if labels else ""}{labels or "}"}'


def _seconds(duration: str) -> int:
    parts = re.findall(r"(\d+)([hms])", duration)
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)
