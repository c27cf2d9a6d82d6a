"""Types of single values of ``lzc.toml``."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from lzc.config.table import AfterValidator, read_by
from lzc.wire import name as wire_name


def parse_endpoint(text: str) -> tuple[str, int]:
    """``"127.0.0.1:5300"`` or ``"[::1]:5300"`` as address and port. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("put an IPv6 address in brackets: [::1]:53")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 <= int(port) <= 65535:
        raise ValueError("expected ADDRESS:PORT, such as 192.0.2.1:53 or [::1]:53")
    return str(ipaddress.ip_address(host)), int(port)


def _domain_name(text: str) -> bytes:
    return wire_name.from_text(text, wire_name.ROOT)


Endpoint = Annotated[str, read_by(parse_endpoint)]
Address = Annotated[str, AfterValidator(lambda text: str(ipaddress.ip_address(text)))]
Network = Annotated[str, read_by(ipaddress.ip_network)]
DomainName = Annotated[str, read_by(_domain_name)]
