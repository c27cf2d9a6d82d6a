"""A second process for a share of the work: it starts with everything that is in memory here, and
what it makes comes back as plain data. When it fails in any way, the caller does its share."""

from __future__ import annotations

import marshal
import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Self

_WITHOUT_REFERENCES: Final = 2
"""The version of marshal that does not look up each object."""


class SecondProcess:
    """Runs ``work`` in a child process while the block runs here. The child ends with the block,
    and with the process that it was forked from."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._answer = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the block ends
        self._child = os.fork()
        if not self._child:
            self._run(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
        self._answer.close()

    def result(self) -> Any:
        """Wait for what ``work`` returned: what `marshal` takes. None also when it raised, or the
        process was killed."""
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        if status:
            return None
        self._answer.seek(0)
        return marshal.loads(self._answer.read())  # noqa: S302 - our own child wrote it

    def _run(self, work: Callable[[], Any]) -> None:
        with suppress(BaseException):
            # An orphan must not hold the locks of the process that it was forked from.
            kept = self._answer.fileno()
            os.closerange(0, kept)
            os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
            self._answer.write(marshal.dumps(work(), _WITHOUT_REFERENCES))
            self._answer.flush()
            os._exit(0)
        os._exit(1)
