"""A client of DNS over TLS for tests: messages over one connection, with or without a certificate
of its own."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message
import dns.rdatatype

from tests.patience import PATIENCE


def context(
    trusted: Path | None = None,
    *,
    own: tuple[Path, Path] | None = None,
    alpn: tuple[str, ...] = ("dot",),
) -> ssl.SSLContext:
    """``trusted`` is the server's certificate or its CA; without, anything is taken."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = trusted is not None
    made.verify_mode = ssl.CERT_NONE if trusted is None else ssl.CERT_REQUIRED
    if trusted is not None:
        made.load_verify_locations(trusted)
    if own is not None:
        made.load_cert_chain(*own)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


class TlsClient:
    """A connection, open while the block lasts."""

    def __init__(
        self, port: int, with_: ssl.SSLContext | None = None, *, name: str = "ns1.lzc.example"
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        try:
            self.sock = (with_ or context()).wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    @property
    def shown(self) -> bytes:
        """The SHA-256 of the certificate that the server showed."""
        der = self.sock.getpeercert(binary_form=True)
        assert der is not None
        return hashlib.sha256(der).digest()

    def send(self, query: dns.message.Message) -> None:
        wire = query.to_wire()
        self.sock.sendall(len(wire).to_bytes(2, "big") + wire)

    def receive(self) -> bytes:
        """One message, without its length; empty at the end of the connection."""
        size = self._exactly(2)
        return self._exactly(int.from_bytes(size, "big")) if size else b""

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.sock.recv(count - len(found))
            if not more:
                return b""
            found += more
        return found

    def ask(self, query: dns.message.Message) -> dns.message.Message:
        """One answer of one message."""
        self.send(query)
        return dns.message.from_wire(self.receive(), keyring=query.keyring, request_mac=query.mac)

    def transfer(self, query: dns.message.Message) -> Iterator[dns.message.Message]:
        """The messages of a transfer, each verified, up to the second SOA record."""
        self.send(query)
        soas = 0
        context = None
        while soas < 2:
            message = dns.message.from_wire(
                self.receive(),
                keyring=query.keyring,
                request_mac=query.mac,
                xfr=True,
                tsig_ctx=context,
                multi=True,
                one_rr_per_rrset=True,
            )
            context = message.tsig_ctx
            if message.rcode():
                yield message
                return
            soas += sum(rrset.rdtype == dns.rdatatype.SOA for rrset in message.answer)
            yield message
