"""PowerDNS and lzc answer thousands of generated questions alike: clients of both families, subnets
of every length, names and types; and what is random comes as often from one as from the other."""

from __future__ import annotations

import ipaddress
import math
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from typing import Final

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lzc.answer.lua_answer import rdatas_of
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.lua.plan import Plan
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.patience import PATIENCE
from tests.peers._peers.releases import POWERDNS
from tests.peers.test_lua_differential import (
    CLIENT,
    HEAD,
    PLACES,
    ZONE,
    AllDown,
    Both,
    joined,
    presentation,
    serving,
)
from tests.unit.lua_planning import plan_of

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

SEED = 4
MOST_WITH_PLANS = 0.6
"""Of the records below, so many at least are also answered by a plan."""
Question = tuple[str, str, str, str | None]
"""A name, its type and code, and the client's subnet."""

V4 = "'192.0.2.1','192.0.2.200','198.51.100.1','203.0.113.1','203.0.113.200'"
V6 = "'2001:db8::1','2001:db8:8000::1','2001:db8:4000::2'"
WEIGHTED = "{{5,'192.0.2.1'},{1,'192.0.2.200'},{9,'198.51.100.1'},{2,'203.0.113.1'}}"

RECORDS: list[tuple[str, str]] = [
    ("A", f"pickhashed({{{V4}}})"),
    ("AAAA", f"pickhashed({{{V6}}})"),
    ("A", f"pickwhashed({WEIGHTED})"),
    ("A", "pickclosest({'192.0.2.1','198.51.100.1','203.0.113.1'})"),
    ("AAAA", "pickclosest({'2001:db8::1','2001:db8:8000::1'})"),
    ("A", f"all({{{V4}}})"),
    ("A", f"ifportup(1, {{{V4}}}, {{backupSelector='hashed'}})"),
    ("A", f"ifurlup('http://x/', {{{{{V4}}},{{'10.0.0.1'}}}}, {{backupSelector='all'}})"),
    ("A", "ifurlextup({{['10.0.0.1']='http://127.0.0.1:1/'}}, {backupSelector='hashed'})"),
    ("A", ";if country('US') then return '10.0.0.1' end if continent({'EU','OC'}) then "
          "return {'10.0.0.2','10.0.0.3'} end return '10.0.0.4'"),
    ("A", "view({{{'10.0.0.0/8','2001:db8::/33'},{'10.0.0.1'}},{{'192.0.2.0/25'},{'10.0.0.2'}},"
          "{{'0.0.0.0/1'},{'10.0.0.3'}},{{'0.0.0.0/0','::/0'},{'10.0.0.4'}}})"),
    ("A", "netmask({'203.0.113.0/26','10.1.128.0/17','2001:db8:4000::/35'}) and '10.0.0.1' "
          "or '10.0.0.2'"),
    ("A", "bestwho:isIPv4() and bestwho:toString() or '10.0.0.6'"),
    ("AAAA", "bestwho:isIPv6() and bestwho:toString() or '::4'"),
    ("AAAA", "'bogus'"),
    ("A", f"pickhashed({{{V6}}})"),
    ("A", ";return {}"),
    ("CNAME", "pickhashed({'a.example.','B.example.','c.lua.test.'})"),
    ("CNAME", "countryCode()..'.'..continentCode()..'.'..regionCode()..'.example.'"),
    ("MX", "pickhashed({'10 a.example.','20 b.example.'})"),
    ("SRV", "pickhashed({'1 2 80 a.example.','1 2 443 b.example.'})"),
    ("PTR", "'host'..(ecswho and ecswho:getBits() or 'none')..'.example.'"),
    ("LOC", "latlonloc()"),
    ("CAA", "asnum({64496,64498}) and '0 issue ca.example' or '128 issuewild other.example'"),
    ("NAPTR", "'100 50 s http+I2L  _http._tcp.'..zone:toString()"),
    ("TXT", "latlon()..' '..tostring(ecswho)..' '..bestwho:toString()"),
    ("TXT", "geoiplookup(bestwho:toString(),0)..geoiplookup(tostring(bestwho),7)"),
    ("TXT", ";local a=newCA(bestwho:toString()) a:truncate(19) return tostring(a)"),
    ("TXT", ";local g=newNMG({'0.0.0.0/0','!192.0.2.0/24','192.0.2.64/26','2001:db8::/32',"
            "'!2001:db8:8000::/33'}) return tostring(g:match(bestwho))"),
    ("TXT", "ecswho and tostring(ecswho:getMaskedNetwork())..tostring(ecswho:isIPv6()) or 'none'"),
    ("TXT", "ecswho and newNetmask(tostring(ecswho)):getBits() or 'none'"),
    ("TXT", "qname:toString()..'/'..zone:toString()..qname:countLabels()..qname:wireLength()"),
    ("TXT", "tostring(dnssecOK)..tostring(tcp)..ednsPKTSize..tostring(dh:getRD())"),
]  # fmt: skip

