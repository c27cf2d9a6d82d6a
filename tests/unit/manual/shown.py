"""What chapters show: files that are written, commands that are typed, and what these print.

In a fence of ``console`` a line behind ``$ `` is a command, and the lines up to the next one are
what it prints, where any are there: ``...`` stands for anything in a line, and alone on a line for
any lines. A command exits with 0, or as a comment behind it says (``# exits with 1``). A fence
whose info string names a file is that file, ``+FILE`` what is put at its end. The comment
``<!-- project: … -->`` of a chapter says what is there before: ``shop`` is the project that README
makes, built, ``fixtures`` the example project, and ``serving`` has its server run; without it there
is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lzc import manual
from tests.unit.manual.places import ROOT

_FENCE: Final = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROJECT: Final = re.compile(r"<!-- project: (.*?) -->")
_EXITS: Final = re.compile(r"# exits with ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Written:
    """A file, or with ``append`` what is put at the end of it."""

    path: str
    text: str
    append: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, the code it exits with, and what it prints; empty: whatever."""

    command: str
    code: int
    printed: tuple[str, ...]


Step = Written | Typed


def sources() -> dict[str, str]:
    """README and all chapters by name, as they lie in their files."""
    readme = (ROOT / "README.md").read_text()
    return {"README": readme} | {each.name: each.source for each in manual.chapters()}


def project(source: str) -> set[str]:
    """What a chapter says is there before."""
    found = _PROJECT.search(source)
    return set(found[1].split()) if found else set()


def steps(source: str) -> Iterator[Step]:
    """All that a chapter shows, in order."""
    for kind, file, text in fences(source):
        if kind == "console":
            yield from _typed(text)
        elif file:
            yield Written(file.removeprefix("+"), text, file.startswith("+"))


def fences(source: str) -> Iterator[tuple[str, str, str]]:
    """The code of a chapter: of each piece its language, its file or nothing, and its text."""
    for fence in _FENCE.finditer(source):
        kind, _, file = fence[1].partition(" ")
        yield kind, file, fence[2]


def prose(source: str) -> str:
    """A chapter without what stands in fences."""
    return _FENCE.sub("", source)


def _typed(text: str) -> Iterator[Typed]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *printed = part.splitlines()
        exits = _EXITS.search(command)
        yield Typed(command, int(exits[1]) if exits else 0, tuple(printed))


def prints(typed: Typed, output: str) -> bool:
    """Whether a command printed what is shown; any number of blanks is as good as one."""
    if not typed.printed:
        return True
    pattern = ""
    for line in typed.printed:
        words = re.escape(" ".join(line.split())).replace(r"\.\.\.", ".*")
        pattern += r"(?:.*\n)*" if line == "..." else rf"{words}\n"
    lines = (" ".join(line.split()) for line in output.splitlines())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines if line)) is not None
