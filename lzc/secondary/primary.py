"""Where a secondary reaches this server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from lzc.config import Config, SecondarySection, parse_endpoint
from lzc.faults import InputError, Place


@dataclass(frozen=True, slots=True)
class Primary:
    """An address and a port of this server; ``tls``: of DNS over TLS."""

    address: str
    port: int
    tls: bool = False

    @property
    def bracketed(self) -> str:
        """As lzc and PowerDNS write it: ``192.0.2.1:53``, ``[2001:db8::1]:53``."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


def primary_of(config: Config, section: SecondarySection) -> Primary:
    """The address that a secondary asks: of its family, and over TLS where it may not ask in the
    clear. Raises `InputError` where none is known."""
    version = ip_address(parse_endpoint(section.address)[0]).version
    tls = section.require_tls or section.shows_certificate
    listening = [parse_endpoint(one) for one in _listening(config, tls=tls)]
    if listening:
        port = listening[0][1]
        said = _first(map(parse_endpoint, config.export.primary), version)
        if said is not None:
            # It says a port, too, which is that in the clear.
            return Primary(said[0], port if tls else said[1], tls)
        source = _first(((address, 0) for address in config.serve.notify_source), version)
        if source is not None:
            return Primary(source[0], _port_of(listening, source[0]) or port, tls)
        found = _first((one for one in listening if not _is_any(one[0])), version)
        if found is not None:
            return Primary(*found, tls)
    how = " over TLS" if tls else ""
    raise _unknown(config, f"secondary {section.name} reaches this server{how}")


def primaries(config: Config) -> list[Primary]:
    """All addresses at which a resolver reaches this server. Raises `InputError` where none is
    known."""
    said = config.export.primary or _listening(config, tls=False)
    found = [Primary(*one) for one in map(parse_endpoint, said) if not _is_any(one[0])]
    if not found:
        raise _unknown(config, "resolvers reach this server")
    return found


def _listening(config: Config, *, tls: bool) -> list[str]:
    return config.serve.tls_listen if tls else config.serve.listen


def _is_any(address: str) -> bool:
    return ip_address(address).is_unspecified


def _unknown(config: Config, whom: str) -> InputError:
    return InputError.at(
        Place(str(config.file)),
        "primary-unknown",
        f"nothing says at which address {whom}",
        "it would be told to ask nowhere",
        'say so in [export], with an address of its family: primary = ["192.0.2.1:53"]',
    )


def _first(endpoints: Iterable[tuple[str, int]], version: int | None) -> tuple[str, int] | None:
    """The first of a family."""
    found = (one for one in endpoints if ip_address(one[0]).version == version)
    return next(found, None)


def _port_of(endpoints: Iterable[tuple[str, int]], address: str) -> int | None:
    """The port that is listened to at an address, or at all of its family."""
    ours = ip_address(address)
    for host, port in endpoints:
        there = ip_address(host)
        if there == ours or (there.is_unspecified and there.version == ours.version):
            return port
    return None
