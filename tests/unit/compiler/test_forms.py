"""What a build and a check say of the forms that secondaries get zones in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.compiler.pipeline import build, check
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.faults import Fault, InputError, Severity
from tests.unit.command_line import lzc
from tests.unit.compiling import wire

NOW = 1_800_000_000.0
HEAD = "$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n"
TOML = """[build]
sources = ["zones/*.zone"]
[lua]
enable = true
[zone."signed.example"]
dnssec = true
[tsig."k."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[tsig."o."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV1"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zones").mkdir()
    for name, more in (("lua", "l LUA A \"'192.0.2.1'\"\n"), ("signed", ""), ("plain", "")):
        (tmp_path / "zones" / f"{name}.example.zone").write_text(HEAD + more)
    Keystore(tmp_path / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], NOW - 86400)
    return tmp_path


def section(
    name: str, software: str, *more: str, tsig: str = "k.", address: str = "192.0.2.2"
) -> str:
    lines = [f'name = "{name}"', f'address = "{address}:53"', f'software = "{software}"']
    return "\n".join(["[[secondary]]", *lines, f'tsig = "{tsig}"', *more, ""])


def configured(project: Path, *sections: str) -> config.Config:
    path = project / "lzc.toml"
    path.write_text(TOML + "".join(sections))
    path.chmod(0o600)
    return config.load(path)


def faults(project: Path, *sections: str) -> list[Fault]:
    """The errors of a check; of a build they are the same, and nothing is written."""
    settings = configured(project, *sections)
    found = []
    for run in (check, build):
        try:
            run(settings, config_path=project / "lzc.toml", now=NOW)
        except InputError as error:
            found.append([one for one in error.faults if one.severity is Severity.ERROR])
        else:
            found.append([])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("software", "form", "words"),
    [
        ("bind", "live", "LUA records, which bind does not run"),
        ("generic", "live", "LUA records, which generic does not run"),
        ("nsd", "presigned", "LUA records, which cannot be signed beforehand"),
        ("powerdns-5.1", "presigned", "LUA records, which cannot be signed beforehand"),
    ],
)
def test_what_cannot_be_is_a_fault_with_its_line(
    project: Path, software: str, form: str, words: str
) -> None:
    (fault,) = faults(project, section("ns2", software, f'form = "{form}"'))
    assert fault.rule == "secondary-form"
    assert str(fault.place).endswith("lzc.toml:16:1")
    assert words in fault.message
    assert "lua.example" in fault.message
    assert (
        faults(project, section("ns2", software, f'form = "{form}"', 'zones = ["plain.*"]')) == []
    )


def test_two_forms_for_who_could_be_either_are_a_fault(project: Path) -> None:
    pair = section("ns2", "powerdns-5.1"), section("ns3", "bind")
    (first, *_) = found = faults(project, *pair)
    assert {fault.rule for fault in found} == {"secondary-forms"}
    assert str(first.place).endswith("lzc.toml:16:1")
    assert "ns2" in first.message
    assert "lzc.toml:12" in first.message
    assert faults(project, pair[0], section("ns3", "bind", tsig="o.")) == []
    assert faults(project, pair[0], section("ns3", "bind", address="192.0.2.3")) == []
    zones = 'zones = ["plain.example"]'
    assert faults(project, pair[0], section("ns3", "bind", zones)) == []


def test_two_views_for_who_could_be_either_are_one_too(project: Path) -> None:
    here, there = (f'flatten-client = "198.51.100.{number}"' for number in (1, 2))
    pair = section("ns2", "bind", here), section("ns3", "nsd", there)
    (fault,) = faults(project, *pair)
    assert "flattened for 198.51.100.2" in fault.message
    assert faults(project, pair[0], section("ns3", "nsd", here)) == []


def test_a_build_and_a_check_say_what_was_chosen(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NOW)))
    configured(project, section("ns2", "powerdns-5.1"), section("ns3", "knot", tsig="o."))
    flattened = (
        "secondary ns3 (knot) gets flattened: lua.example., as knot does not run LUA records"
    )
    presigned = "secondary ns3 (knot) gets presigned: signed.example., as"
    for command in ("check", "build"):
        said = lzc(project, command).output
        assert flattened in said
        assert presigned in said
        assert "ns2 (powerdns-5.1) gets" not in said


def test_addresses_and_forms_are_looked_at_when_they_are_read(project: Path) -> None:
    for line in ('form = "signed"', 'flatten-client = "ns2"', 'flatten-health = "up"'):
        with pytest.raises(InputError) as error:
            configured(project, section("ns2", "bind", line))
        assert "lzc.toml:16" in str(error.value.faults[0].place)
