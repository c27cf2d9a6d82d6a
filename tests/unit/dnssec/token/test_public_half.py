"""Public halves as tokens have them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lzc.dnssec import algorithms
from lzc.dnssec.token import public_half
from lzc.dnssec.token.sessions import ALGORITHMS


def der(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - algorithms.RSA))
def test_a_point_is_taken_bare_and_in_der(algorithm: int) -> None:
    public = algorithms.public_octets(algorithms.generate(algorithm))
    bare = public if algorithm == algorithms.ED25519 else b"\x04" + public
    for point in (bare, der(4, bare), der(3, b"\x00" + bare)):
        assert public_half.of_point(algorithm, point) == public
    for wrong in (b"", bare[1:], bare + b"\x00", der(5, bare), b"\x02" + public):
        with pytest.raises(ValueError):
            public_half.of_point(algorithm, wrong)


def test_what_is_not_on_the_curve_is_no_point() -> None:
    with pytest.raises(ValueError):
        public_half.of_point(algorithms.ECDSAP256SHA256, b"\x04" + b"\x01" * 64)


def test_the_numbers_of_rsa_are_those_of_the_dnskey() -> None:
    private = algorithms.generate(algorithms.RSASHA256)
    assert isinstance(private, rsa.RSAPrivateKey)
    numbers = private.public_key().public_numbers()
    modulus, exponent = numbers.n.to_bytes(257, "big"), numbers.e.to_bytes(4, "big")
    assert public_half.of_rsa(modulus, exponent) == algorithms.public_octets(private)
    with pytest.raises(ValueError):
        public_half.of_rsa(b"\x00", b"\x00")


def test_curves_are_told_apart() -> None:
    for algorithm, parameters in public_half.CURVES.items():
        fitting = [one for one in public_half.CURVES if public_half.fits_curve(one, parameters)]
        assert fitting == [algorithm]
    assert public_half.fits_curve(algorithms.ED25519, der(0x13, b"edwards25519"))
    assert not public_half.fits_curve(algorithms.ED25519, der(0x13, b"edwards448"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_proves_the_pair(algorithm: int) -> None:
    private, other = (algorithms.generate(algorithm) for _ in range(2))
    made = algorithms.signer(algorithm, private)(b"data")
    public = algorithms.public_octets(private)
    assert public_half.verifies(algorithm, public, made, b"data")
    assert not public_half.verifies(algorithm, public, made, b"date")
    assert not public_half.verifies(algorithm, public, b"", b"data")
    assert not public_half.verifies(algorithm, algorithms.public_octets(other), made, b"data")
