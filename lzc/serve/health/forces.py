"""What operators say of targets: held, until its time is over, instead of what checks find.

A target is an address, an address and a port, or the id of a check; the narrowest one counts.
"""

from __future__ import annotations

import asyncio
import difflib
import ipaddress
import logging
import re
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

from lzc.health_check import Check
from lzc.serve.health.saved_state import Force
from lzc.serve.health.scheduled_check import ScheduledCheck
from lzc.serve.ipc.health_table import AUTO, FORCES, HealthTable
from lzc.serve.observe.log_format import about
from lzc.serve.transport.sockets import show_endpoint

SHORTEST_ID: Final = 6
"""Hexadecimal digits of a check's id that are enough, if no other check's begins so."""

_NEAR: Final = 5


def target_of(text: str, keys: Collection[bytes]) -> str:
    """The target that a user means, in its one spelling; ``keys`` are those of all checks there
    are. Raises `ValueError` for what is none."""
    text = text.strip().lower()
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", text)
    try:
        if found is not None and 0 < int(found[3]) < 65536:
            return show_endpoint(str(ipaddress.ip_address(found[1] or found[2])), int(found[3]))
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},32}}", text):
        raise ValueError(f"{text} is neither ADDRESS nor ADDRESS:PORT nor the id of a check")
    begin = [key.hex() for key in keys if key.hex().startswith(text)]
    if len(begin) != 1:
        raise ValueError(f"{'more than one' if begin else 'no'} check has an id like {text}")
    return begin[0]


def targets_of(check: Check, key: bytes) -> tuple[str, ...]:
    """The targets that a check belongs to, the narrowest first."""
    host, port = check.endpoint()
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        return (key.hex(),)
    return (key.hex(), show_endpoint(address, port), address) if port else (key.hex(), address)


def near(target: str, known: Collection[str]) -> list[str]:
    """Of all targets that checks belong to, those that somebody may mean who says ``target``: of
    the same address, or written like it; some others where there are none."""
    address = target.rpartition(":")[0] or target
    spelled = [one for one in sorted(known) if not re.fullmatch(r"[0-9a-f]{32}", one)]
    same = [one for one in spelled if address in (one, one.rpartition(":")[0])]
    alike = difflib.get_close_matches(target, spelled, _NEAR)
    return (list(dict.fromkeys([*same, *alike])) or spelled)[:_NEAR]


def force_of(check: Check, key: bytes, forced: Mapping[str, Force]) -> Force | None:
    """What counts for a check, if anything was said of it."""
    if not forced:
        return None
    return next((forced[one] for one in targets_of(check, key) if one in forced), None)


def within(target: str, forced: Mapping[str, Force]) -> list[str]:
    """The targets spoken of that ``target`` is or contains: an address has all its ports."""
    prefix = show_endpoint(target, 0)[:-1]
    return [one for one in forced if one == target or one.startswith(prefix)]


log = logging.getLogger("lzc")

MAX_FORCE: Final = 366 * 86400.0
"""Seconds an operator's word holds at most, unless it is for good."""


class OperatorsWord:
    """Of the ``checks`` in ``table``; ``forced`` is what holds at first. ``changes`` counts how
    often that became another. Needs a running event loop."""

    def __init__(
        self,
        checks: Mapping[bytes, ScheduledCheck],
        table: HealthTable,
        forced: Mapping[str, Force],
    ) -> None:
        self._checks = checks
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self.forced: dict[str, Force] = {}
        self.changes = 0
        for target, force in forced.items():
            self._hold(target, force)

    def force(self, text: str, state: str, seconds: float, *, anyway: bool) -> dict[str, Any]:
        """Let a target be ``state`` (one of `FORCES`) whatever its checks find, for ``seconds`` or,
        with 0, until it is taken back with ``auto``; one that no check has, only ``anyway``.
        Returns the answer of ``lzc ctl``."""
        if state not in FORCES or not 0 <= seconds <= MAX_FORCE:
            return {"ok": False, "error": f"expected one of {', '.join(FORCES)}, and seconds"}
        try:
            target = target_of(text, self._checks)
        except ValueError as error:
            return {"ok": False, "error": str(error)}
        unknown = "" if anyway or within(target, self.forced) else self._unknown(target)
        if unknown:
            return {"ok": False, "error": unknown}
        if state == FORCES[AUTO]:
            for one in within(target, self.forced):
                self._lift(one)
            what = "health: %s is left to its checks again, by hand"
            log.info(what, target, extra=about(target=target, forced=state))
        else:
            until = time.time() + seconds if seconds else 0.0
            self._hold(target, Force(state, until, seconds))
            length = f" for {seconds:.0f} s" if seconds else ""
            what = "health: %s is forced to %s by hand%s"
            extra = about(target=target, forced=state, seconds=seconds or None)
            log.info(what, target, state, length, extra=extra)
        checks = self._apply_all(target)
        return {"ok": True, "target": target, "state": state, "seconds": seconds, "checks": checks}

    def apply(self, entry: ScheduledCheck) -> None:
        """Look what counts for a check."""
        entry.force = force_of(entry.check, entry.key, self.forced)
        code = FORCES.index(entry.force.state) if entry.force else AUTO
        self._table.force(entry.offset, code, time.time())

    def _unknown(self, target: str) -> str:
        """Why a target is none that a check belongs to; empty where it is one."""
        entries = self._checks.values()
        known = {one for entry in entries for one in targets_of(entry.check, entry.key)}
        if target in known:
            return ""
        there = ", ".join(near(target, known)) or "no checks at all"
        return (
            f"no check looks at {target}; there are: {there}. For a check that is yet to come,"
            " force it with --anyway"
        )

    def _hold(self, target: str, force: Force) -> None:
        self._lift(target)
        self.forced[target] = force
        left = force.remaining(time.time())
        if left is not None:
            self._expiries[target] = self._loop.call_later(left, self._expired, target)

    def _lift(self, target: str) -> None:
        self.forced.pop(target, None)
        expiry = self._expiries.pop(target, None)
        if expiry is not None:
            expiry.cancel()

    def _expired(self, target: str) -> None:
        self._lift(target)
        self._apply_all(target)
        extra = about(target=target, forced=FORCES[AUTO])
        log.info("health: %s is no longer forced", target, extra=extra)

    def _apply_all(self, target: str) -> int:
        """Look again what counts for each check; how many a target is about."""
        self.changes += 1
        about = 0
        for entry in self._checks.values():
            about += target in targets_of(entry.check, entry.key)
            self.apply(entry)
        return about