WILDCARDS: list[tuple[str, str]] = [
    ("A", "createForward()"),
    ("A", "filterForward(createForward(), newNMG({'10.0.0.0/8','192.0.2.0/24'}), '10.9.9.9')"),
    ("AAAA", "createForward6()"),
    ("PTR", "createReverse('%1%-%2%.%5%.%6%.example.')"),
    ("PTR", "createReverse6('%33%.%32%.%41%.example.')"),
    ("TXT", "latlonMagic()"),
    ("TXT", "qname:toString()..newDN(qname:toString()):makeRelative(zone):toStringNoDot()"),
]

RANDOM: list[tuple[str, dict[str, float]]] = [
    ("pickrandom({'a','b','c','d','e'})", dict.fromkeys("abcde", 0.2)),
    ("pickwrandom({{1,'a'},{2,'b'},{0,'c'},{7,'d'}})", {"a": 0.1, "b": 0.2, "d": 0.7}),
    ("view({{{'0.0.0.0/0','::/0'},{'a','b','c'}}})", dict.fromkeys("abc", 1 / 3)),
    ("pdnsrandom(4)", dict.fromkeys("0123", 0.25)),
    ("table.concat(pickrandomsample(2,{'a','b','c'}))",
     dict.fromkeys(("ab", "ac", "ba", "bc", "ca", "cb"), 1 / 6)),
    ("ifportup(1,{'10.0.0.1','10.0.0.2'})", dict.fromkeys(("10.0.0.1", "10.0.0.2"), 0.5)),
    ("pickclosest({'10.9.9.9','10.9.9.8','10.9.9.7'})",
     dict.fromkeys(("10.9.9.9", "10.9.9.8", "10.9.9.7"), 1 / 3)),
]  # fmt: skip


def zone_text() -> str:
    lines = [*HEAD]
    for index, (kind, code) in enumerate(RECORDS):
        lines.append(f"r{index} 0 IN LUA {kind} {presentation(code)}")
    for index, (kind, code) in enumerate(WILDCARDS):
        lines.append(f"*.w{index} 0 IN LUA {kind} {presentation(code)}")
    for index, (code, _) in enumerate(RANDOM):
        lines.append(f"x{index} 0 IN LUA TXT {presentation(code)}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("generated")
    with serving(folder, zone_text(), AllDown(), 3600, request.param) as pair:
        yield pair


ENCLOSER: Final = len(wire_name.labels_of(wire_name.from_text(f"w.{ZONE}")))
"""Labels of each owner, asterisks not counted."""


def powerdns(both: Both, name: str, kind: str, subnet: str | None) -> list[bytes] | None:
    """The RDATA it answers, sorted; `None` for SERVFAIL."""
    options: list[dns.edns.Option] = []
    if subnet is not None:
        address, _, prefix = subnet.partition("/")
        options.append(dns.edns.ECSOption(address, int(prefix)))
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options)
    reply = dns.query.udp(query, CLIENT, port=both.port, timeout=PATIENCE)
    if reply.rcode() == dns.rcode.SERVFAIL:
        return None
    assert reply.rcode() == dns.rcode.NOERROR, reply
    wanted = rrtype.from_text(kind)
    found = [rdata for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset]
    return sorted(rdata.to_wire() or b"" for rdata in found)


