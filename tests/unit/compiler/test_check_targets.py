"""What a build says of checks by where they lead, and what it writes down for those that queries
ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc import config
from lzc.bundle import check_list
from lzc.bundle.reader import Bundle
from lzc.cli import group
from lzc.compiler.pipeline import build
from lzc.faults import Fault, InputError
from lzc.health_check import Check
from lzc.lua.health.constants import Constants, of_checks

HEAD = "$TTL 60\n@ SOA ns1 hostmaster 1 3h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.53\n"
ZONE = b"\7example\3org\0"


def project(folder: Path, zone: str, health: str = "") -> Path:
    (folder / "zones").mkdir(exist_ok=True)
    (folder / "zones" / "example.org.zone").write_text(HEAD + zone)
    path = folder / "lzc.toml"
    path.write_text(
        '[build]\nsources = ["zones/*.zone"]\nserial = "increment"\n[lua]\nenable = true\n'
        f"[health]\n{health}"
    )
    return path


def listed(path: Path) -> set[str]:
    """The targets of the checks of the project's bundle."""
    build(config.load(path))
    with Bundle.open(path.parent / "build" / "current") as bundle:
        return {check.address or check.url for check in bundle.checks}


def errors(path: Path) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        build(config.load(path))
    return [fault for fault in caught.value.faults if fault.rule == "lua-check-target"]


@pytest.mark.parametrize(
    ("record", "address"),
    [
        ("LUA A \"ifportup(80, {'192.0.2.1', '169.254.169.254'})\"", "169.254.169.254"),
        ("LUA A \"ifportup(80, {'0.0.0.0:81'})\"", "0.0.0.0"),
        ("LUA A \"ifportup(80, {'169.254.' .. '1.1'})\"", "169.254.1.1"),
        ("LUA AAAA \"ifportup(80, {'fe80::1'})\"", "fe80::1"),
        ("LUA AAAA \"ifportup(80, {'::ffff:169.254.169.254'})\"", "::ffff:169.254.169.254"),
        ("LUA AAAA \"ifportup(80, {'fd00:ec2::254'})\"", "fd00:ec2::254"),
        ("LUA A \"ifurlup('http://www/', {{'192.0.2.1'}, {'169.254.1.1'}})\"", "169.254.1.1"),
        (
            "LUA A \"ifurlextup({{['192.0.2.1']='http://169.254.169.254/latest/'}})\"",
            "169.254.169.254",
        ),
        ("LUA A \"pickselfweighted('http://www/', {'169.254.1.1'})\"", "169.254.1.1"),
        # Behind a choice, and in a record that is run.
        (
            "LUA A \";if country('DE') then return ifportup(80, {'169.254.1.1'}) end "
            "return '192.0.2.1'\"",
            "169.254.1.1",
        ),
        (
            "LUA A \";if tostring(who) == '192.0.2.77' then "
            "return ifportup(80, {'169.254.1.1'}) end return '192.0.2.1'\"",
            "169.254.1.1",
        ),
    ],
)
def test_a_link_local_target_of_a_zone_is_an_error_that_says_how_to_allow_it(
    tmp_path: Path, record: str, address: str
) -> None:
    path = project(tmp_path, f"www {record}\n")
    (fault,) = errors(path)
    assert (fault.place.file, fault.place.line) == ("zones/example.org.zone", 5)
    assert address in fault.message
    network = fault.fix.partition("allow = [")[2].partition("]")[0]
    assert listed(project(tmp_path, f"www {record}\n", f"allow = [{network}]\n"))


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.1.1", "100.64.0.1"])
def test_private_targets_of_a_zone_are_checked_unless_denied(tmp_path: Path, address: str) -> None:
    record = f"www LUA A \"ifportup(80, {{'{address}'}})\"\n"
    assert listed(project(tmp_path, record)) == {address}
    (fault,) = errors(
        project(tmp_path, record, f'deny = ["{address}/32"]\nallow = ["0.0.0.0/0"]\n')
    )
    assert "which deny lists" in fault.message


