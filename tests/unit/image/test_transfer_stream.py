"""AXFR messages, made at build time: complete, in order, full, and below the limits."""

from __future__ import annotations

import struct

import dns.message
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.image import transfer_stream
from lzc.wire import rrtype as rr
from tests.unit import compiling
from tests.unit.compiling import wire


def _messages(stream: bytes) -> list[bytes]:
    messages = []
    while stream:
        (length,) = struct.unpack(">H", stream[:2])
        messages.append(stream[2 : 2 + length])
        assert len(messages[-1]) == length
        stream = stream[2 + length :]
    return messages


def _rrs(
    text: str, *, signed: bool = False
) -> tuple[list[dns.message.Message], list[tuple[str, str]]]:
    made = compiling.compiled(text, signed=signed)
    stream = b"".join(made.messages)
    assert len(stream) == made.info.transfer_length
    parsed = [dns.message.from_wire(m, one_rr_per_rrset=True) for m in _messages(stream)]
    assert len(parsed) == made.info.transfer_messages
    rrs = [
        (str(rrset.name), dns.rdatatype.to_text(rrset.rdtype))
        for message in parsed
        for rrset in message.answer
    ]
    assert made.info.records == len(rrs) - 1
    return parsed, rrs


def test_soa_first_and_last_and_everything_between() -> None:
    parsed, rrs = _rrs(
        'www A 192.0.2.1\na.b TXT x\ncut NS ns.cut\nns.cut A 192.0.2.2\nl LUA A "1"\n'
    )
    assert len(parsed) == 1
    assert rrs == [
        ("example.org.", "SOA"),
        ("example.org.", "NS"),
        ("a.b.example.org.", "TXT"),
        ("cut.example.org.", "NS"),
        ("ns.cut.example.org.", "A"),
        ("l.example.org.", "TYPE65402"),
        ("ns1.example.org.", "A"),
        ("www.example.org.", "A"),
        ("example.org.", "SOA"),
    ]
    message = parsed[0]
    assert message.id == 0
    assert message.flags == dns.flags.QR | dns.flags.AA
    assert str(message.question[0]) == "example.org. IN AXFR"


def test_a_signed_zone_is_handed_out_unsigned() -> None:
    text = "www A 192.0.2.1\n"
    _, rrs = _rrs(text, signed=True)
    assert rrs == _rrs(text)[1]
    assert compiling.compiled(text, signed=True).messages == compiling.compiled(text).messages


def test_large_zones_fill_their_messages_and_leave_room_for_tsig() -> None:
    text = "".join(f'h{number} TXT "{number:200d}"\n' for number in range(2000))
    parsed, rrs = _rrs(text)
    sizes = [len(m) for m in _messages(b"".join(compiling.compiled(text).messages))]
    assert len(parsed) > 5
    assert max(sizes) <= transfer_stream.MAX_MESSAGE - transfer_stream.TSIG_ROOM
    assert min(sizes[:-1]) > 64000
    assert len(rrs) == 2000 + 4
    assert all(str(message.question[0]) == "example.org. IN AXFR" for message in parsed)
    assert rrs[0][1] == rrs[-1][1] == "SOA"
    assert sum(kind == "SOA" for _, kind in rrs) == 2


def test_the_root_and_escaped_names_transfer() -> None:
    zone = compiling.draft("\\000\\001.\\255 A 192.0.2.1\n", name=".").finish(5)
    names = [
        rrset.name
        for message in _messages(b"".join(zone.messages))
        for rrset in dns.message.from_wire(message, one_rr_per_rrset=True).answer
    ]
    assert names[0].to_wire() == b"\x00"
    assert b"\x02\x00\x01\x01\xff\x00" in [name.to_wire() for name in names]


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(11, 500), max_size=300), room=st.integers(500, 5000))
def test_splitting_loses_nothing_and_fills_each_message(sizes: list[int], room: int) -> None:
    rrs = [bytes((index % 256,)) * size for index, size in enumerate(sizes)]
    bodies = transfer_stream.cut(b"".join(rrs), list(map(len, rrs)), room)
    assert b"".join(bodies.contents) == b"".join(rrs)
    assert sum(bodies.counts) == len(rrs)
    assert all(len(content) <= room for content in bodies.contents)
    index = 0
    for count, content in zip(bodies.counts[:-1], bodies.contents[:-1], strict=True):
        index += count
        assert len(content) + sizes[index] > room


@pytest.mark.parametrize("size", [1, 63])
def test_soas_of_any_size_fit(size: int) -> None:
    apex = wire(".".join(["a" * size] * (3 if size == 63 else 1)))
    soa = b"\xc0\x0c" + struct.pack(">HHIH", rr.SOA, 1, 60, 2 * 200 + 20) + bytes(420)
    room = transfer_stream.capacity(apex, soa)
    bodies = transfer_stream.cut(bytes(room), [room], room)
    (message,) = transfer_stream.assemble(apex, soa, bodies)
    assert len(message) - 2 == transfer_stream.MAX_MESSAGE - transfer_stream.TSIG_ROOM
    assert struct.unpack(">H", message[8:10]) == (3,)
