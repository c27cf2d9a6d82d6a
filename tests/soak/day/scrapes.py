"""Who scrapes: as Prometheus does, and Prometheus itself with the rules that lzc exports."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lzc.cli.export.prometheus import rendered
from tests.patience import PATIENCE
from tests.peers._peers import find
from tests.peers._peers.process import LOOPBACK, free_port, running
from tests.soak.chaos.model import Ledger
from tests.unit.serve.test_metrics import values_in

EACH: Final = 15.0
"""Seconds between two scrapes."""
_ANEW: Final = "lzc_process_cpu_seconds_total"
"""Begins at 0 with each process."""


class Scraper:
    """Scrapes every `EACH` seconds in a thread of its own; a count that fell is a finding."""

    def __init__(self, port: int, ledger: Ledger) -> None:
        self.port = port
        self._ledger = ledger
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.took: list[float] = []
        self.octets = 0
        self.values: Mapping[str, float] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def scrape(self) -> None:
        """Once."""
        begin = time.monotonic()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
        self.took.append(time.monotonic() - begin)
        if answer.status != 200:
            self._ledger.find(f"a scrape is answered with {answer.status}")
            return
        plain = gzip.decompress(body).decode()
        self.octets = len(plain)
        found = values_in(plain)
        for name, before in self.values.items():
            counts = name.partition("{")[0].endswith(("_total", "_count", "_bucket"))
            if counts and not name.startswith(_ANEW) and found.get(name, before) < before:
                self._ledger.find(f"{name} fell from {before} to {found[name]}")
        self.values = found

    def _run(self) -> None:
        while not self._end.wait(EACH):
            try:
                self.scrape()
            except (OSError, http.client.HTTPException) as error:
                self._ledger.find(f"a scrape fails: {error!r}")


class Prometheus:
    """A server at a port, with the rules."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, query: str) -> list[Any]:
        """The result of an instant query."""
        what = urllib.parse.urlencode({"query": query})
        url = f"http://{LOOPBACK}:{self.port}/api/v1/query?{what}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found

    def fired(self) -> set[str]:
        """The alerts that were firing at any time in the last day."""
        query = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1d]))'
        return {one["metric"]["alertname"] for one in self.ask(query)}


@contextlib.contextmanager
def prometheus(folder: Path, target: int, each: str = "15s") -> Iterator[Prometheus]:
    """Prometheus scrapes a port of lzc's, and looks at the rules, while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "lzc.rules.yml").write_text(rendered("lzc")["lzc.rules.yml"])
    config = {
        "global": {"scrape_interval": each, "scrape_timeout": each, "evaluation_interval": each},
        "rule_files": [str(folder / "lzc.rules.yml")],
        "scrape_configs": [
            {"job_name": "lzc", "static_configs": [{"targets": [f"{LOOPBACK}:{target}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    program = find("prometheus")
    assert program is not None, "there is no prometheus"
    arguments = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=error",
    ]
    with running(arguments, folder, "prometheus"):
        yield Prometheus(port)
