"""Metrics of queries, answers, the packet cache, signatures, and LUA records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from lzc.serve.ipc.scoreboard import BY_INSTRUCTIONS, INSTRUCTIONS
from lzc.serve.ipc.traffic import TRANSPORTS
from lzc.serve.observe.family import Family, Sample, counter, gauge, histogram, one
from lzc.serve.observe.seen import Snapshot
from lzc.serve.observe.totals import Histogram, Totals


class _Count(NamedTuple):
    """A counter of the scoreboard as a family: its name, what it means, and by how much it is to be
    divided to be of ``unit``. ``rises``: it never falls."""

    name: str
    meaning: str
    unit: str = ""
    divisor: float = 1
    rises: bool = True


_COUNTS: Final[Mapping[str, _Count]] = {
    "truncated": _Count("lzc_truncated_answers", "Answers with the TC bit: ask again over TCP"),
    "silent": _Count("lzc_unanswered_queries", "Queries that got no answer on purpose"),
    "malformed": _Count("lzc_malformed_queries", "Datagrams and messages that are no DNS query"),
    "send_errors": _Count("lzc_send_errors", "Answers that the kernel did not take"),
    "errors": _Count("lzc_unexpected_errors", "Unexpected exceptions in workers; the log has them"),
    "tcp_connections": _Count("lzc_tcp_connections", "TCP connections that were accepted"),
    "tcp_refused": _Count(
        "lzc_tcp_refused",
        "TCP connections closed as there were too many, and transfers there was no room for",
    ),
    "tls_handshakes": _Count("lzc_tls_handshakes", "TLS handshakes that were done"),
    "tls_failed": _Count("lzc_tls_failures", "TLS connections that failed; the log says why"),
    "transfers": _Count("lzc_transfers_begun", "Zone transfers that were begun"),
    "cache_hits": _Count("lzc_packet_cache_hits", "Queries answered from the packet cache"),
    "cache_misses": _Count("lzc_packet_cache_misses", "Queries that the packet cache did not have"),
    "cache_evictions": _Count(
        "lzc_packet_cache_evictions", "Answers that left the packet cache for want of room"
    ),
    "cache_entries": _Count(
        "lzc_packet_cache_entries", "Answers in the packet caches of all workers", rises=False
    ),
    "signatures_made": _Count("lzc_signatures_made", "DNSSEC signatures that were made"),
    "signatures_kept": _Count("lzc_signatures_from_cache", "DNSSEC signatures that were kept"),
    "signatures_us": _Count(
        "lzc_signature_seconds", "Time that making signatures took", "seconds", 1e6
    ),
    "lua": _Count("lzc_lua_executions", "LUA records whose code was run"),
    "lua_plans": _Count("lzc_lua_plans", "LUA records answered by a plan, without running code"),
    "lua_us": _Count(
        "lzc_lua_execution_seconds", "Time that executions of LUA records took", "seconds", 1e6
    ),
    "lua_counted": _Count(
        "lzc_lua_counted_executions",
        "Of these, those whose VM instructions were counted: the first ones of each record, one in"
        " many of the others by chance, and those that came to the limit",
    ),
}
_FAILURES: Final = {
    "lua_instructions": "instructions",
    "lua_memory": "memory",
    "lua_time": "time",
    "lua_quarantine": "quarantine",
    "lua_held": "held",
    "lua_syntax": "syntax",
    "lua_runtime": "runtime",
    "lua_result": "result",
}
_OF_ZONES: Final = {
    "executions": _Count("lzc_lua_zone_executions", "LUA records of a zone whose code was run"),
    "failures": _Count("lzc_lua_zone_failures", "Of these, those that failed"),
    "cpu": _Count("lzc_lua_zone_execution_seconds", "Time that they took", "seconds", 1e6),
    "instructions": _Count(
        "lzc_lua_zone_instructions",
        "VM instructions that they took, estimated as in lzc_lua_execution_instructions",
    ),
    "most": _Count(
        "lzc_lua_zone_most_instructions",
        "Most VM instructions that one of them was counted to take since the bundle is served",
        rises=False,
    ),
}


_FLAGS: Final = {
    "do_queries": ("lzc_dnssec_ok_queries", "Queries with the DO bit, by transport"),
    "cookie_queries": ("lzc_cookie_queries", "Queries with a DNS cookie, by transport"),
}


def by_transport(totals: Totals, name: str) -> dict[str, int]:
    """How many queries had a flag; ``name`` is that of its counter."""
    counters = totals.counters
    over = {transport: counters[f"{name}_{transport}"] for transport in ("tcp", "tls")}
    return {"udp": max(0, counters[name] - sum(over.values())), **over}


def queries_of(totals: Totals) -> Mapping[tuple[str, str, str], int]:
    """Queries, with the commonest type of each transport and family even before the first came: a
    series that begins at 1 would hide that one from who looks at rates."""
    none = {(transport, family, "A"): 0 for transport in TRANSPORTS for family in "46"}
    return {**none, **totals.queries}


def answers(seen: Snapshot) -> Iterator[Family]:
    """The families, as far as workers count what is in them."""
    totals = seen.totals
    yield from counter(
        "lzc_queries",
        "Queries by transport (udp, tcp, tls), address family (4, 6) and type",
        queries_of(totals).items(),
        ("transport", "family", "type"),
    )
    yield from counter(
        "lzc_answers",
        "Answers by transport and RCODE, those of LUA records that failed included",
        totals.answers.items(),
        ("transport", "rcode"),
    )
    yield from histogram(
        "lzc_answer_size_bytes",
        "Octets of an answer by transport",
        totals.sizes.items(),
        "transport",
        "bytes",
    )
    yield from histogram(
        "lzc_answer_latency_seconds",
        "Seconds from reading a query to handing over its answer, by transport",
        totals.latency.items(),
        "transport",
        "seconds",
    )
    yield from counter(
        "lzc_answer_bytes",
        "Octets of all answers by transport and address family",
        totals.answer_octets.items(),
        ("transport", "family"),
        "bytes",
    )
    for name, (family, meaning) in _FLAGS.items():
        if name in totals.counters:
            found = by_transport(totals, name).items()
            samples = [((transport,), number) for transport, number in found]
            yield from counter(family, meaning, samples, ("transport",))
    for name, count in _COUNTS.items():
        if name in totals.counters:
            make = counter if count.rises else gauge
            value = totals.counters[name] / count.divisor
            yield from make(count.name, count.meaning, one(value), (), count.unit)
    yield from _lua(seen)


def _lua(seen: Snapshot) -> Iterator[Family]:
    counters = seen.totals.counters
    failures: list[Sample] = [
        ((kind,), counters[name]) for name, kind in _FAILURES.items() if name in counters
    ]
    if "lua_errors" in counters:
        rest = counters["lua_errors"] - sum(count for _, count in failures)
        failures.append((("error",), max(0, rest)))
    yield from counter(
        "lzc_lua_failures",
        "LUA records that gave no answer, which is SERVFAIL, by kind: too many instructions, too"
        " much memory, too long a time, not run for what the code (quarantine) or other code of the"
        " zone (held) did before, a syntax error, an error while it ran (runtime), a result that is"
        " none of its type, or another error",
        failures,
        ("kind",),
    )
    yield from gauge(
        "lzc_lua_quarantined",
        "LUA records that are not run, as they stopped a worker",
        one(seen.quarantined),
    )
    yield from gauge(
        "lzc_lua_zone_held",
        "1 for each zone whose code is not run unless it ran to its end before",
        [((zone,), 1) for zone in seen.held_zones],
        ("zone",),
    )
    for key, count in _OF_ZONES.items():
        samples: list[Sample] = [
            ((zone,), counted[key] / count.divisor)
            for zone, counted in seen.totals.lua_zones.items()
            if key in counted
        ]
        make = counter if count.rises else gauge
        yield from make(count.name, count.meaning, samples, ("zone",), count.unit)
    yield from _instructions(seen)


def _instructions(seen: Snapshot) -> Iterator[Family]:
    """How many instructions executions take. What is estimated has the sum of all bundles, as have
    the executions."""
    counters = seen.totals.counters
    if seen.lua_limit:
        yield from gauge(
            "lzc_lua_instruction_limit",
            "exec-limit: VM instructions that an execution may take",
            one(seen.lua_limit),
        )
    if "lua_counted" in counters:
        counts = tuple(counters[name] for name in BY_INSTRUCTIONS)
        found = Histogram(INSTRUCTIONS, counts, counters["lua_counted_sum"])
        yield from histogram(
            "lzc_lua_execution_instructions",
            "VM instructions of an execution, as exec-limit (PowerDNS's lua-records-exec-limit)"
            " counts them: those of the record, and none of our functions; estimated from those"
            " executions that were counted, each of which stands for the ones since the one before",
            [("", found)],
            "",
            "",
        )
