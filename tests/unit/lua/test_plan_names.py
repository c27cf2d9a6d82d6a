"""Plans of answers that are made of the QNAME, and of texts that say who asks."""

from __future__ import annotations

import ipaddress
import random
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.answer.lua_answer import rdatas_of
from lzc.lua.engine.execution import LuaFailure
from lzc.lua.plan.text import content
from lzc.powerdns_versions import LATEST
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.unit.lua_planning import Record, chi_square, clients, plan_of

APEX = "static.example.org."
CLIENT = bytes((192, 0, 2, 7))

FORWARD = [
    "127.0.0.5", "127-0-0-5", "ip-127-0-0-5", "IP40414243", "ip4041424F", "4041424f",
    "a.b.c.127.0.0.5", "1.2.3.4.5.6", "256.0.0.1", "01.2.3.4", "1-2-3-04", "1-2-3-256", "1--2-3-4",
    "a-1-2-3", "-1-2-3-4", "x1-2-3-4", "1-2-3-4x", "0x1-2-3-4", "+1-2-3-4", "ip+1+2+3+4",
    "ip0x010203", "ipg0010203", "1.2.3", "ip-1-2-3-4.sub", "deep.ip-1-2-3-4", "x", "*", "1.2.3.4.a",
    "a\\.b.c.d.e",
]  # fmt: skip
FORWARD6 = [
    "2001-a-b--1", "2001-A-B--1", "--1", "--", "1-2-3-4-5-6-7-8", "2001.db8.6.5.4.3.2.1",
    "2001.DB8.6.5.4.3.2.0", "a.b", "x--1", "1-2", "--ffff-192.0.2.1", "1.2.3.4.5.6.7.8.9",
    "12345--", "\\[--1\\]-53", "1.2.3.4.5.6.7.x",
]  # fmt: skip
PATTERNS = [
    "%1%.%2%.%3%.%4%.h.example.",
    "%5%.h.example.",
    "x%6%.h.example.",
    "%4%-%%-%1%.h.",
    "h.%7%%99%",
]
PATTERNS6 = ["%33%.h.example.", "%34%.%35%.%41%.h.", "%1%%32%-%42%.h.", "a%%b.%16%."]


def qname(relative: str, apex: str = APEX) -> bytes:
    return wire_name.from_text(f"{relative}.{apex.lstrip('.')}" if relative else apex)


@lru_cache
def named(code: str, covered: str, apex: str = APEX) -> Record:
    return Record(code, covered, apex=wire_name.from_text(apex))


def hold(record: Record, asked: bytes) -> bool:
    """The plan gives what the record gives, or leaves it to that; whether it gives anything."""
    found = record.planned(CLIENT, asked)
    assert found is None or found == record.run(CLIENT, asked), (record.code, asked)
    return found is not None


@pytest.mark.parametrize(
    "weights", ["{{1,'one'},{2,'two'},{'5','three'}}", "{{3,'one'},{4,'two'}}"]
)
def test_picknamehashed_goes_by_the_name_in_whatever_case(weights: str) -> None:
    record = named(f"picknamehashed({weights})", "TXT")
    assert record.plan.fixed
    seen = set()
    for number in range(1500):
        for name in (f"host{number}", f"Host{number}", f"a.b{number}"):
            assert hold(record, qname(name))
        seen.add(record.planned(CLIENT, qname(f"host{number}")))
        assert len({record.planned(CLIENT, qname(f"{form}{number}")) for form in ("h", "H")}) == 1
    assert len(seen) == (3 if "three" in weights else 2)


