"""``lzc test``: answers held against expectations."""

import json
import re
import shlex
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from lzc.cli import test as command
from lzc.compiler.lua import plans
from lzc.lua.engine.engine import Engine
from tests.unit.command_line import HEAD, build_project, lzc, plan_wrongly

ROOT = Path(__file__).resolve().parents[3]
NET = (
    HEAD
    + """\
sub 600 IN NS ns.sub
ns.sub 600 IN A 192.0.2.4
old 600 IN DNAME example.net.
"""
)
ORG = (
    NET
    + """\
both 600 IN A 192.0.2.1
both 600 IN A 192.0.2.2
alias 600 IN CNAME www
text 600 IN TXT "two words"
mail 600 IN MX 10 Mail.Example.ORG.
up 30 IN LUA A "ifportup(443, {'192.0.2.11', '192.0.2.12'}, {selector='all'})"
any 30 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2', '192.0.2.3'})"
rare 30 IN LUA A "pickwrandom({{99, '192.0.2.1'}, {1, '192.0.2.2'}})"
place 30 IN LUA A ";if country('DE') then return '192.0.2.21' else return '192.0.2.22' end"
who 30 IN LUA TXT "bestwho:toString()"
where 30 IN LUA TXT "localwho:toString()"
clock 30 IN LUA TXT "os.date('!%Y-%m-%d')"
dice 30 IN LUA TXT "tostring(pdnsrandom(1000))"
broken 30 IN LUA A ";error('on purpose \\007')"
"""
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    build_project(folder, {"example.org": ORG, "example.net": NET})
    return folder


def check(project: Path, text: str, *arguments: str) -> Result:
    file = project / "given.toml"
    file.write_text(text)
    return lzc(project, "test", str(file), *arguments)


def failures(project: Path, text: str) -> list[tuple[str, str]]:
    """What was expected and what came instead, of one test and client."""
    result = check(project, f"[[test]]\n{text}", "--format", "json")
    shown: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if shown["failed"] else 0)
    (only,) = shown["results"]
    return [(failure["expected"], failure["got"]) for failure in only["failures"]]


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("both", 'answers = ["192.0.2.2", "192.0.2.1"]\nttl = 600'),
        ("both", 'must = "192.0.2.1"'),
        ("both", 'must = "192.0.2.1"\nmay = "192.0.2.2"\nmust-not = "192.0.2.3"'),
        ("alias", 'answers = "192.0.2.1"'),
        ("any", 'one-of = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]'),
        ("any", 'sometimes = ["192.0.2.1", "192.0.2.2"]\nmay = "192.0.2.3"'),
        ("any", 'may = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]'),
        ("rare", 'sometimes = ["192.0.2.1", "192.0.2.2"]'),
        ("up", 'down = "192.0.2.11:443"\nanswers = "192.0.2.12"'),
        ("up", 'down = "all"\nup = "192.0.2.12"\nanswers = "192.0.2.12"'),
        ("up", 'unknown = "192.0.2.11"\nanswers = "192.0.2.12"'),
        ("place", 'place = { country = "DE" }\nanswers = "192.0.2.21"'),
        ("place", 'answers = "192.0.2.22"'),
        ("who", 'type = "TXT"\nclient = "2001:db8::1"\nanswers = "2001:db8::1"'),
        ("who", 'type = "TXT"\nsubnet = "203.0.113.0/24"\nanswers = "203.0.113.0"'),
        ("where", 'type = "TXT"\nanswers = "127.0.0.1"'),
        ("where", 'type = "TXT"\nlocal = "192.0.2.53"\nanswers = "192.0.2.53"'),
        ("clock", 'type = "TXT"\ntime = 2026-12-24T18:00:00Z\nanswers = "2026-12-24"'),
        ("text", 'type = "TXT"\nanswers = "two words"'),
        ("text", 'type = "TXT"\nanswers = \'"two words"\'\ntcp = true'),
        ("mail", 'type = "MX"\nanswers = "10 mail.example.org."'),
        ("nothing", 'rcode = "NXDOMAIN"\nttl = 300'),
        ("broken", 'rcode = "SERVFAIL"'),
        ("www", "signed = false"),
        ("www", 'type = "AAAA"\nanswers = []'),
    ],
)
def test_expectations_that_hold(project: Path, name: str, rules: str) -> None:
    assert failures(project, f'name = "{name}.example.org"\n{rules}') == []


