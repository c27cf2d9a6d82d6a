"""``require-cookie``: what goes out over UDP to clients that have not proved their address."""

from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import pytest

from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings
from lzc.lua.plan import Planner
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer
from lzc.wire import cookie
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey
from tests.patience import PATIENCE
from tests.unit.answer.test_plan import NSID, Pair, opt_rr, query, subnet
from tests.unit.answering import CLIENT, NOW
from tests.unit.command_line import HEAD as ZONE_HEAD
from tests.unit.command_line import build_project, lzc
from tests.unit.live_server import LiveServer, Project
from tests.unit.lua_planning import World as Places

LIMIT = 200
SECRET = bytes(range(16))
MINE = b"clientck"
OTHER = bytes((198, 51, 100, 8))
KEY = TsigKey(from_text("transfer.example."), "hmac-sha256", b"0123456789abcdef0123456789abcdef")

NAMES = [
    *(("mixed", "A"), ("mixed", "TXT"), ("missing", "A"), ("a.missing", "ANY"), ("ns1", "AAAA")),
    *(("fixed", "A"), ("hashed", "A"), ("random", "A"), ("uneven", "TXT"), ("a.wild", "TXT")),
    *(("long", "TXT"), ("both", "A"), ("alias", "A"), ("x.named", "A"), ("odd.fwd", "A")),
    *(("mixed", "ANY"), ("mixed", "IXFR"), ("mixed", "AXFR"), ("mixed", "RRSIG"), ("fixed", "LUA")),
]
"""Static and signed, denials, plans with one outcome and with many, code that runs, and what the
fast lane leaves to the others."""


class Limited:
    """A bundle answered with the limit and without."""

    def __init__(self, pair: Pair, limit: int = LIMIT) -> None:
        self.free, self.limited = (self._responder(pair, each) for each in (0, limit))

    def _responder(self, pair: Pair, limit: int) -> Responder:
        settings = ResponderSettings(
            nsid=b"ns-1", cookie_secret=SECRET, require_cookie=limit, tsig_keys={KEY.name: KEY}
        )
        signers = {apex: ZoneSigner(keys, SignatureCache()) for apex, keys in pair.keys.items()}
        engine = Engine(EngineSettings(time_limit=0), Places(), pair.health, 3)
        planner = Planner(Places(), pair.health, random.Random(4).random)
        return Responder(pair.bundle, settings, signers, engine, None, planner)

    def both(
        self, asked: bytes, *, tcp: bool = False, client: bytes = CLIENT
    ) -> tuple[bytes, bytes]:
        """The answers without the limit and with it."""
        free = self.free.respond(asked, client, NOW, tcp=tcp)
        limited = self.limited.respond(asked, client, NOW, tcp=tcp)
        assert free is not None and limited is not None
        return free.wire, limited.wire


