"""Compiling: which names exist, what stands there, and what the NSEC chain says of them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.bundle import node as nodes
from lzc.dnssec.signing.nsec import bitmap, types_in
from lzc.image import compile as compiling_module
from lzc.image.compile import compile_zone
from lzc.image.name_slice import MAX_RRSET
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.zone.model import Record, Zone
from tests.unit import compiling
from tests.unit.compiling import KEY, wire
from tests.unit.zone_text import read_zone_text

APEX = wire("example.org")


def _flags(text: str) -> dict[bytes, int]:
    return {key: node[0] for key, node in compiling.nodes(text).items()}


def _chain(text: str, *, lua: bool = True) -> dict[bytes, tuple[bytes, frozenset[int]]]:
    """Node key -> next owner and types, of the names that have an NSEC."""
    chain = {}
    for key, node in compiling.nodes(text, signed=True, lua=lua).items():
        rdata = nodes.nsec(node)
        if rdata:
            _, end = wire_name.from_wire(rdata, 0)
            chain[key] = rdata[:end], types_in(rdata, end)
    return chain


def test_every_ancestor_up_to_the_apex_is_a_node() -> None:
    flags = _flags("a.b.c A 192.0.2.1\nd.b.c A 192.0.2.2\nx.c A 192.0.2.3\n")
    assert list(flags) == [b"", b"c", b"c\0b", b"c\0b\0a", b"c\0b\0d", b"c\0x", b"ns1"]
    assert flags[b"c"] == flags[b"c\0b"] == nodes.ENT
    assert flags[b"c\0b\0a"] == 0
    assert flags[b""] == nodes.APEX


def test_flags_tell_what_a_name_holds() -> None:
    flags = _flags(
        "cut NS ns.cut\nns.cut A 192.0.2.1\nbelow.ns.cut TXT x\n"
        "alias CNAME ns1\nd DNAME example.com.\nunder.d TXT x\n"
        'l LUA A "1"\nc LUA CNAME "2"\nw A 192.0.2.1\n*.w A 192.0.2.1\na.*.v A 192.0.2.1\n'
    )
    assert flags[b"cut"] == nodes.DELEGATION
    assert flags[b"cut\0ns"] == nodes.OCCLUDED
    assert flags[b"cut\0ns\0below"] == nodes.OCCLUDED
    assert flags[b"alias"] == nodes.HAS_CNAME
    assert flags[b"d"] == nodes.HAS_DNAME
    assert flags[b"d\0under"] == nodes.OCCLUDED
    assert flags[b"l"] == flags[b"c"] == nodes.HAS_LUA
    assert flags[b"w"] == nodes.WILDCARD_CHILD
    assert flags[b"v"] == nodes.ENT | nodes.WILDCARD_CHILD
    assert flags[b"v\0*"] == nodes.ENT


def test_an_ent_below_a_cut_is_occluded_and_one_above_is_not() -> None:
    flags = _flags("cut.e NS ns.x.y.cut.e\nns.x.y.cut.e A 192.0.2.1\n")
    assert flags[b"e"] == nodes.ENT
    assert flags[b"e\0cut\0y"] == flags[b"e\0cut\0y\0x"] == nodes.ENT | nodes.OCCLUDED


def test_a_dname_at_the_apex_occludes_all_below() -> None:
    flags = _flags("@ DNAME example.com.\n")
    assert flags[b""] == nodes.APEX | nodes.HAS_DNAME
    assert flags[b"ns1"] == nodes.OCCLUDED


def test_a_wildcard_at_the_apex_marks_the_apex() -> None:
    assert _flags("* TXT x\n")[b""] == nodes.APEX | nodes.WILDCARD_CHILD


def test_rrsets_are_in_canonical_order_with_the_case_of_names_kept() -> None:
    node = compiling.nodes("m MX 10 b\nm MX 10 A\nm MX 5 Z\nm TXT x\n")[b"m"]
    assert nodes.types(node) == [rr.MX, rr.TXT]
    rrset = nodes.rrset(node, APEX, rr.MX)
    assert rrset is not None
    assert [rdata[2:4] for rdata in rrset.rdatas] == [b"\x01Z", b"\x01A", b"\x01b"]


def test_lua_records_keep_a_ttl_each() -> None:
    node = compiling.nodes('l 30 LUA A "1"\nl 60 LUA AAAA "2"\n')[b"l"]
    assert [(record.covered, record.ttl) for record in nodes.lua_records(node)] == [
        (rr.A, 30),
        (rr.AAAA, 60),
    ]


def test_an_unsigned_zone_has_neither_nsec_nor_dnskey() -> None:
    built = compiling.nodes("www A 192.0.2.1\n")
    assert not any(nodes.nsec(node) for node in built.values())
    assert nodes.types(built[b""]) == [rr.NS, rr.SOA]


def test_a_signed_apex_publishes_the_keys_with_the_soa_minimum_as_ttl() -> None:
    made = compiling.compiled(signed=True)
    rrset = nodes.rrset(made.items[0][1], APEX, rr.DNSKEY)
    assert rrset is not None
    assert rrset.ttl == 300
    assert rrset.rdatas == (KEY.dnskey,)
    assert made.info.keys == (KEY,)
    assert made.info.signed


def test_dnskeys_of_the_source_stay_beside_ours() -> None:
    other = "257 3 13 " + "AAAA" * 21 + "AA=="
    node = compiling.nodes(f"@ DNSKEY {other}\n", signed=True)[b""]
    rrset = nodes.rrset(node, APEX, rr.DNSKEY)
    assert rrset is not None
    assert len(rrset.rdatas) == 2
    assert KEY.dnskey in rrset.rdatas
    assert list(rrset.rdatas) == sorted(rrset.rdatas)
    assert nodes.types(node) == sorted(nodes.types(node))


def test_the_nsec_chain_is_a_ring_of_the_authoritative_names() -> None:
    chain = _chain("a.b.c A 192.0.2.1\ncut NS ns.cut\nns.cut A 192.0.2.1\nz.cut TXT x\nzz TXT x\n")
    owners = [wire_name.relative_of_key(key) + APEX for key in chain]
    assert list(chain) == [b"", b"c\0b\0a", b"cut", b"ns1", b"zz"]
    assert [following for following, _ in chain.values()] == owners[1:] + owners[:1]


def test_bitmaps_list_what_a_client_can_get() -> None:
    chain = _chain(
        "cut NS ns.cut\nns.cut A 192.0.2.1\ncut2 NS ns1\n"
        "cut2 DS 1 13 2 " + "00" * 32 + "\ncut2 TXT occluded\n"
        'l LUA A "1"\nl LUA TXT "1"\nl AAAA ::1\nm LUA LUA "x=1"\nc LUA CNAME "1"\n'
    )
    ours = {rr.RRSIG, rr.NSEC}
    assert chain[b""][1] == {rr.NS, rr.SOA, rr.DNSKEY} | ours
    assert chain[b"cut"][1] == {rr.NS} | ours
    assert chain[b"cut2"][1] == {rr.NS, rr.DS} | ours
    assert chain[b"l"][1] == {rr.A, rr.TXT, rr.AAAA} | ours
    assert chain[b"m"][1] == {rr.LUA} | ours, "as on PowerDNS"
    assert chain[b"c"][1] == {rr.CNAME} | ours


def test_without_lua_a_bitmap_does_not_list_what_lua_would_answer() -> None:
    chain = _chain('l LUA A "1"\nl AAAA ::1\n', lua=False)
    assert chain[b"l"][1] == {rr.AAAA, rr.RRSIG, rr.NSEC}


def test_the_digest_is_that_of_the_content_without_the_serial() -> None:
    base = compiling.draft("www A 192.0.2.1\n")
    other_serial = compiling.HEAD.replace(" 5 ", " 4000000000 ")
    same = [
        compiling.draft("www A 192.0.2.1\n", head=other_serial),
        compiling.draft("www A 192.0.2.1\n", signed=True),
        compiling.draft("www A 192.0.2.1\n", zone_id=9, lua=False),
    ]
    assert {made.info.digest for made in same} == {base.info.digest}
    different = [
        compiling.draft("www A 192.0.2.2\n"),
        compiling.draft("www 60 A 192.0.2.1\n"),
        compiling.draft("wwx A 192.0.2.1\n"),
        compiling.draft("www A 192.0.2.1\nwww A 192.0.2.2\n"),
        compiling.draft("www A 192.0.2.1\n", name="example.net"),
        compiling.draft("www A 192.0.2.1\n", head=compiling.HEAD.replace(" 300", " 301")),
        compiling.draft("www A 192.0.2.1\n", head=compiling.HEAD.replace("7200", "7201")),
    ]
    assert len({made.info.digest for made in [base, *different]}) == len(different) + 1


def test_finishing_writes_the_serial_everywhere() -> None:
    made = compiling.draft("www A 192.0.2.1\n")
    assert made.info.serial == 5
    done = made.finish(0xDEADBEEF)
    rrset = nodes.rrset(done.items[0][1], APEX, rr.SOA)
    assert rrset is not None
    assert rrset.rdatas[0][-20:-16] == b"\xde\xad\xbe\xef"
    assert done.info.serial == 0xDEADBEEF
    assert done.info.soa_ttl == 7200
    assert done.info.soa_minimum == 300
    assert b"".join(done.messages).count(b"\xde\xad\xbe\xef") == 2


def test_keys_carry_the_zone_id_and_ascend() -> None:
    items = compiling.compiled("b A 192.0.2.1\na.b A 192.0.2.1\n", zone_id=0x01020304).items
    assert [key for key, _ in items] == sorted(
        b"\x01\x02\x03\x04" + key for key in (b"", b"b", b"b\0a", b"ns1")
    )


def test_an_rrset_that_fits_no_message_is_a_fault_at_its_place() -> None:
    count = MAX_RRSET // 268 + 1
    text = "".join(f'big TXT "{number:255d}"\n' for number in range(count))
    faults = compiling.draft(text).faults
    assert [fault.rule for fault in faults] == ["rrset-too-large"]
    assert faults[0].place.file == "example.org.zone"
    assert faults[0].place.line == 5
    fits = "".join(f'big TXT "{number:255d}"\n' for number in range(MAX_RRSET // 268 - 1))
    assert not compiling.draft(fits).faults


def test_more_types_at_a_name_than_a_node_holds_are_a_fault() -> None:
    text = "".join(f"many TYPE{rrtype} \\# 0\n" for rrtype in range(1000, 1256))
    assert [fault.rule for fault in compiling.draft(text).faults] == ["too-many-types"]
    fits = text.replace("many TYPE1255 \\# 0\n", "")
    assert not compiling.draft(fits).faults


_LABEL = st.sampled_from([b"a", b"b", b"*", b"\x00", b"\x01", b"\x02", b"a\x00", b"a\x01b"])
_OWNER = st.lists(_LABEL, min_size=1, max_size=4)
_TYPE = st.sampled_from([rr.A, rr.A, rr.TXT, rr.NS, rr.DNAME])


@settings(max_examples=150)
@given(st.lists(st.tuples(_OWNER, _TYPE), max_size=12))
def test_existence_occlusion_and_chain_agree_with_their_definitions(
    owners: list[tuple[list[bytes], int]],
) -> None:
    data = {rr.A: b"\x7f\0\0\1", rr.TXT: b"\x01x", rr.NS: APEX, rr.DNAME: b"\x01z\0"}
    soa = APEX + APEX + bytes(20)
    records: list[Record] = [(b"", rr.SOA, soa, 60, 0), (b"", rr.NS, APEX, 60, 0)]
    held: dict[tuple[bytes, ...], set[int]] = {(): {rr.SOA, rr.NS}}
    for labels, rrtype in owners:
        here = held.setdefault(tuple(labels), set())
        if rrtype not in here:
            here.add(rrtype)
            records.append((wire_name.key_of_labels(labels), rrtype, data[rrtype], 60, 0))
    zone = Zone(APEX, sorted(records), ["x"])
    made = compile_zone(zone, 1, signed=True, lua=True, keys=(KEY,)).finish(1)
    found = {key[4:]: node for key, node in made.items}

    existing = {owner[depth:] for owner in held for depth in range(len(owner) + 1)}
    keys = {labels: wire_name.key_of_labels(list(labels)) for labels in existing}
    assert list(found) == sorted(keys.values())
    ordered = sorted(existing, key=lambda labels: [label.lower() for label in labels[::-1]])
    assert list(found) == [keys[labels] for labels in ordered]

    def is_occluded(labels: tuple[bytes, ...]) -> bool:
        return any(
            rr.DNAME in held.get(labels[depth:], set())
            or (labels[depth:] and rr.NS in held.get(labels[depth:], set()))
            for depth in range(1, len(labels) + 1)
        )

    for owner in existing:
        flags = found[keys[owner]][0]
        assert bool(flags & nodes.ENT) == (owner not in held)
        assert bool(flags & nodes.OCCLUDED) == is_occluded(owner)
        assert bool(flags & nodes.WILDCARD_CHILD) == ((b"*", *owner) in existing)
        delegates = bool(owner) and rr.NS in held.get(owner, set())
        assert bool(flags & nodes.DELEGATION) == (delegates and not is_occluded(owner))

    ring = [labels for labels in ordered if labels in held and not is_occluded(labels)]
    for owner, after in zip(ring, ring[1:] + ring[:1], strict=True):
        types = {rr.NS} if owner and rr.NS in held[owner] else held[owner]
        types = types | {rr.RRSIG, rr.NSEC} | (set() if owner else {rr.DNSKEY})
        following = wire_name.from_labels(list(after))[:-1] + APEX
        assert nodes.nsec(found[keys[owner]]) == following + bitmap(tuple(types))
    assert sum(bool(nodes.nsec(node)) for node in found.values()) == len(ring)


@pytest.mark.parametrize("signed", [False, True])
def test_the_same_zone_gives_the_same_octets(signed: bool) -> None:
    text = "".join(f"h{number} A 192.0.2.1\nx.h{number} TXT {number}\n" for number in range(300))
    first, second = (compiling.compiled(text, signed=signed) for _ in range(2))
    assert first == second
    assert hashlib.sha256(b"".join(first.messages)).digest()


_ENTRIES = st.sampled_from(
    [
        "{n} A 192.0.2.1\n",
        "{n} A 192.0.2.1\n{n} A 192.0.2.2\n{n} AAAA ::1\n",
        "{n} MX 10 B.example.\n{n} MX 10 a.example.\n",
        "{n} NS ns.{n}\nns.{n} A 192.0.2.1\n",
        "{n} DNAME x.example.\nunder.{n} TXT x\n",
        "*.{n} TXT x\n",
        "a.*.b.{n} TXT x\n",
        "x.y.z.{n} CNAME {n}\n",
        '{n} LUA A "1"\n',
        '{n} LUA A "1"\n{n} LUA AAAA "2"\n{n} TXT x\n',
        "a\\000b.{n} TXT x\n",
        "{n} TXT " + "x" * 200 + "\n",
    ]
)


@settings(max_examples=40)
@given(
    entries=st.lists(_ENTRIES, max_size=12),
    run=st.integers(1, 5),
    share=st.floats(0, 1),
    signed=st.booleans(),
    apex_dname=st.booleans(),
)
def test_runs_and_a_second_process_change_nothing(
    entries: list[str], run: int, share: float, signed: bool, apex_dname: bool
) -> None:
    text = "".join(entry.format(n=f"n{number}") for number, entry in enumerate(entries))
    text = compiling.HEAD + text + ("@ DNAME y.example.\n" if apex_dname else "")
    zone, _ = read_zone_text(text.encode(), APEX, "zone")
    zone.records.sort()

    def compiled() -> tuple[object, ...]:
        draft = compile_zone(zone, 3, signed=signed, lua=True, keys=(KEY,), in_halves=True)
        made = draft.finish(7)
        return made.info, made.items, made.messages, draft.faults

    whole = compiled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling_module, "MIN_NAMES", 0)
        patch.setattr(compiling_module, "RUN", run)
        patch.setattr(compiling_module, "FIRST_SHARE", share)
        assert compiled() == whole


def test_what_a_second_process_finds_too_large_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiling_module, "MIN_NAMES", 0)
    text = "".join(f"z TXT {number:05} {'x' * 250}\n" for number in range(300))
    zone, _ = read_zone_text((compiling.HEAD + text).encode(), APEX, "zone")
    zone.records.sort()
    made = compile_zone(zone, 0, signed=False, lua=True, in_halves=True)
    assert [fault.rule for fault in made.faults] == ["rrset-too-large"]


def test_an_rrset_of_more_records_than_can_be_counted_is_too_large() -> None:
    text = "".join(f"z A 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(66_000))
    assert [fault.rule for fault in compiling.draft(text).faults] == ["rrset-too-large"]
