"""Whole answers from plans: octet for octet those that running the records gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lzc.answer.planned import Choice
from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.bundle import current, writer
from lzc.bundle.reader import Bundle
from lzc.bundle.zone_info import ZoneKey
from lzc.compiler.lua.plans import plan_zone
from lzc.compiler.lua.programs import Programs
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.cache import WEEK, SignatureCache
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.image.compile import compile_zone
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings
from lzc.lua.plan import Planner, encode, plan_key
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype
from lzc.wire.name import from_text
from tests.unit.answering import HEAD, NOW
from tests.unit.lua_planning import World as Places
from tests.unit.lua_planning import chi_square, clients
from tests.unit.lua_running import Health
from tests.unit.zone_text import read_zone_text

FOUR = "{'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'}"
STRICT = "{selector='hashed',backupSelector='hashed',failOnIncompleteCheck='true'}"
LONG = "','".join(f"{number:02}{'x' * 200}" for number in range(8))
ZONE = f"""\
{HEAD}
fixed 60 LUA A "{{'192.0.2.2','192.0.2.1'}}"
hashed 60 LUA A "pickhashed({FOUR})"
hashed 60 LUA AAAA "pickhashed({{'2001:db8::1','2001:db8::2'}})"
up 60 LUA A "ifportup(443,{FOUR},{{selector='hashed',backupSelector='empty'}})"
place 60 LUA A ";if country({{'US','DE'}}) then return {FOUR} else return {{}} end"
view 60 LUA A "view({{{{{{'0.0.0.0/1','::/2'}},{{'192.0.2.1'}}}}}})"
alias 60 LUA CNAME "pickhashed({{'hashed.example.org.','target.example.net.'}})"
both 60 LUA A "pickhashed({FOUR})"
both 60 LUA A "'192.0.2.9'"
mixed 60 A 192.0.2.77
*.wild 60 LUA TXT "pickhashed({{'one','two'}})"
long 60 LUA TXT "all({{'{LONG}'}})"
random 60 LUA A "pickrandom({FOUR})"
weighted 60 LUA A "pickwrandom({{{{1,'192.0.2.1'}},{{9,'192.0.2.2'}}}})"
sample 60 LUA A "pickrandomsample(2,{FOUR})"
uneven 60 LUA TXT "pickrandom({{'short','{"x" * 250}'}})"
*.named 60 LUA A "picknamehashed({{{{1,'192.0.2.1'}},{{2,'192.0.2.2'}},{{3,'192.0.2.3'}}}})"
*.fwd 60 LUA A "createForward()"
*.rev 60 LUA PTR "createReverse('%5%.h.example.')"
*.magic 60 LUA A "closestMagic()"
code 60 LUA TXT "countryCode()..' '..continentCode()"
codes 60 LUA CNAME "continentCode()..'.fwd.example.org.'"
weights 60 LUA A "pickselfweighted('http://w/',{FOUR},{{backupSelector='hashed'}})"
extern 60 LUA A "ifurlextup({{{{['192.0.2.1']='http://a/',['192.0.2.2']='http://b/'}}}},{STRICT})"
strict 60 LUA A "ifportup(443,{FOUR},{STRICT})"
conf 60 LUA LUA "ips={FOUR}"
incl 60 LUA A ";include('conf') if not country('US') then return pickhashed(ips) end return ips"
"""

ORIGIN = "example.org"
DETERMINISTIC = [
    ("fixed", "A"),
    ("Hashed", "A"),
    ("hashed", "AAAA"),
    ("hashed", "MX"),
    ("hashed", "ANY"),
    ("up", "A"),
    ("place", "A"),
    ("view", "A"),
    ("alias", "A"),
    ("alias", "CNAME"),
    ("both", "A"),
    ("mixed", "A"),
    ("a.wild", "TXT"),
    ("long", "TXT"),
    ("missing", "A"),
    ("Host.named", "A"),
    ("x.y.named", "A"),
    ("ip-192-0-2-9.fwd", "A"),
    ("odd.fwd", "A"),
    ("1.2.3.10.rev", "PTR"),
    ("a.b.C.d.rev", "PTR"),
    ("192-0-2-1.9-0-0-1.90-0-0-1.magic", "A"),
    ("none.magic", "A"),
    ("code", "TXT"),
    ("codes", "A"),
    ("weights", "A"),
    ("extern", "A"),
    ("strict", "A"),
    ("incl", "A"),
]
CHECKED = ("up", "weights", "extern", "strict")
"""Those that look at health; others are asked in fewer states of it."""
HEALTH: list[dict[str, Any]] = [
    {},
    {"192.0.2.1": False, "192.0.2.3": False, "http://a/": False},
    {f"192.0.2.{number}": False for number in range(5)},
    {f"192.0.2.{number}": None for number in range(5)} | {"http://a/": None, "http://b/": None},
    {"192.0.2.1": None, "192.0.2.2": None, "192.0.2.3": None, "192.0.2.4": False},
]


class Pair:
    """One bundle with its plans, and without."""

    def __init__(self, folder: Path, signed: bool) -> None:
        apex = from_text(f"{ORIGIN}.")
        zone, faults = read_zone_text(ZONE.encode(), apex, "zone")
        assert not faults
        zone.records.sort()
        keys = [SigningKey.make(apex, 15, 257, algorithms.generate(15))] if signed else []
        public = [ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey) for key in keys]
        draft = compile_zone(zone, 0, signed=signed, lua=True, keys=public, blanks=True)
        self.plans = plan_zone(Programs(zone, insert_whitespace=True)).plans
        compiled = replace(draft.finish(draft.info.serial), plans=self.plans)
        with current.locked(folder):
            identity = writer.write(folder, [compiled], [], version="test", inputs={})
        self.bundle = Bundle.open(folder / identity)
        self.health = Health(True)
        self.keys = {apex: keys} if signed else {}
        signers = {apex: ZoneSigner(keys, SignatureCache())} if signed else {}
        settings = ResponderSettings(cookie_secret=bytes(16))
        engine = Engine(EngineSettings(), Places(), self.health, 3)
        self.run = Responder(self.bundle, settings, signers, engine)
        planner = Planner(Places(), self.health, random.Random(4).random)
        self.planned = Responder(self.bundle, settings, signers, engine, None, planner)


@pytest.fixture(scope="module", params=[False, True], ids=["unsigned", "signed"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("plans"), request.param)


def query(
    name: str, qtype: str, ident: int = 0, opt: bytes | None = None, flags: int = 0x0100
) -> bytes:
    """``opt`` is an OPT RR, if there is to be one."""
    head = b"".join(value.to_bytes(2, "big") for value in (ident, flags, 1, 0, 0, opt is not None))
    labels = [*name.split("."), *ORIGIN.split("."), ""]
    qname = b"".join(bytes((len(label),)) + label.encode() for label in labels)
    return head + qname + rrtype.from_text(qtype).to_bytes(2, "big") + b"\0\1" + (opt or b"")


def opt_rr(*options: bytes, size: int = 1232, dnssec: bool = False) -> bytes:
    data = b"".join(options)
    flags = b"\0\0\x80\0" if dnssec else bytes(4)
    return b"\0\0\x29" + size.to_bytes(2, "big") + flags + len(data).to_bytes(2, "big") + data


def subnet(network: bytes, bits: int) -> bytes:
    family = 1 if len(network) == 4 else 2
    octets = -(-bits // 8)
    number = int.from_bytes(network, "big") >> len(network) * 8 - bits << len(network) * 8 - bits
    data = (
        family.to_bytes(2, "big") + bytes((bits, 0)) + number.to_bytes(len(network), "big")[:octets]
    )
    return b"\0\x08" + len(data).to_bytes(2, "big") + data


COOKIE = b"\0\x0a\0\x08" + b"clientck"
NSID = b"\0\x03\0\0"


def queries(name: str, qtype: str) -> Iterator[bytes]:
    """As clients ask: without and with EDNS, DNSSEC, small buffers, cookies, ECS of each length."""
    yield query(name, qtype)
    for dnssec in (False, True):
        for size in (512, 1232, 4096):
            yield query(name, qtype, 7, opt_rr(size=size, dnssec=dnssec), flags=0)
        yield query(name, qtype, 8, opt_rr(COOKIE, dnssec=dnssec))
        yield query(name, qtype, 8, opt_rr(NSID, dnssec=dnssec))
        for number, address in enumerate(clients(260, seed=9)):
            bits = number // 2 % (len(address) * 8 + 1)
            # Every other length with DNSSEC, and those between without.
            if bits % 2 != dnssec:
                continue
            yield query(name, qtype, 9, opt_rr(subnet(address, bits), dnssec=dnssec))


@pytest.mark.parametrize(("name", "qtype"), DETERMINISTIC)
def test_every_client_gets_the_same_octets(pair: Pair, name: str, qtype: str) -> None:
    asking = clients(31)
    wires = list(queries(name, qtype))
    for state, states in enumerate(HEALTH if name in CHECKED else HEALTH[:2]):
        pair.health.states = states
        pair.health.weights = {"192.0.2.1": state, "192.0.2.4": 3}
        pair.health.changes += 1
        for number, wire in enumerate(wires):
            who = asking[number % len(asking)]
            # What the transport changes does not depend on health.
            for tcp in (False, True)[: 2 if state < 2 else 1]:
                expected = pair.run.respond(wire, who, NOW, tcp=tcp)
                found = pair.planned.respond(wire, who, NOW, tcp=tcp)
                assert expected is not None and found is not None
                assert found.wire == expected.wire
    pair.health.states = {}
    pair.health.changes += 1


@pytest.mark.parametrize(("name", "qtype"), DETERMINISTIC)
def test_a_choice_gives_every_other_client_its_answer(pair: Pair, name: str, qtype: str) -> None:
    choices = 0
    for wire in (query(name, qtype), query(name, qtype, 0, opt_rr(dnssec=True))):
        first = pair.planned.respond(wire, clients(1)[0], NOW, tcp=False)
        assert first is not None
        if not isinstance(first.cacheable, Choice):
            continue
        choices += 1
        for who in clients(1000):
            expected = pair.run.respond(wire, who, NOW, tcp=False)
            assert expected is not None
            # Nothing: such an answer takes more than to choose, and is made as the first was.
            assert first.cacheable.choose(who, NOW) in (expected.wire[2:], b"")
    assert (
        choices
        or name not in ("hashed", "Hashed", "up", "weights", "incl")
        or qtype not in ("A", "AAAA")
    )


def test_with_a_client_subnet_a_choice_does_not_depend_on_the_client(pair: Pair) -> None:
    wire = query("hashed", "A", 0, opt_rr(subnet(bytes((198, 51, 100, 0)), 24)))
    first = pair.planned.respond(wire, bytes(4), NOW, tcp=False)
    assert first is not None and isinstance(first.cacheable, Choice)
    assert {first.cacheable.choose(who, NOW) for who in clients(200)} == {first.wire[2:]}


def test_one_outcome_for_all_is_cacheable_as_it_is(pair: Pair) -> None:
    for name, qtype, opt in (
        ("fixed", "A", opt_rr(dnssec=True)),
        ("fixed", "A", None),
        ("a.named", "A", None),
        ("ip-1-2-3-4.fwd", "A", opt_rr()),
        ("1.2.3.10.rev", "PTR", None),
    ):
        found = pair.planned.respond(query(name, qtype, 0, opt), bytes(4), NOW, tcp=False)
        assert found is not None and found.cacheable is True


def test_over_tcp_there_are_no_choices(pair: Pair) -> None:
    for name, fixed in (("fixed", True), ("hashed", False), ("random", False)):
        found = pair.planned.respond(query(name, "A"), bytes(4), NOW, tcp=True)
        assert found is not None and found.cacheable is fixed


def test_what_was_left_to_lua_is_not_kept(pair: Pair) -> None:
    for name, qtype in (("odd.fwd", "A"), ("a.b.C.d.rev", "PTR"), ("none.magic", "A")):
        found = pair.planned.respond(query(name, qtype), bytes(4), NOW, tcp=False)
        assert found is not None and found.cacheable is False


def test_a_choice_with_contents_of_its_own_takes_room(pair: Pair) -> None:
    for name, qtype in (("code", "TXT"), ("192-0-2-1.9-0-0-1.magic", "A")):
        found = pair.planned.respond(query(name, qtype), bytes(4), NOW, tcp=False)
        assert found is not None and isinstance(found.cacheable, Choice)
        assert found.cacheable.octets > len(found.wire)


@pytest.mark.parametrize(
    ("name", "opt"), [("hashed", opt_rr(COOKIE)), ("random", opt_rr(COOKIE, dnssec=True))]
)
def test_no_choice_where_the_answer_is_made_for_one_client(
    pair: Pair, name: str, opt: bytes
) -> None:
    found = pair.planned.respond(query(name, "A", 0, opt), bytes(4), NOW, tcp=False)
    assert found is not None and found.cacheable is False


@pytest.mark.parametrize(
    ("name", "qtype", "opt"),
    [
        ("random", "A", None),
        ("random", "A", opt_rr(dnssec=True)),
        ("weighted", "A", opt_rr(subnet(bytes(4), 0))),
        ("sample", "A", opt_rr(dnssec=True)),
        ("uneven", "TXT", None),
        ("uneven", "TXT", opt_rr(size=512, dnssec=True)),
        ("uneven", "TXT", opt_rr(dnssec=True)),
    ],
)
def test_random_answers_come_as_often(pair: Pair, name: str, qtype: str, opt: bytes | None) -> None:
    wire = query(name, qtype, 0, opt)
    who = bytes((192, 0, 2, 1))
    run: Counter[tuple[bytes, ...] | None] = Counter()
    planned: Counter[tuple[bytes, ...] | None] = Counter()
    chosen: Counter[tuple[bytes, ...] | None] = Counter()
    choice: Choice | None = None
    for _ in range(3000):
        expected = pair.run.respond(wire, who, NOW, tcp=False)
        found = pair.planned.respond(wire, who, NOW, tcp=False)
        assert expected is not None and found is not None
        run[(expected.wire[2:],)] += 1
        planned[(found.wire[2:],)] += 1
        if isinstance(found.cacheable, Choice):
            choice = choice or found.cacheable
            answer = choice.choose(who, NOW)
            if answer:
                chosen[(answer,)] += 1
    assert planned.keys() == run.keys()
    assert chi_square(planned, run) < 5
    if choice is not None:
        assert chosen.total() == 3000
        assert chi_square(chosen, run) < 5


def test_a_choice_signs_anew_in_a_new_window(pair: Pair) -> None:
    wire = query("hashed", "A", 0, opt_rr(dnssec=True))
    for now in (NOW, NOW + WEEK):
        first = pair.planned.respond(wire, bytes(4), now, tcp=False)
        assert first is not None and isinstance(first.cacheable, Choice)
        for who in clients(50):
            expected = pair.run.respond(wire, who, now, tcp=False)
            assert expected is not None
            assert first.cacheable.choose(who, now) == expected.wire[2:]


def test_several_records_of_one_type_have_no_plan(pair: Pair) -> None:
    assert plan_key(f"pickhashed({FOUR}) ".encode(), rrtype.A, b"", LATEST, 0) in pair.plans
    assert plan_key(b"'192.0.2.9' ", rrtype.A, b"", LATEST, 0) not in pair.plans


@pytest.mark.parametrize("damaged", [b"{}", encode(rrtype.TXT, [b"\1a"], ["fixed", [0]])])
def test_a_damaged_plan_is_servfail(tmp_path: Path, damaged: bytes) -> None:
    pair = Pair(tmp_path, False)
    broken = Planner(None, Health(), random.Random(1).random)
    bundle = pair.bundle

    class Damaged:
        def __getattr__(self, name: str) -> object:
            return (lambda key: damaged) if name == "plan" else getattr(bundle, name)

    engine = Engine(EngineSettings(), None, Health(), 1)
    said: list[Exception] = []
    responder = Responder(
        Damaged(),  # type: ignore[arg-type]
        ResponderSettings(),
        {},
        engine,
        lambda _, error: said.append(error),
        broken,
    )
    found = responder.respond(query("hashed", "A"), bytes(4), NOW, tcp=False)
    assert found is not None
    assert found.wire[3] & 15 == 2
    assert "plan" in str(said[0])
