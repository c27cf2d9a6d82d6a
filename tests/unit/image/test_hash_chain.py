"""The NSEC3 chain: which names are in it (RFC 5155 §7.1), in which order, and with which types."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.bundle import node as nodes
from lzc.bundle.writer import CompiledZone
from lzc.dnssec.signing.denial import HASH, Denial, Way
from lzc.dnssec.signing.nsec import types_in
from lzc.image import compile as compiling_module
from lzc.image.compile import compile_zone
from lzc.wire import rrtype as rr
from lzc.wire.name import relative_of_key
from tests.unit import compiling
from tests.unit.compiling import HEAD, KEY, wire
from tests.unit.zone_text import read_zone_text

APEX = wire("example.org")
HASHED = Denial(Way.NSEC3, 1, b"salt")
OPT_OUT = Denial(Way.NSEC3, opt_out=True)
TEXT = """\
a.b.ent A 192.0.2.1
cut.deep.out NS ns.elsewhere.
secure.deep.in NS ns.elsewhere.
secure.deep.in DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
cut.both NS ns.elsewhere.
name.both TXT "x"
glue NS ns.x.glue
ns.x.glue A 192.0.2.1
lua LUA A "'192.0.2.1'"
*.wild TXT "x"
"""


def made(text: str, denial: Denial, *, in_halves: bool = False, zone_id: int = 0) -> CompiledZone:
    zone, faults = read_zone_text((HEAD + text).encode(), APEX, "example.org.zone")
    assert not faults
    zone.records.sort()
    draft = compile_zone(
        zone, zone_id, signed=True, lua=True, keys=(KEY,), denial=denial, in_halves=in_halves
    )
    assert not draft.faults
    return draft.finish(1)


def names_in(zone: CompiledZone, denial: Denial) -> dict[bytes, frozenset[int]]:
    """The node keys of the names in the chain, with their types."""
    known = {denial.hash(relative_of_key(key[4:]) + APEX): key[4:] for key, _ in zone.items}
    return {known[key[4:]]: types_in(content, HASH) for key, content in zone.chain}


def test_every_name_has_its_hash_in_the_chain_empty_non_terminals_too() -> None:
    zone = made(TEXT, HASHED)
    assert names_in(zone, HASHED) == {
        b"": {rr.NS, rr.SOA, rr.RRSIG, rr.DNSKEY, rr.NSEC3PARAM},
        b"ns1": {rr.A, rr.RRSIG},
        b"ent": frozenset(),
        b"ent\0b": frozenset(),
        b"ent\0b\0a": {rr.A, rr.RRSIG},
        b"out": frozenset(),
        b"out\0deep": frozenset(),
        b"out\0deep\0cut": {rr.NS},
        b"in": frozenset(),
        b"in\0deep": frozenset(),
        b"in\0deep\0secure": {rr.NS, rr.DS, rr.RRSIG},
        b"both": frozenset(),
        b"both\0cut": {rr.NS},
        b"both\0name": {rr.TXT, rr.RRSIG},
        b"glue": {rr.NS},
        b"lua": {rr.A, rr.RRSIG},
        b"wild": frozenset(),
        b"wild\0*": {rr.TXT, rr.RRSIG},
    }


def test_opt_out_leaves_out_what_is_not_signed_and_what_leads_to_nothing_else() -> None:
    missing = names_in(made(TEXT, HASHED), HASHED).keys() - names_in(made(TEXT, OPT_OUT), OPT_OUT)
    assert missing == {b"out", b"out\0deep", b"out\0deep\0cut", b"both\0cut", b"glue"}


def test_each_hash_has_the_next_one_and_the_last_the_first() -> None:
    zone = made(TEXT, HASHED, zone_id=7)
    owners = [key for key, _ in zone.chain]
    assert owners == sorted(owners)
    assert {key[:4] for key in owners} == {b"\0\0\0\7"}
    following = [content[:HASH] for _, content in zone.chain]
    assert following == [key[4:] for key in owners[1:] + owners[:1]]


def test_only_nsec3_has_a_chain() -> None:
    for way in (Way.NSEC, Way.NARROW, Way.COMPACT):
        assert made(TEXT, Denial(way)).chain == []
    assert compiling.compiled(TEXT).chain == []


def test_nsec3param_is_at_the_apex_with_the_ttl_of_dnskey_and_not_in_transfers() -> None:
    for denial in (HASHED, Denial(Way.NARROW)):
        zone = made(TEXT, denial)
        rrset = nodes.rrset(zone.items[0][1], APEX, rr.NSEC3PARAM)
        assert rrset is not None
        assert (rrset.ttl, rrset.rdatas) == (300, (denial.parameters_rdata,))
        assert denial.parameters_rdata not in b"".join(zone.messages)
        assert zone.info.digest == made(TEXT, Denial()).info.digest
    assert rr.NSEC3PARAM not in nodes.types(made(TEXT, Denial(Way.COMPACT)).items[0][1])


def test_nodes_hold_the_types_alone_where_nothing_else_is_fixed() -> None:
    found = {key[4:]: nodes.nsec(node) for key, node in made(TEXT, Denial(Way.COMPACT)).items}
    assert types_in(found[b"ent\0b\0a"], 0) == {rr.A, rr.RRSIG, rr.NSEC}
    assert found[b"ent"] == found[b"glue\0x\0ns"] == b""


def test_a_second_process_makes_the_same_chain() -> None:
    text = "".join(f"n{number}.x A 192.0.2.1\n" for number in range(60))
    least, compiling_module.MIN_NAMES = compiling_module.MIN_NAMES, 10  # type: ignore[misc]
    try:
        halves = made(text, OPT_OUT, in_halves=True)
    finally:
        compiling_module.MIN_NAMES = least  # type: ignore[misc]
    whole = made(text, OPT_OUT)
    assert (halves.chain, halves.items) == (whole.chain, whole.items)
    assert len(whole.chain) == 63


class SameHash(Denial):
    """Hashes of two names that meet, as nobody has found for SHA-1 yet."""

    def hashes(self, relatives: list[bytes], apex: bytes) -> list[bytes]:
        return [bytes(HASH)] * len(relatives)


def test_two_names_of_one_hash_are_told() -> None:
    zone, _ = read_zone_text(HEAD.encode(), APEX, "example.org.zone")
    zone.records.sort()
    denial = SameHash(Way.NSEC3)
    draft = compile_zone(zone, 0, signed=True, lua=True, keys=(KEY,), denial=denial)
    assert [fault.rule for fault in draft.faults] == ["nsec3-same-hash"]


labels = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)
kinds = st.sampled_from(["A 192.0.2.1", "NS ns.elsewhere.", "NS x.y\n{} DS 1 13 2 " + "00" * 32])


@settings(max_examples=100)
@given(st.dictionaries(labels, kinds, max_size=12), st.booleans())
def test_the_chain_has_what_rfc_5155_says(zone: dict[str, str], opt_out: bool) -> None:
    """§7.1, one name after the other."""
    text = "".join(f"{name} {kind.format(name)}\n" for name, kind in zone.items())
    denial = Denial(Way.NSEC3, opt_out=opt_out)
    cuts = {name for name, kind in zone.items() if kind.startswith("NS")}
    visible = {name for name in zone if not any(name.endswith(f".{cut}") for cut in cuts)}
    if opt_out:
        visible -= {name for name in cuts if " DS " not in zone[name]}
    expected = {"", "ns1"}
    for name in visible:
        parts = name.split(".")
        expected |= {".".join(parts[at:]) for at in range(len(parts))}
    found = names_in(made(text, denial), denial)
    assert {".".join(reversed(key.decode().split("\0"))) for key in found} == expected
