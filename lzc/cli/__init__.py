"""The command line: arguments, output and exit codes, no logic beyond them.

Each command lives in a module of its name that defines ``command``. The module is imported when the
command runs and not before, so that ``lzc serve`` does not pay for what ``lzc build`` needs.

Exit codes: 0 success, 1 the input is at fault, 2 wrong usage, 3 some zones were kept as they were,
130 after Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

import lzc
from lzc.cli.faults import show_faults
from lzc.cli.screen import echo, finish, show_traceback, tamed
from lzc.faults import InputError
from lzc.foreign_text import shown

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("lzc.cli.init", "Write a small commented project to start from."),
    "build": ("lzc.cli.build", "Compile the zones into a bundle."),
    "check": ("lzc.cli.check", "Do all that build does, but write nothing."),
    "rollback": ("lzc.cli.rollback", "Make the content of an older bundle live again."),
    "verify": ("lzc.cli.verify", "Hash every file of a bundle and compare with its manifest."),
    "diff": ("lzc.cli.diff", "Show what differs between two bundles, or bundle and sources."),
    "query": ("lzc.cli.query", "Ask the live bundle as a client would, without a server."),
    "test": ("lzc.cli.test", "Hold the answers against what the project expects of them."),
    "keys": ("lzc.cli.keys", "Make, show, change, import and export DNSSEC keys."),
    "serial": ("lzc.cli.serial", "Lead a zone's serial to another one, step by step."),
    "serve": ("lzc.cli.serve", "Answer queries and transfers from the live bundle."),
    "ctl": ("lzc.cli.ctl", "Talk to a running server: status, reload, health, metrics."),
    "export": ("lzc.cli.export", "Write files for other programs: secondaries, prometheus …"),
    "demo": ("lzc.cli.demo", "Build, serve, query and transfer the example project."),
    "help": ("lzc.cli.help", "Read the manual: list its chapters, or show one."),
    "man": ("lzc.cli.man", "Write manual pages of all commands."),
    "version": ("lzc.cli.version", "Show the version; with -v of what lzc is made of, too."),
}
"""Command name -> its module and its line in ``lzc --help``, in the order they are listed."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; ``None`` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands from the table, which imports none of them, and options of the group."""
        from click.shell_completion import CompletionItem

        items = [
            CompletionItem(name, help=line)
            for name, (_, line) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, which imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options that stand before the command."""
        with _ends(ctx):
            return super().parse_args(ctx, args)
        raise AssertionError("it ended with an exit code")

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; faults of the input and refusals of the system end it with exit code 1,
        Ctrl-C with `INTERRUPTED`."""
        with _ends(ctx):
            return super().invoke(ctx)
        raise AssertionError("it ended with an exit code")


@contextmanager
def _ends(ctx: click.Context) -> Iterator[None]:
    """Says what ends a command early, and exits."""
    try:
        yield
    except click.ClickException as error:
        raise tamed(error) from None
    except InputError as error:
        show_faults(error.faults, ctx.meta.get("lzc.format", "text"))
        ctx.exit(1)
    except (KeyboardInterrupt, EOFError, click.Abort):
        echo("lzc: interrupted", err=True)
        ctx.exit(INTERRUPTED)
    except BrokenPipeError:
        raise
    except OSError as error:
        echo(f"lzc: error: {_say(error)}", err=True)
        ctx.exit(1)


def _say(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{shown(error.filename)}: {shown(reason)}" if error.filename else shown(reason)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(lzc.__version__, "--version", prog_name="lzc")
def group() -> None:
    """Compile zones that hold LUA records, serve signed answers from them, and hand the same zones
    to secondaries so that they give the same answers.

    The manual: lzc help.
    """


def main() -> None:
    """Entry point of the console script ``lzc``."""
    sys.excepthook = show_traceback
    try:
        group(prog_name="lzc")
    except OSError as error:
        # Of saying what was wrong.
        with suppress(OSError):
            echo(f"lzc: error: {_say(error)}", err=True)
        sys.exit(1)
    finally:
        finish()
