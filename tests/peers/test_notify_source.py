"""The address that NOTIFY leaves from, on a host that has two: secondaries that take it from the
one address by which they know lzc, and what is said where they refuse it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at, wait_until
from tests.peers._peers.project import PLAIN_ZONES, Project
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.refreshing import ZONE as POWERDNS_ZONE
from tests.peers.refreshing import Refreshing

KNOWN = "127.0.0.2"
"""By which the secondary knows lzc."""
ZONE = PLAIN_ZONES[0]
FIRST = f'listen = ["{KNOWN}:{{port}}", "{LOOPBACK}:{{port}}"]'
SECOND = f'listen = ["{LOOPBACK}:{{port}}", "{KNOWN}:{{port}}"]'
NAMED = f'{SECOND}\nnotify-source = ["{KNOWN}"]'
REFUSED = re.compile("or another address as its primary|or takes NOTIFY with it from another")
"""BIND and NSD say REFUSED, Knot DNS says BADKEY up to 3.3, and NOTAUTH from 3.4 on."""
OTHERS = (*BIND, *NSD, *KNOT)


class Pair(NamedTuple):
    """lzc, which knows how to be served again, and its secondary, both running."""

    project: Project
    port: int
    serving: contextlib.ExitStack
    lzc: Process

    def change(self) -> None:
        """Append a record, build, and have the new bundle served."""
        self.project.append(ZONE, f"fresh-{serial_at(self.project.port, ZONE)} A 192.0.2.200")
        self.project.build()
        self.project.lzc("ctl", "reload")

    def await_the_change(self) -> None:
        """Wait until the secondary has what lzc has."""
        ours = serial_at(self.project.port, ZONE)
        wait_until(lambda: serial_at(self.port, ZONE) == ours, "the secondary has the change")


@contextlib.contextmanager
def pair_of(folder: Path, release: Release, listen: str) -> Iterator[Pair]:
    """Both run while the block runs; ``listen`` is what is said in ``[serve]``."""
    release.require()
    server, port = KINDS[release.software], free_port()
    project = Project(folder / "project", [("ns2", port, server.name)])
    text = project.config.read_text().replace("dnssec = true", "dnssec = false")
    here = f'listen = ["{LOOPBACK}:{project.port}"]'
    assert here in text
    project.config.write_text(text.replace(here, listen.format(port=project.port)))
    project.build()
    with contextlib.ExitStack() as serving:
        lzc = serving.enter_context(project.serve())
        secondary = server.secondary(
            folder / server.name, port, project.port, PLAIN_ZONES, release, KNOWN
        )
        with secondary:
            yield Pair(project, port, serving, lzc)


@pytest.mark.parametrize("listen", [FIRST, NAMED], ids=["first-listened-on", "notify-source"])
@pytest.mark.parametrize("release", OTHERS, ids=str)
def test_it_is_the_one_that_the_secondary_knows(
    release: Release, listen: str, tmp_path: Path
) -> None:
    """The kernel would choose another, from which the secondary refuses it."""
    with pair_of(tmp_path, release, listen) as pair:
        # One that is still on its way up refuses what it will take.
        begun = len(pair.lzc.log_text())
        for _ in range(2):
            pair.change()
            pair.await_the_change()
        assert not REFUSED.search(pair.lzc.log_text()[begun:])


@pytest.mark.parametrize("release", OTHERS, ids=str)
def test_a_secondary_that_refuses_it_is_named_and_the_way_out_is_one(
    release: Release, tmp_path: Path
) -> None:
    with pair_of(tmp_path, release, SECOND) as pair:
        before = serial_at(pair.port, ZONE)
        pair.change()
        address = f"{LOOPBACK}:{pair.port}"
        line = refusal(pair.lzc, address)
        assert re.search(rf"WARNING .*secondary ns2 \({address}\): ", line)
        assert f"{ZONE}. serial " in line
        assert f"it left from {LOOPBACK}; " in line
        wait_until(
            lambda: any(
                f"{ZONE}. serial" in one and REFUSED.search(one)
                for one in pair.project.lzc("ctl", "status").stdout.splitlines()
            ),
            "lzc ctl status says so of the zone",
        )
        assert serial_at(pair.port, ZONE) == before

        assert "put that into notify-source in [serve]" in line
        text = pair.project.config.read_text()
        pair.project.config.write_text(
            text.replace("[serve]", f'[serve]\nnotify-source = ["{KNOWN}"]')
        )
        pair.serving.close()
        with pair.project.serve():
            pair.await_the_change()
            wait_until(
                lambda: not REFUSED.search(pair.project.lzc("ctl", "status").stdout),
                "nothing is said of it any more",
            )


def refusal(lzc: Process, address: str) -> str:
    """Wait for the first line of the log that says that this secondary refuses NOTIFY."""

    def found() -> list[str]:
        lines = lzc.log_text().splitlines()
        return [line for line in lines if address in line and REFUSED.search(line)]

    wait_until(lambda: bool(found()), "lzc says that NOTIFY is refused")
    return found()[0]


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_powerdns_refuses_it_from_another_address(release: Release, tmp_path: Path) -> None:
    release.require()
    pair = Refreshing(tmp_path, release, primary=KNOWN, settings=f'notify-source = ["{LOOPBACK}"]')
    with pair.run():
        for number in range(20):
            # Where it has a serial by asking before its refusal is here, nothing is said of it.
            pair.change(number)
            if pair.says("REFUSED, to NOTIFY"):
                break
        assert pair.says("REFUSED, to NOTIFY")
        assert pair.says(f"{POWERDNS_ZONE}. serial ")
        assert pair.says(f"it left from {LOOPBACK}; ")
        assert f"{POWERDNS_ZONE}. serial" in pair.project.lzc("ctl", "status").stdout
