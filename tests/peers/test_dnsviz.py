"""DNSViz finds nothing to say against a signed zone of the example project, in each way of denial
that it knows."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.peers._peers import find, require
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import Project

ZONE = "example.net"
NAMES = (ZONE, f"b.ent.{ZONE}", f"x.wild.{ZONE}", f"beside.{ZONE}", f"ns1.{ZONE}")


@pytest.fixture(scope="module", params=["nsec", "nsec3", "nsec3-narrow", "compact"])
def project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    require("dnsviz")
    project = Project(tmp_path_factory.mktemp("dnsviz"))
    # It asks the addresses that the zone's name servers have, too, and waits long for those of
    # documentation networks.
    file = project.zone_file(ZONE)
    servers = re.sub(r"(?m)^(ns[12]\s+A\s+)\S+", rf"\g<1>{LOOPBACK}", file.read_text())
    file.write_text(re.sub(r"(?m)^(ns[12]|)\s+AAAA\s.*\n", "", servers))
    text = project.config.read_text()
    assert text.count("\n[dnssec]\n") == 1
    denial = f'\n[dnssec]\ndenial = "{request.param}"\n'
    project.config.write_text(text.replace("\n[dnssec]\n", denial))
    project.generate_keys()
    project.build()
    with project.serve():
        yield project


def dnsviz(*arguments: str) -> str:
    program = find("dnsviz")
    assert program is not None
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def probe(project: Project, file: Path) -> None:
    """Let it ask lzc, and no other server, all that it wants to know."""
    where = ",".join(f"{name}.{ZONE}={LOOPBACK}:{project.port}" for name in ("ns1", "ns2"))
    dnsviz("probe", "-4", "-A", "-x", f"{ZONE}+:{where}", "-o", str(file), *NAMES)


def statuses(told: object) -> Iterator[str]:
    """The status of everything it judged: signatures, proofs and names."""
    if isinstance(told, dict):
        if isinstance(told.get("status"), str):
            yield told["status"]
        for each in told.values():
            yield from statuses(each)
    elif isinstance(told, list):
        for each in told:
            yield from statuses(each)


def test_nothing_is_wrong(project: Project, tmp_path: Path) -> None:
    probe(project, tmp_path / "probe.json")
    judge = ("grok", "-P", "-r", str(tmp_path / "probe.json"))
    assert dnsviz(*judge, "-l", "warning").strip() in ("", "{}")
    counts = Counter(statuses(json.loads(dnsviz(*judge, "-l", "info"))))
    assert counts.pop("VALID") > 30
    assert set(counts) <= {"NOERROR", "NXDOMAIN", "SECURE", "INSECURE"}, counts
