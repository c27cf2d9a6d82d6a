"""Changing the bundle, or the settings, under running workers: verify, have all of them open it,
then switch all.

A bundle that is damaged, or that one worker cannot serve, changes nothing: the old one stays until
something better is there. Settings with which one worker cannot serve change nothing either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle import current, verification
from lzc.bundle.manifest import MANIFEST, BundleError
from lzc.bundle.verification import Stamp
from lzc.config import Config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, InputError
from lzc.foreign_text import clauses, shown
from lzc.serve.observe.log_format import about
from lzc.serve.supervise.bundle_trial import (
    Condemned,
    OpeningCrashes,
    Refusal,
    TriedZones,
    crash,
    files_of,
    try_bundle,
)
from lzc.serve.supervise.fallen_serials import SHOWN, FallenSerials
from lzc.serve.supervise.key_watch import TOLD, KeysUnknown, KeyWatch
from lzc.serve.supervise.source import Source
from lzc.serve.supervise.tls_files import TlsFiles
from lzc.serve.supervise.worker_process import Switch, WorkerProcess
from lzc.serve.worker.geo_files import GeoFiles
from lzc.serve.worker.keyring import Faults, Secrets
from lzc.serve.worker.quarantine import Quarantine
from lzc.serve.worker.serving import Assignment

if TYPE_CHECKING:
    from lzc.config.tls_material import TlsMaterial

log = logging.getLogger("lzc")

POLL: Final = 0.5
"""Seconds between two looks at ``current``."""


class Refused(Exception):
    """Nobody switched, and why."""


@dataclass(slots=True, eq=False)
class Reloader:
    """Keeps all ``workers`` on the bundle that is live. ``config`` are the settings in force.
    ``switched`` is called with each new bundle and its zones; ``before`` is the one
    before it, ``condemned`` are those that nobody opens again; ``quarantine`` is the code that is
    not to be run until then, as it is at the time; ``secrets`` are those in use. ``keys`` knows the
    zones that are out of service, ``generation`` counts the switches. While somebody has ``lock``,
    nobody switches. ``reloads`` counts how they ended (`count`)."""

    config: Config
    _source: Source
    folder: Path
    workers: list[WorkerProcess]
    geo: GeoFiles
    secrets: Secrets
    _switched: Callable[[Path, TriedZones], None]
    before: Path | None = None
    quarantine: Quarantine = field(default_factory=Quarantine)
    condemned: Condemned = field(default_factory=Condemned)
    fallen: FallenSerials = field(default_factory=FallenSerials)
    refusal: Refusal = field(default_factory=Refusal)
    loaded_at: float = field(default_factory=time.time)
    generation: int = 0
    reloads: Counter[str] = field(default_factory=Counter)
    switch: Switch = field(init=False)
    keys: KeyWatch = field(init=False)
    tls: TlsFiles = field(init=False)
    built_at: float = field(init=False)
    _mark: str = field(init=False)
    _mark_seen: bool = field(init=False)
    _gone: bool = False
    _crashing: Path | None = None
    _tls_given: TlsMaterial | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.switch = Switch(self.workers, self.folder)
        self.keys = KeyWatch(Keystore.of(self.config), self._source.stamps)
        self.tls = TlsFiles(self.config)
        self.tls.open()
        self._tls_given = self.tls.material
        self.built_at = _built_at(self.folder)
        # Not that of the source: the link may have moved since the bundle was chosen.
        self._mark = self.folder.name
        self._mark_seen = bool(self._source.mark())

    async def watch(self) -> None:
        """Follow ``current``, and try again what was refused; never returns."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL)
            self._woken.clear()
            try:
                await self._look()
            except Exception as error:  # whoever looks no more serves old data for good
                log.error("looking for a new bundle failed: %s", shown(repr(error)))

    async def _look(self) -> None:
        mark = self._source.mark()
        self._say_gone(mark)
        if mark and mark != self._mark:
            self._mark = mark
            await self.follow()
        elif self._crashing is not None:
            if not self.condemned.why(self._crashing):
                # Its files changed: it may have been copied again.
                self._crashing = None
                await self.follow(even_if_same=True)
        elif self.refusal.is_due() and self.refusal.folder != self.folder:
            await self.follow(again=True)

    @property
    def gone(self) -> bool:
        """Whether nothing is live any more: what is served could not be after another start."""
        return self._gone

    def _say_gone(self, mark: str) -> None:
        """Once, where there was something to follow."""
        self._mark_seen = self._mark_seen or bool(mark)
        gone = self._mark_seen and not mark
        if gone == self._gone:
            return
        self._gone = gone
        if gone:
            log.error(
                "NOTHING IS LIVE: %s is gone; still serving bundle %s",
                shown(self._source.path / current.CURRENT),
                self.folder.name,
            )
        else:
            log.info("%s is there again", shown(self._source.path / current.CURRENT))

    def assignment(self) -> Assignment:
        """What workers are to answer from."""
        return Assignment(
            self.folder,
            self.config,
            self.secrets,
            self.quarantine,
            self.geo.current(),
            self.tls.material,
        )

    def worker_is_back(self) -> None:
        """What was refused for want of a worker is tried again at once."""
        if self.refusal:
            self.refusal.soon()
            self._woken.set()

    def is_to_blame(self, hung: bool, folder: Path | None = None) -> bool:
        """Whether a bundle, which is served unless named, is to blame for a worker that crashed, or
        ``hung``, while it opened that."""
        return not hung or self.condemned.suspect(folder or self.folder)

    def count(self, answer: Mapping[str, Any], *, settings: bool = True) -> None:
        """Count a reload by its answer: ``done``, ``refused``, ``incomplete`` where some zones or
        keys stay out of service, or ``settings`` where the bundle was taken, and not ``settings``,
        all that ``lzc.toml`` says. One that found nothing to do is none."""
        result = answer.get("result")
        if result is not None:
            self.reloads["settings" if result == "done" and not settings else result] += 1

    async def follow(self, *, even_if_same: bool = False, again: bool = False) -> None:
        """`reload` of ourselves, counted."""
        self.count(await self.reload(even_if_same=even_if_same, again=again))

    async def reload(self, *, even_if_same: bool = True, again: bool = False) -> dict[str, Any]:
        """Switch to the live bundle; keys, secrets and geo databases are read anew even where the
        bundle is the same. Returns the answer of ``lzc ctl reload``.

        What would take a zone out of service, or a TSIG key, is refused. Where they are already,
        the switch is made for the sake of the others, and the answer is no success either.
        """
        async with self.lock:
            began = time.monotonic()
            tried: Path | None = None
            damaged: Stamp | None = None

            def refuse(why: str) -> dict[str, Any]:
                kept, age = self.folder.name, _age(time.time() - self.built_at)
                if self.refusal.note(tried, why, began, damaged, loud=not again):
                    said = clauses(why)
                    refused = tried.name if tried is not None else None
                    log.error(
                        "BUNDLE REFUSED, still serving %s, built %s ago: %s",
                        *(kept, age, said),
                        extra=about(bundle=refused, served=kept, reason=said),
                    )
                return {"ok": False, "error": why, "bundle": kept, "result": "refused"}

            # Before it is followed: where it leads from then on is news, be it back.
            self._mark = self._source.mark() or self._mark
            try:
                folder = tried = self._source.locate()
                if folder == self.folder and not even_if_same:
                    if self.refusal.folder != folder:
                        self.refusal.clear()
                    return self._serving(changed=False)
                files = files_of(folder)
                try:
                    # Here once, so that the workers need only look at the stamp.
                    await asyncio.to_thread(verification.verify, folder, self._source.stamps)
                except BundleError:
                    damaged = files
                    raise
                zones = await asyncio.to_thread(self.tried, folder)
            except BundleError as error:
                if isinstance(error, OpeningCrashes):
                    self._crashing = folder
                return refuse(shown(error))
            except OSError as error:
                # It is being copied, say.
                return refuse(f"{shown(folder)}: cannot be read: {error.strerror}")
            try:
                return await self._change(folder, zones, self.config)
            except Refused as error:
                return refuse(str(error))

    def is_live(self) -> bool:
        """Whether the bundle that is served is the one that `reload` would take."""
        try:
            return self._source.locate() == self.folder
        except (BundleError, OSError):
            return False

    async def take_settings(self, config: Config, *, stay: bool = False) -> dict[str, Any]:
        """Switch to other settings, and to the bundle that is live, which may need them; with
        ``stay`` to that alone which is served. Otherwise as `reload`. Raises `Refused`, where
        nothing has changed."""
        async with self.lock:
            if not stay:
                self._mark = self._source.mark() or self._mark
            try:
                folder = self.folder if stay else self._source.locate()
                if not stay:
                    await asyncio.to_thread(verification.verify, folder, self._source.stamps)
                zones = await asyncio.to_thread(self.tried, folder)
            except BundleError as error:
                raise Refused(shown(error)) from error
            except OSError as error:
                raise Refused(f"{shown(folder)}: cannot be read: {error.strerror}") from error
            return await self._change(folder, zones, config)

    async def _change(self, folder: Path, zones: TriedZones, config: Config) -> dict[str, Any]:
        """Have all workers answer from a bundle that was tried, with these settings. Returns the
        answer of ``lzc ctl reload``. Raises `Refused`."""
        try:
            # That of cookies stays where no file holds it: clients keep what they were given.
            secrets = Secrets.read(config, self.secrets.cookie)
            lost = _news(self.secrets.faults, secrets.faults)
            keystore = Keystore.of(config)
            report = await asyncio.to_thread(self.keys.examine, folder, keystore)
            lost += _news(self.keys.out(), report.errors)
            if lost:
                raise Refused(_lines(lost))
            geo = await asyncio.to_thread(self._geo_of, config)
        except (InputError, KeysUnknown) as error:
            raise Refused(str(error)) from error
        if folder != self.folder and not self.fallen:
            await self._know_what_is_served()
        # What is wrong with the certificate keeps no bundle from going live.
        await asyncio.to_thread(self.tls.follow, config)
        before, self.secrets = self.secrets, secrets
        assigned = Assignment(folder, config, secrets, geo=geo.current(), tls=self.tls.material)
        if problem := await self.switch.all_to(assigned):
            self.secrets = before
            if geo is not self.geo:
                geo.give_up(self.geo)
            why, crashed, hung = problem
            if crashed and folder != self.folder and self.is_to_blame(hung, folder):
                why = crash(folder, f"a worker that prepared it: {crashed}")
                self.condemned.add(folder, why)
            self._crashing = folder if self.condemned.why(folder) else None
            raise Refused(why)
        if geo is not self.geo:
            self.geo.give_up(geo)
            self.geo = geo
        self.geo.forget_superseded()
        self._tls_given = assigned.tls
        changed = folder != self.folder
        if changed:
            self.before = self.folder
            self.loaded_at, self.built_at = time.time(), _built_at(folder)
        self.folder, self.config = folder, config
        self.keys.keystore = keystore
        self.generation = self.switch.generation
        waited = self.refusal.clear()
        late = f", {waited:.0f} s after it was refused first" if waited else ""
        log.info(
            "serving bundle %s%s%s",
            *(folder.name, "" if changed else " again", late),
            extra=about(bundle=folder.name, zones=len(zones.serials)),
        )
        await asyncio.to_thread(self.fallen.take, folder.name, zones.serials)
        self._switched(folder, zones)
        self.keys.take(report)
        answer = self._serving(changed=changed)
        still = [one for found in (secrets.faults, report.errors) for one in found.values()]
        if self.tls.faults:
            still.append(self.tls.faults)
        answer["result"] = "incomplete" if still else "done"
        if still:
            answer["ok"] = False
            answer["error"] = f"serving bundle {folder.name}, but:\n{_lines(still)}"
        return answer

    def _geo_of(self, config: Config) -> GeoFiles:
        """The databases of these settings, as they are on disk now. Raises `InputError`."""
        geo = self.geo
        if config.geo_files != self.config.geo_files:
            geo = geo.others(config.geo_files)
        geo.refresh(at_once=True)
        return geo

    def tried(self, folder: Path) -> TriedZones:
        """The zones of a bundle that a child opened without harm. Raises `BundleError`, and
        `OpeningCrashes` without another trial for one that crashed before."""
        known = self.condemned.why(folder)
        if known:
            raise OpeningCrashes(known)
        try:
            return try_bundle(folder, self._source.stamps)
        except OpeningCrashes as error:
            self.condemned.add(folder, str(error))
            raise

    async def _know_what_is_served(self) -> None:
        """Its serials, where nothing needed them up to now."""
        try:
            served = await asyncio.to_thread(try_bundle, self.folder, self._source.stamps)
        except BundleError as error:
            log.warning("whether serials fall is not known: %s", shown(error))
            return
        self.fallen.take(self.folder.name, served.serials)

    def _serving(self, *, changed: bool) -> dict[str, Any]:
        return {
            "ok": True,
            "bundle": self.folder.name,
            "changed": changed,
            "geo": self.geo.report(),
            "tls": self.tls.report(),
            "fallen": self.fallen.status(SHOWN),
        }

    async def catch_up(self, worker: WorkerProcess) -> None:
        """Bring a worker that was born during a reload to what the others answer from, before it
        begins to answer."""
        async with self.lock:
            if worker.ready:
                await self.switch.alone(worker, self.assignment())
                worker.generation = self.generation

    async def watch_geo(self) -> None:
        """Follow the geo databases; never returns."""
        while True:
            await asyncio.sleep(POLL)
            if not self.geo.current():
                continue
            async with self.lock:
                if not await asyncio.to_thread(self.geo.refresh):
                    continue
                # Everything made anew, as for a bundle: no memory of the old data stays. But for
                # keys, which nobody asked to read again.
                if problem := await self.switch.all_to(self.assignment(), keep_keys=True):
                    why = clauses(problem.why)
                    what = "geo databases: still the ones from before: %s"
                    log.error(what, why, extra=about(reason=why))
                else:
                    self.generation = self.switch.generation
                    self.geo.forget_superseded()

    async def watch_tls(self) -> None:
        """Follow the files of TLS; never returns."""
        while self.tls.wanted:
            await asyncio.sleep(POLL)
            self.tls.look(time.time())
            async with self.lock:
                await asyncio.to_thread(self.tls.refresh)
                if self.tls.material == self._tls_given:
                    continue
                assigned = self.assignment()
                # Connections that are open go on with what they began with.
                if problem := await self.switch.all_to(assigned, keep_keys=True):
                    why = clauses(problem.why)
                    log.error("TLS: the certificate is as before: %s", why, extra=about(reason=why))
                else:
                    self.generation = self.switch.generation
                self._tls_given = assigned.tls

    def condemn(self, worker: int, how: str) -> bool:
        """Workers cannot open the bundle that is served, as this one showed: nobody does again.
        Whether there is one before it that they can, which is served from now on."""
        folder = self.folder
        self.condemned.add(folder, crash(folder, f"worker {worker}: {how}"))
        self._crashing = folder
        self.refusal.note(folder, self.condemned.why(folder), time.monotonic(), None, loud=True)
        return self._go_back()

    def _go_back(self) -> bool:
        if any(one.ready for one in self.workers):
            # They have it open, and go on.
            return False
        before, self.before = self.before, None
        if before is None or self.condemned.why(before):
            return False
        try:
            verification.verify(before, self._source.stamps)
        except BundleError:
            return False
        self.folder = self.switch.answering = before
        self.loaded_at, self.built_at = time.time(), _built_at(before)
        return True


def _built_at(folder: Path) -> float:
    """Seconds since the epoch at which a bundle was built, or copied without its times."""
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError:
        return time.time()


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _news(known: Faults, found: Faults) -> list[tuple[Fault, ...]]:
    return [faults for name, faults in found.items() if name not in known]


def _lines(found: Iterable[tuple[Fault, ...]]) -> str:
    """The faults of zones or keys, of which some are told."""
    told = [str(fault) for faults in islice(found, TOLD) for fault in faults]
    return "\n".join(told)
