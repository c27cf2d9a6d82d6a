"""Runs a command of lzc where every packet that leaves loopback is seen: in a network namespace
whose other device leads nowhere. Prints what was sent there.

    unshare --net python -m tests.unit.watched_run [--until SOCKET] ARGUMENT...

The command ends by itself, and has to exit with 0; a server runs until its control socket says
that all its health checks have a result.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from lzc.faults import InputError
from lzc.serve.supervise import control
from tests.away import Watch
from tests.patience import SOON


def checked(path: str) -> bool:
    """Whether a server has run all of its checks."""
    try:
        checks = control.ask(Path(path), "health").get("checks", ())
    except (InputError, OSError):
        return False
    return bool(checks) and all(check["runs"] for check in checks)


def main() -> int:
    path, *arguments = sys.argv[2:] if sys.argv[1] == "--until" else ["", *sys.argv[1:]]
    command = [sys.executable, "-m", "lzc", *arguments]
    with (
        Watch() as watch,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
    ):
        while path and not checked(path) and process.poll() is None:
            time.sleep(SOON)
        if path:
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        wanted = process.returncode == 0
    sys.stdout.writelines(f"{line}\n" for line in dict.fromkeys(one.what for one in watch.sent()))
    sys.stderr.write(errors.decode(errors="replace"))
    return 0 if wanted else 1


if __name__ == "__main__":
    sys.exit(main())
