"""Metrics of secondaries: NOTIFY, the serials they have, and transfers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lzc.serve.observe.family import Family, Sample, counter, gauge, one
from lzc.serve.observe.seen import SecondarySeen, Snapshot


def secondaries(seen: Snapshot) -> Iterator[Family]:
    """The families."""
    notified = _labelled([each for each in seen.secondaries if each.notified])
    yield from gauge(
        "lzc_secondary_answering",
        "1 for a secondary that answers, 0 for one that has answered nothing for some seconds",
        [((name,), each.silent is None) for name, each in notified],
        ("secondary",),
    )
    yield from gauge(
        "lzc_secondaries_unsaved",
        "1 while what is known of secondaries cannot be saved for the next start",
        one(seen.secondaries_unsaved),
    )
    zones: list[Sample] = []
    for name, each in notified:
        ahead = sum(zone.ahead for zone in each.zones)
        behind = sum(zone.lag > 0 for zone in each.zones)
        current = len(each.zones) - ahead - behind
        for state, count in (("current", current), ("behind", behind), ("ahead", ahead)):
            zones.append(((name, state), count))
    yield from gauge(
        "lzc_secondary_zones",
        "Zones of a secondary by state: it has our serial, one before it, or one after it",
        zones,
        ("secondary", "state"),
    )
    places = [(name, zone) for name, each in notified for zone in each.zones]
    labels = ("secondary", "zone")
    yield from gauge(
        "lzc_secondary_zone_serial",
        "Serial that a secondary told last; not there before it told one",
        (((name, zone.zone), zone.serial) for name, zone in places if zone.serial is not None),
        labels,
    )
    yield from gauge(
        "lzc_secondary_zone_lag_seconds",
        "Seconds for which a secondary has had less than what is served here, as far as it told",
        (((name, zone.zone), zone.lag) for name, zone in places),
        labels,
        "seconds",
    )
    yield from gauge(
        "lzc_secondary_zone_asked_timestamp_seconds",
        "When a secondary asked last whether a zone changed: for its SOA with TSIG, or for a"
        " transfer; not there before it did",
        (((name, zone.zone), zone.asked) for name, zone in places if zone.asked),
        labels,
        "seconds",
    )
    yield from gauge(
        "lzc_secondary_zones_repeating",
        "Zones whose same serial a secondary has taken again and again within the last hour, as it"
        " does not keep it",
        [((name,), sum(bool(zone.repeats) for zone in each.zones)) for name, each in notified],
        ("secondary",),
    )
    expires = {zone.name: zone.expire for zone in seen.zones}
    yield from gauge(
        "lzc_secondary_zone_expiry_seconds",
        "Seconds until a secondary stops answering for a zone (EXPIRE of its SOA), at the latest,"
        " unless it gets through; of zones that it is behind with, or all while it is silent",
        (
            ((name, zone.zone), left)
            for name, each in notified
            for zone in each.zones
            if (left := each.expires_in(zone, expires.get(zone.zone, 0))) is not None
        ),
        labels,
        "seconds",
    )
    yield from gauge(
        "lzc_secondary_last_transfer_timestamp_seconds",
        "When a secondary was sent a zone last; not there before it was",
        [
            ((name,), seen.last_transfers[each.name, each.address])
            for name, each in _labelled(seen.secondaries)
            if (each.name, each.address) in seen.last_transfers
        ],
        ("secondary",),
        "seconds",
    )
    yield from counter(
        "lzc_transfer_octets",
        "Octets of zone transfers that were done, by secondary (none: another) and transport",
        seen.transfer_octets.items(),
        ("secondary", "transport"),
    )
    yield from counter(
        "lzc_transfer_seconds",
        "Seconds that these took, from the first message to the last one handed to the kernel",
        seen.transfer_seconds.items(),
        ("secondary", "transport"),
    )
    yield from counter(
        "lzc_notify_requests",
        "NOTIFY, and queries for a secondary's SOA, by what became of them: sent, of these answered"
        " well, or refused, and those that could not be sent",
        seen.notify.items(),
        ("secondary", "request", "result"),
    )
    yield from counter(
        "lzc_transfers",
        "Zone transfers by zone, secondary (none: another with a valid key or address), kind, and"
        " whether they were done or broken off by the secondary",
        seen.transfers.items(),
        ("zone", "secondary", "kind", "result"),
    )
    yield from counter(
        "lzc_transfer_refusals",
        "Transfers, and queries for a SOA, that were refused, by secondary (none: a stranger), kind"
        " and reason, as far as workers told: of a flood, some are left out",
        seen.refusals.items(),
        ("secondary", "kind", "reason"),
    )
    yield from counter(
        "lzc_tsig_failures",
        "Of these, those whose TSIG did not pass",
        seen.tsig_failures.items(),
        ("secondary", "reason"),
    )


def _labelled(secondaries: Sequence[SecondarySeen]) -> list[tuple[str, SecondarySeen]]:
    """Each with what it is called: its name, and its address, too, where others have that name, as
    those of one host may, of which one is IPv4 and one IPv6."""
    names = Counter(each.name for each in secondaries)
    return [
        (each.name if names[each.name] == 1 else f"{each.name} ({each.address})", each)
        for each in secondaries
    ]