@pytest.fixture(scope="module", params=[False, True], ids=["unsigned", "signed"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("limited"), request.param)


@pytest.fixture(scope="module")
def world(pair: Pair) -> Limited:
    return Limited(pair)


def cookie_option(data: bytes) -> bytes:
    return b"\0\x0a" + len(data).to_bytes(2, "big") + data


def good_cookie(address: bytes = CLIENT, made: float = NOW, secret: bytes = SECRET) -> bytes:
    return MINE + cookie.make(MINE, secret, address, made)


WITHOUT = {
    "no EDNS": None,
    "EDNS": opt_rr(),
    "DNSSEC": opt_rr(dnssec=True),
    "a large buffer": opt_rr(size=4096, dnssec=True),
    "NSID": opt_rr(NSID, dnssec=True),
    "a client subnet": opt_rr(subnet(CLIENT, 24), dnssec=True),
}
BAD = {
    "a client cookie alone": MINE,
    "a server cookie of chance": MINE + b"0123456789abcdef",
    "a server cookie of zeros": MINE + bytes(16),
    "one of another client": good_cookie(OTHER),
    "one of another secret": good_cookie(secret=bytes(16)),
    "one that is over": good_cookie(made=NOW - 3601),
    "one from the future": good_cookie(made=NOW + 301),
    "one of another client cookie": b"Clientck" + good_cookie()[8:],
    "a short one": good_cookie()[:16],
    "a long one": good_cookie() + b"12345678",
}
GOOD = {
    "a fresh one": good_cookie(),
    "an old one": good_cookie(made=NOW - 3600),
    "one of a server whose clock is ahead": good_cookie(made=NOW + 300),
}


def holds_records(wire: bytes) -> bool:
    return any(wire[6:10])


@pytest.mark.parametrize("opt", WITHOUT.values(), ids=WITHOUT)
@pytest.mark.parametrize(("name", "qtype"), NAMES)
def test_who_sends_no_cookie_is_told_to_come_over_tcp(
    world: Limited, name: str, qtype: str, opt: bytes | None
) -> None:
    asked = query(name, qtype, 7, opt)
    for _ in range(5):
        free, limited = world.both(asked)
        if name in ("random", "uneven"):  # each draws for itself
            assert len(limited) <= LIMIT or not holds_records(limited)
            continue
        if len(free) <= LIMIT or not holds_records(free):
            assert limited == free
            continue
        answer = dns.message.from_wire(limited)
        assert answer.flags & dns.flags.TC
        assert not (answer.answer or answer.authority or answer.additional)
        assert answer.question == dns.message.from_wire(free).question
        assert (answer.edns >= 0) == (opt is not None)
        assert answer.rcode() == dns.message.from_wire(free).rcode()
        assert answer.flags & ~dns.flags.TC == dns.message.from_wire(free).flags & ~dns.flags.TC


@pytest.mark.parametrize("sent", BAD.values(), ids=BAD)
@pytest.mark.parametrize(("name", "qtype"), NAMES)
def test_who_sends_a_cookie_that_is_not_good_gets_badcookie_with_one_that_is(
    world: Limited, name: str, qtype: str, sent: bytes
) -> None:
    free, limited = world.both(query(name, qtype, 7, opt_rr(cookie_option(sent), dnssec=True)))
    if name in ("random", "uneven") or len(free) <= LIMIT or not holds_records(free):
        assert len(limited) <= LIMIT or not holds_records(limited)
        return
    answer = dns.message.from_wire(limited)
    assert answer.rcode() == dns.rcode.BADCOOKIE
    assert answer.id == 7
    assert not answer.flags & (dns.flags.TC | dns.flags.AA | dns.flags.AD)
    assert not (answer.answer or answer.authority or answer.additional)
    assert answer.question == dns.message.from_wire(free).question
    (given,) = [option.to_wire() for option in answer.options if option.otype == 10]
    assert given is not None and given[:8] == sent[:8]
    assert cookie.check(given, SECRET, CLIENT, NOW)
    again = world.both(query(name, qtype, 8, opt_rr(cookie_option(given), dnssec=True)))
    assert again[0] == again[1]
    assert len(again[1]) > LIMIT


@pytest.mark.parametrize("sent", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize(("name", "qtype"), NAMES)
def test_who_sends_a_good_cookie_gets_the_answer(
    world: Limited, name: str, qtype: str, sent: bytes
) -> None:
    if name not in ("random", "uneven"):
        asked = query(name, qtype, 7, opt_rr(cookie_option(sent), dnssec=True))
        free, limited = world.both(asked)
        assert limited == free


@pytest.mark.parametrize("opt", [*WITHOUT.values(), opt_rr(cookie_option(MINE + bytes(16)))])
@pytest.mark.parametrize(("name", "qtype"), NAMES)
def test_tcp_is_never_limited(world: Limited, name: str, qtype: str, opt: bytes | None) -> None:
    free, limited = world.both(query(name, qtype, 7, opt), tcp=True)
    assert limited == free or name in ("random", "uneven")


def test_a_query_signed_with_tsig_is_answered(world: Limited) -> None:
    asked = dns.message.make_query("example.org", "ANY", want_dnssec=True)
    asked.use_tsig({dns.name.from_text("transfer.example."): KEY.secret}, algorithm="hmac-sha256")
    wire = asked.to_wire()
    assert asked.tsig is not None
    now = float(asked.tsig[0].time_signed)
    answer = world.limited.respond(wire, CLIENT, now, tcp=False)
    assert answer is not None
    assert holds_records(answer.wire)


@pytest.mark.parametrize("limit", [1, 12, 60, 512, 4096])
def test_an_answer_without_records_goes_out_whatever_the_limit(pair: Pair, limit: int) -> None:
    world = Limited(pair, limit)
    for asked in (
        query("mixed", "NS", 1).replace(b"example", b"nowhere"),  # REFUSED
        query("mixed", "A", 1, opt_rr(cookie_option(MINE))).replace(b"\x03org", b"\x03net"),
        b"\0\1\0\0\0\0\0\0\0\0\0\1" + opt_rr(cookie_option(MINE)),  # for a cookie alone
        query("mixed", "A", 1, opt_rr().replace(bytes(4), b"\0\1\0\0", 1)),  # BADVERS
    ):
        free, limited = world.both(asked)
        assert limited == free


def test_small_outcomes_of_a_choice_come_no_more_often(world: Limited) -> None:
    asked = query("uneven", "TXT", 0, opt_rr())
    first = world.limited.respond(asked, CLIENT, NOW, tcp=False)
    assert first is not None and not isinstance(first.cacheable, bool)
    made = [first.cacheable.choose(CLIENT, NOW) for _ in range(2000)]
    assert all(len(wire) + 2 <= LIMIT for wire in made)
    seen = Counter(bool(wire[0] & 2) for wire in made)
    assert seen.total() == 2000
    assert 850 < seen[True] < 1150


class Server:
    """The UDP loop of a responder on the loopback, and clients of several addresses."""

    def __init__(self, responder: Responder, kind: type[SingleReader | BatchReader]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.udp = UdpServer(responder, lambda now: 1e12, 1000, ErrorLog())
        self.read = kind(self.udp, self.socket, b"\x7f\0\0\1")

    def ask(self, asked: bytes, source: str = "127.0.0.1") -> dns.message.Message:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((source, 0))
            client.settimeout(PATIENCE)
            client.connect(self.socket.getsockname())
            client.send(asked)
            self.read()
            return dns.message.from_wire(client.recv(4096))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Limited:
    return Limited(Pair(tmp_path_factory.mktemp("signed"), signed=True))


@pytest.fixture(params=[SingleReader, BatchReader])
def server(request: pytest.FixtureRequest, signed: Limited) -> Iterator[Server]:
    made = Server(signed.limited, request.param)
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    ("name", "qtype"), [("mixed", "TXT"), ("missing", "A"), ("fixed", "A"), ("both", "ANY")]
)
def test_no_client_gets_what_the_cookie_of_another_was_good_for(
    server: Server, name: str, qtype: str
) -> None:
    """The same octets from another address: what was answered before must not come from a cache."""
    learnt = server.ask(query(name, qtype, 1, opt_rr(cookie_option(MINE), dnssec=True)))
    assert learnt.rcode() == dns.rcode.BADCOOKIE
    given = learnt.options[0].to_wire()
    assert given is not None
    mine = query(name, qtype, 1, opt_rr(cookie_option(given), dnssec=True))
    for _ in range(5):
        whole = server.ask(mine)
        assert whole.rcode() != dns.rcode.BADCOOKIE and (whole.answer or whole.authority)
        stolen = server.ask(mine, "127.0.0.2")
        assert stolen.rcode() == dns.rcode.BADCOOKIE
        assert not stolen.answer and not stolen.authority


@pytest.mark.parametrize(
    ("name", "qtype"),
    [("long", "TXT"), ("uneven", "TXT"), ("missing", "A"), ("hashed", "A"), ("mixed", "ANY")],
)
def test_what_comes_from_the_cache_is_limited_too(server: Server, name: str, qtype: str) -> None:
    good = good_cookie(socket.inet_aton("127.0.0.1"), time.time())
    with_cookie = query(name, qtype, 1, opt_rr(cookie_option(good), dnssec=True))
    for _ in range(20):
        assert server.ask(with_cookie).rcode() != dns.rcode.BADCOOKIE
        for source in ("127.0.0.1", "127.0.0.2"):
            answer = server.ask(query(name, qtype, 1, opt_rr(dnssec=True)), source)
            assert len(answer.to_wire()) <= LIMIT + 30 or not holds_records(answer.to_wire())
            assert not (answer.flags & dns.flags.TC and answer.answer)


def test_without_the_setting_every_client_gets_every_answer(world: Limited) -> None:
    for opt in (*WITHOUT.values(), *(opt_rr(cookie_option(each)) for each in BAD.values())):
        answer = world.free.respond(query("mixed", "A", 1, opt), CLIENT, NOW, tcp=False)
        assert answer is not None
        assert dns.message.from_wire(answer.wire).answer


def test_a_server_that_is_told_to(tmp_path: Path) -> None:
    project = Project(tmp_path, "[serve]\nrequire-cookie = 100\n")
    project.build({"example.org": f'small TXT "s"\nbig TXT "{"b" * 200}"\n'})
    with LiveServer(project) as live:
        assert live.answers("small.example.org", "TXT")
        for _ in range(4):
            assert live.ask("big.example.org", "TXT").flags & dns.flags.TC
        assert live.answers("big.example.org", "TXT", tcp=True)
        option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, MINE)
        refused = live.ask("big.example.org", "TXT", options=[option])
        assert refused.rcode() == dns.rcode.BADCOOKIE
        assert live.ask("big.example.org", "TXT", options=refused.options).answer


def test_lzc_query_asks_over_tcp_as_a_client_without_cookies_does(tmp_path: Path) -> None:
    build_project(tmp_path, {"example.net": ZONE_HEAD})
    config = tmp_path / "lzc.toml"
    config.write_text(config.read_text() + "[serve]\nrequire-cookie = 100\n")
    for arguments, transport in (([], "udp"), (["--dnssec"], "tcp")):
        result = lzc(tmp_path, "query", "www.example.net", "A", "--format", "json", *arguments)
        shown = json.loads(result.stdout)
        assert (shown["transport"], shown["status"]) == (transport, "NOERROR")
        assert shown["answer"]
