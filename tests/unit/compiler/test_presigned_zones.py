"""Zones with ``dnssec = "presigned"``: each signature is checked before they go live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import current
from lzc.compiler import pipeline, rollback
from lzc.dnssec.key import SigningKey
from lzc.faults import Fault, InputError
from tests.unit.answer.test_dnssec import csk
from tests.unit.answering import HEAD, NOW
from tests.unit.presigned_text import presigned

TEXT = HEAD + "www 600 IN A 192.0.2.1\nsub 600 IN NS ns.sub\nns.sub 600 IN A 192.0.2.3\n"
TOML = """
[build]
sources = ["zones/*.zone"]
[zone."example.org"]
dnssec = "presigned"
"""
EXPIRES = 1_801_094_400
"""When what is signed at `NOW` expires: the Thursday after the next one."""


@dataclass
class Project:
    """A project with one presigned zone."""

    folder: Path

    def build(self, text: str, toml: str = TOML, *, now: float = NOW) -> pipeline.BuildResult:
        (self.folder / "zones").mkdir(exist_ok=True)
        (self.folder / "zones/example.org.zone").write_text(text)
        path = self.folder / "lzc.toml"
        path.write_text(toml)
        return pipeline.build(config.load(path), now=now)

    def faults(self, text: str, toml: str = TOML, *, now: float = NOW) -> list[Fault]:
        with pytest.raises(InputError) as raised:
            self.build(text, toml, now=now)
        return list(raised.value.faults)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return csk("example.org.")


def test_it_goes_live_with_its_own_serial_keys_and_end(project: Project, key: SigningKey) -> None:
    result = project.build(presigned(TEXT, [key]))
    assert result.warnings == []
    with current.open_live(project.folder / "build") as bundle:
        (info,) = bundle.zones()
    assert (info.signed, info.presigned, info.serial) == (True, True, 2026010101)
    assert [one.dnskey for one in info.keys] == [key.dnskey]
    assert info.signatures_end == EXPIRES


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("www.example.org. 600 IN A ", "www.example.org. 600 IN A 192.0.2.9", "is wrong: it is"),
        ("www.example.org. 600 IN RRSIG A ", "", "no RRSIG over www.example.org. A"),
        ("example.org. 3600 IN RRSIG SOA ", "", "no RRSIG over example.org. SOA"),
        ("sub.example.org. 300 IN RRSIG NSEC ", "", "no RRSIG over sub.example.org. NSEC"),
        ("example.org. 300 IN RRSIG DNSKEY ", "", "no RRSIG over example.org. DNSKEY"),
    ],
)
def test_a_signature_that_lacks_or_does_not_hold_is_an_error(
    project: Project, key: SigningKey, line: str, instead: str, says: str
) -> None:
    text = presigned(TEXT, [key])
    (found,) = [one for one in text.splitlines() if one.startswith(line)]
    (fault,) = project.faults(text.replace(f"{found}\n", f"{instead}\n"))
    assert fault.rule == "presigned-signature"
    assert says in fault.message


def test_signatures_of_keys_that_are_not_there_are_an_error(
    project: Project, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    other = presigned(TEXT, [csk("example.org.")])
    (mine,), (foreign,) = (
        [line for line in each.splitlines() if " IN DNSKEY " in line] for each in (text, other)
    )
    faults = project.faults(text.replace(mine, foreign))
    assert {fault.rule for fault in faults} == {"presigned-signature"}
    assert all("is by a key that is not in the DNSKEY RRset" in one.message for one in faults)
    unsigned = project.faults(text.replace(f"{mine}\n", ""))
    assert "presigned-unsigned" in {fault.rule for fault in unsigned}


def test_a_zone_without_any_signature_is_an_error(project: Project) -> None:
    (fault,) = project.faults(TEXT)
    assert fault.rule == "presigned-unsigned"
    assert fault.message.endswith("has no DNSKEY records at its apex")


def test_a_chain_that_is_not_that_of_the_zone_is_an_error(
    project: Project, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    faults = project.faults(text.replace("NSEC ns1.example", "NSEC nt1.example"))
    assert {fault.rule for fault in faults} == {"presigned-signature"}
    # As if a record had been added to what was signed.
    less = presigned(TEXT.replace("www 600 IN A 192.0.2.1\n", ""), [key])
    of_name = [line for line in text.splitlines() if line.startswith("www.example.org. 600 ")]
    faults = project.faults("\n".join([less, *of_name]) + "\n")
    assert {fault.rule for fault in faults} == {"presigned-denial"}


def test_the_end_of_signatures_is_told_a_week_ahead_and_refused_after(
    project: Project, key: SigningKey
) -> None:
    text = presigned(TEXT, [key])
    week = 7 * 86400
    assert project.build(text, now=EXPIRES - week - 1).warnings == []
    (warning,) = project.build(text, now=EXPIRES - week).warnings
    assert warning.rule == "signatures-end"
    assert "expire 2027-01-28 00:00 UTC, in 7 days" in warning.message
    assert [one.rule for one in project.build(text, now=EXPIRES - 3600).warnings] == [
        "signatures-end"
    ]
    faults = project.faults(text, now=EXPIRES + 1)
    assert {fault.rule for fault in faults} == {"presigned-signature"}
    assert all("expired 2027-01-28T00:00:00Z" in fault.message for fault in faults)


def test_signatures_of_tomorrow_are_refused(project: Project, key: SigningKey) -> None:
    text = presigned(TEXT, [key], now=NOW + 30 * 86400)
    assert all("is not valid before" in one.message for one in project.faults(text))


def test_lua_records_beside_are_an_error(project: Project, key: SigningKey) -> None:
    text = presigned(TEXT, [key]) + "lua.example.org. 60 IN LUA A \"'192.0.2.1'\"\n"
    faults = project.faults(text, TOML + "[lua]\nenable = true\n")
    assert "presigned-and-lua" in {fault.rule for fault in faults}


def test_the_signed_serial_is_kept_whatever_the_project_does_with_others(
    project: Project, key: SigningKey
) -> None:
    toml = TOML.replace("[build]", '[build]\nserial = "unixtime"')
    project.build(presigned(TEXT, [key]), toml)
    text = TEXT.replace("192.0.2.1", "192.0.2.2")
    faults = project.faults(presigned(text, [key]), toml)
    assert [fault.rule for fault in faults] == ["serial-unchanged"]
    project.build(presigned(text.replace("2026010101", "2026010102"), [key]), toml)


def test_a_rollback_does_not_give_it_a_serial_that_nobody_signed(
    project: Project, key: SigningKey
) -> None:
    project.build(presigned(TEXT, [key]))
    newer = TEXT.replace("2026010101", "2026010102").replace("192.0.2.1", "192.0.2.2")
    project.build(presigned(newer, [key]))
    settings = config.load(project.folder / "lzc.toml")
    with pytest.raises(InputError) as raised:
        rollback.roll_back(settings, None, NOW)
    assert [fault.rule for fault in raised.value.faults] == ["presigned-serial"]
    rolled = rollback.roll_back(settings, None, NOW, as_is=True)
    assert rolled.zones == 1


def test_strip_dnssec_still_drops_all(project: Project, key: SigningKey) -> None:
    toml = TOML.replace('dnssec = "presigned"', "strip-dnssec = true")
    project.build(presigned(TEXT, [key]), toml)
    with current.open_live(project.folder / "build") as bundle:
        (info,) = bundle.zones()
    assert not info.signed


def test_other_values_of_the_setting_are_refused(project: Project) -> None:
    toml = TOML.replace('"presigned"', '"signed"')
    (fault,) = project.faults(TEXT, toml)
    assert "must be true, false or 'presigned'" in fault.message
