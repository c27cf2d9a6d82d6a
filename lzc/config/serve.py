"""``[serve]``: the runtime."""

from __future__ import annotations

from lzc.config.table import Field, Table
from lzc.config.values import Address, Endpoint, Network
from lzc.wire.edns import MIN_UDP_SIZE, UDP_SIZE


class ServeSection(Table):
    """``[serve]``: the runtime."""

    listen: list[Endpoint] = Field(default=["127.0.0.1:5300"])
    workers: int = Field(default=1, ge=1, le=256)
    edns_client_subnet: bool = True
    geoip: list[str] = Field(default=[])
    udp_payload_size: int = Field(default=UDP_SIZE, ge=MIN_UDP_SIZE, le=4096)
    """Octets of a UDP answer at most, and what our OPT advertises (RFC 9715)."""
    nsid: str = ""
    server_id: str = ""
    """Answer to CHAOS ``id.server`` (RFC 4892); empty: refused."""
    version: str = "lzc"
    """Answer to CHAOS ``version.bind``; empty: refused."""
    cookie_secret_file: str | None = None
    """32 hexadecimal digits, shared by an anycast group (RFC 9018 §5); without: random at start."""
    require_cookie: int = Field(default=0, ge=0, le=4096)
    """Octets of a UDP answer above which a server cookie is needed (RFC 7873); 0: never."""
    packet_cache: int = Field(default=200_000, ge=0)
    """Answers kept by each worker at most."""
    tcp_idle_timeout: float = Field(default=10.0, gt=0)
    """Seconds a TCP connection may sit without a query."""
    tcp_connections: int = Field(default=2048, ge=1)
    """TCP connections open at once, each worker, at most."""
    tcp_connections_per_client: int = Field(default=1024, ge=1)
    """How many of these may come from one IPv4 address or one IPv6 /64."""
    tcp_connections_per_network: int = Field(default=1536, ge=1)
    """How many of these may come from one IPv4 /24 or one IPv6 /56."""
    tsig_required: bool = True
    """False lets `allow-transfer` and secondaries without a key transfer zones unsigned."""
    allow_transfer: list[Network] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks from which a valid TSIG key may transfer, besides each secondary's own."""
    notify_source: list[Address] = Field(default=[])
    """Addresses that NOTIFY leaves from, at most one of each family; default: those of `listen`."""
    control_socket: str | None = None
    """UNIX socket of ``lzc ctl``; default: ``control.sock`` in the output folder."""
    health_grace: float = Field(default=2.0, ge=0, le=60)
    """Seconds that first answers wait at most for the first results of the bundle's checks."""
