"""The zones of the soak. Every record says which generation of its zone it is of, so that of any
answer it can be said whether it was right, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

CLIENT: Final = "127.0.0.53"
"""Where queries come from: secondaries, at another address, may be answered otherwise."""
GERMANY: Final = "192.0.2.64/26"
"""A network that the example's geo database puts there."""
TARGETS: Final = ("127.0.0.1", "127.0.0.2")
"""What health checks look at: listeners of ours."""


@dataclass(frozen=True, slots=True)
class ChaosZone:
    """``algorithm`` is that of its key, 0 for an unsigned zone; ``bulk``: names that are there to
    make its transfer long; ``heavy``: has code that runs into limits; ``targets`` are those of its
    health checks, at ``port`` where that is not the one of the stage."""

    name: str
    lua: bool
    algorithm: int = 0
    bulk: int = 0
    heavy: bool = False
    targets: tuple[str, str] = TARGETS
    port: int = 0


class Question(NamedTuple):
    """``label`` is relative to the zone, empty for the apex; ``subnet``: of the client."""

    zone: ChaosZone
    label: str
    rrtype: str
    subnet: str = ""

    @property
    def name(self) -> str:
        """In presentation format."""
        return f"{self.label}.{self.zone.name}." if self.label else f"{self.zone.name}."


class WrongAnswerError(Exception):
    """Says what is wrong with it."""


STATIC: Final = (
    *(("", "SOA"), ("", "TXT"), ("www", "A"), ("x.wild", "TXT"), ("alias", "A")),
    *(("p0", "A"), ("p1", "A"), ("www", "AAAA"), ("nope", "A")),
)
LUA: Final = (
    *(("", "SOA"), ("", "TXT"), ("www", "A"), ("who", "TXT"), ("x.wild", "TXT"), ("up", "A")),
    *(("near", "TXT"), ("code", "TXT"), ("hash", "A"), ("www", "AAAA"), ("nope", "A")),
)
HEAVY: Final = (("loop", "A"), ("long", "TXT"))
"""Their code never comes to its end, or seldom."""


def questions(zone: ChaosZone) -> list[Question]:
    """All that is asked about a zone."""
    found = [Question(zone, *one) for one in (LUA if zone.lua else STATIC)]
    if zone.lua:
        found.append(Question(zone, "near", "TXT", GERMANY))
    return found


def made(short: bool) -> list[ChaosZone]:
    """The zones: 45, of every kind, or one or two of each kind."""
    plan = (
        ("plain", False, 0, 2 if short else 20),
        ("ecdsa", False, 13, 1 if short else 6),
        ("eddsa", False, 15, 1 if short else 4),
        ("lua", True, 0, 2 if short else 7),
        ("luaecdsa", True, 13, 1 if short else 5),
        ("luaeddsa", True, 15, 1 if short else 3),
    )
    found = []
    for kind, lua, algorithm, count in plan:
        for number in range(count):
            first = number == 0
            bulk = (500 if short else 8000) if first and kind == "plain" else 0
            heavy = first and kind == "lua"
            found.append(ChaosZone(f"{kind}{number}.example", lua, algorithm, bulk, heavy))
    return found


def text(zone: ChaosZone, generation: int, health_port: int) -> str:
    """The zone file of a generation."""
    high, low = generation >> 8 & 255, generation & 255
    lines = [
        f"$ORIGIN {zone.name}.\n$TTL 60",
        f"@ SOA ns1 g{generation}.hostmaster 1 3600 600 1209600 60",
        f'@ NS ns1\n@ TXT "g={generation}"\nns1 A 192.0.2.53',
    ]
    if zone.lua:
        lines += [
            f"www LUA A \"pickrandom({{'10.{high}.{low}.1','10.{high}.{low}.2'}})\"",
            f"who LUA TXT \"'g={generation} '..bestwho:toString()\"",
            f"*.wild LUA TXT \";return 'g={generation}'\"",
            f'up LUA A "ifportup({zone.port or health_port},'
            f"{{'{zone.targets[0]}','{zone.targets[1]}'}})\"",
            f"hash LUA A \"pickwhashed({{{{3,'10.{high}.{low}.1'}},{{1,'10.{high}.{low}.2'}}}})\"",
            f"near LUA TXT \";if country('DE') then return 'g={generation} de' end "
            f"return 'g={generation} other'\"",
            f"code LUA TXT \";local n=0 for i=1,20 do n=n+i end return 'g={generation} '..n\"",
        ]
    else:
        lines += [
            f"www A 10.{high}.{low}.1\nwww A 10.{high}.{low}.2\nalias CNAME www",
            f'*.wild TXT "g={generation}"',
            f"p{generation % 2} A 10.{high}.{low}.7",
        ]
    if zone.heavy:
        lines += [
            "; lzc: ignore lua-instructions, lua-fails\n"
            "loop LUA A \";for i=1,1e8 do end return '192.0.2.9'\"",
            "long LUA TXT \";return tostring(#string.rep('x', 4000000))\"",
        ]
    lines += [f"host{n} A 192.0.2.{n % 250}" for n in range(zone.bulk)]
    return "\n".join(lines) + "\n"


