"""Explanations of answers, found by watching how they are made."""

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from lzc.answer.match import MatchKind, match
from lzc.answer.settings import ResponderSettings
from lzc.answer.zone import ServedZones
from lzc.compiler.lua.plans import plan_zone
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.lua.engine.execution import EngineSettings
from lzc.lua.engine.geo import GeoFields
from lzc.rehearse import rehearsal
from lzc.rehearse.assumed import Circumstances, Target, parse_place, statuses
from lzc.rehearse.execution import Execution
from lzc.rehearse.explain import Explanation, explain
from lzc.rehearse.rehearsal import Answer, Scene, Staging
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.unit.answering import HEAD, NOW, World
from tests.unit.command_line import plan_wrongly

ZONE = """\
www 600 IN A 192.0.2.1
alias 600 IN CNAME there.example.net.
out 600 IN CNAME www.elsewhere.example.
a.b.ent 600 IN TXT deep
*.wild 600 IN A 192.0.2.2
blocked.wild 600 IN A 192.0.2.3
sub 600 IN NS ns.sub
ns.sub 600 IN A 192.0.2.4
old 600 IN DNAME example.net.
up 30 IN LUA A "ifportup(443, {'192.0.2.11', '192.0.2.12'}, {selector='all'})"
web 30 IN LUA A "ifurlup('https://x.example/', {'192.0.2.11'}, {stringmatch='fine'})"
pick 30 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2', '192.0.2.3'})"
twice 30 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2'})"
twice 30 IN LUA A "pickrandom({'192.0.2.3', '192.0.2.4'})"
near 30 IN LUA A ";include('config') if country('DE') then return de else return other end"
config 30 IN LUA LUA "de = '192.0.2.21' other = '192.0.2.22'"
lost 30 IN LUA A ";include('nowhere') return '192.0.2.1'"
none 30 IN LUA A "{}"
broken 30 IN LUA A ";error('on purpose')"
luckless 30 IN LUA A ";if pdnsrandom(2) == 1 then error('bad luck') end return '192.0.2.1'"
clock 30 IN LUA TXT "os.date('!%Y-%m-%d')"
*.lua 30 IN LUA TXT "qname:toString()"
loop 30 IN LUA A ";while true do end"
here 30 IN LUA A "localwho and localwho:toString() or '0.0.0.0'"
strict 30 IN LUA A "ifportup(443, {'192.0.2.11'}, {failOnIncompleteCheck='true'})"
far 30 IN LUA A ";if country('DE') then return {} else return '192.0.2.1' end"
idle 30 IN LUA A "ifportup(443, {'192.0.2.11'}, {backupSelector='empty'})"
countries 30 IN LUA TXT "countryCode()"
countries 30 IN LUA TXT "continentCode()"
choice 30 IN LUA CNAME "pickrandom({'www.example.org.', 'pick.example.org.'})"
wide 30 IN LUA TXT "pickrandomsample(7, {'short'," LONG "})"
"""
ZONE = ZONE.replace("LONG", " ".join(f"\"'{'x' * 230}{number}',\"" for number in range(7)))


class Map:
    """One client has a place."""

    def lookup(self, address: bytes) -> GeoFields:
        return {"country": "DE"} if address == bytes((192, 0, 2, 99)) else {}


ZONES = {"example.org.": HEAD + ZONE, "example.net.": HEAD + "there 60 IN A 192.0.2.30\n"}


