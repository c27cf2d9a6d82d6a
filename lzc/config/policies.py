"""Key policies: which keys a zone has, how long they last, and what has to be waited for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from lzc.config.durations import parse_duration
from lzc.config.table import Field, Table, read_by

SHA256: Final = 2
SHA384: Final = 4
DELETE: Final = "delete"
UNLIMITED: Final = "unlimited"


def parse_digests(text: str) -> tuple[int, ...]:
    """The digest types of CDS records in text such as ``2,4``, as PowerDNS's PUBLISH-CDS has them;
    those of ``delete`` are as good as any. Raises `ValueError`."""
    if text == DELETE:
        return (SHA256,)
    try:
        found = tuple(int(word) for word in text.split(",")) if text.strip() else ()
    except ValueError:
        found = (0,)
    if not set(found) <= {SHA256, SHA384}:
        raise ValueError(
            'expected digest types, "2" (SHA-256), "4" (SHA-384) or "2,4"; "" for no CDS; or'
            ' "delete", which asks the parent to take all DS records away'
        )
    return found


def parse_lifetime(text: str) -> int | None:
    """Seconds of a span such as ``90d``; `None` of ``unlimited``. Raises `ValueError`."""
    if text == UNLIMITED:
        return None
    seconds = parse_duration(text)
    if seconds == 0:
        raise ValueError('must be a span such as 90d, or "unlimited"')
    return seconds


def _salt(text: str) -> str:
    if text == "-":
        return ""
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){0,255}", text):
        raise ValueError("expected hexadecimal digits, two for each of at most 255 octets")
    return text.lower()


Salt = Annotated[str, _salt]

DenialSetting = Literal["nsec", "nsec3", "nsec3-narrow", "compact"]
"""The ways of `lzc.dnssec.signing.denial.Way`."""

Duration = Annotated[str, read_by(parse_duration)]
Lifetime = Annotated[str, read_by(parse_lifetime)]
Digests = Annotated[str, read_by(parse_digests)]
Algorithm = Literal[8, 10, 13, 14, 15, 16]
BUILT_IN: Final = ("csk", "ksk-zsk")
"""The policies that need no table."""


class PolicySection(Table):
    """``[policy."NAME"]``: keys of the zones that name it."""

    keys: Literal["csk", "ksk-zsk"] = "csk"
    """One key that does all, or a KSK and a ZSK."""
    algorithm: Algorithm | None = None
    """By default that of `[dnssec]`."""
    rsa_bits: int = Field(default=2048, ge=2048, le=4096)
    lifetime: Lifetime = UNLIMITED
    """Of the CSK, or of the KSK."""
    zsk_lifetime: Lifetime | None = None
    dnskey_ttl: Duration | None = None
    """TTL of DNSKEY, CDS and CDNSKEY; by default the SOA's minimum, as PowerDNS has it."""
    max_zone_ttl: Duration = "1d"
    """The largest TTL in the zone, as long as which signatures may be in caches."""
    zone_propagation_delay: Duration = "5m"
    """Until all servers of the zone have what changed."""
    parent_propagation_delay: Duration = "1h"
    """Until all servers of the parent have a DS that changed."""
    parent_ds_ttl: Duration = "1d"
    safety: Duration = "1h"
    """Added whenever something is waited for."""
    publish_cds: Digests | None = None
    publish_cdnskey: bool | None = None
    denial: DenialSetting | None = None
    nsec3_iterations: int | None = Field(default=None, ge=0, le=65535)
    nsec3_salt: Salt | None = None
    nsec3_opt_out: bool | None = None


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """Which CDS and CDNSKEY records a zone has: ``digests`` are the types of CDS, none for no CDS;
    with ``delete`` they ask for no DS at all."""

    digests: tuple[int, ...] = ()
    cdnskey: bool = False
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with everything filled in: lifetimes and delays in seconds, `None` for no end, and
    for the TTL of DNSKEY that the zone's SOA decides."""

    name: str
    keys: str
    algorithm: int
    rsa_bits: int = 2048
    lifetime: int | None = None
    zsk_lifetime: int | None = None
    dnskey_ttl: int | None = None
    max_zone_ttl: int = 86400
    zone_propagation_delay: int = 300
    parent_propagation_delay: int = 3600
    parent_ds_ttl: int = 86400
    safety: int = 3600

    @classmethod
    def made_of(cls, name: str, section: PolicySection, algorithm: int) -> Policy:
        """The policy of a table; ``algorithm`` counts where it names none."""
        ttl, zsk = section.dnskey_ttl, section.zsk_lifetime
        return cls(
            name,
            section.keys,
            section.algorithm or algorithm,
            section.rsa_bits,
            parse_lifetime(section.lifetime),
            None if zsk is None else parse_lifetime(zsk),
            None if ttl is None else parse_duration(ttl),
            parse_duration(section.max_zone_ttl),
            parse_duration(section.zone_propagation_delay),
            parse_duration(section.parent_propagation_delay),
            parse_duration(section.parent_ds_ttl),
            parse_duration(section.safety),
        )


def nonsense(section: PolicySection) -> Iterator[tuple[str, str, str, str]]:
    """What contradicts itself in a policy: the key, what is wrong, why it matters, what to do."""
    policy = Policy.made_of("", section, 13)
    if section.zsk_lifetime is not None and section.keys == "csk":
        yield (
            "zsk-lifetime",
            "zsk-lifetime is of a ZSK, and this policy has none",
            "a setting that nobody reads does not hold",
            'set keys = "ksk-zsk", or lifetime for the CSK',
        )
    ttl = policy.dnskey_ttl or 3600
    publication = policy.zone_propagation_delay + ttl + policy.safety
    zone = policy.zone_propagation_delay + policy.max_zone_ttl + policy.safety
    parent = policy.parent_propagation_delay + policy.parent_ds_ttl + policy.safety
    spans = (
        ("lifetime", policy.lifetime, publication + max(zone, parent)),
        ("zsk-lifetime", policy.zsk_lifetime, publication + zone),
    )
    for key, lifetime, least in spans:
        if lifetime is not None and lifetime < least:
            yield (
                key,
                f"{key} is shorter than a rollover takes with these delays: {least} seconds",
                "a key would have to go before its successor may be relied on",
                f'set {key} = "{-(-least // 86400)}d" or more, or shorter TTLs and delays',
            )
    if policy.dnskey_ttl is not None and policy.dnskey_ttl > policy.max_zone_ttl:
        yield (
            "dnskey-ttl",
            "dnskey-ttl is larger than max-zone-ttl",
            "max-zone-ttl is the largest TTL of the zone, DNSKEY included",
            "make it smaller, or max-zone-ttl larger",
        )
