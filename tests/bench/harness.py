"""Start servers on one core, load them from another, read what they took."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = str(_CORES[0])
LOAD_CORE = str(_CORES[-1] if len(_CORES) < 3 else _CORES[1])
"""The same where there is one core only."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, ours and the peer's, and which way is better."""

    row: str
    peer: str
    peer_value: float
    lzc_value: float
    unit: str
    goal: str

    @property
    def ratio(self) -> float | None:
        """lzc's value over the peer's, where there is one."""
        return self.lzc_value / self.peer_value if self.peer_value else None


def free_port() -> int:
    """A loopback port that is free for UDP and TCP at this moment."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port


def on_core(core: str, command: Sequence[str]) -> list[str]:
    """The command, pinned; peers that are not installed are named."""
    if shutil.which(command[0]) is None:
        raise SystemExit(f"tests.bench needs {command[0]}, which is not installed")
    return ["taskset", "-c", core, *command]


@contextlib.contextmanager
def foremost() -> Iterator[None]:
    """In this block the calling thread runs before all others of its core, so that what it measures
    is the server and not its own waiting; where that is not allowed it says so."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        print("no real-time priority here: times hold waits of who asks", file=sys.stderr)
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def question(port: int, name: str, timeout: float = 0.05) -> bytes | None:
    """Ask 127.0.0.1:port for ``name`` A once over UDP; the answer's octets or None."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.rstrip(".").split("."))
    query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        try:
            udp.connect(("127.0.0.1", port))
            udp.send(query)
            return udp.recv(65535)
        except OSError:
            return None


def wait_for_answer(
    process: subprocess.Popen[bytes],
    port: int,
    name: str,
    seconds: float = 60,
    log: Path | None = None,
) -> None:
    """Return at the first NOERROR answer; raise when the server ends or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question(port, name)
        if answer is not None and answer[3] & 15 == 0 and answer[7]:
            return
        if process.poll() is not None:
            break
        if answer is None:
            time.sleep(0.001)
    raise RuntimeError(
        f"{process.args!r} gives no answer for {name}\n" + (log.read_text()[-3000:] if log else "")
    )


@contextlib.contextmanager
def server(command: Sequence[str], port: int, name: str, log: Path) -> Iterator[float]:
    """Run a pinned server until the block ends; yields the seconds from start to first answer."""
    with log.open("wb") as sink:
        start = time.monotonic()
        process = subprocess.Popen(
            on_core(SERVER_CORE, command),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
        try:
            wait_for_answer(process, port, name, log=log)
            yield time.monotonic() - start
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass(frozen=True, slots=True)
class Load:
    """What dnsperf saw: answers a second, share of queries lost, and the rcodes it counted."""

    rate: float
    lost: float
    rcodes: str


def load(
    port: int,
    queries: Path,
    seconds: int = 5,
    *,
    dnssec: bool = False,
    once: bool = False,
    clients: int = 8,
) -> Load:
    """Ask as fast as the server answers, for ``seconds`` or once through the file."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries)]
    command += ["-c", str(clients), "-q", "200", "-t", "2"]
    command += ["-n", "1"] if once else ["-l", str(seconds)]
    command += ["-D"] if dnssec else []
    out = subprocess.run(on_core(LOAD_CORE, command), capture_output=True, text=True, check=True)
    rate = re.search(r"Queries per second:\s+([\d.]+)", out.stdout)
    lost = re.search(r"Queries lost:\s+\d+ \(([\d.]+)%\)", out.stdout)
    rcodes = re.search(r"Response codes:\s+(.*)", out.stdout)
    if rate is None:
        raise RuntimeError(out.stdout + out.stderr)
    return Load(
        float(rate[1]), float(lost[1]) if lost else 0.0, rcodes[1].strip() if rcodes else ""
    )


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def proportional_memory(pid: int) -> int:
    """Octets of resident memory, shared pages divided among their users (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    return int(found[1]) * 1024 if found else 0


def anonymous_memory(pid: int) -> int:
    """Octets of resident memory that are no file's: what the system cannot take back as it likes,
    unlike pages of a bundle."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)
    return int(found[1]) * 1024 if found else 0


def listeners(port: int) -> list[int]:
    """The processes that hold a UDP socket on the port."""
    inodes = set()
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    holders = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                links = {os.readlink(fd) for fd in (process / "fd").iterdir()}
                if links & inodes:
                    holders.append(int(process.name))
    return sorted(holders)


def run(command: Sequence[str], **kwargs: object) -> float:
    """Run to success, free to use every core; the seconds it took."""
    start = time.monotonic()
    done = subprocess.run(
        on_core(f"{SERVER_CORE},{LOAD_CORE}", command),
        capture_output=True,
        text=True,
        check=False,
        **kwargs,  # type: ignore[call-overload]
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}\n{done.stderr}")
    return time.monotonic() - start
