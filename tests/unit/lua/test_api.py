"""Functions of the API that a PowerDNS 4.7 lacks, against results worked out here; what 4.7 has is
compared with a real server in tests/peers."""

from __future__ import annotations

import ipaddress
import json
import struct

import pytest

from lzc.health_check import Check
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from lzc.lua.engine.geo import GeoFields
from lzc.lua.engine.ring import MAX_KEPT, MAX_POINTS, Rings
from lzc.wire import name as wire_name
from tests.unit.lua_running import Health, Places, Runner, query

WORD = 0xFFFFFFFF


def lookup2(octets: bytes) -> int:
    """Bob Jenkins' hash of 1996, initial value 0, as he published it."""

    def mix(a: int, b: int, c: int) -> tuple[int, int, int]:
        for first, second, third in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
            a = (a - b - c & WORD) ^ c >> first
            b = (b - c - a & WORD) ^ (a << second & WORD)
            c = (c - a - b & WORD) ^ b >> third
        return a, b, c

    a = b = 0x9E3779B9
    c = 0
    whole = len(octets) // 12 * 12
    for at in range(0, whole, 12):
        x, y, z = struct.unpack_from("<3I", octets, at)
        a, b, c = mix(a + x & WORD, b + y & WORD, c + z & WORD)
    # The last word starts one octet later: its lowest octet is that of the length.
    rest = octets[whole:]
    rest = rest[:8].ljust(8, b"\0") + b"\0" + rest[8:].ljust(3, b"\0")
    x, y, z = struct.unpack("<3I", rest)
    return mix(a + x & WORD, b + y & WORD, c + z + len(octets) & WORD)[2]


def test_the_hash_is_the_published_one() -> None:
    run = Runner()
    # What a real server made of these is in the differential test; these are fixed points.
    for client in ("192.0.2.10", "2001:db8::1", "0.0.0.0"):
        items = "{" + ",".join(f"'{number}'" for number in range(251)) + "}"
        packed = ipaddress.ip_address(client).packed
        assert run(f"pickhashed({items})", query(client=client)) == [str(lookup2(packed) % 251)]


@pytest.fixture
def run() -> Runner:
    return Runner()


CLIENTS = [f"198.51.{a}.{b}" for a in range(3) for b in range(0, 250, 7)] + ["2001:db8::5", "::"]


def ring_owner(weighted: list[tuple[int, str]], client: str) -> str:
    """The owner of the smallest point at or behind the client's hash, or of the smallest of all."""
    points = [
        (lookup2(f"{item}-{n}".encode()), item) for weight, item in weighted for n in range(weight)
    ]
    position = lookup2(ipaddress.ip_address(client).packed)
    behind = [point for point in points if point[0] >= position]
    return min(behind or points)[1]


@pytest.mark.parametrize(
    "weighted",
    [
        [(1, "a")],
        [(10, "192.0.2.1"), (20, "192.0.2.2"), (5, "2001:db8::1")],
        [(3, "x"), (300, "a.very.long.name.example.org.")],
    ],
)
def test_pickchashed_takes_the_owner_of_the_next_point(
    run: Runner, weighted: list[tuple[int, str]]
) -> None:
    for order in (weighted, weighted[::-1]):
        items = ",".join(f"{{{weight}, '{item}'}}" for weight, item in order)
        for client in CLIENTS:
            found = run(f"pickchashed({{{items}}})", query(client=client))
            assert found == [ring_owner(weighted, client)], client


def test_pickchashed_moves_few_clients_when_a_weight_changes(run: Runner) -> None:
    def owners(weight: int) -> list[str]:
        code = f"pickchashed({{{{100, 'a'}}, {{100, 'b'}}, {{{weight}, 'c'}}}})"
        return [run(code, query(client=client))[0] for client in CLIENTS]

    before, after = owners(50), owners(100)
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert moved
    assert {new for _, new in moved} == {"c"}


@pytest.mark.difference("D-3")
def test_a_ring_has_bounds(run: Runner) -> None:
    assert Rings().owner(b"%d a\0" % MAX_POINTS, 5) == 1
    for code in (
        f"pickchashed({{{{{MAX_POINTS + 1}, 'a'}}}})",
        "pickchashed({{0, 'a'}})",
        "pickchashed({})",
        "pickchashed({{1, 'a\\0b'}})",
    ):
        with pytest.raises(LuaFailure):
            run(code)


