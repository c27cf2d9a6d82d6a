"""The parent of all processes: binds, forks, watches, replaces; it answers no query itself.

Workers are forked from here, after everything they need was imported once; what they do not need is
imported when they answer already, and nothing later (`ahead`). The event loop of this process runs
NOTIFY, the control socket and the reloads.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.bundle.check_list import EMPTY
from lzc.bundle.manifest import CHECKS, BundleError
from lzc.config import MOST_WORKERS
from lzc.faults import Fault, InputError
from lzc.foreign_text import clauses, shown
from lzc.serve.ipc.process import Channel, ChannelMessage, ended, fork, hear_no_more, how, kill
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.observe import made_metrics
from lzc.serve.observe.log_format import about, speak_as
from lzc.serve.observe.log_output import STDERR, follow
from lzc.serve.supervise import ahead, control
from lzc.serve.supervise.blame import RecordsToBlame, Watchdog, crash_of
from lzc.serve.supervise.bundle_trial import TriedZones, crash, crashing
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.clock_watch import ClockWatch
from lzc.serve.supervise.commands import Commands
from lzc.serve.supervise.http_service import Http, HttpService
from lzc.serve.supervise.kept_zones import tell_kept
from lzc.serve.supervise.leaving import Leaving
from lzc.serve.supervise.new_settings import NewSettings
from lzc.serve.supervise.observer_process import ObserverProcess
from lzc.serve.supervise.publisher_process import PublisherProcess
from lzc.serve.supervise.recorder_process import RecorderProcess
from lzc.serve.supervise.reload import Reloader
from lzc.serve.supervise.secondary_report import SecondaryReport
from lzc.serve.supervise.seeing import Overview
from lzc.serve.supervise.settings_in_force import ServeOptions
from lzc.serve.supervise.source import Source
from lzc.serve.supervise.status_pages import StatusPages
from lzc.serve.supervise.worker_count import WorkerCount
from lzc.serve.supervise.worker_process import WorkerProcess, faults_of
from lzc.serve.transport import sockets
from lzc.serve.worker.geo_files import GeoFiles
from lzc.serve.worker.keyring import Secrets
from lzc.serve.worker.quarantine import Proven
from lzc.serve.worker.serving import WorkerSetup
from lzc.serve.worker.worker import GRACE
from lzc.serve.worker.worker import run as run_worker

if TYPE_CHECKING:
    from lzc.serve.notify.kept_state import KeptState
    from lzc.serve.observe.http import HttpServer

log = logging.getLogger("lzc")

STOP_LIMIT: Final = GRACE + 3.0
_TICK: Final = 0.2
_LATE: Final = 1.0


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
        http: Http,
    ) -> None:
        self._options = options
        self._source = source
        self._bound = bound
        self._checker = checker
        self._config = options.config
        # Room for as many as there may ever be: children see only what was there before them.
        board = Scoreboard(MOST_WORKERS)
        self._workers = [
            WorkerProcess(index, board.slot(index)) for index in range(options.workers)
        ]
        self._leaving = Leaving(bound)
        self._proven = Proven(MOST_WORKERS)
        self._reloader = Reloader(
            options.config, source, folder, self._workers, geo, secrets, self._switched
        )
        self._records = RecordsToBlame(self._workers, self._reloader.quarantine)
        self._recorder = RecorderProcess(options.config, folder, source.stamps)
        self._secondaries = Secondaries(options.config.secondary)
        self._kept: KeptState | None = None
        self._publisher = PublisherProcess(
            options.config,
            source.stamps,
            checker.view,
            self._secondaries.forms,
            self._secondaries.tell_forms,
        )
        self._watchdog = Watchdog(self._workers, checker, self._recorder, options.watchdog)
        self._clock = ClockWatch()
        self._tasks: set[asyncio.Task[Any]] = set()
        count = WorkerCount(
            self._workers,
            self._leaving,
            bound,
            board,
            self._reloader,
            self._start_worker,
        )
        self._observer = ObserverProcess(board, checker.healths, source.stamps)
        in_force = options.settings()
        self._overview = Overview(
            self._reloader,
            checker,
            in_force,
            self._secondaries,
            source.stamps,
            board.used,
            self._recorder,
            self._publisher,
            self._leaving,
            self._observer,
        )
        self._http = HttpService(http, self._overview, self._http_server)
        settings = NewSettings(in_force, self._reloader, count.change, self._http)
        self._commands = Commands(
            self._reloader,
            checker,
            settings,
            self._secondaries,
            bound.endpoints,
            board.used,
            self._recorder,
            self._publisher,
            tls_listen=bound.tls_endpoints,
        )
        self._pages = StatusPages(self._overview, checker, self._commands.status, board.used)
        self._pages_watched = False
        self._started = self._stopping = False
        self._listening = self._hung_up = False
        self._failed: list[Fault] = []

    async def serve(self, path: Path, listener: socket.socket) -> None:
        """Run everything until a signal says stop."""
        self._loop = asyncio.get_running_loop()
        stop = self._stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        self._listener = listener
        self._observer.close_others = lambda: self._close_in_child(keep=None)
        commands = self._commands.by_name() | {
            "metrics": self._overview.command,
            "secondaries": SecondaryReport(self._secondaries, self._overview).command,
        }
        server = control.ControlServer(path, listener, commands)
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
            for worker in self._workers:
                self._restart(worker)
            ahead.for_all()
            # First, as it removes what is left of us: who reads that we serve may kill us.
            self._start_checker()
            self._start_recorder()
            self._say_ready()
            self._secondaries.start(
                self._reloader.secrets.tsig,
                self._options.notify_times,
                sources=self._config.serve.notify_source,
                listen=self._bound.endpoints,
            )
            await self._remember_secondaries(path)
            await self._find_and_notify(self._reloader.folder)
            await server.start()
            await self._http.start()
            if self._hung_up:
                self._spawn(self._commands.reload({}))
            self._listening = True
            self._spawn(self._reloader.watch())
            self._spawn(self._reloader.watch_geo())
            self._spawn(self._reloader.watch_tls())
            self._spawn(self._reloader.keys.watch(lambda: self._reloader.folder))
            self._tick()
            await stop.wait()
            if self._failed:
                raise InputError(self._failed)
            log.info("stopping")
        finally:
            server.close()
            await self._shut_down()
            hear_no_more(self._loop)

    def _http_server(self, listener: socket.socket, token: bytes | None) -> HttpServer:
        # Here, as no answer waits for what it imports (`ahead`).
        from lzc.serve.observe.http import HttpServer

        if not self._pages_watched:
            # From the first time on: an address that moves does not end the last hour.
            self._pages_watched = True
            self._spawn(self._pages.watch())
        overview = self._overview
        return HttpServer(listener, token, overview.metrics, overview.not_ready, self._pages.page)

    def _begin_health(self) -> None:
        """Where the bundle lists checks, start them first: answers wait for their results a while.
        Without, nothing waits for the checker."""
        if (self._reloader.folder / CHECKS).stat().st_size <= len(EMPTY):
            self._checker.open()
            return
        self._start_checker()
        self._spawn(self._checker.open_when_known(self._config.serve.health_grace))

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
                raise InputError([crashing(folder, why)])
            if answer.result()["event"] != "ready":
                raise InputError(faults_of(answer.result()))
        stopped.cancel()
        return True

    def _say_ready(self) -> None:
        workers, zones = len(self._workers), self._workers[0].zones
        bundle, listen = self._reloader.folder.name, ", ".join(self._bound.endpoints)
        line = f"serving bundle {bundle} ({zones} zones) on {listen}, {workers} worker"
        line += "s" if workers > 1 else ""
        if self._bound.tls_endpoints:
            line += f", TLS on {', '.join(self._bound.tls_endpoints)}"
        serve = self._options.config.serve
        json = serve.log_format == "json"
        if json or serve.log != STDERR:
            extra = about(bundle=bundle, zones=zones, listen=listen, workers=workers)
            log.info("%s", line, extra=extra)
        if not (json and serve.log == STDERR):
            self._options.ready(f"lzc: {line}")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the supervisor ended: %s", shown(repr(task.exception())))

    def _start_worker(self, worker: WorkerProcess) -> None:
        worker.slot.reset()
        assigned = self._reloader.assignment()
        worker.generation = self._reloader.generation
        setup = WorkerSetup(
            verified_dir=self._source.stamps,
            listeners=self._bound.of_worker[worker.index],
            tls_listeners=self._bound.tls_of_worker.get(worker.index, ()),
            slot=worker.slot,
            health=self._checker.view(),
            proven=self._proven.of_worker(worker.index),
            ring=self._recorder.ring(worker.index),
        )

        def main(channel: Channel) -> int:
            speak_as(f"worker {worker.index}")
            self._close_in_child(keep=worker.index)
            return run_worker(setup, assigned, channel)

        pid, channel = fork(main)
        worker.begin(pid, channel)
        channel.attach(self._loop, lambda message: self._heard(worker, message), lambda: None)

    def _close_in_child(self, keep: int | None) -> None:
        """Let go of what belongs to others. Only descriptors: the parent's event loop, of which the
        child has a copy, must not be touched."""
        # While somebody holds it, another server would take us to be running still.
        self._listener.close()
        self._http.close_in_child()
        channels = [one.channel for one in (*self._workers, *self._leaving)]
        for channel in [*channels, self._checker.channel]:
            if channel is not None:
                channel.sock.close()
        self._recorder.close_in_child()
        self._publisher.close_in_child()
        self._observer.close_in_child()
        made_metrics.close_in_child()
        for index in self._bound.of_worker:
            if index != keep:
                self._bound.close(index)

    def _heard(self, worker: WorkerProcess, message: ChannelMessage) -> None:
        if message["event"] == "transfers":
            self._secondaries.transfers.take(message)
            return
        if worker not in self._workers:
            if message["event"] == "left":
                worker.take(message)
                self._bound.close(worker.index)
            elif message["event"] == "ready":
                worker.tell({"do": "begin"})
            return
        if message["event"] in ("ready", "committed", "keys"):
            self._reloader.keys.heard(worker.index, message)
        if message["event"] == "keys":
            return
        worker.take(message)
        if message["event"] == "failed" and self._started:
            why = clauses(message["why"])
            extra = about(worker=worker.index, reason=why)
            log.error("worker %d cannot start: %s", worker.index, why, extra=extra)
        if message["event"] != "ready":
            return
        # Others may have switched while it started: whoever was told so must not be answered from
        # what was before.
        reloader = self._reloader
        switch = reloader.switch
        if (worker.bundle, worker.generation) != (switch.answering.name, switch.generation):
            self._spawn(reloader.catch_up(worker))
        else:
            worker.tell({"do": "begin"})
        self._reloader.worker_is_back()
        self._secondaries.remind()

    def _reap(self) -> None:
        """See which processes ended, and start others in their place."""
        for worker in self._workers:
            status = ended(worker.pid)
            if status is not None:
                self._worker_died(worker, status)
        self._leaving.look()
        self._checker.reap(self._start_checker)
        self._recorder.reap(self._start_recorder)
        self._publisher.reap(self._start_publisher)
        self._observer.reap()

    def _worker_died(self, worker: WorkerProcess, status: int) -> None:
        pid = worker.pid
        opening = not worker.ready
        crash = crash_of(worker, status)
        worker.end(how(status), crash)
        if self._stopping or not self._started:
            return
        if opening and crash and self._reloader.is_to_blame(worker.hung):
            self._could_not_open(worker, crash)
            return
        # With the cause out of the way, there is nothing to wait for.
        pause = 0.0 if self._records.died(worker, status) else worker.pause()
        worker.restarts += 1
        log.error(
            "worker %d (pid %d, %s) died; starting another",
            *(worker.index, pid, how(status)),
            extra=about(worker=worker.index, reason=how(status)),
        )
        self._loop.call_later(pause, self._restart, worker)

    def _could_not_open(self, worker: WorkerProcess, crash: str) -> None:
        """A worker crashed while it opened the bundle that is served: another would, too."""
        folder = self._reloader.folder
        went_back = self._reloader.condemn(worker.index, crash)
        why = clauses(self._reloader.condemned.why(folder))
        if went_back:
            before = self._reloader.folder
            extra = about(bundle=folder.name, served=before.name, reason=why)
            what = "BUNDLE REFUSED, serving the one before it, %s: %s"
            log.error(what, before.name, why, extra=extra)
            self._switched(before)
        elif any(one.ready for one in self._workers):
            extra = about(worker=worker.index, bundle=folder.name, reason=why)
            what = "worker %d is not started again with this bundle: %s"
            log.error(what, worker.index, why, extra=extra)
            self._bound.close(worker.index)
        else:
            self._failed = [crashing(folder, self._reloader.condemned.why(folder))]
            self._stop.set()

    def _restart(self, worker: WorkerProcess) -> None:
        if self._stopping or worker.pid or worker not in self._workers:
            return
        try:
            self._bound.reopen(worker.index)
        except OSError as error:
            log.error("worker %d has no sockets: %s", worker.index, error.strerror)
            self._loop.call_later(_LATE, self._restart, worker)
            return
        self._start_worker(worker)

    def _tick(self) -> None:
        self._clock.look()
        self._watchdog.look(stopping=self._stopping)
        self._reap()
        self._secondaries.look()
        self._publisher.take_geo(self._reloader.geo.current())
        self._loop.call_later(_TICK, self._tick)

    def _start_checker(self) -> None:
        self._checker.start(self._reloader.folder, lambda: self._close_in_child(keep=None))

    def _start_publisher(self) -> None:
        self._publisher.start(lambda: self._close_in_child(keep=None))

    def _publish(self, folder: Path, zones: TriedZones) -> None:
        """Secondaries are to have these zones, some of them in forms of their own."""
        self._secondaries.forms.know(zones.facts)
        self._publisher.load(folder, self._reloader.geo.current())
        self._start_publisher()
        self._secondaries.update(zones.serials, zones.soas)

    def _start_recorder(self) -> None:
        self._recorder.start(lambda: self._close_in_child(keep=None))

    def _switched(self, folder: Path, zones: TriedZones | None = None) -> None:
        """All workers answer from another bundle now, which has these zones."""
        self._records.clear()
        self._leaving.hurry()
        for worker in self._workers:
            # Those that could not open the one before.
            self._restart(worker)
        config, keys = self._reloader.config, self._reloader.secrets.tsig
        if config is not self._config:
            self._config = config
            follow(config)
            self._checker.take_settings(config)
            self._recorder.take_settings(config)
            self._start_recorder()
            self._observer.renew()
            self._secondaries.follow(config.secondary, keys, config.serve.notify_source)
            self._publisher.take_settings(config)
        self._checker.load(folder)
        self._recorder.load(folder)
        self._secondaries.take_keys(keys)
        if zones is not None:
            self._publish(folder, zones)
        else:
            self._spawn(self._find_and_notify(folder))
        tell_kept(folder)

    async def _remember_secondaries(self, socket: Path) -> None:
        """Begin with what the server before knew of them, and keep what is known."""
        # Here, as no answer waits for what it imports (`ahead`).
        from lzc.serve.notify.kept_state import KeptState, path_beside

        self._kept = KeptState(path_beside(socket), self._secondaries)
        await self._kept.begin()
        self._spawn(self._kept.keep())

    async def _find_and_notify(self, folder: Path) -> None:
        """Tell secondaries of a bundle that was not tried: workers opened it, who need not look at
        all of its zones."""
        if not self._secondaries.sections:
            return
        try:
            zones = await asyncio.to_thread(self._reloader.tried, folder)
            await asyncio.to_thread(self._reloader.fallen.take, folder.name, zones.serials)
        except BundleError as error:
            log.error("secondaries cannot be notified: %s", shown(error))
            return
        if folder == self._reloader.folder:
            self._publish(folder, zones)

    def _on_hangup(self) -> None:
        if self._listening:
            self._spawn(self._commands.reload({}))
        else:
            self._hung_up = True

    async def _shut_down(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._kept is not None:
            self._kept.end()
        self._secondaries.close()
        self._overview.close()
        self._observer.stop()
        self._http.close()
        for worker in self._workers:
            worker.tell({"do": "stop"})
        self._leaving.stop()
        self._checker.stop()
        self._publisher.stop()
        end = time.monotonic() + STOP_LIMIT
        while self._pids() and time.monotonic() < end:
            await asyncio.sleep(0.02)
            self._reap()
            late = time.monotonic() > end - 1.0
            if late or not any(one.pid for one in (*self._workers, *self._leaving)):
                # It has their last answers now.
                self._recorder.stop()
        for pid in self._pids():
            log.error("process %d does not stop: killing it", pid)
            kill(pid)

    def _pids(self) -> list[int]:
        pids = [worker.pid for worker in (*self._workers, *self._leaving)]
        others = (self._checker.pid, self._recorder.pid, self._publisher.pid)
        return [pid for pid in (*pids, *others, *self._observer.pids) if pid]
