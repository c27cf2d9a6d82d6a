"""The examples that PowerDNS documents, and those of the example project: which have plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.compiler.lua.plans import plan_zone
from lzc.compiler.lua.programs import Programs
from lzc.lua.plan import plan_key
from lzc.powerdns_versions import LATEST
from lzc.source.zonefile import read_zone
from lzc.wire import rrtype
from lzc.wire.name import from_text
from tests.bench import codes
from tests.unit.lua_planning import Record, clients, plan_of
from tests.unit.lua_running import Health

ZONES = Path(__file__).parents[3] / "fixtures" / "zones"
PAIR = "{'192.0.2.1', '192.0.2.2'}"
CLOSEST = "{'192.0.2.1','192.0.2.2','198.51.100.1'}"
WEIGHTS = "{                             {15,  '192.0.2.1'},        {100, '198.51.100.5'}  }"
SETS = "{ {'192.0.2.20', '203.0.113.4'}, {'203.0.113.2'} }"
CONFIG = {
    "config": "settings={stringmatch='Programming in Lua'}  "
    "EUips={'192.0.2.1', '192.0.2.2'}             USAips={'198.51.100.1'}"
}

PLANNED = [
    (f"ifportup(443, {PAIR})", "A"),
    (f"ifportup(443, {{{PAIR}, {{'198.51.100.1'}}}})", "A"),
    (f"ifportup(443, {CLOSEST}, {{selector='pickclosest'}})                             ", "A"),
    (f"ifportup(443, {PAIR}, {{ selector='random', backupSelector='all', timeout=500 }})", "A"),
    (f"pickclosest({CLOSEST})", "A"),
    (f";if country('US') then return {CLOSEST} else return '192.0.2.9' end", "A"),
    ("; return 'Got a TXT query for ' .. qname:toString() .. '; First label is: ' .. "
     "qname:getRawLabels()[1]", "TXT"),
    (f"ifurlup('https://www.lua.org/',                  {{{PAIR}, {{'198.51.100.1'}}}},  "
     "{stringmatch='Programming in Lua'})              ", "A"),
    (";if(continent('EU')) then return 'west.powerdns.org' else return 'usa.powerdns.org' end",
     "CNAME"),
    (";include('config')                               return ifurlup('https://www.lua.org/', "
     "{USAips, EUips}, settings)                    ", "A"),
    (";include('config')                               return ifurlup('https://www.lua.org/', "
     "{EUips, USAips}, settings)                    ", "A"),
    (f"ifurlup('https://example.com/', {SETS})", "A"),
    ("ifurlextup({{['192.168.0.1']='https://example.com/',"
     "['192.168.0.2']='https://example.com/404'}})", "A"),
    ("ifurlextup({{['192.168.0.1']='https://example.net/404',"
     "['192.168.0.2']='https://example.com/404'}, {['192.168.0.3']='https://example.net/'}})", "A"),
    ("pickselfweighted('http://example.com/weight', { '192.0.2.20', '203.0.113.4', "
     "'203.0.113.2' })", "A"),
    ("closestMagic()", "A"),
    ("view({                                  { {'192.168.0.0/16'}, {'192.168.1.54'}},"
     "{ {'0.0.0.0/0'}, {'192.0.2.1'}}          }) ", "A"),
    (f"pickchashed({WEIGHTS})", "A"),
    (f"pickwhashed({WEIGHTS})", "A"),
    (f"pickwrandom({WEIGHTS})", "A"),
    (f"picknamehashed({WEIGHTS})", "A"),
    ("createReverse('%1%.%2%.%3%.%4%.static.example.com')", "PTR"),
    ("createReverse('%5%.static.example.com')", "PTR"),
    ("createReverse('%6%.static.example.com')", "PTR"),
    ("createReverse('%1%.static.example.com', {['10.10.10.10'] = 'quad10.example.com.'})", "PTR"),
    ("createForward()", "A"),
    ("createReverse6('%33%.static6.example.com')", "PTR"),
    ("createReverse6('%34%.%35%.static6.example.com')", "PTR"),
    ("createReverse6('%33%.example.com', {['2001:db8::1'] = 'example.example.com.'})", "PTR"),
    ("createForward6()", "AAAA"),
    ("filterForward(createForward(), newNMG({'192.0.2.0/24', '10.0.0.0/8'}))", "A"),
    *((f"geoiplookup(bestwho:toString(), GeoIPQueryAttribute.{attribute})", "TXT")
      for attribute in ("ASn", "City", "Continent", "Country", "Country2", "Name", "Region",
                        "Location")),
    ("latlon()", "TXT"),
    ("latlonloc()", "LOC"),
    ("countryCode()", "TXT"),
    ("pickrandomsample(2, {'192.0.2.1','192.0.2.2','192.0.2.3'})", "A"),
]  # fmt: skip

RUN = [
    ("ifurlup('https://www.example.com/', {dblookup('www1.example.com', pdns.A), "
     "dblookup('www2.example.com', pdns.A)})", "A"),
    ("dblookup('www.example.org', pdns.A)[1]", "A"),
    (";local r=resolve('www.mycdn.example.net', pdns.A) local t={} for _,v in ipairs(r) do "
     "table.insert(t, v:toString()) end return t", "A"),
    (";pdnslog('Hello world'); return 'Hello world TXT record'", "TXT"),
]  # fmt: skip
"""What other records say is not known to a plan, and a line in the log is more than an answer."""


@pytest.mark.parametrize(("code", "covered"), PLANNED)
def test_documented_examples_are_plans(code: str, covered: str) -> None:
    """And those give what the record gives; of random choices, one that it may give."""
    record = Record(code, covered, Health(True), included=CONFIG)
    for who in clients(300):
        planned = {record.planned(who) for _ in range(60)}
        assert record.run(who) in planned or planned == {None}


@pytest.mark.parametrize(("code", "covered"), RUN)
def test_documented_examples_that_are_run(code: str, covered: str) -> None:
    assert plan_of(code.encode() + b" ", rrtype.from_text(covered), lambda name: None) is None


def test_records_of_the_example_project_are_plans_but_for_two() -> None:
    left = set()
    count = 0
    for path in sorted(ZONES.glob("*.zone")):
        apex = from_text(path.name.removesuffix("zone"))
        zone, faults = read_zone(
            path,
            apex,
            shown_as=path.name,
            root=ZONES.parent,
            insert_whitespace=True,
            in_halves=False,
        )
        assert not faults
        programs = Programs(zone, insert_whitespace=True)
        plans = plan_zone(programs).plans
        for record, program in programs:
            if not program.is_included:
                count += 1
                keys = {
                    plan_key(program.code, program.covered, apex, LATEST, encloser)
                    for encloser in programs.enclosers(program)
                }
                if not keys <= plans.keys():
                    left.add(record[0].decode().replace("\0", " "))
    assert left == {"det subnet", "det nearest"}
    assert count > 40


def test_benchmarks_measure_plans_where_they_say_so_only() -> None:
    found = {"idiom": codes.IDIOM, "arbitrary": codes.ARBITRARY, "strings": codes.STRINGS}
    found |= {one.title: " ".join(one.pieces) for one in codes.in_use(80).values()}
    plans = {title for title, code in found.items() if plan_of(code.encode(), rrtype.A)}
    assert plans == {"idiom", *(title for title in found if title.endswith("(plan)"))}
