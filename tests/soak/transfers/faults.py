"""What comes between: each is on while its block runs, in which a change is built and notified."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from tests.soak.transfers.peers import Follower
from tests.soak.transfers.stage import TransferStage


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults work on; ``build`` has some zones change, built and reloaded."""

    stage: TransferStage
    followers: Sequence[Follower]
    chance: random.Random
    build: Callable[[], None]

    def wait(self, least: float, most: float) -> None:
        """Have it last."""
        time.sleep(self.chance.uniform(least, most))


@contextlib.contextmanager
def lines_cut(scene: Scene) -> Iterator[None]:
    """Every connection ends after any octet: some within the handshake of TLS, some within the SOA
    record at the end."""
    chance = random.Random(scene.chance.getrandbits(32))

    def after() -> int:
        return chance.choice(
            (chance.randint(0, 300), chance.randint(0, 5000), chance.randint(0, 300_000))
        )

    relays = [relay for one in scene.followers for relay in one.relays]
    for relay in relays:
        relay.cut = after
    try:
        yield
        scene.wait(1.0, 3.0)
    finally:
        for relay in relays:
            relay.cut = lambda: None


@contextlib.contextmanager
def reader_silent(scene: Scene) -> Iterator[None]:
    """Some secondaries read nothing for a while, of whatever is sent to them."""
    chosen = scene.chance.sample(list(scene.followers), max(1, len(scene.followers) // 2))
    with _stalled(chosen):
        yield
        scene.wait(0.5, 3.0)


@contextlib.contextmanager
def reloaded_in_the_middle(scene: Scene) -> Iterator[None]:
    """While transfers of the zones before are under way, others come."""
    with _stalled(scene.followers):
        yield
        scene.wait(0.3, 0.8)
        scene.build()


@contextlib.contextmanager
def _stalled(followers: Sequence[Follower]) -> Iterator[None]:
    relays = [relay for one in followers for relay in one.relays]
    for relay in relays:
        relay.stalled = True
    try:
        yield
    finally:
        for relay in relays:
            relay.stalled = False


@contextlib.contextmanager
def notify_lost(scene: Scene) -> Iterator[None]:
    """No NOTIFY arrives: the SOA record's refresh is what is left."""
    for one in scene.followers:
        assert one.notices is not None
        one.notices.lost = lambda: True
    try:
        yield
        scene.wait(0.5, 1.5)
    finally:
        for one in scene.followers:
            assert one.notices is not None
            one.notices.lost = lambda: False


@contextlib.contextmanager
def secondary_restarted(scene: Scene) -> Iterator[None]:
    """SIGKILL, in the middle of whatever it takes, or an end as an operator has it."""
    one = scene.chance.choice(list(scene.followers))
    yield
    scene.wait(0.0, 0.6)
    if scene.chance.random() < 0.5:
        one.kill()
    else:
        one.stop()
    one.start()


@contextlib.contextmanager
def server_killed(scene: Scene) -> Iterator[None]:
    """SIGKILL of our supervisor; it is started again."""
    yield
    scene.wait(0.0, 0.6)
    scene.stage.kill_supervisor()
    scene.stage.wait_up()


@contextlib.contextmanager
def worker_killed(scene: Scene) -> Iterator[None]:
    """SIGKILL of the worker that sends."""
    yield
    scene.wait(0.0, 0.4)
    for pid in scene.stage.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def certificate_renewed(scene: Scene) -> Iterator[None]:
    """Another certificate with the same key."""
    scene.stage.renew()
    yield


def nothing(_scene: Scene) -> AbstractContextManager[None]:
    """As on most days."""
    return contextlib.nullcontext()


FAULTS: Final[dict[str, Callable[[Scene], AbstractContextManager[None]]]] = {
    "nothing": nothing,
    "lines cut": lines_cut,
    "reader silent": reader_silent,
    "reloaded in the middle": reloaded_in_the_middle,
    "NOTIFY lost": notify_lost,
    "secondary restarted": secondary_restarted,
    "server killed": server_killed,
    "worker killed": worker_killed,
    "certificate renewed": certificate_renewed,
}
