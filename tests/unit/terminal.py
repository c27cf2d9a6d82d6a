"""A terminal that a command writes to: all that it shows, in however many pieces it comes."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.patience import PATIENCE


def shown(
    command: Sequence[str],
    stream: Literal["stdout", "stderr"],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str],
) -> tuple[int, bytes]:
    """Run a command with one of its streams on a terminal: its exit code, and what that shows."""
    master, terminal = pty.openpty()
    found = bytearray()

    def read() -> None:
        # A terminal that nobody has open any more ends with an error.
        with contextlib.suppress(OSError):
            while piece := os.read(master, 65536):
                found.extend(piece)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    out, err = (terminal if stream == one else subprocess.PIPE for one in ("stdout", "stderr"))
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, stdout=out, stderr=err)
    finally:
        os.close(terminal)
        reader.join(PATIENCE)
        os.close(master)
    return ended.returncode, bytes(found)
