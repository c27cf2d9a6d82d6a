"""The same numbers under the names that PowerDNS 4.7 to 5.1 have at their ``/metrics``, where they
mean the same. What has no counterpart is not there: the manual lists it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lzc.serve.observe.answer_metrics import by_transport, queries_of
from lzc.serve.observe.process import use_of
from lzc.serve.observe.seen import Snapshot

_PREFIX: Final = "pdns_auth_"
_COUNTER: Final = "counter"
_GAUGE: Final = "gauge"


class _Value(NamedTuple):
    """A metric without labels; its meaning is in PowerDNS's own words."""

    name: str
    kind: str
    meaning: str
    value: float


_OF_COUNTERS: Final = (
    ("cache_hits", "packetcache_hit", _COUNTER, "Number of hits on the packet cache"),
    ("cache_misses", "packetcache_miss", _COUNTER, "Number of misses on the packet cache"),
    ("cache_entries", "packetcache_size", _GAUGE, "Number of entries in the packet cache"),
    ("signatures_made", "signatures", _COUNTER, "Number of DNSSEC signatures made"),
    ("malformed", "corrupt_packets", _COUNTER, "Number of corrupt packets received"),
)
_FLAGS: Final = (
    ("do_queries", "udp", "udp_do_queries", "Number of UDP queries received with DO bit"),
    ("cookie_queries", "udp", "udp_cookie_queries", "Number of UDP queries received with a COOKIE"),
    ("cookie_queries", "tcp", "tcp_cookie_queries", "Number of TCP queries received with a COOKIE"),
)
_OVER: Final = {"udp": ("udp",), "tcp": ("tcp", "tls")}
"""PowerDNS has no TLS, and whoever puts it in front of PowerDNS reaches that over TCP."""
_RCODES: Final = (
    ("NOERROR", "noerror_packets", "Number of times a NOERROR packet was sent out"),
    ("NXDOMAIN", "nxdomain_packets", "Number of times an NXDOMAIN packet was sent out"),
    (
        "SERVFAIL",
        "servfail_packets",
        "Number of times a server-failed packet was sent out, those of LUA records included",
    ),
)
_SNMP: Final = (
    ("Udp", "InErrors", "udp_in_errors", "UDP 'in' errors"),
    ("Udp", "NoPorts", "udp_noport_errors", "UDP 'noport' errors"),
    ("Udp", "RcvbufErrors", "udp_recvbuf_errors", "UDP 'recvbuf' errors"),
    ("Udp", "SndbufErrors", "udp_sndbuf_errors", "UDP 'sndbuf' errors"),
    ("Udp", "InCsumErrors", "udp_in_csum_errors", "UDP 'in checksum' errors"),
)
_SNMP6: Final = (
    ("Udp6InErrors", "udp6_in_errors", "UDP 'in' errors over IPv6"),
    ("Udp6NoPorts", "udp6_noport_errors", "UDP 'noport' errors over IPv6"),
    ("Udp6RcvbufErrors", "udp6_recvbuf_errors", "UDP 'recvbuf' errors over IPv6"),
    ("Udp6SndbufErrors", "udp6_sndbuf_errors", "UDP 'sndbuf' errors over IPv6"),
    ("Udp6InCsumErrors", "udp6_in_csum_errors", "UDP 'in checksum' errors over IPv6"),
)


def lines(seen: Snapshot, *, counter: str) -> bytes:
    """The text of all of them; ``counter`` is the type that is said of what only rises."""
    out = [
        f"# HELP {_PREFIX}{one.name} {one.meaning}\n"
        f"# TYPE {_PREFIX}{one.name} {counter if one.kind == _COUNTER else one.kind}\n"
        f"{_PREFIX}{one.name} {one.value:.17g}\n"
        for one in _values(seen)
    ]
    out.append(
        f"# HELP {_PREFIX}info Info from lzc under the name of PowerDNS, value is always 1\n"
        f"# TYPE {_PREFIX}info gauge\n"
        f'{_PREFIX}info{{version="lzc {seen.version}"}} 1\n'
    )
    return "".join(out).encode()


def _values(seen: Snapshot) -> Iterator[_Value]:
    yield from _queries(seen)
    yield from _answers(seen)
    counters = seen.totals.counters
    for key, transport, name, meaning in _FLAGS:
        if key in counters:
            found = by_transport(seen.totals, key)
            value = sum(found[one] for one in _OVER[transport])
            yield _Value(name, _COUNTER, meaning, value)
    for key, name, kind, meaning in _OF_COUNTERS:
        if key in counters:
            yield _Value(name, kind, meaning, counters[key])
    yield from _machine(seen)


