"""Who may transfer which zone."""

from __future__ import annotations

from base64 import b64decode, b64encode
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
from typing import Final, NamedTuple

from lzc.answer.refusal import Reason
from lzc.answer.tls_client import TlsClient
from lzc.bundle.zone_info import ZoneInfo
from lzc.config import Config, Form, SecondarySection, View, parse_endpoint
from lzc.config.forms import AUTO, Choice, choose
from lzc.powerdns_versions import parse_version
from lzc.wire import name as wire_name

Network = IPv4Network | IPv6Network

_NOBODY: Final = View()


@dataclass(frozen=True, slots=True)
class Grant:
    """What one secondary may: zones that match ``patterns``, from ``networks``, with the TSIG key
    ``key`` (lower-case wire name; `None`: without one). ``signed``: it gets them with their
    signatures; without, it serves them unsigned or signs them itself. ``tls``: over TLS alone
    (RFC 9103), where it has to show a certificate with one of ``pins``, or with ``name``, where
    these are given. ``software``, ``form`` and ``view`` are those of its section, and decide in
    which form it gets a zone."""

    key: bytes | None
    networks: tuple[Network, ...]
    patterns: tuple[str, ...]
    signed: bool = False
    tls: bool = False
    pins: frozenset[bytes] = frozenset()
    name: str = ""
    software: str = "generic"
    form: str = AUTO
    view: View = _NOBODY

    def choice(self, zone: ZoneInfo) -> Choice:
        """In which form it gets a zone."""
        return choose(self.form, self.software, lua=zone.may_have_lua, signed=zone.is_signed_here)

    @property
    def certified(self) -> bool:
        """Whether a certificate says who it is."""
        return bool(self.pins or self.name)

    def accepts(self, tls: TlsClient | None) -> bool:
        """Whether it may have its zones over a connection: ``tls`` is who is at the other end of
        it, `None` of one in the clear."""
        if tls is None:
            return not self.tls
        if self.pins and tls.pin not in self.pins:
            return False
        return not self.name or self.name in tls.names

    def objection(self, tls: TlsClient) -> str:
        """What is wrong with a certificate that it does not `accept`."""
        if not tls.pin:
            return tls.problem or "it showed no certificate over TLS"
        if self.pins and tls.pin not in self.pins:
            shown = b64encode(tls.pin).decode()
            return f"the key of its certificate is none of tls-pins: it is {shown}"
        names = ", ".join(sorted(tls.names)[:4]) or "no name"
        return tls.problem or f"its certificate is not for tls-name {self.name}, but for {names}"

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


class Handed(NamedTuple):
    """What a client gets of a zone that it may have: the form, and of a flattened zone whose
    answers."""

    form: Form
    view: View = _NOBODY


AS_IT_IS: Final = Handed(Form.LIVE)


def handed(grants: Sequence[Grant], zone: ZoneInfo) -> Handed | None:
    """In which form a zone goes to who may have it by these grants, of which none is that of
    networks in ``allow-transfer`` alone; `None`: in none.

    This alone decides where a zone with LUA records goes: as it is to who is known to be PowerDNS,
    by all that he may be, and to nobody else.
    """
    if not grants:
        return None if zone.may_have_lua else AS_IT_IS
    found: Handed | None = AS_IT_IS
    for grant in grants:
        form = grant.choice(zone).form
        if form is None:
            return None
        if form is not Form.LIVE and found is AS_IT_IS:
            found = Handed(form, grant.view if form is Form.FLATTENED else View())
    return found


def run_lua(grants: Sequence[Grant]) -> bool:
    """Whether who has these grants is known to run LUA records: what is sent to him may hold some
    that the zone had before."""
    return bool(grants) and all(parse_version(one.software) is not None for one in grants)


