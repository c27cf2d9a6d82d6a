"""Nodes: everything at one name as one byte string."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.bundle import node as nodes
from lzc.bundle.zone_info import ZoneInfo, ZoneKey
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord
from tests.unit.compiling import lua_rdata

_RRSETS = st.dictionaries(
    st.integers(1, 65535).filter(lambda rrtype: rrtype not in (rr.NSEC, rr.RRSIG)),
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(flags=st.integers(0, 255), nsec=st.binary(max_size=300), content=_RRSETS)
def test_a_node_gives_back_what_was_encoded(
    flags: int, nsec: bytes, content: dict[int, tuple[int, list[bytes]]]
) -> None:
    node = nodes.encode(
        flags,
        nsec,
        [
            (rrtype, len(data), nodes.blob(rrtype, ttl, data))
            for rrtype, (ttl, data) in sorted(content.items())
        ],
    )
    assert node[0] == flags
    assert nodes.nsec(node) == nsec
    assert nodes.types(node) == sorted(content)
    for rrtype, (ttl, data) in content.items():
        found = nodes.find(node, rrtype)
        assert found is not None
        count, start, end = found
        assert count == len(data)
        assert node[start:end] == nodes.blob(rrtype, ttl, data)
        rrset = nodes.rrset(node, b"\x01a\x00", rrtype)
        assert rrset == (b"\x01a\x00", rrtype, ttl, tuple(data))
    absent = next(t for t in range(1, 99) if t not in content)
    assert nodes.find(node, absent) is None
    assert nodes.rrset(node, b"\x00", absent) is None


def test_a_blob_is_wire_rrs_whose_owner_points_at_the_question() -> None:
    assert nodes.blob(rr.A, 300, [b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02"]) == bytes.fromhex(
        "c00c 0001 0001 0000012c 0004 c0000201 c00c 0001 0001 0000012c 0004 c0000202"
    )


def test_the_layout_does_not_change_unnoticed() -> None:
    node = nodes.encode(nodes.HAS_LUA, b"\xaa", [(rr.A, 1, b"blob"), (rr.TXT, 2, b"more")])
    assert (
        node == bytes.fromhex("10 02 0001 aa 0001 0001 00000004 0010 0002 00000008") + b"blobmore"
    )


def test_a_lone_rr_has_the_same_node_by_the_short_way() -> None:
    blob = nodes.blob(rr.A, 60, [b"\x7f\x00\x00\x01"])
    short = nodes.head_of_single(nodes.WILDCARD_CHILD, b"nsec", rr.A, len(blob)) + blob
    assert short == nodes.encode(nodes.WILDCARD_CHILD, b"nsec", [(rr.A, 1, blob)])


def test_lua_records_come_apart_with_their_ttl() -> None:
    records = [LuaRecord(rr.A, (b"pick", b"random"), 30), LuaRecord(rr.AAAA, (b"'::1'",), 60)]
    blob = b"".join(
        [nodes.blob(rr.LUA, one.ttl, [lua_rdata(one.covered, *one.strings)]) for one in records]
    )
    assert nodes.lua_records(nodes.encode(nodes.HAS_LUA, b"", [(rr.LUA, 2, blob)])) == records
    assert nodes.lua_records(nodes.encode(0, b"", [])) == []


def test_more_than_255_types_are_refused() -> None:
    with pytest.raises(struct.error):
        nodes.encode(0, b"", [(rrtype, 1, b"") for rrtype in range(1, 258)])


def test_zone_info_is_the_same_after_json() -> None:
    info = ZoneInfo(
        apex=b"\x01\xff\x00",
        zone_id=7,
        serial=2**32 - 1,
        signed=True,
        lua=False,
        digest="ab" * 32,
        soa_ttl=600,
        soa_minimum=300,
        records=3,
        transfer_offset=10,
        transfer_length=20,
        transfer_messages=1,
        keys=(ZoneKey(1, 13, 257, b"\x01\x01\x03\x0d\xff"),),
    )
    assert ZoneInfo.from_json(info.to_json()) == info
    assert info.negative_ttl == 300
