"""The address that NOTIFY leaves from, on a host that has two: secondaries that take it from the
one address by which they know lzc, and what is said where they refuse it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers._peers import origins
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at, wait_until
from tests.peers._peers.project import PLAIN_ZONES, Project
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.refreshing import ZONE as POWERDNS_ZONE
from tests.peers.refreshing import Refreshing

KNOWN = "127.0.0.2"
"""By which the secondaries know lzc."""
ZONE = PLAIN_ZONES[0]
LISTEN = {
    "first-listened-on": f'listen = ["{KNOWN}:{{port}}", "{LOOPBACK}:{{port}}"]',
    "second": f'listen = ["{LOOPBACK}:{{port}}", "{KNOWN}:{{port}}"]',
}
NOTIFY_SOURCE = f'notify-source = ["{KNOWN}"]'
LISTEN["notify-source"] = f"{LISTEN['second']}\n{NOTIFY_SOURCE}"
REFUSED = re.compile(
    r"answered (?:REFUSED|BADKEY|NOTAUTH, unsigned), to NOTIFY, though it has the zone"
    r" \(serial \d+\): (?:it does not know key transfer.example. \(hmac-sha256\), or )?"
    "it takes NOTIFY for it from another address only"
)
"""BIND and NSD say REFUSED, Knot DNS says BADKEY up to 3.3, and NOTAUTH from 3.4 on."""
OTHERS = (*BIND, *NSD, *KNOT)


class Group:
    """lzc, which knows how to be served again, and all secondaries that are here, while it runs;
    ``listen`` is what is said in ``[serve]``."""

    def __init__(self, folder: Path, listen: str) -> None:
        origins.wait()
        self._folder = folder
        self.ports = {release: free_port() for release in OTHERS if release.present()}
        self.project = Project(
            folder / "project",
            [(str(one), port, KINDS[one.software].name) for one, port in self.ports.items()],
        )
        text = self.project.config.read_text().replace("dnssec = true", "dnssec = false")
        here = f'listen = ["{LOOPBACK}:{self.project.port}"]'
        assert here in text
        self.project.config.write_text(text.replace(here, listen.format(port=self.project.port)))
        self.project.build()
        self.lzc: Process
        self.before: int | None

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Everything runs while the block runs."""
        with contextlib.ExitStack() as secondaries, contextlib.ExitStack() as self._serving:
            self.lzc = self._serving.enter_context(self.project.serve())
            for release, port in self.ports.items():
                secondaries.enter_context(
                    KINDS[release.software].secondary(
                        self._folder / str(release),
                        port,
                        self.project.port,
                        PLAIN_ZONES,
                        release,
                        KNOWN,
                    )
                )
            yield

    def restart(self) -> None:
        """End lzc, and start it anew."""
        self._serving.close()
        self.lzc = self._serving.enter_context(self.project.serve())

    def change(self) -> None:
        """Append a record, build, and have the new bundle served."""
        self.before = serial_at(self.project.port, ZONE)
        self.project.append(ZONE, f"fresh-{self.before} A 192.0.2.200")
        self.project.build()
        self.project.lzc("ctl", "reload")

    def await_the_change(self, release: Release) -> None:
        """Wait until a secondary has what lzc has."""
        ours = serial_at(self.project.port, ZONE)
        wait_until(
            lambda: serial_at(self.ports[release], ZONE) == ours, f"{release} has the change"
        )

    def address(self, release: Release) -> str:
        """The address of a secondary, as it is written."""
        return f"{LOOPBACK}:{self.ports[release]}"

    def refusals(self, release: Release) -> list[str]:
        """The lines of the log that say that a secondary refuses NOTIFY."""
        lines = self.lzc.log_text().splitlines()
        address = self.address(release)
        return [line for line in lines if address in line and REFUSED.search(line)]

    def refused_by(self, release: Release) -> bool:
        """Whether `lzc ctl status` says so of the zone, below this secondary's name."""
        told = self.project.lzc("ctl", "status").stdout
        own = told.partition(f"({self.address(release)})")[2].partition("\nsecondary ")[0]
        return any(f"{ZONE}. serial" in line for line in own.splitlines() if REFUSED.search(line))


@pytest.fixture(scope="module", params=["first-listened-on", "notify-source"])
def notified(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Group]:
    """The kernel would choose another address, from which the secondaries refuse it."""
    group = Group(tmp_path_factory.mktemp("notified"), LISTEN[request.param])
    with group.run():
        # One that is still on its way up refuses what it will take.
        for _ in range(2):
            group.change()
        yield group


@pytest.mark.parametrize("release", OTHERS, ids=str)
def test_it_is_the_one_that_the_secondary_knows(release: Release, notified: Group) -> None:
    release.require()
    notified.await_the_change(release)
    assert not notified.refusals(release)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    group = Group(tmp_path_factory.mktemp("refusing"), LISTEN["second"])
    with group.run():
        group.change()
        yield group


@pytest.mark.parametrize("release", OTHERS, ids=str)
def test_a_secondary_that_refuses_it_is_named(release: Release, refusing: Group) -> None:
    release.require()
    wait_until(lambda: bool(refusing.refusals(release)), "lzc says that NOTIFY is refused")
    line = refusing.refusals(release)[0]
    assert re.search(rf"WARNING .*secondary {release} \({refusing.address(release)}\): ", line)
    assert f"{ZONE}. serial " in line
    assert f"it left from {LOOPBACK}; " in line
    assert "put that into notify-source in [serve]" in line
    wait_until(lambda: refusing.refused_by(release), "lzc ctl status says so of the zone")
    assert serial_at(refusing.ports[release], ZONE) == refusing.before


@pytest.fixture(scope="module")
def mended(refusing: Group) -> Group:
    """After what was told to do was done."""
    config = refusing.project.config
    config.write_text(config.read_text().replace("[serve]", f"[serve]\n{NOTIFY_SOURCE}"))
    refusing.restart()
    return refusing


@pytest.mark.parametrize("release", OTHERS, ids=str)
def test_the_way_out_that_is_told_is_one(release: Release, mended: Group) -> None:
    release.require()
    mended.await_the_change(release)
    wait_until(lambda: not mended.refused_by(release), "nothing is said of it any more")


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_powerdns_refuses_it_from_another_address(release: Release, tmp_path: Path) -> None:
    release.require()
    pair = Refreshing(tmp_path, release, primary=KNOWN, settings=f'notify-source = ["{LOOPBACK}"]')
    with pair.run():
        for number in range(20):
            # Where it has a serial by asking before its refusal is here, nothing is said of it.
            pair.change(number)
            if pair.says("answered REFUSED, to NOTIFY, though it has the zone (serial "):
                break
        assert pair.says("answered REFUSED, to NOTIFY, though it has the zone (serial ")
        assert pair.says(f"{POWERDNS_ZONE}. serial ")
        assert pair.says(f"it left from {LOOPBACK}; ")
        assert f"{POWERDNS_ZONE}. serial" in pair.project.lzc("ctl", "status").stdout