def test_forward_names_as_they_are_made_for_addresses() -> None:
    record, record6 = named("createForward()", "A"), named("createForward6()", "AAAA")
    rng = random.Random(6)
    for _ in range(1000):
        four = ipaddress.IPv4Address(rng.getrandbits(32))
        for name in (str(four), str(four).replace(".", "-"), f"ip-{str(four).replace('.', '-')}",
                     f"ip{four.packed.hex()}"):  # fmt: skip
            assert hold(record, qname(name))
            assert record.planned(CLIENT, qname(name)) == (four.packed,)
        bits = rng.getrandbits(128) & rng.getrandbits(128) << rng.randrange(128)
        six = ipaddress.IPv6Address(bits % 2**128)
        for name in (str(six).replace(":", "-"), six.exploded.replace(":", ".")):
            if "." in str(six):
                continue
            assert hold(record6, qname(name))
            assert record6.planned(CLIENT, qname(name)) == (six.packed,)


@pytest.mark.parametrize("name", ["", *FORWARD])
@pytest.mark.parametrize("apex", [APEX, "example.", "."])
def test_any_name_read_as_an_address(name: str, apex: str) -> None:
    hold(named("createForward()", "A", apex), qname(name, apex))
    hold(named("filterForward(createForward(),newNMG({'127.0.0.0/8'}))", "A", apex),
         qname(name, apex))  # fmt: skip


@pytest.mark.parametrize("name", ["", *FORWARD6])
@pytest.mark.parametrize("apex", [APEX, "."])
def test_any_name_read_as_an_ipv6_address(name: str, apex: str) -> None:
    hold(named("createForward6()", "AAAA", apex), qname(name, apex))
    hold(named("filterForward(createForward6(),newNMG{'2001::/16','::/32'},'::9')", "AAAA", apex),
         qname(name, apex))  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [
        "filterForward(createForward(),newNMG({'192.0.2.0/24','10.0.0.0/8','::/0'}))",
        "filterForward(createForward(),newNMG({'192.0.2.0/25'}),'198.51.100.1')",
        "filterForward(createForward(),newNMG({'192.0.2.128/32','192.0.2.7'}),'')",
        ";local m={'192.0.2.0/26'} return filterForward(createForward(),newNMG(m),'192.0.2.0')",
    ],
)
def test_addresses_are_filtered(code: str) -> None:
    record = named(code, "A")
    for number in range(256):
        for name in (f"192.0.2.{number}", f"{number}-0-2-1", f"x{number}"):
            hold(record, qname(name))
    assert hold(record, qname("192.0.2.7"))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("exceptions", ["", ",{}", ",{['192.0.2.7']='seven.',['::1']='none.'}"])
def test_names_of_addresses(pattern: str, exceptions: str) -> None:
    record = named(f"createReverse('{pattern}'{exceptions})", "PTR", "in-addr.arpa.")
    rng = random.Random(7)
    for _ in range(300):
        address = ipaddress.IPv4Address(rng.getrandbits(32))
        assert hold(record, wire_name.from_text(address.reverse_pointer + "."))
    for name in ("7.2.0.192", "7.2.0", "1.2.3.4.5", "256.1.1.1", "01.1.1.1", "A.b.C.d", "",
                 "x-.1.1.1", "0x1.1.1.1", "1\\.1.1.1"):  # fmt: skip
        hold(record, qname(name, "in-addr.arpa."))


@pytest.mark.parametrize("pattern", PATTERNS6)
@pytest.mark.parametrize(
    "exceptions", ["", ",{}", ",{['2001:db8::1']='one.',['192.0.2.1']='none.'}"]
)
def test_names_of_ipv6_addresses(pattern: str, exceptions: str) -> None:
    record = named(f"createReverse6('{pattern}'{exceptions})", "PTR", "ip6.arpa.")
    rng = random.Random(8)
    pointers = [ipaddress.IPv6Address("2001:db8::1").reverse_pointer]
    for _ in range(300):
        bits = rng.getrandbits(128) & rng.getrandbits(128) << rng.randrange(128)
        pointers.append(ipaddress.IPv6Address(bits % 2**128).reverse_pointer)
    for number, pointer in enumerate(pointers):
        asked = pointer.upper() if number % 2 else pointer
        assert hold(record, wire_name.from_text(asked + "."))
        hold(record, wire_name.from_text("g" + asked[1:] + "."))
        hold(record, wire_name.from_text("a." + asked + "."))
        hold(record, wire_name.from_text(asked[2:] + "."))


