"""A server whose settings change, on cores of its own, and who loads it from another."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import dns.message
import dns.rdataclass

from fixtures.geo import make_geo
from lzc.health_check import Check
from tests.bench.harness import descendants
from tests.patience import PATIENCE
from tests.peers._peers.process import free_port
from tests.soak.reloads.load import Question, Seen, Task
from tests.unit.clinic import LOCAL, listening
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_geo import database

_CORES: Final = sorted(os.sched_getaffinity(0))
SERVERS_CORES: Final = _CORES[:-1] or _CORES
LOADS_CORE: Final = _CORES[-1]
"""The same where there is one core only."""

_KEY: Final = '[tsig."other."]\nsecret = "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cw=="\n'
_BEFORE: Final = '[dnssec]\nkeystore = "keys"\n'
_NAMES: Final = 50


@dataclass(slots=True)
class Stage:
    """``server`` and the process of ``load``, which asks ``questions``; ``ports`` are free, and
    ``text`` is the beginning of its file, the same at all times."""

    server: LiveServer
    load: subprocess.Popen[str]
    questions: list[Question]
    ports: tuple[int, int, int]
    text: str
    number: int = 0
    refused: list[str] = field(default_factory=list)

    def begin(self, rate: float, seconds: float = 0.0, **more: float) -> None:
        """Have the load ask."""
        task = Task(self.server.port, self.questions, rate, seconds, **more)  # type: ignore[arg-type]
        self._say(json.dumps(asdict(task)))

    def end(self) -> Seen:
        """What came of it; a task with no end of its own is ended before by `enough`."""
        assert self.load.stdout is not None
        line = self.load.stdout.readline()
        assert line, "the process that asks has ended"
        return Seen(**json.loads(line))

    def enough(self) -> Seen:
        """End the task."""
        self._say("")
        return self.end()

    def _say(self, line: str) -> None:
        assert self.load.stdin is not None
        self.load.stdin.write(f"{line}\n")
        self.load.stdin.flush()

    def busy(self) -> float:
        """Seconds of CPU time that processes took which are there now."""
        taken = 0
        for pid in descendants(self.server.process.pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    taken += int((task / "schedstat").read_text().split()[0])
        return taken / 1e9

    def change(self) -> None:
        """Other settings: all that a reload can change, each in a rhythm of its own."""
        self.number += 1
        self.server.project.config.write_text(settings(self.text, self.number, self.ports))
        answer = self.server.control("reload")
        if not answer["ok"]:
            self.refused.append(f"reload {self.number}: {answer['error']}")
        workers = self.server.control("status")["workers"]
        said = {self._name_of_server() for _ in range(8)}
        if len(workers) != workers_of(self.number) or said != {f'"{self.number}"'}:
            self.refused.append(f"reload {self.number}: {len(workers)} workers, {said}")

    def _name_of_server(self) -> str:
        query = dns.message.make_query("id.server", "TXT", rdclass=dns.rdataclass.CH)
        answer = dns.query.udp(query, LOCAL, timeout=PATIENCE, port=self.server.port)
        return str(answer.answer[0][0])


def workers_of(number: int) -> int:
    """How many there are to be after so many changes."""
    return (2, 1, 3)[number % 3]


def settings(text: str, number: int, ports: tuple[int, int, int]) -> str:
    """The file after so many changes."""
    page, other_page, secondary = ports
    serve = [
        f"server-id = '{number}'",
        f"workers = {workers_of(number)}",
        f"packet-cache = {10_000 * (1 + number % 4)}",
        f"tcp-idle-timeout = {5 + number % 2}",
        f"tcp-connections = {300 + number % 3}",
        ("", f"http = '{LOCAL}:{page}'", f"http = '{LOCAL}:{other_page}'")[number % 3],
        ("", "http-compat = 'powerdns'")[number % 2],
        ("", "log = './log'", "log-format = 'json'")[number // 2 % 3],
        ("", "query-log = 0.01", "query-log = 0.02\nquery-log-file = './queries'")[number % 3],
        ("", "dnstap = 'tap'\ndnstap-sample = 0.01")[number // 3 % 2],
        ("", "geoip = ['one.mmdb']", "geoip = ['two.mmdb', 'one.mmdb']")[number // 2 % 3],
    ]
    listed = f"[[secondary]]\nname = 'ns2'\naddress = '{LOCAL}:{secondary}'\ntsig = 'other.'\n"
    listed += "software = 'powerdns-5.1'\n"
    limits = f"time-limit = 0\nexec-limit = {2000 + number % 2}\n"
    health = f"health-check-interval = {5 + number % 2}\n"
    lua = f"[lua]\nenable = true\n{limits}{health}"
    lines = "\n".join(one for one in serve if one)
    return f"{text}{_KEY}{listed if number % 2 else ''}{lua}[serve]\n{lines}\n"


def _zone(port: int) -> dict[str, str]:
    names = "".join(f"n{number} A 192.0.2.{number}\n" for number in range(_NAMES))
    lua = "".join(
        f"l{number} 0 LUA A \"pickrandom({{'192.0.2.{number}', '198.51.100.{number}'}})\"\n"
        f"g{number} 0 LUA TXT \"'{number} ' .. countryCode()\"\n"
        f"u{number} 0 LUA A \"ifportup({port}, {{'{LOCAL}'}})\"\n"
        for number in range(_NAMES)
    )
    return {"example.org": names + lua, "signed.example": names}


def _questions() -> list[Question]:
    """Half of them for LUA records; of the others some signed, some for names that do not exist."""
    found = []
    for number in range(_NAMES):
        asked = [
            (f"n{number}.example.org", "A", False),
            (f"l{number}.example.org", "A", False),
            (f"n{number}.signed.example", "A", True),
            (f"g{number}.example.org", "TXT", False),
            (f"x{number}.example.org", "A", False),
            (f"u{number}.example.org", "A", False),
        ]
        for name, kind, dnssec in asked:
            query = dns.message.make_query(name, kind, want_dnssec=dnssec)
            there = not name.startswith("x")
            found.append(Question(query.to_wire().hex(), 0 if there else 3, there))
    return found


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Stage]:
    """Both, until the block ends."""
    for name, place in (("one", make_geo.TOKYO), ("two", make_geo.LONDON)):
        database(folder / f"{name}.mmdb", place)
    target, port = listening()
    project = Project(folder, _BEFORE)
    text = project.config.read_text()
    ports = free_port(), free_port(), free_port()
    project.config.write_text(settings(text, 0, ports))
    project.build(_zone(port), signed=["signed.example"], checks=[Check(LOCAL, port)])
    with target, _accepting(target), LiveServer(project, workers=None) as server:
        for pid in descendants(server.process.pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), SERVERS_CORES)
        command = [sys.executable, "-c", "from tests.soak.reloads.load import main; main()"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_on(LOADS_CORE),
        ) as load:
            try:
                server.wait_for(lambda: server.control("status")["checker"]["up"] == 1)
                yield Stage(server, load, _questions(), ports, text)
            finally:
                load.kill()


def _on(core: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def _accepting(target: socket.socket) -> Iterator[None]:
    """Connections to the target stay in its backlog until it is closed, which is room for few."""
    target.listen(4096)
    yield


def wait(seconds: float) -> None:
    """Let the load ask for a while."""
    time.sleep(seconds)
