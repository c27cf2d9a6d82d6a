"""What commands print: lines of ours, in which nothing that others wrote acts on the terminal."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from itertools import islice
from types import TracebackType

import click

from lzc.foreign_text import lines, one_line


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text of one or several lines, on stderr with ``err``; ``nl``: and end the last one."""
    click.echo(lines(text), err=err, nl=nl)


def write_all(pieces: Iterator[str]) -> None:
    """Write to stdout, many pieces at once: it is flushed after each line otherwise, which takes a
    million of them 15 s. Colours pass; what is foreign in a piece has gone through
    `lzc.foreign_text.lines`."""
    while batch := "".join(islice(pieces, 1000)):
        sys.stdout.write(batch)


def tamed(error: click.ClickException) -> click.ClickException:
    """An error of usage, which quotes arguments, as one that prints as `echo` would."""
    said = error.format_message()
    # Help, and the choices there are, come on several lines and quote nothing.
    quotes = type(error).__name__ not in ("NoArgsIsHelpError", "MissingParameter")
    tame = one_line(said) if quotes else lines(said)
    if tame == said:
        return error
    if isinstance(error, click.UsageError):
        return click.UsageError(tame, error.ctx)
    return click.ClickException(tame)


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A fault of ours on stderr, for `sys.excepthook`: its message may quote anything."""
    for part in traceback.format_exception(kind, error, trace):
        frames = part.startswith(("  ", "\n", "Traceback"))
        echo(part.rstrip("\n") if frames else one_line(part.rstrip("\n")), err=True)