LABELS = st.lists(st.text("0123456789abcfxAF-+", min_size=1, max_size=12), min_size=0, max_size=10)


@settings(max_examples=400)
@given(labels=LABELS)
def test_generated_names(labels: list[str]) -> None:
    asked = qname(".".join(labels))
    for code, covered in (
        ("createForward()", "A"),
        ("createForward6()", "AAAA"),
        ("createReverse('%1%-%5%-%6%.h.')", "PTR"),
        ("closestMagic()", "A"),
        ("qname:toString()..qname:getRawLabels()[2]", "TXT"),
        ("picknamehashed({{1,'a'},{2,'b'}})", "TXT"),
    ):
        record = named(code, covered)
        if code != "closestMagic()":
            hold(record, asked)
            continue
        planned = {record.planned(CLIENT, asked) for _ in range(40)}
        assert None in planned or record.run(CLIENT, asked) in planned


@pytest.mark.parametrize(
    "name", ["192-0-2-1.9-0-0-1.90-0-0-1.133-0-0-1", "3-0-0-1.3-0-0-2.x.4-0-0-1", "1-2.3-4.9-9-9-9"]
)
def test_the_nearest_of_the_addresses_in_the_name(name: str) -> None:
    record = named("closestMagic()", "A")
    for who in clients(2000):
        assert record.run(who, qname(name)) in {record.planned(who, qname(name)) for _ in range(40)}
    for who in clients(400)[::80]:
        chosen, run = record.counts(who, 2000, qname(name))
        assert chosen.keys() == run.keys()
        assert chi_square(chosen, run) < 5


@pytest.mark.parametrize("name", ["x.192-0-2-1", "", "--1", "2001-db8--1"])
def test_names_without_addresses_are_left_to_lua(name: str) -> None:
    assert named("closestMagic()", "A").planned(CLIENT, qname(name)) is None
    assert named("closestMagic()", "AAAA").planned(CLIENT, qname("192-0-2-1")) is None


@settings(max_examples=300)
@given(
    text=st.lists(st.text("aZ09-_", max_size=66), min_size=1, max_size=9).map(".".join),
    dot=st.sampled_from(("", ".", "..")),
    covered=st.sampled_from((rrtype.PTR, rrtype.CNAME, rrtype.TXT, rrtype.NS)),
)
def test_names_are_read_as_anywhere(text: str, dot: str, covered: int) -> None:
    whole = (text + dot).encode()
    try:
        expected = rdatas_of(covered, [whole], LATEST)
    except LuaFailure:
        expected = []
    assert list(content(covered, whole, LATEST) or ()) == expected


TEXTS = [
    ("countryCode()", "TXT"),
    ("countryCode() .. ' ' .. continentCode()", "TXT"),
    ("'region '..(regionCode())..1 ..'!'", "TXT"),
    ("continentCode()..'.example.net.'", "CNAME"),
    ("'10 '..countryCode()..'.mail.example.'", "MX"),
    ("latlon()", "TXT"),
    ("latlonloc()", "LOC"),
    ("latlonloc()", "TXT"),
    ("bestwho:toString()", "TXT"),
    ("bestwho:toString()", "A"),
    ("bestwho:toString()", "AAAA"),
    ("qname:toString()", "TXT"),
    ("'wildcard for ' .. qname:toString()", "TXT"),
    ("qname:getRawLabels()[1]..'.example.net.'", "CNAME"),
    ("qname:getRawLabels()[9]..'.example.net.'", "CNAME"),
    *((f"geoiplookup(bestwho:toString(), GeoIPQueryAttribute.{attribute})", "TXT")
      for attribute in ("ASn", "City", "Continent", "Country", "Country2", "Name", "Region",
                        "Location")),
    *((f"geoiplookup(bestwho:toString(), {number})", "TXT") for number in range(8)),
    (";local cc=countryCode() if cc ~= '--' then return cc..'.example.' end return 'x.'", "CNAME"),
    ("continent('EU') and 'eu' or countryCode()", "TXT"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "covered"), TEXTS)
