"""Plans choose what running the record would have chosen."""

from __future__ import annotations

import itertools
import random
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.plan import Planner, encode
from lzc.lua.plan.lookup2 import lookup2
from lzc.lua.program import Program
from lzc.wire import rrtype
from tests.unit.lua_planning import Record, World, chi_square, clients, plan_of
from tests.unit.lua_running import Health

FOUR = "{'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'}"
WEIGHTS = "{{10,'192.0.2.1'},{'20','192.0.2.2'},{3,'192.0.2.3'},{1,'192.0.2.4'}}"
SPREAD = "{'1.0.0.1','90.0.0.1','3.0.0.1','133.0.0.1','200.0.0.1'}"

DETERMINISTIC = [
    ("'192.0.2.1'", "A"),
    ("('192.0.2.1')", "A"),
    ("'192.0.'..('2'..'.1')", "A"),
    ("{}", "A"),
    ("{'192.0.2.2','192.0.2.1','192.0.2.2'}", "A"),
    (";return {'192.0.2.2','192.0.2.1'}", "A"),
    ("{'target.example.net','other.example.net'}", "CNAME"),
    ("'10 mail.example.net.'", "MX"),
    ("'a \\\\\"quoted\\\\\" word'", "TXT"),
    ("''", "TXT"),
    (f"all({FOUR})", "A"),
    (f"pickhashed({FOUR})", "A"),
    ("pickhashed{'2001:db8::1','2001:DB8:0::2','::1'}", "AAAA"),
    ("pickhashed({'one','two','three'})", "TXT"),
    ("pickhashed({'one.example.','two.example.'})", "CNAME"),
    (f"pickwhashed({WEIGHTS})", "A"),
    (f"pickchashed({WEIGHTS})", "A"),
    ("pickchashed({{100,'b'},{50,'a'},{'7','a'},{2,'c'},{3,'\228'}})", "TXT"),
    ("view({{{'10.0.0.0/8','192.0.2.0/25'},{'192.0.2.1'}},"
     "{{'2000::/3'},{'192.0.2.2'}},{{'0.0.0.0/1'},{'192.0.2.3'}}})", "A"),
    ("view({{{'0.0.0.0/0'},{'four'}},{{'8000::/1'},{'six'}}})", "TXT"),
    (";if country('US') then return {'192.0.2.1'} else return '192.0.2.2' end", "A"),
    (f";if country({{'us','CA'}}) then return pickhashed({FOUR}) end return {{}}", "A"),
    (";if continent('EU') then return '192.0.2.1' elseif region('R2') then return '192.0.2.2' "
     "elseif asnum({64500,64503}) then return '192.0.2.3' else return '192.0.2.4' end", "A"),
    (";if netmask({'128.0.0.0/1','::/1'}) then if country('DE') then return '192.0.2.1' end "
     "return '192.0.2.2' end return '192.0.2.3'", "A"),
    (";if asnum(64501) then return '192.0.2.1' end", "A"),
    (f"ifportup(443,{FOUR},{{selector='all',backupSelector='all'}})", "A"),
    (f"ifportup(443,{FOUR},{{selector='hashed',backupSelector='all'}})", "A"),
    (f"ifurlup('https://www.example.org/',{FOUR},{{selector='hashed',backupSelector='hashed',"
     "stringmatch='ok',timeout=3,interval=9,httpcode=204,byteslimit=100,useragent='x',"
     "source='192.0.2.99'})", "A"),
    ("ifportup(80,{{'192.0.2.1','192.0.2.2:8080'},{'192.0.2.3'},{'192.0.2.4','192.0.2.1'}},"
     "{selector='all',backupSelector='empty'})", "A"),
]  # fmt: skip

RANDOM = [
    f"pickrandom({FOUR})",
    "pickrandom({'192.0.2.1','192.0.2.2','192.0.2.1'})",
    f"pickwrandom({WEIGHTS})",
    f"pickrandomsample(2,{FOUR})",
    f"pickrandomsample(9,{FOUR})",
    "pickrandomsample(2,{'192.0.2.1','192.0.2.2','192.0.2.1'})",
    f"pickclosest({SPREAD})",
    "pickclosest({'3.0.0.1','3.0.0.2','3.0.0.3'})",
    f"ifportup(443,{FOUR})",
    f"ifportup(443,{FOUR},{{backupSelector='random'}})",
    f"ifportup(443,{SPREAD},{{selector='pickclosest',backupSelector='pickclosest'}})",
    f"view({{{{{{'0.0.0.0/0','::/0'}},{FOUR}}}}})",
    f";if country('US') then return pickrandom({FOUR}) else return pickwrandom({WEIGHTS}) end",
]


