"""The public half of a key in a token: how PKCS #11 has it, and the DNSKEY."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from lzc.dnssec import algorithms

CURVES: Final = {
    algorithms.ECDSAP256SHA256: bytes.fromhex("06082a8648ce3d030107"),
    algorithms.ECDSAP384SHA384: bytes.fromhex("06052b81040022"),
    algorithms.ED25519: bytes.fromhex("06032b6570"),
}
"""Their object identifiers in DER, as CKA_EC_PARAMS has them (RFC 5480 §2.1.1.1, RFC 8410 §3)."""
_ED25519_BY_NAME: Final = b"\x13\x0cedwards25519"
"""As PKCS #11 has it since 2.40: a PrintableString."""
_OCTET_STRING, _BIT_STRING = 0x04, 0x03


def of_rsa(modulus: bytes, exponent: bytes) -> bytes:
    """The Public Key field of a DNSKEY (RFC 3110 §2). Raises `ValueError` where it is no key."""
    n, e = (int.from_bytes(one, "big") for one in (modulus, exponent))
    return algorithms.rsa_octets(rsa.RSAPublicNumbers(e, n).public_key().public_numbers())


def fits_curve(algorithm: int, parameters: bytes) -> bool:
    """Whether CKA_EC_PARAMS is the curve of an algorithm."""
    if algorithm == algorithms.ED25519 and parameters == _ED25519_BY_NAME:
        return True
    return parameters == CURVES[algorithm]


def of_point(algorithm: int, point: bytes) -> bytes:
    """The Public Key field of a DNSKEY (RFC 6605 §4, RFC 8080 §3) out of CKA_EC_POINT: in DER as
    PKCS #11 says, or bare as some tokens have it. Raises `ValueError` where it is no point."""
    size = algorithms.OCTETS[algorithm]
    bare = size if algorithm == algorithms.ED25519 else 2 * size + 1
    # DER of so few octets has a length of one octet.
    if len(point) == bare + 2 and point[:2] == bytes((_OCTET_STRING, bare)):
        point = point[2:]
    elif len(point) == bare + 3 and point[:3] == bytes((_BIT_STRING, bare + 1, 0)):
        point = point[3:]
    if len(point) != bare:
        raise ValueError(f"a point of {len(point)} octets")
    if algorithm == algorithms.ED25519:
        return point
    _curve_point(algorithm, point)
    return point[1:]


def verifies(algorithm: int, public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature, as in an RRSIG, is of the key with this Public Key field."""
    try:
        if algorithm in algorithms.RSA:
            size, at = (public[0], 1) if public[0] else (int.from_bytes(public[1:3], "big"), 3)
            e, n = public[at : at + size], public[at + size :]
            numbers = rsa.RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big"))
            digest = hashes.SHA512() if algorithm == algorithms.RSASHA512 else hashes.SHA256()
            numbers.public_key().verify(signature, data, padding.PKCS1v15(), digest)
        elif algorithm == algorithms.ED25519:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        else:
            half = algorithms.OCTETS[algorithm]
            r, s = (int.from_bytes(one, "big") for one in (signature[:half], signature[half:]))
            is_256 = algorithm == algorithms.ECDSAP256SHA256
            scheme = ec.ECDSA(hashes.SHA256() if is_256 else hashes.SHA384())
            key = _curve_point(algorithm, b"\x04" + public)
            key.verify(utils.encode_dss_signature(r, s), data, scheme)
    except (InvalidSignature, ValueError, IndexError):
        return False
    return True


def _curve_point(algorithm: int, point: bytes) -> ec.EllipticCurvePublicKey:
    is_256 = algorithm == algorithms.ECDSAP256SHA256
    curve = ec.SECP256R1() if is_256 else ec.SECP384R1()
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
