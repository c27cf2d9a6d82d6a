"""The apex: one SOA and at least one NS (RFC 1035 §5.2, RFC 2181 §6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault, Place
from lzc.wire import rrtype as rr
from lzc.wire.rdata import soa_times
from lzc.zone.model import KEY, PLACE, RDATA


def check_apex(index: ZoneIndex) -> Iterator[Fault]:
    """Yield what is wrong with SOA and NS."""
    zone = index.zone
    top = Place(zone.files[0] if zone.files else zone.name, 1, 1)
    at_apex = [record for record in index.of_type(rr.SOA) if not record[KEY]]
    at_apex.sort(key=itemgetter(PLACE))
    for record in index.of_type(rr.SOA):
        if record[KEY]:
            yield index.error(
                record,
                "soa-not-at-apex",
                f"an SOA record at {index.owner_text(record)}",
                f"only the apex, {zone.name}, has one (RFC 2181 §6.1)",
                "make it a zone of its own, or remove the record",
            )
    if not at_apex:
        yield Fault(
            top,
            "soa-missing",
            f"zone {zone.name} has no SOA record",
            "a zone starts with its SOA record (RFC 1035 §5.2); nothing can serve it without",
            f"add: {zone.name} 3600 IN SOA ns1.{zone.name} hostmaster.{zone.name} "
            "1 10800 3600 604800 300",
        )
    for record in at_apex[1:]:
        yield index.error(
            record,
            "soa-multiple",
            f"a second SOA record, beside the one at {zone.place(at_apex[0])}",
            "a zone has exactly one (RFC 2181 §6.1)",
            "remove one of them",
        )
    for record in at_apex[:1]:
        refresh, retry, expire, _ = soa_times(record[RDATA])
        if expire <= refresh + retry:
            yield index.warning(
                record,
                "soa-expire-short",
                f"expire ({expire} s) is not longer than refresh and retry together "
                f"({refresh + retry} s)",
                "a secondary would drop the zone after a single failed refresh (RFC 1912 §2.2)",
                "use an expire of one to four weeks: 604800",
            )
    if not any(not record[KEY] for record in index.of_type(rr.NS)):
        yield Fault(
            zone.place(at_apex[0]) if at_apex else top,
            "ns-missing",
            f"zone {zone.name} has no NS record at its apex",
            "a zone names its servers (RFC 1035 §5.2); secondaries refuse it otherwise",
            f"add: {zone.name} 3600 IN NS ns1.{zone.name}",
        )
