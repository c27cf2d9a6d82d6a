"""A build: from lzc.toml to a live bundle, or every fault and nothing."""

from __future__ import annotations

import calendar
import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lzc import config
from lzc.bundle import current, verification
from lzc.bundle import node as nodes
from lzc.bundle.reader import Bundle
from lzc.cli import group
from lzc.compiler import workers, zone_job
from lzc.compiler.pipeline import BuildResult, build, check
from lzc.dnssec.keystore.keystore import Keystore, base_name
from lzc.faults import Fault, InputError
from lzc.wire import rrtype as rr
from tests.unit.compiling import HEAD, wire

NOW = float(calendar.timegm((2026, 11, 21, 12, 0, 0)))
DAY = 86400.0
TOML = '[build]\nsources = ["zones/*.zone"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zones").mkdir()
    _zone(tmp_path, "example.org", "www A 192.0.2.2\n")
    _zone(tmp_path, "example.com", "www A 192.0.2.3\n")
    (tmp_path / "lzc.toml").write_text(TOML)
    return tmp_path


def _zone(project: Path, name: str, text: str) -> None:
    (project / "zones" / f"{name}.zone").write_text(HEAD + text)


def _build(project: Path, *, now: float = NOW) -> BuildResult:
    return build(config.load(project / "lzc.toml"), config_path=project / "lzc.toml", now=now)


def _faults(project: Path, *, now: float = NOW) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        _build(project, now=now)
    return list(caught.value.faults)


def _serials(project: Path) -> dict[str, int]:
    with current.open_live(project / "build") as bundle:
        return {
            info.apex[1:8].decode() + info.apex[9:-1].decode(): info.serial
            for info in bundle.zones()
        }


def test_a_build_makes_a_live_verified_bundle(project: Path) -> None:
    result = _build(project)
    assert (result.zones, result.records, result.checks, result.warnings) == (2, 8, 0, [])
    assert current.live(project / "build") == result.folder
    assert verification.verify(result.folder)[1] == result.id
    with Bundle.open(project / "build" / "current") as bundle:
        view = bundle.find_zone(wire("www.example.com"))
        assert view is not None
        node = view.node(b"www")
        assert node is not None
        rrset = nodes.rrset(node, b"", rr.A)
        assert rrset is not None
        assert rrset.rdatas == (b"\xc0\x00\x02\x03",)
        assert view.info.serial == 2026112100


def test_the_same_project_gives_the_same_octets_anywhere(project: Path, tmp_path: Path) -> None:
    first = _build(project)
    other = build(config.load(project / "lzc.toml"), tmp_path / "elsewhere", now=NOW)
    assert other.id == first.id
    for file in sorted(first.folder.iterdir()):
        assert file.read_bytes() == (other.folder / file.name).read_bytes(), file.name
    assert _build(project, now=NOW + 3 * DAY).id == first.id


def test_only_a_changed_zone_gets_a_new_serial(project: Path) -> None:
    _build(project)
    _zone(project, "example.org", "www A 192.0.2.9\n")
    _build(project, now=NOW)
    assert _serials(project) == {"exampleorg": 2026112101, "examplecom": 2026112100}
    _zone(project, "example.org", "; only a comment\nwww A 192.0.2.9\n")
    _build(project, now=NOW + DAY)
    assert _serials(project) == {"exampleorg": 2026112101, "examplecom": 2026112100}
    _zone(project, "example.com", "")
    _build(project, now=NOW + DAY)
    assert _serials(project) == {"exampleorg": 2026112101, "examplecom": 2026112201}


def test_source_date_epoch_is_the_clock(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(calendar.timegm((2001, 2, 3, 0, 0, 0))))
    build(config.load(project / "lzc.toml"))
    assert _serials(project)["exampleorg"] == 2001020300
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    with pytest.raises(InputError, match="SOURCE_DATE_EPOCH"):
        build(config.load(project / "lzc.toml"))


