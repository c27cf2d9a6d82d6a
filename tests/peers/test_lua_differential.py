"""PowerDNS and lzc answer the same client alike.

A real server gets a zone of LUA records; each question goes to it and to the engine. What is
deterministic must be equal; what is random must draw from the same set.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lzc.lua.engine import Engine, EngineSettings, LuaFailure, QueryContext
from lzc.lua.geo import Geo
from lzc.lua.health import Check
from lzc.wire import name as wire_name
from tests.peers._peers import presence
from tests.peers._peers.process import free_port, running, wait_for_zone

ZONE = "lua.test."
CLIENT = "127.0.0.1"

PLACES = [
    ("192.0.2.0/25", "EU", "NL", "NH", 52.3676, 4.9041),
    ("192.0.2.128/25", "NA", "US", "CA", 37.3861, -122.0839),
    ("198.51.100.0/24", "NA", "US", "NY", 40.7128, -74.0060),
    ("203.0.113.0/25", "OC", "NZ", "AUK", -36.8485, 174.7633),
    ("203.0.113.128/25", "OC", "FJ", None, -18.1416, -178.4419),
    ("10.1.0.0/16", "EU", None, None, None, None),
    ("10.2.0.0/16", None, None, None, -1.5, 2.25),
    ("10.3.0.0/16", "AS", "JP", "13", 35.6895, 139.6917),
    ("2001:db8::/33", "EU", "DE", "BE", 52.52, 13.405),
    ("2001:db8:8000::/33", "SA", "BR", "SP", -23.5505, -46.6333),
]


def write_geo_database(path: Path) -> None:
    writer = MMDBWriter(6, "GeoLite2-City", languages=["en"], ipv4_compatible=True)
    for network, continent, country, region, latitude, longitude in PLACES:
        record: dict[str, Any] = {}
        if continent:
            record["continent"] = {"code": continent, "names": {"en": continent}}
        if country:
            record["country"] = {"iso_code": country, "names": {"en": country}}
        if region:
            record["subdivisions"] = [{"iso_code": region, "names": {"en": region}}]
        if latitude is not None:
            record["location"] = {
                "latitude": latitude,
                "longitude": longitude,
                "accuracy_radius": 10,
            }
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))


CANDIDATES = "{'192.0.2.1','192.0.2.200','198.51.100.1','203.0.113.1','203.0.113.200'}"


def weighted(count: int, weight: str = "%d") -> str:
    return (
        "{" + ",".join("{" + weight % (i % 7 + 1) + f",'w{i}'}}" for i in range(1, count + 1)) + "}"
    )


BY_CLIENT = [
    f"pickhashed({CANDIDATES})",
    "pickhashed({5, 6.5, 'x'})",
    "pickhashed({[3]='c',[7]='g'})",
    *[
        f"pickwhashed({weighted(n)})"
        for n in (1, 2, 3, 5, 12, 13, 14, 20, 28, 29, 30, 31, 40, 59, 60, 61)
    ],
    "pickwhashed({{'3abc','a'},{1.9,'b'},{0,'c'}})",
    "pickwhashed({{0,'a'},{4,'b'}})",
    "all({'one','two'})",
    f"pickclosest({CANDIDATES})",
    "pickclosest({'198.51.100.1','10.9.9.9','2001:db8::1'})",
    "pickclosest({'203.0.113.200','203.0.113.1'})",
    "pickclosest({'10.2.0.1','192.0.2.1:80'})",
    "latlon()",
    "countryCode()..continentCode()..regionCode()",
    "tostring(country('us'))..tostring(country('Nl'))..tostring(country({'JP','BR'}))",
    "tostring(country('--'))..tostring(continent('--'))",
    "tostring(continent('EU'))..tostring(continent({'OC','as'}))",
    "tostring(region('ca'))..tostring(region({'13','nh'}))",
    "tostring(country({}))..tostring(country(5))",
    "tostring(netmask({'192.0.2.0/25','10.0.0.0/8'}))",
    "tostring(netmask({'2001:db8::/34'}))..tostring(netmask({'::/0'}))..tostring(netmask({'0.0.0.0/0'}))",
    "tostring(netmask({'192.0.2.77/99','198.51.100.1'}))..tostring(netmask({}))",
    "view({{{'10.0.0.0/8'},{'ten'}},{{'192.0.2.0/24','2001:db8::/32'},{'doc'}},{{'0.0.0.0/0'},{'rest'}}})",
    "view({})",
    "tostring(who)..tostring(bestwho)..tostring(ecswho)",
    "tostring(bestwho:isIPv4())..tostring(bestwho:isIPv6())..bestwho:toString()",
    "#bestwho:getRaw()",
    ";if ecswho then return ecswho:getBits()..tostring(ecswho:getNetwork()) end return 'no'",
    ";if country('US') then return {'a','b'} elseif continent('EU') then return 'c' end return {}",
    ";local a=newCA(bestwho:toString()) a:truncate(20) return a:toString()",
    "tostring(newNMG({'10.0.0.0/8','192.0.2.0/25'}):match(bestwho))",
    ";local n=newNMG{'0.0.0.0/0'} n:addMask('!192.0.2.0/24') return tostring(n:match(bestwho))",
]

CONSTANT = [
    "'a'",
    "5",
    "1.5",
    ";return {1.5,1e17,'x'}",
    ";return nil",
    ";return {}",
    ";return true",
    ";return",
    ";return 'a','b'",
    ";return {a='x'}",
    ";return {'a',{'b'}}",
    ";return qname",
    ";return {qname}",
    " ;return 'x'",
    "'two';",
    "-- c",
    "pickrandom({})",
    "pickhashed({})",
    "pickwhashed({})",
    "all({})",
    "pickclosest({})",
    "pickclosest({'bogus'})",
    "pickrandom('a')",
    "pickrandom({true})",
    "pickrandom({a='x'})",
    "pickwhashed({{0,'a'}})",
    "pickwhashed({'a'})",
    "pickwhashed({{nil,'a'}})",
    "pickwhashed({{'x','a'}})",
    "country()",
    "netmask('10.0.0.0/8')",
    "netmask({'bogus'})",
    "netmask({'!10.0.0.0/8'})",
    "view({{{'0.0.0.0/0'},{}}})",
    "view({{'0.0.0.0/0',{'x'}}})",
    "view({{{'0.0.0.0/0','::/0'},'x'}})",
    "view({{{'0.0.0.0/0','::/0'},{5}}})",
    "qname:toString()",
    "qname:toStringNoDot()",
    "zone:toString()",
    "tostring(zone)",
    "table.concat(qname:getRawLabels(),'|')",
    "qname:countLabels()",
    "qname:wirelength()",
    "tostring(qname:isPartOf(zone))..tostring(zone:isPartOf(qname))",
    "qname:isPartOf('lua.test')",
    "tostring(qname==newDN('A.B'))..tostring(newDN('a.b')==newDN('A.B.'))",
    "'x'..qname",
    "tostring(qname=='x')..tostring(zone:equal('LUA.test'))",
    "qname:equal(zone)",
    ";local q=newDN('a.b.c') local r=q:chopOff() return tostring(q)..tostring(r)",
    ";qname:chopOff() return tostring(qname)",
    "tostring(qname:makeRelative(newDN('x.y')))",
    "tostring(newDN('www.lua.test'):makeRelative(zone))",
    "tostring(newDN('.'))..newDN('.'):toStringNoDot()",
    "tostring(newDN('.'):chopOff())",
    "newDN('a..b')",
    "tostring(newDN(''))",
    "tostring(newDN('a b.c'))",
    "tostring(newDN('a'):canonCompare(newDN('b')))..tostring(newDN('b'):canonCompare(newDN('a')))",
    "type(qname)..type(who)..type(dh)..type(newNMG())..type(zoneid)..type(pdns)..type(_G)",
    "tostring(qname.bogus)",
    "tostring(who:isIPv4())..tostring(who:isMappedIPv4())",
    "who..''",
    "tostring(newCA('192.0.2.1:53'))",
    "newCA('[2001:DB8::1]:53'):toStringWithPort()",
    "tostring(newCA('::ffff:192.0.2.1'))..tostring(newCA('::ffff:192.0.2.1'):mapToIPv4())",
    "tostring(newCA('::ffff:0:1'):isMappedIPv4())",
    "newCA('bogus')",
    "tostring(newCA('192.0.2'))",
    "newCA('1.2.3.4'):mapToIPv4()",
    "tostring(newCA('1.2.3.4')==newCA('1.2.3.4'))",
    "tostring(newCA('1.2.3.4')<newCA('1.2.3.5'))",
    "tostring(newCAFromRaw('abcd'))",
    "newCAFromRaw('abcd',53):toStringWithPort()",
    "tostring(newCAFromRaw('abc'))",
    "tostring(newNetmask('192.0.2.5/24'))..tostring(newNetmask('192.0.2.5'))",
    "newNetmask('bogus')",
    "tostring(newNetmask('192.0.2.5/24'):match('192.0.2.9'))",
    "newNetmask('10/8')",
    "tostring(newNetmask('2001:db8::1/32'):isIpv6())..newNetmask('2001:db8::1/32'):getBits()",
    "newNMG():match('1.2.3.4')",
    "newNMG('1.2.3.4')",
    "tostring(dnssecOK)..tostring(tcp)..ednsPKTSize",
    "tostring(dh:getRD())..tostring(dh:getTC())..dh:getOPCODE()..dh:getQDCOUNT()",
    "tostring(pdnsrandom(1))",
    "pdns.A..pdns.NXDOMAIN..pdns.loglevels.Info",
    "newQType('A'):getName()..newQType('aaaa'):getCode()",
    "_VERSION",
    ";error('x')",
    ";return pcall(error,'x') and 'a' or 'b'",
    "nosuchthing()",
    ";x=",
    ";include('config') return a",
    ";include('config.lua.test.') return a",
    ";include('none') return 'x'",
    ";include('broken') return tostring(broken)",
    ";include('syntax') return 'x'",
    ";include('sub.config') return b",
    ";return tostring(pcall(include,'none'))",
    "latlon(",
    "ifportup(1,{})",
    "ifportup(1,{'bogus'})",
    "ifportup(1,'127.0.0.1')",
    "ifportup(1,{'127.0.0.1'},{source='x'})",
    "ifportup(1,{'127.0.0.1',5},{backupSelector='all'})",
    "ifportup('53',{'127.0.0.1'})",
    "ifportup(1,{'127.0.0.1:53','::0001'},{backupSelector='all'})",
    "ifportup(1.5,{'127.0.0.1'},{backupSelector='bogus'})",
    "ifportup('x',{'127.0.0.1'})",
    "ifportup(1,{a='127.0.0.1'})",
    ";local r=ifportup(1,{'127.0.0.1'}) return type(r)..#r",
    ";local r=ifurlup('http://x/',{{'::1'},{'::2'}},{backupSelector='all'}) return type(r)..#r",
    "ifurlup('http://x/',{{'::1'},{'127.0.0.1','127.0.0.2'}},{backupSelector='all'})",
    "ifurlup('http://x/',{{},{}})",
    "ifurlup('http://x/',{{},{'::1'}})",
    "ifportup(1,{'127.0.0.1'},{timeout='x'})",
    "ifportup(1,{'127.0.0.1'},{timeout='2'})",
    "ifportup(1,{'127.0.0.1'},5)",
    f"ifportup(1,{CANDIDATES},{{backupSelector='hashed'}})",
    f"ifportup(1,{CANDIDATES},{{backupSelector='pickclosest'}})",
    f"ifurlup('http://x/',{CANDIDATES},{{backupSelector='hashed'}})",
    "filterForward('192.0.2.5',newNMG({'192.0.2.0/24'}))",
    "filterForward('192.0.2.5',newNMG({'192.0.3.0/24'}))",
    "filterForward('::5',newNMG({'192.0.3.0/24'}))",
    "filterForward('192.0.2.5',newNMG({}),'f')",
    "filterForward('x',newNMG({}),'f')",
    ";string.foo=function() return 'foo' end return ('x'):foo()",
    "('abc'):upper():rep(2)",
    "tostring(getfenv()==_G)",
    ";setfenv(1,{qname=5}) return qname",
    ";return loadstring('return 7')()",
    ";return table.concat({1,2,3},',')",
    ";local co=coroutine.wrap(function() coroutine.yield('y') end) return co()",
    "bit.band(7,2)",
    "string.format('%05.2f',3.14159)",
    ";local t=setmetatable({},{__index=function() return 'i' end}) return t.x",
    "os.time()>1e9 and 'now' or 'then'",
    "math.floor(2.7)",
    ";for w in ('a b'):gmatch('%a') do x=(x or '')..w end return x",
    "select('#',1,2,3)",
    "tostring(newQType('A'))",
]

RANDOM = [
    f"pickrandom({CANDIDATES})",
    "pickwrandom({{1,'a'},{2,'b'},{0,'c'},{3,'d'}})",
    "view({{{'0.0.0.0/0','::/0'},{'a','b','c'}}})",
    "pdnsrandom(3)",
    f"ifportup(1,{CANDIDATES})",
    f"ifportup(1,{CANDIDATES},{{backupSelector='random'}})",
    "pickclosest({'10.9.9.9','10.9.9.8','10.9.9.7'})",
    f"ifportup(1,{CANDIDATES},{{backupSelector='bogus'}})",
]

NAMED = {
    "f": (
        "createForward()",
        [
            "127-0-0-1",
            "ip-192-0-2-5",
            "192.0.2.5",
            "1.2.3",
            "1.2.3.4.5",
            "c0000205",
            "ipc0000205",
            "foo",
            "ipC0000205",
            "ip-c0000205",
            "xxc0000205",
            "1-2-3",
            "1-2-3-4-5",
            "host-10-0-0-1",
            "ip256-1-1-1",
            "300.1.1.1",
            "a.1.2.3.4",
            "1.2.3.4x",
            "ip10-0-0-1x",
            "ip-1-2-3-4-x",
            "1--2-3-4",
            "-1-2-3-4",
            "ip0a00000g",
            "DEADBEEF",
            "abcdefdeadbeef",
            "10-0-0-100",
            "10-0-0-1.foo",
            "x.10-0-0-1",
            "1-2-3-4.5.6.7",
            "1.2.3.4.5.6.7",
            "1-2-3-256",
            "xx0x1x2x3x",
            "1_2_3_4",
        ],
    ),
    "g": (
        "filterForward(createForward(), newNMG({'192.0.2.0/24','10.0.0.0/8'}), '9.9.9.9')",
        ["ip-192-0-2-5", "foo", "127-0-0-1"],
    ),
    "r": (
        "createReverse('%5%.example.com.')",
        ["5.2.0.192", "x", "2.0.192", "x.2.0.192", "9.5.2.0.192", "300.2.0.192"],
    ),
    "s": (
        "createReverse('%1%-%2%-%3%-%4%|%6%|%7%|%%.x.')",
        ["5.2.0.192", "x.2.0.192", "300.2.0.192", "255.255.255.255"],
    ),
    "t": (
        "createReverse('%1%.x.', {['192.0.2.5']='special.', ['10.0.0.1']='ten'})",
        ["5.2.0.192", "1.0.0.10", "x.2.0.192", "9.5.2.0.192"],
    ),
    "u": ("createReverse('50% %1% %')", ["5.2.0.192"]),
    "v": (
        "createReverse6('%33%.%1%.%32%.%34%.%41%.%42%.x.', {['2001:db8::1']='special.'})",
        [
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.d.0.1.0.0.2",
            "a.b.c.d.e.f.0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.0.0.8.b.d.0.1.0.0.2",
            "1.2.3",
            "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            "20.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
        ],
    ),
    "q": (
        "qname:toString()..table.concat(qname:getRawLabels(),'/')",
        ["AbC", r"a\.b", r"a\032b", "x.y.z"],
    ),
    "": (
        "createForward6()",
        [
            "2001--db8",
            "2001-0db8-0-0-0-0-0-1",
            "20010db8",
            "1.2.3.4.5.6.7.8",
            "1.2.3",
            "g--1",
            "2001-db8--1",
        ],
    ),
}

INCLUDED = {
    "config": "a='conf'",
    "sub.config": "b='sub'",
    "broken": "broken='set' error('x')",
    "syntax": "x=",
}

RECORDS = {f"n{index}": code for index, code in enumerate([*BY_CLIENT, *CONSTANT, *RANDOM])}


def presentation(code: str) -> str:
    pieces = [code[i : i + 250] for i in range(0, len(code), 250)]
    return '"' + "".join(piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces) + '"'


def zone_text() -> str:
    lines = [f"$ORIGIN {ZONE}", "@ 0 IN SOA a. b. 1 2 3 4 5", "@ 0 IN NS a."]
    lines += [f"{label} 0 IN LUA TXT {presentation(code)}" for label, code in RECORDS.items()]
    lines += [f"{label} 0 IN LUA LUA {presentation(code)}" for label, code in INCLUDED.items()]
    lines += [
        f"*{label and '.' + label} 0 IN LUA TXT {presentation(code)}"
        for label, (code, _) in NAMED.items()
    ]
    return "\n".join(lines) + "\n"


class AllDown:
    """Health as PowerDNS has it when nothing was ever checked."""

    def status(self, check: Check) -> bool | None:
        return None

    def generation(self) -> int:
        return 0


CONFIG = """\
launch=bind,geoip
bind-config={folder}/named.conf
geoip-database-files=mmdb:{folder}/geo.mmdb
enable-lua-records=yes
lua-records-exec-limit=100000
edns-subnet-processing=yes
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
disable-syslog=yes
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
lua-health-checks-interval=3600
loglevel=3
"""


class Both:
    """The real server and the engine, asked the same."""

    def __init__(self, port: int, geo: Path) -> None:
        self.port = port
        self.engine = Engine(
            EngineSettings(exec_limit=100_000), Geo([maxminddb.open_database(geo)]), AllDown(), 7
        )
        self.apex = wire_name.from_text(ZONE)

    def powerdns(self, name: str, subnet: str | None) -> list[bytes] | None:
        """The strings it answers, sorted; None for SERVFAIL."""
        options: list[dns.edns.Option] = []
        if subnet is not None:
            address, _, prefix = subnet.partition("/")
            options.append(dns.edns.ECSOption(address, int(prefix)))
        query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232, options=options)
        reply = dns.query.udp(query, CLIENT, port=self.port, timeout=5)
        if reply.rcode() == dns.rcode.SERVFAIL:
            return None
        assert reply.rcode() == dns.rcode.NOERROR, reply
        return sorted(b"".join(rdata.strings) for rrset in reply.answer for rdata in rrset)

    def lzc(self, name: str, code: str, subnet: str | None) -> list[bytes] | None:
        """What the engine gives, read as TXT between quotes; None where it fails."""
        network = ipaddress.ip_network(subnet) if subnet is not None else None
        query = QueryContext(
            wire_name.from_text(name),
            self.apex,
            socket.inet_aton(CLIENT),
            (network.network_address.packed, network.prefixlen) if network else None,
            edns_size=1232,
            flags=0x0100,
        )
        try:
            found = self.engine.evaluate(joined(code), query, self.include)
        except LuaFailure:
            return None
        return sorted(unescape(content) for content in found)

    def include(self, name: bytes) -> bytes | None:
        relative = wire_name.to_text(name).removesuffix("." + ZONE)
        code = INCLUDED.get(relative)
        return None if code is None else joined(code)


def joined(code: str) -> bytes:
    return code.encode() + b" "


def unescape(content: bytes) -> bytes:
    """Between double quotes a content is zone-file syntax."""
    out = bytearray()
    position = 0
    while position < len(content):
        octet = content[position]
        if octet != 0x5C:
            out.append(octet)
            position += 1
        elif content[position + 1 : position + 4].isdigit():
            out.append(int(content[position + 1 : position + 4]))
            position += 4
        else:
            out += content[position + 1 : position + 2]
            position += 2
    return bytes(out)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    presence.require("pdns_server")
    folder = tmp_path_factory.mktemp("powerdns")
    write_geo_database(folder / "geo.mmdb")
    (folder / "lua.zone").write_text(zone_text())
    (folder / "named.conf").write_text(
        f'zone "{ZONE}" {{ type master; file "{folder}/lua.zone"; }};\n'
    )
    port = free_port()
    (folder / "pdns.conf").write_text(CONFIG.format(folder=folder, port=port))
    arguments = [f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
    with running(["pdns_server", *arguments], folder, "pdns") as process:
        wait_for_zone(process, port, ZONE)
        yield Both(port, folder / "geo.mmdb")


def clients(count: int) -> list[str | None]:
    """Subnets of known and unknown places and of many prefix lengths."""
    choose = random.Random(20)
    found: list[str | None] = [None]
    places = [ipaddress.ip_network(place[0]) for place in PLACES]
    while len(found) < count:
        place = choose.choice(places)
        if choose.random() < 0.2:
            place = ipaddress.ip_network(choose.choice(["0.0.0.0/0", "::/0"]))
        offset = choose.getrandbits(place.max_prefixlen - place.prefixlen or 1)
        prefix = choose.randint(place.max_prefixlen // 4, place.max_prefixlen)
        address = place.network_address + offset
        found.append(str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)))
    return found


def differences(both: Both, asked: list[tuple[str, str, str | None]]) -> list[str]:
    found = []
    for name, code, subnet in asked:
        expected, actual = both.powerdns(name, subnet), both.lzc(name, code, subnet)
        if expected != actual:
            found.append(f"{code} for {name} from {subnet}: PowerDNS {expected}, lzc {actual}")
    return found


def records_of(codes: list[str]) -> list[tuple[str, str]]:
    return [(f"{label}.{ZONE}", code) for label, code in RECORDS.items() if code in codes]


def test_answers_that_depend_on_the_client_are_equal(both: Both) -> None:
    subnets = clients(60)
    asked = [(name, code, subnet) for name, code in records_of(BY_CLIENT) for subnet in subnets]
    found = differences(both, asked)
    assert not found, "\n".join(found)


def test_answers_that_depend_on_nothing_are_equal(both: Both) -> None:
    found = differences(both, [(name, code, None) for name, code in records_of(CONSTANT)])
    assert not found, "\n".join(found)


def test_answers_that_depend_on_the_name_are_equal(both: Both) -> None:
    asked: list[tuple[str, str, str | None]] = [
        (f"{label}.{wildcard}.{ZONE}" if wildcard else f"{label}.{ZONE}", code, None)
        for wildcard, (code, labels) in NAMED.items()
        for label in labels
    ]
    found = differences(both, asked)
    assert not found, "\n".join(found)


def test_random_answers_draw_from_the_same_set(both: Both) -> None:
    for name, code in records_of(RANDOM):
        expected = {tuple(both.powerdns(name, "10.2.0.1/32") or ()) for _ in range(60)}
        actual = {tuple(both.lzc(name, code, "10.2.0.1/32") or ()) for _ in range(60)}
        assert actual == expected, code
