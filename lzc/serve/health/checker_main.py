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
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from lzc import private_folder
from lzc.bundle import check_list
from lzc.bundle.manifest import CHECKS
from lzc.foreign_text import shown
from lzc.serve.health import http_client
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.health.checker import Checker
from lzc.serve.health.runs import ALL_FILES
from lzc.serve.ipc.health_table import MOST_NAMED, UNLISTED, HealthTable
from lzc.serve.ipc.process import Channel, ChannelMessage, hear_no_more
from lzc.serve.ipc.sent_settings import config_of
from lzc.serve.observe.log_format import about, speak_as
from lzc.serve.observe.log_output import follow

log = logging.getLogger("lzc")

_SPARE_FILES: Final = 128
_NICE: Final = 5
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.1
"""Seconds between two attempts to remove what is left over."""
_KEY: Final = 16
_REQUEST: Final = 1 + _KEY * MOST_NAMED
_PATIENCE: Final = 20.0
"""Seconds in which a reader of a report has to take a piece of it."""
_AT_ONCE: Final = 50


def report_when_asked(asked: socket.socket, checker: Checker) -> None:
    """Answer each socket that comes with a report: on the checks whose keys follow the first octet
    of what comes with it, or on all, or on those that no bundle lists. In a thread of its own: with
    thousands of requests that fail, turns of the event loop take seconds."""
    asked.setblocking(True)
    with contextlib.suppress(OSError):
        while True:
            data, handles, _, _ = socket.recv_fds(asked, _REQUEST, 1)
            if not data:
                return
            for handle in handles:
                with contextlib.suppress(OSError), socket.socket(fileno=handle) as reader:
                    reader.settimeout(_PATIENCE)
                    send_report(reader, _asked_for(data, checker))


def _asked_for(data: bytes, checker: Checker) -> Iterator[dict[str, Any]]:
    if data == UNLISTED:
        return checker.report_on_unlisted()
    named = [data[at : at + _KEY] for at in range(1, len(data), _KEY)]
    return checker.report_on(named) if named else checker.report()


def send_report(reader: socket.socket, checks: Iterable[dict[str, Any]]) -> None:
    """Send a line of JSON, some checks at a time: a report may be megabytes, and all in one piece
    would leave holes in memory that nothing fits into. Raises `OSError`."""
    reader.sendall(b'{"ok":true,"checks":[')
    piece: list[str] = []
    comma = ""
    for one in checks:
        piece.append(comma + json.dumps(one, separators=(",", ":")))
        comma = ","
        if len(piece) >= _AT_ONCE:
            reader.sendall("".join(piece).encode())
            piece.clear()
    reader.sendall("".join(piece).encode() + b"]}\n")


def _files() -> int:
    """How many connections may be open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = ALL_FILES if soft == resource.RLIM_INFINITY else max(16, soft - _SPARE_FILES)
    if room < ALL_FILES:
        log.warning(
            "health: the limit of open files (ulimit -n, LimitNOFILE= of systemd) is %d: with"
            " thousands of targets that do not answer, checks will be late; %d would do",
            soft,
            ALL_FILES + _SPARE_FILES,
            extra=about(limit=soft),
        )
    return min(ALL_FILES, room)


def _remove(folder: Path) -> None:
    """Remove a folder that others who are about to end may write into yet."""
    for _ in range(_ATTEMPTS):
        private_folder.remove(folder)
        if not folder.exists():
            return
        time.sleep(_PAUSE)


async def serve(
    channel: Channel,
    table: HealthTable,
    reports: socket.socket,
    asked: socket.socket,
    policy: CheckPolicy,
    file: Path,
    leftover: Path,
) -> int:
    """The checker process: obey the supervisor until it says stop or is gone. ``asked`` is where
    those come that want a report on all checks; ``leftover`` is a folder to remove when the
    supervisor is killed; for the rest see `Checker`."""
    speak_as("checker")
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        # Waking up, we do not take the processor from a worker that has it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    loop = asyncio.get_running_loop()
    checker = Checker(
        table,
        reports,
        policy,
        files=_files(),
        file=file,
        tell_saving=lambda why: channel.send({"event": "saving", "why": why}),
    )
    threading.Thread(target=report_when_asked, args=(asked, checker), daemon=True).start()
    # Not later: the package may be upgraded meanwhile. First runs of checks do not wait for it.
    threading.Thread(target=http_client.import_ahead, daemon=True).start()
    stop = asyncio.Event()
    forcing: set[asyncio.Task[None]] = set()

    async def force(message: ChannelMessage) -> None:
        answer = await checker.force(
            message["target"], message["state"], message["seconds"], anyway=message["anyway"]
        )
        channel.send({"event": "forced", **answer})

    def on_message(message: ChannelMessage) -> None:
        match message.get("do"):
            case "load":
                try:
                    checker.load(check_list.read(Path(message["folder"]) / CHECKS))
                except (OSError, ValueError, TypeError, KeyError) as error:
                    log.error("health checks of the bundle cannot be read: %s", shown(error))
            case "policy":
                config = config_of(message["config"])
                follow(config)
                checker.take_policy(CheckPolicy.from_config(config))
            case "force":
                task = loop.create_task(force(message))
                forcing.add(task)
                task.add_done_callback(forcing.discard)
            case "stop":
                stop.set()

    def left_alone() -> None:
        # Whoever was to remove it cannot any more; it was to wait for us, told to stop or not.
        _remove(leftover)
        stop.set()

    channel.attach(loop, on_message, left_alone)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await checker.close()
    hear_no_more(loop)
    return 0
