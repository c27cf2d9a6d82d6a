"""What plans choose among, and how the parts of a plan ask for a choice; and the items of a plan as
it is read: each has to be one of its RDATA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from lzc.health_check import Check
from lzc.powerdns_versions import Version
from lzc.wire import rrtype

Outcome = tuple[int | bytes, ...]
"""Positions in `Plan.rdatas`, or RDATA that are not among them, in the order of the answer, none
twice; empty for NODATA."""

Select = Callable[[bytes, bytes, bytes], Outcome | None]
"""The outcome for a client (its packed address, or that of its network in ECS), a QNAME (a wire
name, its case as asked) and the apex of its zone; `None`: run Lua."""

Text = Callable[[bytes, bytes, bytes], bytes | None]
"""A text, likewise, that is to be read as RDATA; `NOTHING` for NODATA."""

NOTHING: Final = b"\0nothing"
"""No text: known by its identity."""

Candidates = tuple[tuple[Outcome, bytes], ...]
"""Outcomes of one RDATA each, with packed addresses."""


class Checked(NamedTuple):
    """A candidate: the outcome that it alone is, with its packed address; what is checked of it."""

    candidate: tuple[Outcome, bytes]
    check: Check


class Reader:
    """Checks the items of a plan for type ``covered`` with ``count`` RDATA, for a ``version`` of
    PowerDNS; ``is_open`` once it turned out that there may be others."""

    def __init__(self, covered: int, count: int, version: Version) -> None:
        self.covered = covered
        self.version = version
        self.is_open = False
        self._count = count
        # One name has one CNAME.
        self._most = 1 if covered == rrtype.CNAME else None

    def item(self, value: Any) -> int:
        """The position of an RDATA. Raises `ValueError` for any other value."""
        if type(value) is not int or not 0 <= value < self._count:
            raise ValueError(f"item {value!r}")
        return value

    def outcome(self, items: Sequence[Any]) -> Outcome:
        """The outcome that all these items are."""
        return tuple(dict.fromkeys(map(self.item, items)))[: self._most]

    def singles(self, items: Sequence[Any]) -> list[Outcome]:
        """The outcomes that each of these is; one at least. Raises `ValueError`."""
        if not items:
            raise ValueError("nothing to choose from")
        return [(self.item(item),) for item in items]

    def candidates(self, entries: Sequence[tuple[Any, str, Any]]) -> list[Checked]:
        """Likewise with what is checked of each. Raises `ValueError` or `TypeError`."""
        singles = self.singles([item for item, _, _ in entries])
        return [
            Checked((single, bytes.fromhex(address)), Check.from_document(check))
            for single, (_, address, check) in zip(singles, entries, strict=True)
        ]
