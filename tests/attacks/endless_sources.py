"""Zone files of a few kilobytes that ask for work without end, and what ``lzc check`` takes until
it says so: ``python -m tests.attacks.endless_sources [--before CHECKOUT] [--limit SECONDS]``."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

HEAD: Final = "$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"
ATTACKS: Final[dict[str, dict[str, str]]] = {
    "seven levels of 20 includes": {
        "example.org.zone": HEAD + "$INCLUDE f0\n",
        **{f"f{level}": f"$INCLUDE f{level + 1}\n" * 20 for level in range(7)},
        "f7": "a A 192.0.2.1\n",
    },
    "100 times a million records": {
        "example.org.zone": HEAD + "$GENERATE 0-999999 a$ A 192.0.2.1\n" * 100
    },
    "a million different programs": {
        "example.org.zone": HEAD
        + "$GENERATE 0-999999 a$ LUA A \";local x$ = 1 return '192.0.2.1'\"\n"
    },
    "one file 2,000 times": {
        "example.org.zone": HEAD + "$INCLUDE b\n" * 2000,
        "b": "".join(f'a{number} TXT "a\\"b" x\n' for number in range(50_000)),
    },
    "a comment of 300,000 blanks": {
        "example.org.zone": f"{HEAD}a A 192.0.2.1 ; lzc: x{' ' * 300_000}y\n"
    },
    "40,000 open parentheses": {"example.org.zone": HEAD + "a A ( b\n" * 40_000},
    "400 open parentheses, far apart": {
        "example.org.zone": HEAD + ("a A ( b\n" + "a A 192.0.2.1\n" * 52) * 400
    },
    "a string of 1 MB over lines": {"example.org.zone": f'{HEAD}a TXT "{"x" * 50}\n' * 20_000},
    "an include of itself": {"example.org.zone": HEAD + "$INCLUDE example.org.zone\n"},
    "an owner wide as a name is not": {
        "example.org.zone": HEAD + "$GENERATE 0-99999 a${0,4000000,d} A 192.0.2.1\n" * 20
    },
    "an origin that grows": {"example.org.zone": HEAD + "$ORIGIN a\n" * 100_000},
}
_LONG: Final = (
    "100 times a million records",
    "a million different programs",
    "one file 2,000 times",
)
SHORT: Final = {name: files for name, files in ATTACKS.items() if name not in _LONG}
"""What is said within seconds."""


class Found(NamedTuple):
    """``seconds`` of CPU time, ``octets`` of memory, the first fault ``said``; whether it ``ended``
    by itself."""

    seconds: float
    octets: int
    said: str
    ended: bool


def main(options: list[str] | None = None) -> None:
    """Make each attack on this version and, where one is named, on another."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.endless_sources")
    parser.add_argument("--before", type=Path, help="a checkout of another version of lzc")
    parser.add_argument("--limit", type=int, default=120, help="seconds of CPU time to wait")
    arguments = parser.parse_args(options)
    print(f"{'attack':30} {'version':8} {'CPU s':>7} {'MB':>6}  outcome")
    for name, files in ATTACKS.items():
        for label, checkout in (("now", None), ("before", arguments.before)):
            if label == "now" or checkout is not None:
                found = attack(files, checkout, arguments.limit)
                said = found.said if found.ended else f"ended after {arguments.limit} s"
                took = f"{found.seconds:7.1f} {found.octets >> 20:6}"
                print(f"{name:30} {label:8} {took}  {said[:110]}", flush=True)


def attack(files: dict[str, str], checkout: Path | None = None, limit: int = 120) -> Found:
    """What ``lzc check`` of a version says of files, with so many seconds of CPU time at most."""
    with tempfile.TemporaryDirectory(prefix="lzc-attack-sources-") as name:
        folder = Path(name)
        (folder / "zones").mkdir()
        toml = '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
        (folder / "lzc.toml").write_text(toml)
        for file, text in files.items():
            (folder / "zones" / file).write_text(text)
        with subprocess.Popen(
            [sys.executable, "-m", "lzc", "check", "-c", str(folder / "lzc.toml")],
            # With -m, modules are looked for there first.
            cwd=checkout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
        ) as process:
            assert process.stderr is not None
            said = process.stderr.read().splitlines()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    first = next((line for line in said if "error" in line), said[0] if said else "no fault")
    ended = process.returncode in (0, 1)
    return Found(used.ru_utime + used.ru_stime, used.ru_maxrss << 10, first, ended)


if __name__ == "__main__":
    main()