def judge(question: Question, response: dns.message.Message) -> int | None:
    """The generation that an answer is of, ``None`` where it does not tell. Raises
    `WrongAnswerError` for one that is right in no generation, `ServerFailure` for SERVFAIL."""
    rcode = response.rcode()
    if rcode == dns.rcode.SERVFAIL:
        raise ServerFailure(f"SERVFAIL for {question.name} {question.rrtype}")
    found = _records(response)
    if not response.flags & dns.flags.AA:
        raise WrongAnswerError(_told(question, response, "not authoritative"))
    if question.label == "up":
        if not found or not set(found) <= {f"A {one}" for one in question.zone.targets}:
            raise WrongAnswerError(_told(question, response, "no target of the check"))
        return None
    generation = _generation(response)
    if generation is None:
        raise WrongAnswerError(_told(question, response, "tells no generation"))
    wanted, count, status = expected(question, generation)
    if rcode != status or len(found) != count or not set(found) <= wanted:
        raise WrongAnswerError(_told(question, response, f"wrong for generation {generation}"))
    return generation


class ServerFailure(Exception):
    """SERVFAIL."""


def expected(question: Question, generation: int) -> tuple[set[str], int, int]:
    """Records that may be in the answer, how many are, and the RCODE."""
    zone, label, rrtype = question.zone, question.label, question.rrtype
    high, low = generation >> 8 & 255, generation & 255
    host = [f"A 10.{high}.{low}.{n}" for n in (1, 2)]
    mark = f'TXT "g={generation}'
    match label, rrtype:
        case "", "SOA":
            return {f"SOA g{generation}"}, 1, dns.rcode.NOERROR
        case "", "TXT":
            return {f'{mark}"'}, 1, dns.rcode.NOERROR
        case "www", "A":
            return set(host), 1 if zone.lua else 2, dns.rcode.NOERROR
        case "hash", "A":
            return set(host), 1, dns.rcode.NOERROR
        case "alias", "A":
            return {*host, f"CNAME www.{zone.name}."}, 3, dns.rcode.NOERROR
        case "x.wild", "TXT":
            return {f'{mark}"'}, 1, dns.rcode.NOERROR
        case "who", "TXT":
            return {f'{mark} {CLIENT}"'}, 1, dns.rcode.NOERROR
        case "near", "TXT":
            return {f'{mark} {"de" if question.subnet else "other"}"'}, 1, dns.rcode.NOERROR
        case "code", "TXT":
            return {f'{mark} 210"'}, 1, dns.rcode.NOERROR
        case "www", "AAAA":
            return set(), 0, dns.rcode.NOERROR
        case _, "A" if label == f"p{generation % 2}":
            return {f"A 10.{high}.{low}.7"}, 1, dns.rcode.NOERROR
    return set(), 0, dns.rcode.NXDOMAIN


def serial(response: dns.message.Message) -> int | None:
    """The serial of the SOA record in an answer, wherever it stands."""
    for rrset in (*response.answer, *response.authority):
        if rrset.rdtype == dns.rdatatype.SOA:
            return int(rrset[0].serial)
    return None


_MARK: Final = re.compile(r'^TXT "g=(\d+)|^A 10\.(\d+)\.(\d+)\.|^SOA g(\d+)$')


def _generation(response: dns.message.Message) -> int | None:
    for one in (*_records(response), *_records(response, "authority")):
        if found := _MARK.match(one):
            text_mark, high, low, soa = found.groups()
            return int(text_mark or soa) if high is None else int(high) << 8 | int(low)
    return None


def _records(response: dns.message.Message, section: str = "answer") -> list[str]:
    found = []
    for rrset in getattr(response, section):
        if rrset.rdtype in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC):
            continue
        for rdata in rrset:
            if rrset.rdtype == dns.rdatatype.SOA:
                found.append(f"SOA {rdata.rname.labels[0].decode()}")
            else:
                found.append(f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}")
    return found


def _told(question: Question, response: dns.message.Message, what: str) -> str:
    sections: Sequence[str] = [*_records(response), "/", *_records(response, "authority")]
    status = dns.rcode.to_text(response.rcode())
    return f"{question.name} {question.rrtype}: {what}: {status} {' '.join(sections)}"
