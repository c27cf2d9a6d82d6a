"""The day: everything started, what a team does in a day, and what came of it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.everywhere import accepting_everywhere
from tests.patience import PATIENCE
from tests.peers._peers.process import free_port, wait_until
from tests.peers._peers.releases import POWERDNS
from tests.soak.chaos.equality import equal, have_all
from tests.soak.chaos.probe import Judge, Prober
from tests.soak.chaos.run import keys_of
from tests.soak.chaos.secondaries import Secondary, Watch
from tests.soak.chaos.stage import Stage, Writer, health_targets
from tests.soak.chaos.zones import ChaosZone
from tests.soak.day import sites
from tests.soak.day.scrapes import Prometheus, Scraper, prometheus
from tests.soak.day.use import Use

LATEST: Final = 2.0
"""Seconds within which each question is answered, on a machine that has the time."""
_ROUND: Final = 30.0
"""Seconds between two looks at all zones of a secondary, changed or not."""
_SECONDARY: Final = (
    "lua-health-checks-interval=5",
    "loglevel=4",
    "max-tcp-connections=50",
)


@dataclass(frozen=True, slots=True)
class Size:
    """``wait``: seconds for which an answer is waited for; ``pause``: between two builds;
    ``each``: between two of all else that happens; ``compared``: zones of which all answers of all
    secondaries are compared in the end."""

    minutes: float
    seed: int
    zones: int = sites.SITES
    workers: int = 2
    wait: float = LATEST
    pause: tuple[float, float] = (15.0, 45.0)
    each: float = 15.0
    compared: int = 20


@dataclass(slots=True)
class Day:
    """What runs, and what was seen."""

    size: Size
    stage: Stage
    writer: Writer
    secondaries: list[Secondary]
    watch: Watch
    udp: Prober
    others: list[Prober]
    scraper: Scraper
    use: Use
    switch: Callable[[str, bool], None]
    chance: random.Random
    prometheus: Prometheus | None = None
    happened: Counter[str] = field(default_factory=Counter)
    settled: float = 0.0
    """Seconds until all secondaries had everything."""
    seconds: float = 0.0
    equal: bool = False
    alerts: set[str] = field(default_factory=set)
    cpu: dict[str, float] = field(default_factory=dict)

    def active(self) -> list[Active]:
        """All that has a thread of its own."""
        return [self.use, self.udp, *self.others, self.writer, self.scraper]


class Active(Protocol):
    """Something that goes on from `start` to `stop`, which may be called without."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


@contextlib.contextmanager
def running(folder: Path, size: Size) -> Iterator[Day]:
    """Everything runs and is equal when the block begins, and is gone after it."""
    mortal = [one for pair in sites.MORTAL for one in pair]
    with contextlib.ExitStack() as stack:
        mortal_port, switch = stack.enter_context(health_targets(mortal))
        alive = stack.enter_context(accepting_everywhere(1024))
        day = _assemble(folder, size, sites.made(size.zones, mortal_port), alive, switch)
        stage = day.stage
        stack.callback(stage.stop)
        status, output = stage.build()
        assert status == 0, output
        stage.start()
        assert not stage.reload(), stage.last_words()
        begin = time.monotonic()
        for secondary in day.secondaries:
            secondary.prepare(stage.port, stage.keys, stage.geo, _SECONDARY)
            secondary.start()
            stack.callback(secondary.stop)
        day.watch.start()
        stack.callback(day.watch.stop)
        wait_until(lambda: have_all(stage, day.secondaries), "all secondaries have all zones")
        day.settled = time.monotonic() - begin
        for secondary in day.secondaries:
            # Those of the zones it did not have yet.
            secondary.lags.clear()
        day.prometheus = stack.enter_context(prometheus(folder / "prometheus", day.scraper.port))
        for one in day.active():
            stack.callback(one.stop)
        yield day


