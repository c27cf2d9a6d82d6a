"""``lzc man``: manual pages of all commands, made from what the commands say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

import lzc
from lzc import manual
from lzc.cli.screen import echo
from lzc.manual import roff

_EXIT = (
    ("0", "success"),
    ("1", "the input is at fault; every fault is told with file, line and column"),
    ("2", "wrong usage"),
    ("130", "after Ctrl-C (0 where that stops a server in order)"),
)


@click.command("man")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write into; it is made where it is not there.",
)
@click.pass_context
def command(ctx: click.Context, folder: Path) -> None:
    """Write manual pages of all commands, and of lzc.toml, into a folder.

    Read one with man -l DIR/lzc-build.1, or copy those that end in 1 to /usr/local/share/man/man1,
    and lzc.toml.5 to /usr/local/share/man/man5. Pages of the same name are replaced.
    """
    root = ctx.find_root()
    made = dict(pages(root.command, root))
    made["lzc.toml.5"] = _settings()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="ascii")
    echo(f"wrote {len(made)} pages to {folder}")


def pages(
    command: click.Command, ctx: click.Context, words: tuple[str, ...] = ("lzc",)
) -> Iterator[tuple[str, str]]:
    """The name of a file, and its page, of a command (``words`` are what is typed for it), and of
    all commands below it."""
    subcommands = {}
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            subcommands[name] = found
    yield f"{'-'.join(words)}.1", _page(command, ctx, words, subcommands)
    for name, found in subcommands.items():
        below = click.Context(found, info_name=name, parent=ctx)
        yield from pages(found, below, (*words, name))


def _page(
    command: click.Command,
    ctx: click.Context,
    words: tuple[str, ...],
    subcommands: dict[str, click.Command],
) -> str:
    typed, usage = " ".join(words), " ".join(command.collect_usage_pieces(ctx))
    records = [record for each in command.get_params(ctx) if (record := each.get_help_record(ctx))]
    lines = roff.header("-".join(words), 1, lzc.__version__, _line(command))
    lines += [".SH SYNOPSIS", f"{roff.bold(typed)} {roff.italic(usage)}", ".SH DESCRIPTION"]
    for paragraph in _paragraphs(command):
        lines += [".PP", roff.escaped(paragraph)]
    lines += _terms("OPTIONS", records)
    if subcommands:
        below = [(f"{typed} {name}", _line(found)) for name, found in subcommands.items()]
        lines += _terms("COMMANDS", below)
    lines += _terms("EXIT STATUS", _EXIT)
    lines += [".SH SEE ALSO", _see_also(words, subcommands)]
    return "\n".join(lines) + "\n"


def _terms(heading: str, terms: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A section of what is typed, each with what it means."""
    yield f".SH {heading}"
    for term, meaning in terms:
        yield from (".TP", roff.bold(term), roff.escaped(meaning))


def _paragraphs(command: click.Command) -> list[str]:
    help_text = (command.help or "").partition("\f")[0]
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", help_text.strip())]


def _line(command: click.Command) -> str:
    """The first sentence of a command's help."""
    first = _paragraphs(command)[0]
    return re.split(r"(?<=[.:])\s", first)[0].rstrip(".:")


def _see_also(words: tuple[str, ...], subcommands: dict[str, click.Command]) -> str:
    others = ["-".join((*words, name)) for name in subcommands]
    if len(words) > 1:
        others.insert(0, "-".join(words[:-1]))
    named = ", ".join(f"{roff.bold(name)}(1)" for name in others)
    return f"{named}, {roff.bold('lzc.toml')}(5), {roff.bold('lzc help')} for the manual"


def _settings() -> str:
    body = manual.chapter("config").text.partition("\n")[2]
    lines = roff.header("lzc.toml", 5, lzc.__version__, "configuration of lzc")
    lines += [".SH DESCRIPTION", *roff.from_markdown(body)]
    lines += [".SH SEE ALSO", f"{roff.bold('lzc')}(1), {roff.bold('lzc help')} for the manual"]
    return "\n".join(lines) + "\n"
