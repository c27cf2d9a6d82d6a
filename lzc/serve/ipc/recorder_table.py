"""What the recorder, and workers that hand queries over to it, count for all to see."""

from __future__ import annotations

import mmap
from typing import Final

FRAMES_UNCHOSEN, FRAMES_BEHIND, LINES_UNCHOSEN, LINES_BEHIND, FRAMES_UNREAD = range(5)
"""Counts of a worker in its `lzc.serve.ipc.octet_ring.OctetRing`: frames of dnstap and lines of the
query log that the sampling left out, and those for which the recorder was too far behind; and
frames that were not handed over, as nobody read them."""

OF_WORKERS: Final = {
    "frames_unchosen": FRAMES_UNCHOSEN,
    "frames_behind": FRAMES_BEHIND,
    "lines_unchosen": LINES_UNCHOSEN,
    "lines_behind": LINES_BEHIND,
    "frames_unread": FRAMES_UNREAD,
}
"""Their names."""

COUNTS: Final = ("frames_sent", "frames_unread", "frames_slow", "lines_written", "lines_lost")
"""Counts of the recorder: frames that the reader of dnstap got, that nobody read, and that did not
fit into its queue; lines of the query log that were written, and that could not be."""
_STREAMING: Final = len(COUNTS)
_SINCE: Final = _STREAMING + 1
_BEAT: Final = _SINCE + 1
_WORDS: Final = _BEAT + 1


class RecorderTable:
    """Written by one recorder at a time, which counts on. Make it before the first fork."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words = memoryview(mmap.mmap(-1, _WORDS * 8)).cast("Q")

    def counts(self) -> list[int]:
        """In the order of `COUNTS`."""
        return list(self._words[: len(COUNTS)])

    def write(self, counts: list[int]) -> None:
        """Publish the counts."""
        for index, number in enumerate(counts):
            self._words[index] = number

    def beat(self, monotonic: float) -> None:
        """Say that work gets on; ``monotonic`` is the time in seconds, kept in µs."""
        self._words[_BEAT] = int(monotonic * 1e6)

    def last_beat(self) -> float:
        """The time of the last `beat`; 0 when there was none."""
        return self._words[_BEAT] / 1e6

    def say(self, streaming: bool, since: float) -> None:
        """Whether somebody reads frames, and since when (seconds since the epoch)."""
        self._words[_SINCE] = int(since * 1e6)
        self._words[_STREAMING] = streaming

    def streaming(self) -> tuple[bool, float]:
        """What was said last; since 0 where nothing was."""
        return bool(self._words[_STREAMING]), self._words[_SINCE] / 1e6
