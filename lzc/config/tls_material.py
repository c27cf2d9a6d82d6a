"""The certificate and the key that the server shows over TLS, and the CA of its clients: read from
their files, and tried before anybody is given them."""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from lzc.faults import Fault, InputError, Place

if TYPE_CHECKING:
    from lzc.config import Config

TlsKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
TLS_KEYS: Final = (RSAPrivateKey, EllipticCurvePrivateKey, Ed25519PrivateKey, Ed448PrivateKey)
DAY: Final = 86400.0
WARNED: Final = 21 * DAY
"""Seconds before its end from which on a certificate is warned of, or the last quarter of its life,
where that is less."""
_RENEWED: Final = "have it renewed, and reload: lzc ctl reload"


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """PEM, as it stands in the files: ``chain`` begins with the certificate of the server,
    ``client_ca`` may be empty. The key is never shown."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes = b""

    def certificates(self) -> list[x509.Certificate]:
        """The chain, parsed. Raises `ValueError`."""
        return x509.load_pem_x509_certificates(self.chain)

    def client_cas(self) -> list[x509.Certificate]:
        """The CA certificates, parsed. Raises `ValueError`."""
        return x509.load_pem_x509_certificates(self.client_ca) if self.client_ca else []

    def private_key(self) -> TlsKey:
        """The key, parsed. Raises `ValueError` for what is no key of a kind that TLS 1.3 has,
        `TypeError` for one that is sealed, or `UnsupportedAlgorithm`."""
        key = load_pem_private_key(self.key, None)
        if not isinstance(key, TLS_KEYS):
            raise ValueError("a key of a kind that TLS has no signatures of")
        return key

    def to_message(self) -> list[str]:
        """For a worker."""
        return [self.chain.hex(), self.key.hex(), self.client_ca.hex()]

    @classmethod
    def from_message(cls, message: list[str]) -> Self:
        """What `to_message` gave."""
        return cls(*map(bytes.fromhex, message))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a certificate says: when it is valid, in seconds since the epoch, its DNS names and
    addresses, and the ``pin`` of its key (SHA-256 of the SubjectPublicKeyInfo, in base64)."""

    not_before: float
    not_after: float
    names: tuple[str, ...]
    pin: str

    def is_late(self, now: float) -> bool:
        """Whether its end is near, or past; ``now`` is in seconds since the epoch."""
        return now > self.not_after - min(WARNED, (self.not_after - self.not_before) / 4)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Of a certificate."""
        return cls(
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            _names(certificate),
            pin_of(certificate),
        )


def pin_of(certificate: x509.Certificate) -> str:
    """The pin of its key (RFC 7858 §4.2), in base64."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def read_material(config: Config) -> tuple[TlsMaterial, Shown]:
    """What the settings name. Raises `InputError` with all that is wrong: files that cannot be
    read, that hold something else, or that others may read; a key that is not the certificate's."""
    faults: list[Fault] = []
    found: dict[str, bytes] = {}
    for name, read in (
        ("certificate", config.tls_certificate),
        ("key", config.tls_key),
        ("client CA", config.tls_client_ca),
    ):
        try:
            found[name] = read()
        except InputError as error:
            faults += error.faults
    material = TlsMaterial(
        found.get("certificate", b""), found.get("key", b""), found.get("client CA", b"")
    )
    serve = config.serve
    shown = None
    if "certificate" in found:
        shown = _parsed_certificate(config.path(serve.tls_certificate_file or ""), material, faults)
    if found.get("client CA"):
        _look_at_ca(config.path(serve.tls_client_ca_file or ""), material, faults)
    if "key" in found:
        _look_at_key(config.path(serve.tls_key_file or ""), material, shown, faults)
    if faults or shown is None:
        raise InputError(faults)
    return material, shown


def _parsed_certificate(path: Path, material: TlsMaterial, faults: list[Fault]) -> Shown | None:
    try:
        return Shown.of(material.certificates()[0])
    except (ValueError, UnsupportedAlgorithm) as error:
        problem = "the certificate of TLS cannot be read: it is not PEM, or damaged"
        fix = f"see what openssl x509 -in {shlex.quote(str(path))} -noout -text says"
        faults.append(Fault(Place(str(path)), "tls-certificate", problem, str(error), fix))
        return None


def _look_at_ca(path: Path, material: TlsMaterial, faults: list[Fault]) -> None:
    try:
        material.client_cas()
    except ValueError as error:
        problem = "the CA of TLS clients cannot be read: it is not PEM, or damaged"
        fix = f"see what openssl x509 -in {shlex.quote(str(path))} -noout -text says"
        faults.append(Fault(Place(str(path)), "tls-client-ca", problem, str(error), fix))


def _look_at_key(
    path: Path, material: TlsMaterial, shown: Shown | None, faults: list[Fault]
) -> None:
    try:
        public = material.private_key().public_key()
    except TypeError:
        problem = "the key of TLS is sealed with a passphrase, which nobody could give at a start"
        fix = f"openssl pkey -in {shlex.quote(str(path))} -out FILE, and keep that 0600"
        faults.append(Fault(Place(str(path)), "tls-key", problem, fix=fix))
        return
    except (ValueError, UnsupportedAlgorithm):
        # What the library says of it might quote the file.
        problem = "the key of TLS cannot be read: it is no private key in PEM, or damaged"
        fix = "bring back the file that the certificate was asked for with"
        faults.append(Fault(Place(str(path)), "tls-key", problem, fix=fix))
        return
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    if shown is not None and pin != shown.pin:
        problem = "the key of TLS is not that of the certificate"
        why = "a client would be shown a certificate that the server cannot prove to have"
        fix = "put both in place, the certificate first in its file, then the CAs that issued it"
        faults.append(Fault(Place(str(path)), "tls-key", problem, why, fix))


def out_of_date(path: Path, shown: Shown, now: float | None = None) -> Fault | None:
    """The fault of a certificate that is not valid now; `None` of one that is."""
    now = time.time() if now is None else now
    if shown.not_before <= now < shown.not_after:
        return None
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(shown.not_after))
    problem = f"the certificate of TLS has expired ({day} UTC)"
    if now < shown.not_before:
        day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(shown.not_before))
        problem = f"the certificate of TLS is valid from {day} UTC on only"
    why = "secondaries that look at its name refuse to transfer; those that pin its key need not"
    return Fault(Place(str(path)), "tls-certificate-date", problem, why, _RENEWED)
