"""Which zones are out of service for want of keys, and which will be: what is said of it, and when.

Workers tell what they do not serve; the keystore is looked at every minute besides, and whether the
keys are in their tokens, as a worker that starts later will find it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.bundle.zone_keys import ZoneKeys, in_tokens, zone_keys, zone_signatures
from lzc.contained import Begin, Ended, run_contained
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault
from lzc.foreign_text import shown
from lzc.serve.ipc.process import ChannelMessage
from lzc.serve.observe.log_format import about
from lzc.serve.supervise.token_watch import KeysOfZones, Lying, TokenWatch
from lzc.serve.worker.keyring import Faults
from lzc.serve.worker.right_time import earliest, refusal
from lzc.serve.worker.worker import LISTED
from lzc.wire import name as wire_name

SECONDS: Final = 10.0
"""Seconds of CPU time that the keys of a zone may take."""


class KeysUnknown(Exception):
    """The keys of a bundle could not be looked at."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What is in the keystore for a bundle: zones that it does not sign, and what to warn of.
    ``ends``: when the keys of a zone cease to sign it, seconds since the epoch, where they do;
    ``lying``: the keys that sign and lie in tokens, which nobody looked for there."""

    errors: Faults = field(default_factory=dict)
    warnings: Faults = field(default_factory=dict)
    ends: Mapping[str, float] = field(default_factory=dict)
    lying: KeysOfZones = field(default_factory=dict)


log = logging.getLogger("lzc")

PERIOD: Final = 60.0
"""Seconds between two looks at the keystore; longer, where one takes more than a second."""
_SHARE: Final = 60
TOLD: Final = 20
"""Zones that are named in one go, in the log and where a reload is refused."""
_AGAIN: Final = {"servfail": 3600.0, "at risk": 3600.0, "warning": 86400.0}
"""Seconds after which what is still wrong is logged again."""
_SAID: Final = {
    "servfail": "ZONE OUT OF SERVICE: all of %s is SERVFAIL: %s: %s; fix: %s",
    "at risk": "KEYS AT RISK: %s is served with the keys that were read before, until a worker"
    " starts again: %s: %s; fix: %s",
    "warning": "KEYS: %s: %s: %s; fix: %s",
}


class KeyWatch:
    """What is known of the keys of the zones that are served, which are in ``keystore``. ``stamps``
    is where verifications are remembered."""

    def __init__(self, keystore: Keystore, stamps: Path) -> None:
        self.keystore = keystore
        self._stamps = stamps
        self._tokens = TokenWatch(keystore.tokens)
        self._by_worker: dict[int, dict[str, tuple[Fault, ...]]] = {}
        self._report = KeyReport()
        self._logged: dict[str, tuple[str, float]] = {}

    def heard(self, worker: int, message: ChannelMessage) -> None:
        """A worker told which zones it does not serve."""
        before = self.out()
        self._by_worker[worker] = {
            zone: tuple(map(Fault.from_document, faults)) for zone, faults in message["out"]
        }
        # Of what it serves again, it has read the keys after the last look at the keystore.
        again = before.keys() - self.out().keys()
        if again:
            errors = self._report.errors.items()
            self._report = replace(
                self._report, errors={zone: one for zone, one in errors if zone not in again}
            )
        self._tell()

    def forget(self, worker: int) -> None:
        """There is no such worker any more."""
        self._by_worker.pop(worker, None)
        self._tell()

    def out(self) -> dict[str, tuple[Fault, ...]]:
        """The zones that some worker does not serve, and why; of the last of very many no worker
        says why."""
        found: dict[str, tuple[Fault, ...]] = {}
        for zones in self._by_worker.values():
            for zone, faults in zones.items():
                found[zone] = faults or found.get(zone, faults)
        return found

    def examine(self, folder: Path, keystore: Keystore | None = None) -> KeyReport:
        """Look at what is in the keystore, or in another, for a verified bundle. Raises
        `KeysUnknown`. Takes a while: call it in a thread."""
        now, store = time.time(), keystore or self.keystore

        def look(begin: Begin) -> KeyReport:
            errors: dict[str, tuple[Fault, ...]] = {}
            warnings: dict[str, tuple[Fault, ...]] = {}
            ends: dict[str, float] = {}
            lying: dict[str, tuple[Lying, ...]] = {}
            not_before = earliest(folder)
            with Bundle.open(folder, verified_dir=self._stamps) as bundle:
                for number, info in enumerate(bundle.zones()):
                    begin(number)
                    if not info.signed:
                        continue
                    if info.presigned:
                        found = zone_signatures(info, now)
                    elif now < not_before:
                        found = ZoneKeys(errors=(refusal(folder, info, now, not_before),))
                    else:
                        found = zone_keys(store, info, now)
                    name = wire_name.to_text(info.apex)
                    if found.end is not None:
                        ends[name] = found.end
                    if found.errors:
                        errors[name] = found.errors
                        continue
                    if found.warnings:
                        warnings[name] = found.warnings
                    if keys := in_tokens(found.keys, now):
                        lying[name] = tuple(Lying(key.uri, key.algorithm) for key in keys)
            return KeyReport(errors, warnings, ends, lying)

        try:
            return run_contained(look, seconds=SECONDS)
        except (BundleError, Ended, OSError, MemoryError) as error:
            raise KeysUnknown(f"the keys of the zones cannot be looked at: {error}") from error

    def _look_into_tokens(self, report: KeyReport) -> KeyReport:
        """The same report, with what is wrong with keys in tokens. Raises `KeysUnknown`."""
        if self._tokens.tokens is not self.keystore.tokens:
            # A reload took other settings.
            self._tokens.close()
            self._tokens = TokenWatch(self.keystore.tokens)
        try:
            found = self._tokens.look(report.lying)
        except Ended as error:
            raise KeysUnknown(f"the keys in tokens cannot be looked at: {error}") from error
        return replace(report, errors={**report.errors, **found})

    def take(self, report: KeyReport) -> None:
        """This is what is in the keystore for the bundle that is served."""
        self._report = report
        self._tell()

    async def watch(self, folder: Callable[[], Path]) -> None:
        """Look at the keystore, for the bundle that is served, again and again; never returns."""
        while True:
            begin = time.monotonic()
            at = folder()
            try:
                report = await asyncio.to_thread(self.examine, at)
                report = await asyncio.to_thread(self._look_into_tokens, report)
            except KeysUnknown as error:
                log.error("%s", shown(error))
            else:
                if at == folder():
                    self.take(report)
            took = time.monotonic() - begin
            await asyncio.sleep(max(PERIOD, _SHARE * took))

    def ends(self) -> Mapping[str, float]:
        """When the keys of zones cease to sign them, seconds since the epoch, by the last look;
        zones whose keys have no end are left out."""
        return self._report.ends

    def states(self) -> dict[str, str]:
        """Zones with something wrong with their keys: ``servfail``, ``at risk`` or ``warning``."""
        return {zone: state for zone, (state, _) in self._states().items()}

    def status(self) -> list[dict[str, Any]]:
        """For ``lzc ctl status``: what is wrong with the keys of zones, the worst first, as far as
        it is known."""
        found = []
        known = ((zone, one) for zone, one in self._states().items() if one[1])
        for zone, (state, faults) in islice(known, LISTED):
            workers = [index for index, zones in self._by_worker.items() if zone in zones]
            found += [
                {
                    "zone": zone,
                    "state": state,
                    "workers": sorted(workers),
                    "place": str(fault.place),
                    "rule": fault.rule,
                    "problem": fault.message,
                    "fix": fault.fix,
                }
                for fault in faults
            ]
        return found

    def _states(self) -> dict[str, tuple[str, tuple[Fault, ...]]]:
        """Each zone with a fault: ``servfail`` where a worker does not serve it, ``at risk`` where
        one that starts now would not, ``warning`` otherwise."""
        errors = self._report.errors
        found = {
            zone: ("servfail", faults or errors.get(zone, ()))
            for zone, faults in self.out().items()
        }
        for state, zones in (("at risk", errors), ("warning", self._report.warnings)):
            for zone, faults in zones.items():
                found.setdefault(zone, (state, faults))
        return found

    def _tell(self) -> None:
        """Log what is new, and now and then what is not."""
        now = time.monotonic()
        states = self._states()
        again = [zone for zone in self._logged if zone not in states]
        for zone in again:
            del self._logged[zone]
        for zone in again[:TOLD]:
            what = "zone %s: its keys are as they should be again"
            log.warning(what, zone, extra=about(zone=zone, state="ok"))
        if len(again) > TOLD:
            log.warning("so are those of %d more zones", len(again) - TOLD)
        due = []
        for zone, (state, faults) in states.items():
            ident = f"{state} {[fault.rule for fault in faults]}"
            before, at = self._logged.get(zone, ("", 0.0))
            if before != ident or now - at >= _AGAIN[state]:
                self._logged[zone] = ident, now
                due.append((zone, state, faults))
        # Those first of which it is known why.
        due.sort(key=lambda one: not one[2])
        for zone, state, faults in due[:TOLD]:
            level = logging.WARNING if state == "warning" else logging.ERROR
            for fault in faults:
                place, problem, fix = shown(fault.place), shown(fault.message), shown(fault.fix)
                extra = about(zone=zone, state=state, reason=fault.message, code=fault.rule)
                log.log(level, _SAID[state], zone, place, problem, fix, extra=extra)
        if len(due) > TOLD:
            log.error(
                "%d more zones have something wrong with their keys, see: lzc ctl status",
                len(due) - TOLD,
            )
