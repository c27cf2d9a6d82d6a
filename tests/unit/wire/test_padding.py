"""Padding: messages of a multiple of 468 octets, and no octet of anything else changed."""

from __future__ import annotations

import dns.edns
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from lzc.wire.padding import BLOCK, padded, padding


@given(st.integers(0, 65535))
def test_a_message_is_of_whole_blocks_or_as_large_as_may_be(size: int) -> None:
    option = padding(size)
    whole = size + len(option)
    assert whole <= 65535
    assert not any(option[4:])
    assert whole % BLOCK == 0 or whole == 65535 or not option
    assert option or size > 65535 - 4


@given(st.integers(0, 40), st.integers(0, 200), st.booleans())
def test_the_option_comes_behind_all_others(answers: int, room: int, nsid: bool) -> None:
    query = dns.message.make_query("example.org.", "TXT", use_edns=0)
    message = dns.message.make_response(query)
    for number in range(answers):
        rrset = dns.rrset.from_text(f"n{number}.example.org.", 60, "IN", "TXT", '"some words"')
        message.answer.append(rrset)
    options: list[dns.edns.Option] = [dns.edns.NSIDOption(b"here")] if nsid else []
    message.use_edns(0, options=options)
    wire = message.to_wire()
    found = padded(wire, room)
    assert (len(found) + room) % BLOCK == 0
    parsed = dns.message.from_wire(found)
    assert parsed.answer == message.answer
    assert [option.otype for option in parsed.options] == [
        *(option.otype for option in options),
        dns.edns.OptionType.PADDING,
    ]


def test_what_has_no_opt_rr_stays_as_it_is() -> None:
    query = dns.message.make_query("example.org.", "TXT", use_edns=False)
    for message in (query, dns.message.make_response(query)):
        wire = message.to_wire()
        assert padded(wire) == wire
    assert padded(bytes(12)) == bytes(12)