@pytest.mark.parametrize(
    ("name", "rules", "expected"),
    [
        ("both", 'answers = "192.0.2.1"', [("exactly 192.0.2.1", "192.0.2.1, 192.0.2.2")]),
        ("www", "answers = []", [("no answer", "192.0.2.1")]),
        (
            "www",
            'must = ["192.0.2.1", "192.0.2.2"]',
            [("192.0.2.2 in every answer", "192.0.2.1")],
        ),
        ("www", "may = []", [("nothing but no answer", "192.0.2.1")]),
        (
            "both",
            'must = "192.0.2.1"\nmay = []',
            [("nothing but 192.0.2.1", "192.0.2.1, 192.0.2.2")],
        ),
        ("www", 'must-not = "192.0.2.1"', [("never 192.0.2.1", "192.0.2.1")]),
        (
            "both",
            'one-of = ["192.0.2.1", "192.0.2.2"]',
            [("one of 192.0.2.1, 192.0.2.2", "192.0.2.1, 192.0.2.2")],
        ),
        (
            "rare",
            'may = "192.0.2.1"',
            [("nothing but 192.0.2.1", "192.0.2.2")],
        ),
        (
            "www",
            'sometimes = ["192.0.2.1", "192.0.2.2"]',
            [("192.0.2.2 in some answers", "192.0.2.1")],
        ),
        ("nothing", 'must = "192.0.2.1"', [("NOERROR", "NXDOMAIN")]),
        ("broken", 'must-not = "192.0.2.1"', [("NOERROR", "SERVFAIL")]),
        ("www", 'rcode = "NXDOMAIN"', [("NXDOMAIN", "NOERROR")]),
        ("www", "ttl = 60", [("TTL 60", "TTL 600")]),
        (
            "www",
            "signed = true",
            [("valid signatures", "insecure: zone example.org. is not signed")],
        ),
    ],
)
def test_expectations_that_do_not_hold(
    project: Path, name: str, rules: str, expected: list[tuple[str, str]]
) -> None:
    assert failures(project, f'name = "{name}.example.org"\n{rules}') == expected


@pytest.mark.parametrize(
    ("name", "rcode"),
    [("www", "NOERROR"), ("nothing", "NXDOMAIN"), ("x.sub", "NOERROR"), ("www.old", "NOERROR")],
)
def test_answers_of_a_signed_zone_are_signed(project: Path, name: str, rcode: str) -> None:
    rules = f'name = "{name}.example.net"\nrcode = "{rcode}"\nsigned = '
    assert failures(project, f"{rules}true") == []
    ((expected, _),) = failures(project, f"{rules}false")
    assert expected == "no signatures"


def test_every_client_is_asked_for_in_every_place(project: Path) -> None:
    text = """[[test]]
title = "all of them"
name = "who.example.org"
type = "TXT"
client = ["192.0.2.1", "192.0.2.2"]
subnet = ["203.0.113.0/24", "2001:db8::/32"]
place = [{ country = "DE" }, { country = "FR", lat = 48.9, lon = 2.4 }]
must-not = "127.0.0.1"
"""
    result = check(project, text, "--format", "json")
    results = json.loads(result.stdout)["results"]
    asked = {(each["client"], each["subnet"], each["place"]) for each in results}
    assert len(results) == len(asked) == 8
    assert ("192.0.2.2", "2001:db8::/32", "country=FR,lat=48.9,lon=2.4") in asked


