"""``lzc help``: the chapters of the manual, on the machine where they are needed."""

from __future__ import annotations

import difflib
import sys

import click

from lzc import manual
from lzc.cli import COMMANDS
from lzc.cli.screen import echo, page

_WIDEST = 100
"""Columns of a line of text at most: longer ones are hard to read."""


@click.command("help")
@click.argument("chapter", required=False, help="The name of a chapter; without, all are listed.")
def command(chapter: str | None) -> None:
    """Read the manual: list its chapters, or show one.

    On a terminal a chapter is shown in a pager; otherwise it is Markdown on stdout. What a command
    takes is told by the command itself: lzc COMMAND --help.
    """
    if chapter is None:
        _list()
        return
    try:
        text = manual.chapter(chapter).text
    except KeyError:
        raise click.UsageError(_unknown(chapter)) from None
    if sys.stdout.isatty():
        page(_drawn(text))
    else:
        echo(text, nl=False)


def _list() -> None:
    echo("Chapters of the manual, each shown by: lzc help CHAPTER\n")
    for each in manual.chapters():
        echo(f"  {each.name:<13} {each.title}")
    echo("\nWhat a command takes: lzc COMMAND --help. Manual pages: lzc man -o DIR")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), manual.NAMES, n=3, cutoff=0.5)
    if name in COMMANDS:
        near_words = f"lzc {name} --help tells what that command takes"
    elif near:
        near_words = f"did you mean {' or '.join(near)}?"
    else:
        near_words = "lzc help lists them"
    return f"the manual has no chapter {name!r}; {near_words}"


def _drawn(text: str) -> str:
    """A chapter with headings, tables and code as a terminal shows them."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.width = min(console.width, _WIDEST)
    with console.capture() as capture:
        console.print(Markdown(text, code_theme="bw", hyperlinks=False))
    return capture.get()
