"""A package may be upgraded while a server of it runs: once that serves, none of its processes
imports anything, or reads a file of the package, whatever it is asked, told, or goes through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fixtures.geo import make_geo
from lzc.health_check import Check
from lzc.serve.observe.status.request import PATHS
from tests.peers._peers.process import free_port
from tests.unit.clinic import LOCAL, listening
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_geo import database
from tests.unit.serve.test_metrics import Metrics
from tests.unit.serve.test_new_settings import KEY, transfer
from tests.unit.serve.test_recorder import reading

ROOT = Path(__file__).resolve().parents[3]
WATCHED = """
import os, sys

folder = sys.argv.pop(1)
places = tuple(sys.argv.pop(1).split(":"))
told, busy = os.path.join(folder, "late"), []

def hook(event, given):
    if busy or event not in ("import", "open"):
        return
    what = given[0]
    if event == "open" and not (isinstance(what, str) and what.startswith(places)):
        return
    busy.append(event)
    try:
        if os.path.exists(os.path.join(folder, "serves")):
            frame, where = sys._getframe(1), []
            while frame is not None and len(where) < 8:
                code = frame.f_code
                if "importlib" not in code.co_filename:
                    where.append(f"{os.path.basename(code.co_filename)}:{frame.f_lineno}")
                frame = frame.f_back
            with open(told, "a") as out:
                out.write(f"{event} {what} by {' '.join(where)}\\n")
    finally:
        busy.clear()

sys.addaudithook(hook)
from lzc.__main__ import main
main()
"""
"""lzc, which tells what each of its processes imports and reads once there is a file."""
PLACES = (str(ROOT / "lzc"), str(ROOT / "templates"), os.path.dirname(os.__file__))
BEFORE = """
[serve]
listen = ["127.0.0.1:0"]
health-grace = 0
"""
AFTER = """
[[secondary]]
name = "ns2"
address = "127.0.0.1:{silent}"
tsig = "other."
[lua]
enable = true
time-limit = 0
[serve]
listen = ["127.0.0.1:0"]
health-grace = 0
http = "127.0.0.1:{http}"
http-compat = "powerdns"
geoip = ["geo.mmdb"]
query-log = 1
dnstap = "tap"
log-format = "json"
workers = 2
"""
LUA = """
tcp LUA A "ifportup({port}, {{'127.0.0.1'}})"
url LUA A "ifurlup('https://www.example.org:{port}/', {{'127.0.0.1'}})"
geo LUA TXT "countryCode()"
ring LUA A "pickchashed({{{{1,'192.0.2.1'}},{{2,'192.0.2.2'}}}})"
hash LUA A "pickwhashed({{{{1,'192.0.2.1'}},{{2,'192.0.2.2'}}}})"
close LUA A "pickclosest({{'192.0.2.1','192.0.2.2'}})"
code LUA A ";if continent('EU') then return '192.0.2.1' end return '192.0.2.' .. 2 * 3"
wrong LUA A "no_such_function()"
"""


class Watched(LiveServer):
    """A server that begins by itself: `tests.unit.forked` would import everything for it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.log: list[str] = []
        folder = str(project.folder)
        command = [sys.executable, "-c", WATCHED, folder, ":".join(PLACES), "serve"]
        self.process = subprocess.Popen(  # type: ignore[assignment]
            [*command, "-c", str(project.config)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=folder,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)

    def try_all(self, questions: list[tuple[str, str]]) -> None:
        """Ask in enough ways that each worker is asked all of it."""
        for name, kind in questions:
            for _ in range(6):
                self.ask(name, kind, want_dnssec=True)
            self.ask(name, kind, tcp=True)


def settle(server: LiveServer, pid: int, threads: int) -> None:
    """Wait until a process has so few threads: others do what they have to at the beginning."""
    folder = Path(f"/proc/{pid}/task")
    server.wait_for(lambda: len([*folder.iterdir()]) <= threads)


@pytest.mark.parametrize("listed", [False, True], ids=["no-checks", "checks-of-the-bundle"])
def test_a_server_imports_nothing_once_it_serves(tmp_path: Path, listed: bool) -> None:
    database(tmp_path / "geo.mmdb", make_geo.LONDON)
    target, port = listening()
    silent, page = free_port(), free_port()
    project = Project(tmp_path, f'[dnssec]\nkeystore = "keys"\n{BEFORE}')
    first = project.config.read_text()
    checks = [Check(LOCAL, port)] if listed else []
    project.build({"example.org": "www A 192.0.2.1\n"}, checks=checks)
    with target, Watched(project) as server:
        status = server.control("status")
        # A checker that is there before all others imports the rest beside its work.
        settle(server, status["checker"]["pid"], 2)
        (tmp_path / "serves").touch()
        server.try_all([("www.example.org", "A"), ("none.example.org", "A"), ("www.org", "A")])
        assert server.control("metrics")["ok"]
        # Everything at once that a reload can turn on.
        after = f"{KEY}{AFTER.format(silent=silent, http=page)}"
        project.config.write_text(first.replace(BEFORE, after))
        zone = "www A 192.0.2.1\n" + LUA.format(port=port)
        project.build({"example.org": zone}, serial=2, signed=["example.org"], checks=checks)
        with reading(tmp_path / "tap") as reader:
            answer = server.control("reload")
            assert answer["ok"], answer
            names = ("tcp", "url", "geo", "ring", "hash", "close", "code", "wrong", "www", "none")
            kinds = ("A", "TXT", "DNSKEY", "SOA")
            questions = [(f"{name}.example.org", kind) for name in names for kind in kinds]
            server.try_all(questions)
            assert transfer(server) == "NOERROR"
            server.wait_for(lambda: reader.frames > 100)
            checked = server.control("status")["checker"]
            assert checked["checks"] >= 1, checked
            metrics = Metrics(page)
            for path in (*PATHS, "/metrics", "/live", "/ready"):
                for accepted in ("", "gzip"):
                    got = metrics.get(path, Accept_Encoding=accepted, Accept="*/*")
                    assert got[0] == 200, path
            wanted = "application/openmetrics-text; version=1.0.0"
            assert metrics.get("/metrics", Accept=wanted)[0] == 200
            assert metrics.get("/none")[0] == 404
        assert server.control("health")["ok"]
        assert server.control("force", target=LOCAL, state="down", seconds=60.0)["ok"]
        project.config.write_text(f"{project.config.read_text()}\nworkes = = 1\n")
        assert not server.control("reload")["ok"]
        project.config.write_text(first.replace(BEFORE, after + "workers = 0\n"))
        assert not server.control("reload")["ok"]
        project.config.write_text(first.replace(BEFORE, after))
        assert server.control("reload")["ok"]
        status = server.control("status")
        pids = [status[name]["pid"] for name in ("checker", "recorder")]
        pids.append(status["workers"][0]["pid"])
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

        def back() -> bool:
            now = server.control("status")
            found = [now[name]["pid"] for name in ("checker", "recorder")]
            ready = [one["ready"] for one in now["workers"]]
            return all(found) and not {*found} & {*pids} and all(ready)

        server.wait_for(back)
        server.try_all(questions)
        server.wait_for(lambda: "127.0.0.1" in str(server.control("health")))
    late = tmp_path / "late"
    found = late.read_text().splitlines() if late.exists() else []
    assert found == []
