"""`lzc diff`: bundles and sources, for people and for scripts."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lzc import config
from lzc.bundle import current, writer
from lzc.cli import group
from lzc.compiler import pipeline
from lzc.dnssec.keystore.keystore import Keystore
from lzc.image.compile import compile_zone
from lzc.wire import rrtype as rr
from tests.unit import terminal
from tests.unit.compiling import HEAD, compiled, lua_rdata, wire
from tests.unit.zone_text import read_zone_text

ROOT = Path(__file__).resolve().parents[3]
NOW = 1_795_262_400.0
LUA = """www LUA A "ifportup(5380,{'192.0.2.1','192.0.2.2'})"\n"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NOW)))
    folder = tmp_path / "project"
    (folder / "zones").mkdir(parents=True)
    _zone(folder, "a A 192.0.2.2\na A 192.0.2.3\n" + LUA)
    _zone(folder, "", name="example.com")
    _toml(folder)
    monkeypatch.chdir(folder)
    return folder


def _toml(project: Path, more: str = "") -> None:
    text = '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
    (project / "lzc.toml").write_text(text + more)


def _zone(project: Path, text: str, name: str = "example.org", head: str = HEAD) -> None:
    (project / "zones" / f"{name}.zone").write_text(head + text)


def _build(project: Path, output: str = "build") -> Path:
    settings = config.load(project / "lzc.toml")
    pipeline.build(settings, project / output, config_path=project / "lzc.toml", now=NOW)
    return current.live(project / output)


def _write(folder: Path, zones: Mapping[str, str], serial: int | None = None) -> Path:
    """A bundle of zones as they are given, whatever their serials."""
    made = [
        compiled(text, name, number) for number, (name, text) in enumerate(sorted(zones.items()))
    ]
    if serial is not None:
        made = [replace(zone, info=replace(zone.info, serial=serial)) for zone in made]
    with current.locked(folder):
        writer.write(folder, made, [], version="0", inputs={})
    return folder


def _write_lua(folder: Path, code: tuple[str, ...]) -> Path:
    """A bundle with one LUA record, in strings that the reader of zone files would not make."""
    zone, faults = read_zone_text(HEAD.encode(), wire("example.org"), "example.org.zone")
    assert not faults
    strings = [string.encode() for string in code]
    zone.records.append((b"w", rr.LUA, lua_rdata(rr.A, *strings), 60, 0))
    zone.records.sort()
    made = compile_zone(zone, 0, signed=False, lua=True).finish(5)
    with current.locked(folder):
        writer.write(folder, [made], [], version="0", inputs={})
    return folder


