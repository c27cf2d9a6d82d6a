"""Plans that choose among what is up: all options, all states, weights that change."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lua_planning import Record, chi_square, clients, plan_of
from tests.unit.lua_running import Health

FOUR = "{'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'}"
EXTERNAL = (
    "{{['192.0.2.3']='http://three/',['192.0.2.1']='http://one/',['192.0.2.2:80']='http://two/'},"
    "{['192.0.2.4']='https://four/x',['192.0.2.1']='http://one/'}}"
)
URLS = ("http://one/", "http://two/", "http://three/", "https://four/x")
STATES: list[tuple[bool | None, ...]] = list(itertools.product((True, False, None), repeat=4))

CODES = [
    f"ifportup(443,{FOUR},{{selector='all',backupSelector='all',failOnIncompleteCheck='true'}})",
    f"ifurlup('http://h/',{FOUR},{{selector='hashed',backupSelector='hashed',"
    "failOnIncompleteCheck='true',minimumFailures=3})",
    "ifurlup('http://h/',{{'192.0.2.2','192.0.2.1'},{'192.0.2.3'},{'192.0.2.4'}},"
    "{selector='all',backupSelector='empty',failOnIncompleteCheck='true'})",
    f"ifportup(443,{FOUR},{{selector='empty',backupSelector='hashed',failOnIncompleteCheck='false'}})",
    "ifportup(443,{'192.0.2.1:8443','192.0.2.2','192.0.2.3','192.0.2.4:1'},"
    "{selector='all',backupSelector='all'})",
    f"ifurlextup({EXTERNAL},{{selector='all',backupSelector='all'}})",
    f"ifurlextup({EXTERNAL},{{selector='hashed',backupSelector='empty'}})",
    f"ifurlextup({EXTERNAL},{{selector='hashed',backupSelector='hashed',stringmatch='ok',"
    "failOnIncompleteCheck='true'})",
    f"pickselfweighted('http://w/',{FOUR},{{backupSelector='hashed'}})",
    f"pickselfweighted('http://w/',{FOUR},{{backupSelector='all',failOnIncompleteCheck='true'}})",
    f"pickselfweighted('http://w/',{FOUR},{{selector='all',backupSelector='empty'}})",
    f"pickselfweighted('http://w/',{FOUR},{{selector='hashed',backupSelector='all'}})",
    "pickselfweighted('http://w/',{'192.0.2.3','192.0.2.1:80','192.0.2.3'},{backupSelector='all'})",
    f";local o={{selector='all',backupSelector='all'}} local ips={FOUR} "
    "if continent('EU') then return ifportup(443,ips,o) end return ifportup(80,ips,o)",
]


def _health(states: tuple[bool | None, ...]) -> Health:
    health = Health(None)
    known: dict[str, Any] = health.states
    for number, state in enumerate(states):
        known[f"192.0.2.{number + 1}"] = known[URLS[number]] = state
        health.weights[f"192.0.2.{number + 1}"] = (5, 0, 1, 20)[number]
    return health


@pytest.mark.parametrize("code", CODES)
def test_in_every_state_of_its_targets(code: str) -> None:
    record = Record(code, health=_health(STATES[0]))
    for states in STATES:
        # The weights stay, and both are told.
        record.health.states.clear()
        record.health.states.update(_health(states).states)
        record.health.changes += 1
        record.plan_health.changes += 1
        record.agree(clients(30))


@pytest.mark.parametrize("code", CODES)
def test_for_thousands_of_clients(code: str) -> None:
    Record(code, health=_health((True, False, True, True))).agree(clients(2500))


@pytest.mark.parametrize("code", CODES)
def test_statuses_and_weights_that_change_show_at_the_next_query(code: str) -> None:
    record = Record(code, health=_health((None, None, None, None)))
    known: dict[str, Any] = record.health.states
    rng = random.Random(3)
    for _ in range(400):
        number = rng.randrange(4)
        state = rng.choice((True, True, False, None))
        known[f"192.0.2.{number + 1}"] = known[URLS[number]] = state
        record.health.weights[f"192.0.2.{rng.randrange(1, 5)}"] = rng.randrange(6)
        record.health.changes += 1
        record.plan_health.changes += 1
        record.agree(clients(4, seed=rng.randrange(10**6)))


@pytest.mark.parametrize(
    ("selector", "octets"), [("all", 100_000), ("hashed", 100_000), ("pickclosest", 800_000)]
)
def test_states_of_many_targets_take_no_room(selector: str, octets: int) -> None:
    addresses = [f"10.0.0.{number}" for number in range(100)]
    listed = "','".join(addresses)
    record = Record(f"ifportup(80,{{'{listed}'}},{{selector='{selector}'}})")
    rng = random.Random(3)
    tracemalloc.start()
    try:
        for _ in range(300):
            record.plan_health.states = {address: rng.random() < 0.5 for address in addresses}
            record.plan_health.changes += 1
            record.plan_health.asked.clear()
            assert record.planned(bytes((10, 0, 0, 1)))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < octets


@pytest.mark.parametrize("code", CODES)
def test_the_same_checks_are_asked_for(code: str) -> None:
    for states in STATES[::7]:
        record = Record(code, health=_health(states))
        record.agree(clients(60))
        assert set(record.plan_health.asked) == set(record.health.asked)


@pytest.mark.parametrize(
    "options",
    [
        "timeout='4',interval=60,minimumFailures='2',httpcode=204,byteslimit=9",
        "headers={['X-Two']='2',Host='other.example'}",
        "headers={}",
        "source='192.0.2.9:1234',useragent='\228gent',stringmatch='a'..1",
        "unheard='of',again=12",
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        f"ifportup(443,{FOUR},{{%s}})",
        f"ifurlup('http://h/',{FOUR},{{%s}})",
        f"ifurlextup({EXTERNAL},{{%s}})",
        f"pickselfweighted('http://w/',{FOUR},{{%s}})",
    ],
)
def test_options_make_the_checks_that_the_record_makes(call: str, options: str) -> None:
    record = Record(call % options, health=_health((False, False, True, False)))
    record.planned(bytes(4))
    record.run(bytes(4))
    assert record.plan_health.asked == record.health.asked != []


@pytest.mark.parametrize(
    "code",
    [
        f"ifurlextup({EXTERNAL})",
        f"ifurlextup({EXTERNAL},{{selector='random',backupSelector='random'}})",
        f"pickselfweighted('http://w/',{FOUR})",
        f"pickselfweighted('http://w/',{FOUR},{{selector='random'}})",
        f"pickselfweighted('http://w/',{FOUR},{{selector='pickclosest',"
        "backupSelector='pickclosest'})",
    ],
)
@pytest.mark.parametrize(
    "states", [(True, True, False, True), (False, None, False, False), (False, False, True, False)]
)
def test_random_choices_have_the_same_support_and_frequencies(
    code: str, states: tuple[bool | None, ...]
) -> None:
    record = Record(code, health=_health(states))
    for who in clients(200)[::57]:
        planned, run = record.counts(who, 4000)
        assert planned.keys() == run.keys()
        assert chi_square(planned, run) < 5


ADDRESS = st.ip_addresses(v=4).map(str)
WHO = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
OPTION = st.one_of(
    st.sampled_from(("all", "hashed", "empty")).map(lambda name: f"selector='{name}'"),
    st.sampled_from(("'true'", "'false'", "'no'")).map("failOnIncompleteCheck={}".format),
    st.integers(0, 9).map("timeout={}".format),
    st.integers(0, 9).map("minimumFailures='{}'".format),
)


@settings(max_examples=120)
@given(
    entries=st.lists(
        st.tuples(ADDRESS, st.sampled_from((True, False, None)), st.integers(0, 2**31)),
        min_size=1,
        max_size=12,
        unique_by=lambda entry: entry[0],
    ),
    cut=st.integers(1, 12),
    given=st.lists(OPTION, max_size=3, unique_by=lambda option: option.split("=")[0]),
    backup=st.sampled_from(("all", "hashed", "empty")),
    asking=st.lists(WHO, min_size=1, max_size=6),
)
def test_generated_records(
    entries: list[tuple[str, bool | None, int]],
    cut: int,
    given: list[str],
    backup: str,
    asking: list[bytes],
) -> None:
    health = Health(None)
    known: dict[str, Any] = health.states
    for address, state, weight in entries:
        known[address] = known[f"http://{address}/"] = state
        health.weights[address] = weight
    options = "{" + ",".join([*given, f"backupSelector='{backup}'"]) + "}"
    random_one = not any(option.startswith("selector") for option in given)
    plain = [f"'{address}'" for address, _, _ in entries]
    keyed = [f"['{address}']='http://{address}/'" for address, _, _ in entries]
    sets = "{{" + "},{".join(filter(None, (",".join(keyed[:cut]), ",".join(keyed[cut:])))) + "}}"
    codes = [f"pickselfweighted('http://w/',{{{','.join(plain)}}},{options})"]
    if not random_one:
        codes += [f"ifurlextup({sets},{options})", f"ifportup(1,{{{','.join(plain)}}},{options})"]
    for code in codes:
        Record(code, health=health).agree(asking)


OTHERS = [
    "ifurlextup({})",
    "ifurlextup({{}})",
    "ifurlextup({['192.0.2.1']='http://h/'})",
    "ifurlextup({{'http://h/'}})",
    "ifurlextup({{[1]='http://h/'}})",
    "ifurlextup({{['host']='http://h/'}})",
    "ifurlextup({{['192.0.2.1']='http://h/',['192.0.2.1']='http://i/'}})",
    "ifurlextup({{['192.0.2.1']=80}})",
    "ifurlextup({{['2001:db8::1']='http://h/'}})",
    "pickselfweighted('http://w/',{})",
    "pickselfweighted('http://w/',{{'192.0.2.1'},{'192.0.2.2'}})",
    "pickselfweighted('http://w/',{'host'})",
    "pickselfweighted('http://w/',{'192.0.2.1'},{selector='other'})",
    "pickselfweighted('http://w/',{'192.0.2.1'},{selector=1})",
    "ifportup(80,{'192.0.2.1'},{headers='none'})",
    "ifportup(80,{'192.0.2.1'},{headers={1}})",
    "ifportup(80,{'192.0.2.1'},{headers={'a: 1',b='2'}})",
    "ifportup(80,{'192.0.2.1'},{minimumFailures=1.5})",
    "ifportup(80,{'192.0.2.1'},{timeout='0000000005'})",
    "ifportup(80,{'192.0.2.1'},{failOnIncompleteCheck=who})",
    "ifportup(80,{'192.0.2.1'},{other=os.time()})",
    "ifportup(80,{'192.0.2.1'},{other=1LL})",
    f"ifportup(80,{{'192.0.2.1'}},{{useragent='{'x' * 4090}'}})",
]


@pytest.mark.parametrize("code", OTHERS)
def test_anything_else_is_left_to_lua(code: str) -> None:
    assert plan_of(code.encode() + b" ", 1) is None
