"""The control socket by itself, without a server."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from lzc.serve.supervise import control


def test_a_server_that_stops_while_a_command_runs_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "control"
    under_way = asyncio.Event()

    async def slow(_request: control.Answer) -> control.Answer:
        under_way.set()
        await asyncio.Event().wait()
        return {"ok": True}

    async def serve() -> None:
        server = control.ControlServer(path, control.bind(path), {"status": slow})
        await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"do": "status"}\n')
        await under_way.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        assert await reader.read() == b""
        await asyncio.gather(*others, return_exceptions=True)
        writer.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(serve())
    assert under_way.is_set()
    assert caplog.text == ""
