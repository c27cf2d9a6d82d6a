"""``lzc ctl secondaries``: what is known of secondaries, zone by zone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lzc.serve.notify.details import details
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.supervise.control import Answer
from lzc.serve.supervise.seeing import Overview
from lzc.wire import name as wire_name


@dataclass(frozen=True, slots=True)
class SecondaryReport:
    """Of these secondaries; the other knows the zones of the bundle."""

    secondaries: Secondaries
    overview: Overview

    async def command(self, request: Answer) -> Answer:
        """All of them, or that of the ``name`` (or address) asked for, and of all their zones, or
        of the ``zone`` asked for."""
        name, zone = request.get("name"), request.get("zone")
        known = [one.name for one in self.secondaries.sections]
        known += [one.address for one in self.secondaries.sections]
        if name is not None and name not in known:
            return {"ok": False, "error": f"no [[secondary]] is called {name}"}
        apex = None
        if zone is not None:
            try:
                apex = wire_name.from_text(str(zone), wire_name.ROOT).lower()
            except wire_name.InvalidName as error:
                return {"ok": False, "error": f"{zone} is no name of a zone: {error}"}
        seen = await self.overview.snapshot()
        expires = {one.name: one.expire for one in seen.zones}
        if apex is not None and wire_name.to_text(apex) not in expires:
            return {"ok": False, "error": f"there is no zone {wire_name.to_text(apex)} here"}
        loop_now = asyncio.get_running_loop().time()
        found = details(self.secondaries, name, apex, expires, time.time(), loop_now)
        unsaved = self.secondaries.unsaved
        return {"ok": True, "secondaries": found, "secondaries_unsaved": unsaved}
