"""The bundle that is live but not served: why, since when, and when it is tried again.

What keeps a bundle out may pass by itself: a worker died while it was loaded, its folder is still
being copied, a key is not there yet. So it is tried again every few seconds. Hashing a large bundle
is work, though, and gives the same result until its files change.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from lzc.bundle import verification
from lzc.bundle.verification import Stamp

AGAIN: Final = 3.0
"""Seconds between two tries, the least; a try that took long is followed by ten times as many."""
SAME_FILES: Final = 60.0
"""Seconds until files that were damaged are hashed again though they are the same."""
_QUIET: Final = 10.0
"""Seconds between two lines on one bundle, unless an operator asked."""


class Refusal:
    """What is known of the bundle that was refused last; ``folder`` is `None` where there is none,
    or where nobody knows which it is."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._why = ""
        self._since = self._at = 0.0
        self._tries = 0
        self._due = 0.0
        self._files: Stamp | None = None
        self._said = ("", -_QUIET)

    def __bool__(self) -> bool:
        return bool(self._why)

    def note(
        self, folder: Path | None, why: str, began: float, files: Stamp | None, *, loud: bool
    ) -> bool:
        """A bundle was refused, in a try that ``began`` at this time of the monotonic clock, for
        what its ``files`` hold where these are given. Whether that is to be logged: it is where it
        is ``loud``, and where the reason is another, every some seconds."""
        now = time.monotonic()
        if folder != self.folder or not self:
            self.clear()
            self.folder, self._since = folder, time.time()
        self._why, self._at, self._files = why, time.time(), files
        self._tries += 1
        self._due = now + max(AGAIN, 10 * (now - began))
        said, at = self._said
        if not loud and (said == why or now - at < _QUIET):
            return False
        self._said = why, now
        return True

    def clear(self) -> float:
        """What is live is served; seconds for which it was not."""
        lasted = time.time() - self._since if self else 0.0
        self.folder, self._files, self._why = None, None, ""
        self._tries = 0
        self._said = ("", -_QUIET)
        return lasted

    def soon(self) -> None:
        """Something changed that may have been the reason: try again at once."""
        self._due, self._files = 0.0, None

    def is_due(self) -> bool:
        """Whether to try again now."""
        now = time.monotonic()
        if not self or now < self._due:
            return False
        if self._files is None or self.folder is None:
            return True
        return now - self._due > SAME_FILES or files_of(self.folder) != self._files

    def status(self) -> dict[str, Any] | None:
        """For ``lzc ctl status``: the ``bundle``, ``why``, ``since`` when and ``at`` what time it
        was refused last (seconds since the epoch), after so many ``tries``."""
        if not self:
            return None
        return {
            "bundle": self.folder.name if self.folder is not None else "",
            "why": self._why,
            "since": self._since,
            "at": self._at,
            "tries": self._tries,
        }


def files_of(folder: Path) -> Stamp | None:
    """What changes when a file of a folder does; `None` where the folder cannot be read."""
    try:
        return verification.marks(folder, sorted(os.listdir(folder)))  # noqa: PTH208
    except OSError:
        return None
