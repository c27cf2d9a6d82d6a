"""The signature algorithms of DNSSEC that lzc signs with: 8, 10, 13, 14, 15 and 16.

``cryptography`` does the mathematics; this is how its keys and signatures look in DNS: RSA by
RFC 3110 and RFC 5702, ECDSA by RFC 6605, Ed25519 and Ed448 by RFC 8080.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

RSASHA256: Final = 8
RSASHA512: Final = 10
ECDSAP256SHA256: Final = 13
ECDSAP384SHA384: Final = 14
ED25519: Final = 15
ED448: Final = 16

RSA_BITS: Final = 2048
"""Modulus of a new RSA key unless said otherwise (RFC 8624 leaves the size to RFC 6781 §3.4.2)."""

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
Sign = Callable[[bytes], bytes]


MNEMONICS: Final = {
    RSASHA256: "RSASHA256",
    RSASHA512: "RSASHA512",
    ECDSAP256SHA256: "ECDSAP256SHA256",
    ECDSAP384SHA384: "ECDSAP384SHA384",
    ED25519: "ED25519",
    ED448: "ED448",
}
"""The algorithms as IANA's registry has them."""
RSA: Final = frozenset({RSASHA256, RSASHA512})
"""Those whose keys are RSA keys."""
NOT_RECOMMENDED: Final = frozenset({RSASHA512})
"""Those that validators know and that new zones had better not be signed with (RFC 8624 §3.1)."""
OCTETS: Final = {ECDSAP256SHA256: 32, ECDSAP384SHA384: 48, ED25519: 32, ED448: 57}
"""Octets of a private key, which are those of one coordinate; of RSA they have no fixed number."""

_CURVES: dict[int, Callable[[], ec.EllipticCurve]] = {
    ECDSAP256SHA256: ec.SECP256R1,
    ECDSAP384SHA384: ec.SECP384R1,
}


def from_text(text: str) -> int:
    """An algorithm's number, of its number or mnemonic in any case. Raises `ValueError`."""
    for number, mnemonic in MNEMONICS.items():
        if text in (str(number), f"{number:03}") or text.upper() == mnemonic:
            return number
    known = ", ".join(f"{mnemonic} ({number})" for number, mnemonic in MNEMONICS.items())
    raise ValueError(f"{text} is not an algorithm that lzc signs with; those are {known}")


def to_text(number: int) -> str:
    """The mnemonic of an algorithm number, or the number where it has none here."""
    return MNEMONICS.get(number, str(number))


def generate(number: int, bits: int = RSA_BITS) -> PrivateKey:
    """A new private key from the system's randomness; ``bits`` is the RSA modulus (2048–4096)."""
    if number in RSA:
        if not 2048 <= bits <= 4096:
            raise ValueError(f"RSA keys of {bits} bits are not made; 2048 to 4096 are")
        return rsa.generate_private_key(65537, bits)
    if number == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    if number == ED448:
        return ed448.Ed448PrivateKey.generate()
    return ec.generate_private_key(_CURVES[number]())


def from_scalar(number: int, secret: bytes) -> PrivateKey:
    """The private key of algorithms 13 to 16 out of its octets. Raises `ValueError` when they are
    no key."""
    if number == ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    if number == ED448:
        return ed448.Ed448PrivateKey.from_private_bytes(secret)
    return ec.derive_private_key(int.from_bytes(secret, "big"), _CURVES[number]())


def scalar(private: PrivateKey) -> bytes:
    """The octets of a private key of algorithms 13 to 16, as BIND files hold them."""
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return private.private_bytes_raw()
    assert isinstance(private, ec.EllipticCurvePrivateKey)  # RSA has no scalar form
    size = (private.key_size + 7) // 8
    return private.private_numbers().private_value.to_bytes(size, "big")


def public_octets(private: PrivateKey) -> bytes:
    """The Public Key field of the DNSKEY (RFC 3110 §2, RFC 6605 §4, RFC 8080 §3)."""
    if isinstance(private, rsa.RSAPrivateKey):
        return rsa_octets(private.public_key().public_numbers())
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return private.public_key().public_bytes_raw()
    return private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )[1:]


def rsa_octets(numbers: rsa.RSAPublicNumbers) -> bytes:
    """The Public Key field of an RSA key (RFC 3110 §2)."""
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    size = len(exponent)
    head = bytes((size,)) if size < 256 else b"\x00" + size.to_bytes(2, "big")
    return head + exponent + numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")


def fits(number: int, private: PrivateKey) -> bool:
    """Whether a private key is one of an algorithm."""
    if isinstance(private, rsa.RSAPrivateKey):
        return number in RSA
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return number in _CURVES and isinstance(private.curve, type(_CURVES[number]()))
    return number == (ED25519 if isinstance(private, ed25519.Ed25519PrivateKey) else ED448)


def of_key(private: PrivateKey) -> int | None:
    """The algorithm of a private key; `None` for RSA, of which there are two, and for curves that
    DNSSEC does not have."""
    found = [number for number in MNEMONICS if fits(number, private)]
    return found[0] if len(found) == 1 else None


def bits(private: PrivateKey) -> int:
    """The length of a key as ``pdnsutil`` and BIND's ``.state`` files have it: of the modulus, or
    of a coordinate."""
    if isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return private.key_size
    return 256 if isinstance(private, ed25519.Ed25519PrivateKey) else 456


def signature_octets(number: int, private: PrivateKey) -> int:
    """Octets of the Signature field of an RRSIG, which all signatures of a key have."""
    if isinstance(private, rsa.RSAPrivateKey):
        return (private.key_size + 7) // 8
    return 2 * OCTETS[number]


def signer(number: int, private: PrivateKey) -> Sign:
    """A function that signs octets and returns the Signature field of the RRSIG.

    The same octets always give the same signature: RSA and EdDSA by nature, ECDSA by RFC 6979
    where the cryptographic library can (OpenSSL 3.2 on), so that servers which share a key agree.
    """
    if isinstance(private, rsa.RSAPrivateKey):
        digest = hashes.SHA512() if number == RSASHA512 else hashes.SHA256()
        scheme, sign_rsa = padding.PKCS1v15(), private.sign
        return lambda data: sign_rsa(data, scheme, digest)
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return private.sign
    return _ecdsa(private)


@cache
def _ecdsa_scheme(size: int) -> ec.ECDSA:
    digest = hashes.SHA256() if size == 32 else hashes.SHA384()
    curve = ec.SECP256R1() if size == 32 else ec.SECP384R1()
    try:
        scheme = ec.ECDSA(digest, deterministic_signing=True)
        ec.derive_private_key(1, curve).sign(b"", scheme)
    except (TypeError, UnsupportedAlgorithm):
        return ec.ECDSA(digest)
    return scheme


def _ecdsa(private: ec.EllipticCurvePrivateKey) -> Sign:
    size = (private.key_size + 7) // 8
    scheme = _ecdsa_scheme(size)
    sign_der = private.sign

    def sign(data: bytes) -> bytes:
        # SEQUENCE { INTEGER r, INTEGER s }; all lengths are one octet for these two curves. Cutting
        # it by hand takes 0.2 µs, decode_dss_signature and two int.to_bytes 1.5 µs.
        der = sign_der(data, scheme)
        octets = der[3]
        end = 4 + octets
        if octets >= size and der[end + 1] >= size:
            return der[end - size : end] + der[-size:]
        r, s = der[4:end], der[end + 2 :]
        return r[-size:].rjust(size, b"\x00") + s[-size:].rjust(size, b"\x00")

    return sign
