"""The checker as a process: what it is told by the supervisor, and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lzc.bundle.manifest import CHECKS
from lzc.lua.health import Check
from lzc.serve.checker import CONCURRENT, Checker
from lzc.serve.health_table import HealthTable
from lzc.serve.process import Channel, Message

log = logging.getLogger("lzc")

_SPARE_FILES: Final = 128
_NICE: Final = 5
_REQUEST: Final = 4096


def read_checks(folder: Path) -> list[Check]:
    """The checks of a bundle. Raises `OSError`, `ValueError` or `TypeError`."""
    documents = json.loads((folder / CHECKS).read_bytes())
    return [Check.from_document(document) for document in documents]


@dataclass(frozen=True, slots=True)
class CheckerSetup:
    """What a checker process is given at birth. ``asked`` is the socket on which a report on all
    checks is asked for, by a line of any text; ``file`` as of `Checker`."""

    table: HealthTable
    reports: socket.socket
    asked: socket.socket
    interval: float
    file: Path | None = None


def run(setup: CheckerSetup, channel: Channel) -> int:
    """The checker process: obey the supervisor until it says stop or is gone."""
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        # Waking up, we do not take the processor from a worker that has it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return asyncio.run(_serve(setup, channel))


def report_when_asked(asked: socket.socket, checker: Checker) -> None:
    """Answer each line with a report. In a thread of its own: with thousands of requests that fail,
    turns of the event loop take seconds, and a report of megabytes leaves in many pieces."""
    asked.setblocking(True)
    with contextlib.suppress(OSError):
        while asked.recv(_REQUEST):
            message = {"event": "health", "checks": checker.report()}
            asked.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")


async def _serve(setup: CheckerSetup, channel: Channel) -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONCURRENT if soft == resource.RLIM_INFINITY else max(16, soft - _SPARE_FILES)
    checker = Checker(
        setup.table,
        setup.reports,
        setup.interval,
        concurrent=min(CONCURRENT, room),
        file=setup.file,
    )
    threading.Thread(target=report_when_asked, args=(setup.asked, checker), daemon=True).start()
    stop = asyncio.Event()
    forcing: set[asyncio.Task[None]] = set()

    async def force(message: Message) -> None:
        answer = await checker.force(message["target"], message["state"], message["seconds"])
        channel.send({"event": "forced", **answer})

    def on_message(message: Message) -> None:
        match message.get("do"):
            case "load":
                try:
                    checker.load(read_checks(Path(message["folder"])))
                except (OSError, ValueError, TypeError) as error:
                    log.error("health checks of the bundle cannot be read: %s", error)
            case "force":
                task = asyncio.get_running_loop().create_task(force(message))
                forcing.add(task)
                task.add_done_callback(forcing.discard)
            case "stop":
                stop.set()

    channel.attach(asyncio.get_running_loop(), on_message, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await checker.close()
    return 0
