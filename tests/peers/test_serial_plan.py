"""Every secondary follows a zone's serial wherever `lzc serial plan` leads it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.peers._peers.process import serial_at
from tests.peers.all_secondaries import ZONE, AllSecondaries

WAYS = (
    ("4000000000", 1),
    ("4294967295", 1),
    ("0", 1),
    ("4294967295", 3),
    ("1", 1),
    ("4000000000", 2),
    ("unixtime", 1),
    ("2147483648", 1),
    ("date", 2),
)
"""Targets one after the other, each with the number of steps to there; a date that is later than
2147483648 by 2^32 is as far as any."""


def test_all_follow(tmp_path: Path) -> None:
    """Through 2^32 both ways, and from the mistake of 4000000000 to a date."""
    served = AllSecondaries(tmp_path)
    assert served.ports
    with served.run():
        for target, steps in WAYS:
            code, told = _plan(served, "--to", target, "--apply", "--wait", "120s")
            assert (code, told["done"]) == (0, True), (target, told)
            assert len(told["taken"]) == steps, (target, told)
            for release, port in served.ports.items():
                has = serial_at(port, ZONE)
                assert has == told["serial"], (release, target, has)
            if target.isdigit():
                assert told["serial"] == int(target)
        assert str(told["serial"]).startswith(time.strftime("%Y%m", time.gmtime()))
        served.change("after-all A 192.0.2.201")
        served.await_all()


def _plan(served: AllSecondaries, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = served.project.lzc("serial", "plan", ZONE, "--format", "json", *arguments, check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.returncode, json.loads(done.stdout)
