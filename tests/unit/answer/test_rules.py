"""What surrounds a question: header, EDNS, cookies, classes, opcodes, meta types, TSIG."""

from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import pytest

from lzc.answer.settings import ResponderSettings
from lzc.wire import cookie
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey
from tests.unit.answering import CLIENT, HEAD, NOW, World, lines, rcode

SECRET = bytes(range(16))
TSIG_SECRET = b"0123456789abcdef0123456789abcdef"
KEY = TsigKey(from_text("transfer.example."), "hmac-sha256", TSIG_SECRET)

ORG = (
    HEAD
    + "$TTL 60\nwww A 192.0.2.1\nc CNAME www\n"
    + "".join(f'big TXT "{number:03} {"x" * 60}"\n' for number in range(40))
    + "".join(f"sub NS ns{number}.sub\nns{number}.sub A 192.0.2.1\n" for number in range(13))
    + "".join(
        f"sub NS a-long-name-for-a-server-{number}.elsewhere.example.\n" for number in range(9)
    )
    + "".join(f"@ MX {n} m{n}\nm{n} A 192.0.2.{n}\nm{n} AAAA 2001:db8::{n}\n" for n in range(1, 16))
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    settings = ResponderSettings(
        nsid=b"ns-1",
        server_id="ns-1.example",
        version="lzc",
        cookie_secret=SECRET,
        tcp_idle=2.5,
        tsig_keys={KEY.name: KEY},
    )
    return World(folder, {"example.org.": ORG}, settings=settings)


def option(code: int, data: bytes) -> dns.edns.Option:
    return dns.edns.GenericOption(dns.edns.OptionType.make(code), data)


def signed_at(query: dns.message.Message) -> float:
    """The time that a message's TSIG RR states."""
    assert query.tsig is not None
    return float(query.tsig[0].time_signed)


def raw(world: World, query: dns.message.Message, *, tcp: bool = False) -> dns.message.Message:
    response = world.send(query.to_wire(), tcp=tcp)
    assert response is not None
    return dns.message.from_wire(response.wire)


def test_the_id_and_the_case_of_the_question_are_kept(world: World) -> None:
    for name in ("wWw.ExAmPlE.oRg.", "nX.eXample.ORG.", "C.EXAMPLE.org.", "A.SUB.example.ORG."):
        query = dns.message.make_query(name, "A", use_edns=False)
        answer = raw(world, query)
        assert answer.id == query.id
        assert answer.question[0].name.to_text() == name
        for rrset in answer.answer[:1]:
            assert rrset.name.to_text() == name


@pytest.mark.parametrize("flag", [dns.flags.RD, dns.flags.CD])
@pytest.mark.parametrize("name", ["www", "c", "nx"])
def test_rd_and_cd_are_copied(world: World, name: str, flag: dns.flags.Flag) -> None:
    query = dns.message.make_query(f"{name}.example.org", "A")
    query.flags = flag
    assert raw(world, query).flags & ~15 == dns.flags.QR | dns.flags.AA | flag


@pytest.mark.parametrize("name", ["www", "c", "nx"])
def test_ad_ra_and_aa_of_a_query_are_not(world: World, name: str) -> None:
    query = dns.message.make_query(f"{name}.example.org", "A")
    query.flags = dns.flags.AD | dns.flags.RA | dns.flags.AA | dns.flags.TC
    assert raw(world, query).flags & ~15 == dns.flags.QR | dns.flags.AA


def test_a_response_gets_no_answer(world: World) -> None:
    query = dns.message.make_query("www.example.org", "A")
    query.flags |= dns.flags.QR
    assert world.send(query.to_wire()) is None


@pytest.mark.parametrize("size", range(12))
def test_less_than_a_header_gets_no_answer(world: World, size: int) -> None:
    assert world.send(bytes(size)) is None


@pytest.mark.parametrize(
    "opcode", [dns.opcode.IQUERY, dns.opcode.STATUS, dns.opcode.NOTIFY, dns.opcode.UPDATE, 9]
)
def test_other_opcodes_are_not_implemented(world: World, opcode: int) -> None:
    wire = bytearray(dns.message.make_query("example.org", "SOA").to_wire())
    wire[2] = opcode << 3
    response = world.send(bytes(wire))
    assert response is not None
    assert response.wire[3] & 15 == 4
    assert response.wire[2] >> 3 & 15 == opcode


def test_two_questions_are_a_format_error(world: World) -> None:
    wire = bytearray(dns.message.make_query("example.org", "SOA", use_edns=False).to_wire())
    wire[5] = 2
    response = world.send(bytes(wire) + wire[12:])
    assert response is not None
    assert response.wire[3] & 15 == 1


@pytest.mark.parametrize(
    ("qtype", "expected"),
    [
        (0, "FORMERR"),
        (41, "FORMERR"),
        (128, "FORMERR"),
        (250, "FORMERR"),
        (249, "NOTIMP"),
        (253, "NOTIMP"),
        (254, "NOTIMP"),
        (252, "FORMERR"),
    ],
)
def test_types_that_are_no_data(world: World, qtype: int, expected: str) -> None:
    assert rcode(world.ask("www.example.org", f"TYPE{qtype}")) == expected


def test_an_ixfr_over_udp_gets_the_soa(world: World) -> None:
    answer = world.ask("example.org", "IXFR")
    assert [rrset.rdtype.name for rrset in answer.answer] == ["SOA"]
    assert rcode(world.ask("www.example.org", "IXFR")) == "NOTAUTH"


@pytest.mark.parametrize("rdclass", ["HS", "NONE", "ANY", "CLASS77"])
def test_other_classes_are_refused(world: World, rdclass: str) -> None:
    assert rcode(world.ask("www.example.org", rdclass=rdclass)) == "REFUSED"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("version.bind", "lzc"),
        ("VERSION.server", "lzc"),
        ("id.server", "ns-1.example"),
        ("hostname.bind", "ns-1.example"),
    ],
)
def test_chaos_tells_who_answers(world: World, name: str, text: str) -> None:
    answer = world.ask(name, "TXT", rdclass="CH")
    assert answer.answer[0][0].to_text() == f'"{text}"'


