"""What LUA records answer. That PowerDNS answers the same is tests/peers' to show."""

from collections.abc import Callable
from typing import Any

import pytest

from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from lzc.lua.engine.geo import GeoFields
from tests.unit.lua_running import Health, Places, Runner, query


@pytest.fixture
def run() -> Runner:
    return Runner()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("'192.0.2.1'", ["192.0.2.1"]),
        (";return {'a', 'b', 3}", ["a", "b", "3"]),
        (";return {}", []),
        ("1.5", ["1.5"]),
        ("''", [""]),
        ("'a', 'b'", ["a"]),
    ],
)
def test_results_are_strings_or_lists_of_them(run: Runner, code: str, expected: list[str]) -> None:
    assert run(code) == expected


@pytest.mark.parametrize("code", ["nil", "true", "{{'a'}}", "qname", "{a='x'}", "print"])
def test_other_results_fail(run: Runner, code: str) -> None:
    with pytest.raises(LuaFailure) as caught:
        run(code)
    assert caught.value.kind == "result"


def test_code_that_does_not_compile_says_where(run: Runner) -> None:
    with pytest.raises(LuaFailure, match=":1: unexpected symbol") as caught:
        run("pickrandom(")
    assert caught.value.kind == "syntax"


def test_errors_carry_their_message(run: Runner) -> None:
    with pytest.raises(LuaFailure, match="out of luck") as caught:
        run(";error('out of luck')")
    assert caught.value.kind == "runtime"


def test_a_zero_octet_in_a_list_fails_and_does_not_make_two_contents(run: Runner) -> None:
    with pytest.raises(LuaFailure):
        run(";return {'a\\0b', 'c'}")


def test_the_client_hashes_to_the_same_item_until_the_subnet_speaks_for_it(run: Runner) -> None:
    code = "pickhashed({'a','b','c','d','e','f','g'})"
    direct = run(code, query(client="198.51.100.1"))
    assert run(code, query(client="198.51.100.1")) == direct
    by_subnet = {
        run(code, query(client=client, subnet="203.0.113.0/24"))[0]
        for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")
    }
    assert len(by_subnet) == 1


def test_weights_decide_how_often(run: Runner) -> None:
    picks = [run("pickwrandom({{9,'a'},{1,'b'}})")[0] for _ in range(400)]
    assert picks.count("a") > picks.count("b") > 0
    assert "c" not in picks


def test_engines_with_the_same_seed_choose_alike() -> None:
    code = "pickrandom({'a','b','c','d','e','f'})"
    one, other = Runner(seed=5), Runner(seed=5)
    assert [one(code) for _ in range(20)] == [other(code) for _ in range(20)]


def test_only_candidates_that_are_up_are_given() -> None:
    run = Runner(health=Health(otherwise=True))
    run.health.set("192.0.2.1", False)
    assert run("ifportup(443, {'192.0.2.1','192.0.2.2'}, {selector='all'})") == ["192.0.2.2"]


def test_a_change_of_health_is_seen_at_once() -> None:
    run = Runner(health=Health(otherwise=True))
    code = "ifportup(443, {{'192.0.2.1'},{'192.0.2.2'}})"
    assert run(code) == ["192.0.2.1"]
    run.health.set("192.0.2.1", False)
    assert run(code) == ["192.0.2.2"]


def test_a_known_status_is_not_asked_again() -> None:
    run = Runner(health=Health(otherwise=True))
    for _ in range(5):
        run("ifportup(443, {'192.0.2.1','192.0.2.2'})")
    assert len(run.health.asked) == 2


def test_unknown_health_counts_as_down() -> None:
    run = Runner(health=Health(otherwise=None))
    code = "ifportup(443, {'192.0.2.1','192.0.2.2'}, {backupSelector='all'})"
    assert run(code) == ["192.0.2.1", "192.0.2.2"]
    assert run("#ifportup(443, {'192.0.2.1','192.0.2.2'}, {backupSelector='empty'})") == ["0"]


def test_checks_differ_by_every_option() -> None:
    run = Runner(health=Health(otherwise=True))
    options = ["{}", "{timeout=5}", "{stringmatch='a'}", "{useragent='a'}", "{source='192.0.2.9'}"]
    for option in options:
        run(f"ifurlup('https://example.org/', {{'192.0.2.1'}}, {option})")
    assert len(set(run.health.asked)) == len(options)
    run("ifportup(443, {'192.0.2.1'})")
    assert run.health.asked[-1].port == 443
    assert run.health.asked[-1].url == ""


def test_a_port_of_the_candidate_is_the_one_that_is_checked() -> None:
    run = Runner(health=Health(otherwise=False))
    run("ifportup(443, {'192.0.2.1:8443', '192.0.2.2'})")
    assert [check.port for check in run.health.asked] == [8443, 443]
    run("ifurlup('http://x/', {'192.0.2.1:8443'})")
    assert run.health.asked[-1].port == 0


def test_candidates_are_answered_in_canonical_form() -> None:
    run = Runner(health=Health(otherwise=True))
    code = "ifportup(1, {'2001:DB8:0::1', '192.0.2.1:80'}, {selector='all'})"
    assert run(code) == ["2001:db8::1", "192.0.2.1"]


PLACES = Places(
    {
        "192.0.2.10": {"country": "US", "continent": "NA", "latitude": 40.0, "longitude": -74.0},
        "192.0.2.1": {"latitude": 41.0, "longitude": -75.0},
        "192.0.2.2": {"latitude": 41.0, "longitude": 75.0},
        "198.51.100.1": {"country": "FJ", "latitude": -18.0, "longitude": -179.0},
        "192.0.2.3": {"latitude": -18.0, "longitude": 179.0},
    }
)


