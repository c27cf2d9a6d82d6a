"""BIND, NSD and Knot DNS of every generation, set up by ``lzc export`` alone: zone by zone, by a
catalog, and over TLS."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.rcode
import pytest

from tests.patience import PATIENCE
from tests.peers._peers.asking import ask, essence
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_for_zone, wait_until
from tests.peers._peers.project import TSIG_NAME, Project
from tests.peers._peers.releases import BIND, KNOT, NSD, Release

ODD = r"a\"b\;\@c.d\032e\\f.example"
ZONES = ("example.com", "many.example", ODD)
NAME = "ns 3/'$"
FOLDER = "ns%203%2F%27%24"
FILES = {"bind": "named.conf", "nsd": "nsd.conf", "knot": "knot.conf"}
CATALOG = "catalog.invalid"
OWN_KEY = re.compile(r'key "\{tsig\}".*\n|key:\n.*(?:name|id): .*\{tsig\}.*\n(?: +\w.*\n)*')
"""What the tests' own settings say of the key, which is exported here."""
HEAD = "$TTL 60\n@ SOA ns1.example. h.example. 1 3600 600 86400 60\n@ NS ns1.example.\n"


class Exported:
    """lzc with one secondary of a version, in ``folder``."""

    def __init__(self, folder: Path, release: Release, more: str, tables: str = "") -> None:
        release.require()
        self.release = release
        self.folder = folder
        self.port = free_port()
        self.project = Project(folder / "project")
        zones = self.project.folder / "zones"
        for file in zones.glob("*.zone"):
            if file.stem != ZONES[0]:
                file.unlink()
        many = "".join(f"many TXT {n}\nmany TYPE{1000 + n} \\# 1 00\n" for n in range(120))
        (zones / "many.example.zone").write_text(HEAD + many)
        (self.project.folder / "odd").write_text(HEAD + "x A 192.0.2.1\n")
        self.project.config.write_text(
            '[build]\nsources = ["zones/*.zone"]\nserial = "increment"\n'
            f"[zone.'{ODD}']\nsource = 'odd'\n"
            f'[tsig."{TSIG_NAME}"]\nsecret-file = "keys/transfer.tsig"\n'
            f'[[secondary]]\nname = "{NAME}"\naddress = "{LOOPBACK}:{self.port}"\n'
            f'software = "{release.software}-{release.version}"\ntsig = "{TSIG_NAME}"\n{more}\n'
            f'{tables}\n[serve]\nlisten = ["{LOOPBACK}:{self.project.port}"]\n'
        )

    @property
    def here(self) -> Path:
        """Where the files of the secondary are."""
        return self.folder / "exported" / FOLDER

    def text(self, name: str) -> str:
        """An exported file, with the certificate where it is here, and files of members at home."""
        text = (self.here / name).read_text()
        if name == FILES["knot"]:
            home = f'    storage: "{self.folder / "home"}"\n'
            text = text.replace("  - id: lzc-member\n", "  - id: lzc-member\n" + home)
        return re.sub(r"/etc/\w+/lzc/", f"{self.here}/", text)

    @contextlib.contextmanager
    def run(self, *waited: str) -> Iterator[None]:
        """Build, export, serve, and have the secondary run while the block runs, which starts when
        it has all zones."""
        self.project.build()
        folder = str(self.folder / "exported")
        self.project.lzc("export", self.release.software, "--secrets", "-o", folder)
        kind = KINDS[self.release.software]
        head, count = OWN_KEY.subn("", kind.head)
        assert count == 1
        escaped = _escaped(self.text(FILES[self.release.software]))
        options = self.here / "named-options.conf"
        if options.exists():
            inside = _escaped(self.text(options.name))
            head = head.replace("options {{\n", "options {{\n" + inside)
        server = replace(kind, head=head, primary=escaped, transferred="")
        home = self.folder / "home"
        with (
            self.project.serve(),
            server.secondary(home, self.port, self.project.port, [], self.release) as process,
        ):
            for zone in waited or ZONES:
                wait_for_zone(process, self.port, zone)
            self.check(home / f"{kind.name}.conf")
            yield

    def check(self, file: Path) -> None:
        """What the server's own program says of the configuration."""
        words = {
            "bind": ["named-checkconf", str(file)],
            "nsd": ["nsd-checkconf", str(file)],
            "knot": ["knotc", "-c", str(file), "conf-check"],
        }[self.release.software]
        command = [*self.release.command(words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr

    def same(self) -> None:
        """Whether it answers as we do."""
        for name in ("www.example.com", "many.many.example", f"x.{ODD}", f"y.{ODD}"):
            ours = ask(self.project.port, name, "A")
            assert essence(ask(self.port, name, "A")) == essence(ours)

    def rebuild(self) -> None:
        """Have what changed served."""
        self.project.build()
        self.project.lzc("ctl", "reload")


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize("release", [*BIND, *NSD, *KNOT], ids=str)
def test_each_zone_is_taken_and_followed(release: Release, tmp_path: Path) -> None:
    one = Exported(tmp_path, release, "")
    with one.run():
        one.same()
        one.project.append("example.com", "new A 192.0.2.81")
        before = serial_at(one.port, "example.com")
        one.rebuild()
        wait_until(lambda: serial_at(one.port, "example.com") != before, "it follows")
        assert ask(one.port, "new.example.com", "A").answer


WITH_CATALOGS = [release for release in (*BIND, *NSD, *KNOT) if str(release) != "nsd-4.6"]


@pytest.mark.parametrize("release", WITH_CATALOGS, ids=str)
def test_a_catalog_brings_zones_and_takes_them_away(release: Release, tmp_path: Path) -> None:
    one = Exported(
        tmp_path,
        release,
        "",
        f'[catalog."{CATALOG}"]\n[zone."example.com"]\ncatalog-group = "lzc-member"\n',
    )
    with one.run():
        one.same()
        zones = one.project.folder / "zones"
        (zones / "new.example.zone").write_text(HEAD + "x A 192.0.2.1\n")
        one.rebuild()
        wait_until(lambda: serial_at(one.port, "new.example") is not None, "it has a new zone")
        one.project.append("example.com", "new A 192.0.2.81")
        before = serial_at(one.port, "example.com")
        one.rebuild()
        wait_until(lambda: serial_at(one.port, "example.com") != before, "it follows a member")
        (zones / "new.example.zone").unlink()
        one.rebuild()

        def gone() -> bool:
            return ask(one.port, "x.new.example", "A").rcode() != dns.rcode.NOERROR

        wait_until(gone, "a zone that went is gone")
        one.same()


def test_an_old_nsd_is_told_of_each_zone_and_that_it_knows_no_catalogs(tmp_path: Path) -> None:
    release = NSD[0]
    one = Exported(tmp_path, release, "", f'[catalog."{CATALOG}"]')
    with one.run():
        one.same()
    done = one.project.lzc("export", "nsd", "--diff", "--secrets", "-o", str(tmp_path / "exported"))
    assert "[secondary-without-catalogs]" in done.stderr
    assert "nothing would change" in done.stdout


WITH_TLS = [release for release in (*BIND, *NSD, *KNOT) if str(release) != "knot-3.2"]


@pytest.mark.parametrize("release", WITH_TLS, ids=str)
def test_transfers_go_over_tls_alone(release: Release, tmp_path: Path) -> None:
    one = Exported(tmp_path, release, "require-tls = true")
    port = free_port()
    keys = one.project.folder / "keys"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "30", "-subj", "/CN=ns1.example.net"),
            *("-addext", "subjectAltName=DNS:ns1.example.net"),
            *("-keyout", str(keys / "tls.key"), "-out", str(keys / "tls.pem")),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    (keys / "tls.key").chmod(0o600)
    with one.project.config.open("a") as file:
        file.write(
            f'tls-listen = ["{LOOPBACK}:{port}"]\ntls-certificate-file = "keys/tls.pem"\n'
            'tls-key-file = "keys/tls.key"\n'
        )
    with one.run():
        one.same()
