"""A checker with its table in the event loop of a test, and targets for it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lzc.bundle.check_list import CheckList
from lzc.health_check import Check
from lzc.lua.health.constants import PARTS
from lzc.lua.health.reach import CheckReach, CheckRules
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.health.checker import Checker
from lzc.serve.health.unlisted import DEFAULT_LIMIT, report_of
from lzc.serve.ipc.health_table import HealthTable
from lzc.serve.ipc.health_view import TableView
from tests.patience import PATIENCE, SOON

LOCAL = "127.0.0.1"
ANYTHING = CheckRules(CheckReach((ipaddress.ip_network("127.0.0.0/8"),)), PARTS)
"""Whatever a query decides, on loopback."""


class Clinic:
    """A checker in this process's event loop, with the view that a worker has."""

    def __init__(
        self,
        *,
        interval: float = 0.1,
        table: HealthTable | None = None,
        unlisted: int = DEFAULT_LIMIT,
        share: int = DEFAULT_LIMIT,
        rules: CheckRules = ANYTHING,
        **options: Any,
    ) -> None:
        self.table = table or HealthTable(1024)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours = ours
        self.view = TableView(self.table, lambda check, zone: self.tell(check, zone))
        self.told: list[Check] = []
        policy = CheckPolicy(interval, unlisted, share, rules)
        self.checker = Checker(self.table, theirs, policy, **options)

    def load(self, checks: Iterable[Check]) -> None:
        self.checker.load(CheckList(tuple(checks)))

    def tell(self, check: Check, zone: bytes) -> None:
        self.told.append(check)
        self._ours.send(report_of(check, zone))

    async def becomes(self, check: Check, status: bool | None) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while self.view.status(check) is not status:  # noqa: ASYNC110 - as workers do
                await asyncio.sleep(SOON)
        return self.known(check)

    def known(self, check: Check) -> dict[str, Any]:
        return next(
            (one for one in self.checker.report() if one["key"] == check.key().hex()),
            {"error": "not checked"},
        )


def play(scene: Callable[[Clinic], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        clinic = Clinic(**options)
        try:
            await scene(clinic)
        finally:
            await clinic.checker.close()

    asyncio.run(run())


def listening() -> tuple[socket.socket, int]:
    sock = socket.create_server((LOCAL, 0))
    return sock, int(sock.getsockname()[1])


def full() -> tuple[list[socket.socket], int]:
    """A port that answers no SYN: its backlog is full."""
    sock = socket.socket()
    sock.bind((LOCAL, 0))
    sock.listen(0)
    port = int(sock.getsockname()[1])
    socks = [sock]
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex((LOCAL, port))
        socks.append(client)
    return socks, port


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "tls.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