def test_clients_are_at_each_address_of_their_family(project: Path) -> None:
    text = """[[test]]
name = "where.example.org"
type = "TXT"
client = ["192.0.2.1", "2001:db8::1"]
local = ["192.0.2.53", "192.0.2.54", "2001:db8::53"]
must-not = "2001:db8::53"
"""
    result = check(project, text, "--format", "json")
    results = json.loads(result.stdout)["results"]
    asked = [(each["client"], each["local"], each["passed"]) for each in results]
    assert asked == [
        ("192.0.2.1", "192.0.2.53", True),
        ("192.0.2.1", "192.0.2.54", True),
        ("2001:db8::1", "2001:db8::53", False),
    ]
    assert "--local 2001:db8::53" in results[2]["reproduce"]


def test_a_wrong_plan_fails_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server answers is tested, and not what the code of the record says."""
    tests = (
        '[[test]]\nname = "up.example.org"\nanswers = ["192.0.2.11", "192.0.2.12"]\n'
        '[[test]]\nname = "any.example.org"\nmay = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]\n'
    )
    build_project(tmp_path, {"example.org": ORG, "example.net": NET})
    assert check(tmp_path, tests).exit_code == 0
    monkeypatch.setattr(plans, "plan_zone", plan_wrongly)
    assert lzc(tmp_path, "build", "-o", str(tmp_path / "other")).exit_code == 0
    result = check(tmp_path, tests, "--bundle", str(tmp_path / "other"))
    assert result.exit_code == 1
    assert result.stdout.endswith("2 test(s), 2 failed\n")
    assert "got       192.0.2.66\n" in result.stdout
    assert "plan: fixed; it answered, no Lua was run\n" in result.stdout


def test_a_failure_says_why_and_how_to_see_it_again(project: Path) -> None:
    text = '[[test]]\nname = "rare.example.org"\nmay = "192.0.2.1"\nclient = "192.0.2.9"\n'
    result = check(project, text)
    assert result.exit_code == 1
    assert "given.toml:1:1: rare.example.org A" in result.stdout
    assert re.search(
        r"got +192\.0\.2\.2 \(in \d+ of \d+ runs, first with seed \d+\)", result.stdout
    )
    assert "LUA A at rare.example.org. TTL 30:" in result.stdout
    assert result.stdout.endswith("1 test(s), 1 failed\n")
    again = next(line for line in result.stdout.splitlines() if line.startswith("    again "))
    program, command, *arguments = shlex.split(again.split(maxsplit=1)[1])
    assert (program, command) == ("lzc", "query")
    shown = lzc(project, command, *arguments, "--format", "json")
    assert [record["data"] for record in json.loads(shown.stdout)["answer"]] == ["192.0.2.2"]


def test_passing_tests_are_listed_on_request(project: Path) -> None:
    text = '[[test]]\ntitle = "fine"\nname = "www.example.org"\nanswers = "192.0.2.1"\n'
    assert check(project, text).stdout == "1 test(s), 0 failed\n"
    assert "given.toml:1:1: fine\n" in check(project, text, "-v").stdout


def test_the_report_of_junit_has_a_case_for_each_test_and_client(
    project: Path, tmp_path: Path
) -> None:
    text = """[[test]]
