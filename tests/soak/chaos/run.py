"""The soak: everything started, faults made one after the other, and what came of it."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dns.name
import dns.rdata
import dns.rrset

from lzc.dnssec.keystore.keystore import Keystore
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers._peers.process import wait_until
from tests.soak.chaos import faults, zones
from tests.soak.chaos.equality import equal, have_all
from tests.soak.chaos.faults import Scene
from tests.soak.chaos.model import Ledger
from tests.soak.chaos.probe import Judge, Keys, Prober, TcpProber
from tests.soak.chaos.secondaries import Secondary, Watch, ask_all
from tests.soak.chaos.stage import Stage, Writer, health_targets
from tests.soak.chaos.zones import ChaosZone

BEHIND: Final = 3.0
"""Seconds that a secondary may be behind after its faults end, on a machine that has the time."""


@dataclass(frozen=True, slots=True)
class Size:
    """``short`` is for tests: fewer zones, secondaries and queries, and each fault of a list once.
    ``minutes`` count for the long form, in which faults are drawn."""

    short: bool
    seed: int
    minutes: float
    secondaries: Sequence[tuple[str, str]]
    primary: Sequence[str] = tuple(faults.PRIMARY)
    secondary: Sequence[str] = tuple(faults.SECONDARY)

    @property
    def rate(self) -> float:
        """Queries a second."""
        return 60.0 if self.short else 150.0

    @property
    def length(self) -> float:
        """Seconds that a fault lasts at most."""
        return 0.4 if self.short else 8.0

    @property
    def pause(self) -> tuple[float, float]:
        """Seconds between two builds."""
        return (0.2, 0.6) if self.short else (2.0, 5.0)


@dataclass(slots=True)
class Soak:
    """What runs, and what was seen. ``memory``: MiB (PSS) in the order it was looked at."""

    size: Size
    stage: Stage
    writer: Writer
    secondaries: list[Secondary]
    watch: Watch
    udp: Prober
    tcp: TcpProber
    others: list[Prober]
    scene: Scene
    happened: Counter[str] = field(default_factory=Counter)
    memory: list[dict[str, float]] = field(default_factory=list)
    recovery: dict[str, float] = field(default_factory=dict)
    overshoot: float = 0.0
    seconds: float = 0.0
    equal: bool = False

    def probers(self) -> dict[str, Prober | TcpProber]:
        """By whom and how they ask."""
        others = zip((one.name for one in self.secondaries), self.others, strict=True)
        return {"UDP": self.udp, "TCP": self.tcp, **dict(others)}

    @property
    def slowness(self) -> float:
        """By what a machine that has less time than it is asked for is slower: its load on each of
        its processors, 1 at least."""
        return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def keys_of(stage: Stage) -> Keys:
    """The DNSKEY RRset of each signed zone, from the keystore."""
    found = {}
    for zone in stage.zones.values():
        if zone.algorithm:
            apex = wire_name.from_text(zone.name, wire_name.ROOT)
            rdatas = [
                dns.rdata.from_wire("IN", "DNSKEY", key.dnskey, 0, len(key.dnskey))
                for key in Keystore(stage.keys).load(apex)
            ]
            name = dns.name.from_text(zone.name)
            found[zone.name] = dns.rrset.from_rdata_list(name, 60, rdatas)
    return found


@contextlib.contextmanager
def running(folder: Path, size: Size) -> Iterator[Soak]:
    """Everything runs and is equal when the block begins, and is gone after it."""
    made = zones.made(size.short)
    secondaries = [Secondary(*one, folder) for one in size.secondaries]
    for secondary in secondaries:
        secondary.zones = [zone for zone in made if secondary.takes(zone)]
    listed = [
        (one.name, one.port, one.software, [zone.name for zone in one.zones]) for one in secondaries
    ]
    chance = random.Random(size.seed)
    with health_targets(zones.TARGETS) as (health_port, switch):
        stage = Stage(folder / "lzc", made, listed, health_port)
        writer = Writer(stage, random.Random(size.seed + 1), size.pause)
        scene = Scene(stage, writer, secondaries, switch, chance, size.length)
        soak = _assemble(size, made, stage, writer, secondaries, scene)
        try:
            status, output = stage.build()
            assert status == 0, output
            stage.start()
            assert not stage.reload(), stage.last_words()
            for secondary in secondaries:
                secondary.prepare(stage.port, stage.keys, stage.geo)
                secondary.start()
            soak.watch.start()
            wait_until(lambda: have_all(stage, secondaries), "all secondaries have all zones")
            yield soak
        finally:
            writer.stop()
            soak.tcp.stop()
            for prober in (soak.udp, *soak.others):
                prober.stop()
            soak.watch.stop()
            for secondary in secondaries:
                secondary.stop()
            stage.stop()


def _assemble(
    size: Size,
    made: Sequence[ChaosZone],
    stage: Stage,
    writer: Writer,
    secondaries: list[Secondary],
    scene: Scene,
) -> Soak:
    ledger, keys = stage.ledger, keys_of(stage)
    others = []
    for number, one in enumerate(secondaries):
        judge = Judge(one.name, ledger, keys, primary=False)
        seed = size.seed + 10 + number
        others.append(Prober(one.port, one.zones, size.rate / 20, judge, ledger, seed, dnssec=0))
    judge = Judge("UDP", ledger, keys, primary=True)
    return Soak(
        size=size,
        stage=stage,
        writer=writer,
        secondaries=secondaries,
        watch=Watch(ledger, secondaries),
        udp=Prober(stage.port, made, size.rate, judge, ledger, size.seed + 2),
        tcp=TcpProber(
            stage.port,
            made,
            size.rate / 10,
            Judge("TCP", ledger, keys, primary=True),
            ledger,
            size.seed + 3,
        ),
        others=others,
        scene=scene,
    )


def make_faults(soak: Soak) -> None:
    """Ask, edit and build all the time, and make the faults; in the end, see whether secondaries
    are equal to the primary."""
    size, begin = soak.size, time.monotonic()
    soak.tcp.start()
    for prober in (soak.udp, *soak.others):
        prober.start()
    soak.writer.start()
    done = threading.Event()
    side = threading.Thread(target=_secondary_faults, args=(soak, done), daemon=True)
    side.start()
    for name in _chosen(soak, begin + 60 * size.minutes):
        _primary_fault(soak, name)
        soak.memory.append(soak.stage.memory())
        soak.overshoot = max(soak.overshoot, soak.slowness)
    done.set()
    side.join(PATIENCE)
    soak.writer.stop()
    soak.stage.ledger.fault = "the end"
    _end(soak)
    soak.seconds = time.monotonic() - begin


def _chosen(soak: Soak, end: float) -> Iterator[str]:
    """Each fault of the list once, in the long form in an order that is drawn, again and again."""
    size, chance = soak.size, soak.scene.chance
    while True:
        names = list(size.primary)
        if not size.short:
            chance.shuffle(names)
        for name in names:
            yield name
            if not size.short:
                if time.monotonic() > end:
                    return
                time.sleep(chance.uniform(2.0, 8.0))
        if size.short:
            return


def _primary_fault(soak: Soak, name: str) -> None:
    ledger = soak.stage.ledger
    ledger.fault = name
    with soak.watch.fault(name, None):
        begin = time.monotonic()
        told = faults.PRIMARY[name](soak.scene)
        took = time.monotonic() - begin
        soak.happened[name] += 1
        recovered = _recover(soak)
    soak.recovery[name] = max(soak.recovery.get(name, 0.0), recovered)
    at = begin - ledger.began
    print(f"  {at:6.1f} s {name}: {told}; took {took:.1f} s, then {recovered:.1f} s", flush=True)


def _recover(soak: Soak) -> float:
    """Seconds until the server has a build again, as whoever builds in a loop would find."""
    stage, begin = soak.stage, time.monotonic()
    for attempt in range(4):
        if soak.writer.cycle():
            return time.monotonic() - begin
        if attempt == 2:
            stage.ledger.find(
                f"no build gets over it; made good by hand: {stage.spoiled and stage.spoiled[0]}"
            )
            stage.mend()
    stage.ledger.find("no build gets over it, though it was made good")
    return time.monotonic() - begin


def _secondary_faults(soak: Soak, done: threading.Event) -> None:
    """In the short form each once; in the long one again and again."""
    size, chance = soak.size, random.Random(soak.size.seed + 4)
    names = list(size.secondary)
    while names and not done.wait(0.2 if size.short else chance.uniform(10.0, 25.0)):
        name = names.pop(0) if size.short else chance.choice(names)
        secondary = chance.choice(soak.secondaries)
        begin = time.monotonic()
        with soak.watch.fault(name, secondary):
            told = faults.SECONDARY[name](soak.scene, secondary)
            if name != "secondary paused":
                back = _wait_answering(secondary, soak.stage.ledger)
                secondary.came_back = max(secondary.came_back, back)
        soak.happened[name] += 1
        at, took = begin - soak.stage.ledger.began, time.monotonic() - begin
        print(f"  {at:6.1f} s {name}: {told}; took {took:.1f} s", flush=True)


def _wait_answering(secondary: Secondary, ledger: Ledger) -> float:
    """The fault of a secondary that was ended is over when it has all of its zones, of whatever
    generation: how long it takes to come back with them is up to it, above all where it keeps none
    on its disk. Gives the seconds."""
    begin = time.monotonic()
    missing = list(secondary.zones)
    while missing and time.monotonic() - begin < PATIENCE:
        found = ask_all(secondary.port, missing, ledger)
        missing = [one for one in missing if one.name not in found]
        time.sleep(0.05)
    return time.monotonic() - begin


def _end(soak: Soak) -> None:
    """One build more, and all answers of all secondaries are held against it."""
    soak.writer.cycle(count=len(soak.stage.zones))
    soak.equal = equal(soak.stage, soak.secondaries, list(soak.stage.zones.values()))
