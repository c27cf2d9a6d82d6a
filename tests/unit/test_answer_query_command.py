"""``lzc query``: the live bundle asked without a server."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lzc.cli import group

CONFIG = """
[build]
sources = ["zones/*.zone"]
serial = "keep"
[lua]
enable = true
[zone."example.net"]
dnssec = true
"""
ORG = """\
@ 3600 IN SOA ns1 hostmaster 7 7200 900 1209600 300
@ 3600 IN NS ns1
ns1 600 IN A 192.0.2.53
www 600 IN A 192.0.2.1
up 30 IN LUA A "ifportup(443, {'192.0.2.11', '192.0.2.12'}, {selector='all'})"
url 30 IN LUA A "ifurlup('https://example.org/', {{'192.0.2.11', '192.0.2.12'}}, {selector='all'})"
who 30 IN LUA TXT "bestwho:toString()"
talks 30 IN LUA A ";pdnslog('so far so good') return '192.0.2.1'"
broken 30 IN LUA A ";error('on purpose')"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(CONFIG)
    big = "".join(f"big 60 IN TXT {'x' * 60}{number}\n" for number in range(40))
    (folder / "zones/example.org.zone").write_text(ORG + big)
    (folder / "zones/example.net.zone").write_text(ORG)
    for arguments in (["keys", "generate", "example.net"], ["build"]):
        result = lzc(folder, *arguments)
        assert result.exit_code == 0, result.output
    return folder


def lzc(folder: Path, command: str, *arguments: str) -> Result:
    head = [command]
    if command == "keys":
        head.append(arguments[0])
        arguments = arguments[1:]
    return CliRunner().invoke(
        group, [*head, "-c", str(folder / "lzc.toml"), *arguments], catch_exceptions=False
    )


def ask(folder: Path, *arguments: str) -> dict[str, Any]:
    result = lzc(folder, "query", *arguments, "--format", "json")
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def data(shown: dict[str, Any]) -> list[str]:
    return sorted(record["data"] for record in shown["answer"])


def test_the_text_is_that_of_dig(project: Path) -> None:
    result = lzc(project, "query", "www.example.org")
    assert result.exit_code == 0
    assert "status: NOERROR" in result.stdout
    assert ";; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1" in result.stdout
    assert "\nwww.example.org.\t600\tIN\tA\t192.0.2.1\n" in result.stdout


def test_the_json_has_every_section(project: Path) -> None:
    shown = ask(project, "nx.example.org", "AAAA")
    assert shown["status"] == "NXDOMAIN"
    assert shown["flags"] == ["qr", "aa"]
    assert shown["question"] == {"name": "nx.example.org.", "type": "AAAA"}
    assert shown["answer"] == []
    assert shown["authority"][0]["type"] == "SOA"
    assert shown["transport"] == "udp"


def test_all_targets_are_up_but_those_said_to_be_down(project: Path) -> None:
    both = ["192.0.2.11", "192.0.2.12"]
    assert data(ask(project, "up.example.org")) == both
    for down in ("192.0.2.11", "192.0.2.11:443"):
        for name in ("up", "url"):
            assert data(ask(project, f"{name}.example.org", "A", "--down", down)) == both[1:]
    assert data(ask(project, "up.example.org", "A", "--down", "192.0.2.11:80")) == both


def test_the_client_and_its_subnet_can_be_chosen(project: Path) -> None:
    shown = ask(project, "who.example.org", "TXT", "--from", "198.51.100.7")
    assert data(shown) == ['"198.51.100.7"']
    assert shown["subnet"] is None
    shown = ask(project, "who.example.org", "TXT", "--subnet", "203.0.113.0/24")
    assert data(shown) == ['"203.0.113.0"']
    assert shown["subnet"] == {"address": "203.0.113.0", "source": 24, "scope": 24}
    shown = ask(project, "who.example.org", "TXT", "--from", "2001:db8::1")
    assert data(shown) == ['"2001:db8::1"']


def test_signatures_are_made_on_request(project: Path) -> None:
    kinds = [record["type"] for record in ask(project, "www.example.net", "--dnssec")["answer"]]
    assert kinds == ["A", "RRSIG"]
    assert len(ask(project, "www.example.net")["answer"]) == 1


def test_a_truncated_answer_is_asked_for_again_over_tcp(project: Path) -> None:
    shown = ask(project, "big.example.org", "TXT")
    assert shown["transport"] == "tcp"
    assert len(shown["answer"]) == 40


def test_a_record_that_fails_ends_with_its_reason(project: Path) -> None:
    result = lzc(project, "query", "broken.example.org")
    assert result.exit_code == 1
    assert "SERVFAIL" in result.stdout
    assert "on purpose" in result.stderr
    shown = ask(project, "broken.example.org")
    assert "on purpose" in shown["reasons"][0]


def test_what_a_record_logs_is_shown(project: Path) -> None:
    result = lzc(project, "query", "talks.example.org")
    assert result.exit_code == 0
    assert result.stderr == "pdnslog: so far so good\n"


def test_a_name_in_no_zone_ends_with_an_error(project: Path) -> None:
    result = lzc(project, "query", "www.elsewhere.example")
    assert result.exit_code == 1
    assert "none of the bundle's zones" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["a..b"],
        ["www.example.org", "NOSUCHTYPE"],
        ["www.example.org", "A", "--from", "nowhere"],
        ["www.example.org", "A", "--subnet", "192.0.2.1/24"],
        ["www.example.org", "A", "--down", "192.0.2.1:port"],
        [],
    ],
)
def test_wrong_usage_ends_with_exit_code_2(project: Path, arguments: list[str]) -> None:
    assert lzc(project, "query", *arguments).exit_code == 2


def test_without_a_bundle_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lzc.toml").write_text(CONFIG)
    result = lzc(tmp_path, "query", "www.example.org")
    assert result.exit_code == 1
    assert "lzc build" in result.stderr
