"""TLS 1.3 as the server speaks it (RFC 7858, RFC 9103), without sockets: what came over the wire
goes in, and what is to go out is taken from here.

A certificate that a client shows ends no handshake: anybody may ask over TLS. What it is worth is
looked at where a zone is asked for (`lzc.answer.transfer_access`), by the public key in it or by
the CA that vouches for it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto

from lzc.answer.tls_client import TlsClient
from lzc.config.tls_material import TlsMaterial

ALPN: Final = b"dot"
"""The protocol of RFC 7858, which RFC 9103 §7.1 asks for by this name."""
RECORD: Final = 16384
"""Octets of one TLS record at most (RFC 8446 §5.1)."""
_OVERHEAD: Final = 64
"""Octets that a record takes besides, with some room."""
_GREETING: Final = 128 * 1024
"""Octets that a client may send before its handshake is done; certificates can be long."""
_CLIENT_WORDS: Final = {
    "unknown ca": "it does not trust the issuer of our certificate, or has another pin or name",
    "bad certificate": "it does not take our certificate: wrong name, pin or issuer",
    "certificate unknown": "it does not take our certificate: wrong name, pin or issuer",
    "certificate expired": "our certificate has expired, says the client",
    "certificate revoked": "our certificate was revoked, says the client",
    "unsupported certificate": "it does not support our certificate",
    "access denied": "it does not take our certificate: wrong name, pin or issuer",
}
"""Alerts of clients that do not take our certificate (RFC 8446 §6.2)."""
_OUR_WORDS: Final = {
    "unsupported protocol": "it does not speak TLS 1.3",
    "wrong version number": "it does not speak TLS",
    "http request": "it speaks HTTP, not TLS",
    "https proxy request": "it speaks HTTP, not TLS",
    "no shared cipher": "it has no cipher of TLS 1.3 that we have",
    "no suitable signature algorithm": "it does not support the key of our certificate",
}
_PROBLEMS: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed, and not in tls-client-ca-file",
    19: "its certificate was not issued by a CA in tls-client-ca-file",
    20: "its certificate was not issued by a CA in tls-client-ca-file",
    21: "its certificate was not issued by a CA in tls-client-ca-file",
    26: "its certificate is not for TLS clients (extended key usage)",
}
"""By the numbers of OpenSSL's X509_V_ERR_*."""


class TlsFailure(Exception):
    """The connection cannot go on: says why. ``ours``: it is our certificate that the client does
    not take, which the operator has to know."""

    def __init__(self, why: str, *, ours: bool = False) -> None:
        super().__init__(why)
        self.ours = ours


class _NoCommonProtocol(Exception):
    """The client offers protocols, of which none is ours (RFC 7301 §3.2)."""


