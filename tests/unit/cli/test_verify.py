"""``lzc verify --dnssec``: answers of a bundle, and of a server, verified from the DS on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from lzc.rehearse.survey import asking
from tests.unit.command_line import HEAD, build_project, lzc
from tests.unit.live_server import LiveServer, Project, udp_socket

NET = (
    HEAD
    + """\
sub 600 IN NS ns.sub
ns.sub 600 IN A 192.0.2.4
old 600 IN DNAME example.net.
*.wild 600 IN A 192.0.2.5
lua 30 IN LUA A "ifportup(443, {'192.0.2.11', '192.0.2.12'})"
out 600 IN CNAME www.example.org.
"""
)
ORG = HEAD


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    build_project(folder, {"example.org": ORG, "example.net": NET})
    return folder


def verify(project: Path, *arguments: str) -> dict[str, Any]:
    result = lzc(project, "verify", "--dnssec", "--format", "json", *arguments)
    shown: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if shown["bogus"] else 0)
    return shown


def ds_of(project: Path, zone: str = "example.net") -> str:
    return lzc(project, "keys", "ds", zone).stdout


def test_a_bundle_is_secure_and_tells_until_when(project: Path) -> None:
    result = lzc(project, "verify", "--dnssec")
    assert result.exit_code == 0
    first, insecure, plain, last = result.stdout.splitlines()
    assert re.fullmatch(
        r"example.net.: \d+ answers: \d+ secure, 2 insecure; the first signature expires"
        r" \d{4}-\d\d-\d\dT00:00:00Z, in \d+ day\(s\) \d+ h",
        first,
    )
    assert insecure.startswith("  insecure (")
    assert insecure.endswith("): zone example.org. is not signed")
    assert plain == "not signed: example.org."
    assert re.fullmatch(r"1 zone\(s\), \d+ answers of bundle \w+ at \S+Z: none bogus", last)


def test_without_dnssec_nothing_is_asked(project: Path) -> None:
    assert "undamaged" in lzc(project, "verify").stdout
    for option in (["--zone", "example.net"], ["--sample", "3"], ["--at", "2026-12-24"]):
        result = lzc(project, "verify", *option)
        assert result.exit_code == 2
        assert f"{option[0]} is for --dnssec" in result.stderr


def test_a_ds_of_another_key_makes_the_zone_bogus(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "ds"
    own = ds_of(project)
    other.write_text(own.replace(own.split()[-1], "00" * 32))
    shown = verify(project, "--ds", str(other))
    (zone,) = shown["zones"]
    (problem,) = zone["problems"]
    assert problem["question"] == "example.net. DNSKEY"
    assert problem["problem"].endswith("fits no key in the DNSKEY RRset of example.net.")
    assert shown["bogus"] == zone["bogus"] == 1
    text = lzc(project, "verify", "--dnssec", "--ds", str(other))
    assert "  bogus: example.net. DNSKEY: the DS of key" in text.stdout
    assert text.stdout.endswith(": 1 bogus\n")


def test_a_given_ds_and_dnskey_are_trusted(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    file.write_text(ds_of(project))
    assert verify(project, "--ds", str(file))["bogus"] == 0
    (key,) = (project / "keys").glob("*.key")
    assert verify(project, "--trust-anchor", str(key))["bogus"] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense\n", "no DS and DNSKEY records"),
        ("example.net. IN A 192.0.2.1\n", "example.net. A is neither DS nor DNSKEY"),
        ("", "no DS or DNSKEY record"),
        (f"example.com. IN DS 1 13 2 {'00' * 32}\n", "no zone is signed"),
    ],
)
def test_a_trust_anchor_that_is_none_is_a_fault(
    project: Path, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "anchors"
    file.write_text(text)
    result = lzc_fails(project, "verify", "--dnssec", "--ds", str(file))
    assert says in result


def lzc_fails(project: Path, *arguments: str) -> str:
    result = lzc(project, *arguments)
    assert result.exit_code == 1
    return result.stderr


def test_a_zone_that_is_not_signed_or_not_there_is_a_fault(project: Path) -> None:
    for zone, says in (
        ("example.org", "zone example.org. is not signed"),
        ("example.com", "the bundle has no zone example.com."),
    ):
        assert says in lzc_fails(project, "verify", "--dnssec", "--zone", zone)


def test_another_time_is_that_of_the_signatures_too(project: Path) -> None:
    shown = verify(project, "--at", "2031-05-01T12:00")
    assert shown["at"] == "2031-05-01T12:00:00Z"
    assert shown["zones"][0]["signatures_until"] == "2031-05-15T00:00:00Z"
    assert shown["zones"][0]["seconds_left"] == 13 * 86400 + 12 * 3600


def test_a_sample_says_that_it_is_one(project: Path) -> None:
    result = lzc(project, "verify", "--dnssec", "--sample", "3")
    assert "answers about 3 names by chance, not about all" in result.stdout
    shown = verify(project, "--sample", "3")
    assert shown["zones"][0]["sampled"]
    whole = verify(project, "--sample", "100")
    assert not whole["zones"][0]["sampled"]
    assert whole["zones"][0]["answers"] > shown["zones"][0]["answers"]


def test_a_zone_out_of_service_is_bogus_with_the_reason(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    ds = tmp_path / "ds"
    ds.write_text(ds_of(project))
    for key in (copy / "keys").iterdir():
        key.unlink()
    (zone,) = verify(copy, "--ds", str(ds))["zones"]
    (problem,) = zone["problems"]
    assert problem["problem"].startswith("answered SERVFAIL: zone example.net. is signed, but none")


def test_a_server_is_verified_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    older = Project(tmp_path / "older")
    older.build({"example.net.": "www A 192.0.2.1\n"}, signed=["example.net."])
    (tmp_path / "newer").mkdir()
    newer = Project(tmp_path / "newer")
    shutil.copytree(older.folder / "keys", newer.folder / "keys")
    newer.build({"example.net.": "www A 192.0.2.1\nnew A 192.0.2.2\n"}, signed=["example.net."])
    with LiveServer(older) as server:
        endpoint = f"127.0.0.1:{server.port}"
        shown = verify(older.folder, "--server", endpoint)
        assert (shown["server"], shown["bogus"]) == (endpoint, 0)
        assert shown["zones"][0]["secure"] == shown["zones"][0]["answers"] > 0
        (zone,) = verify(newer.folder, "--server", endpoint)["zones"]
    told = {problem["question"]: problem["problem"] for problem in zone["problems"]}
    assert told == {
        "new.example.net. A": "the zone has it, and the answer does not",
        "new.example.net.": "the NSEC of example.net. says that nothing is before"
        " ns1.example.net., and this exists",
    }


def test_a_server_that_does_not_answer_ends_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TIMEOUT", 0.01)
    with udp_socket(0) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        (zone,) = verify(project, "--server", endpoint)["zones"]
    (problem,) = zone["problems"]
    assert problem["problem"].startswith("no answer to example.net. DNSKEY: no answer within 3")


def test_names_of_a_zone_that_the_bundle_does_not_have_have_to_be_transferred(
    project: Path, tmp_path: Path
) -> None:
    file = tmp_path / "anchors"
    file.write_text(f"example.com. IN DS 1 13 2 {'00' * 32}\n")
    with udp_socket(0) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        arguments = ["--server", endpoint, "--zone", "example.com", "--ds", str(file)]
        said = lzc_fails(project, "verify", "--dnssec", *arguments)
    assert "the bundle has no zone example.com., and it cannot be transferred" in said


def test_deltas_beside_the_bundle_are_verified_too(tmp_path: Path) -> None:
    padding = "".join(f'p{number} 60 TXT "{"x" * 99}"\n' for number in range(20))
    build_project(tmp_path, {"example.org": HEAD + padding, "example.net": NET})
    toml = tmp_path / "lzc.toml"
    toml.write_text(toml.read_text().replace('"keep"', '"increment"'))
    for number in range(2):
        with (tmp_path / "zones" / "example.org.zone").open("a") as zone:
            zone.write(f"a 60 A 192.0.2.{number}\n")
        assert lzc(tmp_path, "build").exit_code == 0
    first, _ = lzc(tmp_path, "verify").stdout.splitlines()
    assert first == "2 delta(s) for IXFR, undamaged, of which 2 lead from a bundle here to another"
    shown = json.loads(lzc(tmp_path, "verify", "--format", "json").stdout)
    assert shown["ixfr"] == {"files": 2, "deltas": 2, "followed": 2}
    path = sorted((tmp_path / "build" / "deltas").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-1])
    result = lzc(tmp_path, "verify")
    assert result.exit_code == 1
    assert "[delta-damaged]" in result.stderr
    assert str(path) in result.stderr
