"""``[[secondary]]``: the servers that take zones."""

from __future__ import annotations

import re
from typing import Annotated

from lzc.config.table import AfterValidator, Field, Table
from lzc.config.values import DomainName, Endpoint, Network

_SOFTWARE = re.compile(r"powerdns-\d+\.\d+|bind|nsd|knot|generic")


def _software(text: str) -> str:
    if not _SOFTWARE.fullmatch(text):
        raise ValueError("expected powerdns-X.Y, bind, nsd, knot or generic")
    return text


class SecondarySection(Table):
    """``[[secondary]]``: a server that takes zones from us."""

    name: str
    address: Endpoint
    software: Annotated[str, AfterValidator(_software)] = "generic"
    tsig: DomainName | None = None
    zones: list[str] = Field(default=["*"])
    """Zone names, or shell patterns such as ``*.example.org``; ``*`` is every zone."""
    allow_from: list[Network] | None = None
    """Where its transfers come from; default: the host of ``address``."""
    notify: bool = True
    exec_limit: int = Field(default=1000, ge=0)
    """Its ``lua-records-exec-limit``, if it is PowerDNS: VM instructions; 0: no limit."""
