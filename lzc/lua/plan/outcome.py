"""What plans choose among, and how the parts of a plan ask for a choice."""

from __future__ import annotations

from collections.abc import Callable

Outcome = tuple[int | bytes, ...]
"""Positions in `Plan.rdatas`, or RDATA that are not among them, in the order of the answer, none
twice; empty for NODATA."""

Select = Callable[[bytes, bytes, bytes], Outcome | None]
"""The outcome for a client (its packed address, or that of its network in ECS), a QNAME (a wire
name, its case as asked) and the apex of its zone; `None`: run Lua."""

Candidates = tuple[tuple[Outcome, bytes], ...]
"""Outcomes of one RDATA each, with packed addresses."""
