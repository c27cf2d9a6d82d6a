"""A server that logs to a journal of its own. Run as ``unshare --mount python -m
tests.peers.journal FOLDER``: it mounts a /run there, and prints what journalctl has of the server,
an object a line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from lzc.serve.observe.log_output import JOURNAL
from tests.patience import PATIENCE, SOON
from tests.unit.live_server import LiveServer, Project

JOURNALD = "/lib/systemd/systemd-journald"


def main(folder: Path) -> None:
    """Log, and print what was."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for name in ("/run/systemd/journal", "/run/log/journal"):
        Path(name).mkdir(parents=True)
    project = Project(folder, '[lua]\nenable = true\n[serve]\nlog = "journald"\n')
    project.build({"example.org": "bad LUA A \"error('no\\226\\128\\174')\"\n"})
    # Before there is a journal, its lines are not lost.
    with LiveServer(project) as server:
        server.wait_for(lambda: server.logged("the journal takes nothing"))
        assert server.logged("serving bundle")
    journald = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while not Path(JOURNAL).exists():
            assert time.monotonic() < end
            time.sleep(SOON)
        with LiveServer(project) as server:
            server.ask("bad.example.org")
            server.control("reload")
        command = ["journalctl", "--directory", "/run/log/journal", "--output", "json"]
        found = b""
        while b'"stopping"' not in found:
            assert time.monotonic() < end
            time.sleep(SOON)
            found = subprocess.run([*command, "-t", "lzc"], capture_output=True).stdout
        sys.stdout.buffer.write(found)
    finally:
        journald.terminate()
        journald.wait(PATIENCE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
