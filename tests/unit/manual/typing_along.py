"""A shell in a folder of its own that does what a chapter says."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from lzc.cli import group
from tests.patience import PATIENCE, SOON
from tests.peers._peers import presence
from tests.peers._peers.process import free_port
from tests.unit.manual.places import ROOT
from tests.unit.manual.shown import Step, Typed, Written, prints

PORT: Final = "5300"
"""What the manual says; another one is taken for it, as this one may be in use."""

_OF_A_SHELL: Final = re.compile(r"[|&;<>$`(*]")
_LOOKS: Final = re.compile(r"dig |lzc ctl (status|health)( --format json)?$")
"""Commands that tell what becomes so by itself, and are asked again until it is."""


@dataclass(slots=True)
class Shell:
    """``folder`` is where it starts; end it with `close`."""

    folder: Path
    port: str = field(default_factory=lambda: str(free_port()))
    _server: subprocess.Popen[bytes] | None = None
    _log: Path = Path()

    def follow(self, step: Step) -> None:
        """Do what is shown, and hold what comes against what is shown."""
        if isinstance(step, Written):
            self._write(step)
        else:
            self._type(step)

    def close(self) -> None:
        """End the server, where one runs."""
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(PATIENCE)

    def _write(self, step: Written) -> None:
        path = self.folder / step.path
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if step.append else ""
        path.write_text(before + self._here(step.text))

    def _type(self, step: Typed) -> None:
        command = self._here(step.command.partition("  # ")[0].strip())
        step = Typed(command, step.code, tuple(map(self._here, step.printed)))
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return
        if command == "lzc serve":
            self._serve(step)
            return
        end = time.monotonic() + (PATIENCE if _LOOKS.match(command) else 0)
        while True:
            code, output = self.run(command)
            if code == step.code and prints(step, output):
                break
            assert time.monotonic() < end, (
                f"{command} exits with {code} and prints:\n{output}\nshown is:\n"
                + "\n".join(step.printed)
            )
            time.sleep(SOON)
        for path in self.folder.rglob("lzc.toml"):
            path.write_text(self._here(path.read_text()))

    def _here(self, text: str) -> str:
        return re.sub(rf"(127\.0\.0\.1|\[::1\]):{PORT}|(?<=-p ){PORT}", self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        return found[0].replace(PORT, self.port)

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        if command.startswith("lzc ") and not _OF_A_SHELL.search(command):
            with contextlib.chdir(self.folder):
                result = CliRunner().invoke(group, shlex.split(command)[1:], catch_exceptions=False)
            return result.exit_code, result.output
        if command.startswith("dig "):
            presence.require("dig")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout

    def _serve(self, step: Typed) -> None:
        self._log = self.folder / "serve.log"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "lzc", "serve"],
                cwd=self.folder,
                env=_environment(),
                stderr=log,
            )
        end = time.monotonic() + PATIENCE
        while "lzc: serving" not in (said := self._log.read_text()):
            assert self._server.poll() is None and time.monotonic() < end, said
            time.sleep(SOON)
        ready = said[said.index("lzc: serving") :].partition("\n")[0]
        assert prints(step, ready), ready


def _environment() -> Mapping[str, str]:
    beside = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{beside}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def prepare(shell: Shell, there: set[str]) -> None:
    """Make what a chapter says is there before."""
    if "shop" in there:
        for command in ("lzc init shop --zone shop.example", "cd shop"):
            shell.follow(Typed(command, 0, ()))
        shell.follow(Typed("lzc keys generate shop.example", 0, ()))
    if "fixtures" in there:
        copy = shell.folder / "fixtures"
        shutil.copytree(ROOT / "fixtures", copy, ignore=shutil.ignore_patterns("build", "keys"))
        shell.folder = copy
        (copy / "keys").mkdir(mode=0o700)
        (copy / "keys/transfer.tsig").write_text("c2VjcmV0c2VjcmV0c2VjcmV0\n")
        (copy / "keys/transfer.tsig").chmod(0o600)
        for zone in ("example.org", "example.net", "2.0.192.in-addr.arpa"):
            shell.follow(Typed(f"lzc keys generate {zone}", 0, ()))
    if there:
        shell.follow(Typed("lzc build", 0, ()))
    if "serving" in there:
        shell.follow(Typed("lzc serve", 0, ()))
