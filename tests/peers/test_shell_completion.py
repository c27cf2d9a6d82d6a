"""What bash, zsh and fish complete, set up as the manual says: commands, options, zones of the
project, ids of bundles."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lzc import manual
from tests.patience import PATIENCE
from tests.peers._peers import presence
from tests.unit.several_zones import SeveralZones

Complete = Callable[[str], list[str]]
"""The words that a shell may complete the last one of a line to."""


def _manual_says(shell: str) -> str:
    """How the manual has the shell set up."""
    source = manual.chapter("commands").source
    evaluated = f'eval "$(_LZC_COMPLETE={shell}_source lzc)"'
    said = {
        "bash": evaluated,
        "zsh": evaluated.replace("zsh", "bash"),
        "fish": "_LZC_COMPLETE=fish_source lzc | source",
    }
    assert said[shell] in source and f"{shell}_source" in source
    return said["fish"] if shell == "fish" else evaluated


def _environment() -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TERM": "dumb"}


class Bash:
    """Asks the function that was registered, as bash does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str) -> list[str]:
        script = f"""
{_manual_says("bash")}
COMP_WORDS=({line.removesuffix(" ")}{" ''" if line.endswith(" ") else ""})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$(complete -p lzc | sed 's/.*-F \\([^ ]*\\) .*/\\1/') lzc
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        return _run(["bash", "--norc", "-c", script], self._folder)


class Fish:
    """``complete -C`` is what fish itself asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str) -> list[str]:
        script = f"{_manual_says('fish')}; complete -C {line!r}"
        found = _run(["fish", "--no-config", "-c", script], self._folder)
        return [one.split("\t")[0] for one in found]


def _run(command: list[str], folder: Path) -> list[str]:
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


class Zsh:
    """Has no question for it: somebody types into a terminal, presses the tab key, and reads what
    the line is then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str) -> list[str]:
        child, terminal = pty.fork()
        if not child:
            os.chdir(self._folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], _environment())
        try:
            return self._typed(terminal, line)
        finally:
            os.close(terminal)
            os.waitpid(child, 0)

    def _typed(self, terminal: int, line: str) -> list[str]:
        begin = f"PS1=; autoload -U compinit; compinit -D -u; {_manual_says('zsh')}"
        # Ctrl-Y shows the line as it is by then.
        tell = 'tell() { print -r -- "<$BUFFER>"; zle .kill-buffer; }; zle -N tell'
        # What the terminal shows of what is typed is not what is waited for.
        os.write(terminal, f"{begin}; {tell}; bindkey '^Y' tell; print -- beg''un\n".encode())
        _until(terminal, "\nbegun")
        os.write(terminal, f"{line}\t\x19".encode())
        shown = _until(terminal, r"<lzc [^>]*>")
        words: list[str] = re.findall(r"<lzc ([^>]*)>", shown)
        return words[-1].split()


def _until(terminal: int, pattern: str) -> str:
    """What the terminal shows up to there."""
    said, end = "", time.monotonic() + PATIENCE
    while not re.search(pattern, said):
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536).decode(errors="replace").replace("\r", "")
    return said


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SeveralZones:
    made = SeveralZones(tmp_path_factory.mktemp("project") / "project")
    made.build()
    made.write("plain.example", "new A 192.0.2.9\n")
    made.build()
    return made


@pytest.fixture(params=[Bash, Zsh, Fish], ids=lambda shell: str(shell.__name__).lower())
def complete(request: pytest.FixtureRequest, project: SeveralZones) -> Complete:
    presence.require(request.param.__name__.lower())
    made: Complete = request.param(project.folder)
    return made


def test_a_command_is_completed(complete: Complete) -> None:
    assert "rollback" in complete("lzc rol")


def test_an_option_is_completed(complete: Complete) -> None:
    assert "--as-is" in complete("lzc rollback --as")


def test_a_zone_of_the_project_is_completed(complete: Complete) -> None:
    assert "signed.example" in complete("lzc build --zone sig")


def test_a_bundle_is_completed(complete: Complete, project: SeveralZones) -> None:
    (other,) = [
        one.name
        for one in project.output.iterdir()
        if len(one.name) == 32 and one.name != project.live()
    ]
    assert other in complete(f"lzc rollback {other[:4]}")