@dataclass(frozen=True, slots=True)
class TransferAccess:
    """The rules for transfers.

    A valid TSIG key opens a zone to a secondary that uses the key and lists the zone, from that
    secondary's networks. From ``allow_transfer`` it opens whatever zones the secondaries with the
    key list, or any zone when none has the key. Without ``tsig_required`` a request without a key
    is also let in from ``allow_transfer``, and from secondaries that have none. A secondary whose
    certificate says who it is needs no key, unless it has one.
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

    def allows(
        self, apex: bytes, client: bytes, key: bytes | None, tls: TlsClient | None = None
    ) -> bool:
        """Whether a client (packed address) may have a zone; ``key`` is the lower-case name of the
        TSIG key that its request was verified with, or `None`; ``tls`` as in `Grant.accepts`."""
        return self.granted(apex, client, key, tls) is not None

    def granted(
        self, apex: bytes, client: bytes, key: bytes | None, tls: TlsClient | None = None
    ) -> tuple[Grant, ...] | None:
        """By which grants a client may have a zone, the arguments being those of `allows`: none for
        who may by ``allow_transfer`` alone. `None`: it may not have it."""
        address = _address(client)
        users = [grant for grant in self.grants if grant.key == key]
        naming = [grant for grant in users if grant.names(apex)]
        own = [grant for grant in naming if grant.holds(address)]
        if key is None and self.tsig_required:
            return tuple(one for one in own if one.certified and one.accepts(tls)) or None
        if own:
            # Who has a section of its own may not have more because it is in other networks, too.
            return tuple(grant for grant in own if grant.accepts(tls)) or None
        if not any(address in network for network in self.allow_transfer):
            return None
        if key is None or not users:
            return ()
        return tuple(grant for grant in naming if grant.accepts(tls)) or None

    def why_not(
        self, apex: bytes, client: bytes, key: bytes | None, tls: TlsClient | None = None
    ) -> tuple[Reason, str]:
        """Why `allows` does not, and what is wrong with its certificate, where that is why."""
        address = _address(client)
        users = [grant for grant in self.grants if grant.key == key]
        known = [grant for grant in users if grant.holds(address)]
        listed = any(address in network for network in self.allow_transfer)
        if key is None and self.tsig_required:
            known, listed = [grant for grant in known if grant.certified], False
            if not known:
                return Reason.NO_KEY, ""
        for grant in known or (users if listed else ()):
            if grant.names(apex) and not grant.accepts(tls):
                return (
                    (Reason.CLEAR, "")
                    if tls is None
                    else (Reason.CERTIFICATE, grant.objection(tls))
                )
        if known or listed:
            return Reason.NOT_ITS_ZONE, ""
        return Reason.ADDRESS, ""

    def takes_unsigned(self, apex: bytes, client: bytes, key: bytes | None) -> bool:
        """Whether a client that asks for the SOA is a secondary that has the zone without its
        signatures: by the TSIG key that it asked with, or where it asked with none, by its address,
        which counts for secondaries without a key. Where several are meant, one that has the zone
        signed wins, unless only the others have that address.
        """
        meant = self.meant(apex, client, key)
        return bool(meant) and not any(grant.signed for grant in meant)

    def meant(self, apex: bytes, client: bytes, key: bytes | None) -> list[Grant]:
        """Which secondaries a client may be that asks for the SOA: those with its key, of these the
        ones that have its address where there are such."""
        users = [grant for grant in self.grants if grant.key == key and grant.names(apex)]
        if not users:
            return []
        address = _address(client)
        near = [grant for grant in users if grant.holds(address)]
        return near if near or key is None else users

    def tells_by_address(self, apex: bytes) -> bool:
        """Whether `takes_unsigned` depends on the client's address for queries without TSIG."""
        return any(grant.key is None and grant.names(apex) for grant in self.grants)

    def is_secondary(self, apex: bytes, client: bytes, key: bytes | None) -> bool:
        """Whether a client that asks with a verified key, or without, has the zone by transfer: it
        may have it as it asks, or its address is that of a secondary that lists the zone (queries
        for the SOA need not be signed)."""
        address = _address(client)
        if any(grant.names(apex) and grant.holds(address) for grant in self.grants):
            return True
        return self.allows(apex, client, key)


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
    name = (secondary.tls_name or "").rstrip(".").lower()
    return Grant(
        key,
        networks,
        tuple(secondary.zones),
        tls=secondary.require_tls or secondary.shows_certificate,
        pins=frozenset(map(b64decode, secondary.tls_pins)),
        name=name,
        software=secondary.software,
        form=secondary.form,
        view=secondary.view,
    )


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)
