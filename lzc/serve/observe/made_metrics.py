"""Metrics as they were made: megabytes of text, in a file in memory.

Who shares a core with those that answer copies none of it but what it sends, and nothing of it
stays between what the process has to remember.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final
from weakref import WeakSet

_AT_ONCE: Final = 2**17
"""Octets of a part: what takes a tenth of a millisecond to send."""


class MadeMetrics:
    """The text of ``octets`` octets in an open file, which is closed with this."""

    __slots__ = ("__weakref__", "_file", "octets")

    def __init__(self, file: int, octets: int) -> None:
        self._file = file
        self.octets = octets
        _there.add(self)

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> MadeMetrics:
        """What is in these pieces."""
        file = os.memfd_create("metrics")
        made = cls(file, 0)
        with open(file, "wb", closefd=False) as sink:
            sink.writelines(pieces)
            made.octets = sink.tell()
        return made

    def parts(self) -> Iterator[bytes]:
        """All of it, in parts that take little time each."""
        for at in range(0, self.octets, _AT_ONCE):
            yield os.pread(self._file, _AT_ONCE, at)

    def fileno(self) -> int:
        """Of the file."""
        return self._file

    def close(self) -> None:
        """Let go of it."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    __del__ = close


_there: WeakSet[MadeMetrics] = WeakSet()


def close_in_child() -> None:
    """Let go of all that there is, in another process."""
    for one in [*_there]:
        one.close()