def test_places_are_compared_whatever_the_case() -> None:
    run = Runner(places=PLACES)
    assert run("tostring(country('us'))..tostring(continent({'EU','na'}))") == ["truetrue"]
    assert run("countryCode()..regionCode()") == ["us--"]


def test_the_closest_candidate_is_found_over_the_antimeridian_from_the_east_only() -> None:
    run = Runner(places=PLACES)
    code = "pickclosest({'192.0.2.1','192.0.2.2','198.51.100.1'})"
    assert run(code) == ["192.0.2.1"]
    assert run(code, query(client="192.0.2.3")) == ["198.51.100.1"]
    # PowerDNS takes the long way round to the other side, so that is what servers agree on.
    westward = "pickclosest({'192.0.2.1','192.0.2.2','192.0.2.3'})"
    assert run(westward, query(client="198.51.100.1")) == ["192.0.2.1"]


def test_a_place_is_looked_up_once() -> None:
    places = Places({})
    run = Runner(places=places)
    for _ in range(5):
        run("latlon()")
    assert places.lookups == 1


def test_without_geo_databases_nothing_is_known(run: Runner) -> None:
    assert run("countryCode()..latlon()") == ["--0.000000 0.000000"]
    assert run("tostring(country('--'))") == ["false"]


def test_included_globals_are_the_records(run: Runner) -> None:
    run.included["config.example.org."] = "ips = {'192.0.2.7'}"
    assert run(";include('config') return ips") == ["192.0.2.7"]


def test_a_final_dot_in_what_is_included_makes_no_difference(run: Runner) -> None:
    """As on PowerDNS 4.7.3: the name is relative to the zone all the same."""
    run.included["config.example.org."] = "ips = {'192.0.2.7'}"
    assert run(";include('Config.') return ips") == ["192.0.2.7"]


def test_a_large_library_fits_into_the_usual_limit(run: Runner) -> None:
    """PowerDNS counts no instructions for loading what is included."""
    functions = "".join(f"function f{n}() return '192.0.2.{n}' end " for n in range(100))
    run.included["library.example.org."] = functions
    assert run(";include('library') return f7()") == ["192.0.2.7"]


def test_an_include_that_is_missing_or_fails_is_passed_over(run: Runner) -> None:
    run.included["broken.example.org."] = "a = 1 error('x')"
    assert run(";include('none') include('broken') return a") == ["1"]


@pytest.mark.difference("D-34")
def test_what_is_known_of_the_query() -> None:
    run = Runner(EngineSettings(powerdns=(4, 9)))
    asked = query("WWW.example.org.", "2001:db8::1", "203.0.113.0/24")._replace(
        tcp=True, dnssec_ok=True, edns_size=1400, flags=0x0110, message_id=77, zone_id=3
    )
    code = (
        ";return {qname:toString(), tostring(zone), tostring(who), tostring(bestwho),"
        "tostring(ecswho), tostring(tcp), tostring(dnssecOK), ednsPKTSize,"
        "tostring(dh:getRD())..tostring(dh:getCD())..dh:getID(), zoneid}"
    )
    assert run(code, asked) == [
        "WWW.example.org.",
        "example.org.",
        "2001:db8::1",
        "203.0.113.0",
        "203.0.113.0/24",
        "true",
        "true",
        "1400",
        "truetrue77",
        "4",
    ]


def test_logging_reaches_the_caller(run: Runner) -> None:
    run(";pdnslog('hello') pdnslog('more', pdns.loglevels.Info) return ''")
    assert run.logged == [("hello", 4), ("more", 6)]


def test_more_programs_than_are_kept_still_run() -> None:
    run = Runner(EngineSettings(chunks=3))
    assert [run(f"'{i}'") for i in range(10)] == [[str(i)] for i in range(10)]
    assert run("'0'") == ["0"]


def engine(**options: Any) -> Callable[[str], list[str]]:
    made = Engine(EngineSettings(), None, Health(), 5, **options)
    return lambda code: [
        content.decode() for content in made.evaluate(code.encode(), query(), lambda _name: None)
    ]


def test_records_can_be_shown_another_time() -> None:
    at = engine(now=86400.5)
    assert at("{os.time(), os.date('!%Y-%m-%d'), os.date('!%Y', 0)}") == [
        "86400",
        "1970-01-02",
        "1970",
    ]


def test_a_seed_can_be_gone_back_to() -> None:
    made = Engine(EngineSettings(), None, Health(), 5)
    first = [made.evaluate(b"pdnsrandom()", query(), lambda _name: None) for _ in range(3)]
    made.reseed(5)
    assert [made.evaluate(b"pdnsrandom()", query(), lambda _name: None) for _ in range(3)] == first


def test_instructions_are_counted_on_request() -> None:
    made = Engine(EngineSettings(), None, Health(), 5, count=True)
    made.evaluate(b"'short'", query(), lambda _name: None)
    short = made.instructions
    made.evaluate(b";for i = 1, 50 do end return ''", query(), lambda _name: None)
    assert short is not None and made.instructions is not None
    assert 0 < short < 50 < made.instructions < 200
    assert Engine(EngineSettings(), None, Health(), 5).instructions is None


def test_a_damaged_geo_database_is_logged_and_knows_no_place() -> None:
    class Damaged(Places):
        def lookup(self, address: bytes) -> GeoFields:
            raise RuntimeError("the tree is damaged")

    run = Runner(places=Damaged({}))
    assert run("countryCode()") == ["--"]
    assert ("RuntimeError: the tree is damaged", 3) in run.logged
