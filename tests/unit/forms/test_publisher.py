"""Forms of zones: made, changed by no more than changed, and signed anew in time."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from lzc import config
from lzc.answer.transfer_kinds import Kind
from lzc.bundle import current
from lzc.forms.signing import REFRESH, VALIDITY
from lzc.forms.where import FOLDER, SERIALS
from tests.unit.forms.publishing import NOW, Project, Secondary

STILL = "".join(f'p{number} TXT "{"x" * 60}"\n' for number in range(30))
WAYS = {
    "nsec": {"denial": "nsec"},
    "compact": {"denial": "compact"},
    "nsec3": {"denial": "nsec3"},
    "narrow": {"denial": "nsec3-narrow"},
    "opt-out": {"denial": "nsec3", "opt_out": True},
}
PARTS = (
    *("a A 192.0.2.1", "a A 192.0.2.2", "a TXT x", "*.w A 192.0.2.3", "b.c.d A 192.0.2.4"),
    *(
        "c.d TXT y",
        "x.b.c.d MX 10 Mail",
        "cut NS ns.cut\nns.cut A 192.0.2.5",
        "low.cut A 192.0.2.6",
    ),
    *("in.sec NS ns1.example.net.", "sec NS ns1.example.net.\nsec DS 1 13 2 " + "ab" * 32),
    *("dn DNAME example.net.", "z CNAME a", "two.ent.three TXT e", "\\000.nul TXT n", "@ MX 1 m"),
)


def text_of(chance: random.Random) -> str:
    some = [part for part in PARTS if chance.random() < 0.6]
    if "low.cut A 192.0.2.6" in some and not any(part.startswith("cut NS") for part in some):
        some.remove("low.cut A 192.0.2.6")
    return STILL + "\n".join(some) + "\n"


def fresh(project: Project, folder: Path) -> Secondary:
    """The same made as a whole, elsewhere."""
    shutil.copytree(project.config.output, folder, symlinks=True)
    shutil.rmtree(folder / FOLDER)
    shutil.rmtree(folder / SERIALS)
    other = object.__new__(Project)
    other.__dict__ |= project.__dict__
    build = project.config.build.but(output=str(folder))
    other.config = project.config.but(build=build)
    other.restart()
    other.look(0)
    found = Secondary()
    found.refresh(other)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_what_changes_step_by_step_is_what_is_made_as_a_whole(tmp_path: Path, way: str) -> None:
    project = Project(tmp_path / "project", **WAYS[way])  # type: ignore[arg-type]
    chance = random.Random(way)
    secondary, kinds = Secondary(), set()
    for step in range(14):
        project.build(text_of(chance))
        (told,) = project.look()
        assert not told.problem
        kinds.add(secondary.refresh(project))
        assert secondary.serial == told.serial
        whole = fresh(project, tmp_path / str(step))
        assert secondary.rows("RRSIG", "SOA") == whole.rows("RRSIG", "SOA")
        secondary.check(project.now)
    assert kinds == {Kind.AXFR, Kind.IXFR}


def test_nothing_that_did_not_change_is_signed_anew(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    project.look()
    secondary = Secondary()
    secondary.refresh(project)
    before = secondary.rows("SOA")
    project.build(STILL + "p7a A 192.0.2.1\n")
    project.look()
    assert secondary.refresh(project) is Kind.IXFR
    after = secondary.rows("SOA")
    gone = {(name, kind) for name, _, kind, _ in before - after}
    come = {(name, kind) for name, _, kind, _ in after - before}
    assert gone == {("p7.example.org.", kind) for kind in ("NSEC", "RRSIG")} | {
        ("example.org.", "RRSIG")
    }
    assert come - gone == {("p7a.example.org.", kind) for kind in ("A", "NSEC", "RRSIG")}


def test_a_look_at_what_is_as_it_was_gives_no_serial(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    (first,) = project.look()
    project.look(3600)
    project.build(STILL)
    assert [one.serial for one in project.look(3600)] == [first.serial]
    project.restart()
    assert [one.serial for one in project.look()] == [first.serial]


def test_signatures_are_made_anew_before_they_end_and_not_all_at_once(tmp_path: Path) -> None:
    project = Project(tmp_path, denial="nsec3")
    project.build(STILL)
    project.look()
    secondary = Secondary()
    secondary.refresh(project)
    counts = []
    for _ in range(30):
        before = secondary.rows("SOA")
        project.look(12 * 3600)
        secondary.refresh(project)
        secondary.check(project.now)
        secondary.check(project.now + REFRESH - 13 * 3600)
        counts.append(len(secondary.rows("SOA") - before))
    assert max(counts) < sum(counts) / 4
    assert sum(counts) >= len([row for row in secondary.rows() if row[2] == "RRSIG"])
    assert project.now > NOW + VALIDITY


def test_another_key_signs_all_of_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    (first,) = project.look()
    secondary = Secondary()
    secondary.refresh(project)
    shutil.rmtree(tmp_path / "keys")
    project.add_key()
    project.build(STILL)
    project.restart()
    (second,) = project.look()
    assert second.serial > first.serial
    secondary.refresh(project)
    secondary.check(project.now)


@pytest.mark.parametrize("loss", ["gone", "cut", "garbage", "empty"])
def test_a_store_that_is_lost_is_made_anew_under_a_later_serial(tmp_path: Path, loss: str) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    (first,) = project.look()
    path = project.store()
    octets = path.read_bytes()
    if loss == "gone":
        shutil.rmtree(project.config.output / FOLDER)
    elif loss == "cut":
        path.write_bytes(octets[: len(octets) // 2])
    elif loss == "garbage":
        path.write_bytes(octets[:8192] + bytes(reversed(octets[8192:])))
    else:
        path.write_bytes(b"")
    project.restart()
    (second,) = project.look()
    assert second.serial == first.serial + 1
    secondary = Secondary()
    assert secondary.refresh(project) is Kind.AXFR
    secondary.check(project.now)


def test_a_serial_is_never_lower_than_that_of_the_zone_or_the_last(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for number in range(3):
        project.build(f"a TXT {number}\n")
        with current.open_live(project.config.output) as bundle:
            (zone,) = bundle.zones()
        (told,) = project.look()
        assert told.serial == zone.serial
    for _ in range(12):
        project.look(86400)
    (later,) = project.look(120)
    assert later.serial > zone.serial


def test_a_large_zone_is_made_by_several_processes_alike(tmp_path: Path) -> None:
    text = "".join(f"n{number} A 192.0.2.1\n" for number in range(17000))
    found = []
    for denial in ("nsec", "nsec3"):
        for processes in (1, 3):
            project = Project(tmp_path / f"{denial}{processes}", denial=denial, processes=processes)
            project.build(text)
            project.look()
            secondary = Secondary()
            secondary.refresh(project)
            found.append(secondary.rows("RRSIG", "DNSKEY"))
    assert found[0] == found[1]
    assert found[2] == found[3]


def test_without_keys_what_there_is_stays_and_it_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    (first,) = project.look()
    (tmp_path / "keys").rename(tmp_path / "gone")
    project.restart()
    (told,) = project.look()
    assert "which is not here" in told.problem
    assert told.serial == first.serial
    secondary = Secondary()
    secondary.refresh(project)
    secondary.check(project.now)
    (tmp_path / "gone").rename(tmp_path / "keys")
    (again,) = project.look(120)
    assert (again.problem, again.serial) == ("", first.serial)


def test_forms_that_nobody_gets_any_more_are_removed_and_their_serials_are_not(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    project.build(STILL)
    (first,) = project.look()
    assert project.store().exists()
    text = (tmp_path / "lzc.toml").read_text()
    for software in ("powerdns-5.1", "knot"):
        (tmp_path / "lzc.toml").write_text(text.replace('"bind"', f'"{software}"'))
        project.config = config.load(tmp_path / "lzc.toml")
        project.restart()
        told = project.look()
        if not told:
            assert list((project.config.output / FOLDER).iterdir()) == []
    assert told[0].serial == first.serial + 1
