"""``lzc query``: the live bundle asked without a server."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from lzc.cli import query
from lzc.compiler.lua import plans
from lzc.contained import Contained
from lzc.lua.engine.engine import Engine
from tests.unit.command_line import CONFIG, HEAD, build_project, lzc, plan_wrongly

ORG = (
    HEAD
    + """\
up 30 IN LUA A "ifportup(443, {'192.0.2.11', '192.0.2.12'}, {selector='all'})"
url 30 IN LUA A "ifurlup('https://example.org/', {{'192.0.2.11', '192.0.2.12'}}, {selector='all'})"
ext 30 IN LUA A "ifurlextup({{['192.0.2.11']='https://example.org/é'}})"
who 30 IN LUA TXT "bestwho:toString()"
where 30 IN LUA TXT "localwho:toString()"
talks 30 IN LUA A ";pdnslog('so far so good') return '192.0.2.1'"
broken 30 IN LUA A ";error('on purpose')"
; lzc: ignore powerdns-reads-otherwise
escape 30 IN LUA TXT "('\\\\010;; forged \\\\027[31m'):rep(2)"
; lzc: ignore powerdns-reads-otherwise
loud 30 IN LUA A ";error('\\\\010forged\\\\027[31m')"
random 30 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2', '192.0.2.3'})"
place 30 IN LUA TXT "countryCode() .. ' ' .. latlon()"
clock 30 IN LUA TXT "os.date('!%Y-%m-%d %H:%M')"
empty 30 IN LUA A "{}"
alias 60 IN CNAME www
out 60 IN CNAME www.example.edu.
a.ent 60 IN A 192.0.2.1
sub 60 IN NS ns.example.edu.
old 60 IN DNAME new
"""
)
GEO = Path(__file__).resolve().parents[3] / "fixtures/geo/example.mmdb"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    big = "".join(f"big 60 IN TXT {'x' * 60}{number}\n" for number in range(40))
    build_project(folder, {"example.org": ORG + big, "example.net": ORG})
    return folder


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


def test_the_address_that_was_asked_can_be_chosen(project: Path) -> None:
    where = ["where.example.org", "TXT"]
    assert data(ask(project, *where)) == ['"127.0.0.1"']
    assert data(ask(project, *where, "--local", "192.0.2.53")) == ['"192.0.2.53"']
    six = ["--from", "2001:db8::1", "--local", "2001:db8::53"]
    assert data(ask(project, *where, *six)) == ['"2001:db8::53"']


def test_a_plan_is_what_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "plan_zone", plan_wrongly)
    build_project(tmp_path, {"example.org": ORG, "example.net": ORG})
    for name in ("up", "random"):
        for zone in ("org", "net"):
            shown = ask(tmp_path, f"{name}.example.{zone}", "A", "--explain", "--dnssec")
            assert [record["data"] for record in shown["answer"][:1]] == ["192.0.2.66"]
            (record,) = shown["explanation"]["records"]
            assert record["plan"] == {"operation": "fixed", "answered": True}
            assert record["results"] == ["192.0.2.66"]
    assert "plan: fixed; it answered, no Lua was run\n" in explained(tmp_path, "up.example.org")


def test_a_zone_without_its_keys_is_out_of_service(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "copy", symlinks=True)
    shutil.rmtree(tmp_path / "copy/keys")
    assert lzc(tmp_path / "copy", "query", "www.example.net").exit_code == 1
    assert "none of its keys is usable here" in explained(tmp_path / "copy", "www.example.net")
    assert data(ask(tmp_path / "copy", "www.example.org")) == ["192.0.2.1"]


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
        ["www.example.org", "A", "--place", "planet=Mars"],
        ["www.example.org", "A", "--time", "tea"],
        ["www.example.org", "A", "--seed", "-1"],
        ["www.example.org", "A", "--local", "2001:db8::53"],
        ["www.example.org", "A", "--local", "here"],
        [],
    ],
)
def test_wrong_usage_ends_with_exit_code_2(project: Path, arguments: list[str]) -> None:
    assert lzc(project, "query", *arguments).exit_code == 2


def test_what_is_no_time_is_said(project: Path) -> None:
    result = lzc(project, "query", "www.example.org", "--time", "tea")
    assert "'--time': tea is not a time such as 2026-12-24T18:00" in result.stderr


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (None, "no bundle was built yet: there is no {} ["),
        ("here", "{}: no bundle here: its links lead in a circle ["),
    ],
)
def test_a_folder_without_a_bundle_is_said(
    project: Path, tmp_path: Path, target: str | None, why: str
) -> None:
    path = tmp_path / "here"
    if target is not None:
        path.symlink_to(target)
    result = lzc(project, "query", "www.example.org", "--bundle", str(path))
    assert result.exit_code == 1
    assert why.format(path) in result.stderr


def test_without_a_bundle_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lzc.toml").write_text(CONFIG)
    result = lzc(tmp_path, "query", "www.example.org")
    assert result.exit_code == 1
    assert "lzc build" in result.stderr


def test_health_can_be_set_down_up_and_unknown(project: Path) -> None:
    both = ["192.0.2.11", "192.0.2.12"]
    up = ["--down", "all", "--up", "192.0.2.12:443"]
    assert data(ask(project, "up.example.org", "A", *up)) == both[1:]
    unknown = ["--unknown", "192.0.2.12"]
    assert data(ask(project, "up.example.org", "A", *unknown)) == both[:1]
    assert lzc(project, "query", "up.example.org", "--up", "all", "--down", "all").exit_code == 2


def test_place_and_time_are_what_one_says(project: Path) -> None:
    place = ["--place", "country=NL,lat=52,lon=5"]
    assert data(ask(project, "place.example.org", "TXT", *place)) == ['"nl 52.000000 5.000000"']
    assert data(ask(project, "place.example.org", "TXT")) == ['"-- 0.000000 0.000000"']
    geo = ["--geo", str(GEO), "--subnet", "192.0.2.0/24"]
    assert data(ask(project, "place.example.org", "TXT", *geo))[0].startswith('"nl 52.37')
    moment = ["--time", "2026-12-24T19:00+01:00"]
    assert data(ask(project, "clock.example.org", "TXT", *moment)) == ['"2026-12-24 18:00"']


def test_a_damaged_geo_database_is_a_fault(project: Path, tmp_path: Path) -> None:
    whole = GEO.read_bytes()
    (tmp_path / "geo.mmdb").write_bytes(whole[: len(whole) // 2])
    result = lzc(project, "query", "place.example.org", "TXT", "--geo", str(tmp_path / "geo.mmdb"))
    assert result.exit_code == 1
    assert "cannot be read: it is damaged, or not in MMDB format [geo-database]" in result.stderr
    assert "fix: correct --geo" in result.stderr


def test_signatures_are_those_of_the_time(project: Path) -> None:
    moment = ["--dnssec", "--time", "2030-01-01"]
    (_, signature) = ask(project, "www.example.net", "A", *moment)["answer"]
    assert signature["type"] == "RRSIG"
    expiration, inception = signature["data"].split()[4:6]
    assert inception < "20300101000000" < expiration


def test_a_seed_brings_the_same_choice_again(project: Path) -> None:
    first = {
        seed: data(ask(project, "random.example.org", "A", "--seed", str(seed)))[0]
        for seed in range(12)
    }
    assert len(set(first.values())) > 1
    for seed, answer in first.items():
        arguments = ["--seed", str(seed), "--explain"]
        assert data(ask(project, "random.example.org", "A", *arguments)) == [answer]


def test_another_bundle_can_be_asked(project: Path) -> None:
    live = str((project / "build/current").resolve())
    assert data(ask(project, "www.example.org", "A", "--bundle", live)) == ["192.0.2.1"]
    result = lzc(project, "query", "www.example.org", "--bundle", str(project / "zones"))
    assert result.exit_code == 1
    assert "[no-bundle]" in result.stderr


def explained(project: Path, *arguments: str) -> str:
    return lzc(project, "query", *arguments, "--explain").stdout.partition(";; EXPLANATION:\n")[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["www.example.org"], "www.example.org. exists, with A"),
        (["www.example.org"], "NOERROR: 1 record(s) in the answer"),
        (["up.example.org", "AAAA"], "NODATA: up.example.org. has no AAAA"),
        (["up.example.org", "LUA"], "NODATA: LUA records are code, which is never given out"),
        (["up.example.org"], "health check: TCP port 443 of 192.0.2.11: up"),
        (["up.example.org", "--unknown", "all"], "192.0.2.12: not known yet, which counts as down"),
        (["url.example.org"], "health check: https://example.org/ at 192.0.2.11: up"),
        (["ext.example.org"], "health check: https://example.org/é: up"),
        (["up.example.org", "--subnet", "192.0.2.0/24"], "ECS scope 24"),
        (["www.example.org", "--subnet", "192.0.2.0/24"], "ECS scope 0"),
        (["who.example.org", "TXT"], "chance: none"),
        (["who.example.org", "TXT"], "plan: text; it answered, no Lua was run"),
        (["clock.example.org", "TXT"], "instructions: "),
        (["random.example.org"], "chance: 3 different result(s) seen in"),
        (["a.nx.example.org"], "its closest encloser example.org. has no wildcard"),
        (["nx.example.org"], "NXDOMAIN: nx.example.org. does not exist"),
        (["ent.example.org"], "NODATA: ent.example.org. is an empty non-terminal"),
        (["x.sub.example.org"], "NOERROR: a referral to the name servers of sub.example.org."),
        (["sub.example.org", "DS"], "sub.example.org. is delegated to other name servers"),
        (["alias.example.org"], "alias.example.org. is an alias (CNAME) of www.example.org."),
        (["out.example.org"], "www.example.edu. is in none of the bundle's zones"),
        (["x.old.example.org"], "whose DNAME moves all names below it"),
        (["empty.example.org"], "the LUA record of empty.example.org. returned an empty list"),
        (["broken.example.org"], "failed: runtime: on purpose (line 1 of the code)"),
        (["broken.example.org"], "SERVFAIL: runtime: "),
        (["www.example.edu"], "REFUSED: www.example.edu. is in none of the bundle's zones"),
        (["place.example.org", "TXT", "--place", "country=NL"], "place of 127.0.0.1: country NL"),
    ],
)
def test_the_reason_is_told_on_request(project: Path, arguments: list[str], says: str) -> None:
    assert says in explained(project, *arguments)


def test_keys_that_signed_are_told(project: Path) -> None:
    text = explained(project, "www.example.net", "--dnssec")
    assert re.search(
        r"signed with key \d+ \(ECDSAP256SHA256\) of example\.net\.: A of www\.example\.net\.", text
    )


def test_the_explanation_has_a_form_for_scripts(project: Path) -> None:
    shown = ask(project, "random.example.org", "A", "--explain", "--seed", "5", "--dnssec")
    found = shown["explanation"]
    assert (found["zone"], found["serial"], found["seed"]) == ("example.org.", 7, 5)
    assert found["steps"][0]["match"] == "exact"
    (record,) = found["records"]
    assert record["owner"] == "random.example.org."
    assert record["results"] == data(shown)
    assert record["random"] and len(record["outcomes"]) == 3
    assert sum(outcome["runs"] for outcome in record["outcomes"]) == record["runs"]
    assert found["signatures"] == []
    assert "explanation" not in ask(project, "random.example.org")


def test_a_type_that_is_refused_is_told_apart_from_a_name_elsewhere(project: Path) -> None:
    result = lzc(project, "query", "example.org", "AXFR", "--tcp", "--explain")
    assert result.exit_code == 1
    assert "REFUSED: queries of type AXFR are not answered" in result.stderr
    assert "REFUSED: a query of this kind looks nothing up" in result.stdout


def test_what_a_record_returns_cannot_steer_the_terminal(project: Path) -> None:
    for name, qtype in (("escape", "TXT"), ("loud", "A")):
        result = lzc(project, "query", f"{name}.example.org", qtype, "--explain")
        assert "forged" in result.output
        assert "\x1b" not in result.output
        assert "\n;; forged" not in result.output and "\nforged" not in result.output


def test_the_reason_of_a_failure_does_not_quote_the_rewritten_code(project: Path) -> None:
    result = lzc(project, "query", "broken.example.org", "A", "--explain")
    assert "SERVFAIL: runtime: on purpose" in result.output
    assert "[string" not in result.output


def test_code_that_does_not_come_back_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(*_: object) -> list[bytes]:
        while True:
            pass

    # Put into the engine, so that no library has to hang for it.
    monkeypatch.setattr(Engine, "evaluate", hanging)
    monkeypatch.setattr(query, "patience", lambda _: 0.2)
    result = lzc(project, "query", "clock.example.org", "TXT")
    assert result.exit_code == 1
    assert "it did not come back within 0.2 s of CPU time [lua-hangs]" in result.stderr
    assert "clock.example.org TXT" in result.stderr


def test_each_answer_that_shows_what_chance_can_bring_has_its_own_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are thousands of a record that has many outcomes, and none of them is slow."""
    begun: list[int] = []

    class Here(Contained[Any, Any]):
        """Works in this process, which says when a piece of work begins."""

        def ask(self, request: Any, home: Any = None) -> Any:
            return self._work(request, begun.append, home)

    monkeypatch.setattr(query, "Contained", Here)
    explained = lzc(project, "query", "random.example.org", "A", "--explain")
    assert explained.exit_code == 0
    assert len(begun) > 1000
