"""PowerDNS and lzc serve the same zones of LUA records: whole answers to all names and types, what
becomes of results of every type, and which arguments the API takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import dns.message
import dns.query
import dns.rcode
import pytest

from lzc.powerdns_versions import version_of
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.zone import model
from tests.patience import PATIENCE
from tests.peers import lua_argument_questions, lua_spelling_questions
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.lua_argument_questions import record_of
from tests.peers.lua_result_questions import RESULTS
from tests.peers.mass_asking import Essence, Mode, Question, ask_all
from tests.peers.test_lua_differential import (
    DATABASES,
    presentation,
    write_config,
    write_geo_database,
    write_network_database,
)
from tests.unit.live_server import HEAD, LiveServer, Project
from tests.unit.zone_text import read_zone_text

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

TOML: Final = """
[lua]
enable = true
exec-limit = 1000000
time-limit = 2.0
[serve]
geoip = ["geo.mmdb", "networks.mmdb"]
"""
LEVEL: Final = ("#setmetatable(", "setmetatable({},{__lt=", "coroutine.running()")
"""Expressions in which lzc has not the level of the language that 5.1 has (D-44), and one that
shows where something is in memory."""
SETTINGS: Final = "lua-records-exec-limit=1000000\ndname-processing=yes\n"
ZONE: Final = """
@ 30 LUA A "'192.0.2.10'"
@ 31 LUA TXT "qname:toString()..'/'..zone:toString()"
@ 32 LUA MX "'10 mx'..qname:countLabels()..'.s.test.'"
mx2 A 192.0.2.71
mx3 LUA A "'192.0.2.72'"
two 40 LUA A "'192.0.2.1'"
two 40 LUA A "'192.0.2.2'"
twice 40 LUA A "'192.0.2.1'"
twice 40 LUA A "{'192.0.2.1','192.0.2.1'}"
mix 40 LUA A "'192.0.2.1'"
mix 50 LUA AAAA "'2001:db8::1'"
mix 40 LUA TXT "'t'..tostring(tcp)..ednsPKTSize..tostring(dnssecOK)"
mix 40 LUA MX "'10 mx2.s.test.'"
mix 40 LUA SRV "'0 0 1 mx3.s.test.'"
static 40 LUA A "'192.0.2.1'"
static 40 A 192.0.2.9
same 40 LUA A "'192.0.2.1'"
same 40 A 192.0.2.1
added 40 LUA A "{}"
added 60 A 192.0.2.9
spoilt 40 LUA A "error('x')"
spoilt 60 A 192.0.2.9
beside 40 LUA A "error('x')"
beside 60 AAAA 2001:db8::9
half 40 LUA A "'192.0.2.1'"
half 40 LUA A "error('x')"
half2 40 LUA A "error('x')"
half2 40 LUA A "'192.0.2.1'"
half3 40 LUA A "{}"
half3 40 LUA A "'192.0.2.1'"
half4 40 LUA A "'bogus'"
half4 40 LUA A "'192.0.2.1'"
half5 40 LUA A "'192.0.2.1'"
half5 40 LUA TXT "error('x')"
none 40 LUA A "{}"
none 40 LUA TXT "nil"
error 40 LUA A "error('x')"
error 40 LUA TXT "nosuch()"
cn 40 LUA CNAME "'two.s.test.'"
cn2 40 LUA CNAME "'cn.s.test'"
cnrelative 40 LUA CNAME "'two'"
cnout 40 LUA CNAME "'www.other.example.'"
cnmissing 40 LUA CNAME "'nothere.s.test.'"
cnent 40 LUA CNAME "'ent.s.test.'"
cnnone 40 LUA CNAME "'none.s.test.'"
cnerror 40 LUA CNAME "'error.s.test.'"
cnfails 40 LUA CNAME "error('x')"
cnempty 40 LUA CNAME "{}"
cnzone 40 LUA CNAME "'two.t.test.'"
cnzone2 40 LUA CNAME "'nope.t.test.'"
cnapex 40 LUA CNAME "'s.test.'"
cnwild 40 LUA CNAME "'foo.wild.s.test.'"
cncut 40 LUA CNAME "'a.cut.s.test.'"
cndname 40 LUA CNAME "'a.dn.s.test.'"
cncase 40 LUA CNAME "'TWO.S.test.'"
cnmixed 40 LUA CNAME "'x.Y.Wild.s.test.'"
cnname 40 LUA CNAME "'q-'..qname:toStringNoDot():gsub('%.','-')..'.wild.s.test.'"
static-cn 40 CNAME two
static-cn2 40 CNAME cn
static-cn3 40 CNAME two.t.test.
static-cn4 40 CNAME foo.wild
static-cn5 40 CNAME error
static-cn6 40 CNAME half
static-cn7 40 CNAME Foo.Wild
static-cn8 40 CNAME X.w.Dn
*.cnw 40 LUA CNAME "qname:getRawLabels()[1]..'.wild.s.test.'"
*.wild 40 LUA A "'192.0.2.3'"
*.wild 40 LUA TXT "qname:toString()..' '..bestwho:toString()..' '..tostring(ecswho)"
*.wild 40 LUA AAAA "{}"
sub.wild 40 TXT "exists"
*.plain A 192.0.2.4
*.fails 40 LUA A "error('x')"
a.b.ent 40 LUA A "'192.0.2.5'"
conf 40 LUA LUA "v='conf'"
useconf 40 LUA TXT ";include('conf') return v"
cut NS ns.cut
cut NS ns2
ns.cut LUA A "'192.0.2.7'"
ns2 LUA A "'192.0.2.8'"
below.cut LUA A "'192.0.2.9'"
cut LUA A "'192.0.2.99'"
cut2 NS ns.cut2
ns.cut2 A 192.0.2.77
luacut 40 LUA NS "'ns.luacut.s.test.'"
ns.luacut A 192.0.2.78
dn DNAME t.test.
dnself 40 LUA A "'192.0.2.45'"
dnself DNAME t.test.
mxs MX 10 mx3
mxs MX 20 mx2
srvs SRV 0 0 1 two
big 40 LUA TXT ";local t={} for i=1,30 do t[i]=i..('x'):rep(60) end return t"
big2 40 LUA A ";local t={} for i=1,60 do t[i]='192.0.2.'..i end return t"
big3 40 LUA TXT "('x'):rep(470)"
now 0 LUA A "'192.0.2.1'"
long 2147483647 LUA A "'192.0.2.1'"
UPPER 40 LUA TXT "qname:toString()"
soa 40 LUA SOA "'a. b. 1 2 3 4 5'"
servers 40 LUA NS "{'mx2.s.test.','mx3.s.test.'}"
"""
OTHER: Final = """
two 41 LUA A "'192.0.2.21'"
two 41 LUA TXT "zone:toString()..qname:toString()"
*.w 41 LUA TXT "qname:toString()..zone:toString()"
back 41 LUA CNAME "'two.s.test.'"
loop CNAME cnapex.s.test.
"""
BELOW: Final = """
www 41 LUA A "'192.0.2.31'"
@ 41 LUA TXT "zone:toString()"
"""
MORE: Final = (
    *("nothere", "ent", "b.ent", "x.ent", "foo.wild", "sub.wild", "x.sub.wild", "a.b.wild", "wild"),
    *("FOO.Wild", "foo.plain", "x.fails", "fails", "k.cnw", "two.wild", "a.k.cnw", "x.cut", "a.dn"),
    *(
        "x.cut2",
        "two.dn",
        "x.y.dn",
        "X.W.dn",
        "below.dnself",
        "x.luacut",
        "a.two",
        "x.cn",
        "uPPer",
        "UPPER.wILD",
    ),
    *("sub", "www.sub", "x.sub"),
)
TYPES: Final = (
    "A",
    "AAAA",
    "TXT",
    "MX",
    "CNAME",
    "NS",
    "SOA",
    "SRV",
    "DS",
    "CAA",
    "PTR",
    "TYPE65280",
)
MODES: Final = (Mode(), Mode(edns=True), Mode(tcp=True), Mode(tcp=True, edns=True))
LIBRARY: Final = Path(__file__).with_name("lua_library_questions.txt")
"""What Lua's own library is asked, a line each."""
EXPRESSIONS: Final = [
    *lua_argument_questions.EXPRESSIONS,
    *lua_spelling_questions.EXPRESSIONS,
    *LIBRARY.read_text().splitlines(),
]
AT_ONCE: Final = 60
"""Expressions that one record tells of."""


