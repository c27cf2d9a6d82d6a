"""Keys: tags, DS records, timing, and signatures that do not vary."""

from __future__ import annotations

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdatatype
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.dnssec import algorithms, ds
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey, key_tag, role
from lzc.dnssec.life.timing import Timing
from lzc.wire import name

ZONE = name.from_text("example.org.")
ALL = (8, 10, 13, 14, 15, 16)


def make(algorithm: int, flags: int = KSK_FLAGS) -> SigningKey:
    return SigningKey.make(ZONE, algorithm, flags, algorithms.generate(algorithm))


def read_dnskey(rdata: bytes) -> dns.rdata.Rdata:
    return dns.rdata.from_wire("IN", "DNSKEY", rdata, 0, len(rdata))


@pytest.mark.parametrize("algorithm", ALL)
def test_tag_and_ds_are_those_of_dnspython(algorithm: int) -> None:
    key = make(algorithm)
    dnskey = read_dnskey(key.dnskey)
    assert key.tag == dns.dnssec.key_id(dnskey)  # type: ignore[arg-type]
    for digest_type, digest in ((ds.SHA256, "SHA256"), (ds.SHA384, "SHA384")):
        expected = dns.dnssec.make_ds("example.org.", dnskey, digest)
        assert ds.ds_rdata(ZONE, key.dnskey, digest_type) == expected.to_wire()


@pytest.mark.parametrize(("algorithm", "size"), [(13, 32), (14, 48)])
def test_numbers_of_a_signature_have_their_octets_however_small_they_are(
    algorithm: int, size: int
) -> None:
    """One in 128 has a number that begins with a zero (RFC 6605 §4)."""
    private = algorithms.generate(algorithm)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public = private.public_key()
    sign = algorithms.signer(algorithm, private)
    digest = hashes.SHA256() if algorithm == 13 else hashes.SHA384()
    short, number = 0, 0
    while short < 4:
        number += 1
        data = number.to_bytes(4, "big")
        made = sign(data)
        assert len(made) == 2 * size
        r, s = (int.from_bytes(part, "big") for part in (made[:size], made[size:]))
        public.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(digest))
        short += min(r, s) < 1 << 8 * size - 8


def test_the_ds_of_rfc_4509_section_2_3() -> None:
    public = (
        "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZ"
        "DRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9"
        "DMBmADjFDc2w/rljwvFw=="
    )
    dnskey = dns.rdata.from_text("IN", "DNSKEY", public).to_wire()
    assert dnskey is not None
    zone = name.from_text("dskey.EXAMPLE.com.")
    assert key_tag(dnskey) == 60485
    assert ds.to_text(zone, ds.ds_rdata(zone, dnskey)) == (
        "dskey.EXAMPLE.com. IN DS 60485 5 2 "
        "D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A"
    )


@settings(max_examples=50)
@given(st.binary(min_size=5, max_size=300))
def test_the_tag_of_any_octets_is_that_of_rfc_4034_appendix_b(rdata: bytes) -> None:
    total = sum(octet if at & 1 else octet << 8 for at, octet in enumerate(rdata))
    assert key_tag(rdata) == (total + (total >> 16 & 0xFFFF)) & 0xFFFF


@pytest.mark.parametrize("algorithm", ALL)
def test_the_same_octets_give_the_same_signature(algorithm: int) -> None:
    key = make(algorithm)
    assert key.sign(b"the RRset") == key.sign(b"the RRset")
    assert key.sign(b"the RRset") != key.sign(b"another")


@pytest.mark.parametrize(("algorithm", "octets"), [(8, 256), (13, 64), (14, 96), (15, 64)])
def test_a_signature_has_the_length_of_its_algorithm(algorithm: int, octets: int) -> None:
    key = make(algorithm)
    # One ECDSA signature in 128 has an r or s with leading zero octets, which DER leaves out.
    attempts = 300 if algorithm == 13 else 5
    assert {len(key.sign(b"%d" % number)) for number in range(attempts)} == {octets}


def test_p256_signs_the_vector_of_rfc_6979_appendix_a_2_5() -> None:
    secret = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
    key = SigningKey.make(ZONE, 13, KSK_FLAGS, algorithms.from_scalar(13, secret))
    assert key.sign(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


def test_a_key_does_not_show_its_private_part() -> None:
    key = make(15)
    assert isinstance(key.private, algorithms.PrivateKey)
    assert "private" not in repr(key)
    assert algorithms.scalar(key.private).hex() not in repr(key)
    assert str(algorithms.scalar(key.private)) not in repr(key)


NEVER = (False, False)
PUBLISHED = (True, False)
ACTIVE = (True, True)


@pytest.mark.parametrize(
    ("timing", "at", "expected"),
    [
        (Timing(), 0, ACTIVE),
        (Timing(created=10), 20, NEVER),
        (Timing(created=10, publish=20, activate=30), 19, NEVER),
        (Timing(created=10, publish=20, activate=30), 20, PUBLISHED),
        (Timing(created=10, publish=20, activate=30), 30, ACTIVE),
        (Timing(publish=20), 30, PUBLISHED),
        (Timing(activate=30), 29, NEVER),
        (Timing(activate=30), 30, ACTIVE),
        (Timing(activate=10, publish=20), 15, NEVER),
        (Timing(publish=20, activate=30, inactive=40), 39, ACTIVE),
        (Timing(publish=20, activate=30, inactive=40), 40, PUBLISHED),
        (Timing(publish=20, activate=30, inactive=40, delete=50), 50, NEVER),
        (Timing(publish=20, activate=30, delete=40), 40, NEVER),
        (Timing(delete=40), 39, NEVER),
    ],
)
def test_timing_says_when_a_key_is_published_and_active(
    timing: Timing, at: int, expected: tuple[bool, bool]
) -> None:
    assert (timing.is_published(at), timing.is_active(at)) == expected
    assert timing.state(at) == {NEVER: "hidden", PUBLISHED: "published", ACTIVE: "active"}[expected]


def test_the_next_change_is_the_nearest_moment_ahead() -> None:
    timing = Timing(publish=20, activate=30, inactive=40)
    assert [timing.changes_after(at) for at in (10, 20, 35, 40)] == [20, 30, 40, float("inf")]


def test_a_key_with_the_sep_flag_is_a_csk_until_its_algorithm_has_a_zsk() -> None:
    ksk, zsk, other = make(13), make(13, ZSK_FLAGS), make(15)
    assert role(ksk, [ksk, other]) == "CSK"
    assert role(ksk, [ksk, zsk]) == "KSK"
    assert role(zsk, [ksk, zsk]) == "ZSK"
    assert role(other, [ksk, zsk, other]) == "CSK"


@pytest.mark.parametrize("text", ["13", "013", "ECDSAP256SHA256", "ecdsap256sha256"])
def test_algorithms_have_numbers_and_mnemonics(text: str) -> None:
    assert algorithms.from_text(text) == 13


@pytest.mark.parametrize("text", ["5", "RSASHA1", "12", ""])
def test_other_algorithms_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="ED25519"):
        algorithms.from_text(text)


def test_short_rsa_keys_are_not_made() -> None:
    with pytest.raises(ValueError, match="1024"):
        algorithms.generate(8, 1024)
