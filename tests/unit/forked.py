"""Processes that have lzc's server imported when they begin.

Importing it takes longer than all else that a server does until it answers, and tests start very
many. So one process of each run of tests imports it once, and forks for each server. What is in
such a server is what it would have imported itself; it has nothing else of that process, and of the
test's its environment, its folder, its limits and the files it writes to. A test that is about how
a process begins (options of the interpreter, another umask) starts one itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Final

from coverage import Coverage

from tests.patience import PATIENCE

ROOT: Final = Path(__file__).resolve().parents[2]
LIMITS: Final = sorted({getattr(resource, name) for name in dir(resource) if "RLIMIT_" in name})
READ_AT_START: Final = ("PYTHON", "COVERAGE_")
MEASURED: Final = {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")}
"""Has coverage count what is entered, in the process and in all that fork from it."""

_BEGINNING: Final = threading.Lock()
_REQUEST: Final = 2**20
"""Octets that a request has at most; the environment is most of it."""


class Forked:
    """A process that runs Python code, as `subprocess.Popen` would have it; ``stderr`` is text that
    it writes there, nothing where that goes to a file. ``arguments`` are its `sys.argv` after the
    first. Several threads may begin some."""

    def __init__(
        self,
        imports: str,
        code: str,
        *arguments: str,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
    ) -> None:
        request = {
            "code": code,
            "arguments": arguments,
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "limits": [(number, resource.getrlimit(number)) for number in LIMITS],
        }
        with _BEGINNING:
            forker = _forker(imports, _read_at_start())
        reading, writing = os.pipe()
        told, telling = os.pipe()
        files = [telling, writing if stderr is None else stderr.fileno()]
        if stdout is not None:
            files.append(stdout.fileno())
        try:
            socket.send_fds(forker, [json.dumps(request).encode()], files)
        finally:
            os.close(writing)
            os.close(telling)
        self.returncode: int | None = None
        self.stderr: IO[str] = os.fdopen(reading)
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = self._next(PATIENCE)

    def _next(self, seconds: float) -> int:
        """What the forker says next of this process: its number, and later how it ended."""
        # Not select(2): tests may have more files open than it knows numbers.
        ready = select.poll()
        ready.register(self._told, select.POLLIN)
        if not ready.poll(seconds * 1000):
            raise subprocess.TimeoutExpired("a forked process", seconds)
        said = self._told.read(8)
        if len(said) < 8:
            raise ChildProcessError("the process that forks servers has ended")
        return int.from_bytes(said, "big", signed=True)

    def poll(self) -> int | None:
        """The exit code; ``None`` while it runs."""
        if self.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._ended(0)
        return self.returncode

    def wait(self, seconds: float) -> int:
        """The exit code, negative for a signal. Raises `subprocess.TimeoutExpired`."""
        return self._ended(seconds) if self.returncode is None else self.returncode

    def _ended(self, seconds: float) -> int:
        self.returncode = self._next(seconds)
        self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To a process that has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _read_at_start() -> frozenset[tuple[str, str]]:
    """What of the environment counts when Python starts, and for a fork comes too late: its own
    settings, and whether coverage measures it."""
    found = {one for one in os.environ.items() if one[0].startswith(READ_AT_START)}
    return frozenset(found | {("network", os.readlink("/proc/thread-self/ns/net"))})


@functools.cache
def _forker(imports: str, _environment: frozenset[tuple[str, str]]) -> socket.socket:
    """The socket of a process that began in this environment and has made these imports; it ends
    with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST)
    with theirs:
        # At the end it is a program like any other, whose code is at the top level of a module.
        program = (
            # It is no child of the tests, which look at whether theirs have ended.
            f"import os\nif os.fork():\n    os._exit(0)\n{imports}\nfrom tests.unit import forked\n"
            f"exec(compile(forked.code_of_a_child({theirs.fileno()}), '<test>', 'exec'))\n"
        )
        command = [sys.executable, "-c", program]
        subprocess.run(
            command,
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env=os.environ | (MEASURED if Coverage.current() is not None else {}),
            check=True,
            timeout=PATIENCE,
        )
    return ours


def code_of_a_child(number: int) -> str:
    """Fork for each request on this socket. Returns in each child, with the code that it is to
    run; the process itself ends here."""
    requests = socket.socket(fileno=number)
    children: dict[int, tuple[int, int]] = {}
    # Ctrl-C ends the tests, and then this process ends as well.
    at_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        for ready in select.select([number, *children], [], [])[0]:
            if ready != number:
                _tell_end(ready, *children.pop(ready))
                continue
            text, given, _, _ = socket.recv_fds(requests, _REQUEST, 3)
            if not text:
                sys.exit(0)
            telling, stderr, *stdout = given
            pid = os.fork()
            if pid == 0:
                requests.close()
                signal.signal(signal.SIGINT, at_interrupt)
                return _become(json.loads(text), stderr, *stdout)
            for number_of_ours in (stderr, *stdout):
                os.close(number_of_ours)
            _tell(telling, pid)
            children[os.pidfd_open(pid)] = (pid, telling)


def _tell_end(handle: int, pid: int, telling: int) -> None:
    """Say how a child ended, which is over by then: it is no zombie, and its number is free."""
    _, status = os.waitpid(pid, 0)
    os.close(handle)
    _tell(telling, os.waitstatus_to_exitcode(status))
    os.close(telling)


def _tell(telling: int, number: int) -> None:
    """Say it, where anybody is left who asks."""
    with contextlib.suppress(BrokenPipeError):
        os.write(telling, number.to_bytes(8, "big", signed=True))


def _become(request: dict[str, Any], stderr: int, stdout: int = 1) -> str:
    """Have of the test what a request says, and no file but the three standard ones."""
    os.dup2(stderr, 2)
    os.dup2(stdout, 1)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    for number, limits in request["limits"]:
        if resource.getrlimit(number) != tuple(limits):
            resource.setrlimit(number, tuple(limits))
    sys.argv[1:] = request["arguments"]
    code: str = request["code"]
    return code
