"""NSEC3 hashes, against RFC 5155 and dnspython, and what a way of denial is written as."""

from __future__ import annotations

import base64

import dns.dnssec
import dns.name
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec.signing.denial import HASH, NSEC_CHAIN, Denial, Way, label, neighbours, shifted
from lzc.wire import name

RFC = Denial(Way.NSEC3, 12, bytes.fromhex("aabbccdd"), opt_out=True)
"""That of RFC 5155 appendix A."""

labels = st.lists(st.binary(min_size=1, max_size=20), max_size=5)
salts = st.binary(max_size=12)
ways = st.sampled_from(Way)


@pytest.mark.parametrize(
    ("owner", "hashed"),
    [
        ("example.", b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example.", b"35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("ns1.example.", b"2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
        ("*.w.example.", b"r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ("x.y.w.example.", b"2vptu5timamqttgl4luu9kg21e0aor3s"),
    ],
)
def test_the_hashes_of_rfc_5155_appendix_a(owner: str, hashed: bytes) -> None:
    assert label(RFC.hash(name.from_text(owner))) == bytes((32,)) + hashed


@given(labels, st.integers(0, 20), salts)
def test_a_hash_is_that_of_dnspython(parts: list[bytes], iterations: int, salt: bytes) -> None:
    wire = name.from_labels(parts).lower()
    denial = Denial(Way.NSEC3, iterations, salt)
    theirs = dns.dnssec.nsec3_hash(dns.name.from_wire(wire, 0)[0], salt, iterations, 1)
    assert base64.b32hexencode(denial.hash(wire)).decode() == theirs
    assert denial.hashes([wire[:-1]], b"\0") == [denial.hash(wire)]


@given(st.binary(min_size=HASH, max_size=HASH))
def test_the_label_of_a_hash_is_its_base32(digest: bytes) -> None:
    assert label(digest) == bytes((32,)) + base64.b32hexencode(digest).lower()


@given(st.binary(min_size=19, max_size=19), st.sampled_from([0, 1, 127, 254, 255]))
def test_the_neighbours_of_a_hash_are_right_before_and_right_behind_it(
    head: bytes, last: int
) -> None:
    digest = head + bytes((last,))
    assert neighbours(digest) == (shifted(digest, -1), shifted(digest, 1))


@given(ways, st.integers(0, 65535), salts, st.booleans())
def test_what_is_written_is_read(way: Way, iterations: int, salt: bytes, opt_out: bool) -> None:
    denial = Denial(way, iterations, salt, opt_out) if Denial(way).is_hashed else Denial(way)
    assert Denial.from_text(str(denial)) == denial


@pytest.mark.parametrize(
    "text", ["", "nsec4", "nsec 1 0 0 -", "nsec3 2 0 0 -", "nsec3 1 0 0", "nsec3 1 2 0 -"]
)
def test_what_is_no_denial_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Denial.from_text(text)


def test_rdata_is_read_by_dnspython() -> None:
    rdata = RFC.parameters_rdata
    read = dns.rdata.from_wire("IN", "NSEC3PARAM", rdata, 0, len(rdata))
    assert read.to_text() == "1 0 12 aabbccdd"
    rdata = RFC.head + bytes(HASH)
    read = dns.rdata.from_wire("IN", "NSEC3", rdata, 0, len(rdata))
    assert read.to_text().split()[:4] == ["1", "1", "12", "aabbccdd"]
    assert RFC.parameters == "1 1 12 aabbccdd"
    assert Denial(Way.NARROW).parameters == "1 0 0 -"


def test_hashes_go_round_in_a_circle() -> None:
    assert shifted(bytes(HASH), -1) == b"\xff" * HASH
    assert shifted(b"\xff" * HASH, 1) == bytes(HASH)
    assert shifted(bytes(19) + b"\xff", 1) == bytes(18) + b"\1\0"


def test_nsec_is_the_way_where_nothing_is_said() -> None:
    assert NSEC_CHAIN == Denial() == Denial.from_text("nsec")