def test_all_faults_of_all_zones_come_in_one_run_and_nothing_is_written(project: Path) -> None:
    first = _build(project)
    _zone(project, "example.org", "www A 192.0.2.256\nx AAAA nonsense\n")
    _zone(project, "example.com", "a CNAME b\na A 192.0.2.1\n")
    (project / "lzc.toml").write_text(
        'zone = { "example.org" = { dnssec = true } }\n'
        '[build]\nsources = ["zones/*.zone", "none/*.zone"]\n'
    )
    faults = _faults(project)
    places = {fault.rule: str(fault.place) for fault in faults}
    assert places["keys-missing"].endswith("lzc.toml:1:11")
    assert places["source-missing"].endswith("lzc.toml:3:28")
    assert places["cname-and-other-data"].startswith("zones/example.com.zone:")
    assert sum(str(fault.place).startswith("zones/example.org.zone:") for fault in faults) == 2
    assert current.live(project / "build") == first.folder
    assert sorted(p.name for p in (project / "build").iterdir()) == sorted(
        [".inputs", ".lock", ".verified", "current", "serials", "serials.copy", first.id]
    )


def test_what_could_be_read_is_checked_though_a_line_could_not(project: Path) -> None:
    content = 'a CNAME b\na A 192.0.2.1\nmx MX 0 mail\nmail A 192.0.2\nl LUA A "pick("\n'
    (project / "lzc.toml").write_text(
        '[build]\nsources = ["zones/*.zone"]\nserial = "keep"\n[lua]\nenable = true\n'
    )
    _zone(project, "example.org", content)
    rules = [fault.rule for fault in _faults(project)]
    # Not that mail has no address: it may stand in the line that could not be read.
    assert rules == ["cname-and-other-data", "bad-rdata", "lua-syntax"]


def test_warnings_do_not_stop_a_build(project: Path) -> None:
    _zone(project, "example.org", 'l LUA A "1"\n')
    result = _build(project)
    assert [fault.rule for fault in result.warnings] == ["lua-disabled"]
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(wire("example.org"))
        assert view is not None
        assert not view.info.lua


def test_a_zone_to_be_signed_needs_keys(project: Path) -> None:
    (project / "lzc.toml").write_text(TOML + '[zone."example.org"]\ndnssec = true\n')
    (fault,) = _faults(project)
    assert fault.rule == "keys-missing"
    assert "lzc keys generate" in fault.fix
    assert "example.org" in fault.fix
    assert str(fault.place).endswith("lzc.toml:3:1")
    store = Keystore(project / "keys")
    (key,) = store.generate(wire("example.org"), 13, [257], NOW)
    _build(project)
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(wire("example.org"))
        assert view is not None
        assert view.info.signed
        assert [known.dnskey for known in view.info.keys] == [key.dnskey]
        other = bundle.zone(wire("example.com"))
        assert other is not None
        assert not other.info.signed


PRESIGNED = """\
@ DNSKEY 257 3 13 AAAA
@ NSEC www A
www A 192.0.2.2
www RRSIG A 13 3 300 20261201000000 20261101000000 1 example.org. AAAA
"""


@pytest.mark.parametrize("signed", [False, True])
def test_a_presigned_zone_is_a_fault_whose_way_out_leads_out(project: Path, signed: bool) -> None:
    _zone(project, "example.org", PRESIGNED)
    section = f'[zone."example.org"]\ndnssec = {str(signed).lower()}\n'
    store = Keystore(project / "keys")
    (key,) = store.generate(wire("example.org"), 13, [257], NOW)
    (project / "lzc.toml").write_text(TOML + section)
    (fault,) = _faults(project)
    assert fault.rule == ("presigned-and-signed" if signed else "presigned")
    assert 'set strip-dnssec = true in [zone."example.org"]' in fault.fix

    (project / "lzc.toml").write_text(f"{TOML}{section}strip-dnssec = true\n")
    assert _build(project).warnings == []
    with current.open_live(project / "build") as bundle:
        view = bundle.zone(wire("example.org"))
        assert view is not None
        apex = view.node(b"") or b""
        dnskeys = nodes.rrset(apex, view.apex, rr.DNSKEY)
        assert (dnskeys.rdatas if dnskeys else ()) == ((key.dnskey,) if signed else ())
        assert nodes.rrset(view.node(b"www") or b"", b"", rr.RRSIG) is None


