"""The sockets of the server, bound before the first worker starts.

Every worker has its own UDP socket and TCP listener for each listen address, and a TCP listener for
each address of DNS over TLS (SO_REUSEPORT: the kernel deals queries out among them). The supervisor
keeps them all open: when a worker dies, its successor inherits the very sockets, with the queries
that queued up in between.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final, TypeVar

from lzc.config import parse_endpoint
from lzc.faults import Fault, InputError, Place
from lzc.lua.health.reach import CheckReach, Refusal
from lzc.serve.ipc.process import enlarge


def leaves_from(target: str) -> str:
    """The address that the kernel chooses towards a target, as the routes are now; empty where it
    has no way there. Nothing is sent."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((target, 53))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


def is_own(address: str) -> bool:
    """True for an address of this machine."""
    return leaves_from(address) == address


def own_address_refusal(address: str, reach: CheckReach) -> Refusal | None:
    """Why a check may not connect to an address that does not stand in the zone."""
    if not address or not is_own(address) or reach.allows(address):
        return None
    return Refusal(
        f"{address} is an address of this machine, and does not stand in the zone as a constant",
        f'allow = ["{address}"] in [health] of lzc.toml has it checked all the same',
    )


RECEIVE_BUFFER: Final = 4 * 2**20
"""Octets of SO_RCVBUF asked for: queries wait here while a worker is replaced."""
SEND_BUFFER: Final = 2**20
BACKLOG: Final = 1024
# Linux numbers; the socket module of Python 3.11 does not have the first.
IP_PKTINFO: Final = 8
_PORT_TRIES: Final = 20

T = TypeVar("T")
_PAUSE: Final = 0.05


def _address_of(sock: socket.socket, wildcard: bool) -> bytes:
    return b"" if wildcard else ipaddress.ip_address(sock.getsockname()[0]).packed


@dataclass(frozen=True, slots=True)
class Listener:
    """The two sockets of one worker on one address. ``wildcard``: bound to 0.0.0.0 or ::, so the
    address that was asked must be taken from each datagram and put on its answer."""

    udp: socket.socket
    tcp: socket.socket
    wildcard: bool
    local: bytes = field(init=False)
    """The packed address, empty for a wildcard."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "local", _address_of(self.udp, self.wildcard))

    def close(self) -> None:
        """Close both."""
        self.udp.close()
        self.tcp.close()


@dataclass(frozen=True, slots=True)
class TlsListener:
    """The socket of one worker on one address where TLS is spoken (RFC 7858); ``wildcard`` as in
    `Listener`."""

    tcp: socket.socket
    wildcard: bool
    local: bytes = field(init=False)
    """The packed address, empty for a wildcard."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "local", _address_of(self.tcp, self.wildcard))

    def close(self) -> None:
        """Close it."""
        self.tcp.close()


@dataclass(frozen=True, slots=True)
class SocketSet:
    """``endpoints`` as bound (a port 0 replaced by the port got), and for each worker the
    listeners in the same order; those of TLS likewise."""

    endpoints: tuple[str, ...]
    of_worker: dict[int, tuple[Listener, ...]]
    tls_endpoints: tuple[str, ...] = ()
    tls_of_worker: dict[int, tuple[TlsListener, ...]] = field(default_factory=dict)

    def _all_of(self, worker: int) -> Iterator[Listener | TlsListener]:
        yield from self.of_worker.get(worker, ())
        yield from self.tls_of_worker.get(worker, ())

    def close(self, worker: int) -> None:
        """Let the kernel deal a worker's share of queries out to the others."""
        for listener in self._all_of(worker):
            listener.close()

    def reopen(self, worker: int) -> None:
        """Bind the sockets of a worker again, where they were closed, or for a worker that is new.
        Raises `OSError`."""
        known = self.of_worker.get(worker, ())
        if known and all(listener.udp.fileno() >= 0 for listener in known):
            return
        fresh: list[Listener] = []
        fresh_tls: list[TlsListener] = []
        try:
            for endpoint in self.endpoints:
                fresh.append(_listener(*parse_endpoint(endpoint)))
            for endpoint in self.tls_endpoints:
                fresh_tls.append(_tls_listener(*parse_endpoint(endpoint)))
        except OSError:
            # None of them may wait for what nobody reads.
            for listener in fresh:
                listener.close()
            for tls_listener in fresh_tls:
                tls_listener.close()
            raise
        self.of_worker[worker] = tuple(fresh)
        self.tls_of_worker[worker] = tuple(fresh_tls)

    def closed(self) -> set[int]:
        """Workers whose sockets are closed."""
        return {
            worker
            for worker, listeners in self.of_worker.items()
            if any(listener.udp.fileno() < 0 for listener in listeners)
        }

    def forget(self, worker: int) -> None:
        """The sockets of a worker are needed no more."""
        self.close(worker)
        del self.of_worker[worker]
        self.tls_of_worker.pop(worker, None)


