"""Reading messages: well-formed queries, malformed ones, and any octets at all."""

import struct

import dns.edns
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lzc.wire import edns, message, name
from lzc.wire import rrtype as rr
from lzc.wire.message import FormatError, parse_message, parse_query

QNAME = name.from_text("wWw.Example.org.")
QUESTION = QNAME + b"\x00\x01\x00\x01"
PLAIN_OPT = edns.build(1232, flags=edns.DO)
TSIG_RR = b"\x00\x00\xfa\x00\xff" + bytes(4) + b"\x00\x00"
SOA_RR = b"\xc0\x0c\x00\x06\x00\x01" + bytes(4) + b"\x00\x16" + bytes(22)


def query(
    question: bytes = QUESTION,
    rest: bytes = b"",
    *,
    flags: int = message.RD,
    counts: tuple[int, int, int, int] = (1, 0, 0, 0),
) -> bytes:
    return struct.pack(">6H", 0x1234, flags, *counts) + question + rest


def refused(msg: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_query(msg)
    return caught.value


def test_a_plain_query() -> None:
    read = parse_query(query())
    assert (read.id, read.flags, read.opcode) == (0x1234, message.RD, message.QUERY)
    assert (read.qname, read.qname_lower) == (QNAME, QNAME.lower())
    assert (read.qtype, read.qclass) == (rr.A, message.IN)
    assert (read.question, read.edns, read.tsig) == (QUESTION, None, 0)


def test_a_query_with_plain_edns() -> None:
    read = parse_query(query(rest=PLAIN_OPT, counts=(1, 0, 0, 1)))
    assert read.edns == edns.Edns(0, 1232, edns.DO, 0)


def test_a_query_with_options() -> None:
    opt = edns.build(512, options=[edns.option(edns.NSID, b""), edns.option(10, b"12345678")])
    read = parse_query(query(rest=opt, counts=(1, 0, 0, 1)))
    assert read.edns is not None
    assert (read.edns.nsid, read.edns.cookie) == (True, b"12345678")
    assert read.question == QUESTION


def test_a_query_for_the_root() -> None:
    assert parse_query(query(b"\x00\x00\x02\x00\x01")).qname == name.ROOT


def test_a_query_of_the_longest_name() -> None:
    longest = name.from_labels([b"a" * 63] * 3 + [b"b" * 61])
    assert len(longest) == 255
    assert parse_query(query(longest + b"\0\1\0\1")).qname == longest


def test_a_query_with_tsig_tells_its_offset() -> None:
    msg = query(rest=PLAIN_OPT + TSIG_RR, counts=(1, 0, 0, 2))
    read = parse_query(msg)
    assert msg[read.tsig :] == TSIG_RR
    assert read.edns is not None


def test_ixfr_and_notify_bring_records() -> None:
    ixfr = parse_query(query(rest=SOA_RR, counts=(1, 0, 1, 0)))
    assert (ixfr.answers, ixfr.authorities) == (0, 1)
    notify = parse_query(query(rest=SOA_RR, flags=message.NOTIFY << 11, counts=(1, 1, 0, 0)))
    assert (notify.opcode, notify.answers, notify.qname) == (message.NOTIFY, 1, QNAME)


def test_a_cookie_may_come_without_a_question() -> None:
    opt = edns.build(1232, options=[edns.option(edns.COOKIE, b"12345678")])
    read = parse_query(query(b"", opt, counts=(0, 0, 0, 1)))
    assert (read.qname, read.question, read.question_end) == (b"", b"", 12)
    assert read.edns is not None
    assert read.edns.cookie == b"12345678"


@pytest.mark.parametrize("opcode", [1, 2, 3, 5, 6, 15])
@pytest.mark.parametrize("rest", [b"", b"\x00garbage"])
def test_other_opcodes_are_told_whatever_follows(opcode: int, rest: bytes) -> None:
    read = parse_query(query(b"", rest, flags=opcode << 11, counts=(0, 0, 0, 0)))
    assert (read.opcode, read.question) == (opcode, b"")
    read = parse_query(query(flags=opcode << 11))
    assert (read.opcode, read.question) == (opcode, QUESTION)


@pytest.mark.parametrize("msg", [b"", query()[:11], query(flags=message.QR), query()[:2] + b"\x80"])
def test_less_than_a_header_and_responses_get_silence(msg: bytes) -> None:
    assert refused(msg).reply() is None


@pytest.mark.parametrize(
    "msg",
    [
        query(b"", counts=(0, 0, 0, 0)),
        query(b"", PLAIN_OPT, counts=(0, 0, 0, 1)),
        query(QUESTION * 2, counts=(2, 0, 0, 0)),
        query(QUESTION[:-1]),
        query(QUESTION[:5]),
        query(b"\xc0\x0c\x00\x01\x00\x01"),
        query(b"\x03www\xc0\x0c\x00\x01\x00\x01"),
        query(b"\x41" + b"a" * 65 + b"\x00\x00\x01\x00\x01"),
        query(name.from_labels([b"a" * 63] * 4) + b"\0\1\0\1"),
        query(counts=(65535, 65535, 65535, 65535)),
    ],
)
def test_without_a_readable_question_formerr_has_none(msg: bytes) -> None:
    reply = refused(msg).reply()
    assert reply is not None
    assert reply[:4] == b"\x12\x34\x81\x01"
    assert reply[4:6] == b"\x00\x00"
    assert dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize(
    ("rest", "counts", "with_opt"),
    [
        (b"\x00", (1, 0, 0, 0), False),
        (PLAIN_OPT, (1, 0, 0, 0), False),
        (PLAIN_OPT + b"\x00", (1, 0, 0, 1), True),
        (b"", (1, 0, 0, 1), False),
        (PLAIN_OPT * 2, (1, 0, 0, 2), True),
        (PLAIN_OPT, (1, 1, 0, 0), True),
        (b"\x01a" + PLAIN_OPT, (1, 0, 0, 1), True),
        (b"\xc0\x0c" + PLAIN_OPT[1:], (1, 0, 0, 1), True),
        (PLAIN_OPT[:-1] + b"\x01\x00", (1, 0, 0, 1), True),
        (edns.build(512, options=[edns.option(8, b"\0\3\0\0")]), (1, 0, 0, 1), True),
        (TSIG_RR + PLAIN_OPT, (1, 0, 0, 2), False),
        (TSIG_RR * 2, (1, 0, 0, 2), False),
        (TSIG_RR, (1, 1, 0, 0), False),
        (b"\x40" + PLAIN_OPT[1:], (1, 0, 0, 1), False),
        (SOA_RR[:-1], (1, 0, 1, 0), False),
    ],
)
def test_formerr_keeps_the_question_it_could_read(
    rest: bytes, counts: tuple[int, int, int, int], with_opt: bool
) -> None:
    error = refused(query(rest=rest, counts=counts))
    assert error.question == QUESTION
    reply = error.reply()
    assert reply is not None
    read = dns.message.from_wire(reply)
    assert read.rcode() == dns.rcode.FORMERR
    assert read.id == 0x1234
    assert read.question[0].name.to_wire() == QNAME
    assert (read.edns == 0) is with_opt


def test_what_dnspython_asks_is_understood() -> None:
    asked = dns.message.make_query(
        "www.example.org.",
        "AAAA",
        use_edns=0,
        want_dnssec=True,
        options=[dns.edns.ECSOption("2001:db8::", 48)],
    )
    read = parse_query(asked.to_wire())
    assert (read.id, read.qtype) == (asked.id, rr.AAAA)
    assert read.edns is not None
    assert read.edns.dnssec_ok
    assert read.edns.client_subnet == edns.ClientSubnet(2, 48, 0, b"\x20\x01\x0d\xb8" + bytes(12))


@given(st.binary(max_size=120))
@settings(max_examples=500)
@example(b"\0" * 12)
@example(query()[:14])
def test_any_octets_are_read_or_refused(msg: bytes) -> None:
    for read in (parse_query, parse_message, message.find_tsig):
        try:
            read(msg)
        except FormatError as error:
            reply = error.reply()
            assert reply is None or reply[2] & 0x80


RICH = query(
    rest=SOA_RR + edns.build(512, options=[edns.option(8, b"\0\1\x18\0\xc0\0\2")]) + TSIG_RR,
    counts=(1, 0, 1, 2),
)


@given(st.integers(0, len(RICH) - 1), st.integers(0, 255), st.integers(0, len(RICH)))
@settings(max_examples=500)
def test_any_changed_octet_is_read_or_refused(at: int, octet: int, end: int) -> None:
    changed = bytearray(RICH)
    changed[at] = octet
    for msg in (bytes(changed), bytes(changed[:end])):
        try:
            read = parse_query(msg)
        except FormatError:
            continue
        assert read.wire == msg
        assert read.question == msg[12 : read.question_end]


def test_whole_messages_are_read_with_names_uncompressed() -> None:
    answer = dns.message.make_response(dns.message.make_query("example.org.", "ANY"))
    texts = [
        ("SOA", "ns1.example.org. host.example.org. 1 2 3 4 5"),
        ("MX", "10 mail.example.org."),
        ("SRV", "1 2 3 sip.example.org."),
        ("TXT", '"text"'),
    ]
    for kind, text in texts:
        answer.answer.append(dns.rrset.from_text("example.org.", 300, "IN", kind, text))
    read = parse_message(answer.to_wire())
    assert read.questions == ((name.from_text("example.org."), rr.ANY, message.IN),)
    assert len(read.answer) == len(texts)
    for record, theirs in zip(read.answer, answer.answer, strict=True):
        assert record.owner == theirs.name.to_wire()
        assert (record.rrtype, record.ttl) == (theirs.rdtype, 300)
        assert record.rdata == theirs[0].to_wire()


def test_names_that_older_senders_compress_are_read() -> None:
    target = b"\xc0\x0c"
    msg = query(flags=message.QR, counts=(1, 1, 0, 0)) + (
        b"\xc0\x0c\x00\x21\x00\x01" + bytes(4) + b"\x00\x08" + b"\0\1\0\2\0\3" + target
    )
    assert parse_message(msg).answer[0].rdata == b"\0\1\0\2\0\3" + QNAME


def test_the_rcode_has_the_upper_bits_of_the_opt_rr() -> None:
    opt = edns.build(1232, extended_rcode=1)
    read = parse_message(query(rest=opt, flags=message.QR | 7, counts=(1, 0, 0, 1)))
    assert read.rcode == message.BADCOOKIE


def test_two_questions_are_refused_with_edns_where_the_query_had_it() -> None:
    header = bytes.fromhex("1234 0100 0002 0000 0000 0001")
    error = refused(header + QUESTION + QUESTION + edns.build(1232))
    assert error.edns
    assert not refused(header[:10] + b"\0\0" + QUESTION + QUESTION).edns
