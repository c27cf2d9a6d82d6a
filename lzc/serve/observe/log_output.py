"""Where the log goes: stderr, systemd's journal, or a file. None of them stops the server: what
cannot be written is told once on stderr, counted, and tried again with the next line."""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, TextIO

from lzc.config import Config
from lzc.foreign_text import shown
from lzc.serve.observe.log_format import (
    LAYOUT,
    MOST_PROCESSES,
    about,
    fields_of,
    formatter,
    process_number,
)

log = logging.getLogger("lzc")

STDERR: Final = "stderr"
JOURNALD: Final = "journald"
JOURNAL: Final = "/run/systemd/journal/socket"
"""Where systemd-journald takes datagrams (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""

MODE: Final = 0o640
"""That of a file that is made."""
APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""How a file is opened: a FIFO that nobody reads must not hold anybody up."""
_SYSLOG: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4))
_INFO: Final = 6
_DEFAULT: Final = (STDERR, "text", "")
_target = _DEFAULT
_DEBUG: Final = 7
_lost: Final = memoryview(mmap.mmap(-1, 8 * MOST_PROCESSES)).cast("Q")
"""In memory that all processes share, each of which has one place."""


class Output(Protocol):
    """Takes ``lines`` of one level (as `logging` has it), joined by line ends. ``fields`` are what
    the event is about, for who keeps these apart. Never raises."""

    def write(self, lines: str, level: int, fields: Mapping[str, object]) -> bool:
        """Write them; false where they are lost."""

    def close(self) -> None:
        """Let go of what is open."""


class Stderr:
    """Standard error. Where that is the journal's, lines begin with their level (sd-daemon(3))."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._levels = _is_the_journals(self._stream)

    def write(self, lines: str, level: int, fields: Mapping[str, object]) -> bool:
        """As `Output` says."""
        if self._levels:
            mark = f"<{_priority(level)}>"
            lines = "\n".join(mark + line for line in lines.split("\n"))
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{lines}\n")
            self._stream.flush()
            return True
        return False

    def close(self) -> None:
        """As `Output` says: it is everybody's."""


class File:
    """The end of a file, which each process writes line by line, and opens again when it was
    renamed or removed. The mode of a new one is 0640."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._ident = (0, 0)
        self._torn = False
        self._lost = 0
        self._problem = ""

    def write(self, lines: str, level: int, fields: Mapping[str, object]) -> bool:
        """As `Output` says."""
        count = lines.count("\n") + 1
        octets = lines.encode("utf-8", "backslashreplace") + b"\n"
        problem, done = self._open_where_it_is(), True
        try:
            if self._fd < 0:
                raise OSError(errno.EBADF, problem)
            written = os.write(self._fd, b"\n" + octets if self._torn else octets)
            self._torn = written < len(octets)
            if self._torn:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            problem = problem or str(error.strerror)
            self._lost += count
            done = False
        lost, self._lost = (self._lost, 0) if not problem else (0, self._lost)
        if problem != self._problem:
            self._problem = problem
            if problem:
                said = f"lzc: log {shown(self._path)}: {problem}; it is tried again with each line"
                Stderr().write(said, logging.ERROR, {})
        if lost:
            log.warning(
                "log %s: %d lines were lost while it could not be written",
                shown(self._path),
                lost,
                extra=about(file=self._path, lost=lost),
            )
        return done

    def close(self) -> None:
        """As `Output` says."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open_where_it_is(self) -> str:
        """Follow the path where it leads elsewhere by now; what is in the way, if something is.
        What is open stays so until there is something better."""
        try:
            found = self._path.stat()
            if self._fd >= 0 and self._ident == (found.st_dev, found.st_ino):
                return ""
        except OSError:
            pass
        try:
            fresh = os.open(self._path, APPEND, MODE)
        except OSError as error:
            return f"it cannot be opened: {error.strerror}"
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._torn = fresh, False
        made = os.fstat(fresh)
        self._ident = made.st_dev, made.st_ino
        return ""


class Journal:
    """systemd's journal, by its own protocol: what an event is about are fields, ``LZC_ZONE`` and
    the like. While it takes nothing, lines go to stderr."""

    def __init__(self, path: str = JOURNAL) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._problem = ""

    def write(self, lines: str, level: int, fields: Mapping[str, object]) -> bool:
        """As `Output` says."""
        rest = "".join(
            f"{name}={shown(value)}\n"
            for name, value in (
                ("PRIORITY", _priority(level)),
                ("SYSLOG_IDENTIFIER", "lzc"),
                *((f"LZC_{name.upper()}", value) for name, value in fields.items()),
            )
        )
        for line in lines.split("\n"):
            whole = f"MESSAGE={line}\n{rest}".encode("utf-8", "backslashreplace")
            try:
                self._socket.sendto(whole, self._path)
                self._problem = ""
            except OSError as error:
                if not self._problem:
                    self._problem = str(error.strerror)
                    said = f"lzc: the journal takes nothing ({self._problem}); lines go to stderr"
                    Stderr().write(said, logging.ERROR, {})
                Stderr().write(line, level, fields)
        return True

    def close(self) -> None:
        """As `Output` says."""
        self._socket.close()


class Handler(logging.Handler):
    """Gives each record to an output, and counts those that are lost (`lost_lines`)."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        try:
            if not self.output.write(self.format(record), record.levelno, fields_of(record)):
                _lost[process_number()] += 1
        except Exception:  # a record that cannot be formatted is a fault of ours, told on stderr
            self.handleError(record)

    def close(self) -> None:
        """Let go of the output."""
        self.output.close()
        super().close()


def lost_lines() -> int:
    """Lines of the log that this process, and all those that it forked, could not write."""
    return sum(_lost)


def output_of(config: Config, name: str) -> Output:
    """That of a setting: ``stderr``, ``journald``, or the path of a file."""
    if name == STDERR:
        return Stderr()
    return Journal() if name == JOURNALD else File(config.path(name))


def set_up(layout: str = LAYOUT) -> None:
    """Log to stderr as text, warnings of libraries too; for the whole process and its children."""
    global _target
    _target = _DEFAULT
    _install(Stderr(), formatter("text", layout))


def set_up_for(config: Config) -> None:
    """Log as ``log`` and ``log-format`` of `[serve]` say, where they say anything else than what
    holds without them."""
    global _target
    serve = config.serve
    if (serve.log, serve.log_format) != (STDERR, "text"):
        _target = _target_of(config)
        # The journal knows the time.
        layout = "%(message)s" if serve.log == JOURNALD else LAYOUT
        _install(output_of(config, serve.log), formatter(serve.log_format, layout))


def follow(config: Config) -> None:
    """Log as ``config`` says from now on, where this process logs otherwise."""
    if _target_of(config) == _target:
        return
    if _target_of(config) == _DEFAULT:
        set_up()
    else:
        set_up_for(config)


def _target_of(config: Config) -> tuple[str, str, str]:
    """What `set_up_for` goes by: the target, the format, and where its path begins."""
    serve = config.serve
    folder = "" if serve.log in (STDERR, JOURNALD) else str(config.folder)
    return serve.log, serve.log_format, folder


def _install(output: Output, lines: logging.Formatter) -> None:
    handler = Handler(output)
    handler.setFormatter(lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _priority(level: int) -> int:
    """As syslog has it: RFC 5424 §6.2.1."""
    for least, priority in _SYSLOG:
        if level >= least:
            return priority
    return _INFO if level >= logging.INFO else _DEBUG


def _is_the_journals(stream: TextIO) -> bool:
    """Whether systemd connected a stream with its journal: it says which in the environment."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
