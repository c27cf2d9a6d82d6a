"""What an answer takes, in calls and comparisons rather than seconds: a zone may hold what it
likes, and a query costs no more than what goes into its answer."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest

from lzc.answer.lookup import merged
from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.wire import rrtype
from lzc.wire.compose import compose
from lzc.wire.message import FormatError, RRset, parse_message, parse_query
from lzc.wire.name import MAX_POINTERS, InvalidName, from_text, from_wire
from lzc.wire.tsig import sign
from tests.unit.answer.test_transfer import ACCESS, HERE, KEY, KEYS, request
from tests.unit.answering import HEAD, NOW, World

MANY = 1500


def calls(work: Callable[[], Any]) -> int:
    """How many functions are called, those of C among them."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def servers(count: int) -> str:
    return "".join(
        f"sub{count} 60 NS n{one}.sub{count}\nn{one}.sub{count} 60 A 192.0.2.1\n"
        for one in range(count)
    )


def pointers(count: int) -> str:
    return "".join(f"p{count} 60 PTR host{one}.a.b.c.example.net.\n" for one in range(count))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    zone = HEAD + servers(100) + servers(MANY) + pointers(100) + pointers(MANY)
    return World(folder, {"example.org.": zone})


@pytest.mark.parametrize(("name", "qtype"), [("x.sub{}", "A"), ("p{}", "PTR"), ("sub{}", "NS")])
def test_what_does_not_fit_over_udp_costs_no_more_the_more_there_is(
    world: World, name: str, qtype: str
) -> None:
    def ask(count: int) -> dns.message.Message:
        return world.ask(f"{name.format(count)}.example.org.", qtype)

    assert ask(MANY).flags & dns.flags.TC
    # Reading the RRset out of its node is the same few operations an RR, and no call.
    per_rr = calls(lambda: ask(MANY)) - calls(lambda: ask(100))
    assert per_rr < 4 * (MANY - 100)


def test_required_glue_is_not_given_up_for_that_of_others(tmp_path: Path) -> None:
    """RFC 9471: what a referral needs is there, or TC."""
    others = "".join(f"sub 60 NS a{one}.other\n" for one in range(20))
    glue = "".join(
        f"a{one}.other 60 {kind} {address}\n"
        for one in range(20)
        for kind, address in (("A", "192.0.2.7"), ("AAAA", "2001:db8::7"))
    )
    zone = HEAD + others + "sub 60 NS z.sub\nz.sub 60 A 192.0.2.9\nother 60 NS elsewhere.\n" + glue
    answer = World(tmp_path, {"example.org.": zone}).ask("x.sub.example.org.", "A")
    glued = [rrset for rrset in answer.additional if str(rrset.name) == "z.sub.example.org."]
    assert glued or answer.flags & dns.flags.TC


class Counted(bytes):
    """RDATA that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return bytes.__eq__(self, other)

    __hash__ = bytes.__hash__


def test_thousands_of_static_and_made_rdatas_are_merged_in_one_go() -> None:
    rdatas = [Counted(struct.pack(">I", number)) for number in range(2 * MANY)]
    static = RRset(b"\0", rrtype.A, 60, tuple(rdatas[:MANY]))
    made = RRset(b"\0", rrtype.A, 30, (*rdatas[MANY:], Counted(bytes(4))))
    Counted.compared = 0
    rrset = merged(static, made)
    assert rrset == RRset(b"\0", rrtype.A, 30, tuple(rdatas))
    assert Counted.compared < 10 * MANY


def test_an_rrset_that_does_not_fit_is_composed_no_further() -> None:
    names = tuple(from_text(f"host{number}.example.net.") for number in range(MANY))
    question = from_text("example.org.") + b"\0\x0c\0\1"
    items = [RRset(from_text("example.org."), rrtype.PTR, 60, names)]
    little = calls(lambda: compose(1, 0, question, [items[0]._replace(rdatas=names[:100])]))
    assert calls(lambda: compose(1, 0, question, items, max_size=512)) < little
    assert compose(1, 0, question, items, max_size=512)[2] & 2


def chain(pointers_: int, names: int) -> bytes:
    """An IXFR request with names that each lead through a chain of compression pointers."""
    question = from_text("example.org.") + struct.pack(">HH", rrtype.IXFR, 1)
    octets = struct.pack(">6H", 1, 0, 1, 0, 1, names + 1) + question
    soa = bytes(2) + struct.pack(">5I", 7, 1, 1, 1, 1)
    octets += b"\xc0\x0c" + struct.pack(">HHIH", rrtype.SOA, 1, 0, len(soa)) + soa
    octets += b"\0" + struct.pack(">HHIH", 65280, 1, 0, 2 * pointers_)
    last = 12
    for _ in range(pointers_):
        last, octets = len(octets), octets + struct.pack(">H", 0xC000 | last)
    owner = struct.pack(">H", 0xC000 | last)
    return octets + names * (owner + struct.pack(">HHIH", 65280, 1, 0, 0))


def test_a_name_follows_as_many_pointers_as_it_may_have_labels() -> None:
    query = chain(MAX_POINTERS - 1, 1)
    assert from_wire(query, len(query) - 12)[0] == from_text("example.org.")
    query = chain(MAX_POINTERS, 1)
    with pytest.raises(InvalidName, match="compression pointers"):
        from_wire(query, len(query) - 12)


def test_a_holder_of_a_key_does_not_keep_the_server_busy_with_one_message(world: World) -> None:
    """Four thousand names of eight thousand pointers took six seconds."""
    query = chain(7000, 3500)
    assert len(query) < 65535
    signed, _ = sign(query, KEY, NOW)

    def ask() -> None:
        reply = open_transfer(world.bundle, ACCESS, KEYS, signed, HERE, NOW)
        # Of the message no more was read than the SOA, whose serial is an old one.
        assert isinstance(reply, TransferPlan)

    assert calls(ask) < 20_000
    with pytest.raises(FormatError):
        parse_message(query)


@pytest.mark.parametrize("section", ["answer", "additional"])
def test_the_serial_of_an_ixfr_is_in_its_authority_section(world: World, section: str) -> None:
    query = bytearray(request(qtype="IXFR", serial=1))
    query[6:12] = b"\0\1\0\0\0\0" if section == "answer" else b"\0\0\0\0\0\1"
    parse_query(bytes(query))
    signed, _ = sign(bytes(query), KEY, NOW)
    reply = open_transfer(world.bundle, ACCESS, KEYS, signed, HERE, NOW)
    assert isinstance(reply, bytes)
    assert reply[3] & 15 == 1
