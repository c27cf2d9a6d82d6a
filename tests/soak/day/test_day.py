"""The short form of the soak that is a day of 900 sites: whatever the machine, no answer is wrong
or lost, nothing is refused, and every secondary has everything in the end."""

from __future__ import annotations

from pathlib import Path

from tests.patience import PATIENCE
from tests.peers._peers import require
from tests.peers._peers.releases import POWERDNS
from tests.soak.day.report import table
from tests.soak.day.run import Size, live, running

MINUTES = 4.0
"""Besides those that it takes to begin."""


def test_a_day_loses_no_question_and_answers_none_wrongly(tmp_path: Path) -> None:
    for release in POWERDNS:
        release.require()
    require("prometheus")
    with running(tmp_path, Size(MINUTES, seed=1, wait=PATIENCE)) as day:
        live(day)
        print(table(day))
    assert day.stage.ledger.findings == []
    assert day.udp.judge.lost == []
    assert day.udp.counts["answers"] == day.udp.counts["asked"] > 0
    wrong = [one.counts["wrong"] for one in (day.udp, *day.others)]
    assert not any(wrong), wrong
    assert day.equal
    assert day.happened["worker killed"] == 1
    assert day.happened["settings changed"] and day.happened["target dies"]
    counted = sum(
        value
        for name, value in day.scraper.values.items()
        if name.startswith("lzc_queries_total{") and 'transport="udp"' in name
    )
    assert counted >= day.udp.counts["answers"]
