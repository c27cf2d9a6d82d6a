"""Whether an address is one of this machine's own, which firewalls let it reach like loopback."""

from __future__ import annotations

import socket

from lzc.lua.health.reach import CheckReach, Refusal


def is_own(address: str) -> bool:
    """True for an address of this machine, as the routes are now. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
            source: str = sock.getsockname()[0]
    except OSError:
        return False
    return source == address


def own_address_refusal(address: str, reach: CheckReach) -> Refusal | None:
    """Why a check may not connect to an address that does not stand in the zone."""
    if not address or not is_own(address) or reach.allows(address):
        return None
    return Refusal(
        f"{address} is an address of this machine, and does not stand in the zone as a constant",
        f'allow = ["{address}"] in [health] of lzc.toml has it checked all the same',
    )
