"""What went wrong at the team of 900 sites, played: records that begin to fail, probes that time
out, a serial that comes close to its end. Which alert tells of it, how soon, and which does not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.health_cell import question
from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone, wait_until
from tests.soak.day.scrapes import prometheus
from tests.soak.incidents.network import Network, network
from tests.soak.incidents.recording import EACH, STEP, Recording
from tests.unit import lzc_process
from tests.unit.serve.test_metrics import Metrics

ZONES: Final = 12
TARGETS: Final = 5
"""Of each record, as many as the team's had."""
BEFORE: Final = 12
"""Scrapes before something goes wrong."""
RATE: Final = 60.0
"""Questions a second, which are six of the rules' clock."""
NEAR: Final = 2**32 - 1 - 10**8
"""The serial at which 100,000,000 are left."""
_APEX: Final = "@ SOA ns1 hostmaster {serial} 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"
_WORKS: Final = "app LUA A \";local last=30 return '192.0.2.'..last\"\n"
_FAILS: Final = (
    "; lzc: ignore lua-fails, lua-global\napp LUA A \";local last=nil return '192.0.2.'..last\"\n"
)


Told = Callable[[Mapping[str, float]], bool]
"""Whether metrics show something."""


@dataclass(slots=True)
class Played:
    """What came of an incident. ``fired``: seconds from its beginning until an alert fired, by the
    rules' clock; ``before`` and ``after``: seconds that answers took."""

    fired: dict[str, float] = field(default_factory=dict)
    early: dict[str, float] = field(default_factory=dict)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    lost: int = 0


def addresses() -> list[str]:
    """Of all targets: those of a record stand together."""
    return [f"127.3.{zone}.{one}" for zone in range(ZONES) for one in range(1, TARGETS + 1)]


class Site:
    """A project and its server."""

    def __init__(self, folder: Path, targets: Network) -> None:
        self.folder = folder
        self.port = free_port()
        self.metrics = Metrics(free_port())
        self._targets = targets
        (folder / "zones").mkdir(parents=True)
        (folder / "lzc.toml").write_text(
            '[build]\nsources = ["zones/*.zone"]\nserial = "keep"\n'
            "[lua]\nenable = true\nhealth-check-interval = 1\n"
            f'[serve]\nlisten = ["{LOOPBACK}:{self.port}"]\n'
            f'http = "{LOOPBACK}:{self.metrics.port}"\n'
        )
        for number in range(ZONES):
            self.write(number, 1)

    def write(self, number: int, serial: int, app: str = _WORKS) -> None:
        """A zone file."""
        each = ",".join(f"'127.3.{number}.{one}'" for one in range(1, TARGETS + 1))
        (self.folder / "zones" / f"z{number}.example.zone").write_text(
            f"$ORIGIN z{number}.example.\n$TTL 60\n{_APEX.format(serial=serial)}www A 192.0.2.7\n"
            f'up LUA A "ifportup({self._targets.port},{{{each}}})"\n{app}'
        )

    def build(self) -> str:
        """Have it live; what was said."""
        done = lzc_process.ended("build", "-c", str(self.folder / "lzc.toml"))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def reload(self) -> None:
        """Have the server take it."""
        done = lzc_process.ended("ctl", "reload", "-c", str(self.folder / "lzc.toml"))
        assert done.returncode == 0, done.stdout + done.stderr

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """While the block runs, from when all checks have a result on."""
        self.build()
        arguments = ["serve", "-c", str(self.folder / "lzc.toml")]
        with running(arguments, self.folder, "lzc", lzc_process.logging_to) as process:
            wait_for_zone(process, self.port, "z0.example")
            wait_until(partial(self.tells, _are("up", ZONES * TARGETS)), "all targets are up")
            yield

    def tells(self, told: Told) -> bool:
        """Whether its metrics, as soon as there are any, are such."""
        with contextlib.suppress(OSError):
            return told(self.metrics.values())
        return False


class Asker:
    """Asks for all names in turns, one question after the other, in a thread of its own."""

    def __init__(self, port: int, played: Played) -> None:
        self._port = port
        self._played = played
        self._took = played.before
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def turn(self) -> None:
        """What is taken from now on is after the beginning."""
        self._took = self._played.after

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._end.set()
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        number = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(PATIENCE)
            udp.connect((LOOPBACK, self._port))
            while not self._end.wait(1 / RATE):
                number += 1
                label = ("www", "up", "app")[number % 3]
                query = question(number, label, f"z{number // 3 % ZONES}.example")
                begin = time.monotonic()
                udp.send(query)
                try:
                    while udp.recv(4096)[:2] != query[:2]:
                        pass
                except TimeoutError:
                    self._played.lost += 1
                self._took.append(time.monotonic() - begin)


