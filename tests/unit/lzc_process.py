"""Commands of lzc, each as a process of its own that is forked with all of lzc imported
(`tests.unit.forked`). What is about how such a process begins starts one itself."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE
from tests.unit.forked import Forked

_IMPORTS: Final = """
import importlib, os, sys
from pathlib import Path
from lzc.__main__ import main
from lzc.cli import COMMANDS
import lzc.compiler.lua.discover, lzc.compiler.lua.lint, lzc.source.lua_record
import lzc.rehearse.explain, lzc.rehearse.staging
from lzc.serve.notify import secondary
from lzc.serve.supervise import ahead, start
for module, _ in COMMANDS.values():
    importlib.import_module(module)
ahead.for_workers()
ahead.for_all()
"""


def started(*arguments: str, before: str = "") -> Forked:
    """A command that goes on for a while. ``before`` is Python that its process runs first."""
    return Forked(_IMPORTS, f"{before}\nmain()", *arguments)


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, when it has come to its end."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        process = Forked(_IMPORTS, "main()", *arguments, stdout=stdout, stderr=stderr)
        code = process.wait(PATIENCE)
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


def logging_to(arguments: Sequence[str], folder: Path, log: Path) -> Forked:
    """A command that leads a group of processes of its own, which write to the end of a file."""
    with log.open("ab") as file:
        before = f"os.setsid()\nos.chdir({str(folder)!r})"
        return Forked(_IMPORTS, f"{before}\nmain()", *arguments, stdout=file, stderr=file)