def _queries(seen: Snapshot) -> Iterator[_Value]:
    queries = queries_of(seen.totals)
    for transport, over in _OVER.items():
        shown = transport.upper()
        found = {key: count for key, count in queries.items() if key[0] in over}
        meaning = f"Number of {shown} queries received"
        yield _Value(f"{transport}_queries", _COUNTER, meaning, sum(found.values()))
        for family in "46":
            count = sum(each for (_, its, _), each in found.items() if its == family)
            meaning = f"Number of IPv{family} {shown} queries received"
            yield _Value(f"{transport}{family}_queries", _COUNTER, meaning, count)


def _answers(seen: Snapshot) -> Iterator[_Value]:
    totals = seen.totals
    for transport, over in _OVER.items():
        shown = transport.upper()
        found = [count for key, count in totals.answers.items() if key[0] in over]
        if found:
            meaning = f"Number of answers sent out over {shown}"
            yield _Value(f"{transport}_answers", _COUNTER, meaning, sum(found))
        octets = Counter[str]()
        for (its, family), count in totals.answer_octets.items():
            if its in over:
                octets[family] += count
        if octets:
            meaning = f"Total size of answers sent out over {shown}"
            yield _Value(f"{transport}_answers_bytes", _COUNTER, meaning, sum(octets.values()))
            for family in "46":
                yield _Value(
                    f"{transport}{family}_answers_bytes",
                    _COUNTER,
                    f"Total size of answers sent out over {shown}v{family}",
                    octets[family],
                )
    for rcode, name, meaning in _RCODES:
        counted = [count for (_, code), count in totals.answers.items() if code == rcode]
        yield _Value(name, _COUNTER, meaning, sum(counted))


def _machine(seen: Snapshot) -> Iterator[_Value]:
    used = [use for one in seen.processes if one.pid and (use := use_of(one.pid)) is not None]
    times = (("user_msec", "user time"), ("sys_msec", "system time"))
    for (name, what), seconds in zip(times, seen.cpu, strict=True):
        meaning = f"Number of msec spent in {what}, of all processes"
        yield _Value(name, _COUNTER, meaning, int(seconds * 1000))
    sums = (
        ("fd_usage", "Number of open filedescriptors", "files"),
        ("real_memory_usage", "Actual unique use of memory in bytes (approx)", "private"),
    )
    for name, meaning, of in sums:
        value = sum(getattr(use, of) for use in used)
        yield _Value(name, _GAUGE, f"{meaning}, of all processes", value)
    yield _Value("uptime", _COUNTER, "Uptime of process in seconds", int(seen.uptime))
    steal, iowait = _cpu()
    yield _Value("cpu_iowait", _COUNTER, "Time spent waiting for I/O, in units of USER_HZ", iowait)
    yield _Value("cpu_steal", _COUNTER, "Stolen time, in units of USER_HZ", steal)
    rows = _snmp()
    for row, column, name, meaning in _SNMP:
        if column in rows.get(row, {}):
            yield _Value(name, _COUNTER, meaning, rows[row][column])
    six = dict(line.split() for line in _proc("net/snmp6"))
    for column, name, meaning in _SNMP6:
        if column in six:
            yield _Value(name, _COUNTER, meaning, int(six[column]))


def _proc(name: str) -> list[str]:
    try:
        return (Path("/proc") / name).read_text().splitlines()
    except OSError:
        return []


def _cpu() -> tuple[int, int]:
    """Steal and iowait of the whole machine, as proc(5) counts them."""
    words = next(iter(_proc("stat")), "").split()
    return (int(words[8]), int(words[5])) if len(words) > 8 else (0, 0)


def _snmp() -> dict[str, dict[str, int]]:
    """Rows of /proc/net/snmp: a line of names, and one of numbers."""
    rows: dict[str, dict[str, int]] = {}
    lines_ = _proc("net/snmp")
    for head, values in zip(lines_[::2], lines_[1::2], strict=False):
        name, _, columns = head.partition(":")
        numbers = values.partition(":")[2].split()
        rows[name] = dict(zip(columns.split(), map(int, numbers), strict=False))
    return rows