def lzc(both: Both, question: Question) -> list[bytes] | None:
    """Likewise."""
    name, kind, code, subnet = question
    network = ipaddress.ip_network(subnet) if subnet is not None else None
    query = QueryContext(
        wire_name.from_text(name),
        both.apex,
        ipaddress.ip_address(CLIENT).packed,
        (network.network_address.packed, network.prefixlen) if network else None,
        edns_size=1232,
        flags=0x0100,
        encloser=ENCLOSER,
    )
    try:
        found = both.engine.evaluate(joined(code), query, both.include)
        return sorted(rdatas_of(rrtype.from_text(kind), found, both.version))
    except LuaFailure:
        return None


def planned(both: Both, question: Question, plan: Plan) -> list[bytes] | None:
    """What a plan gives; `None` where it leaves that to Lua."""
    name, _, _, subnet = question
    who = ipaddress.ip_network(subnet).network_address if subnet else ipaddress.ip_address(CLIENT)
    outcome = plan.select(who.packed, wire_name.from_text(name), both.apex)
    if outcome is None:
        return None
    return sorted(item if isinstance(item, bytes) else plan.rdatas[item] for item in outcome)


def plans_of(both: Both, asked: list[Question]) -> dict[tuple[str, str], Plan]:
    """The plans of those records that have one, by their type and code."""
    found = {}
    for kind, code in {question[1:3] for question in asked}:
        encoded = plan_of(
            joined(code), rrtype.from_text(kind), version=both.version, encloser=ENCLOSER
        )
        if encoded is not None:
            found[kind, code] = both.planner.load(encoded)
    return found


def differences(both: Both, asked: list[Question]) -> list[str]:
    found = []
    plans = plans_of(both, asked)
    assert len(plans) >= MOST_WITH_PLANS * len({question[1:3] for question in asked})
    for question in asked:
        name, kind, code, subnet = question
        expected, actual = powerdns(both, name, kind, subnet), lzc(both, question)
        if (kind, code) in plans:
            chosen = planned(both, question, plans[kind, code])
            if chosen is not None and chosen != expected:
                found.append(f"{code} for {name} from {subnet}: PowerDNS {expected}, plan {chosen}")
        if expected != actual:
            found.append(
                f"{code} for {name} {kind} from {subnet}: PowerDNS {expected}, lzc {actual}"
            )
    return found


def subnets(choose: random.Random) -> list[str]:
    """Of every length from 0 to 32 and to 128, around known places and elsewhere."""
    places = [ipaddress.ip_network(place[0]) for place in PLACES]
    found = []
    for width, rounds in ((32, 12), (128, 4)):
        near = [place for place in places if place.max_prefixlen == width]
        for length in list(range(width + 1)) * rounds:
            address = choose.getrandbits(width)
            if choose.random() < 0.8:
                place = choose.choice(near)
                low = width - place.prefixlen
                address = int(place.network_address) | address & (1 << low) - 1
            address = address >> width - length << width - length
            kind = ipaddress.IPv4Address if width == 32 else ipaddress.IPv6Address
            found.append(f"{kind(address)}/{length}")
    return found


def from_subnets(choose: random.Random) -> list[Question]:
    """Some records for each subnet, and all without one."""
    asked: list[Question] = []
    records = list(enumerate(RECORDS))
    for subnet in subnets(choose):
        for index, (kind, code) in choose.sample(records, 4):
            asked.append((f"r{index}.{ZONE}", kind, code, subnet))
    return asked + [(f"r{index}.{ZONE}", kind, code, None) for index, (kind, code) in records]


