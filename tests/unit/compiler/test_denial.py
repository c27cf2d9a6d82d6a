"""From ``lzc.toml`` to bundles: ways of denial, what is wrong with them, what their change is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import current
from lzc.compiler.inputs.denial import denial_of
from lzc.compiler.pipeline import BuildResult, build
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.faults import InputError, Severity
from tests.unit.command_line import lzc
from tests.unit.compiling import HEAD, wire

NOW = 1_790_000_000.0
BASE = """\
[build]
sources = ["zones/*.zone"]
[zone."a.example"]
dnssec = true
{of_zone}
[zone."b.example"]
dnssec = true
[dnssec]
{of_all}
"""


def project(folder: Path, of_all: str = "", of_zone: str = "", more: str = "") -> Path:
    (folder / "zones").mkdir(exist_ok=True)
    for name in ("a", "b", "c"):
        (folder / f"zones/{name}.example.zone").write_text(HEAD + "x.y A 192.0.2.1\n")
        keystore = Keystore(folder / "keys")
        if not keystore.load(wire(f"{name}.example")):
            keystore.generate(wire(f"{name}.example"), 13, FLAGS["csk"], NOW)
    path = folder / "lzc.toml"
    path.write_text(BASE.format(of_all=of_all, of_zone=of_zone) + more)
    return path


def built(path: Path) -> BuildResult:
    return build(config.load(path), config_path=path, now=NOW)


def ways(path: Path) -> dict[str, str]:
    with current.open_live(path.parent / "build") as bundle:
        return {info.apex[1:2].decode(): str(info.denial) for info in bundle.zones()}


def test_a_zone_has_what_is_said_of_all_where_nothing_is_said_of_it(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        'denial = "nsec3"\nnsec3-salt = "AA"\nnsec3-opt-out = true',
        'nsec3-opt-out = false\nnsec3-salt = "-"',
    )
    built(path)
    assert ways(path) == {"a": "nsec3 1 0 0 -", "b": "nsec3 1 1 0 aa", "c": "nsec"}
    settings = config.load(path)
    assert denial_of(settings, "A.example.") == Denial(Way.NSEC3)


def test_a_zone_has_its_own_way(tmp_path: Path) -> None:
    path = project(tmp_path, 'denial = "nsec3-narrow"', 'denial = "compact"')
    built(path)
    assert ways(path) == {"a": "compact", "b": "nsec3-narrow 1 0 0 -", "c": "nsec"}


def test_a_change_of_it_is_built_and_told_and_leaves_serials_alone(tmp_path: Path) -> None:
    path = project(tmp_path, 'denial = "nsec3"')
    first = built(path)
    again = built(path)
    assert again.id == first.id and not again.changes
    project(tmp_path, 'denial = "nsec3"', 'nsec3-salt = "aabb"')
    diff = lzc(tmp_path, "diff")
    assert "~ denial: nsec3 1 0 0 - -> nsec3 1 0 0 aabb\n" in diff.stdout
    assert "b.example" not in diff.stdout
    (zone,) = json.loads(lzc(tmp_path, "diff", "--format", "json").stdout)["zones"]
    assert zone["denial"] == {"before": "nsec3 1 0 0 -", "after": "nsec3 1 0 0 aabb"}
    assert zone["changes"] == [] and not zone["content_changed"]
    changed = built(path)
    assert changed.id != first.id
    (one,) = changed.changes.changed
    assert (one.name, one.before) == ("a.example.", one.after)


def test_unsigned_zones_are_not_built_again_for_it(tmp_path: Path) -> None:
    path = project(tmp_path)
    built(path)
    project(tmp_path, 'denial = "nsec3"')
    assert [one.name for one in built(path).changes.changed] == ["a.example.", "b.example."]


def test_iterations_are_told(tmp_path: Path) -> None:
    path = project(tmp_path, 'denial = "nsec3"\nnsec3-iterations = 5')
    (warning,) = built(path).warnings
    assert (warning.rule, warning.severity) == ("nsec3-iterations", Severity.WARNING)
    assert "5 iterations of NSEC3 for a.example., b.example." in warning.message
    assert (warning.place.line, warning.place.column) == (10, 1)
    # Where the way takes none, none are told.
    assert built(project(tmp_path, 'denial = "compact"\nnsec3-iterations = 5')).warnings == []


def test_more_iterations_than_resolvers_take_are_an_error(tmp_path: Path) -> None:
    for way in ("nsec3", "nsec3-narrow"):
        path = project(tmp_path, f'denial = "{way}"', "nsec3-iterations = 51")
        with pytest.raises(InputError) as caught:
            built(path)
        (fault,) = caught.value.faults
        assert fault.rule == "nsec3-iterations"
        assert "51 iterations of NSEC3 for a.example.; at most 50" in fault.message


@pytest.mark.parametrize(
    "line",
    ['denial = "nsec5"', 'nsec3-salt = "abc"', 'nsec3-salt = "xy"', "nsec3-iterations = -1"],
)
def test_what_is_no_setting_is_refused(tmp_path: Path, line: str) -> None:
    for text in ({"of_all": line}, {"of_zone": line}):
        with pytest.raises(InputError) as caught:
            config.load(project(tmp_path, **text))
        assert line.split()[0] in str(caught.value)


def test_a_secondary_that_has_no_compact_denial_is_told(tmp_path: Path) -> None:
    secondary = """
