"""What is known of a server at one moment, as values: what metrics are made from.

All times are seconds since the epoch unless a name says otherwise, and all names are text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lzc.serve.ipc.health_table import AUTO, UNKNOWN
from lzc.serve.observe.totals import Totals


@dataclass(frozen=True, slots=True)
class BundleSeen:
    """The bundle that is served. ``refused_since``: another one is live but not served from then
    on; ``fallen`` zones have serials below those that were served before; ``gone``: none is live.
    Of zones whose source failed when it was built, some were ``kept`` as they were live, others
    ``left_out``."""

    id: str
    built_at: float
    loaded_at: float
    zones: int
    refused_since: float | None = None
    fallen: int = 0
    gone: bool = False
    kept: int = 0
    left_out: int = 0


class ProcessSeen(NamedTuple):
    """``supervisor``, ``checker``, or ``worker-N``; ``pid`` 0 while there is none. ``ready``: it
    does its work."""

    name: str
    pid: int
    restarts: int
    ready: bool


class GeoSeen(NamedTuple):
    """A geo database: when what is in use was read, and whether there is something newer that
    cannot be used."""

    path: str
    read_at: float
    stale: bool


class TlsSeen(NamedTuple):
    """The certificate that is shown over TLS: when it ``expires`` (seconds since the epoch, 0
    without one), and whether what is on disk cannot be used."""

    path: str
    expires: float
    stale: bool


class ZoneSeen(NamedTuple):
    """A zone of the bundle; ``expire`` is the field of its SOA record, seconds. ``records``: what a
    transfer carries."""

    name: str
    serial: int
    signed: bool
    lua: bool
    expire: int
    records: int = 0


class CheckSeen(NamedTuple):
    """A health check: the beginning of its id, what it looks at, and ``url`` where it asks for a
    page, without what is secret in it. ``up`` is `None` while nothing is known; ``latency`` in
    seconds. ``key`` is its id; ``since``: when it became up or down; ``forced`` is what an operator
    says instead of runs (`lzc.serve.ipc.health_table.FORCES`), which ``found`` something;
    ``interval``: seconds between two runs, 0 for the usual ones."""

    id: str
    target: str
    url: str
    up: bool | None
    latency: float
    checked_at: float
    changes: int
    key: bytes = b""
    since: float = 0.0
    forced: int = AUTO
    found: int = UNKNOWN
    interval: int = 0


class RecordSeen(NamedTuple):
    """A LUA record, and the keys of all checks that its answers depend on."""

    zone: str
    owner: str
    type: str
    checks: tuple[bytes, ...]


LATE: Final = 30.0
"""Seconds by which a result may be late, besides three times its interval."""


@dataclass(frozen=True, slots=True)
class HealthSeen:
    """``counts`` are those of `lzc.serve.ipc.health_table.HealthTable.counts`; ``checks`` those
    that the bundle lists. ``forced``: of these, so many follow what an operator said; ``oldest``:
    when the oldest of their results was found, 0 where none has one.
    ``without_target``: zone, owner and type of LUA records all of whose targets are down.
    ``records``: all those that depend on checks. ``interval``: usual seconds between two runs."""

    counts: Mapping[str, int] = field(default_factory=dict)
    checks: Sequence[CheckSeen] = ()
    unlisted_limit: int = 0
    unsaved: bool = False
    forced: int = 0
    oldest: float = 0.0
    without_target: Sequence[tuple[str, str, str]] = ()
    records: Sequence[RecordSeen] = ()
    interval: int = 0

    def is_late(self, check: CheckSeen, now: float) -> bool:
        """Whether its last result is older than three runs ought to be."""
        interval = check.interval or self.interval
        if not check.checked_at or not interval:
            return False
        return now - check.checked_at > 3 * interval + LATE


@dataclass(frozen=True, slots=True)
class RecorderSeen:
    """What is made of queries: whether the settings want ``dnstap`` and a ``query_log``, whether
    somebody reads the first, and ``counts`` of `lzc.serve.ipc.recorder_table`."""

    dnstap: bool = False
    query_log: bool = False
    streaming: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


class FormSeen(NamedTuple):
    """A form of a zone that secondaries get: of a flattened one the ``client`` whose answers it
    has. ``serial`` is 0 until it is made, ``problem`` says why it is not what it is to be."""

    zone: str
    form: str
    client: str
    health: str
    serial: int
    problem: str


class ZoneThere(NamedTuple):
    """A zone at a secondary: the serial that it told, if any; for how many seconds it has been
    behind ours (0: it is not); whether it has a later one than ours; why it takes the same one
    again and again, if it does; its last transfer, if it was one and the zone is odd; and when it
    asked about it last, in seconds since the epoch (0: it did not)."""

    zone: str
    serial: int | None
    lag: float
    ahead: bool
    repeats: str = ""
    last: Mapping[str, Any] | None = None
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class SecondarySeen:
    """A secondary; ``silent``: for so many seconds it has answered nothing. ``zones`` are those
    that it is told of by NOTIFY; it may not be ``notified`` at all."""

    name: str
    address: str
    notified: bool
    silent: float | None = None
    zones: Sequence[ZoneThere] = ()

    def expires_in(self, zone: ZoneThere, expire: int) -> float | None:
        """Seconds until it stops answering for a zone, at the latest, unless it gets through to us
        before (RFC 1035 §3.3.13, EXPIRE); `None` where nothing says that it does not."""
        without = max(zone.lag, self.silent or 0.0)
        return expire - without if without and expire else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything. ``uptime``: seconds since the server began, whatever the clock says;
    ``lines_lost``: of the log, as they could not be written; ``keys`` is the state of zones with
    something wrong with their keys, ``ends`` when the keys of a zone cease to sign it;
    ``held_zones`` have code that is not run; ``lua_limit``: VM instructions that an execution may
    take, 0 where there is no such limit; ``cpu``: seconds of CPU time, user and system, of all
    processes that there ever were; for counts of transfers see
    `lzc.serve.observe.transfer_counts.TransferCounts`, for those of NOTIFY
    `lzc.serve.notify.secondaries.Secondaries`; ``secondaries_unsaved``: what is known of them
    cannot be saved."""

    now: float
    version: str
    started_at: float
    bundle: BundleSeen
    totals: Totals
    processes: Sequence[ProcessSeen] = ()
    cpu: tuple[float, float] = (0.0, 0.0)
    uptime: float = 0.0
    lines_lost: int = 0
    reloads: Mapping[str, int] = field(default_factory=dict)
    settings_pending: bool = False
    geo: Sequence[GeoSeen] = ()
    tls: TlsSeen | None = None
    zones: Sequence[ZoneSeen] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[str, float] = field(default_factory=dict)
    quarantined: int = 0
    lua_limit: int = 0
    held_zones: Sequence[str] = ()
    health: HealthSeen = field(default_factory=HealthSeen)
    recorder: RecorderSeen = field(default_factory=RecorderSeen)
    forms: Sequence[FormSeen] = ()
    secondaries: Sequence[SecondarySeen] = ()
    transfers: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    tsig_failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    notify: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    secondaries_unsaved: bool = False
    last_transfers: Mapping[tuple[str, str], float] = field(default_factory=dict)
    transfer_octets: Mapping[tuple[str, str], int] = field(default_factory=dict)
    transfer_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