def test_chaos_refuses_what_is_not_set(world: World, tmp_path: Path) -> None:
    assert rcode(world.ask("authors.bind", "TXT", rdclass="CH")) == "REFUSED"
    silent = World(
        tmp_path, {"example.org.": ORG}, settings=ResponderSettings(version="", server_id="")
    )
    for name in ("version.bind", "id.server"):
        assert rcode(silent.ask(name, "TXT", rdclass="CH")) == "REFUSED"


def test_without_edns_there_is_no_opt(world: World) -> None:
    for name in ("www", "c", "nx"):
        assert world.ask(f"{name}.example.org", with_edns=False).edns == -1


def test_with_edns_our_payload_size_is_told(world: World) -> None:
    for name in ("www", "c", "nx"):
        answer = world.ask(f"{name}.example.org", payload=4096)
        assert answer.edns == 0
        assert answer.payload == 1232


def test_an_unknown_edns_version_is_badvers(world: World) -> None:
    query = dns.message.make_query("www.example.org", "A", use_edns=1)
    answer = raw(world, query)
    assert rcode(answer) == "BADVERS"
    assert answer.edns == 0
    assert not answer.answer


def test_unknown_options_are_ignored(world: World) -> None:
    answer = world.ask("www.example.org", options=[option(65001, b"x")])
    assert rcode(answer) == "NOERROR"
    assert not answer.options


def test_nsid_is_told_when_asked_for(world: World) -> None:
    for name in ("www", "c", "nx"):
        answer = world.ask(f"{name}.example.org", options=[option(3, b"")])
        assert [found.to_wire() for found in answer.options] == [b"ns-1"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1\x18\x08\xcb\0\x71",
        b"\0\1\x21\0\xcb\0\x71\1\1",
        b"\0\3\x18\0\xcb\0\x71",
        b"\0\1\x18\0\xcb\0",
        b"\0\1\x17\0\xcb\0\x71",
        b"\0",
    ],
)
def test_a_malformed_client_subnet_is_a_format_error(world: World, data: bytes) -> None:
    answer = world.ask("www.example.org", options=[option(8, data)])
    assert rcode(answer) == "FORMERR"
    assert answer.edns == 0


