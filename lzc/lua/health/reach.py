"""Which health checks are made: by what they would reach, and by what of them a query decides.

A check tells clients something of its target, so whoever decides what is checked could look into
networks that only this machine sees. What stands in a zone as a constant was read by those who let
the zone in: it may be private. What came to be later (computed from a query, looked up, or where a
redirect leads) was read by nobody. Link-local addresses are neither: there, clouds hand out
credentials to whoever asks.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lzc.config import HealthSection
from lzc.health_check import Check
from lzc.lua.health.constants import Constants

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER: Final = (
    ("0.0.0.0/8", "leads to this machine (RFC 1122 §3.2.1.3)"),
    ("100.100.100.200/32", "is a cloud's metadata service"),
    ("168.63.129.16/32", "is a cloud's metadata service"),
    ("169.254.0.0/16", "is link-local (RFC 3927), where clouds have their metadata services"),
    ("192.0.0.192/32", "is a cloud's metadata service"),
    ("224.0.0.0/4", "is a multicast address"),
    ("240.0.0.0/4", "is reserved, or the broadcast address"),
    ("::/128", "is the unspecified address, which leads to this machine"),
    ("fd00:42::42/128", "is a cloud's metadata service"),
    ("fd00:c1::a9fe:a9fe/128", "is a cloud's metadata service"),
    ("fd00:ec2::/32", "is a cloud's, with its metadata service"),
    ("fd20:ce::/32", "is a cloud's, with its metadata service"),
    ("fe80::/10", "is link-local (RFC 4291 §2.5.6)"),
    ("ff00::/8", "is a multicast address"),
)
_NOT_UNREAD: Final = (
    ("10.0.0.0/8", "is private (RFC 1918)"),
    ("100.64.0.0/10", "is shared address space (RFC 6598)"),
    ("127.0.0.0/8", "is loopback"),
    ("172.16.0.0/12", "is private (RFC 1918)"),
    ("192.0.0.0/24", "is for protocols of the network (RFC 6890)"),
    ("192.168.0.0/16", "is private (RFC 1918)"),
    ("198.18.0.0/15", "is for benchmarks (RFC 2544)"),
    ("::1/128", "is loopback"),
    ("64:ff9b:1::/48", "is a local translation prefix (RFC 8215)"),
    ("fc00::/7", "is private (RFC 4193)"),
    ("fec0::/10", "is site-local (RFC 3879)"),
)


class Refusal(NamedTuple):
    """Why a check is not made, and what to do about it; ``computed`` when it is for what a query
    decides of it, and not for where it would lead."""

    why: str
    fix: str
    computed: bool = False

    def __str__(self) -> str:
        return f"not checked: {self.why}; {self.fix}"


class _Ranges:
    """Networks that do not overlap, each with a word about it."""

    def __init__(self, rows: Sequence[tuple[str, str]], version: int) -> None:
        networks = [(ipaddress.ip_network(text), why) for text, why in rows]
        found = sorted(
            (int(network[0]), int(network[-1]), why)
            for network, why in networks
            if network.version == version
        )
        self._first = [first for first, _, _ in found]
        self._rest = [(last, why) for _, last, why in found]

    def find(self, number: int) -> str:
        """What is to be said of an address; nothing where it is in none of them."""
        place = bisect_right(self._first, number) - 1
        if place < 0:
            return ""
        last, why = self._rest[place]
        return why if number <= last else ""


_NEVER_OF: Final = {version: _Ranges(_NEVER, version) for version in (4, 6)}
_NOT_UNREAD_OF: Final = {version: _Ranges(_NOT_UNREAD, version) for version in (4, 6)}

_LAST_32: Final = tuple(
    int(ipaddress.IPv6Address(prefix)) >> 32
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::")
)
"""IPv4-compatible and -mapped (RFC 4291 §2.5.5), -translated (RFC 2765), NAT64 (RFC 6052, 8215)."""
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for on hosts and routers which know its form:
    compatible, mapped, translated, NAT64, 6to4 (RFC 3056), Teredo (RFC 4380) or ISATAP (RFC 5214);
    `None` for the unspecified and the loopback address, too."""
    number = int(address)
    if number <= 1:
        return None
    low = number & 0xFFFFFFFF
    if number >> 32 in _LAST_32:
        return ipaddress.IPv4Address(low)
    if number >> 112 == 0x2002:
        return ipaddress.IPv4Address(number >> 80 & 0xFFFFFFFF)
    if number >> 96 == 0x20010000:
        return ipaddress.IPv4Address(low ^ 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(low)
    return None


@dataclass(frozen=True, slots=True)
class CheckReach:
    """``deny`` is never reached, whatever else is said; ``allow`` is, whatever the rules here say.
    Networks of IPv4 are about IPv6 addresses that stand for such, too."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    @classmethod
    def from_config(cls, health: HealthSection) -> CheckReach:
        """The networks of ``[health]``."""
        return cls(
            tuple(ipaddress.ip_network(text) for text in health.allow),
            tuple(ipaddress.ip_network(text) for text in health.deny),
        )

    def refusal(self, text: str, *, written: bool) -> Refusal | None:
        """Why a check may not connect to an address, or `None`. ``written``: the address stands in
        the zone. What is no address in its own notation is refused."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return Refusal(f"{text[:64]} is no address", "write it as 192.0.2.1 or 2001:db8::1")
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            return Refusal(f"{text[:64]} has a scope", "leave it out")
        forms = [address]
        inner = embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
        if inner is not None:
            forms.append(inner)
        for network in self.deny:
            if any(form in network for form in forms):
                fix = "take it out of deny in [health] of lzc.toml, or the target out of the zone"
                return Refusal(f"{address} is in {network}, which deny lists", fix)
        if self._allows(forms):
            return None
        return _by_rule(text, forms, written=written)

    def allows(self, text: str) -> bool:
        """Whether ``allow`` has an address."""
        return self._allows([ipaddress.ip_address(text)])

    def _allows(self, forms: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
        return any(form in network for network in self.allow for form in forms)


def _by_rule(
    text: str, forms: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address], *, written: bool
) -> Refusal | None:
    for form in forms:
        number, version = int(form), form.version
        why = _NEVER_OF[version].find(number)
        if not why and not written:
            why = _NOT_UNREAD_OF[version].find(number)
            if why:
                why += ", and does not stand in the zone as a constant"
        if why:
            shown = text if form is forms[0] else f"{text} stands for {form}, which"
            network = ipaddress.ip_network(forms[0])
            fix = f'allow = ["{network}"] in [health] of lzc.toml has it checked all the same'
            return Refusal(f"{shown} {why}", fix)
    return None


def host_of(url: str) -> str:
    """The host of a URL if it is an address in its own notation, or else nothing."""
    return Check("", url=url).known_address()


_NO_CONSTANTS: Final = Constants()


@dataclass(frozen=True, slots=True)
class CheckRules:
    """``computed`` are the parts of a check (`lzc.lua.health.constants.PARTS`) that a query may
    decide; ``constants``, by the apex of a zone, what stands in the code of each."""

    reach: CheckReach = field(default_factory=CheckReach)
    computed: Collection[str] = ("address",)
    constants: Mapping[bytes, Constants] = field(default_factory=dict)

    def of_listed(self, check: Check) -> Refusal | None:
        """Why a check that a bundle lists is not made, or `None`."""
        target = check.known_address()
        return self.reach.refusal(target, written=True) if target else None

    def of_unlisted(self, check: Check, zone: bytes) -> Refusal | None:
        """Likewise of a check that the code of a zone asks for, and no bundle lists."""
        decided = self.constants.get(zone, _NO_CONSTANTS).computed(check)
        too_much = [part for part in decided if part not in self.computed]
        if too_much:
            parts = " and ".join(too_much)
            quoted = ", ".join(f'"{part}"' for part in too_much)
            return Refusal(
                f"a query decides its {parts}",
                f"have a constant in the code of the zone, or list {quoted} under computed in"
                " [health] of lzc.toml",
                computed=True,
            )
        target = check.known_address()
        return self.reach.refusal(target, written=False) if target else None
