"""The metrics of a server: from what is seen of it to families of samples.

Names begin with ``lzc_`` and are for good, like those of settings. What nobody knows is left out:
a family without samples is not there, and a label without a value is not either.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator

from lzc.serve.observe.answer_metrics import answers
from lzc.serve.observe.family import Family, counter, gauge, one
from lzc.serve.observe.form_metrics import forms
from lzc.serve.observe.health_metrics import health
from lzc.serve.observe.process import ProcessUse, use_of
from lzc.serve.observe.recorder_metrics import recorder
from lzc.serve.observe.secondary_metrics import secondaries
from lzc.serve.observe.seen import Snapshot


def families(seen: Snapshot) -> Iterator[Family]:
    """All of them, one after the other."""
    yield from _server(seen)
    yield from _processes(seen)
    yield from answers(seen)
    yield from recorder(seen.recorder)
    yield from _zones(seen)
    yield from health(seen)
    yield from secondaries(seen)
    yield from forms(seen.forms)


def _server(seen: Snapshot) -> Iterator[Family]:
    bundle = seen.bundle
    yield from gauge(
        "lzc_build_info",
        "Version of lzc and of Python; the value is always 1",
        [((seen.version, platform.python_version()), 1)],
        ("version", "python"),
    )
    yield from gauge(
        "lzc_start_time_seconds", "When the server began", one(seen.started_at), unit="seconds"
    )
    yield from gauge(
        "lzc_bundle_info",
        "Id of the bundle that is served; the value is always 1",
        [((bundle.id,), 1)],
        ("id",),
    )
    yield from gauge(
        "lzc_bundle_built_timestamp_seconds",
        "When the bundle that is served was built",
        one(bundle.built_at),
        unit="seconds",
    )
    yield from gauge(
        "lzc_bundle_loaded_timestamp_seconds",
        "Since when that bundle is served",
        one(bundle.loaded_at),
        unit="seconds",
    )
    yield from gauge(
        "lzc_bundle_refused",
        "1 while the live bundle is refused, and the one before it is served",
        one(bundle.refused_since is not None),
    )
    yield from gauge(
        "lzc_bundle_gone",
        "1 while nothing is live: what was is served, and the next start would fail",
        one(bundle.gone),
    )
    yield from gauge("lzc_zones", "Zones of the bundle that is served", one(bundle.zones))
    yield from gauge(
        "lzc_zones_with_fallen_serial",
        "Zones whose serial is below one that was served before: secondaries keep what they have",
        one(bundle.fallen),
    )
    yield from gauge(
        "lzc_zones_with_failed_source",
        "Zones whose source failed when the bundle was built: kept as they were live; or left out,"
        " as they were not",
        [(("kept",), bundle.kept), (("left out",), bundle.left_out)],
        ("state",),
    )
    results = ("done", "refused", "incomplete", "settings")
    yield from counter(
        "lzc_reloads",
        "Reloads by result; incomplete: it was made, and zones or keys are out of service as"
        " before; settings: the bundle was taken, and not all that lzc.toml says",
        [((result,), seen.reloads.get(result, 0)) for result in results],
        ("result",),
    )
    yield from gauge(
        "lzc_settings_pending",
        "1 where lzc.toml says what does not count yet, or cannot be used, as of the last reload",
        one(seen.settings_pending),
    )
    yield from counter(
        "lzc_log_lines_lost",
        "Lines of the log, without those of the query log, that could not be written",
        one(seen.lines_lost),
    )
    # One may be listed twice.
    geo = {each.path: each for each in seen.geo}
    yield from gauge(
        "lzc_geo_database_read_timestamp_seconds",
        "When the geo database in use was read",
        [((path,), each.read_at) for path, each in geo.items()],
        ("path",),
        "seconds",
    )
    yield from gauge(
        "lzc_geo_database_stale",
        "1 where the file of a geo database is a newer one that cannot be used",
        [((path,), each.stale) for path, each in geo.items()],
        ("path",),
    )
    tls = seen.tls
    yield from gauge(
        "lzc_tls_certificate_expiry_timestamp_seconds",
        "When the certificate expires that is shown over TLS; 0 where there is none to show",
        [] if tls is None else [((tls.path,), tls.expires)],
        ("path",),
        "seconds",
    )
    yield from gauge(
        "lzc_tls_certificate_stale",
        "1 where the files of the certificate hold what cannot be used",
        [] if tls is None else [((tls.path,), tls.stale)],
        ("path",),
    )


def _processes(seen: Snapshot) -> Iterator[Family]:
    names = [each.name for each in seen.processes]
    used = [use_of(each.pid) if each.pid else None for each in seen.processes]
    found: list[tuple[str, ProcessUse]] = [
        (name, use) for name, use in zip(names, used, strict=True) if use is not None
    ]
    label = ("process",)
    yield from gauge(
        "lzc_process_ready",
        "1 while a process (supervisor, checker, recorder, publisher, or worker and its number)"
        " does its work",
        [((each.name,), each.ready) for each in seen.processes],
        label,
    )
    yield from counter(
        "lzc_process_restarts",
        "How often another process was started in the place of one that died",
        [((each.name,), each.restarts) for each in seen.processes],
        label,
    )
    yield from counter(
        "lzc_process_cpu_seconds",
        "CPU time of a process by mode; begins anew where another takes its place",
        [
            ((name, mode), spent)
            for name, use in found
            for mode, spent in (("user", use.user), ("system", use.system))
        ],
        ("process", "mode"),
        "seconds",
    )
    yield from gauge(
        "lzc_process_resident_memory_bytes",
        "Memory of a process that is in RAM; what processes share is counted for each",
        [((name,), use.resident) for name, use in found],
        label,
        "bytes",
    )
    yield from gauge(
        "lzc_process_private_memory_bytes",
        "Memory of a process that it shares with no file and no other process's mapping",
        [((name,), use.private) for name, use in found],
        label,
        "bytes",
    )
    yield from gauge(
        "lzc_process_open_fds",
        "Open files and sockets of a process",
        [((name,), use.files) for name, use in found],
        label,
    )


def _zones(seen: Snapshot) -> Iterator[Family]:
    label = ("zone",)
    yield from gauge(
        "lzc_zone_serial",
        "Serial of a zone's SOA record as it is served",
        (((zone.name,), zone.serial) for zone in seen.zones),
        label,
    )
    yield from gauge(
        "lzc_zone_serial_left",
        "How often a zone's serial can rise by one before 2^32 - 1, after which it begins at 0",
        (((zone.name,), 0xFFFFFFFF - zone.serial) for zone in seen.zones),
        label,
    )
    yield from gauge(
        "lzc_zone_expire_seconds",
        "EXPIRE of a zone: how long a secondary goes on answering for it that does not reach us",
        (((zone.name,), zone.expire) for zone in seen.zones),
        label,
        "seconds",
    )
    yield from gauge(
        "lzc_zone_signed",
        "1 for a zone that is signed",
        (((zone.name,), zone.signed) for zone in seen.zones),
        label,
    )
    yield from gauge(
        "lzc_zone_keys_end_timestamp_seconds",
        "From when on signatures of a zone do not validate, as its keys (or its KSK) retire by the"
        " dates they have, or those of a presigned zone expire; zones without such an end are left"
        " out",
        (((zone,), end) for zone, end in seen.ends.items()),
        label,
        "seconds",
    )
    states: dict[str, int] = dict.fromkeys(("servfail", "at risk", "warning"), 0)
    for state in seen.keys.values():
        states[state] += 1
    yield from gauge(
        "lzc_zones_with_key_faults",
        "Zones with something wrong with their keys: all of it is SERVFAIL in some worker; at risk"
        " as soon as a worker starts; or a warning",
        [((state,), count) for state, count in states.items()],
        ("state",),
    )
    yield from gauge(
        "lzc_zone_key_fault",
        "1 for each of these zones",
        (((zone, state), 1) for zone, state in seen.keys.items()),
        ("zone", "state"),
    )
