"""The OPT RR of an answer."""

from __future__ import annotations

from typing import Final

from lzc.answer.settings import ResponderSettings
from lzc.wire import cookie, edns
from lzc.wire.edns import Edns

_REPEATED: Final = edns.DO | edns.CO


class OptBuilder:
    """Makes OPT RRs by the operator's settings.

    ``plain`` are those without options, by the bits that are repeated: DO (RFC 3225 §3) and CO
    (RFC 9824 §5.1).
    """

    __slots__ = ("_settings", "plain")

    def __init__(self, settings: ResponderSettings) -> None:
        self._settings = settings
        self.plain = {
            flags: edns.build(settings.udp_payload_size, flags=flags)
            for flags in (0, edns.DO, edns.CO, edns.DO | edns.CO)
        }

    def opt(
        self,
        asked: Edns,
        client: bytes,
        now: float,
        *,
        scope: int = 0,
        rcode: int = 0,
        tcp: bool = False,
    ) -> bytes:
        """The OPT RR that answers one: NSID where asked for, the client subnet with ``scope`` bits
        (RFC 7871 §7.2.1), a server cookie that is good for this client (RFC 9018), and over TCP how
        long the connection may be idle (RFC 7828), which over UDP is never told; with the upper
        bits of an RCODE (RFC 6891 §6.1.3)."""
        if not asked.options and not rcode:
            return self.plain[asked.flags & _REPEATED]
        settings = self._settings
        options: list[bytes] = []
        if asked.nsid and settings.nsid:
            options.append(edns.option(edns.NSID, settings.nsid))
        if asked.client_subnet is not None and settings.edns_client_subnet:
            options.append(asked.client_subnet.to_option(scope))
        if asked.cookie is not None and settings.cookie_secret is not None:
            _, fresh = cookie.answer(asked.cookie, settings.cookie_secret, client, now)
            options.append(edns.option(edns.COOKIE, fresh))
        if tcp and asked.keepalive == b"":
            options.append(edns.tcp_keepalive(settings.tcp_idle))
        return edns.build(
            settings.udp_payload_size,
            flags=asked.flags & _REPEATED,
            extended_rcode=rcode >> 4,
            options=options,
        )

    def depends_on_client(self, asked: Edns) -> bool:
        """True when the OPT RR holds something made for this client alone."""
        return asked.cookie is not None and self._settings.cookie_secret is not None

    def subnet(self, asked: Edns | None) -> tuple[bytes, int] | None:
        """Network address and prefix length for LUA records, where the query brought them."""
        if asked is None or not self._settings.edns_client_subnet:
            return None
        given = asked.client_subnet
        return (given.address, given.source) if given is not None and given.family else None
