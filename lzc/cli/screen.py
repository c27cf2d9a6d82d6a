"""What commands print: lines of ours, in which nothing that others wrote acts on the terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Final

import click

from lzc.foreign_text import lines, one_line

_AT_A_START: Final = re.compile(r"^([ \t]*):(?=:)", re.MULTILINE)
_ANYWHERE: Final = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text of one or several lines, on stderr with ``err``; ``nl``: and end the last one."""
    click.echo(tame(text), err=err, nl=nl)


def echo_fault(text: str, severity: str) -> None:
    """Print a fault on stderr; on a terminal its place is bold, its severity in colour, and its
    rule dim. NO_COLOR in the environment, and a terminal that is dumb, have none."""
    tamed_text = tame(text)
    if not _has_colours():
        click.echo(tamed_text, err=True)
        return
    first, newline, rest = tamed_text.partition("\n")
    place, mark, said = first.partition(f": {severity}: ")
    if mark:
        said, bracket, rule = said.rpartition(" [")
        colour = "red" if severity == "error" else "yellow"
        first = (
            f"{click.style(place, bold=True)}: {click.style(severity, fg=colour, bold=True)}:"
            f" {said}{click.style(bracket + rule, dim=True)}"
        )
    click.echo(first + newline + rest, err=True, color=True)


def _has_colours() -> bool:
    # https://no-color.org: whatever it is set to, but for nothing.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr.isatty()


def echo_json(value: object) -> None:
    """Print JSON, on several lines."""
    click.echo(tame_json(json.dumps(value, indent=2)))


def page(text: str) -> None:
    """Show text of ours, colours included, in the reader's pager."""
    click.echo_via_pager(text, color=True)


def echo_commands(text: str) -> None:
    """Print lines that are commands to the machine that runs CI."""
    click.echo(lines(text))


def write_all(pieces: Iterator[str]) -> None:
    """Write to stdout, many pieces at once: it is flushed after each line otherwise, which takes a
    million of them 15 s. Colours pass; what is foreign in a piece has gone through `tame`, or
    `tame_json`."""
    while batch := "".join(islice(pieces, 1000)):
        sys.stdout.write(batch)
    sys.stdout.flush()


def finish() -> None:
    """Print what is left. Where nobody takes it any more, or there is no room for it, what was
    printed before has failed already: it is not to fail once more when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def tame(text: str) -> str:
    r"""Lines of ours, in which nothing acts on a terminal, nor on the machine that runs CI: those
    of GitHub and Azure take ``::`` at the beginning of a line, and ``##[`` and ``##vso[`` anywhere
    in one, for commands. They become ``\x3a:`` and ``#\x23``."""
    text = lines(text)
    if "::" in text:
        text = _AT_A_START.sub(r"\1\\x3a", text)
    return _ANYWHERE.sub(r"#\\x23", text) if "##" in text else text


def tame_json(text: str) -> str:
    """JSON, which has no control characters of others in it, without such commands."""
    return _ANYWHERE.sub(r"#\\u0023", text) if "##" in text else text


def tamed(error: click.ClickException) -> click.ClickException:
    """An error of usage, which quotes arguments, as one that prints as `echo` would."""
    said = error.format_message()
    # Help, and the choices there are, come on several lines and quote nothing.
    quotes = type(error).__name__ not in ("NoArgsIsHelpError", "MissingParameter")
    better = tame(one_line(said) if quotes else said)
    if better == said:
        return error
    if isinstance(error, click.UsageError):
        return click.UsageError(better, error.ctx)
    return click.ClickException(better)


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A fault of ours on stderr, for `sys.excepthook`: its message may quote anything."""
    for part in traceback.format_exception(kind, error, trace):
        frames = part.startswith(("  ", "\n", "Traceback"))
        echo(part.rstrip("\n") if frames else one_line(part.rstrip("\n")), err=True)
