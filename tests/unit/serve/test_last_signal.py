"""A service manager sends SIGTERM to all processes of a server: one that comes while a process ends
anyway is no traceback."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.unit.live_server import LiveServer, Project

AT_THE_LAST_MOMENT = """
import asyncio, os, signal
was = asyncio.selector_events.BaseSelectorEventLoop._close_self_pipe

def close(self):
    was(self)
    os.kill(os.getpid(), signal.SIGTERM)

asyncio.selector_events.BaseSelectorEventLoop._close_self_pipe = close
"""


def test_a_signal_while_a_process_ends_is_no_traceback(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build({"example.org": "www A 192.0.2.1\n"})
    server = LiveServer(project, workers=2, inject=AT_THE_LAST_MOMENT)
    with server:
        assert server.answers("www.example.org") == ["192.0.2.1"]
        server.wait_for(lambda: server.control("status")["checker"]["pid"])
        assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line or "Exception" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_processes_told_at_once_end_without_a_traceback(
    tmp_path: Path, number: signal.Signals
) -> None:
    project = Project(tmp_path)
    project.build({"example.org": "www A 192.0.2.1\n"})
    server = LiveServer(project, workers=2)
    with server:
        server.wait_for(lambda: server.control("status")["checker"]["pid"])
        status = server.control("status")
        for pid in [one["pid"] for one in status["workers"]] + [status["checker"]["pid"]]:
            os.kill(pid, number)
        assert server.stop(number) == 0
    assert not [line for line in server.log if "Traceback" in line or "Exception" in line]