def test_texts_of_who_asks_and_what_for(code: str, covered: str) -> None:
    record = named(code, covered)
    record.agree(clients(2000), qname("Host.a-b_c"))
    record.agree(clients(60), qname("x"))


@pytest.mark.parametrize("name", ["a\\.b", "a\\034b", "a\\092b", "a b", "\\228", "\\000", "*"])
def test_names_of_odd_labels(name: str) -> None:
    for code in ("qname:toString()", "'a'..qname:getRawLabels()[1]"):
        hold(named(code, "TXT"), wire_name.from_text(f"{name}.{APEX}"))


def test_what_is_the_same_for_all_clients_is_known() -> None:
    assert named("createForward()", "A").plan.fixed
    assert named("'for '..qname:toString()", "TXT").plan.fixed
    assert not named("countryCode()", "TXT").plan.fixed
    assert not named("closestMagic()", "A").plan.fixed
    assert not named("pickhashed({'a'})", "TXT").plan.fixed


OTHERS = [
    ("createForward(1)", "A"),
    ("createReverse()", "PTR"),
    ("createReverse('%x%')", "PTR"),
    ("createReverse('50%')", "PTR"),
    ("createReverse('%0%')", "PTR"),
    ("createReverse('%01%')", "PTR"),
    ("createReverse('%1$s%%')", "PTR"),
    ("createReverse('%1%',{['192.0.2.1:53']='y'})", "PTR"),
    ("createReverse(1)", "PTR"),
    (f"createReverse('%{'1' * 5000}%')", "PTR"),
    ("createReverse('%1%',1)", "PTR"),
    ("createReverse('%1%',{['x']='y'})", "PTR"),
    ("createReverse('%1%',{['::1']='y',['0::1']='z'})", "PTR"),
    ("createReverse('%1%',{['::1']={}})", "PTR"),
    ("createReverse6('%1%',{'x'})", "PTR"),
    ("filterForward('192.0.2.1',newNMG({'::/0'}))", "A"),
    ("filterForward(createForward(),{'::/0'})", "A"),
    ("filterForward(createForward(),newNMG({'!10.0.0.0/8'}))", "A"),
    ("filterForward(createForward(),newNMG({}))", "A"),
    ("filterForward(createForward(),newNMG())", "A"),
    ("filterForward(createReverse('x'),newNMG({'::/0'}))", "A"),
    ("picknamehashed({{0,'a'}})", "TXT"),
    ("closestMagic('x')", "A"),
    ("latlon(1)", "TXT"),
    ("geoiplookup('192.0.2.1', GeoIPQueryAttribute.City)", "TXT"),
    ("geoiplookup(bestwho:toString(), 8)", "TXT"),
    ("geoiplookup(bestwho:toString(), -1)", "TXT"),
    ("geoiplookup(bestwho:toString(), '1')", "TXT"),
    ("geoiplookup(bestwho:toString(), GeoIPQueryAttribute.Other)", "TXT"),
    ("geoiplookup(who:toString(), GeoIPQueryAttribute.City)", "TXT"),
    (";local GeoIPQueryAttribute={City='City'} "
     "return geoiplookup(bestwho:toString(), GeoIPQueryAttribute.City)", "TXT"),
    ("qname:getRawLabels()[0]", "TXT"),
    ("qname:getRawLabels()['1']", "TXT"),
    ("qname:getRawLabels()", "TXT"),
    ("zone:toString()", "TXT"),
    (";local qname='x' return qname:toString()", "TXT"),
    ("qname", "TXT"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "covered"), OTHERS)
def test_anything_else_is_left_to_lua(code: str, covered: str) -> None:
    assert plan_of(code.encode() + b" ", rrtype.from_text(covered)) is None
