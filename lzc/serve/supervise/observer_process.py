"""The supervisor's side of the observer: its process, from the first time that somebody wants
metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lzc.serve.ipc.health_table import Health
from lzc.serve.ipc.process import ended, enlarge, fork, how
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.observe.log_format import about, speak_as
from lzc.serve.observe.made_metrics import MadeMetrics
from lzc.serve.supervise.completing import Completion, Looked
from lzc.serve.supervise.standing_back import PAUSE

if TYPE_CHECKING:
    from lzc.serve.supervise.observer import Wanted

log = logging.getLogger("lzc")

PATIENCE: Final = 1.0
"""Seconds that it has: it makes metrics within a tenth, unless workers take all of its core."""
STUCK: Final = 60.0
"""Seconds after which it is taken to hang."""
_ROOM: Final = 2**20


class ObserverProcess:
    """One at a time, which is forked when it is first asked and after each end. ``healths`` and
    ``stamps`` are those of `Completion`."""

    def __init__(
        self,
        board: Scoreboard,
        healths: Callable[[Iterable[bytes]], Iterator[Health | None]],
        stamps: Path,
    ) -> None:
        self._board = board
        self._healths = healths
        self._stamps = stamps
        self._line: socket.socket | None = None
        self._answer: asyncio.Task[MadeMetrics] | None = None
        self._began = 0.0
        self._slots = 0
        self._ending: list[int] = []
        self._stopping = False
        self.close_others: Callable[[], None] = lambda: None
        self.pid = 0
        self.restarts = 0

    async def made(self, wanted: Wanted, looked: Looked) -> MadeMetrics | None:
        """The metrics; `None` where they are not there soon, as it has no turn or died. For one at
        a time."""
        from lzc.serve.supervise.observer import question

        if self._stopping or self._is_busy():
            return None
        if self.pid and self._slots != len(self._board.used):
            self.renew()
        if not self.pid:
            self._start()
        self._began = asyncio.get_running_loop().time()
        self._answer = answer = asyncio.create_task(self._ask(question(wanted, looked)))
        done, _ = await asyncio.wait((answer,), timeout=PATIENCE)
        if not done or answer.cancelled():
            return None
        # What it made is not ours to keep.
        self._answer = None
        try:
            return answer.result()
        except (OSError, EOFError):
            # `reap` tells.
            return None

    def _is_busy(self) -> bool:
        if self._answer is None or self._answer.done():
            return False
        if asyncio.get_running_loop().time() - self._began > STUCK:
            said = "the observer, which makes metrics, did not respond for %.0f s: killing it"
            log.error(said, STUCK)
            self.renew()
            return False
        return True

    async def _ask(self, parts: Iterable[bytes]) -> MadeMetrics:
        loop, line = asyncio.get_running_loop(), self._line
        assert line is not None, "it runs"
        for part in parts:
            await loop.sock_sendall(line, part)
            await asyncio.sleep(PAUSE)
        there = asyncio.Event()
        loop.add_reader(line, there.set)
        try:
            await there.wait()
        finally:
            if line.fileno() >= 0:
                loop.remove_reader(line)
        return _received(line)

    def _start(self) -> None:
        # Before the fork, as a child would have to read it all anew.
        from lzc.serve.supervise.observer import observe

        self._slots = len(self._board.used)
        ours, theirs = socket.socketpair()
        enlarge(ours, socket.SO_SNDBUF, _ROOM)

        def main(_channel: object) -> int:
            speak_as("observer")
            self.close_others()
            ours.close()
            completion = Completion(self._board.used, self._healths, self._stamps)
            return observe(theirs, completion)

        self.pid, channel = fork(main)
        channel.close()
        theirs.close()
        ours.setblocking(False)
        self._line = ours

    def close_in_child(self) -> None:
        """Let go of its line in another child."""
        if self._line is not None:
            self._line.close()

    @property
    def pids(self) -> list[int]:
        """Processes that are there, those that end too."""
        return [*self._ending, *([self.pid] if self.pid else ())]

    def reap(self) -> None:
        """See which processes ended."""
        self._ending = [pid for pid in self._ending if ended(pid) is None]
        status = ended(self.pid)
        if status is None:
            return
        self.pid = 0
        self._let_go()
        self.restarts += 1
        said = "the observer, which makes metrics, died (%s)"
        log.error(said, how(status), extra=about(reason=how(status)))

    def renew(self) -> None:
        """End it: the next one knows what is so by then, as settings and workers."""
        pid, self.pid = self.pid, 0
        self._let_go()
        if pid:
            # It ends once it has a turn, for which nobody waits.
            self._ending.append(pid)
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End it for good."""
        self._stopping = True
        self.renew()

    def _let_go(self) -> None:
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None
        if self._line is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._line)
            loop.remove_writer(self._line)
            self._line.close()
            self._line = None


def _received(line: socket.socket) -> MadeMetrics:
    """What `observe` made. Raises `EOFError` where it ended."""
    # Imported here, and there already (`ahead`).
    from lzc.serve.supervise.observer import LENGTH

    head, handles, _, _ = socket.recv_fds(line, LENGTH.size, 1)
    if not handles:
        raise EOFError
    return MadeMetrics(*handles, *LENGTH.unpack(head))