@pytest.mark.parametrize(("code", "covered"), DETERMINISTIC)
def test_a_plan_gives_each_client_what_the_record_gives(code: str, covered: str) -> None:
    Record(code, covered).agree(clients(2000))


@pytest.mark.parametrize("code", [code for code, _ in DETERMINISTIC if "up(" in code])
def test_in_every_state_of_its_targets(code: str) -> None:
    record = Record(code, health=Health(False))
    for states in itertools.product((True, False, None), repeat=4):
        for number, up in enumerate(states, 1):
            record.health.states[f"192.0.2.{number}"] = up  # type: ignore[assignment]
        record.health.changes += 1
        record.plan_health.changes += 1
        record.agree(clients(40))


@pytest.mark.parametrize("code", RANDOM)
@pytest.mark.parametrize("up", [True, False])
def test_random_choices_have_the_same_support_and_frequencies(code: str, up: bool) -> None:
    health = Health(up)
    health.states = {"192.0.2.3": False, "90.0.0.1": False}
    record = Record(code, health=health)
    for who in clients(400)[::113]:
        planned, run = record.counts(who, 1500)
        assert planned.keys() == run.keys()
        assert chi_square(planned, run) < 5


def test_the_nearest_is_the_same_one_for_every_client() -> None:
    """`pickclosest` is random among equals only."""
    record = Record(f"pickclosest({SPREAD})")
    alone = 0
    for who in clients(2000):
        support = {record.planned(who) for _ in range(8)}
        assert record.run(who) in support or len(support) > 1
        alone += len(support) == 1
    assert alone > 1500


def test_statuses_are_asked_as_the_record_asks_and_once_for_all_clients() -> None:
    code = "ifportup(80,{{'192.0.2.1','192.0.2.2'},{'192.0.2.3'}},{timeout=4})"
    health = Health(True)
    health.states = {"192.0.2.1": False, "192.0.2.2": False}
    record = Record(code, health=health)
    for _ in range(3):
        for who in clients(20):
            assert record.planned(who) == record.run(who)
    assert record.plan_health.asked == record.health.asked
    assert [check.address for check in record.health.asked] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]


def test_a_change_of_health_shows_at_the_next_query() -> None:
    record = Record(f"ifportup(443,{FOUR},{{selector='all',backupSelector='hashed'}})")
    rng = random.Random(2)
    for _ in range(200):
        record.health.set(f"192.0.2.{rng.randrange(1, 5)}", rng.random() < 0.5)
        record.plan_health.changes += 1
        record.agree(clients(3))


@pytest.mark.parametrize("count", [1, 2, 12, 13, 14, 20, 29, 30, 59, 60, 127, 128, 300, 600, 1500])
def test_weighted_lists_of_any_length_are_walked_alike(count: int) -> None:
    items = ",".join(
        f"{{{1 + place % 3},'10.0.{place >> 8}.{place & 255}'}}" for place in range(count)
    )
    Record(f"pickwhashed({{{items}}})").agree(clients(1500 if count < 130 else 100))


@pytest.mark.parametrize("count", [1, 2, 50, 51, 256, 1000, 2000])
def test_plain_lists_of_any_length_keep_their_order(count: int) -> None:
    plain = ",".join(f"'10.0.{place >> 8}.{place & 255}'" for place in range(count))
    Record(f"pickhashed({{{plain}}})").agree(clients(500))
    Record(f"all({{{plain}}})").agree(clients(2))
    pieces = ",".join(f"'10.0.'..'{place >> 8}.{place & 255}'" for place in range(count))
    Record(f"all({{{pieces}}})").agree(clients(2))


def test_the_hash_is_that_of_bob_jenkins() -> None:
    assert lookup2(b"") == 0xBD49D10D