title = "fails & <burns>"
name = "broken.example.org"
client = ["192.0.2.1", "192.0.2.2"]
answers = "192.0.2.1"
[[test]]
name = "www.example.org"
answers = "192.0.2.1"
"""
    result = check(project, text, "--junit", str(tmp_path / "report.xml"))
    assert result.exit_code == 1
    root = ET.parse(tmp_path / "report.xml").getroot()
    assert root.tag == "testsuites"
    (suite,) = root
    for element in (root, suite):
        assert (element.get("tests"), element.get("failures")) == ("3", "2")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        "fails & <burns> (from 192.0.2.1)",
        "fails & <burns> (from 192.0.2.2)",
        "www.example.org A",
    ]
    assert [case.get("line") for case in cases] == ["1", "1", "6"]
    assert all(float(case.get("time", "x")) >= 0 for case in cases)
    properties = {each.get("name"): each.get("value") for each in cases[1].iter("property")}
    assert properties["client"] == "192.0.2.2"
    assert "lzc query" in str(properties["reproduce"])
    (failure,) = cases[0].findall("failure")
    assert failure.get("message") == "expected NOERROR, got SERVFAIL"
    assert "on purpose \\x07" in str(failure.text)
    assert not cases[2].findall("failure")


def test_sources_are_tested_before_they_are_live(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(project, folder, symlinks=True)
    zone = folder / "zones/example.org.zone"
    zone.write_text(zone.read_text().replace("www 600 IN A 192.0.2.1\n", "www 60 IN A 192.0.2.9\n"))
    (folder / "tests").mkdir()
    (folder / "tests.toml").write_text('[[test]]\nname = "www.example.org"\nttl = 60\n')
    (folder / "tests/more.toml").write_text(
        '[[test]]\nname = "www.example.org"\nanswers = "192.0.2.9"\n'
    )
    live = (folder / "build/current").readlink()
    assert lzc(folder, "test").stdout.endswith("2 test(s), 2 failed\n")
    assert lzc(folder, "test", "--build").stdout == "2 test(s), 0 failed\n"
    assert (folder / "build/current").readlink() == live
    result = lzc(folder, "build", "-o", str(tmp_path / "other"))
    assert result.exit_code == 0
    assert lzc(folder, "test", "--bundle", str(tmp_path / "other")).exit_code == 0


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('[[test]]\nname = "a"\nmst = "1"', "3:1", "did you mean must?"),
        ("[[test]]\nttl = 5", "1:1", "name: is missing"),
        ('[[test]]\nname = "www.example.org"\nttl = "5"', "3:1", "must be a whole number"),
        ('[test]\nname = "www.example.org"', "1:1", "write [[test]]"),
        ('[[test]]\nname = "www.example.com"\nttl = 5', "2:1", "none of the zones"),
        ('[[test]]\nname = "a..b"\nttl = 5', "2:1", "empty label"),
        ('[[test]]\nname = "www.example.org"\ntype = "B"\nttl = 5', "3:1", "unknown RR type"),
        ('[[test]]\nname = "www.example.org"\nrcode = "NO"', "3:1", "an RCODE is one of"),
        ('[[test]]\nname = "www.example.org"', "1:1", "expects nothing"),
        ('[[test]]\nname = "www.example.org"\nmust = []', "1:1", "expects nothing"),
        (
            '[[test]]\nname = "www.example.org"\nmust = [\n  "192.0.2.1",\n  "host"]',
            "5:3",
            "'host' is no RDATA of type A",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nclient = "here"',
            "4:1",
            "does not appear to be an IPv4 or IPv6 address",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nlocal = "2001:db8::53"',
            "4:1",
            "a client at 127.0.0.1 can ask none of these",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nsubnet = "192.0.2.1/24"',
            "4:1",
            "has host bits set",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nplace = { lat = 5.0 }',
            "4:1",
            "lat and lon go together",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nplace = { contry = "DE" }',
            "4:1",
            "did you mean country?",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\ndown = "all"\nup = "all"',
            "1:1",
            "two states at once",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\ntime = 2026-12-24T18:00:00',
            "4:1",
            "needs its zone",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\ntime = 2026-12-24',
            "4:1",
            "must be a date with a time, without quotes: 2026-12-24T18:00:00Z",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nplace = [{ lat = "N" }, "DE"]',
            "4:1",
            "test[0].place[1]: must be a table",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nclient = 4',
            "4:1",
            "must be a list in brackets",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\ntime = 0001-01-01T00:00:00+14:00',
            "4:1",
            "from 1970 to 2105",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\ntime = 9999-12-31T23:59:59-14:00',
            "4:1",
            "from 1970 to 2105",
        ),
        (
            '[[test]]\nname = "www.example.org"\nttl = 5\nclient = ['
            + '"192.0.2.1",' * 300
            + "]\nsubnet = ["
            + '"192.0.2.0/24",' * 300
            + "]",
            "1:1",
            "90000 questions",
        ),
        ('[[test]]\nname = "www.example.org"\nttl = true', "3:1", "must be a whole number"),
        ('[[test]]\nname = "www.example.org"\nttl = -1', "3:1", "greater than or equal to 0"),
        ('[[test]]\nname = "www.example.org"\none-of = []', "1:1", "expects nothing"),
        (
            '[[test]]\nname = "www.example.org"\nanswers = []\nmust = "192.0.2.1"',
            "3:1",
            "answers lists everything",
        ),
        (
            '[[test]]\nname = "www.example.org"\nmust = "192.0.2.1"\nmust-not = "192.0.2.1"',
            "4:1",
            "wanted and unwanted",
        ),
        (
            '[[test]]\nname = "www.example.org"\ntype = "ANY"\nmust = "192.0.2.1"',
            "4:1",
            "cannot be tested",
        ),
        ("", "1:1", "holds no tests"),
        ("[[test]", "1:7", "not valid TOML"),
    ],
)
def test_faults_name_their_place(project: Path, text: str, place: str, says: str) -> None:
    result = check(project, text + "\n")
    assert result.exit_code == 1
    assert f"given.toml:{place}: error:" in result.stderr
    assert says in result.stderr


def test_faults_of_all_files_are_told_in_one_run(project: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[[test]]\n")
    (tmp_path / "b.toml").write_text("[[test]]\n[[test]]\nname = 5\n")
    files = [str(tmp_path / name) for name in ("a.toml", "b.toml", "missing.toml")]
    result = lzc(project, "test", *files)
    assert result.exit_code == 1
    for place in ("a.toml:1:1", "b.toml:1:1", "b.toml:3:1", "missing.toml: error"):
        assert place in result.stderr


def test_without_tests_it_says_what_to_do(project: Path) -> None:
    result = lzc(project, "test")
    assert result.exit_code == 1
    assert "[test-file-missing]" in result.stderr


def test_two_bundles_at_once_are_wrong_usage(project: Path) -> None:
    assert lzc(project, "test", "--build", "--bundle", "build").exit_code == 2


def test_the_example_project_is_as_expected(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("build", "keys")
    shutil.copytree(ROOT / "fixtures", tmp_path / "copy", ignore=ignored)
    folder = tmp_path / "copy"
    (folder / "keys").mkdir(mode=0o700)
    (folder / "keys/transfer.tsig").write_text("c2VjcmV0c2VjcmV0c2VjcmV0\n")
    (folder / "keys/transfer.tsig").chmod(0o600)
    for zone in ("example.org", "example.net", "2.0.192.in-addr.arpa"):
        assert lzc(folder, "keys", "generate", zone).exit_code == 0
    result = lzc(folder, "test", "--build")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(", 0 failed\n")


def test_many_wrong_answers_are_told_in_short(project: Path) -> None:
    text = 'name = "dice.example.org"\ntype = "TXT"\nanswers = "none"'
    ((_, got),) = failures(project, text)
    assert re.fullmatch(r'("\d+" or ){4}\d+ others', got)


def test_code_that_does_not_come_back_fails_its_test_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Engine.evaluate

    def hanging(self: Engine, code: bytes, *rest: Any) -> list[bytes]:
        # Put into the engine, so that no library has to hang for it.
        while b"os.date" in code:
            pass
        return evaluate(self, code, *rest)

    monkeypatch.setattr(Engine, "evaluate", hanging)
    monkeypatch.setattr(command, "patience", lambda _: 0.2)
    names = [("any", "A"), ("clock", "TXT"), ("place", "A"), ("clock", "TXT"), ("both", "A")]
    text = "".join(
        f'[[test]]\nname = "{name}.example.org"\ntype = "{kind}"\nrcode = "NOERROR"\n'
        for name, kind in names
    )
    result = check(project, text, "--format", "json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert [bool(one["failures"]) for one in shown["results"]] == [False, True, False, True, False]
    got = shown["results"][1]["failures"][0]["got"]
    assert "it did not come back within 0.2 s of CPU time" in got
