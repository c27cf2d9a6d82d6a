"""The log on stderr: a line for each record, whatever it holds."""

from __future__ import annotations

import logging
import sys
from typing import Final

from lzc.foreign_text import one_line

_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


class LineFormatter(logging.Formatter):
    """Formats a record as one line without control characters, its traceback included. This is the
    net: what logs shows foreign text (`lzc.foreign_text.shown`), which also tells it apart."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return one_line(super().format(record))

    def formatException(self, ei: object) -> str:
        """A traceback, its lines joined."""
        whole = super().formatException(ei)  # type: ignore[arg-type]
        return " | ".join(part.strip() for part in whole.splitlines())


def set_up(layout: str = _FORMAT) -> None:
    """Log to stderr, warnings of libraries too; for the whole process and its children."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(layout))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
