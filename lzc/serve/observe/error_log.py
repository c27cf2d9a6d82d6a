"""Unexpected errors: none may end a loop, none may flood the log."""

from __future__ import annotations

import logging
import time
import traceback

from lzc.foreign_text import shown
from lzc.serve.observe.log_lines import Quiet
from lzc.wire.message import question_end

log = logging.getLogger("lzc")


class ErrorLog:
    """Logs an exception with its traceback the first time, then those of the same line of code once
    in a while with the number of times it happened meanwhile."""

    def __init__(self) -> None:
        self.total = 0
        self._quiet = Quiet()

    def note(self, what: str, error: BaseException) -> None:
        """Count ``error``, which happened while doing ``what``, and log it unless it was lately."""
        self.total += 1
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (place.tb_frame.f_code.co_filename, place.tb_lineno) if place else ("", 0)
        kind = (type(error).__name__, *where)
        now = time.monotonic()
        if self._quiet.keeps(kind, now):
            return
        trace = " | ".join(
            f"{frame.filename.rpartition('/lzc/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-6:]
        )
        again = self._quiet.begin(kind, now)
        log.error("%s failed: %s: %s [%s]%s", shown(what), kind[0], shown(error), trace, again)


def servfail(query: bytes) -> bytes | None:
    """SERVFAIL for a query that could not be answered, with its question where it can be found;
    `None` for what is no query at all."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    end = question_end(query)
    flags = bytes((0x80 | query[2] & 0x79, 2))
    if not end or query[4:6] != b"\0\1":
        return query[:2] + flags + bytes(8)
    return query[:2] + flags + b"\0\1" + bytes(6) + query[12:end]
