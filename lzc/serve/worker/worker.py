"""A worker: one process, one event loop, its own sockets, answering from one bundle at a time."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from lzc.bundle.reader import BundleError
from lzc.config import ServeSection
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.renewal import Renewal
from lzc.faults import Fault, InputError
from lzc.foreign_text import shown
from lzc.serve.ipc.process import Channel, ChannelMessage, hear_no_more
from lzc.serve.ipc.traffic import TrafficCounts
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.observe.log_output import follow
from lzc.serve.observe.transfer_report import TransferReport
from lzc.serve.transport.sockets import Listener
from lzc.serve.transport.tcp import TcpServer
from lzc.serve.transport.tcp_holders import TcpLimits
from lzc.serve.transport.udp import UdpServer
from lzc.serve.transport.withdrawal import LINGER, withdraw
from lzc.serve.worker.publishing import Publisher
from lzc.serve.worker.serving import Assignment, Serving, WorkerSetup
from lzc.serve.worker.tapping import tap_of, tapped
from lzc.wire import name as wire_name

log = logging.getLogger("lzc")

RENEW_EVERY: Final = 0.05
RENEW_FOR: Final = 0.001
"""Seconds between two times in which signatures of the next window are made, and those that it
takes: a fiftieth of a core, of which a query waits for some milliseconds at most."""
BEAT: Final = 0.25
"""Seconds between two heartbeats, each of which publishes the counters too."""
_LOOK: Final = 0.005
GRACE: Final = 5.0
"""Seconds that transfers and unread answers get after SIGTERM."""
LONGEST_LEAVE: Final = 30.0
"""Seconds at most that clients who are connected keep a worker that is to leave."""
STALLED: Final = 1.0
"""Of these, those in which no client takes anything."""
LISTED: Final = 1000
"""Zones out of service of which a worker tells the supervisor why, and the supervisor in its
status."""


def run(setup: WorkerSetup, assigned: Assignment, channel: Channel) -> int:
    """Serve until told to stop; returns the exit code of the process."""
    worker = Worker(setup, channel)
    try:
        serving = worker.open(assigned)
        for _ in serving.load_keys():
            pass
    except InputError as error:
        faults = [asdict(fault) for fault in error.faults]
        channel.send({"event": "failed", "why": str(error), "faults": faults})
        return 1
    except (BundleError, OSError) as error:
        channel.send({"event": "failed", "why": shown(error), "faults": []})
        return 1
    # What was made so far lives as long as the process: no collection needs to look at it.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return asyncio.run(worker.serve(serving))


def describe_out(out: Mapping[bytes, tuple[Fault, ...]]) -> list[list[Any]]:
    """Zones that are out of service, for a message to the supervisor: all, and of some of them
    why."""
    return [
        [
            wire_name.to_text(apex),
            [asdict(fault) for fault in faults] if number < LISTED else [],
        ]
        for number, (apex, faults) in enumerate(out.items())
    ]


def _limits(settings: ServeSection) -> TcpLimits:
    return TcpLimits(
        settings.tcp_connections,
        settings.tcp_connections_per_client,
        settings.tcp_connections_per_network,
        settings.tcp_idle_timeout,
    )


class Worker:
    """The state of a worker process."""

    def __init__(self, setup: WorkerSetup, channel: Channel) -> None:
        self._setup = setup
        self._channel = channel
        self._errors = ErrorLog()
        self._signatures = SignatureCache(clock=time.perf_counter)
        self._renewal = Renewal(self._signatures)
        self._retired: list[Serving] = []
        self._prepared: Serving | None = None
        self._report = TransferReport()
        self._said_out: dict[bytes, tuple[Fault, ...]] = {}
        self._alone = False

    def open(self, assigned: Assignment) -> Serving:
        """Open a bundle and make ready to answer from it."""
        return Serving(self._setup, assigned, self._signatures, self._report)

    async def serve(self, serving: Serving) -> int:
        """Answer queries until the supervisor or a signal says stop."""
        config = serving.settings
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._stop = asyncio.Event()
        self._told_to_begin = asyncio.Event()
        self._serving = serving
        self._setup.proven.begin(serving.bundle.id)
        slot, errors, traffic = self._setup.slot, self._errors, TrafficCounts()
        tap = self._tap = tap_of(config, self._setup.ring)
        self._udp = UdpServer(
            serving.responder, serving.valid_until, config.packet_cache, errors, slot, traffic
        )
        self._tcp = TcpServer(
            serving.responder,
            serving.open_transfer,
            _limits(config),
            errors,
            slot,
            traffic=traffic,
        )
        self._publisher = Publisher(slot, traffic, self._udp, self._tcp, self._signatures, errors)
        self._tcp.tap = tap
        self._tcp.tls = serving.tls
        self._channel.attach(loop, self._on_message, self._left_alone)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        slot.beat(time.monotonic())
        # Queries wait in their sockets until the supervisor says that enough is known.
        await self._until(self._setup.health.opened)
        self._say_ready("ready", serving)
        await self._until(self._told_to_begin.is_set)
        for listener in self._setup.listeners:
            loop.add_reader(listener.udp, self._reader(listener))
        self._tcp.start(loop, self._setup.all_listeners())
        self._beat()
        self._renew()
        await self._stop.wait()
        if not self._alone:
            await self._drain()
        self._report.begun.write()
        self._serving.tell_held(math.inf)
        self._errors.look(math.inf)
        hear_no_more(loop)
        return 0

    def _reader(self, listener: Listener) -> Callable[[], None]:
        """What reads a UDP socket."""
        tap = self._tap
        return self._udp.reader(listener) if tap is None else tap.reader(self._udp, listener)

    def _left_alone(self) -> None:
        """The supervisor is gone, and another may want our addresses at once."""
        self._alone = True
        self._stop.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Let queries wait, without being taken to hang."""
        # Polling, as the word may come through shared memory, once in the life of a worker.
        while not condition() and not self._stop.is_set():
            await asyncio.sleep(_LOOK)
            self._setup.slot.beat(time.monotonic())

    async def _leave(self) -> None:
        """Let other workers have what comes from now on, answer what is here, and go. Who is
        connected has the time of an idle connection to ask what he is about to."""
        await self._told_to_begin.wait()
        everywhere = self._setup.all_listeners()
        for listener in everywhere:
            try:
                withdraw(listener)
            except OSError as error:  # what comes in its last moment may be lost, and no more
                self._errors.note("withdrawing a socket", error)
        await asyncio.sleep(LINGER)
        for one in self._setup.listeners:
            self._loop.remove_reader(one.udp)
            self._udp.reader(one)()
        for listener in everywhere:
            self._tcp.accept(listener)
        self._tcp.accept_no_more()
        for listener in everywhere:
            listener.close()
        self._setup = replace(self._setup, listeners=(), tls_listeners=())
        self._channel.send({"event": "left"})
        end = time.monotonic() + min(self._serving.settings.tcp_idle_timeout, LONGEST_LEAVE)
        # Polling, as in `_drain`.
        while len(self._tcp) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self._stop.set()

    async def _drain(self) -> None:
        """Answer what has arrived, let transfers end, and go."""
        for listener in self._setup.listeners:
            self._loop.remove_reader(listener.udp)
            self._reader(listener)()
        self._tcp.stop()
        moved = time.monotonic()
        end, taken = moved + GRACE, -1
        # Polling: an event would cost every answer something, for one use in a lifetime.
        while not self._tcp.idle() and time.monotonic() < min(end, moved + STALLED):
            if self._tcp.taken() != taken:
                taken, moved = self._tcp.taken(), time.monotonic()
            await asyncio.sleep(0.05)
        self._publisher.publish(self._serving)
        if self._tap is not None:
            self._tap.publish()
        self._tell_transfers()

    def _on_message(self, message: ChannelMessage) -> None:
        match message.get("do"):
            case "prepare":
                assigned, keep = Assignment.from_message(message), message["keep_keys"]
                work = self.prepare(assigned, keep_keys=keep)
                # Kept, as the loop itself holds tasks only weakly.
                self._preparing = self._loop.create_task(work)
            case "commit":
                self._commit()
            case "begin":
                self._told_to_begin.set()
            case "abandon":
                self._abandon()
            case "quarantine":
                if self._serving.guard is not None:
                    self._serving.guard.quarantine(message["code"])
                    self._serving.guard.hold(bytes.fromhex(message["zone"]))
            case "leave":
                self._leaving = self._loop.create_task(self._leave())
            case "stop":
                self._stop.set()

    async def prepare(self, assigned: Assignment, *, keep_keys: bool) -> None:
        """First half of a reload: open the new bundle, so that the second cannot fail. Queries are
        answered from the old one between the steps. ``keep_keys``: those of the same bundle are not
        read again."""
        self._abandon()
        fresh: Serving | None = None
        try:
            fresh = self.open(assigned)
            if keep_keys and fresh.bundle.id == self._serving.bundle.id:
                fresh.signers.adopt(self._serving.signers)
            else:
                for _ in fresh.load_keys():
                    await asyncio.sleep(0)
        except (BundleError, InputError, OSError) as error:
            self._refuse(fresh, str(error) if isinstance(error, InputError) else shown(error))
        except Exception as error:  # answer from the old bundle rather than not at all
            self._errors.note("opening a bundle", error)
            self._refuse(fresh, shown(f"{type(error).__name__}: {error}"))
        else:
            self._prepared = fresh
            self._say_ready("prepared", fresh)

    def _refuse(self, fresh: Serving | None, why: str) -> None:
        if fresh is not None:
            fresh.bundle.close()
        self._channel.send({"event": "refused", "why": why})

    def _abandon(self) -> None:
        if self._prepared is not None:
            self._prepared.bundle.close()
            self._prepared = None

    def _commit(self) -> None:
        """Second half of a reload, between two queries."""
        fresh, self._prepared = self._prepared, None
        if fresh is None:
            return
        old, self._serving = self._serving, fresh
        self._publisher.gather(old)
        old.tell_held(math.inf)
        self._setup.proven.begin(fresh.bundle.id)
        self._udp.swap(fresh.responder, fresh.valid_until, fresh.settings.packet_cache)
        self._tcp.swap(fresh.responder, fresh.open_transfer)
        self._tcp.tls = fresh.tls
        self._tcp.limit(_limits(fresh.settings))
        follow(fresh.config)
        self._tap_anew(old.settings, fresh.settings)
        if fresh.guard is not None and old.guard is not None:
            fresh.guard.go_on_from(old.guard)
        self._retired.append(old)
        self._close_retired()
        self._say_ready("committed", fresh)

    def _tap_anew(self, old: ServeSection, fresh: ServeSection) -> None:
        """Hand over to the recorder what these settings want, where others wanted something
        else."""
        if tapped(old) == tapped(fresh):
            return
        if self._tap is not None:
            self._tap.publish()
        self._udp.noted_by(None)
        self._tap = self._tcp.tap = tap_of(fresh, self._setup.ring)
        if self._told_to_begin.is_set():
            for listener in self._setup.listeners:
                self._loop.remove_reader(listener.udp)
                self._loop.add_reader(listener.udp, self._reader(listener))

    def _close_retired(self) -> None:
        """Close bundles that no transfer reads from any more."""
        done = [one for one in self._retired if not one.transfers]
        self._retired = [one for one in self._retired if one.transfers]
        for one in done:
            one.bundle.close()
        if done:
            # A Lua state hangs in a cycle with its callbacks, and the thresholds of the collector
            # know nothing of its size: left alone, each reload would cost half a megabyte.
            self._loop.call_soon(gc.collect)

    def _say_ready(self, event: str, serving: Serving) -> None:
        bundle, out = serving.bundle, serving.signers.out
        about = {"bundle": bundle.id, "zones": len(bundle), "out": describe_out(out)}
        self._channel.send({"event": event, **about})
        self._said_out = dict(out)

    def _look_at_keys(self) -> None:
        """Zones whose keys retire go out of service, and come back."""
        if self._serving.look_at_keys(time.time()):
            self._udp.expire(time.time())
        out = self._serving.signers.out
        if out != self._said_out:
            self._said_out = dict(out)
            self._channel.send({"event": "keys", "out": describe_out(out)})

    def _beat(self) -> None:
        self._setup.slot.beat(time.monotonic())
        self._publisher.publish(self._serving)
        if self._tap is not None:
            self._tap.publish()
        self._look_at_keys()
        self._tell_transfers()
        self._tell_held()
        if self._retired:
            self._close_retired()
        self._loop.call_later(BEAT, self._beat)

    def _renew(self) -> None:
        """Make signatures of the next window, for as long as nobody notices."""
        more = self._renewal.step(time.time(), RENEW_FOR)
        self._loop.call_later(RENEW_EVERY if more else BEAT, self._renew)

    def _tell_held(self) -> None:
        """Tell of what was kept out of the log, once its time is over."""
        now = time.monotonic()
        self._serving.tell_held(now)
        self._errors.look(now)
        self._tcp.handshakes.look(now)

    def _tell_transfers(self) -> None:
        self._report.begun.write()
        # While the supervisor reads nothing, the report gathers, which has a bound.
        if not self._channel.waiting and (message := self._report.take()) is not None:
            self._channel.send(message)
