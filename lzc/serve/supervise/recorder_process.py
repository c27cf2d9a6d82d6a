"""The supervisor's side of the recorder: its process, and what outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.config import Config
from lzc.foreign_text import shown
from lzc.serve.ipc.octet_ring import OctetRing
from lzc.serve.ipc.process import Channel, ChannelMessage, ended, fork, how
from lzc.serve.ipc.recorder_table import COUNTS, OF_WORKERS, RecorderTable
from lzc.serve.observe.log_format import about, speak_as
from lzc.serve.supervise.silence import end_silence

if TYPE_CHECKING:
    from lzc.serve.observe.recorder import Recorder

log = logging.getLogger("lzc")

PAUSE: Final = 1.0
"""Seconds until a recorder that died is replaced."""
_SETTINGS: Final = ("dnstap", "dnstap_messages", "query_log_file", "log", "log_format", "server_id")


class RecorderProcess:
    """One recorder at a time, while the settings want what it makes; and for each worker a ring."""

    def __init__(self, config: Config, folder: Path, stamps: Path) -> None:
        self._config = config
        self._folder = folder
        self._stamps = stamps
        self._rings: dict[int, OctetRing] = {}
        self._table = RecorderTable()
        self._channel: Channel | None = None
        self._start_again = False
        self._stopping = False
        self.pid = 0
        self.restarts = 0

    @property
    def wanted(self) -> bool:
        """Whether the settings want one."""
        serve = self._config.serve
        return serve.query_log > 0 or serve.dnstap is not None

    def ring(self, worker: int) -> OctetRing:
        """That of the worker in this place, to be made before its fork."""
        made = self._rings.get(worker)
        if made is None:
            made = self._rings[worker] = OctetRing()
            # One that runs does not know it.
            self._renew()
        return made

    def start(self, close_others: Callable[[], None]) -> None:
        """Start the process, where one is wanted; ``close_others`` runs first in it."""
        if self._stopping or self.pid or not self.wanted:
            return
        config, folder, stamps = self._config, self._folder, self._stamps
        rings = {f"worker {worker}": ring for worker, ring in sorted(self._rings.items())}

        def main(channel: Channel) -> int:
            speak_as("recorder")
            close_others()
            return asyncio.run(_record(channel, config, rings, self._table, folder, stamps))

        self._start_again = False
        self._table.say(False, 0.0)
        self._table.beat(0)
        # It takes what workers handed over last, who may be gone with the supervisor.
        self.pid, self._channel = fork(main, orphan=True)
        self._channel.attach(asyncio.get_running_loop(), lambda _: None, lambda: None)

    def take_settings(self, config: Config) -> None:
        """Go by other settings; `reap` has the process started again where it is to."""
        before, self._config = self._config, config
        now = [getattr(config.serve, name) for name in _SETTINGS]
        same = now == [getattr(before.serve, name) for name in _SETTINGS]
        both = [one.serve.query_log > 0 for one in (before, config)]
        if not same or both[0] != both[1] or before.folder != config.folder:
            self._renew()

    def load(self, folder: Path) -> None:
        """Zones are those of this bundle from now on."""
        self._folder = folder
        if self._channel is not None:
            self._channel.send({"do": "load", "folder": str(folder)})

    def close_in_child(self) -> None:
        """Let go of its line in another child."""
        if self._channel is not None:
            self._channel.sock.close()

    def watch(self, fair_from: float, limit: float) -> None:
        """Kill a process that has not looked at what workers handed over for ``limit`` seconds,
        which is replaced then; ``fair_from`` is when we were stopped ourselves."""
        end_silence("recorder of queries", self.pid, self._table, fair_from, limit)

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
        if self._start_again:
            start()
            return
        log.error(
            "the recorder of queries (%s) died; starting another",
            how(status),
            extra=about(reason=how(status)),
        )
        self.restarts += 1
        self._table.say(False, 0.0)
        asyncio.get_running_loop().call_later(PAUSE, start)

    def stop(self) -> None:
        """Have the process end, once it has taken what is there."""
        if not self._stopping:
            self._stopping = True
            self._say_stop()

    def status(self) -> dict[str, Any]:
        """What ``lzc ctl status`` and metrics say of it."""
        counts = dict(zip(COUNTS, self._table.counts(), strict=True))
        rings = list(self._rings.values())
        for name, index in OF_WORKERS.items():
            counts[name] = counts.get(name, 0) + sum(ring.counts[index] for ring in rings)
        serve = self._config.serve
        streaming, since = self._table.streaming()
        return {
            "pid": self.pid,
            "restarts": self.restarts,
            "wanted": self.wanted,
            "dnstap": serve.dnstap,
            "dnstap_sample": serve.dnstap_sample,
            "streaming": streaming,
            "since": since,
            "query_log": serve.query_log,
            "counts": counts,
        }

    def _renew(self) -> None:
        self._start_again = True
        self._say_stop()

    def _say_stop(self) -> None:
        if self._channel is not None:
            self._channel.send({"do": "stop"})


class _Zones:
    """Finds the zone that a name is in, as far as the bundle can be read."""

    def __init__(self, stamps: Path) -> None:
        self._stamps = stamps
        self._bundle: Bundle | None = None

    def load(self, folder: Path) -> None:
        """Those of this bundle, from now on."""
        before, self._bundle = self._bundle, None
        if before is not None:
            before.close()
        try:
            self._bundle = Bundle.open(folder, verified_dir=self._stamps)
        except (BundleError, OSError) as error:
            log.warning("lines of the query log have no zone: %s", shown(error))

    def of(self, name: bytes) -> bytes | None:
        """The apex, for a lower-case wire name."""
        zone = None if self._bundle is None else self._bundle.find_zone(name)
        return None if zone is None else zone.apex


async def _record(
    channel: Channel,
    config: Config,
    rings: dict[str, OctetRing],
    table: RecorderTable,
    folder: Path,
    stamps: Path,
) -> int:
    """The life of the process."""
    with contextlib.suppress(OSError):
        # Waking up, we do not take the processor from a worker that has it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    zones = _Zones(stamps)
    recorder = _recorder(config, rings, table, zones)
    if config.serve.query_log:
        zones.load(folder)

    def heard(message: ChannelMessage) -> None:
        if message["do"] == "stop":
            recorder.stop()
        elif config.serve.query_log:
            zones.load(Path(message["folder"]))

    channel.attach(asyncio.get_running_loop(), heard, recorder.stop)
    await recorder.run()
    return 0


def _recorder(
    config: Config, rings: dict[str, OctetRing], table: RecorderTable, zones: _Zones
) -> Recorder:
    # Here, as no answer waits for what it imports (`ahead`).
    from lzc.serve.observe.dnstap import CONTENT_TYPE, endpoints_of
    from lzc.serve.observe.frame_stream import FrameStream
    from lzc.serve.observe.log_output import output_of
    from lzc.serve.observe.query_log import QueryLog
    from lzc.serve.observe.recorder import Recorder

    serve = config.serve
    stream = lines = None
    if serve.dnstap is not None:
        stream = FrameStream(config.path(serve.dnstap), CONTENT_TYPE)
    if serve.query_log:
        where = serve.log if serve.query_log_file is None else serve.query_log_file
        lines = QueryLog(
            output_of(config, where),
            zones.of,
            json=serve.log_format == "json",
        )
    return Recorder(rings, table, stream, endpoints_of(serve), lines)
