"""A line of the log for each event, as text or as JSON, whatever the event holds.

An event is a message for people, and beside it what machines look for: `about` names it where the
event is logged, text ends with it as ``key=value``, JSON has a member for each.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from lzc.config import MOST_WORKERS
from lzc.foreign_text import LIMIT, one_line, shown

LAYOUT: Final = "%(asctime)s %(levelname)s %(message)s"
"""Of a line of text: the time with its zone, the level, the message."""

_FIELDS: Final = "about"
_TO_BE_QUOTED: Final = frozenset(' "=')

_OTHERS: Final = ("supervisor", "checker", "recorder", "observer")
MOST_PROCESSES: Final = len(_OTHERS) + MOST_WORKERS

_process = "supervisor"


def speak_as(process: str) -> None:
    """What this process is called in the log: ``supervisor``, ``worker 0``, ``checker``."""
    global _process
    _process = process


def process_number() -> int:
    """The place of this process among `MOST_PROCESSES`, of which no other has the same."""
    if _process in _OTHERS:
        return _OTHERS.index(_process)
    return len(_OTHERS) + int(_process.rpartition(" ")[2])


def about(**fields: object) -> dict[str, Mapping[str, object]]:
    """What an event is about, as the ``extra`` of a call that logs it: names of zones and keys in
    presentation format, addresses, numbers. What is `None` or empty is left out. Values may be
    foreign text as it is."""
    return {_FIELDS: {name: one for name, one in fields.items() if one is not None and one != ""}}


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """What the event is about."""
    found: Mapping[str, object] = getattr(record, _FIELDS, {})
    return found


def time_of(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 has them: local time with milliseconds and its zone."""
    whole = int(seconds // 1)
    date, zone = _second(whole)
    return f"{date}.{int((seconds - whole) * 1000):03}{zone}"


@lru_cache(maxsize=4)
def _second(whole: int) -> tuple[str, str]:
    # To find out the zone takes 4 µs, and lines of a query log come many a second.
    text = datetime.fromtimestamp(whole).astimezone().isoformat()
    return text[:19], text[19:]


def as_words(fields: Mapping[str, object]) -> str:
    """Fields as ``key=value``, with a blank between two: values with blanks, quotes or ``=`` stand
    in double quotes, escaped as in JSON. What does not print is shown as `shown` does."""
    return " ".join(f"{name}={as_word(value)}" for name, value in fields.items())


def as_json(
    seconds: float, level: str, message: str, fields: Mapping[str, object], **more: object
) -> str:
    """An event as one line of JSON in ASCII, without foreign characters shown: as they are."""
    line = {
        "time": time_of(seconds),
        "level": level,
        "process": _process,
        "pid": os.getpid(),
        "message": message,
        **more,
    }
    for name, value in fields.items():
        line.setdefault(name, _member(value))
    return json.dumps(line, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """Formats a record as one line without control characters, its traceback included. This is the
    net: what logs shows foreign text (`lzc.foreign_text.shown`), which also tells it apart."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return one_line(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line but for a traceback."""
        line, fields = super().formatMessage(record), fields_of(record)
        return f"{line} {as_words(fields)}" if fields else line

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """When it happened."""
        return time_of(record.created)

    def formatException(self, ei: object) -> str:
        """A traceback, its lines joined."""
        whole = super().formatException(ei)  # type: ignore[arg-type]
        return " | ".join(part.strip() for part in whole.splitlines())


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: ``time``, ``level``, ``process``, ``pid``, ``message``,
    what the event is about, and ``trace`` where an exception was logged."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        more: dict[str, object] = {}
        if record.exc_info:
            more["trace"] = one_line(self.formatException(record.exc_info).replace("\n", " | "))
        return as_json(
            record.created,
            record.levelname.lower(),
            one_line(record.getMessage()),
            fields_of(record),
            **more,
        )


def formatter(log_format: str, layout: str = LAYOUT) -> logging.Formatter:
    """That of ``log-format``: ``text`` or ``json``."""
    return JsonFormatter() if log_format == "json" else TextFormatter(layout)


def as_word(value: object) -> str:
    """The value of a field, as in `as_words`."""
    text = str(value).lower() if isinstance(value, bool) else shown(value)
    if text and _TO_BE_QUOTED.isdisjoint(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _member(value: object) -> Any:
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else shown(value)
    return text if len(text) <= LIMIT else shown(text)