def test_the_addresses_of_records_that_code_looks_up_stand_in_the_zone(tmp_path: Path) -> None:
    zone = "pool A 169.254.1.1\nwww LUA A \"ifportup(80, dblookup('pool.example.org', 1))\"\n"
    (fault,) = errors(project(tmp_path, zone))
    assert fault.place.line == 5
    assert listed(project(tmp_path, zone.replace("169.254.1.1", "10.0.0.1"))) == {"10.0.0.1"}


@pytest.mark.parametrize(
    "code",
    [
        "ifportup(80, {bestwho:toString()})",
        "ifportup(80, {'169.254.' .. tostring(who):match('%d+') .. '.1'})",
        ";local n = #tostring(qname) return ifportup(80, {'169.254.0.' .. n})",
    ],
)
def test_what_only_came_of_trying_it_out_is_neither_listed_nor_told(
    tmp_path: Path, code: str
) -> None:
    assert listed(project(tmp_path, f'www LUA A "{code}"\n')) == set()


def test_a_bundle_says_what_the_checks_of_queries_are_made_of(tmp_path: Path) -> None:
    zone = (
        "; lzc: ignore lua-open-forward\n"
        '*.a LUA A "ifportup(8443, {createForward()}, {timeout=3})"\n'
        "b LUA A \"ifportup(80, {'192.0.2.1'})\"\n"
    )
    path = project(tmp_path, zone)
    build(config.load(path))
    with Bundle.open(tmp_path / "build" / "current") as bundle:
        (constants,) = bundle.constants.values()
        assert list(bundle.constants) == [ZONE]
        assert constants.computed(Check("192.0.2.9", 8443, timeout=3)) == ["address"]
        assert constants.computed(Check("192.0.2.9", 22, timeout=3)) == ["address", "port"]
        before = bundle.id
    # What changes there alone is a change of the bundle.
    changed = project(tmp_path, zone.replace("8443", "8444"))
    assert build(config.load(changed)).id != before
    with Bundle.open(tmp_path / "build" / "current") as bundle:
        assert bundle.constants[ZONE].computed(Check("192.0.2.9", 8444, timeout=3)) == ["address"]
    # Zones whose checks are all listed have none.
    build(config.load(project(tmp_path, "b LUA A \"ifportup(80, {'192.0.2.1'})\"\n")))
    with Bundle.open(tmp_path / "build" / "current") as bundle:
        assert bundle.constants == {}


def test_the_list_of_checks_is_read_as_it_was_written(tmp_path: Path) -> None:
    check = Check("192.0.2.1", 80)
    file = tmp_path / "checks.json"
    whole = check_list.CheckList((check,), {ZONE: of_checks([check]), b"\0": Constants()})
    file.write_bytes(whole.to_octets())
    assert check_list.read(file) == check_list.CheckList((check,), {ZONE: of_checks([check])})


@pytest.mark.difference("D-27")
def test_lzc_query_explains_why_a_check_is_not_made(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        "*.p LUA A \";local n = tonumber(tostring(qname):match('^%d+')) "
        "return ifportup(n or 80, {'192.0.2.1'}, {backupSelector='empty'})\"\n"
        "*.a LUA A \";local n = tostring(qname):match('^%d+') or 'x' "
        "return ifportup(80, {'10.0.0.' .. n}, {backupSelector='empty'})\"\n",
    )
    build(config.load(path))

    def explained(name: str) -> str:
        arguments = ["query", f"{name}.example.org", "A", "--explain", "-c", str(path)]
        return CliRunner().invoke(group, arguments).output

    port, address = explained("22.p"), explained("7.a")
    assert "TCP port 22 of 192.0.2.1: not checked: a query decides its port" in port
    assert "TCP port 80 of 10.0.0.7: not checked: 10.0.0.7 is private" in address
    assert "returned: an empty list" in port
    assert "returned: an empty list" in address
    project(
        tmp_path,
        (tmp_path / "zones/example.org.zone").read_text().removeprefix(HEAD),
        'allow = ["10.0.0.0/8"]\ncomputed = ["address", "port"]\n',
    )
    assert "returned: 192.0.2.1" in explained("22.p")
    assert "returned: 10.0.0.7" in explained("7.a")