@pytest.fixture(scope="module", params=[True, False], ids=["planned", "run"])
def staging(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Staging:
    plans = plan_zone if request.param else None
    world = World(tmp_path_factory.mktemp("bundle"), ZONES, plans=plans)
    return Staging(world.bundle, ResponderSettings(), EngineSettings(), geo=Map())


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Staging:
    world = World(tmp_path_factory.mktemp("bundle"), ZONES, plans=plan_zone)
    return Staging(world.bundle, ResponderSettings(), EngineSettings(), geo=Map())


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Staging:
    keys = {
        name: [SigningKey.make(wire_name.from_text(name), 15, 257, algorithms.generate(15))]
        for name in ZONES
    }
    world = World(tmp_path_factory.mktemp("bundle"), ZONES, keys=keys, plans=plan_zone)
    return Staging(
        world.bundle, ResponderSettings(), EngineSettings(), lambda now: (world.signers, ()), Map()
    )


@pytest.fixture
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search for what else chance can bring, where the test is about an answer."""
    monkeypatch.setattr(rehearsal, "IDLE_RUNS", 0)


CLIENT = Circumstances(NOW)


def told(
    staging: Staging, name: str, qtype: int = rrtype.A, client: Circumstances = CLIENT
) -> Explanation:
    return both(staging, name, qtype, client)[1]


def both(
    staging: Staging,
    name: str,
    qtype: int = rrtype.A,
    client: Circumstances = CLIENT,
    seed: int = 7,
) -> tuple[Answer, Explanation]:
    found = explain(staging, client, wire_name.from_text(f"{name}.example.org."), qtype, seed)
    assert found is not None
    return found


def addresses(answer: Answer) -> tuple[str, ...]:
    found = message.parse_message(answer.wire).answer
    return tuple(str(ipaddress.ip_address(rr.rdata)) for rr in found if rr.rrtype == rrtype.A)


def only(explanation: Explanation) -> Execution:
    (execution,) = explanation.executions
    return execution


@pytest.mark.parametrize(
    ("name", "kind", "node"),
    [
        ("www", MatchKind.EXACT, "www"),
        ("x.wild", MatchKind.WILDCARD, "*.wild"),
        ("x.sub", MatchKind.DELEGATION, "sub"),
        ("nothing.www", MatchKind.MISSING, "www"),
    ],
)
def test_the_node_that_decides_is_named(
    staging: Staging, name: str, kind: MatchKind, node: str
) -> None:
    (step,) = told(staging, name).steps
    assert (step.kind, step.node) == (kind, f"{node}.example.org.")


def test_aliases_are_followed_from_zone_to_zone(staging: Staging) -> None:
    first, second = told(staging, "alias").steps
    assert (first.zone, first.target) == ("example.org.", "there.example.net.")
    assert (second.zone, second.kind, second.types) == ("example.net.", MatchKind.EXACT, ("A",))
    assert told(staging, "out").steps[-1].target == "www.elsewhere.example."
    moved = told(staging, "there.old").steps
    assert [step.kind for step in moved] == [MatchKind.DNAME, MatchKind.EXACT]


def test_empty_non_terminals_and_wildcards_out_of_reach_are_told(staging: Staging) -> None:
    assert told(staging, "b.ent").steps[0].is_ent
    assert not told(staging, "www").steps[0].is_ent
    assert told(staging, "x.blocked.wild").steps[0].blocked == "*.wild.example.org."
    assert told(staging, "nothing").steps[0].blocked == ""


def test_a_name_outside_has_no_zone(staging: Staging) -> None:
    found = explain(staging, CLIENT, wire_name.from_text("example.com."), rrtype.A, 7)
    assert found is not None
    assert found[1].zone is None
    assert not found[1].steps


def test_checks_are_told_with_the_status_they_got(staging: Staging) -> None:
    down = statuses([Target.parse("192.0.2.12:443")], [], [])
    execution = only(told(staging, "up", client=replace(CLIENT, health=down)))
    seen = {check.address: status for check, status in execution.checks.items()}
    assert seen == {"192.0.2.11": True, "192.0.2.12": False}
    assert execution.results == ("192.0.2.11",)
    assert (execution.runs, execution.chance) == (1, False)
    (check,) = only(told(staging, "web")).checks
    assert (check.url, check.stringmatch) == ("https://x.example/", "fine")


def test_places_and_includes_are_told(staging: Staging) -> None:
    client = replace(CLIENT, client=ipaddress.ip_address("192.0.2.99"))
    execution = only(told(staging, "near", client=client))
    assert execution.places == {"192.0.2.99": {"country": "DE"}}
    assert execution.results == ("192.0.2.21",)
    if execution.ran:
        (included,) = execution.includes
        assert included.name == "config.example.org."
        assert included.code is not None and b"192.0.2.22" in included.code
    assert [each.code for each in only(told(staging, "lost")).includes] == [None]


def test_the_place_of_a_client_can_be_assumed(staging: Staging) -> None:
    client = replace(CLIENT, place=parse_place("country=DE,lat=52,lon=13"))
    execution = only(told(staging, "near", client=client))
    assert execution.places["127.0.0.1"]["latitude"] == 52
    assert execution.results == ("192.0.2.21",)
    network = ipaddress.ip_network("203.0.113.0/24")
    execution = only(told(staging, "near", client=replace(client, subnet=network)))
    assert list(execution.places) == ["203.0.113.0"]


def test_every_outcome_of_chance_is_found(staging: Staging) -> None:
    execution = only(told(staging, "pick"))
    assert set(execution.outcomes) == {("192.0.2.1",), ("192.0.2.2",), ("192.0.2.3",)}
    assert sum(execution.outcomes.values()) == execution.runs > 1000
    assert ("192.0.2.1",) in only(told(staging, "luckless")).outcomes
    assert ("SERVFAIL: runtime: bad luck",) in only(told(staging, "luckless")).outcomes


def test_what_failed_is_told_with_its_line(staging: Staging) -> None:
    found = told(staging, "broken")
    assert "on purpose" in found.failure
    assert only(found).failure == "runtime: on purpose"
    assert only(found).line == 1
    assert only(told(staging, "loop")).failure == "instructions: more than 1000 instructions"


def test_instructions_are_counted(staging: Staging) -> None:
    execution = only(told(staging, "lost"))
    assert execution.instructions is not None
    assert 0 < execution.instructions < execution.limit == 1000


def test_a_record_is_told_where_it_stands_and_for_what_name_it_ran(staging: Staging) -> None:
    execution = only(told(staging, "a.lua", rrtype.TXT))
    assert (execution.owner, execution.qname) == ("*.lua.example.org.", "a.lua.example.org.")
    assert (execution.covered, execution.ttl) == ("TXT", 30)
    assert execution.results == ("a.lua.example.org.",)
    assert only(told(staging, "none")).results == ()


def test_records_can_be_asked_at_another_time(staging: Staging) -> None:
    client = replace(CLIENT, now=86400.0, clock_set=True)
    assert only(told(staging, "clock", rrtype.TXT, client)).results == ("1970-01-02",)


@pytest.mark.usefixtures("asked_once")
@pytest.mark.parametrize("name", ["pick", "twice", "luckless"])
def test_the_explanation_is_that_of_the_answer_with_the_same_seed(
    staging: Staging, name: str
) -> None:
    qname = wire_name.from_text(f"{name}.example.org.")
    scene = Scene(staging, CLIENT)
    for seed in range(8):
        answer = scene.ask(qname, rrtype.A, seed)
        assert answer is not None and answer.chance
        same, found = both(staging, name, seed=seed)
        assert same == answer
        results = [text for execution in found.executions for text in execution.results]
        assert addresses(answer) == tuple(results)


@pytest.mark.usefixtures("asked_once")
def test_a_plan_that_answered_is_told_with_what_it_chose(planned: Staging) -> None:
    for name, operation in (("pick", "random"), ("up", "up"), ("near", "if")):
        answer, found = both(planned, name)
        execution = only(found)
        assert (execution.plan, execution.ran) == (operation, False)
        assert execution.instructions is None
        assert execution.results == addresses(answer) != ()
    execution = only(told(planned, "a.lua", rrtype.TXT))
    assert (execution.plan, execution.results) == ("text", ("a.lua.example.org.",))
    assert only(told(planned, "wide", rrtype.TXT)).plan == "sample"
    execution = only(told(planned, "lost"))
    assert (execution.plan, execution.ran) == ("", True)


def test_what_a_plan_leaves_to_the_code_is_told(planned: Staging) -> None:
    unknown = statuses([], [], [Target.parse("all")])
    execution = only(told(planned, "strict", client=replace(CLIENT, health=unknown)))
    assert (execution.plan, execution.ran) == ("up", True)
    assert execution.failure
    assert set(execution.checks.values()) == {None}
    execution = only(told(planned, "strict"))
    assert (execution.plan, execution.ran) == ("up", False)


def test_a_wrong_plan_is_what_is_explained(tmp_path: Path) -> None:
    world = World(tmp_path, ZONES, plans=plan_wrongly)
    staging = Staging(world.bundle, ResponderSettings(), EngineSettings(), geo=Map())
    for name in ("up", "near", "pick"):
        answer, found = both(staging, name)
        assert addresses(answer) == ("192.0.2.66",)
        execution = only(found)
        assert (execution.plan, execution.results) == ("fixed", ("192.0.2.66",))
        assert not execution.chance


def test_each_record_at_a_name_tells_the_places_it_asked_for(staging: Staging) -> None:
    client = replace(CLIENT, client=ipaddress.ip_address("192.0.2.99"))
    first, second = told(staging, "countries", rrtype.TXT, client).executions
    assert first.places == second.places == {"192.0.2.99": {"country": "DE"}}
    assert (first.results, second.results) == (("de",), ("--",))


def test_what_was_asked_for_an_answer_without_data_is_told(staging: Staging) -> None:
    # The fast lane asks first, and leaves the answer to the look-up.
    client = replace(CLIENT, client=ipaddress.ip_address("192.0.2.99"))
    execution = only(told(staging, "far", client=client))
    assert (execution.results, execution.places) == ((), {"192.0.2.99": {"country": "DE"}})
    down = statuses([Target.parse("all")], [], [])
    execution = only(told(staging, "idle", client=replace(CLIENT, health=down)))
    assert execution.results == ()
    assert set(execution.checks.values()) == {False}


@pytest.mark.parametrize("dnssec", [False, True])
@pytest.mark.parametrize("name", ["www", "a.b.none", "b.ent", "x.y.wild", "x.sub", "x.old", "up"])
def test_watching_changes_nothing_and_sees_all(signed: Staging, name: str, dnssec: bool) -> None:
    qname = wire_name.from_text(f"{name}.example.org.")
    client = replace(CLIENT, dnssec=dnssec)
    zones = ServedZones(signed.bundle, {})
    for qtype in (rrtype.A, rrtype.TXT, rrtype.ANY, rrtype.NSEC, rrtype.DS):
        answer, found = both(signed, name, qtype, client)
        assert answer == Scene(signed, client).ask(qname, qtype, 7)
        assert found.steps
        for step in found.steps:
            zone = zones.at(wire_name.from_text(step.name))
            assert zone is not None
            plain = match(zone, wire_name.key_of(wire_name.from_text(step.name), zone.apex))
            owner = wire_name.relative_of_key(plain.key) + zone.apex
            assert (step.kind, step.node) == (plain.kind, wire_name.to_text(owner))


@pytest.mark.usefixtures("asked_once")
def test_an_answer_that_took_two_steps_is_told_once(staging: Staging) -> None:
    # Empty, and of several sizes: the fast lane leaves both to the look-up.
    assert len(told(staging, "none").executions) == len(told(staging, "none").steps) == 1
    answer, found = both(staging, "wide", rrtype.TXT)
    assert answer.tcp and only(found).plan in ("", "sample")


def test_outcomes_behind_an_alias_by_chance_are_told(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as asked_once:
        asked_once.setattr(rehearsal, "IDLE_RUNS", 0)
        seed = next(
            seed for seed in range(50) if len(both(staging, "choice", seed=seed)[1].executions) == 2
        )
    found = both(staging, "choice", seed=seed)[1]
    alias, pick = found.executions
    assert set(alias.outcomes) == {("www.example.org.",), ("pick.example.org.",)}
    assert len(pick.outcomes) == 3
    assert 0 < pick.runs < alias.runs


def test_records_find_the_address_that_was_asked(staging: Staging) -> None:
    def reached(client: Circumstances, *listen: str) -> tuple[str, ...]:
        there = replace(staging, listen=tuple(map(ipaddress.ip_address, listen)))
        return only(told(there, "here", client=client)).results

    assert reached(CLIENT) == ("0.0.0.0",)
    assert reached(CLIENT, "::1", "192.0.2.53", "192.0.2.54") == ("192.0.2.53",)
    assert reached(CLIENT, "0.0.0.0", "192.0.2.54") == ("192.0.2.54",)
    assert reached(CLIENT, "0.0.0.0") == ("127.0.0.1",)
    given = replace(CLIENT, local=ipaddress.ip_address("192.0.2.55"))
    assert reached(given, "192.0.2.53") == ("192.0.2.55",)


def test_each_answer_has_its_own_time(planned: Staging) -> None:
    """Whoever ends what takes too long is told, also where a plan answers and no code is run."""
    begun: list[None] = []
    scene = Scene(replace(planned, begin=lambda: begun.append(None)), CLIENT)
    for count in (1, 2):
        assert scene.ask(wire_name.from_text("pick.example.org."), rrtype.A, 1) is not None
        assert len(begun) == count


def test_asking_often_brings_what_chance_can_bring(staging: Staging) -> None:
    scene = Scene(staging, CLIENT)

    def wires(name: str) -> list[bytes]:
        qname = wire_name.from_text(f"{name}.example.org.")
        return [answer.wire for answer in scene.ask_often(qname, rrtype.A, 1)]

    assert len(set(wires("pick"))) == 3
    assert len(set(wires("twice"))) == 4
    assert len(wires("up")) == len(wires("www")) == len(wires("none")) == 1


@pytest.mark.parametrize(
    "text",
    ["", "planet=earth", "country", "lat=100,lon=1", "lat=1", "lat=x,lon=1", "country=", "asn=x"],
)
def test_places_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_place(text)


def test_the_closest_target_decides_about_health() -> None:
    with pytest.raises(ValueError, match="two states"):
        statuses([Target.parse("all")], [Target.parse("all")], [])
    for wrong in ("", "host", "192.0.2.1:0", "192.0.2.1:70000", "[::1", "::1:x"):
        with pytest.raises(ValueError, match="neither"):
            Target.parse(wrong)
    for text in ("all", "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"):
        assert str(Target.parse(text)) == text


def test_up_is_stronger_than_all_down(staging: Staging) -> None:
    health = statuses([Target.parse("all")], [Target.parse("192.0.2.12")], [])
    execution = only(told(staging, "up", client=replace(CLIENT, health=health)))
    assert execution.results == ("192.0.2.12",)
    unknown = statuses([], [], [Target.parse("all")])
    execution = only(told(staging, "up", client=replace(CLIENT, health=unknown)))
    assert set(execution.checks.values()) == {None}
