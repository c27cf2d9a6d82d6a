"""What an execution of a LUA record is given, and how it fails: all that others know of an engine
who have it handed to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lzc.config import LuaSection
from lzc.powerdns_versions import LATEST, Version

Include = Callable[[bytes], bytes | None]
"""Gives the joined code of the LUA record that covers LUA at a lower-case wire name, or `None`."""

StoredRecords = Callable[[bytes, int], Sequence[bytes]]
"""Gives the contents, in presentation form, of the static records of a type at a lower-case wire
name; those of LUA records are not among them."""

Counted = Callable[[bytes, int, int], None]
"""Takes the apex of a zone, the VM instructions that an execution of a record of it took, as far as
the limit, and for how many executions this one stands."""

Log = Callable[[str, int], None]
"""Takes what a record logs with ``pdnslog``, and the level (PowerDNS's: 1 alert … 7 debug)."""

GEO_MEMORY = 32_768
"""Addresses whose place is kept inside a Lua state, unless the settings say otherwise."""

FailureKind = Literal[
    "syntax", "runtime", "instructions", "memory", "time", "result", "quarantine", "held"
]


class LuaFailure(Exception):
    """An execution gave no answer; the response is SERVFAIL.

    ``kind``: ``syntax`` (the code does not compile), ``runtime`` (it raised an error),
    ``instructions``, ``memory`` or ``time`` (it hit a limit), ``result`` (it returned something
    that is neither a string nor a list of strings), ``quarantine`` (it was not run, for what it
    did before) or ``held`` (for what other code of its zone did; see `lzc.serve.worker.guard`).
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind: FailureKind = kind
        self.message = message

    def __reduce__(self) -> tuple[type[LuaFailure], tuple[FailureKind, str]]:
        return LuaFailure, (self.kind, self.message)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``mode`` as in ``[lua]``; ``exec_limit`` in VM instructions (0: none); ``memory_limit`` in
    octets of one Lua state; ``time_limit`` in seconds of CPU time (0: none); ``chunks``: compiled
    records kept at most; ``geo_memory``: addresses whose place is kept in a Lua state at most."""

    mode: Literal["isolated", "shared"] = "isolated"
    exec_limit: int = 1000
    memory_limit: int = 64 * 2**20
    time_limit: float = 0.1
    chunks: int = 10_000
    geo_memory: int = GEO_MEMORY
    powerdns: Version = LATEST

    @classmethod
    def from_config(cls, lua: LuaSection) -> EngineSettings:
        """The settings of ``[lua]``; as which version it answers is a matter of each zone."""
        return cls(
            mode=lua.mode,
            exec_limit=lua.exec_limit,
            memory_limit=lua.memory_limit,
            time_limit=lua.time_limit,
        )


class QueryContext(NamedTuple):
    """What a record may know about the query. A tuple, as one is made for each query.

    ``qname`` is the wire name as asked (case kept), ``zone`` the apex as lower-case wire name,
    ``who`` the packed client address (4 or 16 octets), ``subnet`` the packed network address and
    source prefix length of the query's ECS option, or `None`; ``local`` the packed address the
    query came to (empty: not known); ``flags`` the 16 header flag bits of RFC 1035 §4.1.1;
    ``edns_size`` the UDP payload size of the client's OPT (0 without); ``encloser`` how many labels
    the owner of the record has, the asterisk of a wildcard not counted; ``powerdns`` the version
    whose answers the zone gives, which is the engine's.
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
    encloser: int = 0
    powerdns: Version = LATEST
