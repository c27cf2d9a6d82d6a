"""Keys in PEM: what is read, and what is refused without a word of it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from lzc.dnssec import algorithms
from lzc.dnssec.key import KSK_FLAGS, SigningKey
from lzc.dnssec.keystore import bindfile, importing
from lzc.faults import InputError
from lzc.wire import name

ZONE = name.from_text("example.org.")
NOW = 1_790_000_000

KNOT_3_2 = """\
-----BEGIN PRIVATE KEY-----
{}
-----END PRIVATE KEY-----
"""


def file_of(folder: Path, text: str) -> Path:
    file = folder / "key.pem"
    file.touch(0o600)
    file.write_text(text)
    return file


@pytest.mark.parametrize("algorithm", sorted(algorithms.MNEMONICS))
def test_a_key_goes_out_and_comes_in_again(tmp_path: Path, algorithm: int) -> None:
    key = SigningKey.make(ZONE, algorithm, KSK_FLAGS, algorithms.generate(algorithm))
    file = file_of(tmp_path, importing.pem(key))
    said = algorithm if algorithm in algorithms.RSA else None
    assert importing.read(file, ZONE, NOW, KSK_FLAGS, said).key.dnskey == key.dnskey


@pytest.mark.parametrize("number", ["00" + "c4" * 32, "7f" * 31])
def test_a_number_with_another_count_of_octets_is_read(tmp_path: Path, number: str) -> None:
    """As GnuTLS writes it: half of the keys that Knot DNS 3.2 makes."""
    octets = bytes.fromhex(number)
    inner = b"\x02\x01\x01\x04" + bytes((len(octets),)) + octets
    inner = b"\x30" + bytes((len(inner),)) + inner
    kind = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    der = b"\x02\x01\x00" + kind + b"\x04" + bytes((len(inner),)) + inner
    der = b"\x30" + bytes((len(der),)) + der
    file = file_of(tmp_path, KNOT_3_2.format(base64.b64encode(der).decode()))
    key = importing.read(file, ZONE, NOW, KSK_FLAGS).key
    expected = ec.derive_private_key(int(number, 16), ec.SECP256R1())
    assert key.dnskey[4:] == algorithms.public_octets(expected)


def pem_of(private: object, passphrase: bytes = b"") -> str:
    way = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return private.private_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, way
    ).decode()


RSA = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("text", "algorithm", "message"),
    [
        (pem_of(RSA), None, "add --algorithm RSASHA256 or RSASHA512"),
        (pem_of(RSA), 13, "no ECDSAP256SHA256 key"),
        (pem_of(RSA, b"secret"), 8, "protected by a passphrase"),
        (pem_of(ec.generate_private_key(ec.SECP521R1())), None, "a curve that DNSSEC does not"),
        (pem_of(x25519.X25519PrivateKey.generate()), None, "a kind that DNSSEC does not have"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "not a private"),
        ("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", None, "not a private"),
    ],
)
def test_what_is_no_key_of_a_zone_is_refused(
    tmp_path: Path, text: str, algorithm: int | None, message: str
) -> None:
    file = file_of(tmp_path, text)
    with pytest.raises(InputError) as error:
        importing.read(file, ZONE, NOW, KSK_FLAGS, algorithm)
    assert message in error.value.faults[0].message
    assert text.splitlines()[1][:20] not in str(error.value)


def test_an_algorithm_that_the_file_contradicts_is_refused(tmp_path: Path) -> None:
    key = SigningKey.make(ZONE, 15, KSK_FLAGS, algorithms.generate(15))
    file = file_of(tmp_path, bindfile.format_private(key))
    with pytest.raises(InputError) as error:
        importing.read(file, ZONE, NOW, KSK_FLAGS, 13)
    assert error.value.faults[0].rule == "key-algorithm"


@pytest.mark.parametrize("is_pem", [True, False])
@pytest.mark.parametrize(
    ("bits", "exponent", "message"),
    [(4104, 65537, "4104 bits is too long"), (1024, 2**64 + 13, "exponent of 65 bits")],
)
def test_rsa_keys_that_validators_refuse_are_not_taken(
    tmp_path: Path, bits: int, exponent: int, message: str, is_pem: bool
) -> None:
    private = rsa_with(exponent) if bits == 1024 else rsa.generate_private_key(65537, bits)
    key = SigningKey.make(ZONE, 8, KSK_FLAGS, private)
    file = file_of(tmp_path, importing.pem(key) if is_pem else bindfile.format_private(key))
    with pytest.raises(InputError) as error:
        importing.read(file, ZONE, NOW, KSK_FLAGS, 8)
    assert message in error.value.faults[0].message


def rsa_with(exponent: int) -> rsa.RSAPrivateKey:
    """The key of the other tests with another exponent."""
    numbers = RSA.private_numbers()
    p, q = numbers.p, numbers.q
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, numbers.public_numbers.n)
    parts = p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p)
    return rsa.RSAPrivateNumbers(*parts, public).private_key()