def bind(
    endpoints: list[str], workers: int, patience: float = 0.0, tls: Sequence[str] = ()
) -> SocketSet:
    """Bind everything, at the endpoints ``tls`` for TLS. Raises `InputError` that names each
    address that cannot be had, within ``patience`` seconds where somebody else has it."""
    end = time.monotonic() + patience
    faults: list[Fault] = []
    bound: list[str] = []
    columns: list[list[Listener]] = []
    for endpoint in endpoints:
        host, port = parse_endpoint(endpoint)
        try:
            column = _in_time(partial(_bind_address, host, port, workers), end)
        except OSError as error:
            faults.append(_fault(endpoint, error))
            continue
        columns.append(column)
        bound.append(show_endpoint(host, column[0].udp.getsockname()[1]))
    bound_tls: list[str] = []
    tls_columns: list[list[TlsListener]] = []
    for endpoint in tls:
        host, port = parse_endpoint(endpoint)
        try:
            tls_column = _in_time(partial(_bind_tls, host, port, workers), end)
        except OSError as error:
            faults.append(_fault(endpoint, error, "tls-listen"))
            continue
        tls_columns.append(tls_column)
        bound_tls.append(show_endpoint(host, tls_column[0].tcp.getsockname()[1]))
    if faults:
        for listener in chain(*columns):
            listener.close()
        for tls_listener in chain(*tls_columns):
            tls_listener.close()
        raise InputError(faults)
    return SocketSet(
        tuple(bound),
        dict(enumerate(zip(*columns, strict=True))),
        tuple(bound_tls),
        dict(enumerate(zip(*tls_columns, strict=True))),
    )


def show_endpoint(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _fault(endpoint: str, error: OSError, key: str = "listen") -> Fault:
    other = "with --listen" if key == "listen" else f"in {key} of [serve]"
    fixes = {
        errno.EADDRINUSE: f"stop the other server, or choose another address {other}",
        errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: f"this host does not have that address; check [serve] {key}",
    }
    return Fault(
        Place(endpoint),
        "listen-address",
        f"cannot listen on {endpoint}: {error.strerror}",
        fix=fixes.get(error.errno or 0, ""),
    )


def _in_time(bind_all: Callable[[], list[T]], end: float) -> list[T]:
    while True:
        try:
            return bind_all()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def _bind_address(host: str, port: int, workers: int) -> list[Listener]:
    for attempt in range(_PORT_TRIES):
        try:
            _probe(host, port)
            first = _listener(host, port)
            chosen = first.udp.getsockname()[1]
            return [first, *(_listener(host, chosen) for _ in range(1, workers))]
        except OSError as error:
            # With port 0 the port that UDP got may be taken in TCP: draw again.
            if port or error.errno != errno.EADDRINUSE or attempt == _PORT_TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


def _bind_tls(host: str, port: int, workers: int) -> list[TlsListener]:
    _probe(host, port, (socket.SOCK_STREAM,))
    first = _tls_listener(host, port)
    chosen = first.tcp.getsockname()[1]
    return [first, *(_tls_listener(host, chosen) for _ in range(1, workers))]


def _tls_listener(host: str, port: int) -> TlsListener:
    return TlsListener(_tcp(host, port), ipaddress.ip_address(host).is_unspecified)


def _listener(host: str, port: int) -> Listener:
    wildcard = ipaddress.ip_address(host).is_unspecified
    udp = _udp(host, port, wildcard)
    return Listener(udp, _tcp(host, udp.getsockname()[1]), wildcard)


def _probe(
    host: str, port: int, kinds: Sequence[int] = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
) -> None:
    """SO_REUSEPORT would let a second server share our port without a word, each getting half of
    the queries. Binding once without it finds out."""
    if not port:
        return
    for kind in kinds:
        with _socket(host, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))


def _socket(host: str, kind: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, kind)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _udp(host: str, port: int, wildcard: bool) -> socket.socket:
    made = _socket(host, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    enlarge(made, socket.SO_RCVBUF, RECEIVE_BUFFER)
    enlarge(made, socket.SO_SNDBUF, SEND_BUFFER)
    if wildcard:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            made.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    made.setblocking(False)
    made.bind((host, port))
    return made


def _tcp(host: str, port: int) -> socket.socket:
    made = _socket(host, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Accepted sockets inherit it: an answer must not wait for the acknowledgement of another.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    made.bind((host, port))
    made.listen(BACKLOG)
    return made


Ancillary = list[tuple[int, int, bytes]]


def sent_to(control: Ancillary) -> tuple[bytes, Ancillary]:
    """The packed local address that a datagram came to, by its ancillary data (empty when the
    kernel did not say), and the ancillary data for its answer: send from there.

    The interface index is left to routing, except for link-local IPv6 addresses, which mean
    nothing without it.
    """
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) >= 12:
            return data[4:8], [(level, kind, b"\0\0\0\0" + data[4:8] + b"\0\0\0\0")]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) >= 20:
            link_local = data[0] == 0xFE and data[1] & 0xC0 == 0x80
            reply = data[:20] if link_local else data[:16] + b"\0\0\0\0"
            return data[:16], [(level, kind, reply)]
    return b"", []
