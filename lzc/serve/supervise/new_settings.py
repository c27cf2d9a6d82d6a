"""``lzc ctl reload``: the settings of ``lzc.toml`` and the live bundle, as far as both can be used.

First both together, for one may need the other. Where that fails, the settings on the bundle that
is served, and the live bundle with whichever settings are in force then: a bundle that is damaged
keeps no limit from being set, and a typing error in a limit no bundle from going live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from lzc.faults import InputError
from lzc.foreign_text import clauses, shown
from lzc.serve.observe.log_files import check_log_files
from lzc.serve.supervise.http_service import HttpService
from lzc.serve.supervise.reload import Refused, Reloader
from lzc.serve.supervise.settings_in_force import Found, SettingsInForce, shown_keys

log = logging.getLogger("lzc")

_WORKERS: Final = "[serve] workers"


@dataclass(slots=True)
class NewSettings:
    """Brings ``in_force`` up to the file; ``resize`` makes so many workers run, and says why it
    cannot, or nothing."""

    in_force: SettingsInForce
    _reloader: Reloader
    _resize: Callable[[int], Awaitable[str]]
    _http: HttpService
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> dict[str, Any]:
        """Do it; the answer is that of the reload, with the ``settings`` that changed. It is no
        success where a part of it was refused, or has to wait for another start."""
        async with self._lock:
            found = await asyncio.to_thread(self.in_force.look)
            refused, changed = "", list(found.changed)
            if changed:
                answer, refused, problem = await self._take(found)
                if problem:
                    changed.remove(_WORKERS)
            else:
                answer = await self._reloader.reload()
                problem = await self._http.read_token(self.in_force.config)
            answer["settings"] = [] if refused else changed
            took = ""
            if answer["settings"]:
                took = f", in force: {shown_keys(changed)}"
                log.info("settings in force: %s", shown(shown_keys(changed)))
            pending = self.in_force.tell(found, refused, problem)
            self._reloader.count(answer, settings=not pending)
            if pending:
                log.error("SETTINGS NOT IN FORCE: %s", shown(clauses(pending)))
                did = f"serving bundle {answer['bundle']}{took}, but:"
                if not answer["ok"]:
                    did = answer["error"]
                answer |= {"ok": False, "error": f"{did}\n{pending}"}
            return answer

    async def _take(self, found: Found) -> tuple[dict[str, Any], str, str]:
        """The answer of the reload, why the settings stay as they were, and why there are not as
        many workers as they say."""
        config, reloader, refused = found.config, self._reloader, ""
        assert config is not None
        workers = self.in_force.config.serve.workers
        try:
            await asyncio.to_thread(check_log_files, config, self.in_force.config)
            await asyncio.to_thread(self._http.prepare, config)
        except InputError as error:
            return await reloader.reload(), str(error), ""
        try:
            answer = await reloader.take_settings(config)
        except Refused as error:
            refused = str(error)
            if not reloader.is_live():
                try:
                    await reloader.take_settings(config, stay=True)
                    refused = ""
                except Refused as again:
                    refused = str(again)
            answer = await reloader.reload()
        if refused:
            self._http.give_up()
            return answer, refused, ""
        self.in_force.take(config)
        await self._http.switch()
        problem = ""
        if config.serve.workers != workers:
            problem = await self._resize(config.serve.workers)
            if problem:
                kept = config.serve.but(workers=workers)
                self.in_force.take(config.but(serve=kept))
        return answer, "", problem