def test_rings_that_are_not_used_are_given_up() -> None:
    rings = Rings()
    for number in range(40):
        rings.owner(b"%d item%d\0" % (MAX_POINTS // 2, number), 0)
    assert rings.octets <= MAX_KEPT
    assert len(rings) == 31


def walked(weighted: list[tuple[int, str]], r: int) -> str:
    """Up to 13 items are walked from the last to the first, until the running sum exceeds r."""
    assert len(weighted) <= 13
    total = 0
    for weight, item in reversed(weighted):
        total += weight
        if total > r:
            return item
    raise AssertionError("r is below the sum")


def test_picknamehashed_hashes_the_lower_case_name_with_its_root(run: Runner) -> None:
    weighted = [(15, "192.0.2.1"), (100, "198.51.100.5"), (30, "203.0.113.9")]
    code = "picknamehashed({{15,'192.0.2.1'},{100,'198.51.100.5'},{30,'203.0.113.9'}})"
    seen = set()
    for number in range(60):
        name = f"Host{number}.Example.org."
        wire = wire_name.from_text(name.lower())
        assert wire.endswith(b"\3org\0")
        expected = walked(weighted, lookup2(wire) % 145)
        for client in ("192.0.2.1", "2001:db8::1"):
            assert run(code, query(qname=name, client=client)) == [expected]
        seen.add(expected)
    assert len(seen) == 3


def test_pickselfweighted_walks_its_list_by_the_weights_of_the_pages() -> None:
    health = Health()
    run = Runner(health=health)
    weights = {"192.0.2.1": 5, "192.0.2.2": 0, "192.0.2.3": 1, "192.0.2.4": 20}
    for address, weight in weights.items():
        health.set(address, up=weight > 0)
        health.weights[address] = weight
    code = "pickselfweighted('http://w/', {'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'})"
    found = set()
    for client in CLIENTS:
        r = lookup2(ipaddress.ip_address(client).packed) % 26
        expected = "192.0.2.1" if r < 5 else "192.0.2.3" if r < 6 else "192.0.2.4"
        assert run(code, query(client=client)) == [expected]
        found.add(expected)
    assert len(found) == 3
    assert {check.url for check in health.asked} == {"http://w/"}


def test_pickselfweighted_has_no_selectors() -> None:
    health = Health(True)
    run = Runner(health=health)
    health.weights = {"192.0.2.1": 5, "192.0.2.2": 1}
    code = "pickselfweighted('http://w/', {'192.0.2.1','192.0.2.2'}%s)"
    for client in CLIENTS:
        expected = run(code % "", query(client=client))
        assert run(code % ", {selector='all'}", query(client=client)) == expected
    for state in (False, None):
        health.otherwise = state
        health.changes += 1
        for options in ("", ", {backupSelector='all'}", ", {backupSelector='empty'}"):
            with pytest.raises(LuaFailure, match="sum of items cannot be zero"):
                run(code % options)
    with pytest.raises(LuaFailure):
        run("pickselfweighted('http://w/', {})")


@pytest.mark.parametrize(
    "call",
    [
        "ifportup(80, {'192.0.2.1','192.0.2.2'}, %s)",
        "ifurlup('http://h/', {{'192.0.2.1','192.0.2.2'}}, %s)",
        "ifurlextup({{['192.0.2.1']='http://192.0.2.1/',['192.0.2.2']='http://192.0.2.2/'}}, %s)",
    ],
)
def test_before_any_check_has_completed_records_may_fail(call: str) -> None:
    health = Health()
    run = Runner(health=health)
    option = "{failOnIncompleteCheck='true', backupSelector='all'}"
    with pytest.raises(LuaFailure, match="no health check has completed"):
        run(call % option)
    assert run(call % "{failOnIncompleteCheck='false', backupSelector='all'}") == [
        "192.0.2.1",
        "192.0.2.2",
    ]
    # One result is enough for the backup selector, and one that is up for the selector.
    health.otherwise = False
    health.changes += 1
    assert run(call % option) == ["192.0.2.1", "192.0.2.2"]
    health.otherwise = True
    health.changes += 1
    assert len(run(call % option)) == 1
    with pytest.raises(LuaFailure, match="got boolean"):
        run(call % "{failOnIncompleteCheck=true}")


def test_ifurlextup_takes_the_first_group_with_an_url_that_is_up() -> None:
    class ByUrl(Health):
        def status(self, check: Check, zone: bytes = b"") -> bool | None:
            self.asked.append(check)
            return check.url in up

    up: set[str] = set()
    view = ByUrl()
    run = Runner(health=view)
    code = (
        "ifurlextup({{['192.0.2.1']='http://a/',['192.0.2.2']='http://b/'},"
        "{['192.0.2.3']='http://c/'}}, {selector='all', backupSelector='all'})"
    )
    assert sorted(run(code)) == ["192.0.2.1", "192.0.2.2"]
    assert {check.address for check in view.asked} == {""}
    for urls, expected in (
        ({"http://c/"}, ["192.0.2.3"]),
        ({"http://b/", "http://c/"}, ["192.0.2.2"]),
        ({"http://a/", "http://b/"}, ["192.0.2.1", "192.0.2.2"]),
    ):
        up = urls
        view.changes += 1
        assert run(code) == expected


def test_options_reach_the_check_and_defaults_leave_it_as_it_was() -> None:
    health = Health()
    run = Runner(health=health)
    run(
        "ifurlup('http://h/', {'192.0.2.1'}, {interval=7, httpcode='204', minimumFailures=3,"
        " byteslimit=100, headers={['X-B']=2, ['X-A']='1'}})"
    )
    assert health.asked == [
        Check(
            "192.0.2.1",
            url="http://h/",
            interval=7,
            httpcode=204,
            minimum_failures=3,
            byteslimit=100,
            headers=(("X-A", "1"), ("X-B", "2")),
        )
    ]
    assert Check.from_json(health.asked[0].to_json()) == health.asked[0]
    # The key identifies a status that outlives releases.
    assert sorted(json.loads(Check("192.0.2.1", 80).to_json())) == [
        *("address", "byteslimit", "httpcode", "interval", "port"),
        *("source", "stringmatch", "timeout", "url", "useragent"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "{}",
        '{"address":null}',
        '{"address":["192.0.2.1"]}',
        '{"address":"192.0.2.1","port":"80"}',
        '{"address":"192.0.2.1","port":true}',
        '{"address":"192.0.2.1","timeout":1.5}',
        '{"address":"192.0.2.1","headers":[1]}',
        '{"address":"192.0.2.1","other":1}',
    ],
)
def test_what_is_no_check_is_refused(document: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Check.from_json(document)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ("{['X-A']='1'}", (("X-A", "1"),)),
        ("{['X-A']=1}", (("X-A", "1"),)),
        ("{X_Api_Key='a_b'}", (("X-Api-Key", "a_b"),)),
        ("{'X-A: 1'}", (("1", "X-A: 1"),)),
        ("'X-A: 1'", ()),
        ("{}", ()),
    ],
)
def test_headers_are_a_table_by_name(headers: str, sent: tuple[tuple[str, str], ...]) -> None:
    health = Health()
    Runner(health=health)(f"ifurlup('http://h/', {{'192.0.2.1'}}, {{headers={headers}}})")
    assert health.asked[0].headers == sent


def test_dblookup_gives_contents_of_static_records() -> None:
    run = Runner()
    asked = []

    def lookup(name: bytes, code: int) -> list[bytes]:
        asked.append((wire_name.to_text(name), code))
        return [b"192.0.2.1", b"192.0.2.2"] if code == 1 else []

    assert run("dblookup('www.example.org', pdns.A)") == []
    run.engine.lookup = lookup
    assert run("dblookup('WWW.example.org', pdns.A)") == ["192.0.2.1", "192.0.2.2"]
    assert run("dblookup('www.example.org.', pdns.A)[1]") == ["192.0.2.1"]
    assert run("dblookup('www.example.org', '1')[2]") == ["192.0.2.2"]
    assert run("dblookup('www.example.org', pdns.MX)") == []
    assert set(asked) == {("www.example.org.", 1), ("www.example.org.", 15)}
    assert run("dblookup('a', -1)") == run("dblookup('a', 1/0)") == []
    for code in (
        *("dblookup('www.example.org')", "dblookup(nil, 1)", "dblookup('a', 'A')"),
        *("dblookup('a..b', 1)", "dblookup(newDN('www.example.org'), 1)"),
        ";local n = newDN('a') rawset(n, 'wire', '') return dblookup(n, 1)",
        ";local n = newDN('a') rawset(n, 'wire', ('').char(5)..'a') return dblookup(n, 1)",
        ";local n = newDN('a') rawset(n, 'wire', ('').char(1)..'a') return dblookup(n, 1)",
        ";local n = newDN('a') rawset(n, 'wire', ('').char(0, 0)) return dblookup(n, 1)",
    ):
        with pytest.raises(LuaFailure):
            run(code)
    assert run(";local ok, e = pcall(dblookup, 'a..b', 1) return type(e)") == ["string"]


@pytest.mark.difference("D-1")
def test_resolve_says_why_it_is_refused(run: Runner) -> None:
    with pytest.raises(LuaFailure, match="dblookup has what this one serves"):
        run("resolve('www.example.org', pdns.A)")


def test_attributes_of_places_have_names() -> None:
    place: GeoFields = {
        "asn": 64496,
        "city": "Auckland",
        "continent": "OC",
        "country": "NZ",
        "name": "Lvlt-1",
        "region": "AUK",
        "latitude": -36.0,
        "longitude": 174.0,
    }
    run = Runner(places=Places({"192.0.2.10": place}))
    for attribute, expected in {
        "ASn": "64496",
        "City": "auckland",
        "Continent": "oc",
        "Country": "nz",
        "Country2": "nz",
        "Name": "lvlt-1",
        "Region": "auk",
        "Location": "-36.000000 174.000000",
    }.items():
        code = f"geoiplookup(bestwho:toString(), GeoIPQueryAttribute.{attribute})"
        assert run(code) == [expected]
    assert run("geoiplookup('192.0.2.99', GeoIPQueryAttribute.City)") == ["unknown"]


def test_names_of_the_api_cost_no_instructions() -> None:
    engine = Engine(EngineSettings(), None, Health(), 1, count=True)
    for code in (b"tostring(pdns.A)", b"tostring(who)", b"tostring(GeoIPQueryAttribute.City)"):
        engine.evaluate(code, query(), lambda _name: None)
        assert engine.instructions is not None
        assert engine.instructions < 15, code


def test_constants_are_fresh_for_each_execution(run: Runner) -> None:
    run(";GeoIPQueryAttribute.City = 7 pdns.A = 28 return 'x'")
    assert run("GeoIPQueryAttribute.City .. ' ' .. pdns.A") == ["1 1"]


@pytest.mark.parametrize(
    ("label", "before", "now"),
    [
        ("ip-1-2-3-4", "1.2.3.4", "1.2.3.4"),
        ("host1-2-3-4", "0.0.0.0", "1.2.3.4"),
        # A hyphen is a sign for scanf, but not where it belongs to the word in front.
        ("ab-0c001bf", "0.192.1.191", "0.192.1.191"),
        ("ip-0c001bf", "0.192.1.191", "0.0.0.0"),
        ("ip-x1-2-3-4", "0.0.0.0", "1.2.3.4"),
        ("sea1-2-3-4", "0.0.0.0", "0.0.0.0"),
        ("a-ip1-2-3-4", "0.0.0.0", "0.0.0.0"),
        ("ip-1-2-3", "0.0.0.0", "0.0.0.0"),
        ("x1-2-3-04", "0.0.0.0", "1.2.3.4"),
        ("1x1-2-3-4", "1x1.2.3.4", "0.0.0.0"),
        ("xffffffff", "0.0.0.0", "255.255.255.255"),
    ],
)
def test_from_4_9_on_a_word_may_stand_in_front_of_an_address(
    label: str, before: str, now: str
) -> None:
    """As PowerDNS 4.7.3, 4.9.18 and 5.1.5 answer."""
    asked = query(f"{label}.w.example.org.")._replace(encloser=3)
    for version, expected in (((4, 7), before), ((4, 9), now), ((5, 1), now)):
        run = Runner(EngineSettings(powerdns=version))
        assert run("createForward()", asked) == [expected], version