def test_client_subnet_can_be_switched_off(tmp_path: Path) -> None:
    settings = ResponderSettings(edns_client_subnet=False)
    world = World(tmp_path, {"example.org.": ORG}, settings=settings)
    answer = world.ask("www.example.org", options=[dns.edns.ECSOption("203.0.113.0", 24)])
    assert not answer.options


def test_a_client_cookie_gets_a_server_cookie_that_is_good(world: World) -> None:
    client = b"8 octets"
    for name in ("www", "c", "nx"):
        answer = world.ask(f"{name}.example.org", options=[option(10, client)])
        given = answer.options[0].to_wire()
        assert given is not None
        assert given[:8] == client
        assert cookie.check(given, SECRET, CLIENT, NOW)
        again = world.ask(f"{name}.example.org", options=[option(10, given)])
        assert again.options[0].to_wire() == given


def test_a_bad_server_cookie_is_renewed_and_the_query_answered(world: World) -> None:
    stale = option(10, b"8 octets" + bytes(16))
    answer = world.ask("www.example.org", options=[stale])
    assert rcode(answer) == "NOERROR"
    assert answer.answer
    given = answer.options[0].to_wire()
    assert given is not None
    assert cookie.check(given, SECRET, CLIENT, NOW)


def test_a_cookie_alone_is_answered(world: World) -> None:
    query = dns.message.make_query("www.example.org", "A", options=[option(10, b"8 octets")])
    query.question = []
    answer = raw(world, query)
    assert rcode(answer) == "NOERROR"
    assert not answer.question
    assert answer.options[0].otype == 10


def test_an_answer_with_a_cookie_is_not_cacheable(world: World) -> None:
    for options, cacheable in (
        ([option(10, b"8 octets")], False),
        ([option(3, b"")], True),
        ([], True),
    ):
        for name in ("www.example.org", "c.example.org", "nx.example.org", "elsewhere.example"):
            query = dns.message.make_query(name, "A", options=options)
            response = world.send(query.to_wire())
            assert response is not None
            assert response.cacheable is cacheable


@pytest.mark.parametrize(("payload", "limit"), [(100, 512), (512, 512), (1000, 1000), (4096, 1232)])
@pytest.mark.parametrize(("name", "qtype"), [("big", "TXT"), ("x.sub", "A"), ("@", "MX")])
def test_udp_answers_keep_to_what_both_sides_allow(
    world: World, name: str, qtype: str, payload: int, limit: int
) -> None:
    qname = "example.org" if name == "@" else f"{name}.example.org"
    query = dns.message.make_query(qname, qtype, use_edns=0, payload=payload)
    response = world.send(query.to_wire())
    assert response is not None
    assert len(response.wire) <= limit


def test_what_does_not_fit_is_truncated_and_whole_over_tcp(world: World) -> None:
    answer = world.ask("big.example.org", "TXT")
    assert answer.flags & dns.flags.TC
    assert len(lines(world.ask("big.example.org", "TXT", tcp=True).answer)) == 40


def test_missing_glue_of_the_zone_itself_is_truncation(world: World) -> None:
    answer = world.ask("x.sub.example.org", with_edns=False)
    assert answer.flags & dns.flags.TC


def test_additional_addresses_are_left_out_without_truncation(world: World) -> None:
    answer = world.ask("example.org", "MX", with_edns=False)
    assert not answer.flags & dns.flags.TC
    assert len(lines(answer.answer)) == 15
    assert 0 < len(lines(answer.additional)) < 30


def signed_query(name: str, secret: bytes = TSIG_SECRET) -> dns.message.Message:
    query = dns.message.make_query(name, "SOA")
    key = dns.tsig.Key("transfer.example.", secret, "hmac-sha256")
    query.use_tsig({key.name: key})
    return query


def test_a_query_with_tsig_gets_a_signed_answer(world: World) -> None:
    for name in ("example.org", "www.example.org", "elsewhere.example"):
        query = signed_query(name)
        wire = query.to_wire()
        response = world.responder.respond(wire, CLIENT, signed_at(query), tcp=False)
        assert response is not None
        assert not response.cacheable
        answer = dns.message.from_wire(response.wire, keyring=query.keyring, request_mac=query.mac)
        assert answer.had_tsig


