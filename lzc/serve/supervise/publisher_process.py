"""The supervisor's side of the publisher: the process that makes zones in forms of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lzc.answer.transfer_access import Handed
from lzc.config import Config, Form, View
from lzc.foreign_text import shown
from lzc.serve.ipc.health_view import TableView
from lzc.serve.ipc.process import Channel, ChannelMessage, ended, fork, how
from lzc.serve.notify.forms_told import FormsTold
from lzc.serve.observe.log_format import about, speak_as

log = logging.getLogger("lzc")

PAUSE: Final = 1.0
"""Seconds until a publisher that died is replaced; twice as many each time it dies at once."""
LONGEST: Final = 60.0
GATHER: Final = 0.1
"""Seconds in which it is gathered what became of forms."""
EACH: Final = 5.0
"""Seconds between two looks at what changed."""


class PublisherProcess:
    """One publisher at a time, while there are secondaries that get other forms than the zone as it
    is. ``told`` is what it tells, ``changed`` is called then."""

    def __init__(
        self,
        config: Config,
        stamps: Path,
        health: Callable[[], TableView],
        told: FormsTold,
        changed: Callable[[], None],
    ) -> None:
        self._config = config
        self._stamps = stamps
        self._health = health
        self._told = told
        self._changed = changed
        self._channel: Channel | None = None
        self._folder = Path()
        self._geo: list[Path] = []
        self._again = self._stopping = self._due = False
        self._pause = PAUSE
        self._started_at = 0.0
        self.pid = 0
        self.restarts = 0

    @property
    def wanted(self) -> bool:
        """Whether there is something to publish."""
        return self._config.serve.publish and self._told.is_needed

    def start(self, close_others: Callable[[], None]) -> None:
        """Start the process, where one is wanted; ``close_others`` runs first in it."""
        if self._stopping or self.pid or not self.wanted:
            return
        config, stamps, folder = self._config, self._stamps, self._folder
        geo, health = self._geo, self._health()

        def main(channel: Channel) -> int:
            speak_as("publisher")
            close_others()
            return asyncio.run(_publish(channel, config, stamps, folder, geo, health))

        self._again = False
        self._started_at = time.monotonic()
        self.pid, self._channel = fork(main)
        self._channel.attach(asyncio.get_running_loop(), self._heard, lambda: None)

    def load(self, folder: Path, geo: Sequence[Path]) -> None:
        """Zones are those of this bundle from now on, and the databases of places these."""
        self._folder = folder
        self.take_geo(geo)
        if self._channel is not None:
            self._channel.send({"do": "load", "folder": str(folder)})
        if self.pid and not self.wanted:
            self._renew()

    def take_geo(self, geo: Sequence[Path]) -> None:
        """The databases of places are these from now on."""
        if list(geo) != self._geo:
            self._geo = list(geo)
            self._renew()

    def take_settings(self, config: Config) -> None:
        """Go by other settings, in a process of its own; `start` is to be called then."""
        if config is not self._config:
            self._config = config
            self._renew()

    def reap(self, start: Callable[[], None]) -> None:
        """See whether the process ended, and have it started again where that is wanted."""
        status = ended(self.pid)
        if status is None:
            return
        self.pid = 0
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._stopping:
            return
        if self._again:
            start()
            return
        log.error(
            "the publisher of forms (%s) died; starting another",
            how(status),
            extra=about(reason=how(status)),
        )
        self.restarts += 1
        lasted = time.monotonic() - self._started_at
        self._pause = PAUSE if lasted > LONGEST else min(2 * self._pause, LONGEST)
        asyncio.get_running_loop().call_later(self._pause, start)

    def stop(self) -> None:
        """Have the process end. What it was writing counts once it is whole."""
        self._stopping = True
        self._say_stop()

    def close_in_child(self) -> None:
        """Let go of its line in another child."""
        if self._channel is not None:
            self._channel.sock.close()

    def status(self) -> dict[str, Any]:
        """What ``lzc ctl status`` and metrics say of it."""
        return {
            "pid": self.pid,
            "restarts": self.restarts,
            "wanted": self.wanted,
            "forms": self._told.status(),
        }

    def _heard(self, message: ChannelMessage) -> None:
        view = View(message["client"], message["health"])
        what = Handed(Form(message["form"]), view)
        apex = bytes.fromhex(message["apex"])
        if self._told.take(apex, what, message["serial"], message["problem"]) and not self._due:
            # Of many zones that are made one after the other, each would be a look at all.
            self._due = True
            asyncio.get_running_loop().call_later(GATHER, self._tell)

    def _tell(self) -> None:
        self._due = False
        if not self._stopping:
            self._changed()

    def _renew(self) -> None:
        self._again = True
        self._say_stop()

    def _say_stop(self) -> None:
        if self.pid:
            # What it does may take long, and is done again by who comes next.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 15)


async def _publish(
    channel: Channel,
    config: Config,
    stamps: Path,
    folder: Path,
    geo: Sequence[Path],
    health: TableView,
) -> int:
    """The life of the process."""
    # Here, as no answer waits for what it imports.
    from lzc.bundle.reader import Bundle
    from lzc.forms.flatten import Evaluation
    from lzc.forms.publisher import FormPublisher
    from lzc.lua.engine.execution import EngineSettings
    from lzc.serve.worker.geo_files import open_geo

    with contextlib.suppress(OSError):
        # It takes what nobody else wants of the processors.
        os.nice(10)
    places = open_geo(geo)
    settings = EngineSettings.from_config(config.lua)

    def evaluate(bundle: Bundle, view: View) -> Evaluation:
        return Evaluation(bundle, settings, view, places, health)

    publisher = FormPublisher(config, stamps, evaluate, len(os.sched_getaffinity(0)))
    woken = asyncio.Event()
    at = folder
    stopped = False

    def heard(message: ChannelMessage) -> None:
        nonlocal at
        at = Path(message["folder"])
        woken.set()

    def closed() -> None:
        nonlocal stopped
        stopped = True
        woken.set()

    channel.attach(asyncio.get_running_loop(), heard, closed)
    while not stopped:
        woken.clear()
        try:
            for one in publisher.look(at, time.time()):
                what = one.wanted.what
                channel.send(
                    {
                        "apex": one.wanted.apex.hex(),
                        "form": str(what.form),
                        "client": what.view.client,
                        "health": what.view.health,
                        "serial": one.serial,
                        "problem": one.problem,
                    }
                )
                await asyncio.sleep(0)
                if woken.is_set():
                    break
        except Exception as error:
            log.exception("forms of bundle %s: %s", at.name, shown(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), EACH)
    publisher.close()
    return 0
