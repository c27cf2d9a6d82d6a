"""What goes wrong around a server that answers: it goes on, and says so once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fixtures.geo import make_geo
from lzc.bundle import current
from tests.unit.live_server import UNHURRIED, LiveServer, Project
from tests.unit.serve.test_geo import database
from tests.unit.serve.test_metrics import values_in
from tests.unit.serve.test_recorder import status

ZONE = {"example.org": "www A 192.0.2.1\n"}


def lines(server: LiveServer, text: str) -> int:
    return sum(text in line for line in server.log)


def until_said(server: LiveServer, text: str, times: int) -> None:
    server.wait_for(lambda: lines(server, text) == times)


def replace_the_worker(server: LiveServer) -> None:
    """Once it is there, all that a tick looks at was looked at, too."""
    (before,) = server.control("status")["workers"]
    os.kill(before["pid"], signal.SIGKILL)

    def replaced() -> bool:
        (now,) = server.control("status")["workers"]
        return now["pid"] != before["pid"] and bool(now["ready"])

    server.wait_for(replaced)


def test_current_is_gone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    identity = project.build(ZONE)
    with LiveServer(project) as server:
        link = project.output / "current"
        for times in (1, 2):
            link.unlink()
            gone = f"NOTHING IS LIVE: {link} is gone; still serving bundle {identity}"
            until_said(server, gone, times)
            assert not server.control("reload")["ok"]
            server.wait_for(lambda: values_in(server.control("metrics")["text"])["lzc_bundle_gone"])
            assert "NOTHING IS LIVE: current is gone" in status(project)
            replace_the_worker(server)
            assert server.answers("www.example.org") == ["192.0.2.1"]
            current.switch(project.output, identity)
            until_said(server, f"{link} is there again", times)
            assert lines(server, gone) == times
            server.wait_for(
                lambda: not values_in(server.control("metrics")["text"])["lzc_bundle_gone"]
            )
            assert "NOTHING IS LIVE" not in status(project)
            assert server.control("reload")["ok"]


AHEAD = """
import functools, os, time
from lzc.serve.supervise import supervisor
supervisor.ClockWatch = functools.partial(
    supervisor.ClockWatch, wall=lambda: time.time() + 3600 * os.path.exists({file!r})
)
"""


def test_the_clock_is_set(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(ZONE)
    file = tmp_path / "ahead"
    with LiveServer(project, inject=AHEAD.format(file=str(file))) as server:
        for times in (1, 2):
            file.touch()
            until_said(server, "THE CLOCK WAS SET ahead by 3600 s", times)
            assert server.answers("www.example.org") == ["192.0.2.1"]
            file.unlink()
            until_said(server, "THE CLOCK WAS SET back by 3600 s", times)
        assert lines(server, "THE CLOCK") == 4


def test_a_geo_database_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    database(path, make_geo.TOKYO)
    project = Project(tmp_path, f'{UNHURRIED}[serve]\ngeoip = ["{path}"]\n')
    project.build({"example.org": 'here LUA TXT "countryCode()"\n'})
    with LiveServer(project) as server:
        path.unlink()
        kept = f"geo database {path}: the one from before is kept: No such file or directory"
        server.wait_for(lambda: server.logged(kept))
        for _ in range(3):
            assert server.control("reload")["ok"]
        replace_the_worker(server)
        assert server.answers("here.example.org", "TXT") == ['"jp"']
        assert lines(server, "geo database") == 1
        database(path, make_geo.LONDON)
        server.wait_for(lambda: server.answers("here.example.org", "TXT") == ['"gb"'])
