"""How long the keys of a zone go on signing it, and in plain words why not longer.

Keys retire by the dates in their files (`lzc.dnssec.life.timing.Timing`); nothing has to happen for
a zone to run out of them. So it is foretold, by the same rules that choose what signs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from lzc.dnssec.life.timing import Timing

SOON: Final = 30 * 86400
"""Seconds ahead that the end of a zone's keys is told."""

_FAR: Final = 2 * 86400
_ENOUGH: Final = 3
_NO_OTHER: Final = ", and no other takes over"


class DatedKey(NamedTuple):
    """A key without its key material."""

    tag: int
    is_sep: bool
    timing: Timing


class TimedKey(Protocol):
    """What is asked of a key, with its key material or without."""

    @property
    def tag(self) -> int:
        """The key tag."""

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK that is not revoked."""

    @property
    def timing(self) -> Timing:
        """When it is used."""


class Outlook(NamedTuple):
    """The moment, seconds since the epoch, from which on a zone's signatures no longer validate,
    and why, as the rest of a sentence that begins with the zone. ``build``: other keys take over,
    which a bundle publishes that is built from then on; `None` where there are none."""

    at: float
    why: str
    build: float | None = None


def end_of(keys: Sequence[TimedKey], now: float, *, had_sep: bool = False) -> Outlook | None:
    """When keys cease to sign their zone, from ``now`` on; `None`: never by the dates they have.

    That is when none is active, or when the last active key with the SEP flag retires while others
    go on: a DS at the parent names one with the flag, and those without sign no DNSKEY RRset that
    it leads to (RFC 4035 §5). ``had_sep``: one was active until now.
    """
    before: list[TimedKey] = []
    for moment in _moments(keys, now):
        active = [key for key in keys if key.timing.is_active(moment)]
        seps = [key for key in active if key.is_sep]
        if not active or (had_sep and not seps):
            return Outlook(moment, _why(keys, before, active, moment, now))
        had_sep = bool(seps)
        before = active
    return None


def outlook(
    published: Sequence[TimedKey], others: Sequence[TimedKey], now: float
) -> Outlook | None:
    """When a bundle that publishes certain keys of a zone ceases to be signed; ``others`` are those
    that it does not publish. `None`: never by the dates they have."""
    end = end_of(published, now)
    if end is None:
        return None
    whole = end_of([*published, *others], now)
    if whole is not None and whole.at <= end.at:
        return end
    heirs = [one for one in others if one.timing.is_active(end.at)]
    starts = [one.timing.publish or one.timing.activate or now for one in heirs]
    build = max(now, min(starts))
    tags = ", ".join(str(one.tag) for one in heirs)
    why = end.why.removesuffix(_NO_OTHER)
    return Outlook(end.at, f"{why}; key {tags}, which takes over, is not in the bundle", build)


def _moments(keys: Iterable[TimedKey], now: float) -> list[float]:
    """Now, and each later moment at which the state of a key changes."""
    found = {now}
    for key in keys:
        moment = now
        while (moment := key.timing.changes_after(moment)) != float("inf"):
            found.add(moment)
    return sorted(found)


def _why(
    keys: Sequence[TimedKey],
    before: Sequence[TimedKey],
    active: Sequence[TimedKey],
    moment: float,
    now: float,
) -> str:
    if moment <= now:
        reasons = "; ".join(state_of(key, now) for key in keys[:_ENOUGH])
        more = len(keys) - _ENOUGH
        if more > 0:
            reasons += f"; and {more} more"
        return f"has no active {'KSK' if active else 'key'}: {reasons}"
    retiring = [key for key in before if key not in active]
    tags = ", ".join(str(key.tag) for key in retiring)
    what = "KSK" if active else "key"
    return (
        f"has no active {what} from {when(moment)} on, in {span(moment - now)}: key {tags}"
        f" retires then{_NO_OTHER}"
    )


def state_of(key: TimedKey, now: float) -> str:
    """What a key's dates say of it, with the name of the date in its file."""
    timing, tag = key.timing, key.tag
    if timing.delete is not None and now >= timing.delete:
        return f"key {tag} is withdrawn since {when(timing.delete)} (Delete)"
    if timing.inactive is not None and now >= timing.inactive:
        return f"key {tag} is retired since {when(timing.inactive)} (Inactive)"
    if timing.is_revoked(now):
        return f"key {tag} is revoked since {when(timing.revoke or 0)} (Revoke)"
    if timing.publish is not None and now < timing.publish:
        return f"key {tag} is not published before {when(timing.publish)} (Publish)"
    if timing.activate is not None and now < timing.activate:
        return f"key {tag} is not active before {when(timing.activate)} (Activate)"
    if timing.is_active(now):
        return f"key {tag} is active"
    return f"key {tag} has no date from which it is active (Activate)"


def when(moment: float) -> str:
    """A moment for people, to the minute, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def span(seconds: float) -> str:
    """So many seconds in days, hours or minutes, rounded down."""
    if seconds >= _FAR:
        return f"{int(seconds // 86400)} days"
    if seconds >= 2 * 3600:
        return f"{int(seconds // 3600)} hours"
    return f"{max(1, int(seconds // 60))} min"
