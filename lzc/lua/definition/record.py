"""What the rules know of a record besides its code, and where they put what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lzc.lua.definition.finding import Finding
from lzc.lua.definition.literals import Literals
from lzc.lua.definition.versions import Secondary
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.scopes import Scopes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What ``include`` of a name gives: whether a LUA record that covers LUA is there, else what is
    (``instead``, in words); the globals it sets; ``dynamic`` if it may set others."""

    found: bool
    instead: str = ""
    sets: frozenset[bytes] = frozenset()
    dynamic: bool = False


Included = Callable[[bytes], Inclusion]
"""Tells of a name as ``include`` takes it: in presentation format, relative to the zone."""


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """``covered`` is the type a record answers for, ``ttl`` its TTL in seconds."""

    covered: int
    ttl: int


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """``signed``: the zone is DNSSEC-signed; ``shared``: records run in shared mode; ``interval``
    of the health checks in seconds; ``secondaries`` are those that run PowerDNS; ``elsewhere`` the
    globals that any record of the zone sets, ``dynamic`` if there may be others."""

    signed: bool = False
    shared: bool = False
    interval: int = 5
    secondaries: tuple[Secondary, ...] = ()
    included: Included = lambda _name: Inclusion(False)
    elsewhere: frozenset[bytes] = frozenset()
    dynamic: bool = False


@dataclass(slots=True)
class Examination:
    """A record whose code is looked through: what is known of it, and what was found so far."""

    scopes: Scopes
    literals: Literals
    facts: RecordFacts
    zone: ZoneFacts
    redefined: frozenset[bytes] = frozenset()
    findings: list[Finding] = field(default_factory=list)

    def report(
        self, node: syntax.Node | int, rule: str, message: str, why: str = "", fix: str = ""
    ) -> None:
        """Note a finding at the start of a node, or at an offset."""
        offset = node if isinstance(node, int) else node.offset
        self.findings.append(Finding(offset, rule, message, why, fix))

    def function_name(self, called: syntax.Expression) -> str | None:
        """The name of the function of the API or the language that a call calls; `None` for the
        record's own."""
        name = self.literals.global_name(called)
        if name is None or name in self.redefined:
            return None
        return name.decode("latin-1")


def quoted(text: bytes | str) -> str:
    """Text of a record as messages show it, cut when it is long."""
    whole = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
    return f"'{whole}'" if len(whole) <= 60 else f"'{whole[:57]}…'"