def test_keys_that_are_not_active_yet_are_a_fault(project: Path) -> None:
    (project / "lzc.toml").write_text(TOML + '[zone."example.org"]\ndnssec = true\n')
    Keystore(project / "keys").generate(wire("example.org"), 13, [257], NOW + DAY)
    assert [fault.rule for fault in _faults(project)] == ["keys-inactive"]
    _build(project, now=NOW + 2 * DAY)


def _retire(project: Path, moment: float, **dates: float) -> None:
    """Have the one key of example.org retire, and others follow it."""
    store = Keystore(project / "keys")
    (key,) = store.generate(wire("example.org"), 13, [257], NOW)
    file = store.path / f"{base_name(key)}.private"
    file.write_text(file.read_text() + f"Inactive: {_stamp(moment)}\n")
    if dates:
        (heir,) = store.generate(wire("example.org"), 13, [257], NOW)
        file = store.path / f"{base_name(heir)}.private"
        text = "".join(
            line for line in file.read_text().splitlines(True) if line.split(":")[0] not in dates
        )
        file.write_text(text + "".join(f"{name}: {_stamp(at)}\n" for name, at in dates.items()))


def _stamp(moment: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment))


def test_keys_that_run_out_are_told_days_ahead(project: Path) -> None:
    (project / "lzc.toml").write_text(TOML + '[zone."example.org"]\ndnssec = true\n')
    _retire(project, NOW + 40 * DAY)
    assert _build(project).warnings == []
    (fault,) = _build(project, now=NOW + 11 * DAY).warnings
    assert (fault.rule, fault.severity) == ("keys-end", "warning")
    assert str(fault.place).endswith("lzc.toml:3:1")
    assert "has no active key from 2026-12-31 12:00 UTC on, in 29 days" in fault.message
    assert "example.org --add" in fault.fix
    (fault,) = _faults(project, now=NOW + 41 * DAY)
    assert fault.rule == "keys-inactive"
    assert "is retired since 2026-12-31 12:00 UTC (Inactive)" in fault.message
    Keystore(project / "keys").generate(wire("example.org"), 13, [257], NOW)
    assert _build(project, now=NOW + 41 * DAY).warnings == []


def test_a_successor_that_this_bundle_does_not_publish_is_told(project: Path) -> None:
    (project / "lzc.toml").write_text(TOML + '[zone."example.org"]\ndnssec = true\n')
    _retire(project, NOW + 10 * DAY, Publish=NOW + 5 * DAY, Activate=NOW + 9 * DAY)
    (fault,) = _build(project).warnings
    assert "which takes over, is not in the bundle" in fault.message
    assert fault.fix == "build again between 2026-11-26 12:00 UTC and 2026-12-01 12:00 UTC"
    assert _build(project, now=NOW + 5 * DAY).warnings == []


def test_a_new_key_changes_the_bundle_but_not_the_serial(project: Path) -> None:
    (project / "lzc.toml").write_text(TOML + '[zone."example.org"]\ndnssec = true\n')
    store = Keystore(project / "keys")
    store.generate(wire("example.org"), 13, [257], NOW)
    first = _build(project)
    store.generate(wire("example.org"), 13, [257], NOW)
    second = _build(project, now=NOW + DAY)
    assert second.id != first.id
    assert _serials(project)["exampleorg"] == 2026112100


SECRETS = """
[tsig."a."]
secret-file = "a.tsig"
[tsig."b."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[serve]
cookie-secret-file = "cookie"
"""


def test_secrets_that_a_server_refuses_or_others_read_are_warned_of(project: Path) -> None:
    toml = project / "lzc.toml"
    toml.write_text(TOML + SECRETS)
    toml.chmod(0o644)
    (project / "a.tsig").write_text("c2VjcmV0")
    (project / "a.tsig").chmod(0o644)
    (project / "cookie").write_text("00")
    (project / "cookie").chmod(0o600)
    faults = _build(project).warnings
    assert {(fault.rule, Path(fault.place.file).name) for fault in faults} == {
        ("tsig-secret-exposed", "a.tsig"),
        ("cookie-secret", "cookie"),
        ("tsig-secret-exposed", "lzc.toml"),
    }
    assert all(fault.severity == "warning" for fault in faults)
    assert check(config.load(toml), config_path=toml, now=NOW).warnings == faults
    for fault in faults:
        subprocess.run(["sh", "-c", fault.fix.partition("; or")[0]], check=True)
    assert _build(project).warnings == []


