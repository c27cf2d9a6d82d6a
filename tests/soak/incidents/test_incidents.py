"""Of each incident those alerts tell that the manual names, no other, and no later than it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lzc.cli.export.prometheus import rendered
from tests.peers._peers import require
from tests.soak.incidents.played import INCIDENTS

CHAPTER = Path(__file__).resolve().parents[3] / "lzc" / "manual" / "metrics.md"
ROW = re.compile(r"^\| ([^|]+) \| ((?:`Lzc\w+`(?:, )?)+) \| (\d+) s \|", re.M)


def told() -> dict[str, tuple[frozenset[str], int]]:
    """The rows of the manual's table: the alerts, and seconds until the last of them."""
    return {
        what: (frozenset(re.findall(r"Lzc\w+", alerts)), int(seconds))
        for what, alerts, seconds in ROW.findall(CHAPTER.read_text())
    }


def test_the_manual_names_every_incident_and_what_tells_of_it() -> None:
    assert {what: alerts for what, (alerts, _) in told().items()} == {
        what: incident.tells for what, incident in INCIDENTS.items()
    }
    rules = rendered("lzc")["lzc.rules.yml"]
    for alerts, _ in told().values():
        assert all(f"- alert: {alert}\n" in rules for alert in alerts)


@pytest.mark.parametrize("what", INCIDENTS)
def test_an_incident_is_told_by_its_alerts_and_no_other(what: str, tmp_path: Path) -> None:
    require("prometheus", "promtool")
    played = INCIDENTS[what].play(tmp_path)
    print(played.fired)
    assert played.early == {}
    assert played.fired.keys() == INCIDENTS[what].tells
    assert played.lost == 0
    if played.after:
        # By the rules' clock, which is one of scrapes.
        assert max(played.fired.values()) <= told()[what][1]
