"""The soak: everything started, zones changed again and again with something in between, and who
has what in the end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception

from tests.patience import PATIENCE
from tests.peers._peers.process import serial_at, wait_until
from tests.peers._peers.relay import Relay
from tests.peers._peers.releases import Release
from tests.soak.chaos.zones import ChaosZone
from tests.soak.transfers.equality import difference
from tests.soak.transfers.faults import FAULTS, Scene
from tests.soak.transfers.peers import Follower
from tests.soak.transfers.stage import TransferStage, contents


@dataclass(frozen=True, slots=True)
class Size:
    """So many changes of so many zones, drawn from a seed."""

    changes: int
    zones: int
    seed: int


@dataclass(slots=True)
class Found:
    """What came of it: by peer what it took, by fault how often it came, and what was wrong."""

    took: dict[str, Counter[str]] = field(default_factory=dict)
    relayed: dict[str, Counter[str]] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0


def transfers(folder: Path, releases: Sequence[Release], size: Size) -> Found:
    """Run it, and say what was found."""
    found, begin = Found(), time.monotonic()
    made = contents(size.zones, size.seed)
    stage = TransferStage(folder / "lzc", made)
    chance = random.Random(size.seed + 1)
    with ExitStack() as stack:
        followers = [
            _follower(stack, release, stage, folder, list(stage.zones.values()))
            for release in releases
        ]
        stage.list_secondaries(followers)
        _build(stage, [])
        stack.callback(stage.stop)
        stage.start()
        for one in followers:
            stack.callback(one.stop)
            one.start()
        _wait_equal(stage, followers, found)
        if not found.findings:
            _changes(stage, followers, chance, size.changes, found)
            _wait_equal(stage, followers, found)
            _compare(stage, followers, found)
        for one in followers:
            found.took[one.name] = one.took()
            found.relayed[one.name] = sum((relay.counts for relay in one.relays), Counter())
    found.seconds = time.monotonic() - begin
    return found


def _follower(
    stack: ExitStack,
    release: Release,
    stage: TransferStage,
    folder: Path,
    zones: Sequence[ChaosZone],
) -> Follower:
    one = Follower(release, folder)
    one.zones = [zone for zone in zones if one.takes(zone)]
    one.relays = [stack.enter_context(Relay(port)) for port in (stage.port, stage.tls_port)]
    one.notices = stack.enter_context(Relay(one.port))
    if release.software == "powerdns":
        # For zones without signatures it asks for IXFR where it is told to.
        one.prepare(one.relays[0].port, stage.keys, stage.geo, ("xfr-cycle-interval=2",))
        one.ask_for_ixfr([zone.name for number, zone in enumerate(one.zones) if number % 2])
    else:
        if one.speaks_tls:
            one.over_tls = frozenset(zone.name for zone in one.zones[::2])
        ports = one.relays[0].port, one.relays[1].port
        one.write(ports, stage.folder / "ca.pem", stage.pair.pin)
    return one


def _build(stage: TransferStage, changed: Sequence[str]) -> None:
    for name in changed:
        stage.contents[name].change()
        stage.write(name, 0)
    status, output = stage.build()
    assert status == 0, output


def _changes(
    stage: TransferStage,
    followers: Sequence[Follower],
    chance: random.Random,
    count: int,
    found: Found,
) -> None:
    names = list(stage.contents)

    def build() -> None:
        _build(stage, chance.sample(names, min(len(names), chance.randint(1, 5))))
        if problem := stage.reload():
            found.findings.append(f"a reload is refused: {problem}")

    scene = Scene(stage, followers, random.Random(chance.getrandbits(32)), build)
    order: list[str] = []
    for number in range(count):
        if not order:
            order = [*FAULTS]
            chance.shuffle(order)
        name = order.pop()
        with FAULTS[name](scene):
            build()
        found.happened[name] += 1
        print(f"  change {number + 1}: {name}", flush=True)
        time.sleep(chance.uniform(0.0, 1.0))


def _wait_equal(stage: TransferStage, followers: Sequence[Follower], found: Found) -> None:
    """Wait until each has the serials that the server has."""
    wait_until(lambda: serial_at(stage.port, next(iter(stage.zones))) is not None, "lzc answers")
    ours = {name: serial_at(stage.port, name) for name in stage.zones}
    end = time.monotonic() + 2 * PATIENCE
    behind = [(one, zone.name) for one in followers for zone in one.zones]
    while behind and time.monotonic() < end:
        behind = [(one, name) for one, name in behind if serial_at(one.port, name) != ours[name]]
        time.sleep(0.1)
    for one, name in behind:
        theirs = serial_at(one.port, name)
        found.findings.append(f"{one.name} has {name} with {theirs}, lzc with {ours[name]}")


def _compare(stage: TransferStage, followers: Sequence[Follower], found: Found) -> None:
    for one in followers:
        for zone in one.zones:
            try:
                what = difference(stage.port, one.port, zone.name)
            except (dns.exception.DNSException, OSError) as error:
                what = f"{zone.name} cannot be had of lzc: {error}"
            if what:
                found.findings.append(f"{one.name}: {what}")


def table(found: Found) -> str:
    """What each took, and what came between."""
    columns = ("AXFR", "IXFR", "done", "over TLS")
    lines = [f"{'secondary':14}" + "".join(f"{one:>10}" for one in (*columns, "cut"))]
    for name, took in found.took.items():
        told = [f"{took.get(one, ''):>10}" for one in columns]
        lines.append(f"{name:14}{''.join(told)}{found.relayed[name]['cuts']:10}")
    lines.append("between: " + ", ".join(f"{name} {n}" for name, n in found.happened.items()))
    lines.append(f"{found.seconds:.0f} s")
    return "\n".join(lines)
