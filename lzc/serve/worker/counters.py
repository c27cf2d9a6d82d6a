"""The counters that a worker publishes, those of earlier bundles included."""

from __future__ import annotations

from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.tcp import TcpServer
from lzc.serve.transport.udp import UdpServer
from lzc.serve.worker.guard import LIMITS, GuardedEngine


class Counters:
    """Of a worker's sockets and errors; what counts LUA records begins anew with each bundle."""

    def __init__(self, slot: Slot, udp: UdpServer, tcp: TcpServer, errors: ErrorLog) -> None:
        self._slot = slot
        self._udp = udp.counts
        self._tcp = tcp.counts
        self._errors = errors
        self._lua_before = [0] * (2 + len(LIMITS))

    def retire(self, guard: GuardedEngine | None) -> None:
        """Another engine counts from now on."""
        self._lua_before = self._lua(guard)

    def publish(self, guard: GuardedEngine | None) -> None:
        """Write them to the scoreboard; ``guard`` is the engine in use."""
        udp, tcp = self._udp, self._tcp
        runs, failures, *limits = self._lua(guard)
        # In the order of scoreboard.COUNTERS.
        self._slot.write_counters(
            [
                udp.queries,
                tcp.queries,
                udp.hits,
                udp.servfail + tcp.servfail,
                udp.truncated,
                udp.silent + tcp.silent,
                runs,
                failures,
                udp.send_errors,
                tcp.transfers,
                tcp.connections,
                tcp.refused,
                self._errors.total,
                *limits,
            ]
        )

    def _lua(self, guard: GuardedEngine | None) -> list[int]:
        """Executions, failures, and of these the `LIMITS`."""
        if guard is None:
            return self._lua_before
        counts = [guard.runs, guard.failures, *(guard.kinds[kind] for kind in LIMITS)]
        return [before + count for before, count in zip(self._lua_before, counts, strict=True)]
