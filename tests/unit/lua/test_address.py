"""Addresses are read as PowerDNS reads them in LUA records."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.lua.address import parse, to_text


@pytest.mark.parametrize(
    ("text", "canonical", "port"),
    [
        (b"192.0.2.1", b"192.0.2.1", 0),
        (b"192.0.2.1:53", b"192.0.2.1", 53),
        (b"192.0.2", b"192.0.0.2", 0),
        (b"5", b"0.0.0.5", 0),
        (b"192.0.2.1 x", b"192.0.2.1", 0),
        (b"2001:DB8::0001", b"2001:db8::1", 0),
        (b"[2001:db8::1]:53", b"2001:db8::1", 53),
        (b"[2001:db8::1]", b"2001:db8::1", 0),
        (b"[2001:db8::1]:", b"2001:db8::1", 0),
        (b"[2001:db8::1]:53x", b"2001:db8::1", 53),
        (b"192.0.2.1: +53", b"192.0.2.1", 53),
        (b"192.0.2.1:4294967349", b"192.0.2.1", 53),
        (b"::ffff:192.0.2.1", b"::ffff:192.0.2.1", 0),
    ],
)
def test_forms(text: bytes, canonical: bytes, port: int) -> None:
    found = parse(text)
    assert found is not None
    assert found[1:] == (canonical, port)


@pytest.mark.parametrize(
    "text",
    [b"", b"bogus", b"192.0.2.256", b" 192.0.2.1", b"[2001:db8::1", b"1.2.3.4:", b"1.2.3.4:x",
     b"1.2.3.4:65536", b"1.2.3.4:5 ", b"1.2.3.4:-1", b"1.2.3.4:" + b"9" * 20, b"[1.2.3.4]:53",
     b"[::1]:4294967349", b"[::1]:-1", b"2001:db8::1]:53", b"[::1]x", b"\xff",
     b"1.2.3.4\x00", b"::1\x00"],
)  # fmt: skip
def test_what_is_no_address(text: bytes) -> None:
    assert parse(text) is None


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_text_is_read_back(packed: bytes) -> None:
    text = to_text(packed)
    assert ipaddress.ip_address(text.decode()).packed == packed
    assert parse(text) == (packed, text, 0)
