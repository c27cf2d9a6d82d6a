"""NSEC RDATA: bitmap and next name, against dnspython's reading of them."""

from __future__ import annotations

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.dnssec.signing import nsec
from lzc.wire import name

NEXT = name.from_text("host.example.com.")
RRSIG, NSEC = 46, 47


def test_the_example_of_rfc_4034_section_4_3() -> None:
    rdata = NEXT + nsec.bitmap((1, 15, RRSIG, NSEC, 1234))
    expected = bytes.fromhex("0006400100000003041b") + bytes(26) + b"\x20"
    assert rdata == NEXT + expected


def test_the_order_of_the_types_does_not_matter() -> None:
    assert nsec.bitmap((NSEC, 1, RRSIG)) == nsec.bitmap((1, RRSIG, NSEC))


def test_nothing_is_added() -> None:
    assert nsec.bitmap(()) == b""
    assert nsec.bitmap((1,)) == b"\x00\x01\x40"


@pytest.mark.parametrize("rrtype", [-1, 65536])
def test_a_number_that_is_no_type_is_refused(rrtype: int) -> None:
    with pytest.raises(ValueError, match="RR type"):
        nsec.bitmap((rrtype,))


@settings(max_examples=200)
@given(st.frozensets(st.integers(1, 65535), max_size=20))
def test_dnspython_reads_the_types_that_were_written(types: frozenset[int]) -> None:
    rdata = NEXT + nsec.bitmap(tuple(types))
    assert nsec.types_in(rdata, len(NEXT)) == types
    read = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.NSEC, rdata, 0, len(rdata))
    listed = {
        window << 8 | octet << 3 | bit
        for window, bits in read.windows  # type: ignore[attr-defined]
        for octet, value in enumerate(bits)
        for bit in range(8)
        if value & (0x80 >> bit)
    }
    assert listed == types


@pytest.mark.parametrize("field", [b"\x00", b"\x00\x00", b"\x00\x02\x40", b"\x00\x21" + bytes(33)])
def test_a_malformed_bitmap_is_an_error(field: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        nsec.types_in(field, 0)
