"""Metrics of health checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lzc.serve.observe.family import Family, counter, gauge, one
from lzc.serve.observe.seen import Snapshot

MOST: Final = 10_000
"""Checks with metrics of their own; of more, there is what is summed over all of them."""

MOST_RECORDS: Final = 1000


def health(seen: Snapshot) -> Iterator[Family]:
    """The families: first what is about all checks, then each of those that a bundle lists."""
    counts = seen.health.counts
    yield from gauge(
        "lzc_health_checks",
        "Health checks by state, as answers see it",
        [((state,), counts[state]) for state in ("up", "down", "unknown") if state in counts],
        ("state",),
    )
    yield from gauge(
        "lzc_health_forced_checks",
        "Checks of the bundle that follow what an operator said, not what they find",
        one(seen.health.forced),
    )
    about = (
        ("changes", "lzc_health_changes", "How often a check became up or down that was the other"),
        ("runs", "lzc_health_results", "Results of health checks"),
        (
            "unlisted_evicted",
            "lzc_health_unlisted_evicted",
            "Checks that only answers ask for, given up for others",
        ),
        (
            "unlisted_refused",
            "lzc_health_unlisted_refused",
            "Checks that only answers ask for, refused as there were too many",
        ),
        (
            "barred",
            "lzc_health_barred",
            "Checks refused for an address that they may not reach",
        ),
        ("computed", "lzc_health_computed", "Checks refused for what a query decided of them"),
    )
    for key, name, meaning in about:
        if key in counts:
            yield from counter(name, meaning, one(counts[key]))
    if "unlisted" in counts:
        yield from gauge(
            "lzc_health_unlisted_checks",
            "Checks that no bundle lists, as only answers ask for them",
            one(counts["unlisted"]),
        )
        yield from gauge(
            "lzc_health_unlisted_limit",
            "How many of these there may be",
            one(seen.health.unlisted_limit),
        )
    yield from gauge(
        "lzc_health_unsaved",
        "1 while what checks found, and what is forced, cannot be saved for the next start",
        one(seen.health.unsaved),
    )
    oldest = seen.health.oldest
    if oldest:
        yield from gauge(
            "lzc_health_oldest_result_age_seconds",
            "Age of the oldest result among the checks of the bundle that have one",
            one(max(0.0, seen.now - oldest)),
            unit="seconds",
        )
    yield from gauge(
        "lzc_health_late_checks",
        "Checks of the bundle whose last result is older than three of their intervals and half a"
        " minute",
        one(sum(seen.health.is_late(check, seen.now) for check in seen.health.checks)),
    )
    without = seen.health.without_target
    yield from gauge(
        "lzc_health_records_without_target",
        "LUA records all of whose targets are down, so that clients get what is left: all of them,"
        " or what the record has for that case",
        one(len(without)),
    )
    yield from gauge(
        "lzc_health_record_without_target",
        f"1 for each of these records, of which {MOST_RECORDS} are named at most",
        ((record, 1) for record in without[:MOST_RECORDS]),
        ("zone", "owner", "type"),
    )
    yield from _each(seen)


def _each(seen: Snapshot) -> Iterator[Family]:
    checks = seen.health.checks
    if len(checks) > MOST:
        checks = ()
    labels = ("check", "target", "url")
    yield from gauge(
        "lzc_health_check_up",
        "1 for a target that is up, 0 for one that is down, as answers see it; not there while"
        f" nothing is known, nor where there are more than {MOST} checks",
        ((each[:3], each.up) for each in checks if each.up is not None),
        labels,
    )
    yield from gauge(
        "lzc_health_check_latency_seconds",
        "Seconds that the last run of a check took",
        ((each[:3], each.latency) for each in checks if each.checked_at),
        labels,
        "seconds",
    )
    yield from counter(
        "lzc_health_check_changes",
        "How often a check became up or down that was the other",
        ((each[:3], each.changes) for each in checks),
        labels,
    )
