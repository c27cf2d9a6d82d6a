"""The items of a plan as it is read: each has to be one of its RDATA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lzc.lua.plan.health import Checked, checked
from lzc.lua.plan.outcome import Outcome
from lzc.wire import rrtype


class Reader:
    """Checks the items of a plan for type ``covered`` with ``count`` RDATA; ``is_open`` once it
    turned out that there may be others."""

    def __init__(self, covered: int, count: int) -> None:
        self.covered = covered
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
        """The outcomes that each of these is."""
        return [(self.item(item),) for item in items]

    def candidates(self, entries: Sequence[tuple[Any, str, Any]]) -> list[Checked]:
        """Likewise with what is checked of each; one at least."""
        if not entries:
            raise ValueError("nothing to choose from")
        return [checked(self.item(item), address, check) for item, address, check in entries]
