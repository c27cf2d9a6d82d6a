"""Runs LUA records: code and a query in, presentation-form contents out.

One `Engine` lives as long as its worker process. Executions share its Lua state but nothing else:
each sees a fresh global environment and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from lzc.lua.health import HealthView

Include = Callable[[bytes], bytes | None]
"""Gives the joined code of the LUA record that covers LUA at a lower-case wire name, or `None`."""

FailureKind = Literal["syntax", "runtime", "instructions", "memory", "result"]


class LuaFailure(Exception):
    """An execution gave no answer; the response is SERVFAIL.

    ``kind``: ``syntax`` (the code does not compile), ``runtime`` (it raised an error),
    ``instructions`` or ``memory`` (it hit a limit), ``result`` (it returned something that is
    neither a string nor a list of strings).
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``mode`` as in ``[lua]``; ``exec_limit`` in VM instructions (0: none); ``memory_limit`` in
    octets of one Lua state; ``chunks``: compiled records kept at most."""

    mode: Literal["isolated", "shared"] = "isolated"
    exec_limit: int = 1000
    memory_limit: int = 64 * 2**20
    chunks: int = 10_000


class QueryContext(NamedTuple):
    """What a record may know about the query. A tuple, as one is made for each query.

    ``qname`` is the wire name as asked (case kept), ``zone`` the apex as lower-case wire name,
    ``who`` the packed client address (4 or 16 octets), ``subnet`` the packed network address and
    source prefix length of the query's ECS option, or `None`; ``local`` the packed address the
    query came to (empty: not known); ``flags`` the 16 header flag bits of RFC 1035 §4.1.1;
    ``edns_size`` the UDP payload size of the client's OPT (0 without).
    """

    qname: bytes
    zone: bytes
    who: bytes
    subnet: tuple[bytes, int] | None = None
    local: bytes = b""
    tcp: bool = False
    dnssec_ok: bool = False
    edns_size: int = 0
    flags: int = 0
    message_id: int = 0
    zone_id: int = 0


class GeoView(Protocol):
    """What geo functions ask; see `lzc.lua.geo.Geo`."""

    def lookup(self, address: bytes) -> dict[str, str | float | int]:
        """All that is known of a packed address, by field; fields not known are left out."""


class Engine:
    """One Lua state with the PowerDNS API in it. Not thread-safe; use one per process."""

    def __init__(
        self, settings: EngineSettings, geo: GeoView | None, health: HealthView, seed: int
    ) -> None:
        self._settings = settings
        self._geo = geo
        self._health = health
        self._seed = seed

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """The contents that a record's joined ``code`` gives for a query, in presentation form
        (for TXT without the quotes around it); an empty list means NODATA. Raises `LuaFailure`."""
        raise LuaFailure("runtime", "no Lua state")
