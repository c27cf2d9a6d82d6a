"""PowerDNS of three generations that makes zones by itself, from a catalog or when it is notified,
and is completed by ``lzc export powerdns``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import dns.rcode
import pytest

from tests.peers._peers.asking import ask, essence
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_until
from tests.peers._peers.project import TSIG_NAME, Project
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.exported import ExportedPowerDns

CATALOG = "catalog.invalid"
PLAIN, SIGNED = "example.com", "example.org"
NEW = "new.example"
ED25519 = 15
IMPORT = re.compile(r"import-(?:zone-)?key")
HEAD = "$TTL 60\n@ SOA ns1.example. h.example. 1 3600 600 86400 60\n@ NS ns1.example.com.\n"


def project_with(folder: Path, port: int, release: Release, more: str, tables: str) -> Project:
    """Two zones, one of them with LUA records and signed."""
    project = Project(folder)
    for file in (folder / "zones").glob("*.zone"):
        if file.stem not in (PLAIN, SIGNED):
            file.unlink()
    project.config.write_text(
        '[build]\nsources = ["zones/*.zone"]\nserial = "increment"\n[lua]\nenable = true\n'
        f'[zone."{SIGNED}"]\ndnssec = true\n'
        f'[tsig."{TSIG_NAME}"]\nsecret-file = "keys/transfer.tsig"\n'
        f'[[secondary]]\nname = "ns2"\naddress = "{LOOPBACK}:{port}"\n'
        f'software = "{release}"\ntsig = "{TSIG_NAME}"\n{more}\n{tables}\n'
        f'[serve]\ngeoip = ["geo/example.mmdb"]\nlisten = ["{LOOPBACK}:{project.port}"]\n'
    )
    project.lzc("keys", "generate", SIGNED, "--algorithm", str(ED25519))
    project.build()
    return project


def same(project: Project, server: ExportedPowerDns) -> None:
    """Whether it answers as we do, signatures too."""
    for name, kind in (
        ("www.example.com", "A"),
        ("static.example.org", "TXT"),
        ("hashed.det.example.org", "A"),
        ("nothing.example.org", "A"),
    ):
        ours = ask(project.port, name, kind, dnssec=True)
        assert essence(ask(server.port, name, kind, dnssec=True)) == essence(ours)


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_members_of_a_catalog_are_completed_and_follow(release: Release, tmp_path: Path) -> None:
    release.require()
    port = free_port()
    project = project_with(tmp_path / "project", port, release, "", f'[catalog."{CATALOG}"]\n')
    exported = tmp_path / "exported"
    geo = project.folder / "geo" / "example.mmdb"
    server = ExportedPowerDns(tmp_path / "pdns", release, exported / "ns2", port, geo)

    def export() -> None:
        project.lzc("export", "powerdns", "--secrets", "-o", str(exported))

    def there() -> set[object]:
        return {name for (name,) in server.select("select name from domains")}

    export()
    assert f"{PLAIN} is not here yet" in server.provision(code=3)
    with project.serve(), server.run():
        wait_until(lambda: there() >= {PLAIN, SIGNED}, "the catalog brought its members")

        def told() -> bool:
            done = project.lzc("ctl", "secondaries", "ns2", "--format", "json")
            [one] = json.loads(done.stdout)["secondaries"]
            last = one["transfers"]["last_refusal"]
            return last is not None and "powerdns.sh is run again" in last["why"]

        wait_until(told, "it is seen that they came without the key")
        assert len(IMPORT.findall(server.provision())) == 1
        wait_until(lambda: serial_at(port, SIGNED) is not None, "the members have their content")
        wait_until(lambda: serial_at(port, PLAIN) is not None, "the members have their content")
        same(project, server)
        before = server.dump()
        assert server.provision() == ""
        assert server.dump() == before
        (project.folder / "zones" / f"{NEW}.zone").write_text(HEAD + "x A 192.0.2.1\n")
        project.build()
        project.lzc("ctl", "reload")
        wait_until(lambda: NEW in there(), "a new member came")
        export()
        server.provision()
        wait_until(lambda: serial_at(port, NEW) is not None, "it has its content")
        (project.folder / "zones" / f"{NEW}.zone").unlink()
        project.build()
        project.lzc("ctl", "reload")
        wait_until(lambda: NEW not in there(), "a member that went is gone")
        assert len(server.select("select * from cryptokeys")) == 1
        same(project, server)


@pytest.mark.usefixtures("nowhere_to_go")
@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_an_autoprimary_needs_no_word_of_a_new_zone(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.require()
    port = free_port()
    folder = tmp_path / "project"
    # It asks at port 53, whatever it was notified from.
    monkeypatch.setattr("tests.peers._peers.project.free_port", lambda: 53)
    names = 'autoprimary = ["ns1.example.com", "ns1.example.net"]'
    project = project_with(folder, port, release, names, "")
    exported = tmp_path / "exported"
    geo = project.folder / "geo" / "example.mmdb"
    server = ExportedPowerDns(tmp_path / "pdns", release, exported / "ns2", port, geo)
    done = project.lzc("export", "powerdns", "--secrets", "-o", str(exported))
    assert "autoprimary-port" not in done.stderr
    server.provision(code=3)
    assert len(server.select("select * from supermasters")) == 2
    with project.serve(), server.run([PLAIN, SIGNED]):
        assert len(IMPORT.findall(server.provision())) == 1
        wait_until(
            lambda: bool(ask(port, "static.example.org", "TXT", dnssec=True).answer[1:]),
            "it signs with our keys",
        )
        same(project, server)
        before = server.dump()
        assert server.provision() == ""
        assert server.dump() == before
        (project.folder / "zones" / f"{NEW}.zone").write_text(HEAD + "x A 192.0.2.1\n")
        project.build()
        project.lzc("ctl", "reload")
        wait_until(lambda: serial_at(port, NEW) is not None, "a new zone came by itself")
        assert ask(port, f"x.{NEW}", "A").rcode() == dns.rcode.NOERROR


def test_it_is_told_where_nobody_listens_to_the_port_of_autoprimaries(tmp_path: Path) -> None:
    release = POWERDNS[0]
    project = project_with(
        tmp_path / "project", free_port(), release, 'autoprimary = ["ns1.example.com"]', ""
    )
    done = project.lzc("export", "powerdns", "-o", str(tmp_path / "exported"))
    assert "[autoprimary-port]" in done.stderr
    # What is there are no secrets.
    assert not (tmp_path / "exported" / "ns2" / "secrets").exists()
