"""Metrics of dnstap and of the query log."""

from __future__ import annotations

from collections.abc import Iterator

from lzc.serve.observe.family import Family, counter, gauge, one
from lzc.serve.observe.seen import RecorderSeen

_FRAMES_LOST = {
    "no reader": "frames_unread",
    "slow reader": "frames_slow",
    "behind": "frames_behind",
    "sample": "frames_unchosen",
}
_LINES_LOST = {
    "not written": "lines_lost",
    "behind": "lines_behind",
    "sample": "lines_unchosen",
}


def recorder(seen: RecorderSeen) -> Iterator[Family]:
    """The families of what the settings ask for."""
    counts = seen.counts
    if seen.dnstap:
        yield from gauge(
            "lzc_dnstap_connected", "1 while somebody reads dnstap's socket", one(seen.streaming)
        )
        yield from counter(
            "lzc_dnstap_frames", "Frames of dnstap that were sent", one(counts["frames_sent"])
        )
        yield from counter(
            "lzc_dnstap_frames_lost",
            "Frames of dnstap that were not sent, by reason: no reader; a slow reader; the recorder"
            " is behind the workers; or dnstap-sample left them out",
            [((reason,), counts[name]) for reason, name in _FRAMES_LOST.items()],
            ("reason",),
        )
    if seen.query_log:
        yield from counter(
            "lzc_query_log_lines", "Lines of the query log", one(counts["lines_written"])
        )
        yield from counter(
            "lzc_query_log_lines_lost",
            "Queries that have no line in the query log, by reason: it could not be written; the"
            " recorder is behind the workers; or query-log left them out",
            [((reason,), counts[name]) for reason, name in _LINES_LOST.items()],
            ("reason",),
        )
