"""Who may transfer which zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from lzc.answer.refusal import Reason
from lzc.config import Config, SecondarySection, parse_endpoint
from lzc.wire import name as wire_name

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Grant:
    """What one secondary may: zones that match ``patterns``, from ``networks``, with the TSIG key
    ``key`` (lower-case wire name; `None`: without one). ``signed``: it gets them with their
    signatures; without, it serves them unsigned or signs them itself."""

    key: bytes | None
    networks: tuple[Network, ...]
    patterns: tuple[str, ...]
    signed: bool = False

    def names(self, apex: bytes) -> bool:
        """True when the zone is among those listed. ``*`` is every zone; patterns compare names
        without their final dot, in lower case."""
        if "*" in self.patterns:
            return True
        zone = wire_name.to_text(apex).rstrip(".").lower()
        return any(fnmatchcase(zone, pattern.rstrip(".").lower()) for pattern in self.patterns)

    def holds(self, address: IPv4Address | IPv6Address) -> bool:
        """True for an address of its networks."""
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class TransferAccess:
    """The rules for transfers.

    A valid TSIG key opens a zone to a secondary that uses the key and lists the zone, from that
    secondary's networks. From ``allow_transfer`` it opens whatever zones the secondaries with the
    key list, or any zone when none has the key. Without ``tsig_required`` a request without a key
    is also let in from ``allow_transfer``, and from secondaries that have none.
    """

    grants: tuple[Grant, ...]
    allow_transfer: tuple[Network, ...]
    tsig_required: bool = True

    @classmethod
    def from_config(cls, config: Config) -> TransferAccess:
        """The rules of a configuration."""
        return cls(
            tuple(grant_of(secondary) for secondary in config.secondary),
            _networks(config.serve.allow_transfer),
            config.serve.tsig_required,
        )

    def allows(self, apex: bytes, client: bytes, key: bytes | None) -> bool:
        """Whether a client (packed address) may have a zone; ``key`` is the lower-case name of the
        TSIG key that its request was verified with, or `None`."""
        if key is None and self.tsig_required:
            return False
        address = _address(client)
        users = [grant for grant in self.grants if grant.key == key]
        for grant in users:
            if grant.holds(address) and grant.names(apex):
                return True
        if not any(address in network for network in self.allow_transfer):
            return False
        return key is None or not users or any(grant.names(apex) for grant in users)

    def why_not(self, client: bytes, key: bytes | None) -> Reason:
        """Why `allows` does not."""
        if key is None and self.tsig_required:
            return Reason.NO_KEY
        address = _address(client)
        known = [grant for grant in self.grants if grant.key == key and grant.holds(address)]
        if known or any(address in network for network in self.allow_transfer):
            return Reason.NOT_ITS_ZONE
        return Reason.ADDRESS

    def takes_unsigned(self, apex: bytes, client: bytes, key: bytes | None) -> bool:
        """Whether a client that asks for the SOA is a secondary that has the zone without its
        signatures: by the TSIG key that it asked with, or where it asked with none, by its address,
        which counts for secondaries without a key. Where several are meant, one that has the zone
        signed wins, unless only the others have that address.
        """
        users = [grant for grant in self.grants if grant.key == key and grant.names(apex)]
        if not users:
            return False
        address = _address(client)
        near = [grant for grant in users if grant.holds(address)]
        meant = near if near or key is None else users
        return bool(meant) and not any(grant.signed for grant in meant)

    def tells_by_address(self, apex: bytes) -> bool:
        """Whether `takes_unsigned` depends on the client's address for queries without TSIG."""
        return any(grant.key is None and grant.names(apex) for grant in self.grants)

    def is_secondary(self, apex: bytes, client: bytes, key: bytes | None) -> bool:
        """Whether a client that asks with a verified key, or without, has the zone by transfer: it
        may have it as it asks, or its address is that of a secondary that lists the zone (queries
        for the SOA need not be signed)."""
        if self.allows(apex, client, key):
            return True
        address = _address(client)
        return any(grant.names(apex) and grant.holds(address) for grant in self.grants)


def _address(client: bytes) -> IPv4Address | IPv6Address:
    """The address of a client, IPv4 also where it came as IPv6."""
    address = ip_address(client)
    return getattr(address, "ipv4_mapped", None) or address


def grant_of(secondary: SecondarySection) -> Grant:
    """What a section of the configuration grants."""
    key = None
    if secondary.tsig is not None:
        key = wire_name.from_text(secondary.tsig, wire_name.ROOT).lower()
    if secondary.allow_from is not None:
        networks = _networks(secondary.allow_from)
    else:
        networks = (ip_network(parse_endpoint(secondary.address)[0]),)
    return Grant(key, networks, tuple(secondary.zones))


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)
