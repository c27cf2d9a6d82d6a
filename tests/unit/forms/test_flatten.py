"""Flattened zones: what LUA records give, in place of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.answer.transfer_kinds import Kind
from tests.unit.forms.publishing import Project, Secondary

TEXT = """\
who LUA TXT "who:toString()"
two LUA A "{'192.0.2.1','192.0.2.2'}"
two LUA TXT "'t'"
two AAAA 2001:db8::1
*.w LUA TXT "qname:toString()"
none LUA A "{}"
deep.none2 LUA A "{}"
up LUA A "ifportup(443,{'192.0.2.10','192.0.2.11'},{selector='all'})"
only LUA A "ifportup(443,{'192.0.2.12'},{backupSelector='empty'})"
any LUA A "pickrandom({'192.0.2.20','192.0.2.21','192.0.2.22'})"
code LUA A ";return '192.0.2.' .. tostring(pdnsrandom(200))"
alias LUA CNAME "'two.example.org'"
bad LUA A ";error('x')"
cfg LUA LUA "x=1"
"""


def rows(secondary: Secondary, *names: str) -> set[tuple[str, str, str]]:
    """Owner, type and RDATA of what is static."""
    return {
        (name.removesuffix(".example.org."), kind, rdata)
        for name, _, kind, rdata in secondary.rows("RRSIG", "NSEC", "NSEC3", "SOA", "DNSKEY")
        if not names or name.removesuffix(".example.org.") in names
    }


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_lua_records_are_what_they_give_one_client(
    tmp_path: Path, denial: str, signed: bool
) -> None:
    project = Project(tmp_path, denial=denial, signed=signed)
    project.build(TEXT)
    (told,) = project.look()
    assert not told.problem
    secondary = Secondary()
    secondary.refresh(project)
    found = rows(secondary)
    assert ("who", "TXT", '"192.0.2.77"') in found
    assert {one for one in found if one[0] == "two"} == {
        ("two", "A", "192.0.2.1"),
        ("two", "A", "192.0.2.2"),
        ("two", "TXT", '"t"'),
        ("two", "AAAA", "2001:db8::1"),
    }
    assert ("*.w", "TXT", '"*.w.example.org."') in found
    assert ("alias", "CNAME", "two.example.org.") in found
    assert not [one for one in found if one[0] in ("none", "deep.none2", "bad", "cfg")]
    assert not [one for one in found if one[1] == "TYPE65402"]
    if signed:
        secondary.check(project.now)
        assert "none.example.org." not in {name for name, *_ in secondary.rows()}


def test_chance_is_the_same_each_time_and_not_for_all(tmp_path: Path) -> None:
    project = Project(tmp_path)
    many = "".join(
        f"r{number} LUA A \"pickrandom({{'192.0.2.1','192.0.2.2'}})\"\n" for number in range(20)
    )
    project.build(TEXT + many)
    (first,) = project.look()
    secondary = Secondary()
    secondary.refresh(project)
    assert len({rdata for name, _, rdata in rows(secondary) if name.startswith("r")}) == 2
    project.restart()
    for _ in range(4):
        (told,) = project.look(60)
        assert told.serial == first.serial


def test_health_counts_when_it_stood_and_serials_have_a_floor(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(TEXT)
    (first,) = project.look(60)
    secondary = Secondary()
    secondary.refresh(project)
    assert ("only", "A", "192.0.2.12") in rows(secondary)
    project.look(60)
    project.health.up = False
    (told,) = project.look(5)
    assert told.serial == first.serial
    (told,) = project.look(5)
    assert told.serial > first.serial
    assert secondary.refresh(project) is Kind.IXFR
    assert not rows(secondary, "only")
    secondary.check(project.now)
    project.health.up = True
    serials = [project.look(5)[0].serial for _ in range(5)]
    assert set(serials) == {told.serial}
    (back,) = project.look(5)
    assert back.serial > told.serial
    secondary.refresh(project)
    assert ("only", "A", "192.0.2.12") in rows(secondary)
    secondary.check(project.now)


def test_health_that_comes_and_goes_with_each_look_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(TEXT)
    (first,) = project.look()
    for number in range(20):
        project.health.up = bool(number % 2)
        (told,) = project.look(30)
        assert told.serial == first.serial


def test_as_if_all_were_up(tmp_path: Path) -> None:
    project = Project(tmp_path, section='flatten-health = "all-up"')
    project.health.up = False
    project.build(TEXT)
    project.look()
    secondary = Secondary()
    secondary.refresh(project)
    assert ("only", "A", "192.0.2.12") in rows(secondary)


def test_a_record_that_fails_gives_what_it_gave_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = Project(tmp_path)
    project.build("a LUA A \"ifportup(443,{'192.0.2.1'})\"\n")
    project.look()
    project.build("a LUA A \";error('oh')\"\nb LUA A \"'192.0.2.2'\"\n")
    project.look()
    secondary = Secondary()
    secondary.refresh(project)
    assert rows(secondary, "a", "b") == {("a", "A", "192.0.2.1"), ("b", "A", "192.0.2.2")}
    assert "a.example.org. LUA A fails, and what it gave before stays" in caplog.text
    said = caplog.text
    project.look(60)
    assert caplog.text == said


def test_what_a_failing_record_gave_outlives_the_publisher(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build("a LUA A \"ifportup(443,{'192.0.2.1'})\"\nb TXT static\n")
    project.look()
    project.restart()
    project.build("a LUA A \";error('oh')\"\nb TXT other\n")
    project.look()
    secondary = Secondary()
    secondary.refresh(project)
    assert rows(secondary, "a", "b") == {("a", "A", "192.0.2.1"), ("b", "TXT", '"other"')}


def test_a_large_zone_is_flattened_by_several_processes(tmp_path: Path) -> None:
    project = Project(tmp_path, processes=2)
    many = "".join(f"n{number} A 192.0.2.1\n" for number in range(17000))
    project.build(many + TEXT)
    (told,) = project.look()
    assert not told.problem
    project.health.up = False
    project.look(60)
    (second,) = project.look(60)
    assert (second.problem, second.serial > told.serial) == ("", True)
    secondary = Secondary()
    secondary.refresh(project)
    assert ("who", "TXT", '"192.0.2.77"') in rows(secondary)
    assert not rows(secondary, "only")
