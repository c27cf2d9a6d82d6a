"""The control socket: ``lzc ctl`` on one end, the supervisor on the other, a JSON object a line.

A request is ``{"do": "status" | "reload" | "health" | "force"}``, the last with ``target``,
``state`` and ``seconds``; the answer is an object that has ``ok``, and ``error`` where that is
false.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.faults import InputError

Answer = dict[str, Any]
Command = Callable[[Answer], Awaitable[Answer | AsyncGenerator[bytes, None]]]
"""Takes the whole request; a long answer comes as the pieces of its line."""

_ADDRESS: Final = 107
_LINE: Final = 4096
_TIMEOUT: Final = 60.0
"""Seconds in which a server answers, and in which a client sends a request, or takes an answer."""
_BACKLOG: Final = 4096
_PAUSE: Final = 0.02


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket that fits into the 107 octets of an address, however deep it lies."""
    if len(os.fsencode(path)) <= _ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def occupied(path: Path) -> bool:
    """True when a server listens on the socket. Raises `OSError` where that cannot be seen."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            with _short(path) as name:
                probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (BlockingIOError, TimeoutError):
            pass  # so many ask it that there is no room for one more
        return True


def left_behind(path: Path) -> bool:
    """True where a server that was killed has left its socket."""
    try:
        return path.is_socket() and not occupied(path)
    except OSError:
        return False


def bind(path: Path) -> socket.socket:
    """The listening socket, for its owner alone (mode 0600). A socket that a dead server left
    behind is replaced. Raises `InputError`."""
    try:
        if path.is_socket():
            if occupied(path):
                raise InputError.at(
                    path,
                    "control-socket",
                    "another lzc serve is running here: it answers on this control socket",
                    fix="stop it, or set another control-socket in [serve]",
                )
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            with _short(path) as name:
                listener.bind(name)
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise InputError.at(
            path,
            "control-socket",
            f"the control socket cannot be made: {error.strerror}",
            fix="set control-socket in [serve] to a path that can be written",
        ) from error
    return listener


@dataclass(slots=True, eq=False)
class ControlServer:
    """Answers requests with ``commands``, by their name."""

    _path: Path
    _listener: socket.socket
    _commands: dict[str, Command]
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_unix_server(
            self._serve, sock=self._listener, limit=_LINE, backlog=_BACKLOG
        )

    def close(self) -> None:
        """Stop, and remove the socket."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await asyncio.wait_for(reader.readline(), _TIMEOUT):
                answer = await self._answer(line)
                if isinstance(answer, dict):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await asyncio.wait_for(writer.drain(), _TIMEOUT)
                    continue
                async with contextlib.aclosing(answer):
                    async for piece in answer:
                        writer.write(piece)
                        await asyncio.wait_for(writer.drain(), _TIMEOUT)
        except (ConnectionError, TimeoutError, ValueError):
            pass  # gone, or a line over the limit
        except asyncio.CancelledError:
            pass  # the server stops; asyncio up to 3.11 logs a traceback for what passes through
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer | AsyncGenerator[bytes, None]:
        try:
            request = foreign_json.parse(line)
            command = self._commands[request["do"]]
        except (ValueError, KeyError, TypeError):
            known = ", ".join(self._commands)
            return {"ok": False, "error": f'expected {{"do": ...}} with one of: {known}'}
        return await command(request)


def ask(path: Path, do: str, **arguments: str | float) -> Answer:
    """Send one request to a running server and wait for its answer. Raises `InputError` when no
    server is there or it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            _connect(sock, path)
            sock.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with sock.makefile("rb") as file:
                line = file.readline()
        answer = foreign_json.parse(line)
        if not isinstance(answer, dict) or "ok" not in answer:
            raise ValueError("no answer of lzc serve")
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from error
    return answer


def _connect(sock: socket.socket, path: Path) -> None:
    """Connect, when there is room among those who ask at the same time. Raises `OSError`."""
    sock.settimeout(_TIMEOUT)
    end = time.monotonic() + _TIMEOUT
    with _short(path) as name:
        while True:
            try:
                return sock.connect(name)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)


def _unreachable(path: Path, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or str(error) or "no answer"
    fix = "see whether it hangs or is overloaded: its log tells"
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        fix = "start it with: lzc serve; or name the socket of the one that runs with --socket"
    elif isinstance(error, PermissionError):
        fix = "run this as the user that the server runs as"
    message = f"no running server answers on the control socket: {reason}"
    return InputError.at(path, "server-unreachable", message, fix=fix)


def socket_path(folder: Path, output: Path, configured: str | None) -> Path:
    """Where the control socket is: as configured (relative to the project's folder), else
    ``control.sock`` in the output folder."""
    return folder / configured if configured is not None else output / "control.sock"
