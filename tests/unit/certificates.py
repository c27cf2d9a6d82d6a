"""Certificates and keys for tests of TLS, made anew each time: of a CA of their own, or of none."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NAME = "ns1.lzc.example"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def pin(self) -> str:
        spki = self.key.public_key().public_bytes(
            Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """``NAME.pem`` and ``NAME.key``, which is the owner's alone; each in one step."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        for path, octets, mode in zip(paths, (self.pem, self.key_pem), (0o644, 0o600), strict=True):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(octets)
            fresh.chmod(mode)
            os.replace(fresh, path)
        return paths


def make(
    name: str = NAME,
    *,
    issuer: Pair | None = None,
    ca: bool = False,
    days: float = 90,
    since: float = 1,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Pair:
    """A certificate for ``name``, by ``issuer`` or by itself, valid since ``since`` days ago and
    for ``days`` more."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    by, sign = (subject, own) if issuer is None else (issuer.certificate.subject, issuer.key)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=since))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(sign.public_key()), critical=False
        )
    )
    if not ca:
        built = built.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
    return Pair(built.sign(sign, hashes.SHA256()), own)
