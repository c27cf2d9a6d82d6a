"""A server that is forked for a test is in everything that it could notice like one of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE, SOON
from tests.unit.forked import Forked

IMPORTS = """
import json, os, resource, signal, sys, threading, time
from pathlib import Path
"""
LOOK = """
status = Path("/proc/self/status").read_text().splitlines()
kept = ("Umask", "SigB", "SigI", "SigC", "Cap", "NoNewPrivs", "Cpus_allowed", "Groups", "Uid")
print(json.dumps({
    "arguments": sys.argv,
    "name": __name__,
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "files": sorted(os.listdir("/proc/self/fd")),
    "status": [line for line in status if line.startswith(kept)],
    "limits": Path("/proc/self/limits").read_text(),
    "group": os.getpgid(0),
    "session": os.getsid(0),
    "priority": os.getpriority(os.PRIO_PROCESS, 0),
    "memory killer": Path("/proc/self/oom_score_adj").read_text(),
    "threads": threading.active_count(),
    "interrupt": str(signal.getsignal(signal.SIGINT)),
    "namespaces": sorted(str(one.readlink()) for one in Path("/proc/self/ns").iterdir()),
}), file=sys.stderr)
"""
SLEEP = "print('here', file=sys.stderr, flush=True)\ntime.sleep(3600)\n"


def seen_by_a_fork() -> dict[str, Any]:
    process = Forked(IMPORTS, LOOK, "one argument", "another")
    found: dict[str, Any] = json.loads(process.stderr.read())
    assert process.wait(PATIENCE) == 0
    return found


def seen_by_one_of_its_own() -> dict[str, Any]:
    command = [sys.executable, "-c", IMPORTS + LOOK, "one argument", "another"]
    # As Python knows the environment: what readline sets is not of a test.
    ended = subprocess.run(
        command, stderr=subprocess.PIPE, env=dict(os.environ), timeout=PATIENCE, check=True
    )
    found: dict[str, Any] = json.loads(ended.stderr)
    return found


def test_it_sees_what_a_process_of_its_own_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that forks is there by now: what changes afterwards counts as well.
    assert seen_by_a_fork() == seen_by_one_of_its_own()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", "another\udcff")
    monkeypatch.delenv("PATH")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "file").open("w"), (tmp_path / "file").open():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, hard))
        try:
            fork, own = seen_by_a_fork(), seen_by_one_of_its_own()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fork == own
    assert fork["environment"]["TMPDIR"] == "another\udcff"
    assert fork["folder"] == str(tmp_path)
    assert str(2**30) in fork["limits"]


def test_what_python_reads_when_it_starts_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for flag in ("", "1"):
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", flag)
        process = Forked(IMPORTS, "sys.exit(40 + sys.dont_write_bytecode)")
        assert process.wait(PATIENCE) == 40 + bool(flag)


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("os._exit(200)", 200, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        ("import atexit; atexit.register(print, 'end', file=sys.stderr)", 0, "end\n"),
    ],
)
def test_how_it_ends_is_told(code: str, exit_code: int, said: str) -> None:
    process = Forked(IMPORTS, code)
    assert process.stderr.read() == said
    assert process.wait(PATIENCE) == exit_code
    assert process.poll() == exit_code
    assert not Path(f"/proc/{process.pid}").exists()
    process.send_signal(signal.SIGTERM)


def test_what_it_raises_is_a_traceback_and_the_next_one_is_not_harmed() -> None:
    process = Forked(IMPORTS, "def fails():\n    raise ValueError('wrong')\n\nfails()")
    text = process.stderr.read()
    assert text.startswith("Traceback") and text.endswith("in fails\nValueError: wrong\n")
    assert process.wait(PATIENCE) == 1
    assert Forked(IMPORTS, "name = fails").wait(PATIENCE) == 1


def test_while_it_runs_it_has_not_ended_and_others_may_begin_and_end() -> None:
    first, second = Forked(IMPORTS, SLEEP), Forked(IMPORTS, SLEEP)
    assert first.poll() is None and second.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(SOON)
    second.send_signal(signal.SIGKILL)
    assert second.wait(PATIENCE) == -signal.SIGKILL
    assert second.stderr.read() in ("", "here\n")
    assert first.poll() is None
    assert first.stderr.readline() == "here\n"
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE) == -signal.SIGTERM
    # Nobody else has what it wrote to.
    assert first.stderr.read() == ""


def test_it_is_no_child_of_the_tests() -> None:
    process = Forked(IMPORTS, SLEEP)
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL


def test_what_forks_survives_ctrl_c_and_ends_with_the_tests() -> None:
    code = (
        "import os, signal, subprocess\n"
        "from tests.unit.forked import Forked\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "for _ in range(2):\n"
        f"    process = Forked({IMPORTS!r}, {SLEEP!r})\n"
        "    process.stderr.readline()\n"
        # Python loses one that comes while it runs what may not fail, such as a finalizer.
        "    while process.returncode is None:\n"
        "        os.killpg(0, signal.SIGINT)\n"
        "        try:\n"
        f"            process.wait({PATIENCE / 20})\n"
        "        except subprocess.TimeoutExpired:\n"
        "            pass\n"
        "    print(process.returncode, process.stderr.read().splitlines()[-1])\n"
    )
    # It is done when nobody has its stdout any more, the process that forks no more either.
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        start_new_session=True,
    )
    assert ended.stdout == "-2 KeyboardInterrupt\n-2 KeyboardInterrupt\n"
