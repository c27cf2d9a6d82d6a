"""``lzc help`` and ``lzc man``: the manual where it is needed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lzc import manual
from lzc.cli import group
from lzc.manual import roff
from tests.patience import PATIENCE
from tests.peers._peers import presence


def typed(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(group, words, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_without_a_chapter_all_are_listed_with_what_they_are_about() -> None:
    code, listed, _ = typed("help")
    assert code == 0
    for chapter in manual.chapters():
        assert re.search(rf"^  {chapter.name} +{re.escape(chapter.title)}$", listed, re.MULTILINE)
        assert len(chapter.title) < 80


@pytest.mark.parametrize("name", manual.NAMES)
def test_a_chapter_is_plain_markdown_where_there_is_no_terminal(name: str) -> None:
    code, shown, _ = typed("help", name)
    assert code == 0
    assert shown.startswith("# ")
    assert "\x1b" not in shown
    assert "<!--" not in shown
    assert not re.search(r"\]\([a-z]+\.md", shown)


def test_a_chapter_is_on_a_terminal_drawn_in_the_readers_pager(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\ncat "$@" > "$SEEN"\n')
    pager.chmod(0o755)
    seen = tmp_path / "seen"
    terminal, end = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lzc", "help", "health"],
            env={**os.environ, "PAGER": str(pager), "SEEN": str(seen), "TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    finally:
        os.close(end)
        os.close(terminal)
    assert done.returncode == 0, done.stderr
    text = seen.read_text()
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "lzc ctl health force" in plain
    assert not [line for line in plain.splitlines() if line.startswith(("# ", "|--", "```"))]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("helth", "did you mean health"),
        ("secondary", "did you mean secondaries"),
        ("Health", "did you mean health"),
        ("build", "lzc build --help"),
        ("xyzzy", "lzc help lists them"),
    ],
)
def test_an_unknown_chapter_is_told_with_what_is_near(word: str, said: str) -> None:
    code, shown, error = typed("help", word)
    assert (code, shown) == (2, "")
    assert f"the manual has no chapter '{word}'" in error
    assert said in error


def test_the_installed_command_has_the_manual_wherever_it_is_run(tmp_path: Path) -> None:
    for words in (["help", "keys"], ["man", "-o", "pages"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("lzc"), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "pages/lzc.toml.5").is_file()


def test_every_chapter_that_lies_there_is_listed() -> None:
    folder = Path(manual.__file__).parent
    assert {path.stem for path in folder.glob("*.md")} == {*manual.NAMES}
    with pytest.raises(KeyError):
        manual.chapter("../pyproject")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man") / "below" / "pages"
    code, said, _ = typed("man", "-o", str(folder))
    assert code == 0
    assert said == f"wrote {len(list(folder.iterdir()))} pages to {folder}\n"
    return folder


def commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            found += commands(below, f"{name}-{word}")
    return found


def test_every_command_has_a_page_with_its_options(pages: Path) -> None:
    listed = commands(group, "lzc")
    assert {path.name for path in pages.iterdir()} == {
        "lzc.toml.5",
        *(f"{name}.1" for name, _ in listed),
    }
    for name, command in listed:
        page = (pages / f"{name}.1").read_text()
        for each in command.params:
            if isinstance(each, click.Option):
                assert roff.escaped(each.opts[-1]) in page, (name, each)
            else:
                assert isinstance(each, click.Argument)
                assert each.help, (name, each)
                assert roff.escaped(each.help.split()[0]) in page


def test_pages_are_the_same_each_time(pages: Path, tmp_path: Path) -> None:
    assert typed("man", "-o", str(tmp_path))[0] == 0
    for page in pages.iterdir():
        assert (tmp_path / page.name).read_bytes() == page.read_bytes()


def test_pages_are_well_formed(pages: Path) -> None:
    known = {"TH", "SH", "SS", "PP", "TP", "IP", "RS", "RE", "EX", "EE", "nh", "ad"}
    for page in pages.iterdir():
        lines = page.read_text(encoding="ascii").splitlines()
        assert lines[0].startswith(".TH ")
        assert sum(line.startswith(".SH NAME") for line in lines) == 1
        for line in lines:
            request = re.match(r"[.'] *(\S*)", line)
            assert request is None or request[1] in known, (page.name, line)
        for opening, closing in ((".EX", ".EE"), (".RS 4", ".RE")):
            assert lines.count(opening) == lines.count(closing)


def test_pages_are_formatted_without_a_warning(pages: Path) -> None:
    presence.require("groff")
    for page in sorted(pages.iterdir()):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tascii", str(page)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (done.returncode, done.stderr) == (0, ""), page.name
        if page.name == "lzc.toml.5":
            plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
            assert "health-check-interval" in plain
            assert "`" not in plain


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (".SH x", r"\&.SH x"),
        ("'a' `b` \\c -d", r"\(aqa\(aq \(gab\(ga \ec \-d"),
        ('say "x" §', r"say \(dqx\(dq \[u00A7]"),
    ],
)
def test_text_prints_as_it_is(text: str, made: str) -> None:
    assert roff.escaped(text) == made


def test_markdown_becomes_a_page() -> None:
    source = (
        "## A `b`\n\nOne **two**\nthree.\n\n- first\n  goes on\n- second\n\n"
        "```toml file\n.key = 'x'\n```\n\n    indented\n\n    still\n\n"
        "| key | default | meaning |\n|---|---|---|\n| **`[s]`** | | |\n"
        "| `k` | `1` | what \\| is |\n"
    )
    assert list(roff.from_markdown(source)) == [
        r'.SH "A \fBb\fR"',
        ".PP",
        r"One \fBtwo\fR three.",
        r".IP \(bu 4",
        "first goes on",
        r".IP \(bu 4",
        "second",
        *(".PP", ".RS 4", ".EX", r"\&.key = \(aqx\(aq", ".EE", ".RE"),
        *(".PP", ".RS 4", ".EX", "indented", ".EE", ".RE"),
        *(".PP", ".RS 4", ".EX", "still", ".EE", ".RE"),
        r'.SS "\fB[s]\fR"',
        ".TP",
        r"\fBk\fR",
        r"(\fB1\fR) what | is",
    ]