SECONDARY = """
[tsig."k."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[[secondary]]
name = "{name}"
address = "127.0.0.1:5301"
software = "{software}"
tsig = "k."
zones = {zones}
"""


@pytest.mark.parametrize(
    ("software", "zones", "warned"),
    [
        ("powerdns-4.7", '["*"]', False),
        ("nsd", '["*"]', True),
        ("generic", '["*.org"]', True),
        ("bind", '["EXAMPLE.ORG."]', True),
        ("knot", '["example.com", "*.net"]', False),
    ],
)
def test_secondaries_that_would_serve_a_zone_wrongly_are_warned_of(
    project: Path, software: str, zones: str, warned: bool
) -> None:
    secondary = SECONDARY.format(name="ns2", software=software, zones=zones)
    (project / "lzc.toml").write_text(
        TOML + '[zone."example.org"]\ndnssec = true\n' + secondary + 'form = "live"\n'
    )
    (project / "lzc.toml").chmod(0o600)
    _zone(project, "example.org", "l A 192.0.2.1\n")
    Keystore(project / "keys").generate(wire("example.org"), 13, [257], NOW)
    warnings = _build(project).warnings
    assert [fault.rule for fault in warnings] == ["secondary-cannot-sign"] * warned
    for fault in warnings:
        assert str(fault.place).endswith("lzc.toml:14:1")
        assert "example.org." in fault.message