[[secondary]]
name = "{}"
address = "192.0.2.53:53"
software = "{}"
zones = ["a.example"]
"""
    more = "[serve]\ntsig-required = false\n" + secondary.format("ns2", "powerdns-5.1")
    path = project(tmp_path, of_zone='denial = "compact"', more=more)
    assert [fault.rule for fault in built(path).warnings] == ["secondary-denial"]
    path = project(tmp_path, of_zone='denial = "nsec3-narrow"', more=more)
    assert built(path).warnings == []


@pytest.mark.parametrize("way", list(Way))
def test_query_and_tests_know_each_way(tmp_path: Path, way: Way) -> None:
    """They ask as resolvers do that know all of them."""
    path = project(tmp_path, f'denial = "{way}"')
    built(path)
    said = lzc(tmp_path, "query", "nx.a.example", "--dnssec", "--explain").stdout
    assert "status: NXDOMAIN" in said
    assert f", signed ({Denial(way)}), " in said
    assert "nx.a.example. does not exist" in said
    found = json.loads(
        lzc(tmp_path, "query", "nx.a.example", "--explain", "--format", "json").stdout
    )
    assert found["explanation"]["denial"] == str(Denial(way))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/denial.toml").write_text(
        '[[test]]\nname = "nx.a.example"\nrcode = "NXDOMAIN"\nsigned = true\n'
        '[[test]]\nname = "y.a.example"\nrcode = "NOERROR"\nsigned = true\n'
    )
    done = lzc(tmp_path, "test")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("way", ["nsec", "nsec3", "nsec3-narrow", "compact"])
@pytest.mark.parametrize("octets", [222, 223])
def test_a_hash_has_to_fit_in_front_of_the_apex(tmp_path: Path, way: str, octets: int) -> None:
    """With 33 octets for it, and 255 for all."""
    last = octets - 3 * 64 - 2
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * last])
    apex = wire(name)
    assert len(apex) == octets
    path = project(tmp_path, f'denial = "{way}"', "", f'[zone."{name}"]\nsource = "long"\n')
    with path.open("a") as config_file:
        config_file.write("dnssec = true\n")
    (tmp_path / "long").write_text(HEAD)
    Keystore(tmp_path / "keys").generate(apex, 13, FLAGS["csk"], NOW)
    if octets == 222 or not way.startswith("nsec3"):
        assert built(path).warnings == []
        return
    with pytest.raises(InputError) as error:
        built(path)
    assert {fault.rule for fault in error.value.faults} == {"nsec3-long-apex"}
    assert str(error.value.faults[0].place).startswith(str(path))
