"""What README and the chapters show is typed along, and does what they say."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from lzc.cli import group
from tests.unit.manual.shown import Typed, fences, prints, project, prose, sources, steps
from tests.unit.manual.typing_along import Shell, prepare

SHOWING = [name for name, source in sources().items() if any(steps(source))]

MEANT = {
    "TARGET": "127.0.0.80",
    "NAME": "www.shop.example",
    "DIR": "out",
    "CHAPTER": "health",
    "ZONE": "shop.example",
}
"""What stands for the words of a command that its reader replaces."""

RUN_ELSEWHERE = {
    *("lzc init", "lzc serve", "lzc demo"),
    *("lzc rollback", "lzc rollback ID", "lzc rollback --as-is"),
    "lzc keys generate shop.example --pkcs11 pkcs11:token=dns",
}
"""By what prepares a chapter, and by tests of their own, of a token tests/peers/test_pkcs11.py."""


@pytest.mark.parametrize("name", SHOWING)
def test_what_is_shown_is_so(name: str, tmp_path: Path) -> None:
    source = sources()[name]
    shell = Shell(tmp_path)
    try:
        prepare(shell, project(source))
        for step in steps(source):
            shell.follow(step)
    finally:
        shell.close()


def scripted(*kinds: str) -> list[str]:
    """The commands in fences of these kinds. What is to be typed into the shell of another host
    (``sh``) is followed in tests/peers, beside the server that it is about."""
    return sorted(
        line
        for source in sources().values()
        for kind, _, code in fences(source)
        if kind in kinds
        for line in re.findall(r"^(?:- run: )?(lzc [a-z].*)", code, re.MULTILINE)
    )


def mentioned() -> list[str]:
    """The commands between backticks, in lines of code, and in what CI runs."""
    found = {*scripted("yaml")}
    for source in sources().values():
        text = prose(source)
        found.update(" ".join(span.split()) for span in re.findall(r"`(lzc [a-z][^`]*)`", text))
        found.update(re.findall(r"^    (lzc [a-z].*)", text, re.MULTILINE))
    return sorted(text.replace("\\|", "|") for text in found)


def command_of(line: str) -> tuple[click.Command, list[str]]:
    """The command of a line, and the words behind it. Of ``keys generate|list`` each is a command;
    what follows is that of the last."""
    words = line.split()[1:]
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group) and words and re.match(r"[a-z]", words[0]):
        names = words.pop(0).split("|")
        assert set(names) <= set(command.list_commands(context))
        command = command.get_command(context, names[-1]) or command
    return command, words


@pytest.mark.parametrize("line", [*mentioned(), *scripted("sh")])
def test_every_command_that_is_mentioned_is_one_that_the_program_takes(line: str) -> None:
    command, words = command_of(line)
    known = {option for each in command.get_params(click.Context(command)) for option in each.opts}
    given = {word.strip("[]") for word in words if word.startswith(("-", "[-"))}
    assert {option.partition("=")[0] for option in given} - {"--help"} <= known


def whole() -> list[str]:
    """The commands that are mentioned with all that they need, and are no summary of what they
    take."""
    found = []
    for line in mentioned():
        meant = " ".join(MEANT.get(word, word) for word in line.split())
        command, words = command_of(meant)
        if re.search(r"[\[|…]|FILE", line) or (isinstance(command, click.Group) and not words):
            continue
        try:
            command.make_context(line, words)
        except click.UsageError:
            continue
        found.append(meant)
    return [line for line in found if line not in RUN_ELSEWHERE]


def test_every_command_that_is_mentioned_whole_does_what_it_does(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        prepare(shell, {"shop", "serving"})
        for line in whole():
            shell.follow(Typed(line, 0, ()))
    finally:
        shell.close()


def test_commands_are_found() -> None:
    assert len(mentioned()) > 40
    assert len(whole()) > 20


@pytest.mark.parametrize(
    ("shown", "printed", "so"),
    [
        ((), "anything\n", True),
        (("one",), "one\n", True),
        (("one",), "one\ntwo\n", False),
        (("one", "..."), "one\ntwo\nthree\n", True),
        (("...", "two"), "two\n", True),
        (("a ... c",), "a  b c\n", True),
        (("a.c",), "abc\n", False),
        (("one",), "one\n\n", True),
    ],
)
def test_what_is_printed_is_held_against_what_is_shown(
    shown: tuple[str, ...], printed: str, so: bool
) -> None:
    assert prints(Typed("x", 0, shown), printed) is so