def test_many_zones_are_built_by_several_processes_alike(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        _zone(project, f"z{number}.example", f"n A 192.0.2.{number}\n")
    alone = _build(project)
    monkeypatch.setattr(workers, "POOL_OCTETS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    together = build(config.load(project / "lzc.toml"), project / "pool", now=NOW)
    assert together.id == alone.id
    _zone(project, "z7.example", "n A 192.0.2.777\n")
    _zone(project, "z39.example", "n A 192.0.2.777\n")
    assert [fault.place.file for fault in _faults(project)] == [
        "zones/z7.example.zone",
        "zones/z39.example.zone",
    ]


def test_a_killed_process_of_a_build_is_told_and_nothing_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        _zone(project, f"z{number}.example", f"n A 192.0.2.{number}\n")
    before = _build(project)
    for number in range(10):
        _zone(project, f"z{number}.example", "")
    monkeypatch.setattr(workers, "POOL_OCTETS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(zone_job, "read_zone", lambda *_, **__: os.kill(os.getpid(), 9))
    (fault,) = _faults(project)
    assert fault.rule == "build-process-killed"
    assert current.live(project / "build") == before.folder


def test_a_second_build_at_once_is_turned_away(project: Path) -> None:
    _build(project)
    with (project / "build" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (fault,) = _faults(project)
    assert fault.rule == "output-busy"
    _build(project)


def test_leftovers_of_a_crash_are_removed_and_the_last_bundles_kept(project: Path) -> None:
    output = project / "build"
    (output / ".build-crashed").mkdir(parents=True)
    (output / ".build-crashed" / "zones-00.lmdb").write_text("x")
    (output / ".current.new").symlink_to("0" * 32)
    ids = []
    for number in range(6):
        _zone(project, "example.org", f"www A 192.0.2.{number}\n")
        ids.append(_build(project).id)
    kept = {path.name for path in output.iterdir() if not path.name.startswith(".")}
    assert kept == {*ids[-3:], "current", "serials", "serials.copy"}
    assert {path.name for path in (output / ".verified").iterdir()} == set(ids[-3:])
    assert {path.name for path in output.iterdir() if path.name.startswith(".")} == {
        ".inputs",
        ".lock",
        ".verified",
    }


def test_a_damaged_live_bundle_is_built_again_and_told(project: Path) -> None:
    result = _build(project)
    (result.folder / "zones-00.lmdb").write_bytes(b"x")
    again = _build(project)
    (fault,) = again.warnings
    assert fault.rule == "live-bundle-damaged"
    assert "zones-00.lmdb" in fault.message
    assert again.id == result.id
    verification.verify(result.folder)
    assert not _build(project).warnings


def test_an_output_that_cannot_be_written_is_a_fault(project: Path) -> None:
    (project / "build").write_text("a file")
    (fault,) = _faults(project)
    assert fault.rule == "output-unwritable"
    assert fault.fix


def test_check_finds_the_same_and_writes_nothing(project: Path) -> None:
    settings = config.load(project / "lzc.toml")
    compiled = check(settings, now=NOW)
    assert [zone.info.serial for zone in compiled.zones] == [2026112100] * 2
    assert not (project / "build").exists()
    _zone(project, "example.org", "www A 192.0.2.256\n")
    with pytest.raises(InputError):
        check(settings, now=NOW)


def test_progress_is_told_zone_by_zone(project: Path) -> None:
    told: list[tuple[str, int, int]] = []
    build(
        config.load(project / "lzc.toml"),
        progress=lambda step, done, total: told.append((step, done, total)),
        now=NOW,
    )
    assert told == [
        ("zones", 0, 2),
        ("zones", 1, 2),
        ("zones", 2, 2),
        ("write", 0, 1),
        ("write", 1, 1),
    ]


def _lzc(project: Path, *arguments: str) -> Result:
    before = Path.cwd()
    os.chdir(project)
    try:
        return CliRunner().invoke(group, list(arguments))
    finally:
        os.chdir(before)


def test_the_last_word_of_lzc_build_is_the_id(project: Path) -> None:
    result = _lzc(project, "build")
    assert result.exit_code == 0
    assert result.stdout.split()[-1] == current.live(project / "build").name
    result = _lzc(project, "build", "-o", "other", "--format", "json")
    answer = json.loads(result.stdout)
    assert answer["id"] == current.live(project / "other").name
    assert (answer["zones"], answer["records"], answer["faults"]) == (2, 8, [])
    assert answer["seconds"] >= 0


def test_warnings_of_lzc_build_go_to_stderr_or_into_the_json(project: Path) -> None:
    _zone(project, "example.org", 'l LUA A "1"\n')
    result = _lzc(project, "build")
    assert "lua-disabled" in result.stderr
    assert "lua-disabled" not in result.stdout
    answer = json.loads(_lzc(project, "build", "--format", "json").stdout)
    assert [fault["rule"] for fault in answer["faults"]] == ["lua-disabled"]


def test_faults_end_build_and_check_with_1(project: Path) -> None:
    assert _lzc(project, "check").exit_code == 0
    _zone(project, "example.org", "www A 192.0.2.256\n")
    for command in ("build", "check"):
        result = _lzc(project, command)
        assert result.exit_code == 1
        assert "zones/example.org.zone:5:" in result.stderr
        result = _lzc(project, command, "--format", "json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["faults"][0]["line"] == 5


def test_lzc_verify_hashes_everything(project: Path) -> None:
    assert _lzc(project, "verify").exit_code == 1
    built = _lzc(project, "build").stdout.split()[-1]
    for arguments in ([], ["build"], ["build/current"], [f"build/{built}"]):
        result = _lzc(project, "verify", *arguments)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.split()[-1] == built
    assert json.loads(_lzc(project, "verify", "--format", "json").stdout)["id"] == built
    transfers = project / "build" / built / "transfers-00.bin"
    content = bytearray(transfers.read_bytes())
    content[50] ^= 1
    transfers.write_bytes(content)
    result = _lzc(project, "verify")
    assert result.exit_code == 1
    assert "transfers-00.bin" in result.stderr
    assert _lzc(project, "verify", "nowhere").exit_code == 1


def test_more_checks_than_a_server_makes_are_a_fault(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "lzc.toml").write_text(TOML + "[lua]\nenable = true\n")
    _zone(project, "example.org", "a LUA A \"ifportup(80, {'192.0.2.1', '192.0.2.2'})\"\n")
    _zone(project, "example.com", "b LUA A \"ifportup(80, {'192.0.2.2', '192.0.2.3'})\"\n")
    monkeypatch.setattr("lzc.health_check.MOST_CHECKS", 3)
    assert _build(project).checks == 3
    monkeypatch.setattr("lzc.health_check.MOST_CHECKS", 2)
    (fault,) = [one for one in _faults(project) if one.rule == "too-many-checks"]
    assert "3 different health checks, and a server makes 2 at most" in fault.message