class Servers(NamedTuple):
    """The ports of both."""

    powerdns: int
    lzc: int
    explained: tuple[str, ...]


def transferred(apex: str, text: str) -> str:
    """A zone file as a secondary would have it: the code rewritten, and one line a record."""
    top = wire_name.from_text(apex, wire_name.ROOT)
    zone, faults = read_zone_text((HEAD.format(serial=1) + text).encode(), top, apex)
    assert {fault.rule for fault in faults} <= {"powerdns-reads-otherwise"}, faults
    lines = []
    for record in sorted(zone.records, key=lambda record: record[model.TYPE] != rrtype.SOA):
        kind, rdata = record[model.TYPE], record[model.RDATA]
        if kind == rrtype.LUA:
            lua = model.LuaRecord.from_rdata(rdata)
            strings = " ".join(f'"{string.decode()}"' for string in lua.strings)
            content = f"LUA {rrtype.to_text(lua.covered)} {strings}"
        else:
            content = f"{rrtype.to_text(kind)} {wire_rdata.to_text(kind, rdata)}"
        lines.append(f"{wire_name.to_text(zone.owner(record))} {record[model.TTL]} IN {content}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def serving(folder: Path, zones: Mapping[str, str], release: Release) -> Iterator[Servers]:
    """Both with the same zones, while the block runs."""
    release.require()
    write_geo_database(folder / DATABASES[0])
    write_network_database(folder / DATABASES[1])
    project = Project(folder, TOML)
    project.build(zones, powerdns=version_of(release.version))
    listed = ""
    for apex, text in zones.items():
        (folder / f"{apex}.zone").write_text(transferred(apex, text))
        listed += f'zone "{apex}" {{ type master; file "{folder}/{apex}.zone"; }};\n'
    (folder / "named.conf").write_text(listed)
    port = free_port()
    write_config(folder, port, 3600, release, SETTINGS)
    program = release.command("pdns_server")
    arguments = [*program, f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
    with running(arguments, folder, "pdns") as process, LiveServer(project) as server:
        for apex in zones:
            wait_for_zone(process, port, apex)
        yield Servers(port, server.port, LEVEL if release.at_least(5, 1) else ("\0",))


def results_zone() -> str:
    return "".join(
        f"{kind.lower()}{number} 60 LUA {kind} {presentation(code)}\n"
        for kind, codes in RESULTS.items()
        for number, code in enumerate(codes)
    )


def arguments_zone() -> str:
    return "".join(
        f"n{start} 60 LUA TXT {presentation(record_of(EXPRESSIONS[start : start + AT_ONCE]))}\n"
        for start in range(0, len(EXPRESSIONS), AT_ONCE)
    )


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    zones = {
        "s.test": ZONE,
        "t.test": OTHER,
        "sub.s.test": BELOW,
        "results.test": results_zone(),
        "arguments.test": arguments_zone(),
    }
    with serving(tmp_path_factory.mktemp("whole"), zones, request.param) as both:
        yield both


def names() -> list[str]:
    first = [line.split()[0] for line in ZONE.strip().splitlines()]
    below = [f"{label}.s.test." for label in (*first, *MORE) if label != "@"]
    return [
        *dict.fromkeys(below),
        "s.test.",
        "two.t.test.",
        "x.w.t.test.",
        "loop.t.test.",
        "q.test.",
    ]


def counts(answer: Essence) -> Essence:
    """AA means nothing where a query failed (RFC 1035 §4.1.1 has it of answers), and PowerDNS may
    put what an alias leads to before it."""
    authoritative = answer.authoritative and answer.rcode != message.SERVFAIL
    return answer._replace(authoritative=authoritative, disorderly=False)


def questions() -> list[Question]:
    """PowerDNS goes on from an alias made of a wildcard or a DNAME that was asked for itself."""
    return [
        Question(wire_name.from_text(name), rrtype.from_text(kind))
        for name in names()
        for kind in TYPES
        if kind != "CNAME" or not (".cnw" in name or ".dn" in name)
    ]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_whole_answers_are_equal(servers: Servers, mode: Mode) -> None:
    asked = questions()
    assert len(asked) > 1200
    found = [
        f"{wire_name.to_text(question.name)} {rrtype.to_text(question.qtype)}: "
        f"PowerDNS {theirs}, lzc {ours}"
        for question, theirs, ours in zip(
            asked,
            ask_all(servers.powerdns, asked, mode),
            ask_all(servers.lzc, asked, mode),
            strict=True,
        )
        if counts(theirs) != counts(ours) or ours.disorderly
    ]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:20])