def test_a_bad_tsig_is_notauth(world: World) -> None:
    wire = signed_query("example.org", b"another secret, not ours").to_wire()
    response = world.responder.respond(wire, CLIENT, NOW, tcp=False)
    assert response is not None
    assert response.wire[3] & 15 == 9
    answer = dns.message.from_wire(response.wire, ignore_trailing=True, keyring=False)
    assert not answer.answer


def test_a_signed_answer_keeps_to_the_limit_too(world: World) -> None:
    query = dns.message.make_query("big.example.org", "TXT", use_edns=0, payload=1232)
    key = dns.tsig.Key("transfer.example.", TSIG_SECRET, "hmac-sha256")
    query.use_tsig({key.name: key})
    wire = query.to_wire()
    response = world.responder.respond(wire, CLIENT, signed_at(query), tcp=False)
    assert response is not None
    assert len(response.wire) <= 1232
    assert response.wire[2] & 2


KEEPALIVE = 11
ASKED = [
    ("www.example.org.", "A"),  # the fast lane
    ("example.org.", "MX"),  # any query
    ("nx.example.org.", "A"),
    ("elsewhere.example.", "A"),  # REFUSED
]


def keepalives(answer: dns.message.Message) -> list[bytes]:
    return [one.to_wire() or b"" for one in answer.options if one.otype == KEEPALIVE]


@pytest.mark.parametrize("asked", ASKED)
def test_who_asks_over_tcp_is_told_how_long_the_connection_may_be_idle(
    world: World, asked: tuple[str, str]
) -> None:
    """RFC 7828 §3.2.2, §3.3.2; the answer is the same otherwise."""
    with_it = dns.message.make_query(*asked, options=[option(KEEPALIVE, b"")], payload=1232)
    without = dns.message.make_query(*asked, use_edns=0, payload=1232)
    without.id = with_it.id
    told, plain = (raw(world, query, tcp=True) for query in (with_it, without))
    assert keepalives(told) == [b"\0\x19"]
    assert keepalives(plain) == []
    assert (told.rcode(), told.answer, told.authority) == (
        plain.rcode(),
        plain.answer,
        plain.authority,
    )
    no_edns = dns.message.make_query(*asked, use_edns=False)
    assert raw(world, no_edns, tcp=True).edns == -1


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("data", [b"", b"\0\x19"])
def test_over_udp_the_option_is_ignored(world: World, asked: tuple[str, str], data: bytes) -> None:
    """RFC 7828 §3.2.2."""
    query = dns.message.make_query(*asked, options=[option(KEEPALIVE, data)], payload=1232)
    plain = dns.message.make_query(*asked, use_edns=0, payload=1232)
    plain.id = query.id
    for each in (query, query):  # the second may come from a cache
        answer = world.send(each.to_wire())
        expected = world.send(plain.to_wire())
        assert answer is not None and expected is not None
        assert answer.wire == expected.wire


@pytest.mark.parametrize("asked", ASKED)
def test_a_query_over_tcp_that_states_a_time_is_malformed(
    world: World, asked: tuple[str, str]
) -> None:
    """RFC 7828 §3.2.1."""
    query = dns.message.make_query(*asked, options=[option(KEEPALIVE, b"\0\x19")])
    answer = raw(world, query, tcp=True)
    assert (rcode(answer), answer.answer, keepalives(answer)) == ("FORMERR", [], [])
    assert answer.edns == 0


def test_a_signed_one_is_told_so_signed(world: World) -> None:
    query = signed_query("example.org")
    query.use_edns(0, options=[option(KEEPALIVE, b"\0\x19")])
    wire = query.to_wire()
    response = world.responder.respond(wire, CLIENT, signed_at(query), tcp=True)
    assert response is not None
    answer = dns.message.from_wire(response.wire, keyring=query.keyring, request_mac=query.mac)
    assert (rcode(answer), answer.had_tsig) == ("FORMERR", True)
