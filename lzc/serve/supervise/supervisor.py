"""The parent of all processes: binds, forks, watches, replaces; it answers no query itself.

Workers are forked from here, after everything they need was imported once; what they do not need is
imported when they answer already. The event loop of this process runs NOTIFY, the control socket
and the reloads.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle import verification
from lzc.bundle.check_list import EMPTY
from lzc.bundle.current import CURRENT
from lzc.bundle.manifest import CHECKS, BundleError
from lzc.bundle.unusable import unusable
from lzc.config import Config
from lzc.faults import Fault, InputError, Place
from lzc.foreign_text import shown
from lzc.private_folder import private_folder
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.policy import CheckPolicy
from lzc.serve.ipc.process import Channel, ChannelMessage, ended, fork, hear_no_more, how, kill
from lzc.serve.ipc.scoreboard import COUNTERS, Scoreboard
from lzc.serve.ipc.zones_out import read_fault
from lzc.serve.observe.transfer_watch import TransferWatch
from lzc.serve.supervise import control
from lzc.serve.supervise.bundle_trial import FROM_OUTSIDE, crash
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.key_watch import KeyWatch
from lzc.serve.supervise.reload import Reloader, Source
from lzc.serve.supervise.settings_in_force import SettingsInForce
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.transport import sockets
from lzc.serve.worker import worker
from lzc.serve.worker.geo_files import GeoFiles
from lzc.serve.worker.keyring import Secrets
from lzc.serve.worker.proven import Proven
from lzc.serve.worker.quarantine import Quarantine
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.cookie import SECRET as COOKIE_SECRET
from lzc.wire.message import question_end

if TYPE_CHECKING:
    from lzc.serve.notify.notifier import Notifier
    from lzc.serve.notify.secondary import NotifyTimes

log = logging.getLogger("lzc")

WATCHDOG: Final = 3.0
"""Seconds with one thing, a query as a rule, after which a worker is killed and replaced. However
busy it is otherwise, it says that it gets on."""
START_LIMIT: Final = 120.0
"""Seconds a worker gets to open its bundle (it may have to be hashed)."""
LEAVING: Final = 1.0
"""As `WATCHDOG`, once the server stops."""
DEPARTING: Final = 5.0
"""Seconds that processes of a server that was killed may hold its addresses yet."""
STOP_LIMIT: Final = worker.GRACE + 3.0
_CHECKER_PATIENCE: Final = 10
"""Times the watchdog's seconds: no answer waits for the checker, and its turns may take seconds."""
_TICK: Final = 0.2
_LATE: Final = 1.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What to serve, and where. ``source`` is a folder of bundles or one bundle; ``ready`` is
    called with one line of text when the first answers can be had; ``file`` is what ``config`` was
    read from, where that is a link."""

    config: Config
    source: Path
    listen: list[str]
    workers: int
    ready: Callable[[str], None] = log.info
    watchdog: float = WATCHDOG
    file: Path | None = None
    notify_times: NotifyTimes | None = None


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT. Raises `InputError` for what keeps the server from starting:
    no bundle, a damaged one, addresses in use, no secret for cookies. Keys of zones and TSIG
    secrets that cannot be used concern those alone."""
    # It is the end of a process that does not expect it; and all is read anew right here.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with private_folder("serve") as private:
        source = Source.at(options.source, private)
        geo = GeoFiles([options.config.path(one) for one in options.config.serve.geoip], private)
        faults: list[Fault] = []
        secrets = Secrets({}, b"")
        with _all_faults(faults):
            folder = _verified(source, options)
        with _all_faults(faults):
            secrets = Secrets.read(options.config, os.urandom(COOKIE_SECRET))
        with _all_faults(faults):
            geo.open()
        unusable = [*chain(*secrets.faults.values())]
        if faults:
            raise InputError([*faults, *unusable])
        path = control.socket_path(
            options.config.folder, options.config.output, options.config.serve.control_socket
        )
        # What is left of one that was killed lets go of its addresses in a moment.
        patience = DEPARTING if control.left_behind(path) else 0.0
        bound = sockets.bind(options.listen, options.workers, patience)
        listener = control.bind(path)
        _raise_file_limit()
        gc.freeze()
        gc.enable()
        for fault in unusable:
            log.error("TSIG KEY OUT OF SERVICE: %s", str(fault).replace("\n", "; "))
        checker = CheckerProcess(
            CheckPolicy.from_config(options.config), health_state.path_beside(path), private
        )
        supervisor = Supervisor(options, source, folder, bound, checker, geo, secrets)
        asyncio.run(supervisor.serve(path, listener))


