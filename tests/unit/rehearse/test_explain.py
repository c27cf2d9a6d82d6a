"""Explanations of answers, found by watching the look-up."""

import ipaddress
from dataclasses import replace

import pytest

from lzc.answer.match import Kind
from lzc.answer.settings import ResponderSettings
from lzc.lua.engine.engine import EngineSettings
from lzc.lua.engine.geo import GeoFields
from lzc.rehearse.assumed import Circumstances, Target, parse_place, statuses
from lzc.rehearse.explain import Execution, Explanation, explain
from lzc.rehearse.rehearsal import Scene, Staging
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.unit.answering import HEAD, NOW, World

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
"""


class Map:
    """One client has a place."""

    def lookup(self, address: bytes) -> GeoFields:
        return {"country": "DE"} if address == bytes((192, 0, 2, 99)) else {}


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Staging:
    zones = {"example.org.": HEAD + ZONE, "example.net.": HEAD + "there 60 IN A 192.0.2.30\n"}
    world = World(tmp_path_factory.mktemp("bundle"), zones)
    return Staging(world.bundle, ResponderSettings(), EngineSettings(), {}, Map())


CLIENT = Circumstances(NOW)


def told(
    staging: Staging, name: str, qtype: int = rrtype.A, client: Circumstances = CLIENT
) -> Explanation:
    return explain(staging, client, wire_name.from_text(f"{name}.example.org."), qtype, 7, False)


def only(explanation: Explanation) -> Execution:
    (execution,) = explanation.executions
    return execution


@pytest.mark.parametrize(
    ("name", "kind", "node"),
    [
        ("www", Kind.EXACT, "www"),
        ("x.wild", Kind.WILDCARD, "*.wild"),
        ("x.sub", Kind.DELEGATION, "sub"),
        ("nothing.www", Kind.MISSING, "www"),
    ],
)
def test_the_node_that_decides_is_named(staging: Staging, name: str, kind: Kind, node: str) -> None:
    (step,) = told(staging, name).steps
    assert (step.kind, step.node) == (kind, f"{node}.example.org.")


def test_aliases_are_followed_from_zone_to_zone(staging: Staging) -> None:
    first, second = told(staging, "alias").steps
    assert (first.zone, first.target) == ("example.org.", "there.example.net.")
    assert (second.zone, second.kind, second.types) == ("example.net.", Kind.EXACT, ("A",))
    assert told(staging, "out").steps[-1].target == "www.elsewhere.example."
    moved = told(staging, "there.old").steps
    assert [step.kind for step in moved] == [Kind.DNAME, Kind.EXACT]


def test_empty_non_terminals_and_wildcards_out_of_reach_are_told(staging: Staging) -> None:
    assert told(staging, "b.ent").steps[0].is_ent
    assert not told(staging, "www").steps[0].is_ent
    assert told(staging, "x.blocked.wild").steps[0].blocked == "*.wild.example.org."
    assert told(staging, "nothing").steps[0].blocked == ""


def test_a_name_outside_has_no_zone(staging: Staging) -> None:
    found = explain(staging, CLIENT, wire_name.from_text("example.com."), rrtype.A, 7, False)
    assert found.zone is None
    assert not found.steps


def test_checks_are_told_with_the_status_they_got(staging: Staging) -> None:
    down = statuses([Target.parse("192.0.2.12:443")], [], [])
    execution = only(told(staging, "up", client=replace(CLIENT, health=down)))
    seen = {check.address: status for check, status in execution.checks.items()}
    assert seen == {"192.0.2.11": True, "192.0.2.12": False}
    assert execution.results == ("192.0.2.11",)
    assert execution.runs == 1
    (check,) = only(told(staging, "web")).checks
    assert (check.url, check.stringmatch) == ("https://x.example/", "fine")


def test_places_and_includes_are_told(staging: Staging) -> None:
    client = replace(CLIENT, client=ipaddress.ip_address("192.0.2.99"))
    execution = only(told(staging, "near", client=client))
    assert execution.places == {"192.0.2.99": {"country": "DE"}}
    assert execution.results == ("192.0.2.21",)
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
    execution = only(told(staging, "near"))
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


@pytest.mark.parametrize("name", ["pick", "twice", "luckless"])
def test_the_explanation_is_that_of_the_answer_with_the_same_seed(
    staging: Staging, name: str
) -> None:
    qname = wire_name.from_text(f"{name}.example.org.")
    scene = Scene(staging, CLIENT)
    for seed in range(20):
        answer = scene.ask(qname, rrtype.A, seed)
        assert answer is not None and answer.chance
        shown = [
            str(ipaddress.ip_address(rr.rdata)) for rr in message.parse_message(answer.wire).answer
        ]
        found = explain(staging, CLIENT, qname, rrtype.A, seed, False)
        results = [text for execution in found.executions for text in execution.results]
        assert shown == results


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
