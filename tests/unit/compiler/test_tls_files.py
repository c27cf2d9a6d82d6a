"""What `lzc check` says of the certificates and keys that ``lzc.toml`` names."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler.checks.tls import check_tls_files
from lzc.compiler.inputs.sources import ConfigFile
from lzc.compiler.pipeline import build
from lzc.faults import Fault, Severity
from tests.unit.certificates import Pair, make

TOML = """[build]
sources = ["zones/*.zone"]
[serve]
tls-listen = ["127.0.0.1:0"]
tls-certificate-file = "tls.pem"
tls-key-file = "tls.key"
tls-client-ca-file = "ca.pem"
[tsig."k."]
algorithm = "hmac-sha256"
secret-file = "k.tsig"
[[secondary]]
name = "ns2"
address = "192.0.2.1:53"
zones = ["*"]
tsig = "k."
tls-pins = ["{pin}"]
"""
CERTIFICATE, KEY, CA, PINS = 5, 6, 7, 16


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pair = make()
        self.pair.write(folder, "tls")
        self.write("ca.pem", make("ca.example", ca=True).pem)
        self.pins(make("other.example"))

    def write(self, name: str, octets: bytes, mode: int = 0o644) -> None:
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(mode)

    def pins(self, other: Pair) -> None:
        (self.folder / "lzc.toml").write_text(TOML.format(pin=other.pin))

    def told(self, later: float = 0) -> list[Fault]:
        """With a clock that is so many days ahead."""
        settings = config.load(self.folder / "lzc.toml")
        file = ConfigFile.of(settings, None)
        return check_tls_files(settings, file, time.time() + later * 86400)

    def one(self, later: float = 0) -> tuple[str, int, str]:
        """The only warning: its rule, its line in lzc.toml, and what it says."""
        [fault] = self.told(later)
        assert fault.severity is Severity.WARNING
        assert fault.place.file == "lzc.toml" and fault.place.column
        return fault.rule, fault.place.line, fault.message


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_files_that_are_right_are_no_matter(project: Project) -> None:
    assert project.told() == []


@pytest.mark.parametrize(
    ("name", "line"), [("tls.pem", CERTIFICATE), ("tls.key", KEY), ("ca.pem", CA)]
)
def test_a_file_that_is_missing_or_damaged_is_told_at_its_line(
    project: Project, name: str, line: int
) -> None:
    project.write(name, b"no PEM", 0o600)
    _, where, said = project.one()
    assert where == line and name in said and "cannot be read" in said
    (project.folder / name).unlink()
    _, where, said = project.one()
    assert where == line and name in said and "No such file" in said


def test_a_key_of_another_certificate_or_open_to_others(project: Project) -> None:
    project.write("tls.key", make().key_pem, 0o600)
    rule, line, said = project.one()
    assert (rule, line) == ("tls-key", KEY) and "not that of the certificate" in said
    project.write("tls.key", project.pair.key_pem, 0o644)
    rule, line, _ = project.one()
    assert (rule, line) == ("tls-key-exposed", KEY)


def test_everything_that_is_wrong_is_told_at_once(project: Project) -> None:
    for name in ("tls.pem", "tls.key", "ca.pem"):
        (project.folder / name).unlink()
    assert [fault.place.line for fault in project.told()] == [CERTIFICATE, KEY, CA]


def test_the_end_of_a_certificate_is_told_before_it_comes(project: Project) -> None:
    # It is valid for 90 days.
    assert project.told(later=60) == []
    rule, line, said = project.one(later=80)
    assert (rule, line) == ("tls-certificate-date", CERTIFICATE) and "expires in" in said
    rule, line, said = project.one(later=91)
    assert (rule, line) == ("tls-certificate-date", CERTIFICATE) and "has expired" in said
    rule, line, said = project.one(later=-2)
    assert rule == "tls-certificate-date" and "from" in said


def test_our_own_pin_is_not_that_of_a_secondary(project: Project) -> None:
    project.pins(project.pair)
    rule, line, said = project.one()
    assert (rule, line) == ("tls-pin-own", PINS) and "ns2" in said


def test_a_build_tells_of_them_and_goes_on(project: Project) -> None:
    (project.folder / "tls.key").unlink()
    (project.folder / "k.tsig").write_text("a2V5")
    (project.folder / "k.tsig").chmod(0o600)
    (project.folder / "zones").mkdir()
    zone = "$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
    (project.folder / "zones/example.org.zone").write_text(zone)
    made = build(config.load(project.folder / "lzc.toml"), project.folder / "build", now=1.8e9)
    assert "tls-key-unreadable" in [fault.rule for fault in made.warnings]