@contextlib.contextmanager
def _all_faults(faults: list[Fault]) -> Iterator[None]:
    """Go on after an `InputError`, so that what is wrong elsewhere is found in the same run."""
    try:
        yield
    except InputError as error:
        faults.extend(error.faults)


def _verified(source: Source, options: ServeOptions) -> Path:
    """The folder of the live bundle. Raises `InputError`."""
    try:
        folder = source.locate()
        verification.verify(folder, source.stamps)
    except BundleError as error:
        file, given = options.file or options.config.file, options.source != options.config.output
        raise unusable(source.path, error, file, given=given) from error
    return folder


def _raise_file_limit() -> None:
    """Connections and health checks are bounded by settings of ours, not by a shell's default."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Supervisor:
    """Processes and shared memory of one server."""

    def __init__(
        self,
        options: ServeOptions,
        source: Source,
        folder: Path,
        bound: sockets.SocketSet,
        checker: CheckerProcess,
        geo: GeoFiles,
        secrets: Secrets,
    ) -> None:
        self._options = options
        self._source = source
        self._bound = bound
        self._board = Scoreboard(options.workers)
        self._checker = checker
        self._keys = KeyWatch(options.config.keystore, source.stamps)
        self._workers = [
            WorkerProcess(index, self._board.slot(index)) for index in range(options.workers)
        ]
        self._quarantine = Quarantine()
        self._proven = Proven(options.workers)
        self._suspected: set[int] = set()
        self._reloader = Reloader(
            source,
            folder,
            self._workers,
            self._switched,
            geo,
            self._quarantine,
            secrets,
            # Those of cookies stay where no file holds them: clients keep what they were given.
            lambda: Secrets.read(options.config, secrets.cookie),
            self._keys,
        )
        self._geo = geo
        self._notifier: Notifier | None = None
        self._transfers = TransferWatch(
            options.config.secondary, self._transferred, clock=time.time
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settings = _settings_of(options)
        self._started_at = time.time()
        self._fair_from = 0.0
        self._tick_at = 0.0
        self._started = False
        self._listening = self._hung_up = False
        self._stopping = False
        self._failed: list[Fault] = []

    async def serve(self, path: Path, listener: socket.socket) -> None:
        """Run everything until a signal says stop."""
        self._loop = asyncio.get_running_loop()
        stop = self._stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        server = self._control = control.ControlServer(path, listener, self._commands())
        try:
            self._begin_health()
            first = [one.expect() for one in self._workers]
            for one in self._workers:
                self._start_worker(one)
            self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
            # One that died before anybody listened sends no other signal.
            self._reap()
            if not await self._all_ready(first, stop):
                return
            self._started = True
            for place in self._workers:
                self._restart(place)
            self._say_ready()
            self._start_checker()
            config = self._options.config
            # Here, as no answer waits for it.
            from lzc.serve.notify.notifier import Notifier

            self._notifier = Notifier(
                config.secondary,
                self._reloader.secrets.tsig,
                self._options.notify_times,
                sources=config.serve.notify_source,
                listen=self._bound.endpoints,
            )
            await self._find_and_notify(self._reloader.folder)
            await server.start()
            if self._hung_up:
                self._spawn(self._reload({}))
            self._listening = True
            self._spawn(self._reloader.watch())
            self._spawn(self._reloader.watch_geo())
            self._spawn(self._keys.watch(lambda: self._reloader.folder))
            self._tick()
            await stop.wait()
            if self._failed:
                raise InputError(self._failed)
            log.info("stopping")
        finally:
            server.close()
            await self._shut_down()
            hear_no_more(self._loop)

    def _begin_health(self) -> None:
        """Where the bundle lists checks, start them first: answers wait for their results a while.
        Without, nothing waits for the checker."""
        if (self._reloader.folder / CHECKS).stat().st_size <= len(EMPTY):
            self._checker.open()
            return
        self._start_checker()
        self._spawn(self._checker.open_when_known(self._options.config.serve.health_grace))

    async def _all_ready(
        self, answers: list[asyncio.Future[ChannelMessage]], stop: asyncio.Event
    ) -> bool:
        """Wait for the first workers; False when told to stop meanwhile. Raises `InputError`."""
        stopped = self._loop.create_task(stop.wait())
        for answer in answers:
            either: list[asyncio.Future[Any]] = [answer, stopped]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                return False
            if answer.result().get("crash"):
                folder = self._reloader.folder
                why = crash(folder, f"a worker: {answer.result()['crash']}")
                raise InputError([_crashing(folder, why)])
            if answer.result()["event"] != "ready":
                raise InputError(_faults(answer.result()))
        stopped.cancel()
        return True

    def _say_ready(self) -> None:
        workers = len(self._workers)
        self._options.ready(
            f"lzc: serving bundle {self._reloader.folder.name}"
            f" ({self._workers[0].zones} zones) on {', '.join(self._bound.endpoints)},"
            f" {workers} worker{'s' if workers > 1 else ''}"
        )

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the supervisor ended: %s", shown(repr(task.exception())))

    def _start_worker(self, place: WorkerProcess) -> None:
        options = self._options
        place.slot.reset()
        place.geo = self._geo.current()
        setup = worker.WorkerSetup(
            config=options.config,
            folder=self._reloader.folder,
            verified_dir=self._source.stamps,
            listeners=self._bound.of_worker[place.index],
            slot=place.slot,
            health=self._checker.view(),
            secrets=self._reloader.secrets,
            proven=self._proven.of_worker(place.index),
            quarantine=self._quarantine,
            geo=place.geo,
        )

        def main(channel: Channel) -> int:
            self._close_in_child(keep=place.index)
            return worker.run(setup, channel)

        pid, channel = fork(main)
        place.begin(pid, channel)
        channel.attach(self._loop, lambda message: self._heard(place, message), lambda: None)

    def _close_in_child(self, keep: int | None) -> None:
        """Let go of what belongs to others. Only descriptors: the parent's event loop, of which the
        child has a copy, must not be touched."""
        # While somebody holds it, another server would take us to be running still.
        self._control.close_in_child()
        channels = [one.channel for one in self._workers]
        for channel in [*channels, self._checker.channel]:
            if channel is not None:
                channel.sock.close()
        for index, listeners in enumerate(self._bound.of_worker):
            if index != keep:
                for listener in listeners:
                    listener.udp.close()
                    listener.tcp.close()

    def _transferred(self, name: str, apex: bytes, serial: int) -> None:
        if self._notifier is not None:
            self._notifier.transferred(name, apex, serial)

    def _secondaries(self) -> list[control.Answer]:
        """What is known of each, whether or not it gets NOTIFY."""
        told = self._notifier.status() if self._notifier is not None else []
        found = {(one["name"], one["address"]): one for one in told}
        return [
            {
                "name": section.name,
                "address": section.address,
                **found.get((section.name, section.address), {}),
                "notify": section.notify,
                "transfers": self._transfers.status_of(section),
            }
            for section in self._options.config.secondary
        ]

    def _heard(self, place: WorkerProcess, message: ChannelMessage) -> None:
        if message["event"] == "transfers":
            self._transfers.take(message)
            return
        if message["event"] in ("ready", "committed", "keys"):
            self._keys.heard(place.index, message)
        if message["event"] == "keys":
            return
        place.take(message)
        if message["event"] == "failed" and self._started:
            why = message["why"].replace("\n", "; ")
            log.error("worker %d cannot start: %s", place.index, why)
        if message["event"] != "ready":
            return
        # Others may have switched while it started: whoever was told so must not be answered from
        # what was before.
        if place.bundle != self._reloader.answering.name or place.geo != self._geo.current():
            self._spawn(self._reloader.catch_up(place))
        else:
            place.tell({"do": "begin"})
        self._reloader.worker_is_back()
        if self._notifier is not None:
            self._notifier.remind()

    def _reap(self) -> None:
        """See which processes ended, and start others in their place."""
        for place in self._workers:
            status = ended(place.pid)
            if status is not None:
                self._worker_died(place, status)
        self._checker.reap(self._start_checker)

    def _worker_died(self, place: WorkerProcess, status: int) -> None:
        pid = place.pid
        opening = not place.ready
        crash = self._crash(place, status)
        place.end(how(status), crash)
        if self._stopping or not self._started:
            return
        if opening and crash and self._reloader.is_to_blame(place.hung):
            self._could_not_open(place, crash)
            return
        # With the cause out of the way, there is nothing to wait for.
        pause = 0.0 if self._put_in_quarantine(place, status) else place.pause()
        place.restarts += 1
        log.error("worker %d (pid %d, %s) died; starting another", place.index, pid, how(status))
        self._loop.call_later(pause, self._restart, place)

    def _crash(self, place: WorkerProcess, status: int) -> str:
        """How a worker died, where neither somebody outside nor a LUA record is to blame."""
        if not os.WIFSIGNALED(status) or place.slot.running_lua() is not None:
            return ""
        if place.hung:
            return "it did not respond"
        return "" if os.WTERMSIG(status) in FROM_OUTSIDE else how(status)

    def _could_not_open(self, place: WorkerProcess, crash: str) -> None:
        """A worker crashed while it opened the bundle that is served: another would, too."""
        folder = self._reloader.folder
        went_back = self._reloader.condemn(place.index, crash)
        why = self._reloader.condemned.why(folder).replace("\n", "; ")
        if went_back:
            log.error("BUNDLE REFUSED, serving the one before it, %s: %s", self._bundle(), why)
            self._switched(self._reloader.folder)
        elif any(one.ready for one in self._workers):
            log.error("worker %d is not started again with this bundle: %s", place.index, why)
            self._bound.close(place.index)
        else:
            self._failed = [_crashing(folder, self._reloader.condemned.why(folder))]
            self._stop.set()

    def _bundle(self) -> str:
        return self._reloader.folder.name

    def _restart(self, place: WorkerProcess) -> None:
        if self._stopping or place.pid:
            return
        try:
            self._bound.reopen(place.index)
        except OSError as error:
            log.error("worker %d has no sockets: %s", place.index, error.strerror)
            self._loop.call_later(_LATE, self._restart, place)
            return
        self._start_worker(place)

    def _put_in_quarantine(self, place: WorkerProcess, status: int) -> bool:
        """Whether a LUA record stopped the worker, by a hang or a crash: nobody runs that any more.
        Who kills a worker from outside may meet any record at work; the same twice is no chance."""
        running = place.slot.running_lua()
        if running is None or not os.WIFSIGNALED(status):
            return False
        if not place.hung and os.WTERMSIG(status) in FROM_OUTSIDE:
            seen = running[0] in self._suspected
            self._suspected.add(running[0])
            if not seen:
                return False
        code, qname, apex = running
        name = wire_name.to_text(qname)
        self._quarantine.add(code, name, apex)
        log.error(
            "QUARANTINE: the LUA record that answers %s stopped worker %d; it gives SERVFAIL until"
            " the next bundle, and so does all code of zone %s that never ran to its end",
            name,
            place.index,
            wire_name.to_text(apex),
        )
        for other in self._workers:
            other.tell({"do": "quarantine", "code": code, "zone": apex.hex()})
        return True

    def _tick(self) -> None:
        """Kill workers that hang."""
        now = time.monotonic()
        if now - self._tick_at > _LATE:
            # We were stopped ourselves, and so were they: give them time to catch up.
            self._fair_from = now
        self._tick_at = now
        for place in self._workers:
            if not place.pid:
                continue
            limit = self._options.watchdog if place.slot.last_beat() else START_LIMIT
            if self._stopping:
                limit = min(limit, LEAVING)
            if min(place.without_progress(now), now - self._fair_from) > limit:
                log.error(
                    "worker %d (pid %d) did not respond for %.1f s%s: killing it",
                    place.index,
                    place.pid,
                    limit,
                    _at_work(place.slot.at_work()),
                )
                place.hung = True
                os.kill(place.pid, signal.SIGKILL)
        patience = _CHECKER_PATIENCE * self._options.watchdog
        self._checker.watch(self._fair_from, 3 * LEAVING if self._stopping else patience)
        self._reap()
        self._loop.call_later(_TICK, self._tick)

    def _start_checker(self) -> None:
        self._checker.start(self._reloader.folder, lambda: self._close_in_child(keep=None))

    def _switched(self, folder: Path, serials: Mapping[bytes, int] | None = None) -> None:
        """All workers answer from another bundle now, whose zones have these serials."""
        self._quarantine.clear()
        self._suspected.clear()
        for place in self._workers:
            # Those that could not open the one before.
            self._restart(place)
        self._checker.load(folder)
        if self._notifier is not None:
            self._notifier.take_keys(self._reloader.secrets.tsig)
        if serials is not None:
            self._notify(serials)
        else:
            self._spawn(self._find_and_notify(folder))

    def _notify(self, serials: Mapping[bytes, int]) -> None:
        if self._notifier is not None:
            self._notifier.update(serials)

    async def _find_and_notify(self, folder: Path) -> None:
        """As `_notify`, for a bundle that was not tried: workers opened it, who need not look at
        all of its zones."""
        if self._notifier is None or not self._notifier.secondaries:
            return
        try:
            serials = await asyncio.to_thread(self._reloader.tried, folder)
            await asyncio.to_thread(self._reloader.fallen.take, folder.name, serials)
        except BundleError as error:
            log.error("secondaries cannot be notified: %s", shown(error))
            return
        if folder == self._reloader.folder:
            self._notify(serials)

    def _on_hangup(self) -> None:
        if self._listening:
            self._spawn(self._reload({}))
        else:
            self._hung_up = True

    def _commands(self) -> dict[str, control.Command]:
        return {
            "status": self._status,
            "reload": self._reload,
            "health": self._health,
            "force": self._force,
        }

    async def _reload(self, _request: control.Answer) -> control.Answer:
        answer = await self._reloader.reload()
        # Not in the way of the bundle, which an operator who edits settings may need.
        pending = await asyncio.to_thread(self._settings.look)
        if pending:
            log.error("SETTINGS NOT IN FORCE: %s", pending.replace("\n", "; "))
            did = f"serving bundle {answer['bundle']}, but:" if answer["ok"] else answer["error"]
            answer |= {"ok": False, "error": f"{did}\n{pending}"}
        return answer

    async def _health(
        self, _request: control.Answer
    ) -> control.Answer | AsyncGenerator[bytes, None]:
        return await self._checker.report()

    async def _force(self, request: control.Answer) -> control.Answer:
        try:
            target, state = str(request["target"]), str(request["state"])
            seconds = float(request.get("seconds", 0))
            if not math.isfinite(seconds):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            return {"ok": False, "error": "expected target, state and seconds"}
        return await self._checker.force(target, state, seconds, request.get("anyway") is True)

    async def _status(self, _request: control.Answer) -> control.Answer:
        workers = [place.status() for place in self._workers]
        return {
            "ok": True,
            "bundle": self._reloader.folder.name,
            "loaded_at": self._reloader.loaded_at,
            "built_at": self._reloader.built_at,
            "refused": self._reloader.refusal.status(),
            "fallen": self._reloader.fallen.status(),
            "zones": max(place.zones for place in self._workers),
            "uptime": time.time() - self._started_at,
            "pid": os.getpid(),
            "listen": list(self._bound.endpoints),
            "workers": workers,
            "totals": {name: sum(one[name] for one in workers) for name in COUNTERS},
            "checker": self._checker.status(),
            "geo": self._geo.report(),
            "settings": self._settings.pending,
            "keys": self._keys.status(),
            "tsig": self._reloader.secrets.status(),
            **self._quarantine.status(),
            "secondaries": self._secondaries(),
            "strangers": self._transfers.strangers(),
        }

    async def _shut_down(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._notifier is not None:
            self._notifier.close()
        for place in self._workers:
            place.tell({"do": "stop"})
        self._checker.stop()
        end = time.monotonic() + STOP_LIMIT
        while self._pids() and time.monotonic() < end:
            await asyncio.sleep(0.02)
            self._reap()
        for pid in self._pids():
            log.error("process %d does not stop: killing it", pid)
            kill(pid)

    def _pids(self) -> list[int]:
        pids = [place.pid for place in self._workers]
        return [pid for pid in (*pids, self._checker.pid) if pid]


def _settings_of(options: ServeOptions) -> SettingsInForce:
    config = options.config
    given = {
        "[serve] listen": options.listen != config.serve.listen,
        "[serve] workers": options.workers != config.serve.workers,
        "[build] output": options.source != config.output,
    }
    keys = frozenset(key for key, differs in given.items() if differs)
    return SettingsInForce(config, options.file or config.file, keys)


def _at_work(query: bytes | None) -> str:
    """What a worker was doing, for the log."""
    if query is None:
        return ""
    end = question_end(query)
    if not end:
        return " (busy with a malformed query)"
    kind = rrtype.to_text(int.from_bytes(query[end - 4 : end - 2], "big"))
    return f" (busy with {wire_name.to_text(query[12 : end - 4])} {kind})"


def _crashing(folder: Path, why: str) -> Fault:
    return Fault(
        Place(str(folder)),
        "bundle-crashes",
        why,
        "every worker would crash, again and again, and nothing be answered",
        "run: lzc build; or make a bundle before it the live one:"
        f" ln -sfn BUNDLE {folder.parent / CURRENT}",
    )


def _faults(failed: ChannelMessage) -> list[Fault]:
    """What a worker said that could not start."""
    found = [read_fault(fault) for fault in failed.get("faults", ())]
    return found or [Fault(Place("lzc serve"), "start", failed["why"])]