def _play(folder: Path, go_wrong: Callable[[Site, Network], Told], scrapes: int) -> Played:
    """Record before and after something goes wrong; ``scrapes`` from when lzc knows of it on, as
    until then no rule can. On a machine that is slow its clock stands still that long."""
    played = Played()
    with network(addresses()) as targets:
        site = Site(folder / "site", targets)
        with site.served():
            recording, asker = Recording(site.metrics), Asker(site.port, played)
            with asker.asking():
                due = time.monotonic()
                for number in range(BEFORE + scrapes):
                    if number == BEFORE:
                        asker.turn()
                        told = go_wrong(site, targets)
                        wait_until(partial(site.tells, told), "lzc knows of it")
                    time.sleep(max(0.0, due - time.monotonic()))
                    due = max(due, time.monotonic() - STEP) + STEP
                    recording.scrape()
    for alert, at in recording.fired(folder / "rules").items():
        seconds = float((at - BEFORE + 1) * EACH)
        (played.fired if at >= BEFORE else played.early)[alert] = seconds
    return played


def records_fail(folder: Path) -> Played:
    """A new version of three zones' records meets a value that is not there: one question of
    twelve is SERVFAIL."""

    def go_wrong(site: Site, _targets: Network) -> Told:
        for number in range(3):
            site.write(number, 2, _FAILS)
        site.build()
        site.reload()
        return lambda found: found.get('lzc_lua_failures_total{kind="runtime"}', 0.0) > 0

    return _play(folder, go_wrong, 28)


def some_probes_time_out(folder: Path) -> Played:
    """Two targets in five of each record do not answer any more."""

    def go_wrong(_site: Site, targets: Network) -> Told:
        silent = [one for at, one in enumerate(addresses()) if at % TARGETS < 2]
        targets.swallow(silent)
        return _are("down", len(silent))

    return _play(folder, go_wrong, 16)


def all_probes_time_out(folder: Path) -> Played:
    """No target answers any more: the network in between is gone."""

    def go_wrong(_site: Site, targets: Network) -> Told:
        targets.swallow(addresses())
        return _are("down", len(addresses()))

    return _play(folder, go_wrong, 16)


def _are(state: str, count: int) -> Told:
    """So many targets are up, or down."""
    return lambda found: found.get(f'lzc_health_checks{{state="{state}"}}') == count


def serial_burns_up(folder: Path) -> Played:
    """A zone's serial rises with every build, until it has 100,000,000 left; with Prometheus."""
    played = Played()

    def asks(query: str) -> None:
        """Waits until a query finds something."""
        wait_until(lambda: bool(_asked(seen.ask, query)), query)

    with network(addresses()) as targets:
        site = Site(folder / "site", targets)
        site.write(0, NEAR - 5_000_000)
        with site.served(), prometheus(folder / "prometheus", site.metrics.port, "1s") as seen:
            left = 'lzc_zone_serial_left{zone="z0.example."}'
            for serial in (NEAR - 1_000_000, NEAR, NEAR + 1):
                site.write(0, serial)
                site.build()
                site.reload()
                begin = time.monotonic()
                asks(f"{left} == {2**32 - 1 - serial}")
                if serial <= NEAR:
                    # Looked at twice with this value.
                    asks(f"count_over_time({left}[2s]) >= 2")
                    played.early |= dict.fromkeys(seen.fired(), 0.0)
            wait_until(lambda: bool(seen.fired()), "an alert fires")
            played.fired = dict.fromkeys(seen.fired(), time.monotonic() - begin)
    return played


def _asked(ask: Callable[[str], list[object]], query: str) -> list[object]:
    try:
        return ask(query)
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Incident:
    """``tells``: the alerts that tell of it. No other may."""

    play: Callable[[Path], Played]
    tells: frozenset[str]


INCIDENTS: Final = {
    "LUA records of a zone begin to fail": Incident(
        records_fail, frozenset({"LzcServfailRate", "LzcLuaFailing"})
    ),
    "two targets in five swallow packets": Incident(
        some_probes_time_out, frozenset({"LzcProbesTimeOut"})
    ),
    "all targets swallow packets": Incident(
        all_probes_time_out,
        frozenset({"LzcProbesTimeOut", "LzcManyTargetsDown", "LzcAllTargetsDown"}),
    ),
    "a serial comes close to 2^32": Incident(serial_burns_up, frozenset({"LzcSerialNearItsEnd"})),
}