def test_results_of_all_types_are_taken_alike(servers: Servers) -> None:
    codes = [
        (
            Question(
                wire_name.from_text(f"{kind.lower()}{number}.results.test."), rrtype.from_text(kind)
            ),
            code,
        )
        for kind, listed in RESULTS.items()
        for number, code in enumerate(listed)
    ]
    asked = [question for question, _ in codes]
    mode = Mode(tcp=True)
    theirs, ours = (ask_all(port, asked, mode) for port in servers[:2])
    found = [
        f"{rrtype.to_text(question.qtype)} {code}: PowerDNS {one}, lzc {other}"
        for (question, code), one, other in zip(codes, theirs, ours, strict=True)
        if counts(one) != counts(other)
    ]
    assert not found, "\n".join(found[:20])


def told(port: int, start: int) -> list[str]:
    query = dns.message.make_query(f"n{start}.arguments.test", "TXT")
    reply = dns.query.tcp(query, LOOPBACK, port=port, timeout=PATIENCE)
    assert reply.rcode() == dns.rcode.NOERROR, (port, EXPRESSIONS[start])
    (rdata,) = reply.answer[0]
    return b"".join(rdata.strings).decode().split(" ")


def test_the_same_arguments_are_taken(servers: Servers) -> None:
    assert len(EXPRESSIONS) > 10_000
    found = []
    for start in range(0, len(EXPRESSIONS), AT_ONCE):
        asked = EXPRESSIONS[start : start + AT_ONCE]
        theirs, ours = told(servers.powerdns, start), told(servers.lzc, start)
        found += [
            f"{expression}: PowerDNS {one}, lzc {other}"
            for expression, one, other in zip(asked, theirs, ours, strict=True)
            if one != other and not expression.startswith(servers.explained)
        ]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:60])
