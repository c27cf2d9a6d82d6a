"""What an operator may set about answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lzc.answer.publication import NOTHING_PUBLISHED, Publications
from lzc.answer.transfer_access import TransferAccess
from lzc.config import Config
from lzc.wire.edns import UDP_SIZE
from lzc.wire.tsig import TsigKey


@dataclass(frozen=True, slots=True)
class ResponderSettings:
    """``udp_payload_size``: octets of a UDP answer at most, and what our OPT advertises;
    ``nsid``: the NSID of RFC 5001, empty for none; ``server_id`` and ``version``: answers to CHAOS
    ``id.server`` and ``version.bind``, empty for REFUSED; ``edns_client_subnet``: whether ECS is
    read at all;
    ``cookie_secret``: 16 octets for server cookies (RFC 9018), `None` for no cookies;
    ``require_cookie``: octets of a UDP answer above which a server cookie is needed, 0: never;
    ``tcp_idle``: seconds that a TCP connection may be without a query, as clients that ask are
    told;
    ``tsig_keys``: by lower-case wire name; ``access``: who transfers which zone, as the SOA is told
    to secondaries as they have it; ``published`` are the zones in forms of their own."""

    udp_payload_size: int = UDP_SIZE
    nsid: bytes = b""
    server_id: str = ""
    version: str = "lzc"
    edns_client_subnet: bool = True
    cookie_secret: bytes | None = None
    require_cookie: int = 0
    tcp_idle: float = 10.0
    tsig_keys: Mapping[bytes, TsigKey] = field(default_factory=dict)
    access: TransferAccess = field(default_factory=lambda: TransferAccess((), ()))
    published: Publications = NOTHING_PUBLISHED

    @classmethod
    def from_config(
        cls,
        config: Config,
        *,
        cookie_secret: bytes | None = None,
        tsig_keys: Mapping[bytes, TsigKey] | None = None,
        published: Publications = NOTHING_PUBLISHED,
    ) -> ResponderSettings:
        """The settings of a configuration; secrets are read by the caller."""
        serve = config.serve
        return cls(
            udp_payload_size=serve.udp_payload_size,
            nsid=serve.nsid.encode("utf-8"),
            server_id=serve.server_id,
            version=serve.version,
            edns_client_subnet=serve.edns_client_subnet,
            cookie_secret=cookie_secret,
            require_cookie=serve.require_cookie,
            tcp_idle=serve.tcp_idle_timeout,
            tsig_keys=dict(tsig_keys or {}),
            access=TransferAccess.from_config(config),
            published=published,
        )
