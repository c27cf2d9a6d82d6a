"""What stands before this server: dnsdist, and resolvers that know where the zones are."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from lzc.config import Config
from lzc.secondary.exported import ExportedFile, Provision
from lzc.secondary.primary import primaries
from lzc.secondary.rendering import render
from lzc.secondary.zones import Zones

FILES: Final = {
    "dnsdist": ("dnsdist.conf",),
    "recursor": ("recursor.yml", "recursor.conf", "recursor-zones.txt"),
    "unbound": ("unbound.conf",),
}
"""By program, the files that are written for it."""
_LOCAL: Final = ("arpa", "test", "invalid", "localhost", "onion", "example", "alt")
"""Names below which resolvers may have answers of their own (RFC 6303, RFC 6761)."""


def provision(config: Config, program: str, zones: Zones) -> Provision:
    """The files for one of `FILES`. Raises `InputError`."""
    servers = primaries(config)
    public = [one for one in zones.zones if not one.catalog]
    values: dict[str, Any] = {
        "servers": servers,
        "ecs": config.serve.edns_client_subnet and any(one.lua for one in public),
        "zones": [
            {
                "name": one.name if one.name == "." else f"{one.name}.",
                "local": one.name.rpartition(".")[2] in _LOCAL,
                "signed": one.signed or one.presigned,
            }
            for one in public
        ],
        "loopback": any(ip_address(one.address).is_loopback for one in servers),
    }
    files = [ExportedFile(name, render(config, name, values)) for name in FILES[program]]
    return Provision(files, [])
