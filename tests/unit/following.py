"""An operator who does, word for word, what lzc tells him to do, until what was wrong is right."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from click.testing import CliRunner

from lzc.cli import group
from tests.patience import PATIENCE, SOON
from tests.unit import lzc_process
from tests.unit.command_line import HEAD
from tests.unit.told_commands import commands, ways

STEPS = 4
"""Times that one command may fail in another way, until it has to succeed."""
SHOWING = ("lzc query", "lzc ctl status", "lzc ctl health")
"""What these show may be what is wrong."""
ZONE = "example.net"
CONFIG = """\
[build]
sources = ["zones/*.zone"]
serial = "increment"
[lua]
enable = true
[serve]
listen = ["127.0.0.1:0"]
[zone."example.net"]
dnssec = true
"""
_INJECTED = """
args = {"source": "build"}
exec(Path("inject.py").read_text())
"""


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    text: str


class Server:
    """A command ``lzc serve``, as a process."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        before = _INJECTED if (folder / "inject.py").exists() else ""
        self.log: list[str] = []
        with contextlib.chdir(folder):
            self._process = lzc_process.started(*arguments, before=before)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stderr:
            self.log.append(line.rstrip())

    @property
    def text(self) -> str:
        """All that it said up to now."""
        return "\n".join(self.log)

    @property
    def port(self) -> int:
        """Of the first address that it serves on."""
        found = re.search(r"lzc: serving bundle .* on [^ ,]*:(\d+)[ ,]", self.text)
        assert found, self.text
        return int(found[1])

    def started(self) -> Said:
        """Wait until it serves, or has ended."""
        # What one said that ended may not be read yet.
        wait_until(lambda: "lzc: serving bundle" in self.text or self._ended())
        if "lzc: serving bundle" in self.text:
            return Said(0, self.text)
        return self.stop()

    def _ended(self) -> bool:
        return self._process.poll() is not None and not self._reader.is_alive()

    def stop(self) -> Said:
        """End it; its exit code, and all it said."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return Said(code, self.text)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(SOON)


class Operator:
    """Works in the folder of a project. ``hands`` are what is done where words ask for more than
    commands: by a part of these words, and called with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hands: dict[str, Callable[[str], None]] = {}
        self.servers: list[Server] = []
        self.file = ""
        """What this operator has where a text says FILE."""
        self.done: list[str] = []
        """Commands that were told, and run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self.servers:
            server.stop()
        os.environ.pop("SOURCE_DATE_EPOCH", None)

    def project(self, records: str = "", *, config: str = CONFIG, zone: str = ZONE) -> None:
        """A project of one signed zone, with these records besides, that was built."""
        (self.folder / "zones").mkdir()
        self.write("lzc.toml", config)
        self.write(f"zones/{zone}.zone", HEAD + records)
        self.succeed(f"lzc keys generate {zone}")
        self.succeed("lzc build")

    def write(self, name: str, text: str) -> None:
        """Make or replace a file of the project."""
        (self.folder / name).write_text(text)

    def change(self, name: str, before: str, after: str) -> None:
        """Replace text in a file of the project, where it stands."""
        text = (self.folder / name).read_text()
        assert before in text
        self.write(name, text.replace(before, after))

    def append(self, text: str, zone: str = ZONE) -> None:
        """Add records to a zone."""
        name = f"zones/{zone}.zone"
        self.write(name, (self.folder / name).read_text() + text)

    def wait_for(self, moment: int) -> None:
        """Let builds be those of a moment, seconds since the epoch, up to the end."""
        os.environ["SOURCE_DATE_EPOCH"] = str(moment)

    def run(self, command: str) -> Said:
        """Run a command in the project's folder. A server goes on until the end."""
        words = shlex.split(command)
        if words[:2] == ["lzc", "serve"]:
            server = Server(self.folder, words[1:])
            self.servers.append(server)
            return server.started()
        if words[0] == "lzc":
            with contextlib.chdir(self.folder):
                result = CliRunner().invoke(group, words[1:], catch_exceptions=False)
            return Said(result.exit_code, result.output)
        ended = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        return Said(ended.returncode, ended.stdout + ended.stderr)

    def succeed(self, command: str) -> str:
        """Run a command that has to succeed; what it said."""
        said = self.run(command)
        assert said.code == 0, f"{command}:\n{said.text}"
        return said.text

    def follow(self, command: str, text: re.Pattern[str], *, way: int = 0) -> None:
        """Run a command of which the outcome has this text, and do what it says, and what is said
        of what then fails, until the command succeeds without it. ``way`` is which of the ways out
        that the text names."""
        said = self._expect(command, lambda said: text.search(said.text))
        words = told(said.text, text)
        self._obey(self._way(words, way))
        if command.startswith("lzc ctl"):
            # A server finds out by itself, in its time.
            wait_until(lambda: not text.search((latest := self.run(command)).text) or latest.code)
        said = self.run(command)
        assert not text.search(said.text), f"a circle: after {self.done} again\n{said.text}"
        self._until_it_succeeds(command, said)

    def _expect(self, command: str, wanted: Callable[[Said], object]) -> Said:
        end = time.monotonic() + PATIENCE
        while not wanted(said := self.run(command)):
            assert command.startswith("lzc ctl"), said.text
            assert time.monotonic() < end, said.text
            time.sleep(SOON)
        return said

    def _until_it_succeeds(self, command: str, said: Said) -> None:
        """Do what is said of a command that fails, again and again."""
        seen: list[str] = []
        while said.code:
            assert said.text not in seen, f"a circle: after {self.done} again\n{said.text}"
            seen.append(said.text)
            assert len(seen) <= STEPS, f"no end after {self.done}:\n{said.text}"
            fixes = re.findall(r"^(?: +fix: |next  +)(.*)$", said.text, re.MULTILINE)
            assert fixes, f"no way out is told:\n{said.text}"
            for fix in fixes:
                self._obey(self._way(fix, 0))
            said = self.run(command)

    def _way(self, words: str, way: int) -> str:
        """One of the ways out; of those from ``way`` on, the first for which there is a file, where
        it needs one."""
        return next(one for one in ways(words)[way:] if self.file or "FILE" not in one).replace(
            "FILE", self.file
        )

    def _obey(self, words: str) -> None:
        hands = [hand for part, hand in self.hands.items() if part in words]
        for hand in hands:
            hand(words)
        told_commands = commands(words)
        assert hands or told_commands, f"nobody knows how to do this: {words}"
        for command in told_commands:
            self.done.append(command)
            said = self.run(command)
            if command.startswith(SHOWING):
                assert said.code != 2, said.text
            else:
                self._until_it_succeeds(command, said)


def told(text: str, pattern: re.Pattern[str]) -> str:
    """What a text of lzc says to do where a pattern is in it: the fix of that fault, or else the
    lines themselves."""
    found = pattern.search(text)
    assert found, text
    begin = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    lines = text[begin : end if end >= 0 else None]
    fix = re.search(r"^ +fix: .*$", lines, re.MULTILINE)
    if fix is None:
        following = re.match(r"(?:.*\n)?(?: +why: .*\n)? +fix: .*", text[begin:])
        lines = following[0] if following else lines
    return lines.rpartition(" fix: ")[2]
