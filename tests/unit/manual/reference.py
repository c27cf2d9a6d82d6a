"""What of the manual is made from the code; ``python -m tests.unit.manual.reference`` writes it.

In a chapter it stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. Tests hold that it
is as it would be written now.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import click

from lzc import manual
from lzc.cli import group
from lzc.config import ServeSection
from lzc.serve.supervise.settings_in_force import RELOADED
from tests.unit.manual import metric_reference
from tests.unit.manual.places import ROOT

_MADE: Final = re.compile(r"(?<=<!-- generated: )([a-z]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
_NUMBER: Final = re.compile(r"^- \*\*(D-[0-9]+)\*\*", re.MULTILINE)


def numbered() -> list[str]:
    """The numbers of the chapter of differences, as they stand there."""
    return _NUMBER.findall(manual.chapter("differences").source)


@cache
def held() -> dict[str, list[str]]:
    """The names of the tests that are marked with a difference, by its number."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.FunctionDef):
                for number in _marks(node):
                    found.setdefault(number, []).append(node.name)
    return found


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.difference":
            yield from (ast.literal_eval(number) for number in mark.args)


def _differences() -> Iterator[str]:
    tests = held()
    yield from ("| number | tests |", "|---|---|")
    for number in numbered():
        names = ", ".join(f"`{name}`" for name in sorted(tests.get(number, ())))
        yield f"| {number} | {names} |"


def _commands() -> Iterator[str]:
    ctx = click.Context(group, info_name="lzc", **group.context_settings)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield from _command(command, click.Context(command, info_name=name, parent=ctx), 2)


def _command(command: click.Command, ctx: click.Context, level: int) -> Iterator[str]:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield from (f"{'#' * level} {ctx.command_path}", "", f"    {usage}", "")
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    for paragraph in paragraphs:
        yield from (" ".join(paragraph.split()), "")
    if isinstance(command, click.Group):
        names = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
    else:
        names = {}
    records = [
        each.get_help_record(ctx) for each in command.get_params(ctx) if "--help" not in each.opts
    ]
    options = [record for record in records if record and record[1]]
    if options:
        yield from ("| argument or option | meaning |", "|---|---|")
        for option, meaning in options:
            yield f"| `{_cell(option)}` | {_cell(' '.join(meaning.split()))} |"
        yield ""
    for name, found in names.items():
        assert found is not None
        yield from _command(found, click.Context(found, info_name=name, parent=ctx), level + 1)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _reloaded() -> Iterator[str]:
    fields = ServeSection.model_fields.items()
    taken = [field.alias for name, field in fields if name in RELOADED]
    waits = [field.alias for name, field in fields if name not in RELOADED]
    yield from ("| what of `lzc.toml` | when it counts |", "|---|---|")
    for keys, when in ((taken, "with a reload"), (waits, "when the server starts again")):
        yield f"| {', '.join(f'`{key}`' for key in sorted(keys))} of `[serve]` | {when} |"
    others = "`[lua]`, `[health]`, `[tsig]`, `[[secondary]]`, `keystore`, `lua` of zones"
    yield f"| {others} | with a reload |"
    yield "| `output` of `[build]` | when the server starts again |"
    yield "| all else of `[build]`, `[dnssec]` and `[zone]` | with a build |"


MAKERS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "differences": _differences,
    "commands": _commands,
    "reloaded": _reloaded,
    "metrics": metric_reference.metrics,
    "powerdnsmetrics": metric_reference.powerdns,
}


def remade(source: str) -> str:
    """A chapter with all that is made from the code as it would be now."""

    def made(found: re.Match[str]) -> str:
        return found[1] + found[2] + "\n".join(MAKERS[found[1]]()).rstrip("\n") + "\n"

    return _MADE.sub(made, source)


def main() -> None:
    """Write all chapters anew."""
    for chapter in manual.chapters():
        path = Path(manual.__file__).with_name(f"{chapter.name}.md")
        path.write_text(remade(chapter.source))


if __name__ == "__main__":
    main()
