"""``python -m tests.soak reloads [--times N]``: does a change of ``lzc.toml`` ever lose a query?"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_new_settings import ZONE, reload_under_load


def main(arguments: list[str]) -> int:
    """Change settings and reload as often as the arguments say, under load."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak reloads")
    parser.add_argument("--times", type=int, default=50)
    times = parser.parse_args(arguments).times
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), "[lua]\n[serve]\n")
        project.build(ZONE)
        with LiveServer(project, workers=2) as server:
            answered = reload_under_load(server, times)
    print(f"{times} reloads, {answered} queries, 0 lost")
    return 0
