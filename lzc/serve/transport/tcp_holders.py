"""Who holds how many TCP connections, and who loses one when there are too many.

Whoever holds the most loses first: the network with the most connections, in it the client with the
most, of these the connection that has waited for its client the longest. All of it is found without
a look at the others, as connections come faster than anything else when somebody means harm.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from lzc.serve.transport.transfer_slots import PLACES, WAITING

NETWORK_4: Final = 24
"""Bits of an IPv4 network, as far as limits are concerned."""
NETWORK_6: Final = 56
"""Bits of an IPv6 network: what one customer gets (RFC 6177)."""
CLIENT_6: Final = 64
"""Bits that one IPv6 host may choose the rest of; a client over IPv4 is an address."""


HANDSHAKES: Final = 256
"""TLS handshakes under way at once; who has begun one too many loses that which waits longest."""
HANDSHAKES_CLIENT: Final = 64
HANDSHAKES_NETWORK: Final = 128


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """``connections`` open at once, of them those of a client and of a network; ``idle`` seconds
    without a whole query; ``write`` seconds a client may leave its answers unread; ``transfers`` at
    once, and how many may wait."""

    connections: int = 2048
    per_client: int = 1024
    per_network: int = 1536
    idle: float = 10.0
    write: float = 30.0
    transfers: int = PLACES
    transfers_waiting: int = WAITING

    def of_handshakes(self) -> TcpLimits:
        """Those of TLS connections whose handshake is not done yet."""
        return TcpLimits(HANDSHAKES, HANDSHAKES_CLIENT, HANDSHAKES_NETWORK)


@dataclass(slots=True)
class TcpCounts:
    """Counters of the TCP side of a worker. ``refused``: connections closed because there were too
    many, and transfers that found no room to wait. ``tls``: handshakes that were done,
    ``tls_failed`` those that were not."""

    connections: int = 0
    queries: int = 0
    refused: int = 0
    servfail: int = 0
    silent: int = 0
    transfers: int = 0
    tls: int = 0
    tls_failed: int = 0


class Held(Protocol):
    """A connection, as far as it is counted."""

    client: Client


T = TypeVar("T")


class Tally(Generic[T]):
    """How many connections each of some holders has. The largest holder is known; among equals it
    is the one that was touched the longest ago."""

    __slots__ = ("_counts", "_most", "_rows")

    def __init__(self) -> None:
        self._counts: dict[T, int] = {}
        self._rows: dict[int, dict[T, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, holder: T) -> int:
        """Connections of a holder."""
        return self._counts.get(holder, 0)

    def add(self, holder: T) -> None:
        """One more."""
        count = self._counts.get(holder, 0)
        if count:
            self._take_out(holder, count)
        self._put(holder, count + 1)
        self._most = max(self._most, count + 1)

    def remove(self, holder: T) -> None:
        """One less."""
        count = self._counts[holder]
        self._take_out(holder, count)
        if count > 1:
            self._put(holder, count - 1)
        else:
            del self._counts[holder]
        if self._most not in self._rows:
            self._most -= 1

    def touch(self, holder: T) -> None:
        """It was active just now."""
        row = self._rows[self._counts[holder]]
        if len(row) > 1:
            del row[holder]
            row[holder] = None

    def largest(self) -> T:
        """Who has the most; there must be one."""
        return next(iter(self._rows[self._most]))

    def _put(self, holder: T, count: int) -> None:
        self._counts[holder] = count
        self._rows.setdefault(count, {})[holder] = None

    def _take_out(self, holder: T, count: int) -> None:
        row = self._rows[count]
        del row[holder]
        if not row:
            del self._rows[count]


@dataclass(slots=True, eq=False)
class Network:
    """A network, and its clients by how many connections they have."""

    prefix: bytes
    clients: Tally[Client] = field(default_factory=lambda: Tally())


@dataclass(slots=True, eq=False)
class Client:
    """A client. ``quiet`` are its connections that are not being served, first those that have
    waited for it the longest (whoever begins to serve one takes it out); ``ready`` and ``queued``
    are the server's."""

    prefix: bytes
    network: Network
    connections: dict[Held, None] = field(default_factory=dict)
    quiet: OrderedDict[Held, None] = field(default_factory=OrderedDict)
    ready: deque[Any] = field(default_factory=deque)
    queued: bool = False


class Holders:
    """All connections of a worker. Each call takes the same time, however many there are."""

    def __init__(self, limits: TcpLimits) -> None:
        self.limits = limits
        self._clients: dict[bytes, Client] = {}
        self._networks: dict[bytes, Network] = {}
        self._tally: Tally[Network] = Tally()
        self._total = 0

    def __len__(self) -> int:
        """Connections open now."""
        return self._total

    def known(self) -> int:
        """Clients and networks that something is kept of."""
        return len(self._clients) + max(len(self._networks), len(self._tally))

    def enter(self, connection: Held, address: bytes) -> Client:
        """Count a new connection in; ``address`` is packed."""
        six = len(address) == 16
        prefix = address[: CLIENT_6 // 8] if six else address
        client = self._clients.get(prefix)
        if client is None:
            start = address[: (NETWORK_6 if six else NETWORK_4) // 8]
            network = self._networks.get(start)
            if network is None:
                network = self._networks[start] = Network(start)
            client = self._clients[prefix] = Client(prefix, network)
        client.connections[connection] = None
        client.network.clients.add(client)
        self._tally.add(client.network)
        self._total += 1
        return client

    def leave(self, connection: Held) -> None:
        """Count a connection out, once."""
        client = connection.client
        network = client.network
        del client.connections[connection]
        client.quiet.pop(connection, None)
        network.clients.remove(client)
        self._tally.remove(network)
        self._total -= 1
        if not client.connections:
            del self._clients[client.prefix]
        if not self._tally.count(network):
            del self._networks[network.prefix]

    def active(self, connection: Held) -> None:
        """Its client said something, or took something."""
        client = connection.client
        client.network.clients.touch(client)
        self._tally.touch(client.network)

    def waits(self, connection: Held, *, still: bool = False) -> None:
        """It waits for its client; ``still``: as before, for nothing whole was said."""
        quiet = connection.client.quiet
        quiet[connection] = None
        quiet.move_to_end(connection, last=not still)

    def loser(self, newcomer: Held) -> Held | None:
        """Whom to close, now that ``newcomer`` was counted in: `None` while no limit is passed.

        It is the newcomer where everybody who could make room for it is being served and holds no
        more than its own client does.
        """
        limits, own = self.limits, newcomer.client
        if len(own.connections) > limits.per_client:
            return _quietest(own) or newcomer
        held = self._tally.count
        if held(own.network) > limits.per_network:
            client = own.network.clients.largest()
        elif self._total > limits.connections:
            network = self._tally.largest()
            client = network.clients.largest()
            if held(network) > held(own.network) and not client.quiet:
                return next(iter(client.connections))
        else:
            return None
        if not client.quiet and len(client.connections) > len(own.connections):
            return next(iter(client.connections))
        return _quietest(client) or newcomer

    def surplus(self) -> Held | None:
        """Whom to close where no more can be open, whatever the limits: of the client that has the
        most, who has waited the longest; `None` where all of these are being served."""
        if not self._total:
            return None
        return _quietest(self._tally.largest().clients.largest())


def _quietest(client: Client) -> Held | None:
    return next(iter(client.quiet), None)
