"""What ``lzc ctl`` can ask a server."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field

from lzc.serve.ipc.scoreboard import COUNTERS, Slot
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.control import Answer, Command
from lzc.serve.supervise.kept_zones import kept_zones
from lzc.serve.supervise.new_settings import NewSettings
from lzc.serve.supervise.publisher_process import PublisherProcess
from lzc.serve.supervise.recorder_process import RecorderProcess
from lzc.serve.supervise.reload import Reloader


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands on the parts of a server that they are about; ``listen`` are its endpoints,
    ``slots`` those of all workers that it ever had, ``began`` is when it began, in seconds of
    the monotonic clock."""

    reloader: Reloader
    checker: CheckerProcess
    settings: NewSettings
    secondaries: Secondaries
    listen: Sequence[str]
    slots: Collection[Slot]
    recorder: RecorderProcess
    publisher: PublisherProcess
    began: float = field(default_factory=time.monotonic)
    tls_listen: Sequence[str] = ()

    def by_name(self) -> dict[str, Command]:
        """Each by the name that a request has."""
        return {
            "status": self.status,
            "reload": self.reload,
            "health": self.health,
            "force": self.force,
        }

    async def reload(self, _request: Answer) -> Answer:
        """``lzc ctl reload``: switch to the live bundle, and to what ``lzc.toml`` says by now."""
        return await self.settings.reload()

    def _tls(self) -> Answer | None:
        found = self.reloader.tls.report()
        return None if found is None else {**found, "listen": list(self.tls_listen)}

    async def health(self, _request: Answer) -> Answer | AsyncGenerator[bytes, None]:
        """``lzc ctl health``: all checks."""
        return await self.checker.report()

    async def force(self, request: Answer) -> Answer:
        """``lzc ctl health force``: a target is up, down or drained by hand."""
        try:
            target, state = str(request["target"]), str(request["state"])
            seconds = float(request.get("seconds", 0))
            if not math.isfinite(seconds):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            return {"ok": False, "error": "expected target, state and seconds"}
        return await self.checker.force(target, state, seconds, request.get("anyway") is True)

    async def status(self, _request: Answer) -> Answer:
        """``lzc ctl status``: all that is known of the server."""
        reloader = self.reloader
        workers = [worker.status() for worker in reloader.workers]
        counted = [slot.counters() for slot in tuple(self.slots)]
        kept = await asyncio.to_thread(kept_zones, reloader.folder)
        fallen = await asyncio.to_thread(reloader.fallen.status)
        return {
            "ok": True,
            "bundle": reloader.folder.name,
            "loaded_at": reloader.loaded_at,
            "built_at": reloader.built_at,
            "gone": reloader.gone,
            "refused": reloader.refusal.status(),
            "fallen": fallen,
            "serials_near_end": reloader.fallen.near_end(),
            "kept": kept,
            "zones": max(worker.zones for worker in reloader.workers),
            "uptime": time.monotonic() - self.began,
            "pid": os.getpid(),
            "listen": list(self.listen),
            "workers": workers,
            "totals": {name: sum(one[name] for one in counted) for name in COUNTERS},
            "checker": self.checker.status(),
            "recorder": self.recorder.status(),
            "publisher": self.publisher.status(),
            "geo": reloader.geo.report(),
            "tls": self._tls(),
            "settings": self.settings.in_force.pending,
            "keys": reloader.keys.status(),
            "zones_with_key_faults": len(reloader.keys.states()),
            "tsig": reloader.secrets.status(),
            **reloader.quarantine.status(),
            "secondaries": self.secondaries.status(),
            "secondaries_unsaved": self.secondaries.unsaved,
            "strangers": self.secondaries.transfers.strangers(),
        }