def _assemble(
    folder: Path,
    size: Size,
    made: list[ChaosZone],
    alive: int,
    switch: Callable[[str, bool], None],
) -> Day:
    secondaries = [Secondary("powerdns", one.version, folder) for one in POWERDNS]
    for secondary in secondaries:
        secondary.zones = made
    http = free_port()
    stage = Stage(
        folder / "lzc",
        made,
        [(one.name, one.port, one.software, ["*"]) for one in secondaries],
        alive,
        workers=size.workers,
        serve=f'http = "127.0.0.1:{http}"\nserver-id = "day-0"\n',
        interval=5,
    )
    ledger, keys, chance = stage.ledger, keys_of(stage), random.Random(size.seed)
    weights = sites.popularity(made, chance)
    judge = Judge("UDP", ledger, keys, primary=True)
    others = [
        Prober(
            one.port,
            made,
            sites.RATE / 40,
            Judge(one.name, ledger, keys, primary=False),
            ledger,
            size.seed + 10 + number,
            dnssec=0,
            weights=weights,
        )
        for number, one in enumerate(secondaries)
    ]
    return Day(
        size=size,
        stage=stage,
        writer=Writer(stage, random.Random(size.seed + 1), size.pause),
        secondaries=secondaries,
        watch=Watch(ledger, secondaries, _ROUND),
        udp=Prober(
            stage.port,
            made,
            sites.RATE,
            judge,
            ledger,
            size.seed + 2,
            weights=weights,
            tries=1,
            wait=size.wait,
        ),
        others=others,
        scraper=Scraper(http, ledger),
        use=Use(stage),
        switch=switch,
        chance=chance,
    )


def live(day: Day) -> None:
    """Ask, edit, build and scrape all the time, and have happen what happens in a day; in the end,
    see whether secondaries are equal to the primary."""
    size, begin = day.size, time.monotonic()
    day.scraper.scrape()
    for one in day.active():
        one.start()
    end = begin + 60 * size.minutes
    killed = begin + 30 * size.minutes
    happenings = _happenings()
    while (now := time.monotonic()) < end:
        time.sleep(max(0.0, min(size.each, end - now)))
        if time.monotonic() >= killed:
            killed = float("inf")
            _happen(day, worker_killed)
        else:
            _happen(day, next(happenings))
    day.writer.stop()
    day.stage.ledger.fault = "the end"
    for one in (day.udp, *day.others):
        one.stop()
    day.use.stop()
    day.cpu = day.use.cpu()
    asked = day.chance.sample(list(day.stage.zones.values()), size.compared)
    day.equal = equal(day.stage, day.secondaries, asked)
    day.scraper.stop()
    day.scraper.scrape()
    if day.prometheus is not None:
        day.alerts = day.prometheus.fired()
    day.seconds = time.monotonic() - begin


def _happenings() -> Iterator[Callable[[Day], str]]:
    while True:
        yield from (settings_changed, target_dies, settings_changed, target_returns)


def _happen(day: Day, what: Callable[[Day], str]) -> None:
    ledger, name = day.stage.ledger, what.__name__.replace("_", " ")
    ledger.fault = name
    begin = time.monotonic()
    told = what(day)
    took = time.monotonic() - begin
    day.happened[name] += 1
    print(f"  {begin - ledger.began:6.1f} s {name}: {told}; took {took:.1f} s", flush=True)


def settings_changed(day: Day) -> str:
    """Another server-id, and ``lzc ctl reload``."""
    stage, number = day.stage, day.happened["settings changed"]
    with stage.building:
        text = stage.config.read_text()
        fresh = text.replace(f'"day-{number}"', f'"day-{number + 1}"')
        assert fresh != text, "the setting is there"
        stage.config.write_text(fresh)
        if problem := stage.reload():
            stage.ledger.find(f"a reload is refused: {problem.splitlines()[0]}")
    return f"server-id day-{number + 1}"


def target_dies(day: Day) -> str:
    """One of a pair, so that its sites have one left."""
    address = _mortal(day)
    day.switch(address, False)
    day.stage.ledger.gone[address] = time.monotonic()
    return address


def target_returns(day: Day) -> str:
    """The same one."""
    (address,) = day.stage.ledger.gone
    del day.stage.ledger.gone[address]
    day.switch(address, True)
    return address


def _mortal(day: Day) -> str:
    return day.chance.choice(sites.MORTAL)[0]


def worker_killed(day: Day) -> str:
    """SIGKILL, while no bundle is loaded, which would be refused at first for that."""
    with day.stage.building:
        pids = day.stage.workers()
        pid = day.chance.choice(pids)
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        there = day.stage.workers()
        return pid not in there and len(there) == len(pids)

    wait_until(replaced, "a worker is replaced", PATIENCE)
    return "replaced"


def quantiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Milliseconds: the median, the 99th percentile, the longest; zeros for none."""
    if not seconds:
        return 0.0, 0.0, 0.0
    found = sorted(seconds)
    places = (len(found) // 2, len(found) * 99 // 100, -1)
    middle, high, longest = (1000 * found[one] for one in places)
    return middle, high, longest
