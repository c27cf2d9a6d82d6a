"""The row about a zone of a million records that is signed as a whole, beside those who sign zone
files, and about one change of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.bench import harness, inputs, peers
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE

RECORDS: Final = 1_000_000
CORES: Final = "2"
_SECONDARY: Final = """[[secondary]]
name = "ns2"
address = "127.0.0.1:9"
software = "nsd"
notify = false
tsig = "{}."
"""


def presigned(folder: Path) -> Iterator[Figure]:
    """A zone of 1,000,000 records, signed by ECDSA P-256 on two cores: seconds from the zone to one
    that is signed, as a file or as what transfers are taken from."""
    zone = folder / "zone"
    inputs.static_zone(zone, RECORDS)
    extra = _SECONDARY.format(peers.TSIG_NAME)
    made = peers.project(folder / "lzc", zone, signed=True, extra=extra)
    harness.run(made.lzc("build"))
    config = str(folder / "lzc" / "lzc.toml")
    command = [sys.executable, "-m", "tests.bench.publish_zone", config, CORES]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as publisher:
        ours = _look(publisher)
        change = _changed(publisher, made, zone)
        publisher.communicate()
    theirs = {
        "dnssec-signzone": _bind(folder, zone, verify=True),
        "dnssec-signzone -P": _bind(folder, zone, verify=False),
        "kzonesign": _knot(folder, zone),
    }
    best = min(theirs.values())
    for name, seconds in theirs.items():
        goal = "≤ 1.2" if seconds == best else ""
        yield Figure(f"sign {RECORDS:,} records", name, seconds, ours, "s", goal)
    yield Figure("sign one change", "all of it", ours, change, "s", "≤ 0.01")


def _changed(publisher: subprocess.Popen[str], made: peers.Project, zone: Path) -> float:
    """Seconds until one more record is signed."""
    with zone.open("a") as out:
        out.write("more 300 IN A 192.0.2.1\n")
    text = zone.read_text().replace(" 2026010100 ", " 2026010101 ", 1)
    zone.write_text(text)
    time.sleep(2.5)
    harness.run(made.lzc("build"))
    return _look(publisher)


def _look(publisher: subprocess.Popen[str]) -> float:
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    publisher.stdin.write("\n")
    found: float = json.loads(publisher.stdout.readline())
    return found


def _bind(folder: Path, zone: Path, *, verify: bool) -> float:
    home = folder / f"bind-{verify}"
    home.mkdir()
    _run(home, ["dnssec-keygen", "-q", "-a", "13", "-f", "KSK", ZONE])
    text = zone.read_text() + "".join(one.read_text() for one in home.glob("K*.key"))
    (home / "plain").write_text(text)
    options = [] if verify else ["-P"]
    command = ["dnssec-signzone", "-q", "-z", "-n", CORES, *options, "-o", ZONE]
    return _timed(home, [*command, "-f", "signed", "plain"])


def _knot(folder: Path, zone: Path) -> float:
    home = folder / "knot"
    home.mkdir()
    (home / "knot.conf").write_text(
        f"""database:
    storage: "{home}"
policy:
  - id: p
    algorithm: ecdsap256sha256
    single-type-signing: on
    signing-threads: {CORES}
zone:
  - domain: {ZONE}
    file: "{zone}"
    dnssec-signing: on
    dnssec-policy: p
"""
    )
    key = ["generate", "algorithm=13", "ksk=yes", "zsk=yes"]
    _run(home, ["keymgr", "-c", "knot.conf", ZONE, *key])
    return _timed(home, ["kzonesign", "-c", "knot.conf", "-o", str(home), ZONE])


def _timed(folder: Path, command: Sequence[str]) -> float:
    began = time.perf_counter()
    _run(folder, command)
    return time.perf_counter() - began


def _run(folder: Path, command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