def _diff(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(group, ["diff", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def _json(*arguments: str | Path) -> Any:
    return json.loads(_diff(*arguments, "--format", "json").stdout)


def test_nothing_to_show(project: Path) -> None:
    bundle = _build(project)
    for arguments in ([], ["live"], ["live", "live"], [bundle, "."], ["build", "lzc.toml"]):
        assert _diff(*arguments, "--exit-code").stdout == "no differences\n"
    found = _json()
    assert (found["zones"], found["checks"], found["different"]) == ([], [], False)
    assert found["before"] == {"kind": "bundle", "path": "live", "id": bundle.name}
    assert found["after"] == {"kind": "sources", "path": "lzc.toml", "id": ""}


def test_what_a_build_would_change(project: Path) -> None:
    _build(project)
    before = sorted((project / "build").iterdir())
    _zone(
        project,
        'a 60 A 192.0.2.2\na 60 A 192.0.2.4\nnew.deep TXT "x"\n'
        "www 30 LUA A \"ifportup(5380, {'192.0.2.1', '192.0.2.9'})\"\n",
    )
    shown = _diff("--exit-code", code=1).stdout.splitlines()
    assert shown[1:] == [
        "+++ lzc.toml (sources)",
        "",
        "zone example.org.",
        "~ serial 2026112100 -> 2026112101: secondaries will take it",
        "~ transfer: the whole zone, 344 octets: what changes is no shorter",
        "~ a.example.org. IN A: TTL 3600 -> 60 (2 record(s))",
        "- a.example.org. 3600 IN A 192.0.2.3",
        "+ a.example.org. 60 IN A 192.0.2.4",
        '+ new.deep.example.org. 3600 IN TXT "x"',
        "~ www.example.org. IN LUA A: TTL 3600 -> 30",
        "      ifportup(5380, {",
        "        '192.0.2.1',",
        "-       '192.0.2.2',",
        "+       '192.0.2.9',",
        "      })",
        "",
        "health checks",
        "- 192.0.2.2:5380",
        "+ 192.0.2.9:5380",
        "",
        "1 zone(s), 3 RRset(s) or LUA record(s) and 2 health check(s) differ; 0 error(s)",
    ]
    assert sorted((project / "build").iterdir()) == before


def test_a_check_of_which_only_values_of_headers_differ_is_not_shown_twice(project: Path) -> None:
    code = "ifurlup('http://h/',{{'192.0.2.1'}},{{headers={{['X-Key']='{}'}}}})"
    _zone(project, f'www LUA A "{code.format(1)}"\n')
    _build(project)
    _zone(project, f'www LUA A "{code.format(2)}"\n')
    shown = _diff("--exit-code", code=1).stdout.splitlines()
    assert "~ http://h/ at 192.0.2.1 headers=X-Key: values of headers" in shown


def test_what_is_secret_in_a_check_is_not_shown_of_it(project: Path) -> None:
    options = "headers={['X-Key']='hunter2'},stringmatch='ä'"
    call = f"ifurlup('http://joe:hunter2@h/ä',{{'192.0.2.1'}},{{{options}}})"
    _zone(project, f'www LUA A "{call}"\n')
    _build(project)
    _zone(project, "")
    shown = _diff("--exit-code", code=1).stdout.split("health checks")[1]
    checks = _json()["checks"]
    for text in (shown, json.dumps(checks)):
        assert "hunter2" not in text
        assert "joe" not in text
    (before,) = [check["before"] for check in checks]
    assert (before["url"], before["stringmatch"]) == ("http://***@h/ä", "ä")
    assert before["headers"] == [["X-Key", "***"]]


def test_the_same_for_scripts(project: Path) -> None:
    _build(project)
    _zone(project, "a A 192.0.2.2\n" + LUA.replace("5380", "443"))
    found = _json()
    (zone,) = found["zones"]
    assert {key: zone[key] for key in ("zone", "change", "serial", "records", "faults")} == {
        "zone": "example.org.",
        "change": "changed",
        "serial": {"before": 2026112100, "after": 2026112101, "taken": True},
        "records": {"before": 6, "after": 5},
        "faults": [],
    }
    rrset, lua = zone["changes"]
    assert rrset == {
        "change": "changed",
        "name": "a.example.org.",
        "type": "A",
        "ttl": None,
        "removed": [{"ttl": 3600, "data": "192.0.2.3"}],
        "added": [],
    }
    assert (lua["type"], lua["covers"], lua["change"]) == ("LUA", "A", "changed")
    assert lua["diff"][:2] == ["-ifportup(5380, {", "+ifportup(443, {"]
    assert lua["after"] == "ifportup(443,{'192.0.2.1','192.0.2.2'})"
    assert [check["change"] for check in found["checks"]] == [
        "added",
        "removed",
        "added",
        "removed",
    ]
    assert found["different"] is True


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_on_a_terminal_only(project: Path, no_color: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"NO_COLOR": "1"} if no_color else {})
    command = [sys.executable, "-m", "lzc", "diff"]
    code, said = terminal.shown(command, "stdout", environment=environment)
    assert code == 0
    assert (b"\x1b[32m+ new zone" in said) is not no_color
    assert b"\x1b" not in _diff().stdout_bytes


def test_before_the_first_build_everything_is_new(project: Path) -> None:
    shown = _diff().stdout
    assert "no bundle was built yet" in shown
    assert "+ new zone example.com.: serial 2026112100, 3 record(s), unsigned, LUA on" in shown


def test_zones_that_come_and_go(project: Path) -> None:
    _build(project)
    (project / "zones" / "example.com.zone").rename(project / "zones" / "example.net.zone")
    kinds = {zone["zone"]: zone["change"] for zone in _json()["zones"]}
    assert kinds == {"example.com.": "removed", "example.net.": "added"}
    assert "- zone gone example.com." in _diff().stdout
    (zone,) = _json("--zone", "Example.NET")["zones"]
    assert (zone["zone"], zone["records"]) == ("example.net.", {"before": None, "after": 3})


@pytest.mark.parametrize(
    ("code", "other_code"),
    [
        (("f({'a',", "'b'})"), ("f({'a'", ",'b'})")),
        (("f({'a','b'})",), ('f({"a", "b"}) -- why',)),
    ],
)
def test_code_in_other_strings_or_other_quotes_is_no_difference(
    tmp_path: Path, code: tuple[str, ...], other_code: tuple[str, ...]
) -> None:
    one = _write_lua(tmp_path / "one", code)
    other = _write_lua(tmp_path / "other", other_code)
    assert _diff(one, other, "--exit-code").stdout == "no differences\n"


@pytest.mark.parametrize(("serial", "is_error"), [(4, True), (5, True), (6, False)])
def test_content_that_secondaries_would_not_get_is_an_error(
    tmp_path: Path, serial: int, is_error: bool
) -> None:
    one = _write(tmp_path / "one", {"example.org": ""}, serial=5)
    other = _write(tmp_path / "other", {"example.org": "a A 192.0.2.1\n"}, serial=serial)
    (zone,) = _json(one, other)["zones"]
    assert [fault["rule"] for fault in zone["faults"]] == ["serial-not-higher"] * is_error
    assert zone["serial"]["taken"] is not is_error
    assert ("! error: the content changed" in _diff(one, other).stdout) is is_error


@pytest.mark.parametrize("option", [(), ("--exit-code",)])
def test_sources_that_a_build_refuses_for_their_serial_are_shown_too(
    project: Path, option: tuple[str, ...]
) -> None:
    config_file = project / "lzc.toml"
    config_file.write_text(config_file.read_text().replace("[lua]", 'serial = "keep"\n[lua]'))
    _build(project)
    _zone(project, "b A 192.0.2.4\n")
    result = CliRunner().invoke(group, ["diff", *option])
    assert result.exit_code == 1
    assert "+ b.example.org. " in result.stdout
    assert "! error: the content changed, but the serial stays" in result.stdout
    assert "[serial-unchanged]" in result.stderr
    shown = json.loads(_diff(*option, "--format", "json", code=1).stdout)
    assert [fault["rule"] for fault in shown["faults"]] == ["serial-unchanged"]
    assert shown["zones"][0]["changes"] and shown["different"]
    assert CliRunner().invoke(group, ["build"]).exit_code == 1


def test_a_serial_alone(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", {"example.org": ""}, serial=5)
    other = _write(tmp_path / "other", {"example.org": ""}, serial=9)
    (zone,) = _json(one, other)["zones"]
    assert (zone["content_changed"], zone["changes"]) == (False, [])


def test_signing_a_zone_and_switching_its_lua_off(project: Path) -> None:
    _build(project)
    (key,) = Keystore(project / "keys").generate(wire("example.com"), 13, [257], time.time() - 1e9)
    _toml(project, '[zone."example.com"]\ndnssec = true\n[zone."example.org"]\nlua = false\n')
    by_name = {zone["zone"]: zone for zone in _json()["zones"]}
    signed, off = by_name["example.com."], by_name["example.org."]
    assert (signed["signed"], signed["changes"]) == ({"before": False, "after": True}, [])
    (change,) = signed["keys"]
    assert (change["change"], change["tag"], change["role"]) == ("added", key.tag, "CSK")
    assert change["ds"].startswith(f"example.com. IN DS {key.tag} 13 2 ")
    assert (off["lua"], off["changes"]) == ({"before": True, "after": False}, [])
    shown = _diff().stdout
    assert "~ DNSSEC: unsigned -> signed" in shown
    assert "~ LUA records: on -> off" in shown
    assert change["ds"] in shown


@pytest.mark.parametrize("keeps_file", [True, False])
def test_a_key_is_retired_or_removed(project: Path, keeps_file: bool) -> None:
    store = Keystore(project / "keys")
    _, zsk = store.generate(wire("example.com"), 13, [257, 256], NOW - 9)
    store.generate(wire("example.com"), 13, [256], NOW - 9)
    _toml(project, '[zone."example.com"]\ndnssec = true\n')
    _build(project)
    (file,) = (project / "keys").glob(f"*+{zsk.tag:05}.private")
    if keeps_file:
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(NOW - 1))
        file.write_text(f"{file.read_text()}Inactive: {stamp}\nDelete: {stamp}\n")
    else:
        for one in (project / "keys").glob(f"*+{zsk.tag:05}.*"):
            one.unlink()
    (zone,) = _json()["zones"]
    (change,) = zone["keys"]
    assert (change["change"], change["tag"], change["role"], change["ds"]) == (
        "retired" if keeps_file else "removed",
        zsk.tag,
        "ZSK",
        None,
    )
    assert zone["changes"] == []


def test_a_zone_that_neither_side_has_is_wrong_usage(project: Path) -> None:
    _build(project)
    assert "neither side has example.de." in _diff("--zone", "example.de", code=2).stderr


@pytest.mark.parametrize("argument", ["nowhere", "zones", "zones/example.org.zone"])
def test_what_cannot_be_compared_is_wrong_usage(project: Path, argument: str) -> None:
    assert "is neither a bundle" in _diff(argument, code=2).stderr


@pytest.mark.parametrize(("option", "code"), [((), 1), (("--exit-code",), 2)])
def test_faults_of_the_input(project: Path, option: tuple[str, ...], code: int) -> None:
    bundle = _build(project)
    damaged = project / "damaged" / bundle.name
    shutil.copytree(bundle, damaged)
    (damaged / "transfers-00.bin").write_bytes(b"")
    assert "[bundle-unusable]" in _diff(damaged, *option, code=code).stderr
    _zone(project, "a A nonsense\n")
    assert "zones/example.org.zone:5:" in _diff(*option, code=code).stderr