class TlsContext:
    """What handshakes of the server are made with. Raises `OpenSSL.SSL.Error` or `ValueError` where
    the material is not usable: `lzc.config.tls_material` looks before."""

    __slots__ = ("_context",)

    def __init__(self, material: TlsMaterial, *, ask: bool) -> None:
        """With ``ask``, clients are asked for a certificate."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        # A connection stays open, and one that is resumed would bring what was verified long ago.
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        first, *others = material.certificates()
        context.use_certificate(crypto.X509.from_cryptography(first))
        for one in others:
            context.add_extra_chain_cert(crypto.X509.from_cryptography(one))
        context.use_privatekey(crypto.PKey.from_cryptography_key(material.private_key()))
        context.check_privatekey()
        context.set_alpn_select_callback(_choose)
        if ask:
            store = context.get_cert_store()
            assert store is not None
            for one in material.client_cas():
                store.add_cert(crypto.X509.from_cryptography(one))
            context.set_verify(SSL.VERIFY_PEER, _note)
        self._context = context

    def stream(self) -> TlsStream:
        """One more connection."""
        return TlsStream(SSL.Connection(self._context, None))


def _choose(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
    if ALPN in offered:
        return ALPN
    raise _NoCommonProtocol


def _note(connection: SSL.Connection, _one: crypto.X509, number: int, _depth: int, ok: int) -> bool:
    """Remember what is wrong with the certificate of a client, first of all."""
    if not ok and not connection.get_app_data():
        connection.set_app_data(_PROBLEMS.get(number, f"its certificate is wrong (error {number})"))
    return True


class TlsStream:
    """One connection. ``client`` is who it is with, once `handshake` is done; ``ended`` is true
    when the client said that nothing more comes, ``shown`` when it has seen our certificate."""

    __slots__ = ("_connection", "_greeted", "client", "ended", "shown")

    def __init__(self, connection: SSL.Connection) -> None:
        connection.set_accept_state()
        self._connection = connection
        self._greeted = 0
        self.client: TlsClient | None = None
        self.ended = self.shown = False

    def feed(self, octets: bytes) -> None:
        """This came over the wire. Raises `TlsFailure`."""
        if self.client is None:
            self._greeted += len(octets)
            if self._greeted > _GREETING:
                raise TlsFailure("its handshake is longer than any")
        self._connection.bio_write(octets)

    def handshake(self) -> bool:
        """Go on with the handshake; true once it is done. Raises `TlsFailure`."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except _NoCommonProtocol:
            raise TlsFailure("it offers protocols by ALPN, and dot is none of them") from None
        except SSL.Error as error:
            raise _failure(error) from None
        self.client = self._identify()
        return True

    def broke_off(self) -> TlsFailure:
        """What it means that the connection is gone before the handshake is done."""
        if not self.shown:
            return TlsFailure("it broke off before it had said what it wants")
        return TlsFailure(
            "it broke off when it had seen our certificate, whose name or issuer it may not take:"
            " its log says why",
            ours=True,
        )

    def read(self, most: int) -> bytes:
        """What the client said, up to so many octets; nothing where more of the wire is needed.
        Raises `TlsFailure`."""
        try:
            return self._connection.recv(most)
        except SSL.WantReadError:
            return b""
        except SSL.ZeroReturnError:
            self.ended = True
            return b""
        except SSL.Error as error:
            raise _failure(error) from None

    def wrap(self, data: bytes) -> bytes:
        """What is to go over the wire for ``data``, and whatever else waits. Raises
        `TlsFailure`."""
        try:
            # All of it at once: the memory that it is written to takes as much as there is.
            self._connection.sendall(data)
        except SSL.Error as error:
            raise _failure(error) from None
        return self.outgoing(len(data) + (len(data) // RECORD + 2) * _OVERHEAD)

    def outgoing(self, most: int = RECORD) -> bytes:
        """What is to go over the wire that nobody asked for; ``most`` octets are looked for at
        once."""
        found: list[bytes] = []
        try:
            while True:
                found.append(self._connection.bio_read(most))
                if len(found[-1]) < most:
                    break
        except SSL.WantReadError:
            pass
        self.shown = self.shown or bool(found)
        return found[0] if len(found) == 1 else b"".join(found)

    def goodbye(self) -> bytes:
        """What tells the client that nothing more comes (RFC 8446 §6.1)."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return b""
        return self.outgoing()

    def _identify(self) -> TlsClient:
        shown = self._connection.get_peer_certificate()
        if shown is None:
            return TlsClient()
        problem: str = self._connection.get_app_data() or ""
        try:
            found = shown.to_cryptography()
            spki = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            names = _dns_names(found)
        except Exception as error:  # whatever a stranger may write into one
            return TlsClient(problem=f"its certificate cannot be read: {type(error).__name__}")
        return TlsClient(hashlib.sha256(spki).digest(), frozenset() if problem else names, problem)


def _dns_names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    names = found.value.get_values_for_type(x509.DNSName)
    return frozenset(name.rstrip(".").lower() for name in names)


def _failure(error: SSL.Error) -> TlsFailure:
    """What OpenSSL says, in words of ours where there are some."""
    if isinstance(error, SSL.SysCallError) or not error.args or not error.args[0]:
        return TlsFailure("it broke off")
    reason = str(error.args[0][-1][-1])
    _, alert, said = reason.rpartition(" alert ")
    if alert:
        known = _CLIENT_WORDS.get(said)
        return TlsFailure(known or f"it sent the alert {said!r}", ours=known is not None)
    return TlsFailure(_OUR_WORDS.get(reason, reason))