def test_every_length_of_subnet_gets_the_same_answer(both: Both) -> None:
    asked = from_subnets(random.Random(SEED))
    assert len(asked) > 3500
    assert len({question[0] for question in asked}) == len(RECORDS)
    found = differences(both, asked)
    assert not found, "\n".join(found[:40])


def names(choose: random.Random) -> Iterator[str]:
    """Labels in front of a wildcard: addresses in many spellings, and near misses."""
    while True:
        octets = [choose.choice((0, 1, 10, 192, 255, choose.randint(0, 299))) for _ in range(4)]
        words = [str(octet) for octet in octets]
        digits = "".join(f"{octet % 256:02x}" for octet in octets)
        groups = [f"{choose.getrandbits(choose.choice((4, 16))):x}" for _ in range(8)]
        nibbles = ".".join(f"{choose.getrandbits(128):032x}")
        places = "-".join(str(ipaddress.ip_network(choose.choice(PLACES[:8])[0])[7]).split("."))
        spelt = [
            ".".join(words), "-".join(words), "ip-" + "-".join(words), "ip" + digits, digits,
            "-".join(groups), ".".join(groups), "--".join(groups[: choose.randint(1, 3)]),
            nibbles, nibbles.upper(), "x." + ".".join(words), places, places + "." + words[0],
            "-".join(words[: choose.randint(1, 4)]) + choose.choice(("", "x", "-", "_1")),
        ]  # fmt: skip
        name = choose.choice(spelt)
        if choose.random() < 0.1:
            at = choose.randrange(len(name))
            name = name[:at] + choose.choice("gZ0-") + name[at + 1 :]
        yield name


def below_wildcards(choose: random.Random, count: int) -> list[Question]:
    """So many names below wildcards, but for those of D-46."""
    wildcards = cycle(enumerate(WILDCARDS))
    asked: list[Question] = []
    for name, (index, (kind, code)) in zip(names(choose), wildcards, strict=False):
        if "createForward6" in code and re.fullmatch(r"\d+-\d+", name):
            continue
        asked.append((f"{name}.w{index}.{ZONE}", kind, code, "192.0.2.9/32"))
        if len(asked) == count:
            break
    return asked


def test_names_below_wildcards_get_the_same_answer(both: Both) -> None:
    asked = below_wildcards(random.Random(SEED), 2000)
    found = differences(both, asked)
    assert not found, "\n".join(found[:40])


def quantile(degrees: int, deviations: float) -> float:
    """Of chi-square, as Wilson and Hilferty approximate it; 4.5 deviations are exceeded three times
    in a million."""
    part = 2 / (9 * degrees)
    return degrees * (1 - part + deviations * math.sqrt(part)) ** 3


def chi_square(counts: Counter[str], expected: dict[str, float]) -> float:
    total = counts.total()
    return sum(
        (counts[item] - total * share) ** 2 / (total * share) for item, share in expected.items()
    )


@pytest.mark.parametrize(("code", "expected"), RANDOM, ids=[code for code, _ in RANDOM])
def test_random_answers_are_as_frequent(both: Both, code: str, expected: dict[str, float]) -> None:
    name = f"x{RANDOM.index((code, expected))}.{ZONE}"
    # Half of PowerDNS's are from another client, which makes no difference to chance.
    clients = cycle(("10.2.0.1/32", "10.9.9.1/32"))
    if both.version >= (5, 1) and "{0," in code:
        # A weight of 0 is an error there.
        assert both.powerdns(name, None) is both.lzc(name, code, None) is None
        return
    real = Counter((both.powerdns(name, next(clients)) or [b"?"])[0].decode() for _ in range(600))
    ours = Counter((both.lzc(name, code, next(clients)) or [b"?"])[0].decode() for _ in range(6000))
    assert set(real) == set(ours) == set(expected)
    limit = quantile(len(expected) - 1, 4.5)
    assert chi_square(real, expected) < limit, real
    assert chi_square(ours, expected) < limit, ours
