"""What a worker writes into its slot of the shared memory, so that others see what it does."""

from __future__ import annotations

from lzc.dnssec.signing.cache import SignatureCache
from lzc.serve.ipc import traffic
from lzc.serve.ipc.scoreboard import BY_INSTRUCTIONS, COUNTERS, Slot
from lzc.serve.ipc.traffic import TrafficCounts
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.tcp import TcpServer
from lzc.serve.transport.udp import UdpServer
from lzc.serve.worker.guard import KINDS, GuardedEngine
from lzc.serve.worker.instruction_counts import InstructionCounts
from lzc.serve.worker.serving import Serving


class Publisher:
    """Gathers what the parts of a worker count, over the bundles that it answers from."""

    def __init__(
        self,
        slot: Slot,
        counts: TrafficCounts,
        udp: UdpServer,
        tcp: TcpServer,
        signatures: SignatureCache,
        errors: ErrorLog,
    ) -> None:
        self._slot = slot
        self._traffic = counts
        self._udp = udp
        self._tcp = tcp
        self._signatures = signatures
        self._errors = errors
        self._malformed = self._plans = 0

    def gather(self, serving: Serving) -> None:
        """Take what was counted on the way of answers from a bundle. To be called before another
        one takes its place, too."""
        counts, guard = serving.responder.counts, serving.guard
        self._malformed += counts.malformed
        self._plans += counts.plans
        counts.malformed = counts.plans = 0
        if guard is not None:
            for apex, times in counts.unreadable.items():
                guard.unreadable(apex, times)
        counts.unreadable.clear()

    def publish(self, serving: Serving) -> None:
        """Write all of it, to be called with each heartbeat."""
        self.gather(serving)
        words, flagged = traffic.table(self._traffic)
        self._slot.write_traffic(words)
        guard = serving.guard
        if guard is not None:
            guard.sample()
            self._slot.zones.write(guard.zones)
        now = self._counters(serving, flagged)
        self._slot.write_counters([now[name] for name in COUNTERS])

    def _counters(self, serving: Serving, flagged: dict[int, list[int]]) -> dict[str, int]:
        udp, tcp, guard, signed = self._udp, self._tcp, serving.guard, self._signatures
        return {
            "queries_udp": udp.counts.queries,
            "queries_tcp": tcp.counts.queries,
            "cache_hits": udp.counts.hits,
            "cache_misses": udp.counts.misses,
            "cache_entries": len(udp.cache),
            "cache_evictions": udp.cache.evictions,
            "servfail": udp.counts.servfail + tcp.counts.servfail,
            "truncated": udp.counts.truncated,
            "silent": udp.counts.silent + tcp.counts.silent,
            "malformed": self._malformed,
            "do_queries": sum(flagged[traffic.DO]),
            "do_queries_tcp": flagged[traffic.DO][1],
            "cookie_queries": sum(flagged[traffic.COOKIE]),
            "cookie_queries_tcp": flagged[traffic.COOKIE][1],
            "do_queries_tls": flagged[traffic.DO][2],
            "cookie_queries_tls": flagged[traffic.COOKIE][2],
            "send_errors": udp.counts.send_errors,
            "transfers": tcp.counts.transfers,
            "tcp_connections": tcp.counts.connections,
            "tcp_refused": tcp.counts.refused,
            "tls_handshakes": tcp.counts.tls,
            "tls_failed": tcp.counts.tls_failed,
            "errors": self._errors.total,
            "lua": guard.runs if guard is not None else 0,
            "lua_errors": guard.failures if guard is not None else 0,
            "lua_us": int(guard.zones.seconds() * 1e6) if guard is not None else 0,
            "lua_plans": self._plans + sum(flagged[traffic.PLANNED]),
            **{f"lua_{kind}": guard.kinds[kind] if guard is not None else 0 for kind in KINDS},
            **_instructions(guard),
            "signatures_made": signed.made,
            "signatures_kept": signed.kept,
            "signatures_us": int(signed.seconds * 1e6),
        }


def _instructions(guard: GuardedEngine | None) -> dict[str, int]:
    counts = InstructionCounts() if guard is None else guard.instructions
    by_size = zip(BY_INSTRUCTIONS, counts.sizes, strict=True)
    return {"lua_counted": counts.counted, "lua_counted_sum": counts.sum, **dict(by_size)}