ADDRESSES = st.ip_addresses(v=4).map(str)
LISTS = st.lists(ADDRESSES, min_size=1, max_size=30)
WHO = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


def lua(items: list[str]) -> str:
    return "{" + ",".join(f"'{item}'" for item in items) + "}"


@settings(max_examples=60)
@given(items=LISTS, asking=st.lists(WHO, min_size=1, max_size=10))
def test_generated_lists(items: list[str], asking: list[bytes]) -> None:
    for call in ("all({})", "pickhashed({})", "{}", "view({{{{{{'0.0.0.0/1','8000::/1'}},{}}}}})"):
        if "view" in call and len(set(items)) > 1:
            continue
        Record(call.format(lua(items))).agree(asking)


@settings(max_examples=60)
@given(
    pairs=st.lists(st.tuples(st.integers(1, 2**31 // 40), ADDRESSES), min_size=1, max_size=39),
    asking=st.lists(WHO, min_size=1, max_size=10),
)
def test_generated_weights(pairs: list[tuple[int, str]], asking: list[bytes]) -> None:
    items = ",".join(f"{{{weight},'{item}'}}" for weight, item in pairs)
    Record(f"pickwhashed({{{items}}})").agree(asking)


@settings(max_examples=60)
@given(
    sets=st.lists(LISTS, min_size=1, max_size=4),
    up=st.sets(st.integers(0, 120)),
    selector=st.sampled_from(("all", "hashed")),
    backup=st.sampled_from(("all", "hashed", "empty")),
    asking=st.lists(WHO, min_size=1, max_size=6),
)
def test_generated_candidates(
    sets: list[list[str]], up: set[int], selector: str, backup: str, asking: list[bytes]
) -> None:
    health = Health(False)
    every = [item for items in sets for item in items]
    health.states = {every[place]: True for place in up if place < len(every)}
    options = f"{{selector='{selector}',backupSelector='{backup}'}}"
    for addresses in ("{" + ",".join(map(lua, sets)) + "}", lua(sets[0])):
        Record(f"ifportup(443,{addresses},{options})", health=health).agree(asking)


@settings(max_examples=60)
@given(
    networks=st.lists(
        st.one_of(
            st.tuples(ADDRESSES, st.integers(0, 32)),
            st.tuples(st.ip_addresses(v=6).map(str), st.integers(0, 128)),
        ),
        min_size=1,
        max_size=6,
    ),
    asking=st.lists(WHO, min_size=1, max_size=10),
)
def test_generated_networks(networks: list[tuple[str, int]], asking: list[bytes]) -> None:
    masks = lua([f"{network}/{bits}" for network, bits in networks])
    inside = [(int.from_bytes(who, "big") ^ 1).to_bytes(len(who), "big") for who in asking] + [
        ip_address(network).packed for network, _ in networks
    ]
    code = f";if netmask({masks}) then return '192.0.2.1' end return '192.0.2.2'"
    Record(code).agree([*asking, *inside])


@settings(max_examples=150)
@given(octets=st.sets(st.integers(0, 255), min_size=2, max_size=6), who=WHO)
def test_generated_places(octets: set[int], who: bytes) -> None:
    """All round the globe, poles and the date line included."""
    items = lua([f"{octet}.0.0.1" for octet in sorted(octets)])
    record = Record(f"pickclosest({items})")
    # One that alone is nearest always is; equals are a matter of frequencies.
    nearest = {record.planned(who) for _ in range(12)}
    assert {record.run(who) for _ in range(12)} == nearest or len(nearest) > 3


@settings(max_examples=40)
@given(items=st.lists(ADDRESSES, min_size=1, max_size=4), who=WHO, size=st.integers(0, 5))
def test_generated_random_choices(items: list[str], who: bytes, size: int) -> None:
    for code in (f"pickrandom({lua(items)})", f"pickrandomsample({size},{lua(items[:3])})"):
        planned, run = Record(code).counts(who, 150)
        assert planned.keys() == run.keys()


def many(count: int, item: str, around: str) -> str:
    return around.format(",".join(item.format(place >> 8, place & 255) for place in range(count)))


LONG = [
    ("{{7,'10.0.{0}.{1}'}}", "pickwhashed({{{}}})"),
    ("'10.0.{0}.{1}'", "pickhashed({{{}}})"),
    ("'10.0.'..'{0}.{1}'", "all({{{}}})"),
    ("x..'{0}.{1}'", ";local x='10.0.' return all({{{}}})"),
    ("x", ";local x='10.0.0.1' return pickhashed({{{},x}})"),
    ("{{{{'10.0.{0}.{1}'}},{{'10.0.{0}.{1}'}}}}", "view({{{}}})"),
    ("x{0}_{1}='10.0.0.1'", ";{} return x0_0"),
]


@pytest.mark.parametrize(("code", "covered"), [*DETERMINISTIC, *((code, "A") for code in RANDOM)])
def test_it_is_known_how_many_instructions_running_a_record_takes(code: str, covered: str) -> None:
    most = Program(code.encode(), rrtype.from_text(covered)).most_instructions()
    assert most is not None
    assert 0 < Record(code, covered).instructions() <= most < 1000


@pytest.mark.parametrize("count", [1, 30, 240, 500, 1500])
@pytest.mark.parametrize(("item", "around"), LONG)
def test_of_long_lists_too(item: str, around: str, count: int) -> None:
    code = many(count, item, around)
    if code.startswith(";x"):
        code = code.replace(",", " ")
    most = Program(code.encode(), rrtype.A).most_instructions()
    assert most is not None
    assert Record(code).instructions() <= most


OTHERS = [
    ("pickrandom({})", "A"),
    ("pickrandom({'192.0.2.1',nil})", "A"),
    ("pickrandom({'192.0.2.1',2})", "A"),
    ("pickrandom({[1]='192.0.2.1'})", "A"),
    ("pickrandom({a='192.0.2.1'})", "A"),
    ("pickrandom({'192.0.2.1'},1)", "A"),
    ("pickrandom('192.0.2.1')", "A"),
    ("pickrandom({'2001:db8::1'})", "A"),
    ("pickrandom({'192.0.2.1','no address'})", "A"),
    ("pickrandom({who:toString()})", "A"),
    ("pickrandom({'192.0.2.1'}),1", "A"),
    ("pickrandom{'192.0.2.1'}:upper()", "A"),
    ("x.pickrandom({'192.0.2.1'})", "A"),
    (";pickrandom=nil return pickrandom({'192.0.2.1'})", "A"),
    ("pickrandomsample(-1,{'192.0.2.1'})", "A"),
    ("pickrandomsample(1.5,{'192.0.2.1'})", "A"),
    ("pickrandomsample('1',{'192.0.2.1'})", "A"),
    ("pickwhashed({{0,'192.0.2.1'}})", "A"),
    ("pickchashed({{0,'192.0.2.1'}})", "A"),
    ("pickchashed({{65537,'192.0.2.1'}})", "A"),
    (f"pickchashed({{{{60000,'{'a' * 200}'}}}})", "TXT"),
    ("pickwhashed({{-1,'192.0.2.1'}})", "A"),
    ("pickwhashed({{1,'192.0.2.1',2}})", "A"),
    ("pickwhashed({{1.5,'192.0.2.1'}})", "A"),
    ("pickwhashed({{2147483648,'192.0.2.1'}})", "A"),
    ("pickclosest({'one'})", "TXT"),
    ("ifportup(70000,{'192.0.2.1'})", "A"),
    ("ifportup('80',{'192.0.2.1'})", "A"),
    ("ifportup(80,{})", "A"),
    ("ifportup(80,{{},{'192.0.2.1'}})", "A"),
    ("ifportup(80,{'192.0.2.1'},{selector='other'})", "A"),
    ("ifportup(80,{'192.0.2.1'},{timeout='2 s'})", "A"),
    ("ifportup(80,{'192.0.2.1'},{timeout=2,timeout=3})", "A"),
    ("ifportup(80,{'192.0.2.1'},{'all'})", "A"),
    ("view({{{'10.0.0.0/33'},{'192.0.2.1'}}})", "A"),
    ("view({{{'10.0.0/8'},{'192.0.2.1'}}})", "A"),
    ("view({{{'010.0.0.0/8'},{'192.0.2.1'}}})", "A"),
    ("view({{{'10:53'},{'192.0.2.1'}}})", "A"),
    ("view({{{'10.0.0.0/8'},{}}})", "A"),
    (";if country('US','CA') then return '192.0.2.1' end return '192.0.2.2'", "A"),
    ("who:toString()", "A"),
    ("'192.0.2.1','192.0.2.2'", "A"),
    ("1", "TXT"),
    ("'192.0.2.1'", "LUA"),
    ("'no address'", "A"),
    ("'a\\0b'", "TXT"),
    ("pickrandom({'192.0.2.1'}", "A"),
    ("", "A"),
    (";", "A"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "covered"), OTHERS)
def test_anything_else_is_left_to_lua(code: str, covered: str) -> None:
    assert plan_of(code.encode() + b" ", rrtype.from_text(covered)) is None


def test_the_same_record_gives_the_same_octets() -> None:
    code = f"ifportup(443,{FOUR})".encode()
    assert plan_of(code, 1) == plan_of(bytes(code), 1)


ONE = b"\xc0\0\2\1"
CHECKED = [0, "c0000201", {"address": "192.0.2.1", "port": 80}]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":2,"type":1,"data":[],"do":["fixed",[]]}',
        encode(1, [ONE], ["fixed", [1]]),
        encode(1, [ONE], ["fixed", [-1]]),
        encode(1, [ONE], ["random", []]),
        encode(1, [ONE], ["random", ["0"]]),
        encode(1, [ONE], ["random"]),
        encode(1, [ONE], ["weighted", "random", [[0, 0]]]),
        encode(1, [ONE], ["weighted", "random", []]),
        encode(1, [ONE], ["weighted", "random", [[float("inf"), 0]]]),
        encode(1, [ONE], ["weighted", "hashed", [[float("nan"), 0]]]),
        encode(1, [ONE], ["sample", 2, [0]]),
        encode(1, [ONE], ["sample", 1.0, [0]]),
        b'{"v":1,"type":Infinity,"data":[],"do":["magic"]}',
        encode(1, [ONE], ["closest", []]),
        encode(1, [ONE], ["up", "random", "random", [[[0, "c0000201", {"x": 1}]]], False]),
        encode(1, [ONE], ["up", "random", "random", [[[0, "c0000201", {"address": []}]]], False]),
        encode(1, [ONE], ["up", "random", "random", [[CHECKED]]]),
        encode(1, [ONE], ["up", "random", "random", [[]], False]),
        encode(1, [ONE], ["up", "other", "random", [[CHECKED]], False]),
        encode(1, [ONE], ["up", "random", None, [[CHECKED]], False]),
        encode(1, [ONE], ["weights", None, "random", [], False]),
        encode(1, [ONE], ["weights", None, None, [CHECKED], False]),
        encode(1, [ONE], ["weighted", "other", [[1, 0]]]),
        encode(1, [ONE], ["text", [["moon"]]]),
        encode(1, [ONE], ["text", [["asnum"]]]),
        encode(1, [ONE], ["text", [["geo", "Moon"]]]),
        encode(1, [ONE], ["text", [["label", "x"]]]),
        encode(1, [ONE], ["text", [["is"]]]),
        encode(1, [ONE], ["forward"]),
        encode(1, [ONE], ["forward", [["x", 1]], "192.0.2.1"]),
        encode(12, [], ["reverse", 1, {}]),
        encode(12, [], ["reverse6", "%1%", None]),
        encode(1, [ONE], ["magic", 1]),
        encode(1, [ONE], ["if", [[["not", None], None]], None]),
        encode(1, [ONE], ["if", [[["every", [["moon", []]]], None]], None]),
        encode(1, [ONE], ["if", [[["code", "moon", "x"], None]], None]),
        encode(1, [ONE], ["if", [[["octets"], None]], None]),
        encode(1, [ONE], ["if", [[["moon", []], None]], None]),
        encode(1, [ONE], ["other"]),
        encode(1, [ONE], None),  # type: ignore[arg-type]
    ],
)
def test_a_damaged_plan_is_refused(damaged: bytes) -> None:
    planner = Planner(World(), Health(), random.Random(1).random)
    with pytest.raises(ValueError):
        planner.load(damaged)
